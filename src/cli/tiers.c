/* plimsoll tiers: the budget of a size of main memory, its tier, and what it carries. */
#include "cli/tiers.h"

#include "base/checked.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/verbs.h"
#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"
#include "model/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_TIERS_LARGEST (1024ull * 1024 * PL_GIB)
#define PL_TIERS_CONTEXT_MAX (1u << 20)

/* "64", "64GB", "64GiB": memory is sold in powers of two, whatever stands on it. */
static int pl_tiers_size(const char *text, uint64_t *ret, struct pl_err *err)
{
    char whole[64];
    size_t n = strlen(text);
    bool fits = n > 0 && n < sizeof(whole) - 4;
    if (fits && strchr("0123456789.", text[n - 1]) != NULL)
        fits = PL_FMT(whole, "%sGiB", text);
    else if (fits && n > 2 && strchr("GTM", text[n - 2]) != NULL && text[n - 1] == 'B')
        fits = PL_FMT(whole, "%.*siB", (int)n - 1, text);
    else
        fits = fits && PL_FMT(whole, "%s", text);
    int rc = fits ? pl_size_parse(whole, ret, err)
                  : pl_fail(err, -EINVAL, "'%.40s' is no size of memory", text);
    if (rc == 0 && (*ret == 0 || *ret > PL_TIERS_LARGEST))
        rc = pl_fail(err, -ERANGE, "'%.40s': sizes go from above 0 to 1024 TiB", text);
    if (rc < 0)
        (void)pl_hint(err, "for example 64, 64GB or 1.5TB");
    return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_USAGE) : 0;
}

/* A machine with nothing but room: a footprint does not depend on how much there is. */
static struct pl_machine *pl_tiers_room(void)
{
    static struct pl_machine m;
    memset(&m, 0, sizeof(m));
    struct pl_pool *p = pl_machine_add_pool(&m, "ram", PL_POOL_HOST);
    p->capacity = p->available = pl_exact(PL_TIERS_LARGEST, PL_SOURCE_ASSUMED, "room for all");
    p->reserved = p->used = p->reclaimable = p->largest_allocation = PL_QUANTITY_UNKNOWN("");
    return &m;
}

static int pl_tiers_need(const struct pl_model *m, uint64_t context, uint64_t *ret,
                         struct pl_err *err)
{
    static struct pl_forecast f;
    struct pl_settings s;
    pl_llamacpp_defaults(&s);
    s.n_ctx = context;
    s.n_parallel = 1;
    s.cache_ram_mib = 0;
    int rc = pl_forecast_make(m, &s, pl_tiers_room(), NULL, "", NULL, &f, err);
    if (rc < 0)
        return rc;
    const struct pl_pool_footprint *p = &f.footprint.pool[0];
    *ret = p->peak.high > p->load_peak.high ? p->peak.high : p->load_peak.high;
    return 0;
}

/* A vision model needs its projector too, which is a file of its own. */
static int pl_tiers_role(const struct pl_role *r, uint64_t context,
                         uint64_t bytes[PL_ROLE_VARIANTS], struct pl_err *err)
{
    const struct pl_catalogue_row *row = pl_catalogue_find(r->model);
    struct pl_model *m = NULL;
    if (row == NULL)
        return pl_fail(err, -ENOENT, "%s: the catalogue has no %s", r->role, r->model);
    int rc = 0;
    for (enum pl_role_variant v = PL_ROLE_BASE; v < PL_ROLE_VARIANTS && rc == 0; v++) {
        const char *quant = pl_role_quant(r, v);
        bool same = v > PL_ROLE_BASE && pl_streq(quant, pl_role_quant(r, v - 1));
        if (!same) {
            m = pl_model_free(m);
            rc = pl_catalogue_model(row, quant, &m, err);
        }
        if (rc == 0)
            rc = pl_tiers_need(m, pl_role_context(v, context), &bytes[v], err);
        if (rc == 0)
            bytes[v] = pl_add_sat(bytes[v], row->mmproj_bytes_f16);
    }
    (void)pl_model_free(m);
    return rc;
}

static int pl_tiers_needs(struct pl_tiers_shown *s, struct pl_err *err)
{
    size_t n = 0;
    const struct pl_role *role = pl_roles(&n);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = pl_tiers_role(&role[i], s->context, s->needs.bytes[i], err);
    return rc;
}

