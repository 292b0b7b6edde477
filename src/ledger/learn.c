/* What the runs of the ledger teach for one figure: of the nearest ones that there are. */
#include "ledger/observe.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whose runs are asked, the nearest first. */
enum pl_near { PL_NEAR_OWN = 0, PL_NEAR_ARCH, PL_NEAR_ANY };

struct pl_learning {
    const struct pl_observations *o;
    const struct pl_correction_key *key;
    int64_t without;
    struct pl_ratio *ratio; /* room for all */
    double *plain;          /* likewise */
    uint32_t n, runs;
    bool two;                              /* architectures, or more */
    char numbers[PL_LEARNED_TEXT_MAX - 8]; /* "12, 9, 7": of the runs */
};

static bool pl_observed_fits(const struct pl_learning *l, const struct pl_observed *one,
                             enum pl_near near)
{
    const struct pl_observed_run *r = &l->o->run[one->run];
    const struct pl_correction_key *k = l->key;
    bool speed = pl_target_is_speed(k->target), own = near == PL_NEAR_OWN;
    return one->target == k->target && one->on_device == k->on_device && one->soft &&
           r->id != l->without && (speed ? r->learns : r->memory) &&
           pl_streq(r->version, k->version) && pl_streq(r->backend, k->backend) &&
           (near == PL_NEAR_ANY || pl_streq(r->arch, k->arch)) &&
           (!(speed || own) || pl_streq(r->machine, k->machine)) &&
           (!own || (pl_streq(r->model, k->model) && pl_streq(r->quant, k->quant) &&
                     pl_streq(r->alike, k->alike)));
}

/* The runs that speak, newest first, by their numbers, and their ratios. */
static void pl_learn_gather(struct pl_learning *l, enum pl_near near)
{
    int64_t last = 0;
    const char *arch = NULL;
    size_t len = 0, size = sizeof(l->numbers);
    l->n = l->runs = 0;
    l->two = false;
    l->numbers[0] = '\0';
    for (uint32_t i = 0; i < l->o->n; i++) {
        const struct pl_observed *one = &l->o->one[i];
        if (!pl_observed_fits(l, one, near))
            continue;
        const struct pl_observed_run *r = &l->o->run[one->run];
        l->plain[l->n] = one->measured / one->likely;
        l->ratio[l->n++] = (struct pl_ratio){one->measured / one->likely, one->low / one->likely,
                                             one->high / one->likely, one->spread};
        l->two = l->two || (arch != NULL && !pl_streq(arch, r->arch));
        arch = r->arch;
        if (r->id == last)
            continue;
        last = r->id;
        if (++l->runs <= 6)
            (void)pl_fmt(l->numbers + len, size - len, "%s%lld", l->runs == 1 ? "" : ", ",
                         (long long)r->id);
        else if (l->runs == 7)
            (void)pl_fmt(l->numbers + len, size - len, " ...");
        len = strlen(l->numbers);
    }
}

static void pl_learn_from(const struct pl_learning *l, struct pl_learned *ret)
{
    if (l->runs > 0)
        (void)PL_FMT(ret->from, "run%s %s", l->runs == 1 ? "" : "s", l->numbers);
}

/* What was gathered, as many runs say it; false when they say nothing. */
static bool pl_learn_many(struct pl_learning *l, uint32_t least, struct pl_learned *ret)
{
    *ret = (struct pl_learned){.c = {.factor = 1}};
    pl_correct(l->plain, l->n, least, &ret->c);
    pl_learn_from(l, ret);
    return ret->c.known;
}

static bool pl_learn_few(struct pl_learning *l, double prior, struct pl_learned *ret)
{
    *ret = (struct pl_learned){.c = {.factor = 1}};
    pl_correct_few(l->ratio, l->n, prior, &ret->c);
    pl_learn_from(l, ret);
    return ret->c.known;
}

/* The model's own runs: true when they say something, or that nothing can be said. */
static bool pl_learn_own(struct pl_learning *l, struct pl_learned *ret)
{
    if (l->key->model == NULL)
        return false;
    pl_learn_gather(l, PL_NEAR_OWN);
    bool known = pl_learn_many(l, PL_CORRECTION_RUNS, ret);
    if (!known && !ret->c.disagree && l->n > 0) /* those that do not count are odd here too */
        known = pl_learn_few(l, PL_FEW_OWN, ret);
    ret->own = known;
    return known;
}

static void pl_learn_imported(const struct pl_observations *o, const struct pl_correction_key *k,
                              struct pl_learned *ret)
{
    for (int any = 0; any < 2; any++) {
        for (uint32_t i = 0; i < o->n_imported; i++) {
            const struct pl_imported *m = &o->imported[i];
            if (m->target != k->target || m->on_device != k->on_device ||
                !pl_streq(m->version, k->version) || !pl_streq(m->backend, k->backend) ||
                !pl_streq(m->arch, any ? "" : k->arch) ||
                (m->machine[0] != '\0' && !pl_streq(m->machine, k->machine)))
                continue;
            *ret = (struct pl_learned){
                .c = {.known = true, .factor = m->factor, .spread = m->spread, .n = m->n},
                .any_arch = any == 1,
                .imported = true
            };
            (void)PL_FMT(ret->from, "imported from %.80s", m->origin);
            return;
        }
    }
}

static void pl_learn_level(struct pl_learning *l, struct pl_learned *ret)
{
    struct pl_learned any;
    if (pl_learn_own(l, ret))
        return;
    pl_learn_gather(l, PL_NEAR_ARCH);
    bool disagree = !pl_learn_many(l, PL_CORRECTION_RUNS, ret) && ret->c.disagree;
    if (!ret->c.known && !disagree) {
        pl_learn_gather(l, PL_NEAR_ANY);
        if (pl_learn_many(l, PL_CORRECTION_ANY_RUNS, &any) && l->two) {
            *ret = any;
            ret->any_arch = true;
        }
    }
    if (!ret->c.known)
        pl_learn_imported(l->o, l->key, ret);
    if (ret->c.known || disagree || l->key->model == NULL)
        return;
    pl_learn_gather(l, PL_NEAR_ARCH);
    if (l->n < PL_CORRECTION_RUNS)
        (void)pl_learn_few(l, PL_FEW_OTHERS, ret);
}

int pl_learn(const struct pl_observations *o, const struct pl_correction_key *key, int64_t without,
             struct pl_learned *ret)
{
    struct pl_learning l = {.o = o, .key = key, .without = without};
    *ret = (struct pl_learned){.c = {.factor = 1}};
    if (!pl_target_is_soft(key->target))
        return 0;
    l.plain = malloc((o->n + 1) * sizeof(*l.plain));
    l.ratio = malloc((o->n + 1) * sizeof(*l.ratio));
    bool room = l.plain != NULL && l.ratio != NULL;
    if (room)
        pl_learn_level(&l, ret);
    free(l.plain);
    free(l.ratio);
    return room ? 0 : -ENOMEM;
}
