/* A word of a command without its secrets: bounded, and what is taken out once stays what it is. */
#include "base/redact_words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_word(const char *word, struct pl_str *out)
{
    struct pl_redact_words r = {0};
    pl_str_clear(out);
    pl_redact_word(&r, word, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_str once, twice;
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    memcpy(text, n > 0 ? data : (const uint8_t *)"", n);
    text[n] = '\0';
    pl_str_init(&once, 16u * 1024 * 1024);
    pl_str_init(&twice, 16u * 1024 * 1024);
    pl_fuzz_word(text, &once);
    pl_fuzz_word(pl_str_get(&once), &twice);
    if (!once.failed && !twice.failed &&
        (once.len > 10 * strlen(text) + 16 || strcmp(pl_str_get(&once), pl_str_get(&twice)) != 0))
        abort();
    pl_str_done(&once);
    pl_str_done(&twice);
    free(text);
    return 0;
}
