/* plimsoll compare MODEL --a FLAGS --b FLAGS --ab: both on the real engine, alternately. */
#include "base/table.h"
#include "cli/compare.h"
#include "cli/engine_devices.h"
#include "cli/ghost_cache.h"
#include "cli/interrupt.h"
#include "engine/llamacpp/find.h"
#include "measure/forecast.h"
#include "measure/trial.h"
#include "report/versus.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PL_AB_PAIRS 5u
#define PL_AB_PAIRS_MAX 50u
#define PL_AB_CTX 4096u /* as `try` has it, and the next two */
#define PL_AB_PROMPT 512u
#define PL_AB_PREDICT 32u
#define PL_AB_TIMEOUT_NS (600 * PL_S_NS)

enum { PL_AB_MEMORY = 0, PL_AB_DEVICES, PL_AB_PREFILL, PL_AB_DECODE, PL_AB_FIGURES };
static const char *const pl_ab_names[] = {"memory", "device memory", "prefill", "decode"};
static const char *const pl_ab_keys[] = {"memory_bytes", "device_bytes",
                                         "prefill_tokens_per_second", "decode_tokens_per_second"};

struct pl_ab {
    struct pl_cli *cli;
    struct pl_install engine;
    struct pl_used_devices devices;  /* that the engine sees */
    struct pl_model *model, *loaded; /* loaded: model itself or its ghost */
    const char *fill;
    struct pl_compare_side *side;
    struct pl_ledger *ledger;
    const volatile sig_atomic_t *stop;
    uint32_t pairs, disturbed;
    double value[PL_AB_FIGURES][2][PL_AB_PAIRS_MAX]; /* 0 = not measured, or not valid */
    struct pl_run run;
};

static uint64_t pl_ab_number(const struct pl_cli *cli, const char *name, uint64_t absent)
{
    const struct pl_opt_value *v = pl_cli_opt(cli, name);
    return v->given ? v->u : absent;
}

/* What the engine's own report says it holds on devices; 0 = nothing, or not said. */
static double pl_ab_on_devices(const struct pl_run *r)
{
    static const enum pl_part held[] = {PL_PART_WEIGHTS, PL_PART_KV, PL_PART_RECURRENT,
                                        PL_PART_COMPUTE};
    double sum = 0;
    for (uint32_t i = 1; i < r->predicted.n_pool; i++) {
        for (size_t k = 0; k < sizeof(held) / sizeof(held[0]); k++) {
            struct pl_quantity q = r->on_device[i].part[held[k]];
            sum += pl_known(q) ? (double)q.likely : 0;
        }
    }
    return sum;
}

static int pl_ab_one(struct pl_ab *ab, uint32_t pair, int which, struct pl_err *err)
{
    struct pl_compare_side *s = &ab->side[which];
    struct pl_trial_options o = {
        .devices = &ab->devices,
        .engine = &ab->engine,
        .loaded = ab->loaded,
        .fill = ab->loaded != ab->model ? ab->fill : NULL,
        .prompt_tokens = pl_ab_number(ab->cli, "prompt", PL_AB_PROMPT),
        .predict_tokens = pl_ab_number(ab->cli, "predict", PL_AB_PREDICT),
        .warmups = 1,
        .repeats = 1,
        .ready_timeout_ns = PL_AB_TIMEOUT_NS,
        .stop = ab->stop,
    };
    pl_progress("pair %u of %u: %s %s", pair + 1, ab->pairs, which == 0 ? "A" : "B",
                s->forecast.flags);
    int rc = pl_trial_run(&s->forecast, &o, &ab->run, err);
    if (ab->ledger != NULL && *ab->stop == 0) {
        int kept = pl_ledger_add_run(ab->ledger, &ab->run, rc == 0 ? err : NULL);
        rc = rc == 0 ? kept : rc;
    }
    if (rc < 0)
        return rc;
    const struct pl_run *r = &ab->run;
    bool valid = !(r->beside.judged && r->beside.disturbed);
    ab->disturbed += !valid;
    ab->value[PL_AB_MEMORY][which][pair] =
        pl_known(r->measured_total) ? (double)r->measured_total.likely : 0;
    ab->value[PL_AB_DEVICES][which][pair] = pl_ab_on_devices(r);
    ab->value[PL_AB_PREFILL][which][pair] = valid ? r->timing.prompt_tokens_per_second : 0;
    ab->value[PL_AB_DECODE][which][pair] = valid ? r->timing.predicted_tokens_per_second : 0;
    return 0;
}

