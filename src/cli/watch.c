#include "cli/watch.h"

#include "base/clock.h"
#include "report/versus.h"

#include <string.h>

static void pl_golden_changed(const char *what, const char *a, const char *b, char *out,
                              size_t size)
{
    size_t n = strlen(out);
    if (!pl_streq(a, b))
        (void)pl_fmt(out + n, size - n, "%s%s %.40s -> %.40s", n > 0 ? ", " : "", what,
                     a[0] != '\0' ? a : "unknown", b[0] != '\0' ? b : "unknown");
}

int pl_golden_look(struct pl_ledger *ledger, const struct pl_run *run, struct pl_golden_watch *ret,
                   struct pl_err *err)
{
    *ret = (struct pl_golden_watch){0};
    if (ledger == NULL)
        return 0;
    int rc = pl_ledger_golden(ledger, run, &ret->golden, &ret->found, err);
    if (rc < 0 || !ret->found)
        return rc;
    pl_versus_runs(&ret->golden, run, &ret->versus);
    const struct pl_run *g = &ret->golden;
    pl_golden_changed("engine", g->engine_version, run->engine_version, ret->changed,
                      sizeof(ret->changed));
    pl_golden_changed("backend", g->backend, run->backend, ret->changed, sizeof(ret->changed));
    pl_golden_changed("driver", g->driver, run->driver, ret->changed, sizeof(ret->changed));
    pl_text_clean(ret->changed);
    return 0;
}

void pl_golden_text(const struct pl_golden_watch *w, bool colour, struct pl_str *out)
{
    char when[PL_TIME_TEXT_MAX], golden[32];
    if (!w->found)
        return;
    (void)PL_FMT(golden, "golden %lld", (long long)w->golden.id);
    pl_str_addf(out, "\nsince golden run %lld of %.10s%s%s: ", (long long)w->golden.id,
                pl_utc_text(w->golden.started_unix, when), w->changed[0] != '\0' ? ", " : "",
                w->changed);
    if (w->versus.worse + w->versus.better == 0 && !w->versus.speed_unknown) {
        pl_str_add(out, "nothing beyond the noise\n");
        return;
    }
    pl_str_addf(out, "%u worse, %u better beyond the noise\n", w->versus.worse, w->versus.better);
    pl_versus_text(&w->versus, golden, "now", true, colour, out);
}

void pl_golden_json(const struct pl_golden_watch *w, struct pl_json *j, const char *key)
{
    if (!w->found) {
        pl_json_null(j, key);
        return;
    }
    pl_json_object(j, key);
    pl_json_i64(j, "golden", w->golden.id);
    pl_json_str(j, "changed", w->changed[0] != '\0' ? w->changed : NULL);
    pl_json_u64(j, "worse", w->versus.worse);
    pl_json_u64(j, "better", w->versus.better);
    pl_versus_json(&w->versus, j, "rows");
    pl_json_end(j);
}

int pl_golden_exit(const struct pl_golden_watch *w)
{
    if (w->found && w->versus.worse > 0)
        return PL_EXIT_NO;
    return !w->found || w->versus.speed_unknown ? PL_EXIT_CANNOT_TELL : PL_EXIT_YES;
}
