/* What plimsoll pull says: the plan, how far it is, and how it ended; in text, or as JSON lines. */
#include "base/checked.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/pull.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PL_SAY_PLAIN_NS (5 * PL_S_NS) /* between two lines where there is no terminal */
#define PL_SAY_JSON_NS (1 * PL_S_NS)
#define PL_RATE_NS (10 * PL_S_NS) /* the rate is that of the last seconds */
#define PL_LINE_MAX 300

static bool pl_say_quiet(const struct pl_pulling *t)
{
    return pl_cli_opt(t->cli, "quiet")->given;
}

/* --- JSON lines --- */

static void pl_say_line_start(struct pl_pulling *t, struct pl_json *j, const char *event)
{
    pl_json_start(j, &t->cli->out, false);
    pl_json_object(j, NULL);
    pl_json_str(j, "schema", "plimsoll.pull/1");
    pl_json_str(j, "event", event);
}

static void pl_say_line_end(struct pl_pulling *t, struct pl_json *j)
{
    pl_json_end(j);
    (void)pl_cli_flush(t->cli, NULL);
}

static void pl_say_number(struct pl_json *j, const char *key, double value)
{
    if (value < 0.0)
        pl_json_null(j, key);
    else
        pl_json_num(j, key, value);
}

static void pl_say_size(struct pl_json *j, const char *key, uint64_t bytes)
{
    if (bytes == 0)
        pl_json_null(j, key);
    else
        pl_json_u64(j, key, bytes);
}

