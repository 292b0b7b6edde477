#include "plan/worthwhile.h"

#include "base/str.h"
#include "plan/problem.h"

static const struct pl_option_pool *pl_pool_of(const struct pl_option *o, const char *name)
{
    for (uint32_t i = 0; i < o->n_pool; i++) {
        if (pl_streq(o->pool[i].pool, name))
            return &o->pool[i];
    }
    return NULL;
}

static bool pl_no_more(struct pl_quantity a, struct pl_quantity b)
{
    return a.likely <= b.likely && a.high <= b.high;
}

/* Does a take no more than b from any pool, by every measure? Pages of a file may be another's
 * already: only the same amount of them compares. */
static bool pl_takes_no_more(const struct pl_option *a, const struct pl_option *b)
{
    for (uint32_t i = 0; i < a->n_pool; i++) {
        const struct pl_option_pool *x = &a->pool[i], *y = pl_pool_of(b, x->pool);
        if (y == NULL || x->file_hot != y->file_hot || !pl_no_more(x->steady, y->steady) ||
            !pl_no_more(x->peak, y->peak) || !pl_no_more(x->load_peak, y->load_peak) ||
            !pl_no_more(x->largest, y->largest))
            return false;
    }
    for (uint32_t i = 0; i < b->n_pool; i++) {
        if (b->pool[i].file_hot > 0 && pl_pool_of(a, b->pool[i].pool) == NULL)
            return false;
    }
    return true;
}

/* How much is missing of what is wanted: less is better. */
static int pl_short(uint64_t want, uint64_t got, uint64_t other)
{
    uint64_t a = got < want ? got : want, b = other < want ? other : want;
    return a == b ? 0 : a > b ? 1 : -1;
}

/* 1: a is better in some term and worse in none; 0: the same; -1: worse in one. */
static int pl_terms_better(const struct pl_stack_component *c, const struct pl_option *a,
                           const struct pl_option *b)
{
    int64_t qa = a->quality_known ? a->quality : 0, qb = b->quality_known ? b->quality : 0;
    uint64_t wa = a->first_token_us - 1, wb = b->first_token_us - 1; /* unknown: the longest */
    int by[] = {
        qa == qb  ? 0
        : qa > qb ? 1
                  : -1,
        pl_short(c->context.want, a->context, b->context),
        pl_short(c->slots.want, a->slots, b->slots),
        a->layers_wanted != b->layers_wanted ? -1
                                             : pl_short(a->layers_wanted, a->layers, b->layers),
        a->cache_wanted != b->cache_wanted ? -1 : pl_short(a->cache_wanted, a->cache, b->cache),
        a->decode_milli == b->decode_milli  ? 0
        : a->decode_milli > b->decode_milli ? 1
                                            : -1,
        wa == wb  ? 0
        : wa < wb ? 1
                  : -1};
    int better = 0;
    for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
        if (by[i] < 0)
            return -1;
        better = by[i] > 0 ? 1 : better;
    }
    return better;
}

static bool pl_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && pl_streq(a, b));
}

static bool pl_option_beats(const struct pl_stack *s, const struct pl_option *a,
                            const struct pl_option *b)
{
    const struct pl_stack_component *c = &s->component[a->component];
    if (a->component != b->component || a->candidate != b->candidate || a->instance != NULL ||
        b->instance != NULL || !pl_same_text(a->file, b->file))
        return false;
    int better = pl_terms_better(c, a, b);
    return (better > 0 || (better == 0 && a < b)) && pl_takes_no_more(a, b) &&
           (pl_floors_missed(c, a) & ~pl_floors_missed(c, b)) == 0 &&
           (pl_policies_against(s, a) & ~pl_policies_against(s, b)) == 0;
}

uint32_t pl_options_worthwhile(const struct pl_stack *stack, struct pl_option *option, uint32_t n)
{
    uint32_t left = 0;
    /* what beats it may itself be dropped: then by something that beats both */
    for (uint32_t i = 0; i < n; i++) {
        bool beaten = false;
        for (uint32_t k = 0; k < left && !beaten; k++)
            beaten = pl_option_beats(stack, &option[k], &option[i]);
        for (uint32_t k = i + 1; k < n && !beaten; k++)
            beaten = pl_option_beats(stack, &option[k], &option[i]);
        if (!beaten)
            option[left++] = option[i];
    }
    return left;
}
