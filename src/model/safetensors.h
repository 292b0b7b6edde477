/* safetensors: the container of the Hugging Face world, one file or shards, with the config.json
 * beside it. Only headers are read, never tensor data.
 *
 *   file   := length:u64 header:byte{length} data          (little-endian)
 *   header := JSON: {"__metadata__": {text: text}?,
 *                    name: {"dtype": TYPE, "shape": [n*], "data_offsets": [begin, end]}*}
 *   shards := model.safetensors.index.json: {"weight_map": {tensor: file}}
 *
 * Offsets count from the end of the header; the tensors cover the data without gaps or overlaps.
 * Source of the grammar: huggingface/safetensors, README.md and safetensors/src/tensor.rs.
 *
 * What config.json says becomes keys with the names that GGUF has for them
 * ("<model_type>.block_count" ...), so that everyone reads a model alike; the words about types and
 * quantisation are "config.*". Tensors keep their own names; their lengths stand fastest first, as
 * GGUF has them. */
#ifndef PL_MODEL_SAFETENSORS_H
#define PL_MODEL_SAFETENSORS_H

#include "domain/model.h"
#include "model/input.h"

#define PL_SAFETENSORS_HEADER_MAX                                                                  \
    (16u << 20) /* bytes; the format's own limit is 100 MB, a file of                              \
                   40,000 tensors needs 5 MB */
#define PL_SAFETENSORS_TENSORS_MAX (1u << 20) /* of all shards */
#define PL_SAFETENSORS_NAME_MAX 1024u         /* bytes of a tensor's name */
#define PL_SAFETENSORS_DIMS_MAX 8u            /* lengths beyond the fourth are multiplied into it */
#define PL_SAFETENSORS_MEMORY_MAX (256ull << 20) /* what one model's headers may take from us */
#define PL_CONFIG_MAX (4u << 20) /* bytes of a config.json; real ones stay under 64 KiB */

/* True when these first bytes can be a safetensors header: a length, then "{". */
bool pl_safetensors_match(const uint8_t *head, size_t n);

/* Reads the checkpoint that path belongs to: a .safetensors file (with its shards, when an index
 * beside it names it), a model.safetensors.index.json, or a config.json, whose folder is then
 * searched. A missing config.json is no error: its keys are then missing. *ret on success only,
 * free with pl_model_free. Errors as pl_gguf_read. */
int pl_safetensors_read(const char *path, struct pl_model **ret, struct pl_err *err);
int pl_safetensors_read_with(const struct pl_opener *opener, const char *path,
                             struct pl_model **ret, struct pl_err *err);

/* True when the folder holds a checkpoint; *ret is then the path to read (size bytes of room). */
bool pl_safetensors_folder(const char *folder, char *ret, size_t size);

/* Reads config.json into keys of m (in its arena) and m->arch. -EBADMSG, -ENOMEM. */
int pl_config_read(struct pl_model *m, const char *text, size_t len, const char *name,
                   struct pl_err *err);

/* One file's header: the JSON behind the length. bytes is the whole file, data_offset where its
 * data begins: set both before. Fills tensor, in the arena. -EBADMSG (exit 2) for what breaks the
 * grammar. */
struct pl_safetensors_part {
    const char *path; /* in the arena */
    uint64_t bytes, disk_bytes, data_offset;
    bool holes;
    struct pl_tensor *tensor;
    uint64_t n_tensor;
};
int pl_safetensors_header(struct pl_arena *a, const char *text, size_t len,
                          struct pl_safetensors_part *part, struct pl_err *err);

#endif
