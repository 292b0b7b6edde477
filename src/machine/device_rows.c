/* The table, and finding a row in it. */
#include "base/str.h"
#include "machine/device_data.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_device_row pl_rows[] = {
#include "devices.inc"
};

#define PL_ROWS ((uint32_t)(sizeof(pl_rows) / sizeof(pl_rows[0])))

const struct pl_device_row *pl_device_rows(uint32_t *ret_n)
{
    *ret_n = PL_ROWS;
    return pl_rows;
}

const struct pl_device_row *pl_device_row(const char *id, const char **ret_near)
{
    const char *names[PL_ROWS + 1];
    for (uint32_t i = 0; i < PL_ROWS; i++) {
        if (pl_streq(pl_rows[i].id, id))
            return &pl_rows[i];
        names[i] = pl_rows[i].id;
    }
    names[PL_ROWS] = NULL;
    if (ret_near != NULL)
        *ret_near = pl_nearest(id, names);
    return NULL;
}

static bool pl_row_is_cpu(const struct pl_device_row *r)
{
    return pl_streq(r->class, "cpu");
}

#define PL_LITERAL_MAX 64

/* Behind a bracket expression that begins at s; "[:alpha:]" may stand in it. */
static const char *pl_row_bracket(const char *s)
{
    s += s[1] == '^' ? 2 : 1;
    for (s += *s == ']' ? 1 : 0; *s != '\0' && *s != ']'; s++) {
        const char *end = s[0] == '[' && s[1] == ':' ? strstr(s + 2, ":]") : NULL;
        s = end != NULL ? end + 1 : s;
    }
    return *s == ']' ? s + 1 : s;
}

/* Does the character stand for itself? Behind a backslash letters and some signs do not (\b, \<).
 */
static bool pl_row_plain(char c, bool escaped)
{
    return escaped ? ispunct((unsigned char)c) && strchr("<>`'", c) == NULL
                   : strchr(".[]()*+?{}^$|\\", c) == NULL;
}

/* The longest text that whatever matches the extended expression must hold, "" where none is seen:
 * a run of plain characters outside of groups, when there is no choice around them. */
static void pl_row_literal(const char *match, char out[PL_LITERAL_MAX])
{
    char run[PL_LITERAL_MAX];
    size_t n = 0, best = 0;
    int depth = 0;
    out[0] = '\0';
    while (*match != '\0') {
        bool escaped = *match == '\\' && match[1] != '\0';
        char c = escaped ? match[1] : *match;
        if (!escaped && c == '|' && depth == 0) {
            out[0] = '\0';
            return;
        }
        bool plain = depth == 0 && pl_row_plain(c, escaped);
        if (!escaped && c == '[') {
            match = pl_row_bracket(match);
        } else {
            depth += escaped ? 0 : (c == '(') - (c == ')');
            match += escaped ? 2 : 1;
        }
        bool maybe = strchr("*?{", *match) != NULL && *match != '\0'; /* it may be left out */
        if (plain && !maybe && n + 1 < sizeof(run))
            run[n++] = c;
        if (n > best) {
            best = n;
            memcpy(out, run, n);
            out[n] = '\0';
        }
        if (!plain || maybe || *match == '+')
            n = 0;
    }
}

/* Compiled here and now, and only those that can match: to compile one takes as long as to look for
 * its text in a hundred names. */
static bool pl_row_matches(const struct pl_device_row *r, const char *subject)
{
    char literal[PL_LITERAL_MAX];
    regex_t re;
    pl_row_literal(r->match, literal);
    if (r->match[0] == '\0' || strstr(subject, literal) == NULL ||
        regcomp(&re, r->match, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool yes = regexec(&re, subject, 0, NULL, 0) == 0;
    regfree(&re);
    return yes;
}

static const struct pl_device_row *pl_row_only(const char *subject, bool cpu,
                                               const struct pl_device_row **ret_other)
{
    const struct pl_device_row *found = NULL;
    for (uint32_t i = 0; i < PL_ROWS; i++) {
        const struct pl_device_row *r = &pl_rows[i];
        if (pl_row_is_cpu(r) != cpu || !pl_row_matches(r, subject))
            continue;
        if (found != NULL) {
            if (ret_other != NULL)
                *ret_other = r;
            return NULL;
        }
        found = r;
    }
    return found;
}

const struct pl_device_row *pl_device_match(const char *subject,
                                            const struct pl_device_row **ret_other)
{
    if (ret_other != NULL)
        *ret_other = NULL;
    return pl_row_only(subject, false, ret_other);
}

const struct pl_device_row *pl_device_match_cpu(const char *model)
{
    return model[0] != '\0' ? pl_row_only(model, true, NULL) : NULL;
}
