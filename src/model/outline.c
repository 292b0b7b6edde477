#include "model/outline.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pl_outline_maker {
    struct pl_outline *o;
    const struct pl_tensor_rule *const *rule;
    uint64_t n_rule;
    bool by_index; /* a rule looks at the layer's number: no two are alike */
    struct pl_row_likeness like[PL_OUTLINE_LAYERS_MAX + 1]; /* of each kind */
};

/* Is "il" one of the words? */
static bool pl_outline_says_il(const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (n == 2 && strncmp(text, "il", 2) == 0)
            return true;
        text += n > 0 ? n : 1;
    }
    return false;
}

static int pl_outline_by_name(const void *a, const void *b, void *ctx)
{
    const struct pl_tensor *t = ctx;
    return strcmp(t[*(const uint16_t *)a].name, t[*(const uint16_t *)b].name);
}

/* The tensors of a layer that is like none before. */
static int pl_outline_kind(struct pl_outline_maker *m, struct pl_row_layer *layer,
                           struct pl_outline_kind *k, struct pl_err *err)
{
    struct pl_tensor t;
    k->n = 0;
    k->tensor = pl_arena_alloc(m->o->arena, m->n_rule, sizeof(*k->tensor));
    k->traits = pl_arena_alloc(m->o->arena, m->n_rule, sizeof(*k->traits));
    k->order = pl_arena_alloc(m->o->arena, m->n_rule, sizeof(*k->order));
    if (k->tensor == NULL || k->traits == NULL || k->order == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory for the model", m->o->row->id);
    for (uint64_t i = 0; i < m->n_rule; i++) {
        if ((layer->il >= 0) != pl_starts(m->rule[i]->tensor, "blk."))
            continue;
        t = (struct pl_tensor){.name = m->rule[i]->tensor};
        int rc = pl_tensor_rule_shape(m->rule[i], layer, &t, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        k->order[k->n] = (uint16_t)k->n;
        pl_mix_traits(&t, &k->traits[k->n]);
        k->tensor[k->n++] = t;
    }
    qsort_r(k->order, k->n, sizeof(*k->order), pl_outline_by_name, k->tensor);
    return 0;
}

/* The kind like this layer; n_kind when there is none yet. */
static uint32_t pl_outline_like(const struct pl_outline_maker *m, const struct pl_row_likeness *a)
{
    uint32_t k = 0;
    while (k < m->o->n_kind && (m->by_index || memcmp(&m->like[k], a, sizeof(*a)) != 0))
        k++;
    return k;
}

static int pl_outline_run(struct pl_outline_maker *m, struct pl_err *err)
{
    struct pl_outline *o = m->o;
    for (uint64_t i = 0; i < m->n_rule; i++)
        m->by_index |=
            pl_outline_says_il(m->rule[i]->when) || pl_outline_says_il(m->rule[i]->shape);
    for (uint32_t i = 0; i <= o->n_layer; i++) {
        struct pl_row_layer layer = {o->row, (int64_t)i - 1};
        struct pl_row_likeness like;
        pl_row_likeness(&layer, &like);
        uint32_t k = pl_outline_like(m, &like);
        if (k == o->n_kind) {
            int rc = pl_outline_kind(m, &layer, &o->kind[k], err);
            if (rc < 0)
                return rc;
            m->like[k] = like;
            o->n_kind++;
        }
        o->of[i] = (uint16_t)k;
        o->n_tensor += o->kind[k].n;
    }
    return 0;
}

int pl_outline_make(const struct pl_catalogue_row *row, const struct pl_tensor_rule *const *rule,
                    uint64_t n_rule, struct pl_arena *arena, struct pl_outline *ret,
                    struct pl_err *err)
{
    struct pl_outline_maker *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory for the model", row->id);
    *ret = (struct pl_outline){
        .row = row, .arena = arena, .n_layer = (uint32_t)(row->n_layer + row->mtp_layers)};
    *m = (struct pl_outline_maker){.o = ret, .rule = rule, .n_rule = n_rule};
    int rc = pl_outline_run(m, err);
    free(m);
    return rc;
}

static int pl_outline_size(const struct pl_tensor *t, uint32_t id, uint64_t *ret,
                           struct pl_err *err)
{
    const struct pl_tensor_type *type = pl_tensor_type(id);
    uint64_t rows = pl_mul_sat(pl_mul_sat(t->ne[1], t->ne[2]), t->ne[3]);
    if (type == NULL || type->removed || t->ne[0] % type->block_elements != 0)
        return pl_fail(err, -EINVAL, "%s: rows of %llu elements do not fit the mix", t->name,
                       (unsigned long long)t->ne[0]);
    if (!pl_tensor_type_bytes(type, t->ne[0], rows, ret))
        return pl_fail(err, -ERANGE, "%s: its size overflows", t->name);
    return 0;
}

/* Of one layer's tensors, in their order; last: type and bytes of the same tensor before. */
struct pl_outline_last {
    uint32_t type;
    uint64_t bytes;
};

int pl_outline_bytes(const struct pl_outline *o, const struct pl_mix *mix,
                     const struct pl_mix_facts *facts, uint64_t *ret, struct pl_err *err)
{
    struct pl_outline_last last[PL_TENSOR_RULES_MAX];
    struct pl_mix_walk walk;
    uint64_t sum = 0;
    uint32_t before = UINT32_MAX; /* the kind that `last` is of */
    pl_mix_walk_start(&walk, mix, facts);
    for (uint32_t i = 0; i <= o->n_layer; i++) {
        const struct pl_outline_kind *k = &o->kind[o->of[i]];
        for (uint32_t t = 0; t < k->n; t++)
            pl_mix_walk_count(&walk, &k->traits[t], 1);
    }
    for (uint32_t i = 0; i <= o->n_layer; i++) {
        const struct pl_outline_kind *k = &o->kind[o->of[i]];
        for (uint32_t n = 0; n < k->n; n++) {
            uint32_t t = k->order[n];
            uint32_t type = pl_mix_walk_type(&walk, &k->traits[t], k->tensor[t].ne, (int64_t)i - 1);
            if (before != o->of[i] || last[t].type != type) {
                last[t].type = type;
                int rc = pl_outline_size(&k->tensor[t], type, &last[t].bytes, err);
                if (rc < 0)
                    return rc;
            }
            sum = pl_add_sat(sum, last[t].bytes);
        }
        before = o->of[i];
    }
    *ret = sum;
    return 0;
}
