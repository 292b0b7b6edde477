/* plan --upgrade: what other capacities would unlock, and what to see to first. */
#include "base/json.h"
#include "base/units.h"
#include "cli/plan_run.h"
#include "report/plan.h"

#include <errno.h>
#include <string.h>

#define PL_UPGRADES_MAX 8u
#define PL_COMBINED_MAX 32u /* combinations that are planned, the smallest first */
#define PL_UPGRADE_ARENA_MAX (512u * 1024u * 1024u)
#define PL_GAINS_MAX (PL_PLAN_COMPONENTS_MAX + 2u)

struct pl_upgrade {
    char what[100], pool[40], cost[60]; /* "ram=32GiB"; "ram"; "30-50", "" = not said */
    bool slots, blocked;                /* it needs memory slots; and nobody knows of them */
};

/* One upgrade, or several together. */
struct pl_bought {
    uint32_t set;                   /* bits of the upgrades */
    const char *gain[PL_GAINS_MAX]; /* what its plan has that today's has not */
    uint32_t n_gain;
    const char *unlocks; /* of several: what none of them, nor some of them, unlocks */
    bool blocked;
};

struct pl_upgrades {
    struct pl_upgrade one[PL_UPGRADES_MAX];
    uint32_t n;
    struct pl_bought bought[PL_UPGRADES_MAX + PL_COMBINED_MAX];
    uint32_t n_bought, left; /* left: combinations that were not planned */
    bool check;              /* look at the memory slots first */
    struct pl_plan today;
};

static int pl_upgrade_read(const char *text, struct pl_upgrade *u, uint32_t *ret_n,
                           struct pl_err *err)
{
    for (const char *s = text; *s != '\0';) {
        size_t n = strcspn(s, ","), what = strcspn(s, ":,"), pool = strcspn(s, "=,");
        struct pl_upgrade *x = &u[*ret_n];
        if (*ret_n >= PL_UPGRADES_MAX)
            return pl_fail(err, -E2BIG, "--upgrade: more than %u", PL_UPGRADES_MAX);
        if (pool >= what || !PL_FMT(x->what, "%.*s", (int)what, s) ||
            !PL_FMT(x->pool, "%.*s", (int)pool, s) ||
            !PL_FMT(x->cost, "%.*s", what < n ? (int)(n - what - 1) : 0,
                    s + what + (what < n ? 1 : 0)))
            return pl_fail(err, -EINVAL, "--upgrade: '%.60s' is not POOL=SIZE[:COST]", s);
        (*ret_n)++;
        s += n + (s[n] == ',');
    }
    return *ret_n > 0 ? 0 : pl_fail(err, -EINVAL, "--upgrade: nothing is named");
}

static void pl_gained(struct pl_bought *b, struct pl_arena *arena, struct pl_str *s)
{
    const char *text = s->failed ? NULL : pl_arena_strdup(arena, pl_str_get(s));
    if (text != NULL && s->len > 0 && b->n_gain < PL_GAINS_MAX)
        b->gain[b->n_gain++] = text;
    pl_str_clear(s);
}

/* What a component gains, in words. */
static void pl_gain_of(const struct pl_plan_component *a, const struct pl_plan_component *b,
                       struct pl_str *s)
{
    if (!b->served || b->option == NULL)
        return;
    if (!a->served || a->option == NULL)
        pl_str_addf(s, "%s by %s", b->name, b->option->name);
    else if (a->option->candidate != b->option->candidate)
        pl_str_addf(s, "%s: %s for %s", b->name, b->option->name, a->option->name);
    else if (a->tier != b->tier)
        pl_str_addf(s, "%s: %s for %s", b->name, pl_serve_name(b->tier), pl_serve_name(a->tier));
    else if (b->option->context > a->option->context)
        pl_str_addf(s, "%s: a context of %llu for %llu", b->name,
                    (unsigned long long)b->option->context, (unsigned long long)a->option->context);
    else if (b->option->slots > a->option->slots)
        pl_str_addf(s, "%s: %llu requests at once for %llu", b->name,
                    (unsigned long long)b->option->slots, (unsigned long long)a->option->slots);
}

static void pl_gains(const struct pl_plan *today, const struct pl_plan *then,
                     struct pl_arena *arena, struct pl_bought *ret)
{
    struct pl_str s;
    if (!then->feasible)
        return;
    pl_str_init(&s, 4096);
    if (!today->feasible)
        pl_str_add(&s, "the whole plan");
    pl_gained(ret, arena, &s);
    for (uint32_t i = 0; today->feasible && i < then->n_component; i++) {
        pl_gain_of(&today->component[i], &then->component[i], &s);
        pl_gained(ret, arena, &s);
    }
    if (today->feasible && !pl_streq(pl_duty_text(today, true), pl_duty_text(then, true)))
        pl_str_add(&s, pl_duty_text(then, true));
    pl_gained(ret, arena, &s);
    pl_str_done(&s);
}

