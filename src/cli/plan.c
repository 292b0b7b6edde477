/* plimsoll plan STACK: what runs together, exactly, under the line. */
#include "plan/plan.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/emit.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/plan_actual.h"
#include "cli/plan_holding.h"
#include "cli/plan_import.h"
#include "cli/plan_options.h"
#include "cli/plan_run.h"
#include "cli/stack.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"
#include "report/plan.h"
#include "sys/newfile.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PL_PLAN_ARENA_MAX (512u * 1024u * 1024u)
#define PL_TIME_LIMIT_S 10u /* of the search, unless --time-limit says otherwise */

static bool pl_deadline_over(void *ctx)
{
    const struct pl_deadline *d = ctx;
    return pl_now_ns(pl_clock_real()) >= d->at_ns;
}

int pl_what_if(const char *text, struct pl_machine *m, struct pl_err *err)
{
    for (const char *s = text; *s != '\0';) {
        char part[160], *size;
        size_t n = strcspn(s, ",");
        uint64_t bytes;
        if (n >= sizeof(part))
            return pl_fail(err, -EINVAL, "--what-if: '%.60s' is not POOL=SIZE", s);
        (void)PL_FMT(part, "%.*s", (int)n, s);
        size = strchr(part, '=');
        if (size == NULL)
            return pl_fail(err, -EINVAL, "--what-if: '%.60s' is not POOL=SIZE", part);
        *size++ = '\0';
        struct pl_pool *p = pl_machine_pool(m, part);
        if (p == NULL)
            return pl_fail(err, -EINVAL, "--what-if: this machine has no pool '%.60s'", part);
        int rc = pl_size_parse(size, &bytes, err);
        if (rc < 0)
            return rc;
        struct pl_quantity now = p->capacity;
        p->capacity = pl_exact(bytes, PL_SOURCE_ASSUMED, "--what-if");
        if (pl_known(p->available) && pl_known(now)) {
            uint64_t used = now.likely > p->available.likely ? now.likely - p->available.likely : 0;
            p->available = pl_exact(bytes > used ? bytes - used : 0, PL_SOURCE_ASSUMED,
                                    "--what-if, with what is held today");
        }
        s += n + (s[n] == ',');
    }
    return 0;
}

int pl_plan_solve(struct pl_plan_run *r, struct pl_machine *m, struct pl_plan *ret,
                  struct pl_err *err)
{
    struct pl_option *option = NULL;
    uint32_t n = 0;
    const struct pl_opt_value *limit = pl_cli_opt(r->cli, "time-limit");
    int rc = pl_plan_options(r->cli, r->stack, m, r->ledger, &r->arena, &option, &n, err);
    r->deadline.at_ns = pl_add_sat(pl_now_ns(pl_clock_real()),
                                   pl_seconds_ns(limit->given ? limit->u : PL_TIME_LIMIT_S));
    r->options.limits = (struct pl_solve_limits){.expired = pl_deadline_over, .ctx = &r->deadline};
    if (rc == 0)
        rc = pl_plan_make(r->stack, m, option, n, &r->options, &r->arena, ret, err);
    if (rc == 0)
        rc = pl_plan_extras(r->stack, option, n, &r->arena, ret, err);
    if (rc == 0)
        pl_plan_actual(r->ledger, m, ret);
    return rc;
}

static void pl_plan_print(struct pl_plan_run *r, const struct pl_plan *today,
                          const struct pl_plan *then)
{
    struct pl_cli *cli = r->cli;
    bool colour = pl_colour_wanted(STDOUT_FILENO);
    const char *what = pl_cli_opt(cli, "what-if")->text;
    if (!cli->json && pl_cli_opt(cli, "markdown")->given) {
        pl_plan_markdown(then != NULL ? then : today, &cli->out);
        return;
    }
    if (!cli->json) {
        const struct pl_plan *const both[] = {today, then};
        const char *const titles[] = {"today", what};
        if (then != NULL)
            pl_str_add(&cli->out, "today: ");
        pl_plan_text(today, colour, &cli->out);
        if (then != NULL) {
            pl_str_addf(&cli->out, "\nwith %s: ", what);
            pl_plan_text(then, colour, &cli->out);
            pl_str_add(&cli->out, "\n");
            pl_plans_beside(both, titles, 2, colour, &cli->out);
        }
        return;
    }
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.plan/1");
    pl_plan_json(then != NULL ? then : today, &j);
    if (then != NULL) {
        pl_json_str(&j, "what_if", what);
        pl_json_object(&j, "today");
        pl_plan_json(today, &j);
        pl_json_end(&j);
    }
    pl_json_end(&j);
}