/* A B B A A B ...: what drifts (heat, another program) meets both alike. */
static int pl_ab_pairs(struct pl_ab *ab, struct pl_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < ab->pairs; i++) {
        int first = i % 2 == 0 ? 0 : 1;
        rc = pl_ab_one(ab, i, first, err);
        if (rc == 0)
            rc = pl_ab_one(ab, i, 1 - first, err);
    }
    pl_progress_done();
    if (rc < 0 && *ab->stop != 0) {
        (void)pl_fail(err, -EINTR, "stopped; the engine is gone, finished runs are in the ledger");
        rc = pl_exit_as(err, -EINTR, (enum pl_exit)(128 + *ab->stop));
    }
    return rc;
}

/* More tokens are better, more memory is not. */
static const char *pl_ab_winner(int figure, const struct pl_paired *p)
{
    if (!p->known)
        return "cannot tell: too few valid pairs";
    if (p->winner == 0)
        return "no winner: inside the noise";
    bool b_more = p->winner == 2;
    return b_more == (figure >= PL_AB_PREFILL) ? "B" : "A";
}

/* Does either side hold anything on devices? */
static bool pl_ab_has_devices(const struct pl_ab *ab)
{
    bool any = false;
    for (uint32_t i = 0; i < ab->pairs; i++)
        any = any || ab->value[PL_AB_DEVICES][0][i] > 0 || ab->value[PL_AB_DEVICES][1][i] > 0;
    return any;
}

static void pl_ab_text(const struct pl_ab *ab, struct pl_str *out)
{
    static const char *const titles[] = {"", ">pairs", ">B / A", ">95 % interval", "winner", 0};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    pl_str_addf(out, "%s %s\nA  %s\nB  %s\n\n", ab->side[0].forecast.name,
                ab->side[0].forecast.quant, ab->side[0].forecast.flags, ab->side[1].forecast.flags);
    for (int i = 0; i < PL_AB_FIGURES; i++) {
        struct pl_paired p;
        if (i == PL_AB_DEVICES && !pl_ab_has_devices(ab))
            continue;
        pl_paired(ab->value[i][0], ab->value[i][1], ab->pairs, &p);
        pl_table_row(t);
        pl_table_cell(t, "%s", pl_ab_names[i]);
        pl_table_cell(t, "%u", p.n);
        if (p.known) {
            pl_table_cell(t, "%.4f", p.ratio);
            pl_table_cell(t, "%.4f .. %.4f", p.low, p.high);
        } else {
            pl_table_cell(t, "-");
            pl_table_cell(t, "-");
        }
        pl_table_cell(t, "%s", pl_ab_winner(i, &p));
    }
    pl_table_print(t, out, pl_colour_wanted(STDOUT_FILENO));
    (void)pl_table_free(t);
    if (ab->disturbed > 0)
        pl_str_addf(out,
                    "%u of %u runs were measured while others computed: their speeds are not "
                    "valid and left out\n",
                    ab->disturbed, 2 * ab->pairs);
}

static void pl_ab_json(const struct pl_ab *ab, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.compare/1");
    pl_json_str(&j, "kind", "ab");
    pl_json_str(&j, "model", ab->side[0].forecast.name);
    pl_json_str(&j, "quant", ab->side[0].forecast.quant);
    pl_json_str(&j, "a", ab->side[0].forecast.flags);
    pl_json_str(&j, "b", ab->side[1].forecast.flags);
    pl_json_u64(&j, "pairs", ab->pairs);
    pl_json_u64(&j, "runs_disturbed", ab->disturbed);
    for (int i = 0; i < PL_AB_FIGURES; i++) {
        struct pl_paired p;
        if (i == PL_AB_DEVICES && !pl_ab_has_devices(ab)) {
            pl_json_null(&j, pl_ab_keys[i]);
            continue;
        }
        pl_paired(ab->value[i][0], ab->value[i][1], ab->pairs, &p);
        pl_json_object(&j, pl_ab_keys[i]);
        pl_json_u64(&j, "pairs", p.n);
        const char *const names[] = {"ratio", "low", "high"};
        const double value[] = {p.ratio, p.low, p.high};
        for (int k = 0; k < 3; k++) {
            if (p.known)
                pl_json_num(&j, names[k], value[k]);
            else
                pl_json_null(&j, names[k]);
        }
        const char *winner = pl_ab_winner(i, &p);
        pl_json_str(&j, "winner", winner[1] == '\0' ? winner : NULL);
        pl_json_end(&j);
    }
    pl_json_end(&j);
}

