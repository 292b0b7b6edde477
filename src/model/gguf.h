/* GGUF: the container of llama.cpp. Versions 2 and 3, either byte order, one file or split parts.
 * Only the header is read, never tensor data: time and memory grow with the header alone.
 *
 *   file    := "GGUF" version:u32 n_tensor:u64 n_kv:u64 key* tensor* padding data
 *   key     := string type:u32 value            (value of an array: type:u32 count:u64 element*)
 *   tensor  := string n_dims:u32 ne:u64{n_dims} type:u32 offset:u64
 *   string  := length:u64 byte*                 (no NUL)
 *
 * The data section begins at the next multiple of general.alignment (32 when absent); offsets count
 * from there. Source of the grammar: llama.cpp, ggml/include/gguf.h. */
#ifndef PL_MODEL_GGUF_H
#define PL_MODEL_GGUF_H

#include "domain/model.h"
#include "model/input.h"

/* Limits on what a file may claim. */
#define PL_GGUF_KEY_MAX 65535u            /* bytes of a key; the format's own limit */
#define PL_GGUF_NAME_MAX 1024u            /* bytes of a tensor name; llama.cpp itself takes 63 */
#define PL_GGUF_ARCH_MAX 63u              /* bytes of general.architecture */
#define PL_GGUF_KEYS_MAX 65536u           /* keys; real files have under 100 */
#define PL_GGUF_TENSORS_MAX (1u << 20)    /* tensors of all parts; real files under 3000 */
#define PL_GGUF_ARRAY_MAX (1u << 30)      /* elements; llama.cpp, GGUF_MAX_ARRAY_ELEMENTS */
#define PL_GGUF_ALIGNMENT_MAX (1u << 20)  /* bytes */
#define PL_GGUF_HEADER_MAX (1ull << 30)   /* bytes before the data section, per file */
#define PL_GGUF_MEMORY_MAX (256ull << 20) /* what one model's header may take from us */
#define PL_GGUF_WINDOW (128u * 1024u)     /* bytes read at once */

#define PL_GGUF_GHOST_KEY "plimsoll.ghost" /* bool: the file holds no real weights */

/* Reads the header of path, and of the other parts when it is one of a split model. *ret is set on
 * success only; free it with pl_model_free. Errors name the file (err->file): -ENOENT, -EISDIR,
 * -EINVAL (not GGUF, not a file), -EBADMSG (damaged, truncated, beyond a limit), -ENOMEM, or the
 * system's own. */
int pl_gguf_read(const char *path, struct pl_model **ret, struct pl_err *err);

/* The same through another opener: memory, a remote file. `path` is given to the opener as it is;
 * of the other parts, with the part number replaced. */
int pl_gguf_read_with(const struct pl_opener *opener, const char *path, struct pl_model **ret,
                      struct pl_err *err);

/* True when these first bytes of a file are GGUF's. */
bool pl_gguf_match(const uint8_t *head, size_t n);

/* What a file that begins with these bytes is, in words ("an HTML page ..."), or NULL. Static. */
const char *pl_gguf_lookalike(const uint8_t *head, size_t n);

/* "-00002-of-00005.gguf" at the end of a path: part 2 of 5. false when it is not named so. */
bool pl_gguf_part_of(const char *path, uint64_t *ret_no, uint64_t *ret_count);

/* The name of part `want` (0-based) of a split model, from the path of its part `no` of `count`
 * ("x-00002-of-00003.gguf"); NULL when path is not named so, or when the arena has no memory. */
const char *pl_gguf_part_path(struct pl_arena *a, const char *path, uint64_t no, uint64_t count,
                              uint64_t want);

#endif
