/* fit MODEL --matrix: does a model run in five precisions, machine by machine, and why not. */
#include "base/table.h"
#include "base/units.h"
#include "cli/fit.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "engine/llamacpp/devices.h"
#include "model/mix.h"
#include "report/quantity.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PL_MATRIX_MACHINES (2 * PL_OPT_LIST_MAX)
#define PL_MATRIX_ROWS 5
#define PL_MATRIX_TIGHT 10u     /* per cent of a pool: with less to spare it is tight */
#define PL_MATRIX_CONTEXT 4096u /* wanted, unless said */
#define PL_MATRIX_SHORT 512u    /* the least that is worth to be called running */

static const struct pl_matrix_row {
    const char *name, *quant;
} pl_matrix_rows[PL_MATRIX_ROWS] = {
    {"FP32",   "f32"   },
    {"FP16",   "f16"   },
    {"INT8",   "q8_0"  },
    {"INT4",   "q4_0"  },
    {"Q4_K_M", "q4_k_m"},
};

enum pl_matrix_fits { PL_MATRIX_NO = 0, PL_MATRIX_IS_TIGHT, PL_MATRIX_FITS, PL_MATRIX_UNKNOWN };

struct pl_matrix_cell {
    enum pl_matrix_fits fits;
    uint64_t slots, context;
    struct pl_quantity peak; /* of the fullest pool */
    char pool[PL_POOL_NAME_MAX];
    char reason[PL_REASON_TEXT_MAX];
};

struct pl_matrix {
    const struct pl_fit_ask *ask;
    struct pl_cli one; /* with a single machine */
    struct pl_machine machine;
    struct pl_forecast forecast;
    struct pl_matrix_cell cell[PL_MATRIX_ROWS][PL_MATRIX_MACHINES];
    char name[PL_MATRIX_MACHINES][48];
    uint64_t file_bytes[PL_MATRIX_ROWS];
    uint32_t n;
    uint64_t context;
    bool alone; /* a file: its own precision only */
};

static const char *pl_matrix_word(enum pl_matrix_fits f)
{
    static const char *const words[] = {"no", "tight", "fits", "unknown"};
    return words[f];
}

/* The fullest pool, and whether it has less than a tenth of itself to spare. */
static bool pl_matrix_full(struct pl_matrix *x, struct pl_matrix_cell *c)
{
    bool tight = false;
    double most = -1;
    const struct pl_footprint *f = &x->forecast.footprint;
    for (uint32_t i = 0; i < f->n_pool; i++) {
        const struct pl_pool_footprint *p = &f->pool[i];
        const struct pl_pool *pool = pl_machine_pool_const(&x->machine, p->pool);
        struct pl_quantity all = pl_machine_available(&x->machine, p->pool);
        if (pool == NULL || !pl_known(all) || !pl_known(pool->capacity) || !pl_known(p->peak) ||
            all.low == 0)
            continue;
        double share = (double)p->peak.high / (double)all.low;
        uint64_t spare = all.low > p->peak.high ? all.low - p->peak.high : 0;
        tight = tight || spare < pool->capacity.likely / 100 * PL_MATRIX_TIGHT;
        if (share > most) {
            most = share;
            c->peak = p->peak;
            (void)PL_FMT(c->pool, "%s", p->pool);
        }
    }
    return tight;
}

static void pl_matrix_said(struct pl_matrix *x, struct pl_matrix_cell *c)
{
    const struct pl_judgement *j = &x->forecast.judgement;
    if (j->n_reason > 0)
        (void)PL_FMT(c->reason, "%s", j->reason[0]);
}

