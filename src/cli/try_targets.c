#include "cli/try_targets.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/table.h"
#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum pl_want_unit { PL_WANT_RATE = 0, PL_WANT_SECONDS, PL_WANT_BYTES };

static const struct {
    const char *name, *unit; /* as --target and JSON have them */
    enum pl_want_unit kind;
} pl_wants[PL_WANTS] = {
    [PL_WANT_DECODE] = {"decode",      "tokens_per_second", PL_WANT_RATE   },
    [PL_WANT_PREFILL] = {"prefill",     "tokens_per_second", PL_WANT_RATE   },
    [PL_WANT_FIRST_TOKEN] = {"first_token", "seconds",           PL_WANT_SECONDS},
    [PL_WANT_LOAD] = {"load",        "seconds",           PL_WANT_SECONDS},
    [PL_WANT_MEMORY] = {"memory",      "bytes",             PL_WANT_BYTES  },
};

/* "400ms", "20s", "20"; "90"; "4GiB". */
static bool pl_target_value(enum pl_want_unit kind, const char *text, double *ret)
{
    char number[32];
    uint64_t bytes = 0;
    size_t n = strlen(text);
    if (kind == PL_WANT_BYTES) {
        bool good = pl_size_parse(text, &bytes, NULL) == 0;
        *ret = (double)bytes;
        return good && bytes > 0;
    }
    double times = 1;
    if (kind == PL_WANT_SECONDS && n > 2 && pl_streq(text + n - 2, "ms"))
        times = 1e-3, n -= 2;
    else if (kind == PL_WANT_SECONDS && n > 1 && text[n - 1] == 's')
        n -= 1;
    bool good = PL_FMT(number, "%.*s", (int)n, text) && pl_parse_double(number, ret);
    *ret *= times;
    return good && isfinite(*ret) && *ret > 0;
}

