#include "engine/llamacpp/pattern.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* The compiler of expressions doubles what a '+' repeats: so many of them upon each other at most.
 */
#define PL_PATTERN_REPEATS_MAX 6

struct pl_name_pattern {
    regex_t re;
};

static int pl_pattern_cannot(const char *text, size_t len, const char *what, struct pl_err *err)
{
    (void)pl_fail(err, -ENOTSUP, "cannot tell which tensors '%.*s' matches: it uses %s",
                  (int)(len < 80 ? len : 80), text, what);
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

/* What an escape stands for: inside brackets without them. NULL: the character itself. */
static const char *pl_pattern_class(char c, bool bracket)
{
    switch (c) {
    case 'd':
        return bracket ? "0-9" : "[0-9]";
    case 'w':
        return bracket ? "A-Za-z0-9_" : "[A-Za-z0-9_]";
    case 's':
        return bracket ? "[:space:]" : "[[:space:]]";
    case 'D':
        return bracket ? NULL : "[^0-9]";
    case 'W':
        return bracket ? NULL : "[^A-Za-z0-9_]";
    case 'S':
        return bracket ? NULL : "[^[:space:]]";
    default:
        return NULL;
    }
}

/* One escape at p (after the backslash). */
static int pl_pattern_escape(struct pl_str *out, char c, bool bracket, const char **ret_why)
{
    const char *named = pl_pattern_class(c, bracket);
    if (named != NULL) {
        pl_str_add(out, named);
        return 0;
    }
    if (isalnum((unsigned char)c) || c == '\0') {
        *ret_why = isdigit((unsigned char)c) ? "a back-reference" : "an escape of letters";
        return -ENOTSUP;
    }
    if (bracket && (c == ']' || c == '-' || c == '^' || c == '[')) {
        *ret_why = "an escape in brackets that POSIX lacks";
        return -ENOTSUP;
    }
    pl_str_addf(out, bracket ? "%c" : "\\%c", c);
    return 0;
}

static int pl_pattern_rewrite(const char *text, size_t len, struct pl_str *out,
                              const char **ret_why)
{
    bool bracket = false, repeat = false; /* behind '*', '+', '?' or '}' */
    uint32_t groups = 0;                  /* repeated ones */
    for (size_t i = 0; i < len; i++) {
        char c = text[i], next = i + 1 < len ? text[i + 1] : '\0';
        bool again = repeat, times = !bracket && (c == '*' || c == '+' || c == '{');
        repeat = !bracket && (c == '*' || c == '+' || c == '?' || c == '}');
        groups += times && i > 0 && text[i - 1] == ')' ? 1 : 0;
        if ((times && again) || groups > PL_PATTERN_REPEATS_MAX) {
            *ret_why = "a repetition of a repetition";
            return -ENOTSUP;
        }
        if (c == '\\') {
            int rc = pl_pattern_escape(out, next, bracket, ret_why);
            if (rc < 0)
                return rc;
            i++;
        } else if (bracket) {
            bracket = c != ']';
            pl_str_addn(out, &c, 1);
        } else if (c == '{' && (i == 0 || text[i - 1] == ')' || text[i - 1] == '}' ||
                                strspn(text + i + 1, "0123456789") > 2)) {
            *ret_why = "a count that multiplies the expression"; /* memory grows with each */
            return -ENOTSUP;
        } else if (c == '(' && next == '?') {
            if (i + 2 >= len || text[i + 2] != ':') {
                *ret_why = "a look-ahead";
                return -ENOTSUP;
            }
            pl_str_add(out, "(");
            i += 2;
        } else if (c == '?' && i > 0 && text[i - 1] != '\\' &&
                   strchr("*+?}", text[i - 1]) != NULL) {
            continue; /* lazy: finds the same names */
        } else {
            bracket = c == '[';
            pl_str_addn(out, &c, 1);
        }
    }
    return 0;
}

int pl_pattern_new(const char *text, size_t len, struct pl_name_pattern **ret, struct pl_err *err)
{
    struct pl_str out;
    const char *why = "nothing";
    if (len == 0 || len > PL_PATTERN_MAX) {
        (void)pl_fail(err, -EINVAL, "a tensor pattern has 1 to %d characters", PL_PATTERN_MAX);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    pl_str_init(&out, 16 * PL_PATTERN_MAX);
    struct pl_name_pattern *p = calloc(1, sizeof(*p));
    int rc = p == NULL ? pl_fail(err, -ENOMEM, "out of memory") : 0;
    if (rc == 0 && pl_pattern_rewrite(text, len, &out, &why) < 0)
        rc = pl_pattern_cannot(text, len, why, err);
    if (rc == 0 && regcomp(&p->re, pl_str_get(&out), REG_EXTENDED | REG_NOSUB) != 0) {
        (void)pl_fail(err, -EINVAL, "'%.*s' is no pattern", (int)(len < 80 ? len : 80), text);
        rc = pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    pl_str_done(&out);
    if (rc < 0) {
        free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

bool pl_pattern_found(const struct pl_name_pattern *p, const char *name)
{
    return regexec(&p->re, name, 0, NULL, 0) == 0;
}

struct pl_name_pattern *pl_pattern_free(struct pl_name_pattern *p)
{
    if (p != NULL)
        regfree(&p->re);
    free(p);
    return NULL;
}
