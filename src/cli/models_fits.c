#include "cli/models_fits.h"

#include "base/checked.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/fit.h"
#include "cli/machine.h"
#include "cli/models_catalogue.h"
#include "cli/rank.h"
#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"
#include "measure/sweep.h"
#include "model/quality.h"
#include "report/quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_FITS_CONTEXT 8192u

/* One row that fits, with what it fits as. */
struct pl_fit {
    const struct pl_catalogue_row *row;
    const struct pl_mix *mix;
    uint64_t n_ctx, file_bytes;
    struct pl_quantity steady;
    struct pl_rate decode;
    enum pl_verdict verdict;
    struct pl_rank rank;
    char command[PL_FIT_COMMAND_MAX];
};

struct pl_fits {
    struct pl_models_ask ask;
    struct pl_machine machine;
    struct pl_ledger *ledger;
    struct pl_sweep sweep;
    struct pl_forecast forecast;
    double floor;           /* tokens per second; what is slower is not listed; 0 = any */
    uint64_t context, room; /* room: nothing larger fits, whatever is spread where */
    struct pl_fit *fit;
    size_t n, looked_at;
};

/* All that is available, in whatever pool. */
static uint64_t pl_fits_room(const struct pl_machine *m)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m->n_pool; i++) {
        struct pl_quantity q = pl_machine_available(m, m->pool[i].name);
        if (m->pool[i].kind != PL_POOL_CAP)
            sum = pl_add_sat(sum, pl_known(q) ? q.high : 0);
    }
    return sum;
}

static void pl_fits_command(const struct pl_fits *s, struct pl_fit *f)
{
    char model[200], flags[PL_FIT_COMMAND_MAX];
    (void)PL_FMT(model, "%.120s-%s.gguf", f->row->id, f->mix->name);
    pl_fit_command(&s->sweep.settings, model, f->command, flags);
}

static bool pl_fits_try(struct pl_fits *s, const struct pl_catalogue_row *row,
                        const struct pl_mix *mix, struct pl_fit *ret)
{
    struct pl_model *m = NULL;
    struct pl_forecast *f = &s->forecast;
    if (pl_catalogue_model(row, mix->name, &m, NULL) < 0)
        return false;
    int rc = pl_forecast_make(m, &s->sweep.settings, &s->machine, NULL, "", s->ledger, f, NULL);
    bool fits = rc == 0 && (f->judgement.verdict == PL_VERDICT_SAFE ||
                            f->judgement.verdict == PL_VERDICT_CONSTRAINED);
    *ret = (struct pl_fit){.row = row, .mix = mix, .n_ctx = s->sweep.settings.n_ctx};
    if (fits) {
        ret->file_bytes = m->file_bytes;
        ret->decode = f->decode;
        ret->verdict = f->judgement.verdict;
        pl_fits_command(s, ret);
        ret->steady = f->footprint.pool[0].steady;
        for (uint32_t i = 1; i < f->footprint.n_pool; i++)
            ret->steady = pl_plus(ret->steady, f->footprint.pool[i].steady);
    }
    (void)pl_model_free(m);
    return fits && (s->ask.max_bytes == 0 || ret->file_bytes <= s->ask.max_bytes);
}

/* The best quantisation that fits and is not too slow, else the best that fits. */
static bool pl_fits_row(struct pl_fits *s, const struct pl_catalogue_row *row, struct pl_fit *ret)
{
    struct pl_sweep_row sizes;
    struct pl_fit fit;
    uint64_t first = 0; /* tensors of the one in *ret; 0 = none fits yet */
    uint64_t own =
        row->ctx_train != PL_CATALOGUE_UNKNOWN && row->ctx_train > 0 ? row->ctx_train : s->context;
    s->sweep.settings.n_ctx = s->context < own ? s->context : own;
    s->sweep.context[0] = s->sweep.settings.n_ctx;
    if (pl_sweep_row(&s->sweep, row, &sizes, NULL) < 0)
        return false;
    uint64_t caches = pl_add_sat(sizes.kv[0], sizes.recurrent[0]);
    for (uint32_t i = 0; i < s->sweep.n_mix; i++) {
        uint64_t tensors = sizes.tensors[i];
        if (tensors == 0 || pl_add_sat(tensors, caches) > s->room ||
            (s->ask.max_bytes > 0 && tensors > s->ask.max_bytes))
            continue;
        /* decoding reads what is stored: as much faster as it is smaller */
        if (first > 0 && ret->decode.likely * (double)first / (double)tensors < PL_RANK_DECODE)
            continue;
        if (!pl_fits_try(s, row, s->sweep.mix[i], &fit))
            continue;
        bool slow = fit.decode.source != PL_SOURCE_UNKNOWN && fit.decode.likely < PL_RANK_DECODE;
        if (first == 0 || !slow)
            *ret = fit;
        if (!slow)
            return true;
        first = first > 0 ? first : tensors;
    }
    return first > 0;
}

