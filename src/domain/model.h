/* A model as its header describes it: every key, every tensor, nothing of its data. Filled by a
 * reader (src/model), owned by its arena. */
#ifndef PL_DOMAIN_MODEL_H
#define PL_DOMAIN_MODEL_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_TENSOR_DIMS_MAX 4
#define PL_SPLITS_MAX 512

/* GGUF value types, by their numbers in the file. */
enum pl_kv_type {
    PL_KV_U8 = 0,
    PL_KV_I8,
    PL_KV_U16,
    PL_KV_I16,
    PL_KV_U32,
    PL_KV_I32,
    PL_KV_F32,
    PL_KV_BOOL,
    PL_KV_STR,
    PL_KV_ARRAY,
    PL_KV_U64,
    PL_KV_I64,
    PL_KV_F64,
    PL_KV_TYPES,
};

/* What a value is, whatever its width. */
enum pl_kv_class { PL_KV_OTHER = 0, PL_KV_WHOLE, PL_KV_REAL, PL_KV_TRUTH, PL_KV_TEXT };
enum pl_kv_class pl_kv_class(enum pl_kv_type t);

struct pl_kv {
    const char *key;      /* NUL-ended */
    enum pl_kv_type type; /* PL_KV_ARRAY: see element */
    enum pl_kv_type element;
    uint64_t count; /* elements of an array; 1 otherwise */
    uint64_t u;     /* integers and bool, sign-extended for the signed types */
    double f;       /* F32, F64 */
    const char
        *str; /* PL_KV_STR: at most PL_KV_STR_MAX bytes are kept, `count` is its true length */
    const int64_t *ints;     /* small integer or bool arrays (at most PL_KV_INTS_MAX); else NULL */
    uint64_t text_bytes;     /* string arrays: sum of the lengths */
    const struct pl_kv *was; /* what the file says, when it was edited since; else NULL */
    bool added;              /* not in the file at all */
    bool unset;              /* in the file, and not wanted any more: only a ghost's writer asks */
};
#define PL_KV_STR_MAX 65536u
#define PL_KV_INTS_MAX 4096u

struct pl_tensor {
    const char *name;
    uint32_t n_dims;
    uint64_t ne[PL_TENSOR_DIMS_MAX]; /* unused dimensions are 1 */
    uint32_t type;                   /* see tensor_type.h */
    uint64_t offset;                 /* in the data section of its file */
    uint64_t bytes;                  /* without padding */
    uint16_t split;                  /* index of its file */
};

struct pl_model_file {
    const char *path;
    uint64_t bytes;       /* length on disk */
    uint64_t data_offset; /* where tensor data begins */
    uint64_t alignment;   /* of its tensors */
    uint64_t disk_bytes;  /* blocks really allocated: a ghost is far smaller than its length */
    const char *local;    /* a file here that begins with its header; NULL: path itself, or of a
                             remote file that none could be kept */
};

struct pl_model {
    struct pl_arena arena;
    const char *path;   /* as given */
    const char *name;   /* general.name, or the file's name */
    const char *arch;   /* general.architecture */
    const char *format; /* static: "safetensors"; NULL: GGUF */
    uint32_t version;   /* of the container */
    bool big_endian;
    bool ghost; /* holds no real weights */
    uint64_t alignment;
    uint64_t file_bytes; /* all files */
    struct pl_kv *kv;
    uint64_t n_kv;
    struct pl_tensor *tensor;
    uint64_t n_tensor;
    struct pl_model_file *file;
    const char *remote_id; /* its files are on the network: what they are, by address and
                              validators. NULL: here */
    const char *projector; /* path or address of the projector (mmproj) that its repository keeps
                              beside it; NULL: none known */
    uint32_t
        n_file; /* 0: made from the catalogue, no file was read; file_bytes is what it will be */
};

struct pl_model *pl_model_free(struct pl_model *m); /* accepts NULL, returns NULL */

/* True when its files are on this machine, so that an engine can load them: neither from the
 * catalogue nor on the network. */
static inline bool pl_model_here(const struct pl_model *m)
{
    return m->n_file > 0 && m->remote_id == NULL;
}

/* The file to give to an engine; of a model that is here. `path` may be what the user calls it. */
static inline const char *pl_model_load_path(const struct pl_model *m)
{
    return m->n_file > 0 ? m->file[0].path : m->path;
}

/* Keys. The `arch` forms look up "<architecture>.<suffix>". NULL / absent when missing. */
const struct pl_kv *pl_model_kv(const struct pl_model *m, const char *key);
const struct pl_kv *pl_model_arch_kv(const struct pl_model *m, const char *suffix);
/* Integer of any width, or `absent`. For an array: its first element. Negative values give absent.
 */
uint64_t pl_model_arch_u64(const struct pl_model *m, const char *suffix, uint64_t absent);
/* Per-layer value: element `layer` of an array, or the scalar. */
uint64_t pl_model_layer_u64(const struct pl_model *m, const char *suffix, uint64_t layer,
                            uint64_t absent);
const char *pl_model_str(const struct pl_model *m, const char *key, const char *absent);

const struct pl_tensor *pl_model_tensor(const struct pl_model *m, const char *name);

/* Sum of tensor bytes (no padding) and of elements. Saturating; the reader has checked the parts.
 */
uint64_t pl_model_tensor_bytes(const struct pl_model *m);
uint64_t pl_model_parameters(const struct pl_model *m);
/* Parameters touched per token: routed experts scaled by used / total. */
uint64_t pl_model_parameters_active(const struct pl_model *m);

/* What general.file_type says: the mix by which the file was quantised, and the element type that
 * most of its tensors have. NULL when the key is absent or its number unknown. Static. */
struct pl_file_type {
    const char *name;
    uint32_t id; /* llama.h, enum llama_ftype */
    uint32_t type;
    bool imatrix; /* made only with an importance matrix */
};
const struct pl_file_type *pl_model_file_type_of(const struct pl_model *m);
/* "Q4_K_M" from general.file_type, or "unknown". */
const char *pl_model_file_type(const struct pl_model *m);

#endif
