/* The files of a repository on the Hugging Face hub, as its API lists them (GET
 * /api/models/ORG/REPO/tree/main), and which of them is meant by a quantisation's name. Pure: text
 * in, choice out. */
#ifndef PL_MODEL_HUB_LIST_H
#define PL_MODEL_HUB_LIST_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_HUB_TEXT_MAX (8u << 20) /* bytes of a listing; real ones stay under 1 MB */
#define PL_HUB_FILES_MAX 20000u
#define PL_HUB_PATH_MAX 512u

struct pl_hub_file {
    const char *path; /* below the repository: relative, without "..", fit for a terminal */
    uint64_t bytes;
    const char *sha256; /* 64 hexadecimal digits, or NULL */
};

struct pl_hub_list {
    struct pl_arena arena;
    struct pl_hub_file *file; /* .gguf files only, in the order of the listing */
    uint32_t n;
    bool checkpoint; /* it holds safetensors */
};

/* -EBADMSG when text is no listing, -E2BIG over a limit, -ENOMEM. End with pl_hub_list_done, on
 * failure too. */
int pl_hub_list_parse(const char *text, size_t len, struct pl_hub_list *ret, struct pl_err *err);
void pl_hub_list_start(struct pl_hub_list *l); /* empty, for pl_hub_list_add */
int pl_hub_list_add(struct pl_hub_list *l, const char *path, uint64_t bytes, const char *sha256,
                    struct pl_err *err);
void pl_hub_list_done(struct pl_hub_list *l);

/* The file that quant (any case; "" or NULL = none said) means: the first that is a model and has
 * it in its name, followed by '.' or '-'; none said: Q4_K_M, else Q8_0, else the first model, as
 * `llama-server -hf` does (llama.cpp, common/download.cpp). A name with a boundary before quant
 * goes first, so that F16 is not BF16. quant may be a file's name too. Of a split model the first
 * part. NULL when there is none. */
const struct pl_hub_file *pl_hub_choose(const struct pl_hub_list *l, const char *quant);

/* The projector for that model: in its folder or above, nearest in bits; NULL when there is none.
 */
const struct pl_hub_file *pl_hub_projector(const struct pl_hub_list *l,
                                           const struct pl_hub_file *model);

/* Is it a model: no projector, importance matrix, or draft head for another. */
bool pl_hub_is_model(const char *path);

/* The quantisation in a file's name, in capitals: the last word of it, as llama.cpp's tag. false
 * when there is none. */
#define PL_HUB_TAG_MAX 32
bool pl_hub_tag(const char *path, char out[PL_HUB_TAG_MAX]);

/* Is it a later part of a split model: not where it is opened. */
bool pl_hub_later_part(const char *path);

/* "Q4_K_M, Q8_0, ..." of the models there, for a hint; "" when there is none. */
void pl_hub_quants(const struct pl_hub_list *l, char *out, size_t size);

#endif
