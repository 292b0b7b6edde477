#include "why/object.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/tensor_type.h"

#include <string.h>

#define PL_OBJECT_LEAST (2 * PL_MIB) /* smaller ones resemble too much */
#define PL_TORCH_SMALL (1 * PL_MIB)
#define PL_TORCH_LARGE (10 * PL_MIB)
#define PL_TORCH_ROUND (2 * PL_MIB)
#define PL_TORCH_BUFFER (20 * PL_MIB)

/* What torch's allocator asks the device for, to serve a request of that many bytes. */
static uint64_t pl_torch_rounded(uint64_t bytes)
{
    if (bytes <= PL_TORCH_SMALL)
        return PL_TORCH_ROUND;
    if (bytes < PL_TORCH_LARGE)
        return PL_TORCH_BUFFER;
    return bytes > UINT64_MAX - PL_TORCH_ROUND
               ? bytes
               : (bytes + PL_TORCH_ROUND - 1) / PL_TORCH_ROUND * PL_TORCH_ROUND;
}

static bool pl_oom_is_torch(const struct pl_oom *o)
{
    static const char *const names[] = {"torch", "vllm", "sglang", "bitsandbytes", NULL};
    for (size_t i = 0; names[i] != NULL; i++)
        if (pl_streq(names[i], o->engine))
            return !pl_streq(o->backend, "cpu");
    return false;
}

bool pl_oom_asks_for(const struct pl_oom *o, uint64_t bytes)
{
    struct pl_quantity r = o->n[PL_OOM_REQUESTED];
    if (!pl_known(r) || bytes == 0)
        return false;
    if (pl_oom_is_torch(o))
        return pl_torch_rounded(bytes) >= r.low && pl_torch_rounded(bytes) <= r.high;
    return bytes <= r.high && r.low <= bytes + PL_OOM_OBJECT_PADDING;
}

struct pl_object_list {
    struct pl_oom_object *one;
    uint32_t n;
};

/* Keeps the likeliest first. */
static void pl_object_add(struct pl_object_list *l, const struct pl_oom_object *o)
{
    uint32_t at = 0;
    while (at < l->n && l->one[at].confidence >= o->confidence) {
        if (pl_streq(l->one[at].what, o->what))
            return;
        at++;
    }
    if (at == PL_OOM_OBJECTS_MAX)
        return;
    uint32_t n = l->n < PL_OOM_OBJECTS_MAX ? l->n : PL_OOM_OBJECTS_MAX - 1;
    memmove(&l->one[at + 1], &l->one[at], (n - at) * sizeof(*l->one));
    l->one[at] = *o;
    l->n = n + 1;
}

static uint64_t pl_tensor_elements(const struct pl_tensor *t)
{
    uint64_t n = 1;
    for (uint32_t d = 0; d < PL_TENSOR_DIMS_MAX; d++) {
        if (t->ne[d] != 0 && n > UINT64_MAX / t->ne[d])
            return 0;
        n *= t->ne[d];
    }
    return n;
}

/* The same matrix, whichever side comes first. */
static bool pl_same_sides(const struct pl_tensor *a, const struct pl_tensor *b)
{
    return a->ne[2] == b->ne[2] && a->ne[3] == b->ne[3] &&
           ((a->ne[0] == b->ne[0] && a->ne[1] == b->ne[1]) ||
            (a->ne[0] == b->ne[1] && a->ne[1] == b->ne[0]));
}

static uint32_t pl_same_shape(const struct pl_model *m, const struct pl_tensor *t)
{
    uint32_t n = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++)
        n += pl_same_sides(&m->tensor[i], t);
    return n;
}

/* The first of its shape speaks for all. */
static bool pl_shape_first(const struct pl_model *m, uint64_t at)
{
    for (uint64_t i = 0; i < at; i++)
        if (pl_same_sides(&m->tensor[i], &m->tensor[at]))
            return false;
    return true;
}