int pl_targets_read(const char *text, struct pl_targets *ret, struct pl_err *err)
{
    *ret = (struct pl_targets){0};
    for (const char *p = text; p != NULL;) {
        char word[64], *equal = NULL;
        size_t n = strcspn(p, ",");
        bool good = PL_FMT(word, "%.*s", (int)n, p) && (equal = strchr(word, '=')) != NULL;
        int at = PL_WANTS;
        if (good) {
            *equal = '\0';
            for (at = 0; at < PL_WANTS && !pl_streq(word, pl_wants[at].name);)
                at++;
        }
        if (at == PL_WANTS || !pl_target_value(pl_wants[at].kind, equal + 1, &ret->one[at].want)) {
            (void)pl_fail(err, -EINVAL, "--target '%.*s': NAME=VALUE is expected",
                          n < 60 ? (int)n : 60, p);
            (void)pl_hint(err,
                          "decode=30,prefill=400 (tokens a second), first_token=500ms,load=20s,"
                          "memory=4GiB");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        p = p[n] == ',' ? p + n + 1 : NULL;
    }
    return 0;
}

int pl_targets_keep(struct pl_ledger *ledger, const struct pl_forecast *f, struct pl_targets *given,
                    struct pl_err *err)
{
    if (ledger == NULL || f->machine->id[0] == '\0')
        return 0;
    for (int i = 0; i < PL_WANTS; i++) {
        double *want = &given->one[i].want;
        int rc = *want > 0 ? pl_ledger_target_put(ledger, f->machine->id, f->name, f->quant,
                                                  pl_wants[i].name, *want, pl_utc_now(), err)
                           : pl_ledger_target_get(ledger, f->machine->id, f->name, f->quant,
                                                  pl_wants[i].name, want, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static double pl_target_rate(struct pl_rate r)
{
    return r.source != PL_SOURCE_UNKNOWN && r.likely > 0 ? r.likely : 0;
}

static double pl_target_bytes(struct pl_quantity q)
{
    return pl_known(q) ? (double)q.likely : 0;
}

void pl_targets_look(const struct pl_forecast *f, const struct pl_run *run, struct pl_targets *t)
{
    bool quiet = !(run->beside.judged && run->beside.disturbed);
    double first = f->prefill.source != PL_SOURCE_UNKNOWN && f->prefill.likely > 0
                       ? (double)f->speed.prompt / f->prefill.likely
                       : 0;
    const double predicted[PL_WANTS] = {
        pl_target_rate(f->decode), pl_target_rate(f->prefill), first, pl_target_rate(f->speed.load),
        f->footprint.n_pool > 0 ? pl_target_bytes(f->footprint.pool[0].steady) : 0};
    const double measured[PL_WANTS] = {
        run->timing.predicted_tokens_per_second, run->timing.prompt_tokens_per_second,
        run->timing.first_token_ms / 1e3, (double)run->report.load_ms / 1e3,
        pl_target_bytes(run->measured_total)};
    for (int i = 0; i < PL_WANTS; i++) {
        struct pl_target *one = &t->one[i];
        bool rate = pl_wants[i].kind == PL_WANT_RATE;
        one->predicted = predicted[i];
        one->measured = measured[i] > 0 ? measured[i] : 0;
        /* a ghost of holes has no speed, and no ghost is read from the disk as its model is */
        bool real = i == PL_WANT_MEMORY || !run->ghost ||
                    (i != PL_WANT_LOAD && pl_streq(run->fill, "random"));
        one->valid = one->measured > 0 && real && (quiet || i == PL_WANT_MEMORY);
        one->met = one->valid && (rate ? one->measured >= one->want : one->measured <= one->want);
    }
}

bool pl_targets_missed(const struct pl_targets *t)
{
    bool missed = false;
    for (int i = 0; i < PL_WANTS; i++)
        missed = missed || (t->one[i].want > 0 && t->one[i].valid && !t->one[i].met);
    return missed;
}

static void pl_target_cell(struct pl_table *table, enum pl_want_unit kind, double v)
{
    char size[PL_SIZE_TEXT_MAX];
    if (!(v > 0))
        pl_table_cell(table, "unknown");
    else if (kind == PL_WANT_BYTES)
        pl_table_cell(table, "%s", pl_size_text((uint64_t)v, size));
    else if (kind == PL_WANT_SECONDS && v < 1)
        pl_table_cell(table, "%.0f ms", v * 1e3);
    else
        pl_table_cell(table, kind == PL_WANT_SECONDS ? "%.1f s" : "%.1f tokens/s", v);
}

void pl_targets_text(const struct pl_targets *t, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"", ">target", ">predicted", ">measured", ">of target",
                                         "", 0};
    struct pl_table *table = NULL;
    for (int i = 0; i < PL_WANTS; i++) {
        const struct pl_target *one = &t->one[i];
        if (!(one->want > 0))
            continue;
        table = table != NULL ? table : pl_table_new(titles);
        if (table == NULL)
            return;
        pl_table_row(table);
        pl_table_cell(table, "%s", pl_wants[i].name);
        pl_target_cell(table, pl_wants[i].kind, one->want);
        pl_target_cell(table, pl_wants[i].kind, one->predicted);
        pl_target_cell(table, pl_wants[i].kind, one->measured);
        if (one->measured > 0)
            pl_table_cell(table, "%.0f %%", 100 * one->measured / one->want);
        else
            pl_table_cell(table, "-");
        pl_table_cell(table, one->valid          ? one->met ? "reached" : "missed"
                             : one->measured > 0 ? "not judged: of a ghost, or others computed"
                                                 : "not measured");
    }
    if (table == NULL)
        return;
    pl_str_add(out, "\n");
    pl_table_print(table, out, colour);
    (void)pl_table_free(table);
}

static void pl_target_number(struct pl_json *j, const char *key, enum pl_want_unit kind, double v)
{
    if (!(v > 0))
        pl_json_null(j, key);
    else if (kind == PL_WANT_BYTES)
        pl_json_u64(j, key, (uint64_t)v);
    else
        pl_json_num(j, key, v);
}

void pl_targets_json(const struct pl_targets *t, struct pl_json *j, const char *key)
{
    pl_json_array(j, key);
    for (int i = 0; i < PL_WANTS; i++) {
        const struct pl_target *one = &t->one[i];
        if (!(one->want > 0))
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "of", pl_wants[i].name);
        pl_json_str(j, "unit", pl_wants[i].unit);
        pl_target_number(j, "target", pl_wants[i].kind, one->want);
        pl_target_number(j, "predicted", pl_wants[i].kind, one->predicted);
        pl_target_number(j, "measured", pl_wants[i].kind, one->measured);
        pl_target_number(j, "share", PL_WANT_RATE, one->measured / one->want);
        if (one->valid)
            pl_json_bool(j, "reached", one->met);
        else
            pl_json_null(j, "reached");
        pl_json_end(j);
    }
    pl_json_end(j);
}
