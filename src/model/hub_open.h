/* "hf:ORG/REPO[:QUANT]" to a model: the copy in the hub's own cache here when there is one, else
 * the header of the file on the hub. */
#ifndef PL_MODEL_HUB_OPEN_H
#define PL_MODEL_HUB_OPEN_H

#include "model/hub_list.h"
#include "model/open.h"
#include "sys/url.h"

#define PL_HUB_NAME_MAX 128

struct pl_hub_spec {
    char org[PL_HUB_NAME_MAX], repo[PL_HUB_NAME_MAX];
    const char *quant; /* "" when none was said; borrowed */
};

/* spec without "hf:". false when it is not ORG/REPO[:QUANT]. */
bool pl_hub_spec(const char *spec, struct pl_hub_spec *ret);

/* The folder in which the hub's tools keep what they fetched ($HF_HUB_CACHE, $HF_HOME/hub,
 * ~/.cache/huggingface/hub); false without a HOME. */
bool pl_hub_cache(char *out, size_t size);

/* Lists a repository in that cache: paths below *ret_folder, its newest snapshot. -ENOENT when it
 * is not there. End with pl_hub_list_done. */
int pl_hub_local(const struct pl_hub_spec *s, struct pl_hub_list *ret, char *ret_folder,
                 size_t size, struct pl_err *err);

/* The files of a repository as the hub lists them (offline: as it was listed last). token NULL:
 * none. -ENOENT offline and never read, or as pl_remote_refused. End with pl_hub_list_done, on
 * failure too. */
int pl_hub_listing(const struct pl_hub_spec *s, const struct pl_open_options *o, const char *token,
                   struct pl_hub_list *ret, struct pl_err *err);

/* What else the hub says of a repository; "" = it does not say. */
struct pl_hub_info {
    char commit[65];  /* of its main branch, hexadecimal */
    char licence[64]; /* fit for a terminal */
    bool gated;       /* its owner lets in whom they accept */
};
int pl_hub_info(const struct pl_hub_spec *s, const struct pl_open_options *o, const char *token,
                struct pl_hub_info *ret, struct pl_err *err);

/* The address of a file of the repository; false when it is too long. */
bool pl_hub_address(const struct pl_hub_spec *s, const char *path, char out[PL_URL_MAX]);

/* "no file of quantisation ...", with those there are: -ENOENT, exit status 2. */
int pl_hub_unknown(const struct pl_hub_spec *s, const struct pl_hub_list *l, struct pl_err *err);

/* As pl_model_open_with: -ENOENT for an unknown quantisation (the hint lists those there are), and
 * the errors of pl_remote_read. */
int pl_hub_open(const struct pl_hub_spec *s, const struct pl_open_options *o, struct pl_model **ret,
                struct pl_err *err);

#endif
