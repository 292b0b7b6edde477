/* The log grammar: any bytes, cut anywhere, give the same failures, within their bounds, and text
 * fit for a terminal. */
#include "why/cause.h"
#include "why/log.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_text(const char *s, size_t size)
{
    pl_fuzz_check(memchr(s, '\0', size) != NULL && strpbrk(s, "\n\033") == NULL);
}

static void pl_fuzz_failure(const struct pl_oom *o)
{
    pl_fuzz_check(o->class < PL_OOM_CLASSES && o->phase < PL_OOM_PHASES);
    pl_fuzz_check(o->n_request <= PL_OOM_REQUESTS_MAX && o->n_other <= PL_OOM_OTHERS_MAX);
    pl_fuzz_check(o->n_evidence > 0 && o->n_evidence <= PL_OOM_LINES_MAX);
    for (int i = 0; i < PL_OOM_NUMBERS; i++)
        if (pl_known(o->n[i]))
            pl_fuzz_check(o->n[i].low <= o->n[i].likely && o->n[i].likely <= o->n[i].high);
    for (uint32_t i = 0; i < o->n_evidence; i++)
        pl_fuzz_text(o->evidence[i], sizeof(o->evidence[i]));
    pl_fuzz_text(o->engine, sizeof(o->engine));
    pl_fuzz_text(o->process, sizeof(o->process));
    pl_fuzz_text(o->group, sizeof(o->group));
    pl_fuzz_text(o->model, sizeof(o->model));
    pl_fuzz_text(o->node, sizeof(o->node));
    pl_fuzz_text(o->why, sizeof(o->why));
    pl_fuzz_check(o->class == PL_OOM_UNKNOWN || pl_oom_cause(o) != NULL);
}

/* In pieces of 1 to 256 bytes, chosen by the input itself, or whole. */
static struct pl_whylog *pl_fuzz_read(const char *text, size_t n, bool pieces)
{
    struct pl_whylog *l = NULL;
    pl_fuzz_check(pl_whylog_new(NULL, &l, NULL) == 0);
    for (size_t at = 0; at < n;) {
        size_t piece = pieces ? 1 + (size_t)(unsigned char)text[at] : n;
        piece = piece < n - at ? piece : n - at;
        pl_whylog_feed(l, text + at, piece);
        at += piece;
    }
    pl_whylog_end(l);
    return l;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = n > 0 ? (const char *)data : "";
    const struct pl_oom *a, *b;
    struct pl_whylog *whole = pl_fuzz_read(text, n, false), *parts = pl_fuzz_read(text, n, true);
    uint32_t n_a = pl_whylog_failures(whole, &a), n_b = pl_whylog_failures(parts, &b);
    pl_fuzz_check(n_a == n_b && n_a <= PL_LOG_FAILURES_MAX);
    for (uint32_t i = 0; i < n_a; i++) {
        pl_fuzz_failure(&a[i]);
        pl_fuzz_check(a[i].class == b[i].class && strcmp(a[i].engine, b[i].engine) == 0 &&
                      a[i].n_request == b[i].n_request);
    }
    whole = pl_whylog_free(whole);
    parts = pl_whylog_free(parts);
    return 0;
}