static int pl_fits_compare_double(double a, double b)
{
    return (a < b) - (a > b);
}

static int pl_fits_by_quality(const void *a, const void *b)
{
    const struct pl_fit *x = a, *y = b;
    return pl_rank_compare(&x->rank, &y->rank);
}

static int pl_fits_by_size(const void *a, const void *b)
{
    const struct pl_fit *x = a, *y = b;
    return pl_fits_compare_double((double)x->file_bytes, (double)y->file_bytes);
}

static int pl_fits_by_speed(const void *a, const void *b)
{
    const struct pl_fit *x = a, *y = b;
    return pl_fits_compare_double(x->decode.likely, y->decode.likely);
}

static int pl_fits_by_release(const void *a, const void *b)
{
    const struct pl_fit *x = a, *y = b;
    const char *p = x->row->released != NULL ? x->row->released : "";
    const char *q = y->row->released != NULL ? y->row->released : "";
    int c = strcmp(q, p);
    return c != 0 ? c : pl_fits_by_quality(a, b);
}

static void pl_fits_sort(struct pl_fits *s)
{
    const char *by = pl_cli_opt(s->ask.cli, "sort")->text;
    int (*compare)(const void *, const void *) = pl_fits_by_quality;
    if (by != NULL && pl_streq(by, "size"))
        compare = pl_fits_by_size;
    else if (by != NULL && pl_streq(by, "speed"))
        compare = pl_fits_by_speed;
    else if (by != NULL && pl_streq(by, "released"))
        compare = pl_fits_by_release;
    qsort(s->fit, s->n, sizeof(*s->fit), compare);
}

static void pl_fits_text(const struct pl_fits *s, struct pl_cli *cli)
{
    bool paste = pl_streq(cli->verb->name, "fit");
    const char *const titles[] = {"model",    ">file",     ">memory",
                                  ">context", ">tokens/s", "quality",
                                  "licence",  "verdict",   paste ? "to paste" : NULL,
                                  NULL};
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], mix[32];
    struct pl_table *t = s->n > 0 ? pl_table_new(titles) : NULL;
    for (size_t i = 0; t != NULL && i < s->n; i++) {
        const struct pl_fit *f = &s->fit[i];
        size_t n = 0;
        for (; f->mix->name[n] != '\0' && n + 1 < sizeof(mix); n++)
            mix[n] = (char)(f->mix->name[n] |
                            (f->mix->name[n] >= 'A' && f->mix->name[n] <= 'Z' ? 0x20 : 0));
        mix[n] = '\0';
        pl_table_row(t);
        pl_table_cell(t, "%s:%s", f->row->id, mix);
        pl_table_cell(t, "%s", pl_size_text(f->file_bytes, a));
        pl_table_cell(t, "%s", pl_known(f->steady) ? pl_size_text(f->steady.likely, b) : "unknown");
        pl_table_cell(t, "%llu", (unsigned long long)f->n_ctx);
        if (f->decode.source == PL_SOURCE_UNKNOWN)
            pl_table_cell(t, "unknown");
        else
            pl_table_cell(t, "%.1f", f->decode.likely);
        if (f->rank.score > 0)
            pl_table_cell(t, "%.3f", f->rank.score);
        else
            pl_table_cell(t, "unknown");
        pl_table_cell(t, "%s", f->row->licence != NULL ? f->row->licence : "unknown");
        pl_table_cell(t, "%s", pl_verdict_name(f->verdict));
        if (paste)
            pl_table_cell(t, "%s", f->command);
    }
    if (t != NULL)
        pl_table_print(t, &cli->out, pl_colour_wanted(STDOUT_FILENO));
    (void)pl_table_free(t);
    pl_str_addf(&cli->out,
                "%zu of %zu models fit, with one slot, each in the best quantisation that fits%s\n"
                "quality: %s of the unquantised model; models that decode fewer than %.0f tokens a "
                "second come last\n",
                s->n, s->looked_at, s->machine.this_system ? "" : " there", PL_QUALITY_COMMON,
                PL_RANK_DECODE);
}

