#include "cli/plan_import.h"

#include <errno.h>
#include <string.h>

struct pl_splitter {
    const char *at;
    struct pl_str word;
    bool any; /* a word has begun, if only by quotes */
};

/* One character, or what a quote or a backslash makes of some; false for a quote that stays open.
 */
static bool pl_split_step(struct pl_splitter *s)
{
    char c = *s->at++;
    s->any = true;
    if (c == '\'') {
        size_t n = strcspn(s->at, "'");
        pl_str_addn(&s->word, s->at, n);
        s->at += n + (s->at[n] != '\0');
        return s->at[-1] == '\'';
    }
    if (c == '\\') {
        if (*s->at != '\0' && *s->at != '\n')
            pl_str_addn(&s->word, s->at, 1);
        s->any = s->word.len > 0 || *s->at != '\n';
        s->at += *s->at != '\0';
        return true;
    }
    if (c != '"') {
        pl_str_addn(&s->word, &c, 1);
        return true;
    }
    while (*s->at != '\0' && *s->at != '"') {
        if (*s->at == '\\' && s->at[1] != '\0' && strchr("\\\"$`\n", s->at[1]) != NULL)
            s->at++;
        pl_str_addn(&s->word, s->at++, 1);
    }
    if (*s->at == '\0')
        return false;
    s->at++;
    return true;
}

static const char *pl_after_blanks(const char *s, bool start)
{
    for (;;) {
        if (start && *s == '#')
            s += strcspn(s, "\n");
        if (*s == '\0' || strchr(" \t\r\n", *s) == NULL)
            return s;
        start = *s == '\n' || (start && *s != '\n');
        s++;
    }
}

int pl_shell_words(const char *text, struct pl_arena *arena, const char *word[PL_IMPORT_WORDS_MAX],
                   struct pl_err *err)
{
    struct pl_splitter s = {.at = pl_after_blanks(text, true)};
    uint32_t n = 0;
    int rc = 0;
    pl_str_init(&s.word, 64 * 1024);
    while (rc == 0 && *s.at != '\0') {
        if (!pl_split_step(&s))
            rc = pl_fail(err, -EINVAL, "a quote is not closed");
        if (rc < 0 || (*s.at != '\0' && strchr(" \t\r\n", *s.at) == NULL))
            continue;
        s.at = pl_after_blanks(s.at, false);
        if (!s.any)
            continue;
        const char *kept = s.word.failed ? NULL : pl_arena_strdup(arena, pl_str_get(&s.word));
        if (n >= PL_IMPORT_WORDS_MAX)
            rc = pl_fail(err, -E2BIG, "more than %u words", PL_IMPORT_WORDS_MAX);
        else if (kept == NULL)
            rc = pl_fail(err, -ENOMEM, "no memory for the command");
        else
            word[n++] = kept;
        pl_str_clear(&s.word);
        s.any = false;
    }
    pl_str_done(&s.word);
    return rc == 0 ? (int)n : rc;
}