/* Is it unlocked by a part of the set alone? */
static bool pl_gained_by_part(const struct pl_upgrades *u, uint32_t set, const char *gain)
{
    for (uint32_t i = 0; i < u->n_bought; i++) {
        const struct pl_bought *b = &u->bought[i];
        for (uint32_t k = 0; b->set != set && (b->set & ~set) == 0 && k < b->n_gain; k++) {
            if (pl_streq(b->gain[k], gain))
                return true;
        }
    }
    return false;
}

/* Of one: all it unlocks, or why nothing. Of several: what only they together do; NULL when that is
 * nothing. */
static const char *pl_unlocks(const struct pl_upgrades *u, const struct pl_bought *b,
                              struct pl_arena *arena)
{
    struct pl_str s;
    bool several = (b->set & (b->set - 1)) != 0;
    pl_str_init(&s, 64 * 1024);
    for (uint32_t k = 0; k < b->n_gain; k++) {
        if (!several || !pl_gained_by_part(u, b->set, b->gain[k]))
            pl_str_addf(&s, "%s%s", s.len > 0 ? "; " : "", b->gain[k]);
    }
    for (uint32_t i = 0; !several && s.len == 0 && i < u->today.n_pool; i++) {
        const struct pl_plan_pool *p = &u->today.pool[i];
        uint32_t at = 0;
        while ((b->set & (1u << at)) == 0)
            at++;
        if (pl_streq(p->name, u->one[at].pool) && p->ceiling_set)
            pl_str_addf(&s, "nothing: the ceiling that the stack sets for %s stays where it is",
                        p->name);
    }
    if (!several && s.len == 0)
        pl_str_add(&s, u->today.feasible ? "nothing in this stack: only headroom"
                                         : "nothing by itself: the plan still does not fit");
    const char *text = s.len > 0 ? pl_arena_strdup(arena, pl_str_get(&s)) : NULL;
    pl_str_done(&s);
    return text;
}

/* Memory slots matter to main memory. Known: they were read, one by one. */
static void pl_upgrade_slots(const struct pl_machine *m, struct pl_upgrade *x)
{
    x->slots = pl_streq(x->pool, "ram") || pl_streq(x->pool, "unified");
    x->blocked = x->slots && m->n_dimm == 0;
}

/* "gpu0=16GiB,ram=64GiB", "$400 + 30-50", the pools' names ... of those in a set. */
static const char *pl_upgrade_joined(const struct pl_upgrades *u, uint32_t set, bool cost,
                                     struct pl_str *s)
{
    uint32_t said = 0;
    pl_str_clear(s);
    for (uint32_t i = 0; i < u->n; i++) {
        if ((set & (1u << i)) == 0)
            continue;
        const char *text = !cost                       ? u->one[i].what
                           : u->one[i].cost[0] != '\0' ? u->one[i].cost
                                                       : "?";
        said += cost && u->one[i].cost[0] != '\0' ? 1 : 0;
        pl_str_addf(s, "%s%s", s->len == 0 ? "" : cost ? " + " : ",", text);
    }
    return cost && said == 0 ? NULL : pl_str_get(s);
}

static void pl_upgrade_text(const struct pl_upgrades *u, struct pl_str *out)
{
    uint32_t at = 0;
    struct pl_str what, cost;
    pl_str_init(&what, 1024);
    pl_str_init(&cost, 1024);
    if (u->check)
        pl_str_addf(out,
                    "%u. look which memory slots there are and which are taken: cost 0; as root, "
                    "on that machine: plimsoll assess --json\n   unlocks: what follows\n",
                    ++at);
    for (int later = 0; later < 2; later++) {
        for (uint32_t i = 0; i < u->n_bought; i++) {
            const struct pl_bought *b = &u->bought[i];
            const char *price = pl_upgrade_joined(u, b->set, true, &cost);
            if (b->unlocks == NULL || b->blocked != (later == 1))
                continue;
            bool several = (b->set & (b->set - 1)) != 0;
            pl_str_addf(out, "%u. %s: cost %s%s\n   %s: %s\n", ++at,
                        pl_upgrade_joined(u, b->set, false, &what),
                        price != NULL ? price : "not said",
                        b->blocked ? "; not before the slots are known" : "",
                        several ? "together they unlock besides" : "unlocks", b->unlocks);
        }
    }
    if (u->left > 0)
        pl_str_addf(out, "%u more combinations were not looked at\n", u->left);
    pl_str_done(&what);
    pl_str_done(&cost);
}

static void pl_upgrade_row(struct pl_json *j, const char *what, const char *cost, bool blocked,
                           const char *unlocks)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "what", what);
    pl_json_str(j, "cost", cost);
    pl_json_bool(j, "blocked", blocked);
    pl_json_str(j, "unlocks", unlocks);
    pl_json_end(j);
}

