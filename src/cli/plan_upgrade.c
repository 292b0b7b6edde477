/* plan --upgrade: what other capacities would unlock, and what to see to first. */
#include "base/json.h"
#include "base/units.h"
#include "cli/plan_run.h"
#include "report/plan.h"

#include <errno.h>
#include <string.h>

#define PL_UPGRADES_MAX 8u

struct pl_upgrade {
    char what[100], pool[40], cost[60]; /* "ram=32GiB"; "ram"; "30-50", "" = not said */
    struct pl_str unlocks;
    bool slots, blocked; /* it needs memory slots; and nobody knows of them */
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

/* What the plan gains, in words. */
static void pl_upgrade_gain(const struct pl_plan *today, const struct pl_plan *then,
                            const char *pool, struct pl_str *s)
{
    if (!today->feasible && then->feasible)
        pl_str_add(s, "the whole plan");
    for (uint32_t i = 0; then->feasible && i < then->n_component; i++) {
        const struct pl_plan_component *a = &today->component[i], *b = &then->component[i];
        const char *gap = s->len > 0 ? "; " : "";
        if (b->option == NULL || !b->served)
            continue;
        if (!today->feasible)
            continue;
        if (!a->served || a->option == NULL)
            pl_str_addf(s, "%s%s by %s", gap, b->name, b->option->name);
        else if (a->option->candidate != b->option->candidate)
            pl_str_addf(s, "%s%s: %s for %s", gap, b->name, b->option->name, a->option->name);
        else if (a->tier != b->tier)
            pl_str_addf(s, "%s%s: %s for %s", gap, b->name, pl_serve_name(b->tier),
                        pl_serve_name(a->tier));
        else if (b->option->context > a->option->context)
            pl_str_addf(s, "%s%s: a context of %llu for %llu", gap, b->name,
                        (unsigned long long)b->option->context,
                        (unsigned long long)a->option->context);
        else if (b->option->slots > a->option->slots)
            pl_str_addf(s, "%s%s: %llu requests at once for %llu", gap, b->name,
                        (unsigned long long)b->option->slots, (unsigned long long)a->option->slots);
    }
    if (today->feasible && then->feasible &&
        !pl_streq(pl_duty_text(today, true), pl_duty_text(then, true)))
        pl_str_addf(s, "%s%s", s->len > 0 ? "; " : "", pl_duty_text(then, true));
    for (uint32_t i = 0; s->len == 0 && i < today->n_pool; i++) {
        if (pl_streq(today->pool[i].name, pool) && today->pool[i].ceiling_set)
            pl_str_addf(s, "nothing: the ceiling that the stack sets for %s stays where it is",
                        pool);
    }
    if (s->len == 0)
        pl_str_add(s, "nothing in this stack: only headroom");
}

/* Memory slots matter to main memory. Known: they were read, one by one. */
static void pl_upgrade_slots(const struct pl_machine *m, struct pl_upgrade *x)
{
    x->slots = pl_streq(x->pool, "ram") || pl_streq(x->pool, "unified");
    x->blocked = x->slots && m->n_dimm == 0;
}

static void pl_upgrade_text(const struct pl_upgrade *u, uint32_t n, struct pl_str *out)
{
    uint32_t at = 0;
    bool check = false;
    for (uint32_t i = 0; i < n; i++)
        check = check || u[i].blocked;
    if (check)
        pl_str_addf(out,
                    "%u. look which memory slots there are and which are taken: cost 0; as root, "
                    "on that machine: plimsoll assess --json\n   unlocks: what follows\n",
                    ++at);
    for (int later = 0; later < 2; later++) {
        for (uint32_t i = 0; i < n; i++) {
            if (u[i].blocked != (later == 1))
                continue;
            pl_str_addf(out, "%u. %s: cost %s%s\n   unlocks: %s\n", ++at, u[i].what,
                        u[i].cost[0] != '\0' ? u[i].cost : "not said",
                        u[i].blocked ? "; not before the slots are known" : "",
                        pl_str_get(&u[i].unlocks));
        }
    }
}

static void pl_upgrade_json(const struct pl_upgrade *u, uint32_t n, const struct pl_plan *today,
                            struct pl_str *out)
{
    struct pl_json j;
    bool check = false;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.plan/1");
    pl_plan_json(today, &j);
    pl_json_array(&j, "upgrades");
    for (uint32_t i = 0; i < n; i++)
        check = check || u[i].blocked;
    for (uint32_t k = check ? 0 : 1; k < 3; k++) {
        for (uint32_t i = 0; i < (k == 0 ? 1 : n); i++) {
            if (k > 0 && u[i].blocked != (k == 2))
                continue;
            pl_json_object(&j, NULL);
            pl_json_str(&j, "what", k == 0 ? "verify memory slots" : u[i].what);
            pl_json_str(&j, "cost", k == 0 ? "0" : u[i].cost[0] != '\0' ? u[i].cost : NULL);
            pl_json_bool(&j, "blocked", k == 2);
            pl_json_str(&j, "unlocks", k == 0 ? "what is blocked" : pl_str_get(&u[i].unlocks));
            pl_json_end(&j);
        }
    }
    pl_json_end(&j);
    pl_json_end(&j);
}

int pl_plan_upgrade(struct pl_plan_run *r, const struct pl_machine *m, struct pl_err *err)
{
    static struct pl_upgrade u[PL_UPGRADES_MAX];
    static struct pl_plan today, then;
    uint32_t n = 0, begun = 0;
    struct pl_machine *now = pl_arena_alloc(&r->arena, 1, sizeof(*now));
    if (now == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the machines");
    *now = *m;
    memset(u, 0, sizeof(u));
    int rc = pl_upgrade_read(pl_cli_opt(r->cli, "upgrade")->text, u, &n, err);
    if (rc < 0)
        return pl_exit_as(err, rc, PL_EXIT_USAGE);
    rc = pl_plan_solve(r, now, &today, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        struct pl_machine *other = pl_arena_alloc(&r->arena, 1, sizeof(*other));
        pl_str_init(&u[i].unlocks, 64 * 1024);
        begun = i + 1;
        if (other == NULL)
            rc = pl_fail(err, -ENOMEM, "no memory for the machines");
        else
            *other = *m;
        if (rc == 0 && (rc = pl_what_if(u[i].what, other, err)) < 0)
            rc = pl_exit_as(err, rc, PL_EXIT_USAGE);
        if (rc == 0)
            rc = pl_plan_solve(r, other, &then, err);
        if (rc == 0)
            pl_upgrade_gain(&today, &then, u[i].pool, &u[i].unlocks);
        pl_upgrade_slots(m, &u[i]);
    }
    if (rc == 0 && r->cli->json)
        pl_upgrade_json(u, n, &today, &r->cli->out);
    else if (rc == 0)
        pl_upgrade_text(u, n, &r->cli->out);
    for (uint32_t i = 0; i < begun; i++)
        pl_str_done(&u[i].unlocks);
    return rc == 0 ? pl_plan_exit(r->cli, &today) : rc;
}
