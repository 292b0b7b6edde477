/* Commands as a shell splits them: quoted for one and split again, every word is what it was. */
#include "cli/emit.h"
#include "cli/plan_import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_again(const char *const *word, int n, struct pl_arena *arena)
{
    const char *again[PL_IMPORT_WORDS_MAX];
    struct pl_str line;
    struct pl_err err = {0};
    pl_str_init(&line, 4u * 1024 * 1024);
    for (int i = 0; i < n; i++) {
        pl_str_add(&line, i > 0 ? " " : "");
        pl_emit_sh(&line, &(struct pl_emit_word){.text = word[i]});
    }
    if (!line.failed) {
        int m = pl_shell_words(pl_str_get(&line), arena, again, &err);
        pl_fuzz_check(m == n || m == -ENOMEM);
        for (int i = 0; i < m; i++)
            pl_fuzz_check(strcmp(word[i], again[i]) == 0);
    }
    pl_str_done(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *word[PL_IMPORT_WORDS_MAX];
    struct pl_arena arena;
    struct pl_err err = {0};
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    memcpy(text, n > 0 ? data : (const uint8_t *)"", n);
    text[n] = '\0';
    pl_arena_init(&arena, 16u * 1024 * 1024);
    int got = pl_shell_words(text, &arena, word, &err);
    pl_fuzz_check(got <= (int)PL_IMPORT_WORDS_MAX && (got >= 0 || err.what[0] != '\0'));
    if (got > 0)
        pl_fuzz_again(word, got, &arena);
    pl_arena_done(&arena);
    free(text);
    return 0;
}