static int pl_plan_html(const struct pl_plan_run *r, const struct pl_plan *p, struct pl_err *err)
{
    struct pl_str page;
    const struct pl_opt_value *file = pl_cli_opt(r->cli, "html");
    if (!file->given)
        return 0;
    pl_str_init(&page, PL_EMIT_TEXT_MAX);
    pl_plan_page(p, &page);
    int rc = page.failed ? pl_fail(err, -ENOMEM, "no memory for the page")
                         : pl_newfile_write(file->text, pl_str_get(&page), page.len, 0644,
                                            pl_cli_opt(r->cli, "force")->given, err);
    pl_str_done(&page);
    return rc;
}

/* The plan as files, instead of the plan: nothing of a plan that does not fit. */
static int pl_plan_emit(const struct pl_plan_run *r, const struct pl_plan *p, struct pl_err *err)
{
    static struct pl_emit e;
    char models[PL_PATH_TEXT_MAX];
    const struct pl_opt_value *folder = pl_cli_opt(r->cli, "output");
    e = (struct pl_emit){.stack = r->stack, .plan = p, .models = pl_cli_model_dir(models)};
    struct pl_arena arena;
    pl_arena_init(&arena, PL_PLAN_ARENA_MAX);
    e.arena = &arena;
    int rc = pl_emit_begin(&e, err);
    if (rc == 0)
        rc = pl_emit_of(pl_cli_opt(r->cli, "emit")->text)(&e, err);
    if (rc == 0)
        rc = pl_emit_write(&e, folder->given ? folder->text : NULL,
                           pl_cli_opt(r->cli, "force")->given, &r->cli->out, err);
    pl_emit_done(&e);
    pl_arena_done(&arena);
    return rc;
}

int pl_plan_exit(const struct pl_cli *cli, const struct pl_plan *p)
{
    if (!p->feasible)
        return PL_EXIT_NO;
    bool strict = pl_cli_opt(cli, "strict")->given;
    return p->verdict == PL_VERDICT_FRAGILE && strict ? PL_EXIT_NO : PL_EXIT_YES;
}

/* With --json an answer that cannot be given is an answer too. */
static int pl_plan_cannot(struct pl_cli *cli, int rc, struct pl_err *err)
{
    if (!cli->json || err->exit_code != PL_EXIT_CANNOT_TELL)
        return rc;
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.plan/1");
    pl_json_null(&j, "feasible");
    pl_json_str(&j, "verdict", pl_verdict_name(PL_VERDICT_CANNOT_TELL));
    pl_json_str(&j, "reason", err->what);
    pl_json_end(&j);
    return rc;
}

static int pl_plan_stack(struct pl_plan_run *r, struct pl_err *err)
{
    enum pl_objective o;
    const struct pl_opt_value *objective = pl_cli_opt(r->cli, "objective");
    int rc = pl_cli_stack(r->cli, r->cli->arg[0], &r->arena, &r->stack, err);
    if (rc == 0 && objective->given && pl_objective_of(objective->text, &o))
        pl_stack_objective(r->stack, o);
    return rc;
}

/* What is of one machine only is not passed over in silence with several. */
static int pl_plan_of_one(const struct pl_cli *cli, struct pl_err *err)
{
    static const char *const alone[] = {"what-if", "upgrade", "holding",
                                        "emit",    "html",    "markdown"};
    if (pl_cli_opt(cli, "machine")->n_list < 2)
        return 0;
    for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
        if (pl_cli_opt(cli, alone[i])->given)
            return pl_exit_as(
                err,
                pl_fail(err, -EINVAL, "plan: --%s is of one --machine, not of several", alone[i]),
                PL_EXIT_USAGE);
    }
    return 0;
}

static int pl_plan_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine, other;
    static struct pl_plan_run r;
    struct pl_plan today, then;
    const struct pl_opt_value *what = pl_cli_opt(cli, "what-if");
    r = (struct pl_plan_run){.cli = cli};
    pl_arena_init(&r.arena, PL_PLAN_ARENA_MAX);
    r.options.allow_fragile = pl_cli_opt(cli, "allow-fragile")->given;
    const struct pl_opt_value *import = pl_cli_opt(cli, "import");
    if (import->given == (cli->n_arg > 0))
        return pl_exit_as(err,
                          pl_fail(err, -EINVAL, "plan: give a STACK, or --import FILE for one"),
                          PL_EXIT_USAGE);
    if (import->given) {
        int got = pl_plan_import(import->text, &r.arena, &cli->out, err);
        pl_arena_done(&r.arena);
        return got;
    }
    int rc = pl_plan_of_one(cli, err);
    if (rc == 0)
        rc = pl_plan_stack(&r, err);
    if (rc == 0 && pl_cli_opt(cli, "machine")->n_list < 2)
        rc = pl_cli_machine_asked(cli, &machine, err);
    if (rc == 0 && pl_cli_opt(cli, "machine")->n_list < 2)
        rc = pl_plan_holding(cli, &machine, &r.arena, r.stack, err);
    if (rc == 0 && what->given) {
        other = machine;
        rc = pl_what_if(what->text, &other, err);
        if (rc < 0)
            rc = pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    if (rc == 0)
        (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &r.ledger, NULL);
    bool fleet = pl_cli_opt(cli, "machine")->n_list > 1, better = pl_cli_opt(cli, "upgrade")->given;
    if (rc == 0 && (fleet || better)) {
        rc = fleet ? pl_plan_fleet(&r, err) : pl_plan_upgrade(&r, &machine, err);
        (void)pl_ledger_close(r.ledger);
        pl_arena_done(&r.arena);
        return rc;
    }
    if (rc == 0)
        rc = pl_plan_solve(&r, &machine, &today, err);
    if (rc == 0 && what->given)
        rc = pl_plan_solve(&r, &other, &then, err);
    const struct pl_plan *last = what->given ? &then : &today;
    if (rc == 0)
        rc = pl_plan_html(&r, last, err);
    if (rc == 0 && pl_cli_opt(cli, "emit")->given && last->feasible)
        rc = pl_plan_emit(&r, last, err);
    else if (rc == 0)
        pl_plan_print(&r, &today, what->given ? &then : NULL);
    if (rc == 0) {
        rc = pl_plan_exit(cli, last);
    } else {
        rc = pl_plan_cannot(cli, rc, err);
    }
    (void)pl_ledger_close(r.ledger);
    pl_arena_done(&r.arena);
    return rc;
}

