#include "cli/compare.h"

#include "base/table.h"
#include "base/units.h"
#include "report/versus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_COMPARE_RUNS_MAX 512

static int pl_compare_take(void *ctx, const struct pl_run *run)
{
    memcpy(ctx, run, sizeof(*run));
    return 1;
}

static int pl_compare_id(struct pl_ledger *l, int64_t id, struct pl_run *ret, struct pl_err *err)
{
    int rc = pl_ledger_runs(l, &(struct pl_ledger_filter){.id = id}, pl_compare_take, ret, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    (void)pl_fail(err, -ENOENT, "run %lld: not in the ledger", (long long)id);
    (void)pl_hint(err, "'plimsoll runs' lists them");
    return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
}

/* What the two do not have in common; "" = nothing. */
static void pl_compare_unlike(const struct pl_run *a, const struct pl_run *b, struct pl_str *out)
{
    char context[2][24];
    (void)PL_FMT(context[0], "%llu", (unsigned long long)a->settings.n_ctx);
    (void)PL_FMT(context[1], "%llu", (unsigned long long)b->settings.n_ctx);
    const char *const what[][3] = {
        {"model",        a->model,          b->model         },
        {"quantisation", a->quant,          b->quant         },
        {"context",      context[0],        context[1]       },
        {"engine",       a->engine,         b->engine        },
        {"version",      a->engine_version, b->engine_version},
        {"backend",      a->backend,        b->backend       },
        {"machine",      a->machine_text,   b->machine_text  },
        {"driver",       a->driver,         b->driver        },
        {"flags",        a->flags,          b->flags         },
    };
    for (size_t i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
        char x[128], y[128];
        if (pl_streq(what[i][1], what[i][2]))
            continue;
        (void)PL_FMT(x, "%s", what[i][1][0] != '\0' ? what[i][1] : "unknown");
        (void)PL_FMT(y, "%s", what[i][2][0] != '\0' ? what[i][2] : "unknown");
        pl_text_clean(x);
        pl_text_clean(y);
        pl_str_addf(out, "%-13s %s | %s\n", what[i][0], x, y);
    }
}

static void pl_compare_ids_print(struct pl_cli *cli, const struct pl_run *a, const struct pl_run *b)
{
    static struct pl_versus v;
    char name[2][32];
    struct pl_str unlike;
    pl_str_init(&unlike, 4096);
    pl_compare_unlike(a, b, &unlike);
    pl_versus_runs(a, b, &v);
    if (cli->json) {
        struct pl_json j;
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.compare/1");
        pl_json_str(&j, "kind", "runs");
        pl_json_i64(&j, "a", a->id);
        pl_json_i64(&j, "b", b->id);
        pl_json_bool(&j, "aligned",
                     pl_streq(a->model, b->model) && pl_streq(a->quant, b->quant) &&
                         a->settings.n_ctx == b->settings.n_ctx &&
                         pl_streq(a->engine_version, b->engine_version));
        pl_versus_json(&v, &j, "rows");
        pl_json_end(&j);
        pl_str_done(&unlike);
        return;
    }
    (void)PL_FMT(name[0], "run %lld", (long long)a->id);
    (void)PL_FMT(name[1], "run %lld", (long long)b->id);
    pl_str_addf(&cli->out, "%s%s\n", pl_str_get(&unlike),
                unlike.len > 0 ? "" : "the same model, settings, engine and machine\n");
    pl_versus_text(&v, name[0], name[1], false, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    pl_str_addf(&cli->out,
                "%u worse, %u better beyond the noise (spread of the repeats, intervals "
                "of what was measured)\n",
                v.worse, v.better);
    pl_str_done(&unlike);
}

int pl_compare_ids(struct pl_cli *cli, int64_t a, int64_t b, struct pl_err *err)
{
    static struct pl_run run[2];
    struct pl_ledger *l = NULL;
    int rc = pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &l, err);
    if (rc == 0)
        rc = pl_compare_id(l, a, &run[0], err);
    if (rc == 0)
        rc = pl_compare_id(l, b, &run[1], err);
    if (rc == 0)
        pl_compare_ids_print(cli, &run[0], &run[1]);
    (void)pl_ledger_close(l);
    return rc;
}

static struct pl_quantity pl_compare_quantity(pl_jval v)
{
    uint64_t low = 0, likely = 0, high = 0;
    if (!pl_ju64(pl_jget(v, "bytes"), &likely) || !pl_ju64(pl_jget(v, "low"), &low) ||
        !pl_ju64(pl_jget(v, "high"), &high) || low > likely || likely > high)
        return PL_QUANTITY_UNKNOWN("not in the file");
    return pl_between(low, likely, high, PL_SOURCE_MEASURED, "of the file");
}

static void pl_compare_number(pl_jval v, double *ret)
{
    if (!pl_jnum(v, ret) || !(*ret >= 0))
        *ret = 0;
}

/* A run as `runs --json` writes it; false for one that is not finished. */
static bool pl_compare_parse(pl_jval v, struct pl_run *r)
{
    uint64_t repeats = 0;
    memset(r, 0, sizeof(*r));
    pl_jval model = pl_jget(v, "model"), engine = pl_jget(v, "engine");
    pl_jval timing = pl_jget(v, "timing"), measured = pl_jget(v, "measured");
    (void)PL_FMT(r->model, "%s", pl_jstr(pl_jget(model, "name"), ""));
    (void)PL_FMT(r->quant, "%s", pl_jstr(pl_jget(model, "file_type"), ""));
    (void)PL_FMT(r->engine, "%s", pl_jstr(pl_jget(engine, "name"), ""));
    (void)PL_FMT(r->engine_version, "%s", pl_jstr(pl_jget(engine, "version"), ""));
    (void)PL_FMT(r->fill, "%s", pl_jstr(pl_jget(v, "fill"), ""));
    r->ghost = pl_jbool(pl_jget(model, "ghost"), false);
    (void)pl_ju64(pl_jget(pl_jget(v, "settings"), "n_ctx"), &r->settings.n_ctx);
    r->measured_total = pl_compare_quantity(pl_jget(measured, "total"));
    for (int k = 0; k < PL_PARTS; k++)
        r->measured[k] =
            pl_compare_quantity(pl_jget(pl_jget(measured, "parts"), pl_part_name((enum pl_part)k)));
    if (pl_ju64(pl_jget(timing, "repeats"), &repeats))
        r->repeats = repeats > 1000 ? 1000 : (uint32_t)repeats;
    (void)pl_ju64(pl_jget(timing, "prompt_tokens"), &r->timing.prompt_tokens);
    (void)pl_ju64(pl_jget(timing, "predicted_tokens"), &r->timing.predicted_tokens);
    pl_compare_number(pl_jget(timing, "prompt_tokens_per_second"),
                      &r->timing.prompt_tokens_per_second);
    pl_compare_number(pl_jget(timing, "predicted_tokens_per_second"),
                      &r->timing.predicted_tokens_per_second);
    pl_compare_number(pl_jget(timing, "prompt_spread"), &r->prompt_spread);
    pl_compare_number(pl_jget(timing, "predicted_spread"), &r->predicted_spread);
    pl_jval valid = pl_jget(pl_jget(v, "beside"), "speed_valid");
    r->beside.judged = !pl_jis_null(valid);
    r->beside.disturbed = r->beside.judged && !pl_jbool(valid, true);
    return r->model[0] != '\0' && pl_streq(pl_jstr(pl_jget(v, "status"), ""), "ok");
}

static bool pl_compare_aligned(const struct pl_run *a, const struct pl_run *b)
{
    return pl_streq(a->model, b->model) && pl_streq(a->quant, b->quant) &&
           a->settings.n_ctx == b->settings.n_ctx && pl_streq(a->engine, b->engine) &&
           pl_streq(a->engine_version, b->engine_version);
}

/* The newest run of each kind: files have the newest first. */
static uint32_t pl_compare_newest(pl_jval root, struct pl_run *runs)
{
    pl_jval list = pl_jget(root, "runs");
    uint32_t n = 0;
    for (size_t i = 0; i < pl_jlen(list) && n < PL_COMPARE_RUNS_MAX; i++) {
        if (!pl_compare_parse(pl_jat(list, i), &runs[n]))
            continue;
        bool seen = false;
        for (uint32_t k = 0; k < n; k++)
            seen = seen || pl_compare_aligned(&runs[k], &runs[n]);
        n += !seen;
    }
    return n;
}

static const struct pl_versus_row *pl_compare_find(const struct pl_versus *v, const char *what)
{
    for (uint32_t i = 0; i < v->n; i++) {
        if (pl_streq(v->row[i].what, what))
            return &v->row[i];
    }
    return NULL;
}

static void pl_compare_cells(struct pl_table *t, const struct pl_versus_row *r)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    if (r == NULL || !(r->a > 0) || !(r->b > 0)) {
        for (int i = 0; i < 3; i++)
            pl_table_cell(t, "unknown");
        return;
    }
    if (r->rate) {
        pl_table_cell(t, "%.1f", r->a);
        pl_table_cell(t, "%.1f", r->b);
    } else {
        pl_table_cell(t, "%s", pl_size_text((uint64_t)r->a, a));
        pl_table_cell(t, "%s", pl_size_text((uint64_t)r->b, b));
    }
    if (r->is == PL_VERSUS_UNKNOWN)
        pl_table_cell(t, "not valid");
    else if (r->is == PL_VERSUS_SAME)
        pl_table_cell(t, "same");
    else
        pl_table_cell(t, "%+.1f %%", 100 * (r->b - r->a) / r->a);
}

