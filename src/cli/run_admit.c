/* Before a command runs: what it will need, and whether that is there. */
#include "base/checked.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/machine.h"
#include "cli/run.h"
#include "measure/forecast.h"
#include "measure/relief.h"
#include "model/names.h"
#include "model/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define PL_RUN_SIGNED_MAX (4u << 20) /* bytes of a command's words */

/* The command's name in the ledger: program and words without paths and secrets, so that the same
 * command from another folder is known again, and nobody's token is kept. */
static void pl_run_signature(struct pl_running *r)
{
    struct pl_redact_words secrets = {0};
    struct pl_str s, word;
    pl_str_init(&s, PL_RUN_SIGNED_MAX);
    pl_str_init(&word, PL_RUN_SIGNED_MAX);
    for (int i = r->command.row != NULL ? r->command.program : 0; i < r->argc && !s.failed; i++) {
        pl_str_clear(&word);
        pl_run_word(&r->mask, &secrets, r->argv[i], &word);
        const char *shown = pl_str_get(&word), *slash = strrchr(shown, '/');
        if (pl_streq(r->argv[i], "--port") && i + 1 < r->argc) {
            i++; /* any free one does */
            continue;
        }
        pl_str_addf(&s, "%s%s", s.len > 0 ? " " : "",
                    slash != NULL && slash[1] != '\0' ? slash + 1 : shown);
    }
    char sum[PL_SHA256_TEXT_MAX]; /* cut, it would be another's too */
    if (s.len >= sizeof(r->signature))
        (void)PL_FMT(r->signature, "%.*s #%.16s", (int)sizeof(r->signature) - 20, pl_str_get(&s),
                     pl_sha256_text(pl_str_get(&s), s.len, sum));
    else
        (void)PL_FMT(r->signature, "%s", pl_str_get(&s));
    pl_str_done(&s);
    pl_str_done(&word);
}