static void pl_object_tensor(const struct pl_oom *o, const struct pl_model *m, uint64_t at,
                             struct pl_object_list *l)
{
    static const struct {
        uint64_t bytes;
        const char *name;
    } width[] = {
        {2, "16-bit"},
        {4, "32-bit"},
        {1, "8-bit" },
    };
    const struct pl_tensor *t = &m->tensor[at];
    uint64_t elements = pl_tensor_elements(t);
    char shape[96];
    if (t->n_dims < 2 || elements == 0)
        return;
    uint64_t big = t->ne[0] > t->ne[1] ? t->ne[0] : t->ne[1],
             small = t->ne[0] > t->ne[1] ? t->ne[1] : t->ne[0];
    (void)PL_FMT(shape, t->ne[2] > 1 ? "%llu x %llu x %llu" : "%llu x %llu",
                 (unsigned long long)big, (unsigned long long)small, (unsigned long long)t->ne[2]);
    for (size_t w = 0; w < sizeof(width) / sizeof(width[0]); w++) {
        if (elements > UINT64_MAX / width[w].bytes ||
            !pl_oom_asks_for(o, elements * width[w].bytes))
            continue;
        struct pl_oom_object one = {.bytes = elements * width[w].bytes,
                                    .phase = PL_OOM_PHASE_WEIGHTS,
                                    .confidence = w == 0 ? PL_OOM_HIGH : PL_OOM_MEDIUM};
        (void)PL_FMT(
            one.what,
            "one %s %s matrix, %s as one of %u of this shape: weights in full precision at load",
            shape, width[w].name, t->name, pl_same_shape(m, t));
        pl_object_add(l, &one);
    }
    if (t->bytes > PL_MIB && pl_oom_asks_for(o, t->bytes)) {
        struct pl_oom_object one = {
            .bytes = t->bytes, .phase = PL_OOM_PHASE_WEIGHTS, .confidence = PL_OOM_MEDIUM};
        (void)PL_FMT(one.what, "the tensor %s as it lies in the file (%s)", t->name, shape);
        pl_object_add(l, &one);
    }
}

static void pl_object_part(const struct pl_oom *o, const struct pl_pool_footprint *p,
                           enum pl_part part, struct pl_object_list *l)
{
    static const enum pl_oom_phase phase[PL_PARTS] = {
        [PL_PART_WEIGHTS] = PL_OOM_PHASE_WEIGHTS, [PL_PART_KV] = PL_OOM_PHASE_KV,
        [PL_PART_RECURRENT] = PL_OOM_PHASE_KV,    [PL_PART_COMPUTE] = PL_OOM_PHASE_COMPUTE,
        [PL_PART_OUTPUT] = PL_OOM_PHASE_COMPUTE,  [PL_PART_REPACK] = PL_OOM_PHASE_WEIGHTS,
    };
    struct pl_quantity q = p->part[part], r = o->n[PL_OOM_REQUESTED];
    if (!pl_known(q) || !pl_known(r) || q.likely < PL_MIB)
        return;
    bool exact = pl_oom_asks_for(o, q.likely);
    if (!exact && (r.high < q.low || r.low > q.high || q.high - q.low > q.likely / 4))
        return;
    struct pl_oom_object one = {
        .bytes = q.likely, .phase = phase[part], .confidence = exact ? PL_OOM_HIGH : PL_OOM_LOW};
    (void)PL_FMT(one.what, "%s on %s, whole, with these settings", pl_part_name(part), p->pool);
    pl_object_add(l, &one);
}

uint32_t pl_oom_objects(const struct pl_oom *o, const struct pl_model *m,
                        const struct pl_footprint *f, struct pl_oom_object ret[PL_OOM_OBJECTS_MAX])
{
    struct pl_object_list l = {.one = ret};
    if (!pl_known(o->n[PL_OOM_REQUESTED]))
        return 0;
    for (uint64_t i = 0; i < m->n_tensor && o->n[PL_OOM_REQUESTED].likely >= PL_OBJECT_LEAST; i++)
        if (pl_shape_first(m, i))
            pl_object_tensor(o, m, i, &l);
    for (uint32_t p = 0; f != NULL && p < f->n_pool; p++)
        for (int part = 0; part < PL_PARTS; part++)
            pl_object_part(o, &f->pool[p], (enum pl_part)part, &l);
    return l.n;
}