struct pl_compare_out {
    struct pl_table *table;
    struct pl_json *json;
};

static void pl_compare_pair(const struct pl_compare_out *o, const struct pl_run *a,
                            const struct pl_run *b)
{
    static struct pl_versus v;
    char model[96], version[64];
    pl_versus_runs(a, b, &v);
    if (o->json != NULL) {
        pl_json_object(o->json, NULL);
        pl_json_str(o->json, "model", a->model);
        pl_json_str(o->json, "quant", a->quant);
        pl_json_u64(o->json, "n_ctx", a->settings.n_ctx);
        pl_json_str(o->json, "engine", a->engine);
        pl_json_str(o->json, "engine_version", a->engine_version);
        pl_versus_json(&v, o->json, "rows");
        pl_json_end(o->json);
        return;
    }
    (void)PL_FMT(model, "%.60s %.30s", a->model, a->quant);
    (void)PL_FMT(version, "%.60s", a->engine_version);
    pl_text_clean(model);
    pl_text_clean(version);
    pl_table_row(o->table);
    pl_table_cell(o->table, "%s", model);
    pl_table_cell(o->table, "%llu", (unsigned long long)a->settings.n_ctx);
    pl_table_cell(o->table, "%s", version);
    pl_compare_cells(o->table, pl_compare_find(&v, "ram total"));
    pl_compare_cells(o->table, pl_compare_find(&v, "prefill"));
    pl_compare_cells(o->table, pl_compare_find(&v, "decode"));
}

