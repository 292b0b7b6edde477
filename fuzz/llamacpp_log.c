/* The parser of llama-server's log: any bytes, cut anywhere, give the same figures, within their
 * bounds, and text fit for an error message. */
#include "engine/llamacpp/log.h"

#include "base/units.h"
#include "engine/llamacpp/project.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_bytes(const struct pl_engine_bytes *b)
{
    pl_fuzz_check(b->known || b->bytes == 0);
}

static void pl_fuzz_text(const char *s, size_t size)
{
    pl_fuzz_check(memchr(s, '\0', size) != NULL);
    pl_fuzz_check(strpbrk(s, "\n\033") == NULL);
}

/* In pieces of 1 to 256 bytes, chosen by the input itself. */
static void pl_fuzz_feed(struct pl_log *l, const char *data, size_t n)
{
    pl_log_init(l);
    for (size_t at = 0; at < n;) {
        size_t piece = 1 + (unsigned char)data[at];
        piece = piece < n - at ? piece : n - at;
        pl_log_feed(l, data + at, piece);
        at += piece;
    }
    pl_log_end(l);
}

/* The table of the engine's own projection, the input taken as one line. */
static void pl_fuzz_projection(const char *text, size_t n)
{
    struct pl_projection p = {0};
    char line[PL_LOG_LINE_MAX];
    size_t len = n < sizeof(line) - 1 ? n : sizeof(line) - 1;
    memcpy(line, text, len);
    line[len] = '\0';
    for (int i = 0; i < PL_PROJECTION_ROWS_MAX + 1 && pl_projection_line(&p, line); i++)
        pl_fuzz_text(p.row[i].device, sizeof(p.row[i].device));
    pl_fuzz_check(p.n_row <= PL_PROJECTION_ROWS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_log whole, pieces;
    const char *text = n > 0 ? (const char *)data : "";
    pl_log_init(&whole);
    pl_log_feed(&whole, text, n);
    pl_log_end(&whole);
    pl_fuzz_projection(text, n);
    const struct pl_engine_report *r = &whole.report;
    pl_fuzz_bytes(&r->weights_mapped);
    pl_fuzz_bytes(&r->weights_repack);
    pl_fuzz_bytes(&r->weights_other);
    pl_fuzz_bytes(&r->kv);
    pl_fuzz_bytes(&r->output);
    pl_fuzz_bytes(&r->recurrent);
    pl_fuzz_text(r->version, sizeof(r->version));
    pl_fuzz_text(r->backend, sizeof(r->backend));
    pl_fuzz_text(whole.error, sizeof(whole.error));
    pl_fuzz_check((whole.cause == PL_CAUSE_NONE) == (whole.error[0] == '\0'));
    pl_fuzz_feed(&pieces, text, n);
    pl_fuzz_check(memcmp(&whole.report, &pieces.report, sizeof(whole.report)) == 0);
    pl_fuzz_check(whole.cause == pieces.cause && strcmp(whole.error, pieces.error) == 0);
    return 0;
}
