#include "machine/consumer_program.h"

#include "base/str.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#define PL_COMM_MAX 15 /* what the kernel keeps of a name */

static const struct pl_program pl_programs[] = {
#include "programs.inc"
};

const char *pl_program_base(const char *name, char *out, size_t size)
{
    const char *end = strstr(name, " -");
    size_t n = end != NULL ? (size_t)(end - name) : strlen(name);
    size_t start = n;
    while (start > 0 && name[start - 1] != '/' && name[start - 1] != '\\')
        start--;
    (void)pl_fmt(out, size, "%.*s", (int)(n - start < 255 ? n - start : 255), name + start);
    return out;
}

static bool pl_program_named(const struct pl_program *p, const char *name)
{
    /* most rows are told apart by their first letter: fnmatch is slow in a UTF-8 locale */
    if (strchr("*?[", p->name[0]) == NULL &&
        tolower((unsigned char)p->name[0]) != tolower((unsigned char)name[0]))
        return false;
    if (strpbrk(p->name, "*?[") != NULL)
        return fnmatch(p->name, name, FNM_CASEFOLD) == 0;
    return strcasecmp(p->name, name) == 0 ||
           (strlen(name) == PL_COMM_MAX && strncasecmp(p->name, name, PL_COMM_MAX) == 0);
}

/* A word as it is, and without its folders. */
static bool pl_program_has(const char *pattern, const char *words, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = strnlen(words + i, len - i);
        if (n == len - i)
            return false; /* not ended: the line was cut here */
        const char *base = strrchr(words + i, '/');
        if (fnmatch(pattern, words + i, FNM_CASEFOLD) == 0 ||
            (base != NULL && fnmatch(pattern, base + 1, FNM_CASEFOLD) == 0))
            return true;
        i += n + 1;
    }
    return false;
}

const struct pl_program *pl_program_known(const char *name, const char *words, size_t len)
{
    char base[256];
    (void)pl_program_base(name, base, sizeof(base));
    for (size_t i = 0; base[0] != '\0' && i < sizeof(pl_programs) / sizeof(pl_programs[0]); i++) {
        const struct pl_program *p = &pl_programs[i];
        if (pl_program_named(p, base) &&
            (p->argument == NULL || (words != NULL && pl_program_has(p->argument, words, len))))
            return p;
    }
    return NULL;
}

bool pl_program_asks(const char *name)
{
    for (size_t i = 0; i < sizeof(pl_programs) / sizeof(pl_programs[0]); i++) {
        if (pl_programs[i].argument != NULL && pl_program_named(&pl_programs[i], name))
            return true;
    }
    return false;
}

const struct pl_program *pl_program_called(const char *program)
{
    for (size_t i = 0; i < sizeof(pl_programs) / sizeof(pl_programs[0]); i++) {
        if (pl_streq(pl_programs[i].program, program))
            return &pl_programs[i];
    }
    return NULL;
}
