/* Archives and the tables of a capture: any bytes give members inside the archive, or an error; and
 * any text can be redacted, twice with the same end. */
#include "sys/ustar.h"
#include "base/redact.h"
#include "sys/tape.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_tables(const char *text, size_t n)
{
    for (int kind = 0; kind < 2; kind++) {
        struct pl_tape *tape = pl_tape_new();
        char *copy = malloc(n + 1);
        struct pl_err err = {0};
        if (tape != NULL && copy != NULL) {
            memcpy(copy, text, n + 1);
            if (kind == 0)
                (void)pl_tape_errors_parse(tape, copy, &err);
            else
                (void)pl_tape_pairs_parse(tape, PL_TAPE_LIVE, copy, &err);
            (void)pl_tape_find(tape, PL_TAPE_LIVE, "uname.machine");
        }
        free(copy);
        tape = pl_tape_free(tape);
    }
}

static void pl_fuzz_redact(const char *path, const char *text, size_t n)
{
    struct pl_redact *r = pl_redact_new();
    struct pl_str once;
    pl_str_init(&once, 1 << 24);
    if (r != NULL) {
        pl_redact_host(r, "host-name");
        pl_redact_learn(r, path, text, n);
        pl_redact_text(r, path, text, n, &once);
        pl_fuzz_check(once.failed || once.len <= n * 24 + 64);
    }
    pl_str_done(&once);
    r = pl_redact_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_ustar_member m;
    struct pl_err err = {0};
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    struct pl_ustar in = {.data = text, .len = n};
    while (pl_ustar_next(&in, &m, &err) > 0) {
        pl_fuzz_check(m.name[0] != '/' && strstr(m.name, "../") == NULL);
        pl_fuzz_check(m.len <= n && m.data >= text && m.data + m.len <= text + n);
    }
    pl_fuzz_tables(text, n);
    if (n < 4096) {
        pl_fuzz_redact("proc/1/cmdline", text, n);
        pl_fuzz_redact("sys/x/serial", text, n);
        pl_fuzz_redact("", text, n);
    }
    free(text);
    return 0;
}