/* The main memory of the machine asked for, as it is sold. */
static int pl_tiers_machine(const struct pl_cli *cli, struct pl_tiers_shown *s, uint64_t *ret,
                            struct pl_err *err)
{
    static struct pl_machine m;
    int rc = pl_cli_machine_asked(cli, &m, err);
    if (rc < 0)
        return rc;
    const struct pl_pool *ram = pl_machine_pool_const(&m, "ram");
    if (ram == NULL || !pl_known(ram->capacity)) {
        (void)pl_fail(err, -ENODATA, "the size of that machine's main memory is not known");
        (void)pl_hint(err, "give the size: plimsoll tiers 64");
        return pl_exit_as(err, -ENODATA, PL_EXIT_CANNOT_TELL);
    }
    s->usable = ram->capacity.likely;
    s->size_from = m.this_system ? "this machine" : "that machine";
    *ret = pl_ram_nominal(s->usable);
    return 0;
}

static int pl_tiers_asked(const struct pl_cli *cli, struct pl_tiers_shown *s, struct pl_err *err)
{
    static const char *const of[] = {"machine", "device", "ram"};
    uint64_t size = 0;
    int rc = 0;
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        if (cli->n_arg == 0 || !pl_cli_opt(cli, of[i])->given)
            continue;
        (void)pl_fail(err, -EINVAL, "sizes and --%s exclude each other", of[i]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    s->n = cli->n_arg > 0 ? cli->n_arg : 1;
    s->size = calloc(s->n, sizeof(*s->size));
    if (s->size == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the sizes");
    for (uint32_t i = 0; i < s->n && rc == 0; i++) {
        rc = cli->n_arg > 0 ? pl_tiers_size(cli->arg[i], &size, err)
                            : pl_tiers_machine(cli, s, &size, err);
        if (rc == 0)
            pl_carried_of(size, &s->needs, &s->size[i]);
    }
    return rc;
}

static int pl_tiers_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_tiers_shown s;
    const struct pl_opt_value *context = pl_cli_opt(cli, "context");
    s.context = context->given ? context->u : PL_TIERS_CONTEXT;
    if (s.context == 0 || s.context > PL_TIERS_CONTEXT_MAX) {
        (void)pl_fail(err, -ERANGE, "--context: 1 to %u tokens", PL_TIERS_CONTEXT_MAX);
        return pl_exit_as(err, -ERANGE, PL_EXIT_USAGE);
    }
    int rc = pl_cli_catalogue(cli, err);
    if (rc == 0)
        rc = pl_tiers_needs(&s, err);
    if (rc == 0)
        rc = pl_tiers_asked(cli, &s, err);
    if (rc == 0 && cli->json)
        pl_tiers_json(&s, &cli->out);
    else if (rc == 0)
        pl_tiers_text(&s, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    free(s.size);
    return rc < 0 ? rc : PL_EXIT_YES;
}

static const struct pl_opt pl_tiers_opts[] = {
    PL_CLI_MACHINE_OPTS,
    {"context",      'c', PL_OPT_NUMBER, "N", "tokens of context each role has (8192)"},
    PL_CLI_CATALOGUE_OPT,
    {0},
};

static const char *const pl_tiers_examples[] = {
    "plimsoll tiers                 # this machine",
    "plimsoll tiers 64 128 256 512 1024",
    "plimsoll tiers 192 --context 32768 --json",
    "plimsoll tiers --device rtx3090 --ram 96GiB",
    0,
};

const struct pl_verb pl_verb_tiers = {
    .name = "tiers",
    .args = "[SIZE...]",
    .summary = "what a size of main memory carries: budget, tier, roles and their models",
    .details =
        "SIZE is of main memory as it is sold: 64, 64GB and 64GiB are the same. For a stack of\n"
        "models by role on the CPU; one rule gives the table of tiers and each configuration.\n"
        "Where the guide that such stacks follow contradicts itself, both are shown.",
    .examples = pl_tiers_examples,
    .opts = pl_tiers_opts,
    .args_max = PL_TIERS_SIZES_MAX,
    .run = pl_tiers_run,
};