static int pl_run_ceiling(struct pl_running *r, const char *text, struct pl_err *err)
{
    for (const char *p = text; *p != '\0';) {
        size_t n = strcspn(p, ","), name = strcspn(p, "=");
        struct pl_ceiling *c = &r->ceiling[r->n_ceiling];
        char size[PL_SIZE_TEXT_MAX];
        if (name >= n || name == 0 || r->n_ceiling == PL_RUN_CEILINGS_MAX ||
            !pl_fmt(c->pool, sizeof(c->pool), "%.*s", (int)name, p) ||
            !pl_fmt(size, sizeof(size), "%.*s", (int)(n - name - 1), p + name + 1) ||
            pl_size_parse(size, &c->bytes, err) < 0 || c->bytes == 0) {
            (void)pl_fail(err, -EINVAL, "--ceiling '%.60s': POOL=SIZE is expected", text);
            (void)pl_hint(err, "for example --ceiling ram=8GiB,gpu0=6GiB");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        r->n_ceiling++;
        p += n + (p[n] == ',');
    }
    return 0;
}

/* A ceiling of a pool that is not here would hold nothing. */
static int pl_run_ceilings_known(const struct pl_running *r, struct pl_err *err)
{
    for (uint32_t i = 0; i < r->n_ceiling; i++) {
        struct pl_str names;
        const char *pool = r->ceiling[i].pool;
        if (pl_streq(pool, "ram") || pl_machine_pool_const(&r->machine, pool) != NULL)
            continue;
        pl_str_init(&names, 1024);
        for (uint32_t k = 0; k < r->machine.n_pool; k++)
            pl_str_addf(&names, "%s%s", k > 0 ? ", " : "", r->machine.pool[k].name);
        (void)pl_fail(err, -EINVAL, "--ceiling %s: this machine has no such pool", pool);
        (void)pl_hint(err, "it has %s", pl_str_get(&names));
        pl_str_done(&names);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return 0;
}

/* What a ceiling leaves is what is available. */
static void pl_run_lower(struct pl_running *r)
{
    for (uint32_t i = 0; i < r->n_ceiling; i++) {
        struct pl_pool *p = pl_machine_pool(&r->machine, r->ceiling[i].pool);
        if (p != NULL && (!pl_known(p->available) || p->available.likely > r->ceiling[i].bytes))
            p->available = pl_exact(r->ceiling[i].bytes, PL_SOURCE_DECLARED, "--ceiling");
    }
}

/* The model of the command, when it can be had without the network. */
static void pl_run_model(struct pl_running *r)
{
    const struct pl_command *c = &r->command;
    const char *spec = pl_cli_opt(r->cli, "model")->text;
    /* of a catalogue name other engines load the checkpoint itself */
    const struct pl_open_options how = {.offline = true, .quant = c->other != NULL ? "bf16" : NULL};
    char ollama[PL_RUN_TEXT_MAX];
    if (spec == NULL)
        spec = c->mounted[0] != '\0' ? c->mounted : c->model;
    if (spec == NULL || r->command.row == NULL)
        return;
    if (pl_streq(c->row->engine, "ollama") && !pl_starts(spec, "ollama:")) {
        if (!PL_FMT(ollama, "ollama:%s", spec))
            return;
        spec = ollama;
    }
    if (c->other == NULL && !pl_streq(c->row->engine, "llama.cpp") &&
        !pl_streq(c->row->engine, "ollama"))
        return;
    struct pl_err soft = {0};
    if (pl_streq(c->row->engine, "llama.cpp") && spec == c->model && access(spec, R_OK) != 0)
        return; /* the engine will say so itself */
    if (pl_model_open_with(spec, &how, &r->model, &soft) < 0) {
        r->model = NULL;
        (void)pl_mask_text(&r->mask, soft.what, r->unjudged, sizeof(r->unjudged));
    }
}

static void pl_run_forecast(struct pl_running *r)
{
    struct pl_err soft = {0};
    if (r->model == NULL)
        return;
    struct pl_command *c = &r->command;
    uint64_t devices = 0;
    for (uint32_t i = 0; i < r->machine.n_pool; i++) {
        const struct pl_pool *p = &r->machine.pool[i];
        if (p->kind == PL_POOL_DEDICATED && pl_known(p->capacity))
            devices = pl_add_sat(devices, p->capacity.likely);
    }
    pl_command_on(c, devices, pl_model_arch_u64(r->model, "context_length", 0));
    int rc = c->other != NULL ? pl_forecast_engine(c->other, r->model, &c->values, &r->machine,
                                                   &r->forecast, &soft)
                              : pl_forecast_make(r->model, &c->settings, &r->machine, NULL, NULL,
                                                 r->ledger, &r->forecast, &soft);
    r->has_forecast = rc == 0;
    if (rc < 0)
        (void)pl_mask_text(&r->mask, soft.what, r->unjudged, sizeof(r->unjudged));
    if (r->has_forecast && r->forecast.footprint.n_pool > 0)
        r->predicted = r->forecast.footprint.pool[0].peak;
}

/* The same command ran before: its peak is the prediction. */
static void pl_run_recall(struct pl_running *r)
{
    struct pl_run like = {0};
    enum pl_ledger_match match = PL_MATCH_NONE;
    (void)PL_FMT(like.engine, "command");
    (void)PL_FMT(like.model, "%s", r->signature);
    if (r->ledger == NULL || pl_ledger_last_run(r->ledger, &like, &r->before, &match, NULL) < 0 ||
        match < PL_MATCH_MODEL || !pl_known(r->before.measured_total))
        return;
    r->has_before = true;
    uint64_t peak = r->before.measured_total.likely;
    /* the next run of a command need not do the same work: a tenth either way */
    r->predicted = pl_between(peak - peak / 10, peak, peak + peak / 10, PL_SOURCE_DERIVED,
                              "what the same command used the last time");
}

bool pl_run_machine(struct pl_running *r)
{
    struct pl_err soft = {0};
    if (!r->machine_read)
        r->machine_read = pl_cli_machine_brief(&r->machine, &soft) == 0;
    return r->machine_read;
}

/* An unreadable machine admits what it cannot judge. */
static int pl_run_judge(struct pl_running *r)
{
    pl_run_lower(r);
    pl_run_forecast(r);
    return 0;
}

static int pl_run_know_all(struct pl_running *r, struct pl_err *err)
{
    const struct pl_opt_value *ceilings = pl_cli_opt(r->cli, "ceiling");
    r->predicted = PL_QUANTITY_UNKNOWN("this command was not seen before");
    int rc = pl_command_read(r->argc, r->argv, &r->command, err);
    for (uint32_t i = 0; rc == 0 && i < ceilings->n_list; i++)
        rc = pl_run_ceiling(r, ceilings->list[i], err);
    if (rc < 0)
        return rc;
    pl_mask_words(&r->mask, r->argc, r->argv);
    pl_mask_environment(&r->mask, environ);
    pl_run_signature(r);
    if (!pl_cli_opt(r->cli, "no-ledger")->given)
        (void)pl_ledger_open(pl_cli_opt(r->cli, "ledger")->text, PL_LEDGER_READ, &r->ledger, NULL);
    pl_run_recall(r);
    pl_run_model(r);
    if (!r->has_before && r->model == NULL && r->n_ceiling == 0)
        return 0; /* nothing is known to hold against the machine: it is not asked */
    if (!pl_run_machine(r))
        return 0;
    rc = pl_run_ceilings_known(r, err);
    return rc == 0 ? pl_run_judge(r) : rc;
}

/* What a known engine will need, and nobody could say: not a silent yes. */
int pl_run_know(struct pl_running *r, struct pl_err *err)
{
    int rc = pl_run_know_all(r, err);
    if (r->has_before || r->unjudged[0] == '\0')
        r->unjudged[0] = '\0';
    else
        r->predicted = PL_QUANTITY_UNKNOWN(r->unjudged);
    return rc;
}

/* A server that holds a model already may hold this one, and unloads others by itself. */
static bool pl_run_server_decides(const struct pl_running *r)
{
    static struct pl_elsewhere server;
    struct pl_root root;
    if (!r->command.elsewhere || !pl_streq(r->command.row->engine, "ollama") ||
        pl_root_open(NULL, &root, NULL) < 0)
        return false;
    pl_elsewhere_server(&server, &root, getenv("OLLAMA_HOST"));
    pl_root_done(&root);
    return server.pid == 0 || server.before > PL_RUN_LOADED_MIN;
}

bool pl_run_admits(struct pl_running *r)
{
    const struct pl_pool *ram = pl_machine_pool(&r->machine, "ram");
    if (r->has_forecast) {
        if (r->forecast.judgement.verdict != PL_VERDICT_DOES_NOT_FIT)
            return true;
        if (pl_run_server_decides(r))
            return true;
        if (r->command.other == NULL)
            (void)pl_relief_find(&r->forecast, NULL, 0, &r->reliefs, NULL);
        return false;
    }
    return !pl_known(r->predicted) || ram == NULL || !pl_known(ram->available) ||
           r->predicted.low <= ram->available.likely;
}
