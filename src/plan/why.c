/* Why a component got what it got: what stood against each candidate that would rank above it. */
#include "plan/plan.h"

#include "base/str.h"
#include "base/units.h"

#define PL_WHY_MAX 1200u
#define PL_WHY_REASONS 4u

/* What stands against item i when everything else stays as chosen; false when nothing does. */
static bool pl_against(const struct pl_problem *p, const struct pl_active *a,
                       const uint32_t *choice, uint32_t i, char *out, size_t size)
{
    static const char *const floors[PL_FLOORS] = {"min_decode", "min_quality", "language",
                                                  "max_first_token"};
    const struct pl_item *x = &p->item[i];
    uint32_t with[PL_PLAN_COMPONENTS_MAX];
    uint64_t load[PL_LINES_MAX], room[PL_LINES_MAX];
    struct pl_engines e;
    char need[PL_SIZE_TEXT_MAX], have[PL_SIZE_TEXT_MAX];
    for (uint32_t f = 0; f < PL_FLOORS; f++) {
        if ((x->floors & (1u << f)) != 0)
            return pl_fmt(out, size, "misses %s", floors[f]) || true;
    }
    for (uint32_t n = 0; n < p->stack->n_policy; n++) {
        if ((x->policies & (1u << n)) != 0)
            return pl_fmt(out, size, "policy %s forbids it", p->stack->policy[n].name) || true;
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        if ((x->large & (1ull << l)) != 0)
            return pl_fmt(out, size, "its largest allocation exceeds the %s that %s allows",
                          pl_size_text(p->line[l].largest, have), p->line[l].name) ||
                   true;
    }
    for (uint32_t c = 0; c < p->n_component; c++)
        with[c] = choice[c];
    with[x->component] = i;
    pl_engines_of(p, with, p->n_component, &e);
    pl_engines_load(p, &e, load);
    for (uint32_t l = 0; l < p->n_line; l++) {
        bool fits = pl_line_room(p, a, l, &room[l]) && load[l] <= room[l];
        if (fits)
            continue;
        if (p->line[l].missing)
            return pl_fmt(out, size, "there is no pool %s", p->line[l].name) || true;
        if (p->line[l].policy >= 0)
            return pl_fmt(out, size, "policy %s: at most %llu in %s",
                          p->stack->policy[p->line[l].policy].name,
                          (unsigned long long)p->line[l].ceiling, p->line[l].name) ||
                   true;
        return pl_fmt(out, size, "%s would hold %s at peak, %s is the most", p->line[l].name,
                      pl_size_text(load[l] + p->line[l].reserve, need),
                      pl_size_text(room[l] + p->line[l].reserve, have)) ||
               true;
    }
    if (!pl_engines_order(p, &e, room, NULL, NULL))
        return pl_fmt(out, size, "no order of loading would fit") || true;
    return false;
}

/* Does item i come before the chosen one by what is its own: tier, quality, order? */
static bool pl_better(const struct pl_problem *p, const struct pl_item *i,
                      const struct pl_item *now)
{
    if (now->option == PL_NOTHING)
        return i->option != PL_NOTHING;
    if (i->option == PL_NOTHING || i->option == now->option)
        return false;
    const struct pl_option *a = &p->option[i->option], *b = &p->option[now->option];
    if (a->quality != b->quality)
        return a->quality > b->quality;
    return i->order < now->order;
}

const char *pl_plan_why(const struct pl_problem *p, const struct pl_active *active,
                        const uint32_t *choice, uint32_t component, struct pl_arena *arena)
{
    struct pl_str s;
    char why[240];
    uint32_t n = 0;
    const struct pl_item *now = &p->item[choice[component]];
    pl_str_init(&s, PL_WHY_MAX);
    pl_str_add(&s, now->option == PL_NOTHING ? "not served" : p->option[now->option].why);
    uint32_t last = PL_NOTHING;
    for (uint32_t i = p->first[component]; i < p->first[component + 1]; i++) {
        const struct pl_item *x = &p->item[i];
        if (!pl_better(p, x, now) || p->option[x->option].candidate == last ||
            (now->option != PL_NOTHING &&
             p->option[x->option].candidate == p->option[now->option].candidate))
            continue;
        last = p->option[x->option].candidate; /* its preferred setting stands for it */
        if (!pl_against(p, active, choice, i, why, sizeof(why)))
            (void)PL_FMT(why, "it fits, but what ranks higher in the objective would lose");
        if (n < PL_WHY_REASONS)
            pl_str_addf(&s, "%s%.80s: %s", n > 0 ? "; " : "; not ", p->option[x->option].name, why);
        n++;
    }
    if (n > PL_WHY_REASONS)
        pl_str_addf(&s, "; and %u more", n - PL_WHY_REASONS);
    const char *text = pl_arena_strdup(arena, pl_str_get(&s));
    pl_str_done(&s);
    return text != NULL ? text : "";
}
