/* Facts from ggml/src/ggml-cpu/repack.cpp, ggml_repack_get_optimal_repack_type: type, CPU feature
 * and the number of rows decide; rows must be a multiple of the interleave. */
#include "engine/llamacpp/repack.h"

#include "base/str.h"

#include <string.h>

struct pl_repack_rule {
    uint32_t type;       /* ggml_type */
    const char *feature; /* as in struct pl_cpu.isa */
    uint32_t rows;       /* ne[1] must be a multiple */
};

static const struct pl_repack_rule pl_rules[] = {
    {2,  "avx2",    8}, /* Q4_0 */
    {2,  "i8mm",    4},
    {2,  "dotprod", 4},
    {12, "avx2",    8}, /* Q4_K */
    {12, "i8mm",    8},
    {12, "dotprod", 8},
    {10, "avx512f", 8}, /* Q2_K */
    {13, "i8mm",    8}, /* Q5_K */
    {13, "dotprod", 8},
    {14, "i8mm",    8}, /* Q6_K */
    {14, "dotprod", 8},
    {20, "avx2",    8}, /* IQ4_NL */
    {20, "dotprod", 4},
    {39, "avx2",    8}, /* MXFP4 */
    {39, "dotprod", 4},
    {8,  "i8mm",    4}, /* Q8_0 */
    {8,  "dotprod", 4},
};

enum pl_repack pl_repack_matrix(const struct pl_tensor *t, const struct pl_cpu *cpu)
{
    bool candidate = false;
    for (size_t i = 0; i < sizeof(pl_rules) / sizeof(pl_rules[0]); i++) {
        const struct pl_repack_rule *r = &pl_rules[i];
        if (r->type != t->type || t->ne[1] % r->rows != 0)
            continue;
        candidate = true;
        if (cpu != NULL && pl_cpu_has(cpu, r->feature))
            return PL_REPACK_YES;
    }
    bool known = cpu != NULL && cpu->isa[0] != '\0';
    if (known && pl_cpu_has(cpu, "amx_int8"))
        return PL_REPACK_UNKNOWN; /* ggml-cpu/amx packs some types in a layout of its own */
    return candidate && !known ? PL_REPACK_UNKNOWN : PL_REPACK_NO;
}

/* Tensors that are looked up or convolved, not multiplied with: src/llama-arch.cpp,
 * LLM_TENSOR_INFOS. Names without their layer. */
static const char *const pl_not_products[] = {
    "token_embd.weight",           "position_embd.weight",       "token_types.weight",
    "per_layer_token_embd.weight", "attn_compressor_ape.weight", "indexer_compressor_ape.weight",
    "ffn_gate_tid2eid.weight",     "attn_rel_b.weight",          "cross_attn_rel_b.weight",
    "nextn.embed_tokens.weight",   "ssm_conv1d.weight",          "ssm_conv1d_q.weight",
    "ssm_conv1d_k.weight",         "ssm_conv1d_v.weight",        "shortconv.conv.weight",
};

static const char *pl_name_in_layer(const char *name)
{
    const char *blk = strstr(name, "blk."), *dot = blk != NULL ? strchr(blk + 4, '.') : NULL;
    return dot != NULL ? dot + 1 : name;
}

bool pl_repack_is_matrix(const struct pl_tensor *t)
{
    const char *name = pl_name_in_layer(t->name);
    uint32_t dims = t->ne[3] > 1 ? 4 : t->ne[2] > 1 ? 3 : t->ne[1] > 1 ? 2 : 1; /* ggml_n_dims */
    for (size_t i = 0; i < sizeof(pl_not_products) / sizeof(pl_not_products[0]); i++) {
        if (pl_streq(name, pl_not_products[i]))
            return false;
    }
    /* supports_op: MUL_MAT of two dimensions, MUL_MAT_ID of three */
    bool experts = strstr(name, "exps.") != NULL;
    return pl_ends(name, ".weight") && dims == (experts ? 3 : 2);
}