static void pl_matrix_one(struct pl_matrix *x, const struct pl_model *m, struct pl_matrix_cell *c)
{
    struct pl_used_devices devices;
    struct pl_reach r = {.model = m,
                         .machine = &x->machine,
                         .ledger = NULL,
                         .settings = x->ask->settings,
                         .forecast = &x->forecast};
    pl_llamacpp_devices(&x->machine, NULL, &devices);
    if (!x->ask->place_given && devices.n > 0)
        r.settings.n_gpu_layers = (int64_t)pl_model_arch_u64(m, "block_count", 0) + 1;
    bool fits = pl_reach_fits(&r, x->context, 1);
    bool tight = pl_matrix_full(x, c);
    enum pl_verdict v = x->forecast.judgement.verdict;
    c->context = x->context;
    pl_matrix_said(x, c);
    if (fits) {
        c->fits = tight || v == PL_VERDICT_CONSTRAINED ? PL_MATRIX_IS_TIGHT : PL_MATRIX_FITS;
        if (tight)
            (void)PL_FMT(c->reason, "less than %u %% of %s to spare", PL_MATRIX_TIGHT, c->pool);
        else if (v == PL_VERDICT_SAFE)
            c->reason[0] = '\0';
        c->slots = pl_reach_slots(&r, x->context).value;
        return;
    }
    c->fits = v == PL_VERDICT_CANNOT_TELL ? PL_MATRIX_UNKNOWN
              : v == PL_VERDICT_FRAGILE   ? PL_MATRIX_IS_TIGHT
                                          : PL_MATRIX_NO;
    struct pl_reached reach = pl_reach_context(&r, 1);
    if (reach.value >= PL_MATRIX_SHORT) {
        c->fits = PL_MATRIX_IS_TIGHT;
        c->slots = 1;
        c->context = reach.value;
        (void)PL_FMT(c->reason, "one slot, and no more than %llu tokens of context",
                     (unsigned long long)reach.value);
    }
}