static uint32_t pl_compare_pairs(const struct pl_compare_out *o, const struct pl_run *a,
                                 uint32_t n_a, const struct pl_run *b, uint32_t n_b)
{
    uint32_t pairs = 0;
    for (uint32_t i = 0; i < n_a; i++) {
        for (uint32_t k = 0; k < n_b; k++) {
            if (!pl_compare_aligned(&a[i], &b[k]))
                continue;
            pl_compare_pair(o, &a[i], &b[k]);
            pairs++;
            break;
        }
    }
    return pairs;
}

static void pl_compare_files_json(struct pl_cli *cli, const char *name_a, const char *name_b,
                                  const struct pl_run *a, uint32_t n_a, const struct pl_run *b,
                                  uint32_t n_b)
{
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.compare/1");
    pl_json_str(&j, "kind", "files");
    pl_json_str(&j, "a", name_a);
    pl_json_str(&j, "b", name_b);
    pl_json_array(&j, "pairs");
    uint32_t pairs = pl_compare_pairs(&(struct pl_compare_out){.json = &j}, a, n_a, b, n_b);
    pl_json_end(&j);
    pl_json_u64(&j, "only_a", n_a - pairs);
    pl_json_u64(&j, "only_b", n_b - pairs);
    pl_json_end(&j);
}

int pl_compare_files(struct pl_cli *cli, const char *name_a, pl_jval a, const char *name_b,
                     pl_jval b, struct pl_err *err)
{
    static const char *const titles[] = {"model", ">context",  "engine", ">memory A", ">B",
                                         "",      ">prompt A", ">B",     "",          ">decode A",
                                         ">B",    "",          0};
    struct pl_run *runs = calloc(2 * (PL_COMPARE_RUNS_MAX + 1), sizeof(*runs));
    struct pl_table *t = pl_table_new(titles);
    int rc = 0;
    if (runs == NULL || t == NULL) {
        rc = pl_fail(err, -ENOMEM, "no memory for the runs");
        goto end;
    }
    struct pl_run *other = runs + PL_COMPARE_RUNS_MAX + 1;
    uint32_t n_a = pl_compare_newest(a, runs), n_b = pl_compare_newest(b, other);
    if (cli->json) {
        pl_compare_files_json(cli, name_a, name_b, runs, n_a, other, n_b);
        goto end;
    }
    uint32_t pairs = pl_compare_pairs(&(struct pl_compare_out){.table = t}, runs, n_a, other, n_b);
    pl_str_addf(&cli->out, "A  %s\nB  %s\n\n", name_a, name_b);
    if (pairs > 0)
        pl_table_print(t, &cli->out, pl_colour_wanted(STDOUT_FILENO));
    pl_str_addf(&cli->out,
                "%u pairs of the same model, quantisation, context and engine version; %u of A and "
                "%u of B have none\n",
                pairs, n_a - pairs, n_b - pairs);
end:
    (void)pl_table_free(t);
    free(runs);
    return rc;
}