/* One side's forecast, for what will be measured. */
static int pl_ab_forecast(struct pl_ab *ab, int which, struct pl_machine *machine,
                          struct pl_err *err)
{
    struct pl_compare_side *side = &ab->side[which];
    struct pl_settings *s = &side->settings;
    struct pl_forecast *f = &side->forecast;
    uint64_t prompt = pl_ab_number(ab->cli, "prompt", PL_AB_PROMPT);
    uint64_t predict = pl_ab_number(ab->cli, "predict", PL_AB_PREDICT);
    s->n_ctx = s->n_ctx == 0 ? PL_AB_CTX : s->n_ctx;
    s->cache_ram_mib = s->cache_ram_mib == PL_CACHE_RAM_UNSET ? 0 : s->cache_ram_mib;
    int rc = pl_cli_engine_names(&ab->devices, s, side->devices, err);
    if (rc == 0)
        rc = pl_forecast_make(ab->model, s, machine, &ab->devices, ab->engine.version, ab->ledger,
                              f, err);
    if (rc == 0)
        rc = pl_forecast_paced(f, &ab->devices, ab->ledger, prompt, prompt + predict / 2, err);
    if (rc < 0 || f->judgement.verdict < PL_VERDICT_DOES_NOT_FIT)
        return rc;
    (void)pl_fail(err, -ENOMEM, "%s is not started: %s", which == 0 ? "A" : "B",
                  f->judgement.n_reason > 0 ? f->judgement.reason[0] : "it may not fit");
    return pl_exit_as(err, -ENOMEM,
                      f->judgement.verdict == PL_VERDICT_CANNOT_TELL ? PL_EXIT_CANNOT_TELL
                                                                     : PL_EXIT_NO);
}

static int pl_ab_prepare(struct pl_ab *ab, struct pl_machine *machine, struct pl_err *err)
{
    const struct pl_cli *cli = ab->cli;
    uint64_t pairs = pl_ab_number(cli, "repeats", PL_AB_PAIRS);
    const char *fill = pl_cli_opt(cli, "fill")->text;
    ab->fill = fill != NULL ? fill : "zero";
    if (pairs < PL_PAIRS_LEAST || pairs > PL_AB_PAIRS_MAX || !machine->this_system) {
        (void)pl_fail(err, -EINVAL,
                      !machine->this_system ? "--ab runs on this machine, not on one of a file"
                                            : "--repeats is 3 to 50 with --ab");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    ab->pairs = (uint32_t)pairs;
    int rc = pl_llamacpp_find(pl_cli_opt(cli, "engine")->text, &ab->engine, err);
    if (rc == 0 && !pl_cli_opt(cli, "no-ledger")->given)
        rc = pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_WRITE, &ab->ledger, err);
    if (rc == 0)
        pl_cli_engine_sees(&ab->engine, machine, &ab->devices);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = pl_ab_forecast(ab, i, machine, err);
    if (rc < 0)
        return rc;
    ab->loaded = ab->model;
    if (pl_model_here(ab->model))
        return 0;
    struct pl_ghost_options o = {.fill =
                                     pl_streq(ab->fill, "random") ? PL_FILL_RANDOM : PL_FILL_ZERO};
    o.seed = PL_GHOST_SEED;
    return pl_ghost_cache_get(ab->model, ab->side[0].forecast.name, ab->side[0].forecast.quant,
                              NULL, &o, &ab->loaded, err);
}

int pl_compare_ab(struct pl_cli *cli, struct pl_model *model, struct pl_machine *machine,
                  struct pl_compare_side side[2], struct pl_err *err)
{
    static struct pl_ab ab;
    ab = (struct pl_ab){.cli = cli, .model = model, .side = side, .stop = pl_interrupt_flag()};
    int rc = pl_ab_prepare(&ab, machine, err);
    if (rc == 0)
        rc = pl_ab_pairs(&ab, err);
    if (rc == 0 && cli->json)
        pl_ab_json(&ab, &cli->out);
    else if (rc == 0)
        pl_ab_text(&ab, &cli->out);
    if (ab.loaded != ab.model)
        (void)pl_model_free(ab.loaded);
    (void)pl_ledger_close(ab.ledger);
    return rc;
}
