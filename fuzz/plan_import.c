/* Foreign configurations: what is made of one is a stack file of plain text, or an error has words
 * and nothing is left. */
#include "cli/plan_import.h"

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
    struct pl_arena arena;
    struct pl_str out;
    struct pl_err err = {0};
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    memcpy(text, n > 0 ? data : (const uint8_t *)"", n);
    text[n] = '\0';
    pl_arena_init(&arena, 64u * 1024 * 1024);
    pl_str_init(&out, 4u * 1024 * 1024);
    int rc = pl_plan_import_text(text, n, "fuzz", &arena, &out, &err);
    pl_fuzz_check(rc == 0 || (err.what[0] != '\0' && strpbrk(err.what, "\n\033") == NULL));
    pl_fuzz_check(rc == 0 || out.len == 0);
    for (size_t i = 0; i < out.len; i++) {
        unsigned char c = (unsigned char)pl_str_get(&out)[i];
        pl_fuzz_check(c == '\n' || (c >= 0x20 && c != 0x7f));
        /* C1: commands of a terminal */
        pl_fuzz_check(c != 0xc2 || (unsigned char)pl_str_get(&out)[i + 1] >= 0xa0);
    }
    pl_str_done(&out);
    pl_arena_done(&arena);
    free(text);
    return 0;
}
