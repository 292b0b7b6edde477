/* The parser of llama-server's log: any bytes, cut anywhere, give the same figures, within their
 * bounds, and text fit for an error message. */
#include "engine/llamacpp/log.h"

#include "base/units.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_log whole, pieces;
    const char *text = n > 0 ? (const char *)data : "";
    pl_log_init(&whole);
    pl_log_feed(&whole, text, n);
    pl_log_end(&whole);
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
