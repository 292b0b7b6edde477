#include "domain/claim.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

void pl_claim_start(struct pl_claim *a, const char *formulas)
{
    *a = (struct pl_claim){.formulas = formulas};
}

struct pl_pool_footprint *pl_claim_pool(struct pl_claim *a, const char *name,
                                        enum pl_pool_kind kind)
{
    struct pl_footprint *f = &a->footprint;
    if (f->n_pool >= PL_FOOTPRINT_POOLS_MAX)
        return NULL;
    struct pl_pool_footprint *p = &f->pool[f->n_pool++];
    *p = (struct pl_pool_footprint){.kind = kind};
    (void)PL_FMT(p->pool, "%s", name);
    for (int i = 0; i < PL_PARTS; i++)
        p->part[i] = pl_exact(0, PL_SOURCE_DERIVED, "not used");
    for (int i = 0; i < PL_HOLDS; i++)
        p->hold[i] = pl_exact(0, PL_SOURCE_DERIVED,
                              kind == PL_POOL_HOST ? "not used" : "memory of a device");
    p->largest_allocation = pl_exact(0, PL_SOURCE_DERIVED, "no block is known");
    return p;
}

void pl_claim_add(struct pl_claim *a, struct pl_pool_footprint *p, enum pl_part part,
                  struct pl_quantity q, const char *source, const char *fmt, ...)
{
    struct pl_quantity *to = &p->part[part];
    bool first = pl_known(*to) && to->high == 0;
    va_list ap;
    *to = first ? q : pl_plus(*to, q);
    if (a->terms.n >= PL_TERMS_MAX)
        return;
    struct pl_term *t = &a->terms.term[a->terms.n++];
    *t = (struct pl_term){.part = part, .bytes = q.likely, .known = pl_known(q), .source = source};
    (void)PL_FMT(t->pool, "%s", p->pool);
    va_start(ap, fmt);
    (void)vsnprintf(t->formula, sizeof(t->formula), fmt, ap);
    va_end(ap);
}

static struct pl_quantity pl_claim_larger(struct pl_quantity a, struct pl_quantity b)
{
    if (!pl_known(a) || !pl_known(b))
        return pl_known(a) ? b : a;
    struct pl_quantity most = a.likely >= b.likely ? a : b;
    most.low = a.low > b.low ? a.low : b.low;
    most.high = a.high > b.high ? a.high : b.high;
    return most;
}

void pl_claim_total(struct pl_pool_footprint *p, const struct pl_quantity *loading)
{
    struct pl_quantity sum = p->part[0];
    for (int i = 1; i < PL_PARTS; i++)
        sum = pl_plus(sum, p->part[i]);
    sum.why = pl_known(sum) ? "sum of the parts" : "a part is unknown";
    p->steady = p->peak = p->load_peak = sum;
    if (loading != NULL)
        p->load_peak = pl_claim_larger(sum, *loading);
    if (p->kind == PL_POOL_HOST) {
        p->hold[PL_HOLD_ANON] = sum;
        p->hold[PL_HOLD_ANON].why = "all of it, but what is mapped";
    }
}

static struct pl_claim_fact *pl_claim_fact(struct pl_claim *a, const char *key, const char *label)
{
    static struct pl_claim_fact spare; /* beyond the limit: written and forgotten */
    struct pl_claim_fact *f = a->n_fact < PL_FACTS_MAX ? &a->fact[a->n_fact++] : &spare;
    *f = (struct pl_claim_fact){.key = key, .label = label, .known = true};
    return f;
}

void pl_claim_number(struct pl_claim *a, const char *key, const char *label, double value,
                     const char *fmt, ...)
{
    struct pl_claim_fact *f = pl_claim_fact(a, key, label);
    va_list ap;
    f->number = true;
    f->value = value;
    va_start(ap, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
}

void pl_claim_text(struct pl_claim *a, const char *key, const char *label, const char *fmt, ...)
{
    struct pl_claim_fact *f = pl_claim_fact(a, key, label);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
    va_end(ap);
}

/* By how bad: not knowing is worse than every fit, and better than the proof that it does not. */
static int pl_verdict_rank(enum pl_verdict v)
{
    static const int rank[] = {[PL_VERDICT_SAFE] = 0,
                               [PL_VERDICT_CONSTRAINED] = 1,
                               [PL_VERDICT_FRAGILE] = 2,
                               [PL_VERDICT_DOES_NOT_FIT] = 4,
                               [PL_VERDICT_CANNOT_TELL] = 3};
    return rank[v];
}

static void pl_judgement_reason(struct pl_judgement *j, const char *text)
{
    if (j->n_reason < PL_REASONS_MAX)
        (void)PL_FMT(j->reason[j->n_reason++], "%s", text);
}

void pl_claim_say(struct pl_claim *a, enum pl_verdict at_best, const char *fmt, ...)
{
    char text[PL_REASON_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    pl_judgement_reason(&a->said, text);
    if (pl_verdict_rank(at_best) > pl_verdict_rank(a->said.verdict))
        a->said.verdict = at_best;
}

void pl_claim_judge(const struct pl_claim *a, const struct pl_machine *m, struct pl_judgement *ret)
{
    pl_judge(&a->footprint, m, ret);
    for (uint32_t i = 0; i < a->said.n_reason; i++)
        pl_judgement_reason(ret, a->said.reason[i]);
    if (pl_verdict_rank(a->said.verdict) > pl_verdict_rank(ret->verdict))
        ret->verdict = a->said.verdict;
}
