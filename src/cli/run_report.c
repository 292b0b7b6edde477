#include "cli/run_report.h"

#include "base/clock.h"
#include "base/units.h"
#include "report/quantity.h"
#include "sys/spawn.h"

#include <string.h>
#include <sys/wait.h>

void pl_run_word(const struct pl_mask *mask, struct pl_redact_words *words, const char *word,
                 struct pl_str *out)
{
    struct pl_str plain;
    pl_str_init(&plain, PL_RUN_COMMAND_MAX + 10 * strlen(word));
    pl_redact_word(words, word, &plain);
    pl_mask_add(mask, pl_str_get(&plain), plain.len, out); /* what is known by its value */
    out->failed = out->failed || plain.failed;
    pl_str_done(&plain);
}

void pl_run_quote(const struct pl_mask *mask, const char *const *argv, struct pl_str *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    struct pl_str word;
    struct pl_redact_words secrets = {0};
    pl_str_init(&word, PL_RUN_COMMAND_MAX);
    for (size_t i = 0; argv[i] != NULL; i++) {
        pl_str_clear(&word);
        pl_run_word(mask, &secrets, argv[i], &word);
        const char *w = pl_str_get(&word);
        if (i > 0)
            pl_str_addc(out, ' ', 1);
        if (w[0] != '\0' && strspn(w, plain) == strlen(w)) {
            pl_str_add(out, w);
            continue;
        }
        pl_str_addc(out, '\'', 1);
        for (; *w != '\0'; w++)
            pl_str_add(out, *w == '\'' ? "'\\''" : (char[2]){*w, '\0'});
        pl_str_addc(out, '\'', 1);
    }
    pl_str_done(&word);
}

struct pl_quantity pl_run_measured(const struct pl_running *r)
{
    uint64_t peak = r->wrapped.peak_memory, hot = 0;
    if (r->elsewhere.kind != PL_ELSEWHERE_NOT)
        return pl_elsewhere_measured(&r->elsewhere);
    if (r->has_forecast && r->forecast.footprint.n_pool > 0) {
        struct pl_quantity file = r->forecast.footprint.pool[0].hold[PL_HOLD_FILE_HOT];
        if (pl_known(file))
            hot = r->wrapped.peak.rss_file < file.high ? r->wrapped.peak.rss_file : file.high;
    }
    return pl_exact(peak + hot, PL_SOURCE_MEASURED,
                    hot > 0 ? "most of RssAnon + RssShmem, and the mapped weights"
                            : "most of RssAnon + RssShmem");
}

/* " (predicted X, +n %)", where both are known. */
static void pl_run_beside(struct pl_quantity predicted, struct pl_quantity measured,
                          struct pl_str *out)
{
    char size[PL_SIZE_TEXT_MAX];
    if (!pl_known(predicted) || predicted.likely == 0)
        return;
    pl_str_addf(out, " (predicted %s", pl_size_text(predicted.likely, size));
    if (pl_known(measured))
        pl_str_addf(out, ", %+.1f %%",
                    ((double)measured.likely - (double)predicted.likely) * 100 /
                        (double)predicted.likely);
    pl_str_add(out, ")");
}

static void pl_run_line_devices(const struct pl_running *r, struct pl_str *out)
{
    struct pl_run_row row[PL_RUN_ROWS_MAX];
    char size[PL_SIZE_TEXT_MAX];
    uint32_t n = pl_run_rows(r, row);
    for (uint32_t i = 0; i < n; i++) {
        bool known = pl_known(row[i].measured);
        pl_str_addf(out, ", %s%s of %s",
                    known && row[i].measured.low < row[i].measured.likely ? "at most " : "",
                    known ? pl_size_text(row[i].measured.likely, size) : "an unknown part",
                    row[i].pool);
        pl_run_beside(row[i].predicted, row[i].measured, out);
    }
    if (r->software_gpu)
        pl_str_add(out, " (a software device: counted in ram)");
}

void pl_run_line(const struct pl_running *r, struct pl_str *out)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], status[PL_STATUS_TEXT_MAX];
    struct pl_quantity m = pl_run_measured(r);
    double seconds = (double)(r->wrapped.ended_ns - r->wrapped.started_ns) / (double)PL_S_NS;
    if (pl_known(m))
        pl_str_addf(out, "peak %s of ram", pl_size_text(m.likely, a));
    else
        pl_str_addf(out, "peak unknown: %s", m.why);
    if (r->elsewhere.kind != PL_ELSEWHERE_NOT && pl_known(m))
        pl_str_addf(out, " in %s", r->elsewhere.what);
    if (r->elsewhere.before > PL_RUN_LOADED_MIN)
        pl_str_addf(out, ", %s of it from before", pl_size_text(r->elsewhere.before, b));
    else
        pl_run_beside(r->predicted, m, out);
    if (r->wrapped.peak.rss_file > PL_GIB / 4 && !r->has_forecast)
        pl_str_addf(out, " and %s of mapped files", pl_size_text(r->wrapped.peak.rss_file, b));
    pl_run_line_devices(r, out);
    for (uint32_t i = 0; i < r->n_ceiling; i++)
        if (!pl_streq(r->ceiling[i].pool, "ram") && !pl_held_tells(&r->held, r->ceiling[i].pool))
            pl_str_addf(out,
                        ", the ceiling of %s was not watched: nothing tells what it holds there",
                        r->ceiling[i].pool);
    pl_str_addf(out, ", %.1f s", seconds);
    if (r->wrapped.status != 0)
        pl_str_addf(out, ", %s", pl_status_text(r->wrapped.status, status));
    if (r->events.known && r->events.oom_kills > 0)
        pl_str_addf(out, ", %llu of its processes killed %s",
                    (unsigned long long)r->events.oom_kills,
                    r->events.met_known && r->events.met == 0 ? "by the kernel for memory"
                                                              : "for the ceiling");
    if (r->wrapped.left > 0)
        pl_str_addf(out, ", %u of its processes go%s on", r->wrapped.left,
                    r->wrapped.left == 1 ? "es" : "");
    if (r->rung > 0)
        pl_str_addf(out, ", degraded: rung %u (%s)", r->rung, r->rung_text);
    if (r->cpu_fallback)
        pl_str_add(out, ", on the CPU although a device was asked for");
    pl_str_add(out, "\n");
}

