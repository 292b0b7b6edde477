/* plan with several machines. */
#include "base/json.h"
#include "base/table.h"
#include "cli/machine.h"
#include "cli/plan_run.h"
#include "report/plan.h"

#include <errno.h>
#include <unistd.h>

#define PL_MACHINE_OPT 0 /* where --machine stands among the verb's options */

struct pl_fleet {
    struct pl_machine *machine[PL_OPT_LIST_MAX];
    struct pl_plan plan[PL_OPT_LIST_MAX];
    const char *name[PL_OPT_LIST_MAX];
    uint32_t n, least;
};

static uint64_t pl_most_of(const struct pl_machine *m, bool device)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        bool of_device = pl_starts(p->name, "gpu");
        if (of_device == device && p->kind != PL_POOL_CAP && pl_known(p->capacity) &&
            p->capacity.likely > most)
            most = p->capacity.likely;
    }
    return most;
}

/* The smallest: the least memory on one device, then the least main memory. */
static void pl_fleet_least(struct pl_fleet *f)
{
    for (uint32_t i = 1; i < f->n; i++) {
        const struct pl_machine *a = f->machine[i], *b = f->machine[f->least];
        uint64_t x = pl_most_of(a, true), y = pl_most_of(b, true);
        if (x < y || (x == y && pl_most_of(a, false) < pl_most_of(b, false)))
            f->least = i;
    }
}

static int pl_fleet_read(struct pl_plan_run *r, struct pl_fleet *f, struct pl_err *err)
{
    struct pl_opt_value *v = &r->cli->value[PL_MACHINE_OPT];
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < v->n_list; i++) {
        f->machine[i] = pl_arena_alloc(&r->arena, 1, sizeof(*f->machine[i]));
        if (f->machine[i] == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the machines");
        v->text = f->name[i] = v->list[i];
        rc = pl_cli_machine_asked(r->cli, f->machine[i], err);
        f->n = i + 1;
    }
    pl_fleet_least(f);
    return rc;
}

static void pl_fleet_json(const struct pl_fleet *f, bool each, struct pl_cli *cli)
{
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.plan/1");
    pl_plan_json(&f->plan[f->least], &j);
    pl_json_str(&j, "smallest", f->name[f->least]);
    pl_json_array(&j, "fleet");
    for (uint32_t i = 0; i < f->n; i++) {
        if (!each && i != f->least)
            continue;
        pl_json_object(&j, NULL);
        pl_json_str(&j, "machine", f->name[i]);
        pl_json_object(&j, "plan");
        pl_plan_json(&f->plan[i], &j);
        pl_json_end(&j);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_end(&j);
}

static void pl_fleet_text(const struct pl_fleet *f, bool each, struct pl_cli *cli)
{
    const struct pl_plan *plan[PL_OPT_LIST_MAX];
    bool colour = pl_colour_wanted(STDOUT_FILENO);
    for (uint32_t i = 0; i < f->n; i++) {
        plan[i] = &f->plan[i];
        if (!each && i != f->least)
            continue;
        pl_str_addf(&cli->out, "%s%s: ", f->name[i],
                    i == f->least ? " (the smallest of them)" : "");
        pl_plan_text(&f->plan[i], colour, &cli->out);
        pl_str_add(&cli->out, "\n");
    }
    if (each)
        pl_plans_beside(plan, f->name, f->n, colour, &cli->out);
}

int pl_plan_fleet(struct pl_plan_run *r, struct pl_err *err)
{
    static struct pl_fleet f;
    const struct pl_opt_value *fleet = pl_cli_opt(r->cli, "fleet");
    bool each = !fleet->given || pl_streq(fleet->text, "each");
    f = (struct pl_fleet){0};
    int rc = pl_fleet_read(r, &f, err);
    int status = PL_EXIT_YES;
    for (uint32_t i = 0; rc == 0 && i < f.n; i++) {
        if (!each && i != f.least)
            continue;
        rc = pl_plan_solve(r, f.machine[i], &f.plan[i], err);
        int one = rc == 0 ? pl_plan_exit(r->cli, &f.plan[i]) : 0;
        status = one > status ? one : status;
    }
    if (rc < 0)
        return rc;
    if (r->cli->json)
        pl_fleet_json(&f, each, r->cli);
    else
        pl_fleet_text(&f, each, r->cli);
    return status;
}