static const struct pl_opt pl_plan_opts[] = {
    {"machine",                                                      'M', PL_OPT_LIST, "FILE|NAME",
     "plan for the machine of this file (assess --json, --capture), or a registered one; "
     "repeatable"},
    {"device",                                                   0, PL_OPT_TEXT, "ID[,ID]",
     "plan for these devices of the device data (assess --devices)"},
    {"ram",                                                   0, PL_OPT_SIZE, "SIZE", "with --device: main memory of that machine"},
    PL_CLI_STACK_OPTS,
    {"objective",                                                       '\0', PL_OPT_CHOICE, "balanced|capability|reliability|speed|voice",
     "what a better plan is; else as the file says"},
    {"what-if",                                                   0, PL_OPT_TEXT, "POOL=SIZE,...", "beside today: the same with other capacities"},
    PL_PLAN_HOLDING_OPT,
    {"allow-fragile", 0, PL_OPT_FLAG, NULL, "a plan that only likely holds will do"},
    {"strict",                                                          0, PL_OPT_FLAG, NULL, "fragile counts as does not fit (exit 1)"},
    {"time-limit",                                                   't', PL_OPT_NUMBER, "SECONDS",
     "of the search; what is not proved then is said (10)"},
    {"markdown",                  0, PL_OPT_FLAG, NULL, "print Markdown"},
    {"html",                                                    0, PL_OPT_PATH, "FILE", "write a page that needs nothing else"},
    {"emit",                                                 0, PL_OPT_CHOICE, PL_EMIT_KINDS,
     "print the plan as what these read, instead of the plan"},
    {"import",                 0, PL_OPT_PATH, "FILE",
     "print a stack file of llama-swap's configuration, `ollama list`, or 'ollama': its store"},
    {"fleet",                                                      0, PL_OPT_CHOICE, "min|each",
     "of several --machine: plan for the smallest, or for each (each)"},
    {"upgrade",                                                   0, PL_OPT_TEXT, "POOL=SIZE[:COST],...",
     "what each would unlock, in the order to do it"},
    {"output",                'o', PL_OPT_PATH, "DIR", "with --emit: write the files there"},
    {"force",                                                0, PL_OPT_FLAG, NULL, "replace files that --html and --output name"},
    PL_CLI_MODEL_OPTS,
    {"ledger",                                                   0, PL_OPT_PATH, "FILE", "the ledger to take speeds and actual sizes from"},
    {0                      },
};

static const char *const pl_plan_examples[] = {
    "plimsoll plan voice.yaml",
    "plimsoll plan voice.yaml --env production --machine laptop.json --json",
    "plimsoll plan voice.yaml --what-if ram=32GiB,gpu0=12GiB  # before buying",
    "plimsoll plan voice.yaml --emit systemd -o units  # files that start it",
    "plimsoll plan roles.yaml --device rtx3090 --ram 64GiB --objective capability",
    0,
};

const struct pl_verb pl_verb_plan = {
    .name = "plan",
    .args = "STACK | --import FILE",
    .summary = "what runs together under the line: budget, placement, load order, verdict",
    .details = "STACK is a YAML file of components and their candidates (docs/stack.md).\n"
               "Exit status: 0 it fits (fragile too, unless --strict), 1 it does not, with the\n"
               "demands that conflict; 2 the file is wrong; 3 a needed fact is unknown.",
    .examples = pl_plan_examples,
    .opts = pl_plan_opts,
    .args_min = 0,
    .args_max = 1,
    .run = pl_plan_run,
};