static void pl_fits_json(const struct pl_fits *s, struct pl_cli *cli)
{
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema",
                pl_streq(cli->verb->name, "fit") ? "plimsoll.fit/1" : "plimsoll.models/1");
    pl_json_u64(&j, "looked_at", s->looked_at);
    pl_json_array(&j, "fits");
    for (size_t i = 0; i < s->n; i++) {
        const struct pl_fit *f = &s->fit[i];
        pl_json_object(&j, NULL);
        pl_json_str(&j, "id", f->row->id);
        pl_json_str(&j, "quant", f->mix->name);
        pl_json_str(&j, "kind", f->row->kind);
        pl_json_str(&j, "licence", f->row->licence);
        pl_json_str(&j, "released", f->row->released);
        pl_json_str(&j, "from", pl_models_from(f->row));
        pl_json_bool(&j, "checked", f->row->checked == 1);
        pl_json_u64(&j, "file_bytes", f->file_bytes);
        pl_json_u64(&j, "n_ctx", f->n_ctx);
        pl_json_quantity(&j, "steady", f->steady);
        pl_json_rate(&j, "decode_tokens_per_second", f->decode);
        pl_json_str(&j, "verdict", pl_verdict_name(f->verdict));
        pl_models_quality_json(&j, f->row);
        pl_json_str(&j, "command", f->command[0] != '\0' ? f->command : NULL);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_end(&j);
}

static int pl_fits_look(struct pl_fits *s, struct pl_err *err)
{
    size_t n_row = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    s->fit = calloc(n_row > 0 ? n_row : 1, sizeof(*s->fit));
    if (s->fit == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list");
    for (size_t i = 0; i < n_row; i++) {
        if (!pl_models_wanted(&s->ask, &row[i]))
            continue;
        s->looked_at++;
        if (!pl_fits_row(s, &row[i], &s->fit[s->n]))
            continue;
        const struct pl_fit *f = &s->fit[s->n];
        if (s->floor > 0 && f->decode.source != PL_SOURCE_UNKNOWN && f->decode.likely < s->floor)
            continue;
        s->fit[s->n].rank = pl_rank_of(&row[i], s->fit[s->n].decode);
        s->n++;
    }
    return 0;
}

int pl_models_fits(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_fits s;
    const struct pl_opt_value *context = pl_cli_opt(cli, "context");
    int rc = pl_models_asked(cli, &s.ask, err);
    if (rc == 0)
        rc = pl_cli_machine_asked(cli, &s.machine, err);
    if (rc < 0)
        return rc;
    pl_sweep_usual(&s.sweep);
    memmove(s.sweep.mix, s.sweep.mix + 1, (--s.sweep.n_mix) * sizeof(*s.sweep.mix)); /* not F16 */
    if (pl_cli_opt(cli, "quant")->given) {
        s.sweep.mix[0] = pl_mix_named(s.ask.quant);
        s.sweep.n_mix = 1;
    }
    s.sweep.n_context = 1;
    struct pl_settings *t = &s.sweep.settings;
    *t = cli->settings; /* the defaults, where the verb takes no engine flags */
    t->n_parallel = t->n_parallel > 0 ? t->n_parallel : 1;
    t->cache_ram_mib = t->cache_ram_mib == PL_CACHE_RAM_UNSET ? 0 : t->cache_ram_mib;
    s.floor = (double)pl_cli_opt(cli, "min-decode")->u;
    s.context = context->given && context->u > 0 ? context->u : PL_FITS_CONTEXT;
    s.room = pl_fits_room(&s.machine);
    bool known = pl_known(pl_machine_available(&s.machine, "ram"));
    (void)pl_ledger_open(NULL, PL_LEDGER_READ, &s.ledger, NULL);
    rc = pl_fits_look(&s, err);
    s.ledger = pl_ledger_close(s.ledger);
    if (rc < 0)
        return rc;
    pl_fits_sort(&s);
    if (cli->json)
        pl_fits_json(&s, cli);
    else
        pl_fits_text(&s, cli);
    rc = s.n > 0 ? PL_EXIT_YES : known ? PL_EXIT_NO : PL_EXIT_CANNOT_TELL;
    free(s.fit);
    return rc;
}