static void pl_upgrade_json(const struct pl_upgrades *u, struct pl_str *out)
{
    struct pl_json j;
    struct pl_str what, cost;
    pl_str_init(&what, 1024);
    pl_str_init(&cost, 1024);
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.plan/1");
    pl_plan_json(&u->today, &j);
    pl_json_array(&j, "upgrades");
    if (u->check)
        pl_upgrade_row(&j, "verify memory slots", "0", false, "what is blocked");
    for (int later = 0; later < 2; later++) {
        for (uint32_t i = 0; i < u->n_bought; i++) {
            const struct pl_bought *b = &u->bought[i];
            if (b->unlocks != NULL && b->blocked == (later == 1))
                pl_upgrade_row(&j, pl_upgrade_joined(u, b->set, false, &what),
                               pl_upgrade_joined(u, b->set, true, &cost), b->blocked, b->unlocks);
        }
    }
    pl_json_end(&j);
    pl_json_end(&j);
    pl_str_done(&what);
    pl_str_done(&cost);
}

/* The machine with the upgrades of a set; the plan of it lives in r->arena. */
static int pl_upgrade_solve(struct pl_plan_run *r, const struct pl_machine *m,
                            const struct pl_upgrades *u, uint32_t set, struct pl_plan *ret,
                            struct pl_err *err)
{
    struct pl_machine *other = pl_arena_alloc(&r->arena, 1, sizeof(*other));
    if (other == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the machines");
    *other = *m;
    for (uint32_t i = 0; i < u->n; i++) {
        int rc = (set & (1u << i)) != 0 ? pl_what_if(u->one[i].what, other, err) : 0;
        if (rc < 0)
            return pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    return pl_plan_solve(r, other, ret, err);
}

/* What the upgrades of a set unlock. Only that is kept of their plan. */
static int pl_upgrade_plan(struct pl_plan_run *r, const struct pl_machine *m, struct pl_upgrades *u,
                           uint32_t set, struct pl_err *err)
{
    static struct pl_plan then;
    struct pl_bought *b = &u->bought[u->n_bought];
    struct pl_arena kept = r->arena;
    *b = (struct pl_bought){.set = set};
    for (uint32_t i = 0; i < u->n; i++)
        b->blocked = b->blocked || ((set & (1u << i)) != 0 && u->one[i].blocked);
    pl_arena_init(&r->arena, PL_UPGRADE_ARENA_MAX);
    int rc = pl_upgrade_solve(r, m, u, set, &then, err);
    if (rc == 0) {
        pl_gains(&u->today, &then, &kept, b);
        b->unlocks = pl_unlocks(u, b, &kept);
        u->n_bought++;
    }
    pl_arena_done(&r->arena);
    r->arena = kept;
    return rc;
}

/* Two sizes of one pool are no combination. */
static bool pl_upgrade_set(const struct pl_upgrades *u, uint32_t set, uint32_t size)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < u->n; i++) {
        for (uint32_t k = 0; (set & (1u << i)) != 0 && k < i; k++) {
            if ((set & (1u << k)) != 0 && pl_streq(u->one[i].pool, u->one[k].pool))
                return false;
        }
        n += (set & (1u << i)) != 0;
    }
    return n == size;
}

int pl_plan_upgrade(struct pl_plan_run *r, const struct pl_machine *m, struct pl_err *err)
{
    static struct pl_upgrades u;
    struct pl_machine *now = pl_arena_alloc(&r->arena, 1, sizeof(*now));
    u = (struct pl_upgrades){0};
    if (now == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the machines");
    *now = *m;
    int rc = pl_upgrade_read(pl_cli_opt(r->cli, "upgrade")->text, u.one, &u.n, err);
    if (rc < 0)
        return pl_exit_as(err, rc, PL_EXIT_USAGE);
    for (uint32_t i = 0; i < u.n; i++) {
        pl_upgrade_slots(m, &u.one[i]);
        u.check = u.check || u.one[i].blocked;
    }
    rc = pl_plan_solve(r, now, &u.today, err);
    for (uint32_t size = 1; rc == 0 && size <= u.n; size++) {
        for (uint32_t set = 1; rc == 0 && set < 1u << u.n; set++) {
            if (!pl_upgrade_set(&u, set, size))
                continue;
            if (u.n_bought < u.n + PL_COMBINED_MAX)
                rc = pl_upgrade_plan(r, m, &u, set, err);
            else
                u.left++;
        }
    }
    if (rc == 0 && r->cli->json)
        pl_upgrade_json(&u, &r->cli->out);
    else if (rc == 0)
        pl_upgrade_text(&u, &r->cli->out);
    return rc == 0 ? pl_plan_exit(r->cli, &u.today) : rc;
}
