#include "cli/plan_actual.h"

#include "base/str.h"

static struct pl_quantity pl_actual_in(const struct pl_run *run, const char *pool)
{
    if (pl_streq(pool, PL_RUN_MEASURED_POOL))
        return run->measured_total;
    for (uint32_t i = 0; i < run->predicted.n_pool; i++) {
        if (pl_streq(run->predicted.pool[i].pool, pool))
            return run->on_device[i].total;
    }
    return PL_QUANTITY_UNKNOWN("that pool was not measured");
}

void pl_plan_actual(struct pl_ledger *ledger, const struct pl_machine *machine, struct pl_plan *p)
{
    static struct pl_run like, run;
    uint32_t asked = UINT32_MAX;
    enum pl_ledger_match match = PL_MATCH_NONE;
    if (ledger == NULL || machine->id[0] == '\0')
        return;
    for (uint32_t i = 0; i < p->n_charge; i++) {
        struct pl_plan_charge *c = &p->charge[i];
        const struct pl_option *o = p->component[c->component].option;
        if (o == NULL || o->known_as == NULL)
            continue;
        if (asked != c->component) {
            asked = c->component;
            like = (struct pl_run){0};
            match = PL_MATCH_NONE;
            (void)PL_FMT(like.model, "%s", o->known_as);
            (void)PL_FMT(like.quant, "%s", o->quant != NULL ? o->quant : "");
            (void)PL_FMT(like.engine, "llama.cpp");
            (void)PL_FMT(like.flags, "%s", o->settings);
            (void)PL_FMT(like.machine_id, "%s", machine->id);
            (void)pl_ledger_last_run(ledger, &like, &run, &match, NULL);
        }
        if (match != PL_MATCH_FLAGS)
            continue;
        struct pl_quantity actual = pl_actual_in(&run, p->pool[c->pool].name);
        actual.why = "the last run with these settings here";
        if (pl_known(actual))
            c->actual = actual;
    }
}
