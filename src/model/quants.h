/* What is known of a quantisation besides its rules: how many bits a weight really takes and what
 * it costs in quality (data/quants.tsv), and what the rule of thumb takes it for
 * (data/nominal.tsv). All of it static. */
#ifndef PL_MODEL_QUANTS_H
#define PL_MODEL_QUANTS_H

#include "domain/model.h"
#include "model/mix.h"

/* What the measurements were made on, and when they were published: tools/perplexity/README.md of
 * llama.cpp (revision f364eb6f) and tools/quantize/README.md. */
#define PL_QUANT_QUALITY_OF "Llama 3 8B, wikitext-2"
#define PL_QUANT_QUALITY_DATE "2024-04-30"
#define PL_QUANT_QUALITY_SOURCE "llama.cpp tools/perplexity/README.md, revision f364eb6f"
#define PL_QUANT_BITS_OF "Llama 3.1 8B"
#define PL_QUANT_BITS_DATE "2025-07-27"
#define PL_QUANT_BITS_SOURCE "llama.cpp tools/quantize/README.md; the tensors' bytes"

/* A row of data/nominal.tsv, as text. */
struct pl_quant_nominal {
    const char *name, *bits, *multiplier;
    const char *claim; /* its share of the quality of F16, as the rule has it: without a source */
    const char *source;
};

struct pl_quant {
    const char *name;
    double bits;         /* per weight, of PL_QUANT_BITS_OF; 0 = not known */
    uint64_t bytes;      /* of the tensors, of the same model; 0 = not known */
    bool rated;          /* the next three are known */
    double ppl_change;   /* perplexity less that of F16 */
    double ppl_f16;      /* what F16 has there */
    double kld;          /* mean KL divergence from F16 */
    const char *imatrix; /* text the importance matrix was made from; NULL = made without one */
    const struct pl_quant_nominal *nominal; /* NULL: the rule of thumb does not name it */
};

/* By name in any case, as pl_mix_named. False when unknown. */
bool pl_quant_of(const char *name, struct pl_quant *ret);

/* One that is smaller and nearer to F16, the nearest of them; false when there is none, or when
 * that cannot be told. */
bool pl_quant_better(const struct pl_quant *q, struct pl_quant *ret);

/* The rule of thumb: billions of parameters x multiplier x 1.1, in decimal GB. False when it has no
 * multiplier for the quantisation. */
#define PL_QUANT_RULE_FACTOR 1.1
bool pl_quant_rule_gb(const struct pl_quant *q, double billions, double *ret_gb);

/* Parameters as a name says them: "Qwen3-235B-A22B" is 235e9 and 22e9 active, "gemma-3-270m" 270e6.
 * 0 = the name does not say. */
struct pl_name_size {
    double total, active;
};
struct pl_name_size pl_name_size(const char *name);

/* Bytes of the tensors of m if it were quantised with that mix, by the rules of mix.h; as
 * pl_mix_apply. m stays as it is. */
int pl_quant_model_bytes(const struct pl_mix *mix, const struct pl_model *m, uint64_t *ret,
                         struct pl_err *err);

#endif
