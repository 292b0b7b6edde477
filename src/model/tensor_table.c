#include "model/tensor_table.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

static const struct pl_tensor_rule pl_rules[] = {
#include "llamacpp_tensors.inc"
};
#define PL_RULES (sizeof(pl_rules) / sizeof(pl_rules[0]))

static const struct pl_key_rule pl_key_rules[] = {
#include "llamacpp_keys.inc"
};
#define PL_KEY_RULES (sizeof(pl_key_rules) / sizeof(pl_key_rules[0]))

static bool pl_rule_of(const char *archs, const char *arch)
{
    size_t n = strlen(arch);
    for (const char *at = archs; at != NULL;) {
        if (strncmp(at, arch, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
        at = strchr(at, ',');
        at = at != NULL ? at + 1 : NULL;
    }
    return false;
}

static uint64_t pl_rules_add(const char *name, uint64_t n,
                             const struct pl_tensor_rule *out[PL_TENSOR_RULES_MAX])
{
    for (size_t i = 0; i < PL_RULES; i++) {
        if (n < PL_TENSOR_RULES_MAX && pl_rules[i].tensor[0] != '@' &&
            pl_streq(pl_rules[i].archs, name))
            out[n++] = &pl_rules[i];
    }
    return n;
}

uint64_t pl_tensor_rules(const char *arch, const struct pl_tensor_rule *out[PL_TENSOR_RULES_MAX])
{
    uint64_t n = 0;
    for (size_t i = 0; i < PL_RULES; i++) {
        if (pl_rules[i].archs[0] == '@' || !pl_rule_of(pl_rules[i].archs, arch))
            continue;
        if (pl_rules[i].tensor[0] == '@')
            n = pl_rules_add(pl_rules[i].tensor, n, out);
        else if (n < PL_TENSOR_RULES_MAX)
            out[n++] = &pl_rules[i];
    }
    return n;
}

int pl_tensor_rule_shape(const struct pl_tensor_rule *rule, struct pl_row_layer *layer,
                         struct pl_tensor *out, struct pl_err *err)
{
    int64_t v = 1;
    const char *at = rule->shape;
    int rc = 0;
    if (rule->when != NULL)
        rc = pl_shape_eval(rule->when, true, pl_row_layer_value, layer, &v, NULL, err);
    if (rc < 0 || v == 0)
        return rc;
    out->n_dims = 0;
    for (uint32_t i = 0; i < PL_TENSOR_DIMS_MAX; i++)
        out->ne[i] = 1;
    while (*at != '\0' && out->n_dims < PL_TENSOR_DIMS_MAX) {
        rc = pl_shape_eval(at, false, pl_row_layer_value, layer, &v, &at, err);
        if (rc < 0)
            return rc;
        if (v <= 0)
            return pl_fail(err, -ERANGE, "%s: length %lld", rule->tensor, (long long)v);
        out->ne[out->n_dims++] = (uint64_t)v;
        at += *at == ' ' ? 1 : 0;
    }
    return 1;
}

const struct pl_key_rule *pl_key_rule_next(const char *arch, uint64_t *at)
{
    while (*at < PL_KEY_RULES) {
        const struct pl_key_rule *r = &pl_key_rules[(*at)++];
        if (pl_streq(r->archs, "*") || pl_rule_of(r->archs, arch))
            return r;
    }
    return NULL;
}
