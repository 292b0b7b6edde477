/* The catalogue: models people run, known by their published shapes (data/catalogue.tsv). A row and
 * a quantisation give the model as its GGUF header would describe it, without any file. */
#ifndef PL_MODEL_CATALOGUE_H
#define PL_MODEL_CATALOGUE_H

#include "base/err.h"
#include "domain/model.h"

#include <stdint.h>

/* One line of data/catalogue.tsv. Static text. */
struct pl_catalogue_row {
    const char *id, *display_name;
    const char *aliases; /* separated by commas, or NULL */
    const char *hf_repo;
    const char *arch;      /* general.architecture */
    uint64_t params_total; /* as published for the checkpoint */
    uint64_t params_file;  /* what the GGUF holds: a tied head counts once */
    uint64_t n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim_k, head_dim_v, n_vocab;
    uint64_t tied; /* 1: no output.weight, the embedding serves */
    uint64_t ctx_train;
    uint64_t rope_freqs; /* elements of rope_freqs.weight; 0 = no such tensor */
    double rope_base, rms_eps;
    const char *tokenizer; /* id of a line of data/tokenizers.tsv */
    const char *licence, *released;
    uint64_t checked; /* 1: params_file follows from the shape columns */
    const char *source;
};

const struct pl_catalogue_row *pl_catalogue(size_t *ret_n);

/* By id or alias, any case; NULL when unknown. */
const struct pl_catalogue_row *pl_catalogue_find(const char *id);

/* Writes the ids nearest to an unknown one, "a, b, c", for a hint; "" when none is near. */
void pl_catalogue_nearest(const char *id, char *out, size_t size);

#define PL_CATALOGUE_QUANT "q4_k_m" /* when a name says none */

/* Builds the model a file of that row and quantisation (any case; NULL = PL_CATALOGUE_QUANT) would
 * be: keys, tensors with types and offsets, file_bytes. It has no files (n_file = 0), ghost is set,
 * path is "id:quant". The tokenizer arrays have counts and lengths, no content. The header's length
 * is derived from published files of the same tokenizer and is right within about 6 kB.
 * -EINVAL for an unknown quantisation (with the nearest in the hint) or one whose blocks do not fit
 * the model's rows; -ENOMEM. Free with pl_model_free. */
int pl_catalogue_model(const struct pl_catalogue_row *row, const char *quant, struct pl_model **ret,
                       struct pl_err *err);

#endif