static void pl_say_files_json(const struct pl_pull *p, struct pl_json *j)
{
    static const char *const parts[] = {"model", "projector", "other"};
    pl_json_array(j, "files");
    for (uint32_t i = 0; i < p->n; i++) {
        const struct pl_pull_file *f = &p->file[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "name", f->name);
        pl_json_str(j, "part", parts[f->part]);
        pl_say_size(j, "bytes", f->bytes);
        pl_json_str(j, "sha256", f->sha256);
        pl_json_str(j, "path", f->path);
        pl_json_str(j, "here", f->here);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_say_memory_json(const struct pl_pulling *t, struct pl_json *j)
{
    const struct pl_judgement *k = &t->forecast.judgement;
    pl_json_object(j, "memory");
    pl_json_str(j, "verdict",
                pl_verdict_name(t->has_forecast ? k->verdict : PL_VERDICT_CANNOT_TELL));
    pl_json_u64(j, "n_ctx", t->cli->settings.n_ctx);
    pl_json_array(j, "reasons");
    for (uint32_t i = 0; t->has_forecast && i < k->n_reason; i++)
        pl_json_str(j, NULL, k->reason[i]);
    if (!t->has_forecast)
        pl_json_str(j, NULL, t->no_forecast.what);
    pl_json_end(j);
    pl_json_array(j, "would_fit");
    for (uint32_t i = 0; i < t->n_fit; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "quant", t->fit[i].quant);
        pl_json_u64(j, "bytes", t->fit[i].bytes);
        pl_json_str(j, "verdict", pl_verdict_name(t->fit[i].verdict));
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

static void pl_say_plan_json(struct pl_pulling *t, bool dry)
{
    const struct pl_pull *p = t->p;
    struct pl_json j;
    pl_say_line_start(t, &j, "plan");
    pl_json_bool(&j, "dry_run", dry);
    pl_json_str(&j, "model", p->model);
    pl_json_str(&j, "origin", p->origin);
    pl_json_str(&j, "commit", p->commit);
    pl_json_str(&j, "licence",
                p->licence != NULL ? p->licence : pl_model_str(t->model, "general.license", NULL));
    pl_json_bool(&j, "gated", p->gated);
    pl_json_str(&j, "folder", p->folder);
    pl_say_files_json(p, &j);
    pl_json_str(&j, "projector_offered", p->offered);
    pl_json_u64(&j, "bytes", pl_pull_bytes(p));
    pl_json_object(&j, "disk");
    if (t->disk_known)
        pl_json_u64(&j, "free", t->disk_free);
    else
        pl_json_null(&j, "free");
    pl_json_u64(&j, "wanted", t->disk_wanted);
    pl_json_u64(&j, "margin", t->disk_margin);
    pl_json_end(&j);
    pl_say_memory_json(t, &j);
    pl_say_number(&j, "load_seconds", t->load_s);
    pl_say_number(&j, "test_seconds", t->test_s);
    pl_say_line_end(t, &j);
}

/* --- text --- */

static void pl_say_files_text(const struct pl_pull *p, struct pl_str *out)
{
    char size[PL_SIZE_TEXT_MAX];
    for (uint32_t i = 0; i < p->n; i++) {
        const struct pl_pull_file *f = &p->file[i];
        const char *what = f->part == PL_PULL_PROJECTOR ? "projector"
                           : f->part == PL_PULL_OTHER   ? "beside it"
                                                        : "file";
        pl_str_addf(out, "  %-10s %.100s  %s%s\n", what, f->name,
                    f->bytes > 0 ? pl_size_text(f->bytes, size) : "length unknown",
                    f->sha256 != NULL ? ", SHA-256 published" : "");
        if (f->here != NULL)
            pl_str_addf(out, "             here already: %s\n", f->here);
    }
    if (p->offered != NULL)
        pl_str_addf(out, "  %-10s %.100s  %s: --mmproj fetches it too\n", "projector", p->offered,
                    pl_size_text(p->offered_bytes, size));
}

static void pl_say_memory_text(const struct pl_pulling *t, struct pl_str *out)
{
    const struct pl_judgement *j = &t->forecast.judgement;
    char size[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "  %-10s %s, context %llu\n", "memory",
                t->has_forecast ? pl_verdict_name(j->verdict) : "cannot_tell",
                (unsigned long long)t->cli->settings.n_ctx);
    for (uint32_t i = 0; t->has_forecast && i < j->n_reason; i++)
        pl_str_addf(out, "             %s\n", j->reason[i]);
    if (!t->has_forecast)
        pl_str_addf(out, "             %s\n", t->no_forecast.what);
    for (uint32_t i = 0; i < t->n_fit; i++)
        pl_str_addf(out, "             %s of %s would be %s\n", t->fit[i].quant,
                    pl_size_text(t->fit[i].bytes, size), pl_verdict_name(t->fit[i].verdict));
}

static void pl_say_plan_text(struct pl_pulling *t)
{
    const struct pl_pull *p = t->p;
    struct pl_str *out = &t->cli->out;
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    const char *licence =
        p->licence != NULL ? p->licence : pl_model_str(t->model, "general.license", "unknown");
    pl_str_addf(out, "%s\n  %-10s %s%s%.12s\n", p->model, "from", p->origin,
                p->commit != NULL ? ", commit " : "", p->commit != NULL ? p->commit : "");
    pl_say_files_text(p, out);
    pl_str_addf(out, "  %-10s %s\n", "to", p->folder);
    pl_str_addf(out, "  %-10s %.60s%s\n", "licence", licence,
                p->gated ? "; gated: its owner lets in whom they accept" : "");
    pl_str_addf(out, "  %-10s %s to come, %s free\n", "disk", pl_size_text(t->disk_wanted, a),
                t->disk_known ? pl_size_text(t->disk_free, b) : "unknown");
    pl_say_memory_text(t, out);
    (void)pl_cli_flush(t->cli, NULL);
}

void pl_pulling_say_plan(struct pl_pulling *t, bool dry)
{
    if (t->cli->json)
        pl_say_plan_json(t, dry);
    else if (dry || !pl_say_quiet(t))
        pl_say_plan_text(t);
}

/* --- while it runs --- */

void pl_pulling_say(void *ctx, const char *what)
{
    struct pl_pulling *t = ctx;
    struct pl_json j;
    if (t->cli->json) {
        pl_say_line_start(t, &j, "note");
        pl_json_str(&j, "text", what);
        pl_say_line_end(t, &j);
    } else if (!pl_say_quiet(t)) {
        pl_progress_done();
        (void)fprintf(stderr, "plimsoll: %s\n", what);
    }
}

/* Bytes per second over the last seconds; 0 = too early to say. */
static double pl_say_rate(struct pl_pulling *t, uint64_t now, uint64_t fetched)
{
    if (t->n_rate == 0 || now - t->rate[t->n_rate - 1].ns >= PL_RATE_NS / (PL_PULL_RATES - 1)) {
        if (t->n_rate == PL_PULL_RATES)
            memmove(t->rate, t->rate + 1, (PL_PULL_RATES - 1) * sizeof(t->rate[0]));
        t->n_rate += t->n_rate < PL_PULL_RATES ? 1 : 0;
        t->rate[t->n_rate - 1].ns = now;
        t->rate[t->n_rate - 1].fetched = fetched;
    }
    uint64_t ns = now - t->rate[0].ns;
    return ns < PL_S_NS / 2 ? 0.0 : (double)(fetched - t->rate[0].fetched) / ((double)ns / 1e9);
}

/* "1:05:09", "5:09" */
static const char *pl_say_time(double seconds, char out[24])
{
    unsigned long long s = seconds < 8e6 ? (unsigned long long)(seconds + 0.5) : 8000000ull;
    if (s >= 3600)
        (void)pl_fmt(out, 24, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
    else
        (void)pl_fmt(out, 24, "%llu:%02llu", s / 60, s % 60);
    return out;
}

struct pl_say_state {
    const char *phase, *name;
    uint64_t done, all;
    double rate, left, ready; /* negative = not known */
};

static void pl_say_state_json(struct pl_pulling *t, const struct pl_say_state *s)
{
    struct pl_json j;
    pl_say_line_start(t, &j, "progress");
    pl_json_str(&j, "phase", s->phase);
    pl_json_str(&j, "file", s->name);
    pl_json_u64(&j, "done", s->done);
    pl_json_u64(&j, "bytes", s->all);
    pl_json_num(&j, "percent", s->all > 0 ? 100.0 * (double)s->done / (double)s->all : 0.0);
    pl_say_number(&j, "bytes_per_second", s->rate);
    pl_say_number(&j, "eta_seconds", s->left);
    pl_say_number(&j, "ready_in_seconds", s->ready);
    pl_say_line_end(t, &j);
}

static void pl_say_state_text(const struct pl_say_state *s, char out[PL_LINE_MAX])
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX], left[24];
    size_t n;
    (void)pl_fmt(out, PL_LINE_MAX, "%s %.60s: %s of %s, %llu %%", s->phase, s->name,
                 pl_size_text(s->done, a), pl_size_text(s->all, b),
                 (unsigned long long)(s->all > 0 ? (double)s->done * 100.0 / (double)s->all : 0.0));
    n = strlen(out);
    if (s->rate > 0.0)
        (void)pl_fmt(out + n, PL_LINE_MAX - n, ", %s/s", pl_size_text((uint64_t)s->rate, c));
    n = strlen(out);
    if (s->left >= 0.0)
        (void)pl_fmt(out + n, PL_LINE_MAX - n, ", ETA %s", pl_say_time(s->left, left));
    n = strlen(out);
    if (s->ready >= 0.0)
        (void)pl_fmt(out + n, PL_LINE_MAX - n, " (loaded and tested %s)",
                     pl_say_time(s->ready, left));
}

void pl_pulling_progress(void *ctx, const struct pl_download_progress *p)
{
    static const char *const phases[] = {"checking", "fetching", "hashing"};
    struct pl_pulling *t = ctx;
    char line[PL_LINE_MAX];
    uint64_t now = pl_now_ns(pl_clock_real());
    bool fetching = p->phase == PL_DOWNLOAD_FETCH;
    double rate = fetching ? pl_say_rate(t, now, pl_add_sat(t->total.fetched, p->fetched)) : 0.0;
    uint64_t all = t->all_bytes > p->bytes ? t->all_bytes : p->bytes;
    struct pl_say_state s = {
        .phase = phases[p->phase],
        .name = t->current->name,
        .done = fetching ? pl_add_sat(t->before, p->done) : p->done,
        .all = fetching ? all : p->bytes,
        .rate = rate > 0.0 ? rate : -1.0,
        .left = -1.0,
        .ready = -1.0,
    };
    if (rate > 0.0)
        s.left = (double)pl_sub_floor(s.all, s.done) / rate;
    if (s.left >= 0.0 && t->load_s >= 0.0 && t->test_s >= 0.0)
        s.ready = s.left + t->load_s + t->test_s;
    bool terminal = !t->cli->json && isatty(STDERR_FILENO) == 1;
    uint64_t every = t->cli->json ? PL_SAY_JSON_NS : PL_SAY_PLAIN_NS;
    if (pl_say_quiet(t) || (!terminal && now - t->shown_ns < every))
        return;
    t->shown_ns = now;
    if (t->cli->json) {
        pl_say_state_json(t, &s);
        return;
    }
    pl_say_state_text(&s, line);
    if (terminal)
        pl_progress("%s", line);
    else
        (void)fprintf(stderr, "plimsoll: %s\n", line);
}

/* --- the end --- */

static void pl_say_test_json(const struct pl_pull_tested *r, struct pl_json *j)
{
    if (!r->done) {
        pl_json_null(j, "test");
        pl_json_str(j, "not_tested", r->why_not);
        return;
    }
    pl_json_object(j, "test");
    pl_json_str(j, "engine", r->engine);
    pl_json_num(j, "load_seconds", r->load_s);
    pl_json_num(j, "seconds", r->seconds);
    pl_json_num(j, "prompt_tokens_per_second", r->prefill);
    pl_json_num(j, "predicted_tokens_per_second", r->decode);
    pl_say_size(j, "measured_bytes", r->measured);
    pl_json_end(j);
    pl_json_null(j, "not_tested");
}

void pl_pulling_say_end(struct pl_pulling *t)
{
    const struct pl_download_result *r = &t->total;
    const struct pl_pull_tested *k = &t->tested;
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    struct pl_json j;
    double all = (double)(pl_now_ns(pl_clock_real()) - t->started_ns) / 1e9;
    if (t->cli->json) {
        pl_say_line_start(t, &j, "done");
        pl_json_str(&j, "model", t->p->model);
        pl_json_str(&j, "path", pl_pull_path(t->p));
        pl_json_u64(&j, "fetched_bytes", r->fetched);
        pl_json_u64(&j, "resumed_bytes", r->resumed);
        pl_json_u64(&j, "requests", r->requests);
        pl_json_u64(&j, "retries", r->retries);
        pl_json_bool(&j, "verified", !t->unverified);
        pl_json_num(&j, "download_seconds", t->seconds);
        pl_say_test_json(k, &j);
        pl_json_num(&j, "seconds", all);
        pl_say_line_end(t, &j);
        return;
    }
    struct pl_str *out = &t->cli->out;
    pl_progress_done();
    pl_str_addf(out, "%s\n", pl_pull_path(t->p));
    if (pl_say_quiet(t))
        return;
    if (r->bytes > 0) {
        pl_str_addf(out, "  %-10s %s in %.1f s", "fetched", pl_size_text(r->fetched, a),
                    t->seconds);
        if (t->seconds > 0.05)
            pl_str_addf(out, ", %s/s",
                        pl_size_text((uint64_t)((double)r->fetched / t->seconds), b));
        if (r->resumed > 0)
            pl_str_addf(out, "; %s were here", pl_size_text(r->resumed, a));
        pl_str_addf(out, "\n  %-10s %s\n", "verified",
                    t->unverified ? "length only: no hash is published" : "SHA-256");
        if (t->unverified && t->p->n == 1)
            pl_str_addf(out, "             SHA-256 of what came: %s\n", r->sha256);
    }
    if (k->done)
        pl_str_addf(out,
                    "  %-10s loaded in %.1f s, %.1f tokens/s, %s of memory (%s)\n"
                    "  %-10s %.1f s from the start to a working system\n",
                    "tested", k->load_s, k->decode,
                    k->measured > 0 ? pl_size_text(k->measured, b) : "unknown", k->engine, "time",
                    all);
    else
        pl_str_addf(out, "  %-10s header and length; not run: %s\n", "read",
                    k->why_not != NULL ? k->why_not : "");
}
