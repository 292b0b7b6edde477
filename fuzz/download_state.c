/* The state of a download: any text is refused, or gives a state that can be written and read again
 * and is the same. */
#include "model/download_journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_journal j = {0}, again = {0};
    struct pl_str text;
    if (pl_journal_parse((const char *)data, n, &j, NULL) < 0)
        return 0;
    pl_fuzz_check(j.bytes > 0 && j.n_piece > 0 && j.n_piece <= PL_PIECES_MAX);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < j.n_piece; i++) {
        pl_fuzz_check(pl_piece_at(&j, i) == sum && pl_piece_bytes(&j, i) > 0);
        sum += pl_piece_bytes(&j, i);
    }
    pl_fuzz_check(sum == j.bytes);
    pl_str_init(&text, PL_JOURNAL_TEXT_MAX);
    pl_fuzz_check(pl_journal_text(&j, &text));
    pl_fuzz_check(pl_journal_parse(pl_str_get(&text), text.len, &again, NULL) == 0);
    pl_str_done(&text);
    pl_fuzz_check(again.bytes == j.bytes && strcmp(again.etag, j.etag) == 0 &&
                  strcmp(again.sha256, j.sha256) == 0 &&
                  memcmp(again.sum, j.sum, j.n_piece * sizeof(*j.sum)) == 0);
    pl_journal_done(&again);
    pl_journal_done(&j);
    return 0;
}
