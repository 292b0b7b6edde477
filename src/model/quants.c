#include "model/quants.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A row of data/quants.tsv as text, member for column; NULL = "-". */
struct pl_quant_row {
    const char *name, *class, *ggml_id, *ftype_id, *block_elems, *block_bytes, *bits_per_weight;
    const char *llama31_8b_bpw_published, *llama31_8b_gib_published;
    const char *llama31_8b_bytes_computed, *llama31_8b_bpw_computed;
    const char *imatrix, *llama3_8b_ppl, *llama3_8b_dppl, *llama3_8b_kld;
    const char *llama3_8b_mean_dp_pct, *llama3_8b_rms_dp_pct, *notes, *source;
};
static const struct pl_quant_row pl_quant_rows[] = {
#include "quant_facts.inc"
};
#define PL_QUANT_ROWS (sizeof(pl_quant_rows) / sizeof(pl_quant_rows[0]))

static const struct pl_quant_nominal pl_quant_nominals[] = {
#include "nominal.inc"
};

static double pl_quant_number(const char *text)
{
    double v = 0;
    return text != NULL && pl_parse_double(text, &v) ? v : 0;
}

/* Where one was measured with and without an importance matrix, without: as most files are. */
static const struct pl_quant_row *pl_quant_row(const char *name)
{
    const struct pl_quant_row *found = NULL;
    for (size_t i = 0; i < PL_QUANT_ROWS; i++) {
        const struct pl_quant_row *r = &pl_quant_rows[i];
        if (!pl_streq(r->class, "mix") || !pl_streq(r->name, name))
            continue;
        if (found == NULL || (r->imatrix != NULL && pl_streq(r->imatrix, "none")))
            found = r;
    }
    return found;
}

bool pl_quant_of(const char *name, struct pl_quant *ret)
{
    const struct pl_mix *mix = pl_mix_named(name);
    const struct pl_quant_row *r = mix != NULL ? pl_quant_row(mix->name) : NULL;
    if (r == NULL)
        return false;
    *ret = (struct pl_quant){.name = mix->name};
    ret->bits = pl_quant_number(r->llama31_8b_bpw_computed);
    if (r->llama31_8b_bytes_computed != NULL)
        (void)pl_parse_u64(r->llama31_8b_bytes_computed, &ret->bytes);
    ret->rated = r->llama3_8b_dppl != NULL && r->llama3_8b_kld != NULL;
    if (ret->rated) {
        ret->ppl_change = pl_quant_number(r->llama3_8b_dppl);
        ret->ppl_f16 = pl_quant_number(r->llama3_8b_ppl) - ret->ppl_change;
        ret->kld = pl_quant_number(r->llama3_8b_kld);
        ret->imatrix = r->imatrix != NULL && !pl_streq(r->imatrix, "none") ? r->imatrix : NULL;
    }
    for (size_t i = 0; i < sizeof(pl_quant_nominals) / sizeof(pl_quant_nominals[0]); i++) {
        if (pl_streq(pl_quant_nominals[i].name, mix->name))
            ret->nominal = &pl_quant_nominals[i];
    }
    return true;
}

bool pl_quant_better(const struct pl_quant *q, struct pl_quant *ret)
{
    size_t n = 0;
    const struct pl_mix *mix = pl_mixes(&n);
    bool found = false;
    for (size_t i = 0; i < n && q->rated && q->bytes > 0; i++) {
        struct pl_quant other;
        if (!pl_quant_of(mix[i].name, &other) || !other.rated || other.bytes == 0)
            continue;
        if (other.bytes >= q->bytes || other.ppl_change >= q->ppl_change || other.kld >= q->kld)
            continue;
        if (!found || other.kld < ret->kld)
            *ret = other;
        found = true;
    }
    return found;
}

bool pl_quant_rule_gb(const struct pl_quant *q, double billions, double *ret_gb)
{
    if (q->nominal == NULL || !(billions > 0))
        return false;
    *ret_gb = billions * pl_quant_number(q->nominal->multiplier) * PL_QUANT_RULE_FACTOR;
    return true;
}

/* "8b", "0.6B", "270m" up to a separator or the end: parameters, else 0. */
static double pl_size_word(const char *at, const char **ret_end)
{
    char digits[16];
    size_t n = 0;
    while (n + 1 < sizeof(digits) && (isdigit((unsigned char)at[n]) || at[n] == '.')) {
        digits[n] = at[n];
        n++;
    }
    digits[n] = '\0';
    double v = 0;
    char unit = (char)tolower((unsigned char)at[n]);
    *ret_end = at + n;
    if (n == 0 || !isdigit((unsigned char)at[0]) || (unit != 'b' && unit != 'm') ||
        isalnum((unsigned char)at[n + 1]) || !pl_parse_double(digits, &v))
        return 0;
    *ret_end = at + n + 1;
    return v * (unit == 'b' ? 1e9 : 1e6);
}

struct pl_name_size pl_name_size(const char *name)
{
    struct pl_name_size s = {0};
    const char *slash = strrchr(name, '/'), *at = slash != NULL ? slash + 1 : name;
    for (bool start = true; *at != '\0';) {
        const char *end = at;
        bool active = start && tolower((unsigned char)*at) == 'a';
        double v = start ? pl_size_word(active ? at + 1 : at, &end) : 0;
        if (v > 0 && active && s.total > 0 && !(s.active > 0))
            s.active = v;
        else if (v > 0 && !active && !(s.total > 0))
            s.total = v;
        at = v > 0 ? end : at;
        start = *at != '\0' && !isalnum((unsigned char)*at) && *at != '.';
        at += *at != '\0' ? 1 : 0;
    }
    return s;
}

int pl_quant_model_bytes(const struct pl_mix *mix, const struct pl_model *m, uint64_t *ret,
                         struct pl_err *err)
{
    const struct pl_mix_facts facts = {.arch = m->arch,
                                       .n_layer = pl_model_arch_u64(m, "block_count", 0),
                                       .n_head = pl_model_arch_u64(m, "attention.head_count", 0),
                                       .n_head_kv =
                                           pl_model_arch_u64(m, "attention.head_count_kv", 0),
                                       .n_expert = pl_model_arch_u64(m, "expert_count", 0),
                                       .imatrix = mix->imatrix};
    struct pl_tensor *copy = calloc(m->n_tensor > 0 ? m->n_tensor : 1, sizeof(*copy));
    uint64_t sum = 0;
    if (copy == NULL)
        return pl_fail(err, -ENOMEM, "no memory for %llu tensors", (unsigned long long)m->n_tensor);
    if (m->n_tensor > 0)
        memcpy(copy, m->tensor, m->n_tensor * sizeof(*copy));
    int rc = pl_mix_apply(mix, &facts, copy, m->n_tensor, err);
    for (uint64_t i = 0; i < m->n_tensor && rc == 0; i++)
        sum = pl_add_sat(sum, copy[i].bytes);
    free(copy);
    if (rc == 0)
        *ret = sum;
    return rc;
}
