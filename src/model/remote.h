/* Models on the network, by the header alone: the first bytes of a file are fetched by HTTP ranges,
 * in windows that grow, until the reader has what it needs. A header of 8 MB takes three requests;
 * the second time one, for what was read is kept (model/header_cache.h) and only asked after. */
#ifndef PL_MODEL_REMOTE_H
#define PL_MODEL_REMOTE_H

#include "base/err.h"
#include "domain/model.h"
#include "model/input.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* Windows, one after the other: most files that are no language model end in the first, small
 * vocabularies in the second (Mistral's 0.7 MiB, SmolLM's 1.7), Qwen's 5.7 and Llama 3's 7.5 MiB in
 * the third, Gemma's 15 in the fourth; see bench/remote. */
#define PL_REMOTE_WINDOW_1 (256u << 10)
#define PL_REMOTE_WINDOW_2 (2u << 20)
#define PL_REMOTE_WINDOW_3 (6u << 20)
#define PL_REMOTE_WINDOW_4 (8u << 20)
#define PL_REMOTE_HELD_MAX (256ull << 20) /* header bytes of all parts of one model */
#define PL_REMOTE_WAIT_S 15u              /* longest Retry-After that is waited for, once */

struct pl_remote_options {
    bool offline;       /* only what the cache holds */
    const char *cache;  /* folder of headers; NULL: the default */
    const char *token;  /* for the origin of the URL; NULL: none */
    const char *accept; /* media type to ask for; NULL: any */
    /* The reader of its format, as pl_gguf_read_with; NULL: GGUF. */
    int (*read)(const struct pl_opener *opener, const char *path, struct pl_model **ret,
                struct pl_err *err);
    const volatile sig_atomic_t *stop; /* or NULL */
};

/* Reads the header of the GGUF file at url, and of the other parts of a split model. The model's
 * files have the URL (without secrets) as path, `local` is the copy of the header in the cache
 * (NULL when it could not be kept), remote_id the identity. *ret on success only. Errors name the
 * URL: those of pl_gguf_read_with and pl_get_do; -EACCES (401, 403: exit 4, the hint says how to
 * get access), -ENOENT (404, 410: exit 2; offline and not in the cache), -EBUSY (429), -EREMOTEIO
 * (any other status), -ESTALE (changes while it is read), -EFBIG (header over 64 MiB). */
int pl_remote_read(const char *url, const struct pl_remote_options *o, struct pl_model **ret,
                   struct pl_err *err);

#endif