static void pl_run_json_devices(const struct pl_running *r, struct pl_json *j)
{
    struct pl_run_row row[PL_RUN_ROWS_MAX];
    uint32_t n = r->wrapped.started_ns != 0 ? pl_run_rows(r, row) : 0;
    pl_json_array(j, "devices");
    for (uint32_t i = 0; i < n; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", row[i].pool);
        pl_json_quantity(j, "predicted", row[i].predicted);
        pl_json_quantity(j, "measured", row[i].measured);
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_run_json(const struct pl_running *r, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.run/1");
    pl_json_str(&j, "command", r->signature);
    pl_json_str(&j, "engine", r->command.row != NULL ? r->command.row->engine : NULL);
    pl_json_bool(&j, "admitted", r->wrapped.started_ns != 0);
    pl_json_quantity(&j, "predicted", r->predicted);
    pl_json_quantity(&j, "measured",
                     r->wrapped.started_ns != 0 ? pl_run_measured(r)
                                                : PL_QUANTITY_UNKNOWN("it was not run"));
    pl_run_json_devices(r, &j);
    pl_json_str(&j, "elsewhere",
                r->elsewhere.kind == PL_ELSEWHERE_NOT ? NULL
                : r->elsewhere.looks > 0              ? r->elsewhere.what
                                                      : r->elsewhere.why);
    pl_json_u64(&j, "left_running", r->wrapped.left);
    pl_json_num(&j, "seconds",
                (double)(r->wrapped.ended_ns - r->wrapped.started_ns) / (double)PL_S_NS);
    if (r->wrapped.started_ns != 0 && WIFEXITED(r->wrapped.status))
        pl_json_i64(&j, "exit_status", WEXITSTATUS(r->wrapped.status));
    else
        pl_json_null(&j, "exit_status");
    if (r->wrapped.started_ns != 0 && WIFSIGNALED(r->wrapped.status))
        pl_json_i64(&j, "signal", WTERMSIG(r->wrapped.status));
    else
        pl_json_null(&j, "signal");
    pl_json_bool(&j, "degraded", r->rung > 0);
    pl_json_u64(&j, "rung", r->rung);
    pl_json_str(&j, "rung_name", r->rung > 0 ? r->rung_text : NULL);
    pl_json_bool(&j, "cpu_fallback", r->cpu_fallback);
    pl_json_str(&j, "class", r->has_oom ? pl_oom_class_name(r->oom.class) : NULL);
    if (r->has_oom)
        pl_json_bool(&j, "memory", pl_oom_is_memory(r->oom.class));
    else
        pl_json_null(&j, "memory");
    pl_json_str(&j, "log", r->kept_log[0] != '\0' ? r->kept_log : NULL);
    pl_json_end(&j);
    pl_str_add(out, "\n");
}

void pl_run_refusal(const struct pl_running *r, struct pl_str *out)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], text[PL_RUN_COMMAND_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(&r->machine, "ram");
    static const char *words[PL_COMMAND_WORDS_MAX + 1];
    pl_str_add(out, "refused: ");
    if (r->has_forecast && r->forecast.judgement.n_reason > 0)
        pl_str_addf(out, "%s\n", r->forecast.judgement.reason[0]);
    else
        pl_str_addf(out, "%s took %s the last time, %s is available\n", r->signature,
                    pl_size_text(r->predicted.likely, a),
                    ram != NULL ? pl_size_text(ram->available.likely, b) : "?");
    for (uint32_t i = 0; i < r->reliefs.n && i < 1 && r->reliefs.one[i].enough; i++) {
        if (pl_command_with(&r->command, r->argc, r->argv, r->reliefs.one[i].flags, NULL, words,
                            text, sizeof(text)) < 0)
            break;
        pl_str_addf(out, "plimsoll: this fits (%s):\n    ", r->reliefs.one[i].effect);
        pl_run_quote(&r->mask, words, out);
        pl_str_add(out, "\n");
    }
    if (r->reliefs.n == 0 || !r->reliefs.one[0].enough)
        pl_str_add(out, "plimsoll: no change of settings alone makes it fit; a smaller model: "
                        "plimsoll models --fits\n");
    pl_str_add(out, "hint: --force runs it all the same\n");
}