static int pl_matrix_models(struct pl_matrix *x, const char *spec, uint32_t column,
                            struct pl_err *err)
{
    const struct pl_catalogue_row *row = pl_catalogue_find(spec);
    if (row == NULL) {
        (void)pl_fail(err, -EINVAL,
                      "--matrix: '%.80s' is no id of the catalogue without a "
                      "quantisation: a file has one precision",
                      spec);
        (void)pl_hint(err, "plimsoll estimate FILE --machine M tells of one");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    for (uint32_t i = 0; i < PL_MATRIX_ROWS; i++) {
        struct pl_model *m = NULL;
        int rc = pl_catalogue_model(row, pl_matrix_rows[i].quant, &m, err);
        if (rc < 0)
            return rc;
        x->file_bytes[i] = m->file_bytes;
        pl_matrix_one(x, m, &x->cell[i][column]);
        (void)pl_model_free(m);
    }
    return 0;
}

static struct pl_opt_value *pl_matrix_opt(struct pl_matrix *x, const char *name)
{
    return &x->one.value[pl_cli_opt(&x->one, name) - x->one.value];
}

/* A column: the machine of this file or of these devices, or this one when neither is named. */
static int pl_matrix_column(struct pl_matrix *x, const char *file, const char *device,
                            struct pl_err *err)
{
    struct pl_opt_value none = {0};
    const struct pl_opt_value ram = *pl_cli_opt(x->ask->cli, "ram");
    const char *name = file != NULL ? file : device != NULL ? device : "here";
    const char *slash = strrchr(name, '/');
    *pl_matrix_opt(x, "machine") =
        file != NULL ? (struct pl_opt_value){.given = true, .text = file} : none;
    *pl_matrix_opt(x, "device") =
        device != NULL ? (struct pl_opt_value){.given = true, .text = device} : none;
    *pl_matrix_opt(x, "ram") = device != NULL ? ram : none;
    int rc = pl_cli_machine_asked(&x->one, &x->machine, err);
    if (rc < 0)
        return rc;
    (void)pl_text_cut(x->name[x->n], sizeof(x->name[0]), slash != NULL ? slash + 1 : name);
    rc = pl_matrix_models(x, x->one.arg[0], x->n, err);
    x->n += rc == 0 ? 1 : 0;
    return rc;
}

static void pl_matrix_text(const struct pl_matrix *x, struct pl_str *out)
{
    const char *titles[PL_TABLE_COLUMNS_MAX] = {"precision", ">file"};
    uint32_t shown = x->n < PL_TABLE_COLUMNS_MAX - 3 ? x->n : PL_TABLE_COLUMNS_MAX - 3;
    bool colour = pl_colour_wanted(STDOUT_FILENO);
    char size[PL_SIZE_TEXT_MAX];
    for (uint32_t k = 0; k < shown; k++)
        titles[2 + k] = x->name[k];
    titles[2 + shown] = NULL;
    struct pl_table *t = pl_table_new(titles);
    for (uint32_t i = 0; i < PL_MATRIX_ROWS && t != NULL; i++) {
        pl_table_row(t);
        pl_table_cell(t, "%s", pl_matrix_rows[i].name);
        pl_table_cell(t, "%s", pl_size_text(x->file_bytes[i], size));
        for (uint32_t k = 0; k < shown; k++) {
            const struct pl_matrix_cell *c = &x->cell[i][k];
            if (c->slots > 0)
                pl_table_cell(t, "%s, %llu slot%s", pl_matrix_word(c->fits),
                              (unsigned long long)c->slots, c->slots == 1 ? "" : "s");
            else
                pl_table_cell(t, "%s", pl_matrix_word(c->fits));
        }
    }
    pl_str_addf(out, "%s, %llu tokens of context in each slot\n", x->one.arg[0],
                (unsigned long long)x->context);
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    for (uint32_t k = 0; k < x->n; k++) {
        for (uint32_t i = 0; i < PL_MATRIX_ROWS; i++) {
            if (x->cell[i][k].reason[0] != '\0')
                pl_str_addf(out, "%s, %s: %s\n", x->name[k], pl_matrix_rows[i].name,
                            x->cell[i][k].reason);
        }
    }
    pl_str_add(out, "as llama.cpp runs them: INT8 is Q8_0, INT4 is Q4_0; with devices every layer "
                    "is on them\n");
}

static void pl_matrix_json(const struct pl_matrix *x, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.fit/1");
    pl_json_str(&j, "model", x->one.arg[0]);
    pl_json_u64(&j, "n_ctx_slot", x->context);
    pl_json_array(&j, "matrix");
    for (uint32_t i = 0; i < PL_MATRIX_ROWS; i++) {
        pl_json_object(&j, NULL);
        pl_json_str(&j, "precision", pl_matrix_rows[i].name);
        pl_json_str(&j, "quant", pl_mix_named(pl_matrix_rows[i].quant)->name);
        pl_json_u64(&j, "file_bytes", x->file_bytes[i]);
        pl_json_array(&j, "machines");
        for (uint32_t k = 0; k < x->n; k++) {
            const struct pl_matrix_cell *c = &x->cell[i][k];
            pl_json_object(&j, NULL);
            pl_json_str(&j, "machine", x->name[k]);
            pl_json_str(&j, "fits", pl_matrix_word(c->fits));
            pl_json_u64(&j, "max_slots", c->slots);
            pl_json_u64(&j, "n_ctx", c->context);
            pl_json_str(&j, "pool", c->pool[0] != '\0' ? c->pool : NULL);
            pl_json_quantity(&j, "peak", c->peak);
            pl_json_str(&j, "reason", c->reason[0] != '\0' ? c->reason : NULL);
            pl_json_end(&j);
        }
        pl_json_end(&j);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_end(&j);
}

int pl_fit_matrix(struct pl_cli *cli, const struct pl_fit_ask *ask, struct pl_err *err)
{
    static struct pl_matrix x;
    const struct pl_opt_value *machine = pl_cli_opt(cli, "machine");
    const struct pl_opt_value *device = pl_cli_opt(cli, "device");
    bool said = pl_cli_opt(cli, "context")->given || cli->settings.n_ctx > 0;
    if (cli->n_arg != 1) {
        (void)pl_fail(err, -EINVAL, "fit: --matrix is of one MODEL");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    x.ask = ask;
    x.one = *cli;
    x.context = said ? ask->context : PL_MATRIX_CONTEXT;
    int rc = pl_cli_catalogue(cli, err);
    for (uint32_t i = 0; i < machine->n_list && rc == 0; i++)
        rc = pl_matrix_column(&x, machine->list[i], NULL, err);
    for (uint32_t i = 0; i < device->n_list && rc == 0; i++)
        rc = pl_matrix_column(&x, NULL, device->list[i], err);
    if (rc == 0 && x.n == 0)
        rc = pl_matrix_column(&x, NULL, NULL, err);
    if (rc < 0)
        return rc;
    if (cli->json)
        pl_matrix_json(&x, &cli->out);
    else
        pl_matrix_text(&x, &cli->out);
    return PL_EXIT_YES;
}
