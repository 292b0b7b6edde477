#include "why/rule_pattern.h"

#include <errno.h>
#include <string.h>

#define PL_PATTERN_DEPTH 4 /* braces within braces; the table is ours */

static const struct {
    const char *name, *expression;
    uint32_t groups;
} pl_kinds[PL_KINDS] = {
    [PL_KIND_INT] = {"int",     "([0-9]+)",                                       1},
    [PL_KIND_HEX] = {"hex",     "0x([0-9a-fA-F]+)",                               1},
    [PL_KIND_SIZE] = {"size",    "([0-9]+(\\.[0-9]+)?) ?(bytes?|[KMGTP]i?B|kB|B)", 3},
    [PL_KIND_SHORT] = {"short",   "([0-9]+(\\.[0-9]+)?)([KMGT]i?)",                 3},
    [PL_KIND_MIB] = {"mib",     "([0-9]+(\\.[0-9]+)?)",                           2},
    [PL_KIND_GIB] = {"gib",     "([0-9]+(\\.[0-9]+)?)",                           2},
    [PL_KIND_PAGES] = {"pages",   "([0-9]+)",                                       1},
    [PL_KIND_PERCENT] = {"percent", "([0-9]+(\\.[0-9]+)?)",                           2},
    [PL_KIND_WORD] = {"word",    "([^[:space:],;]+)",                              1},
    [PL_KIND_QUOTED] = {"quoted",  "([^\"']*)",                                      1},
    [PL_KIND_PAREN] = {"paren",   "([^)]*)",                                        1},
    [PL_KIND_BRACKET] = {"bracket", "([^]]*)",                                        1},
    [PL_KIND_REST] = {"rest",    "(.*)",                                           1},
    [PL_KIND_BUFFER] = {"buffer",  "([A-Za-z]+[A-Za-z0-9_]*)",                       1},
};

static const struct {
    const char *name;
    enum pl_rule_field field;
} pl_fields[] = {
    {"device",    PL_FIELD_DEVICE   },
    {"pid",       PL_FIELD_PID      },
    {"other_pid", PL_FIELD_OTHER_PID},
    {"process",   PL_FIELD_PROCESS  },
    {"group",     PL_FIELD_GROUP    },
    {"model",     PL_FIELD_MODEL    },
    {"node",      PL_FIELD_NODE     },
};

/* Index of the brace that ends the one at p[0]; 0 when none does. */
static size_t pl_brace_end(const char *p)
{
    int depth = 0;
    for (size_t i = 0; p[i] != '\0'; i++) {
        depth += p[i] == '{' ? 1 : p[i] == '}' ? -1 : 0;
        if (depth == 0)
            return i;
    }
    return 0;
}

/* Is there a '|' of this level in p[0..n)? */
static bool pl_has_choice(const char *p, size_t n)
{
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        depth += p[i] == '{' ? 1 : p[i] == '}' ? -1 : 0;
        if (depth == 0 && p[i] == '|')
            return true;
    }
    return false;
}

static bool pl_field_named(const char *name, size_t n, struct pl_pattern_capture *ret)
{
    char word[PL_OOM_NAME_MAX];
    if (n >= sizeof(word))
        return false;
    memcpy(word, name, n);
    word[n] = '\0';
    ret->number = pl_oom_number_of(word);
    if (ret->number != PL_OOM_NUMBERS) {
        ret->field = PL_FIELD_NUMBER;
        return true;
    }
    for (size_t i = 0; i < sizeof(pl_fields) / sizeof(pl_fields[0]); i++) {
        if (pl_streq(pl_fields[i].name, word)) {
            ret->field = pl_fields[i].field;
            return true;
        }
    }
    return false;
}

/* "requested:size" or "int": a value kept, or one that only has to be there. */
static int pl_pattern_value(const char *p, size_t n, struct pl_str *out, struct pl_pattern *ret,
                            struct pl_err *err)
{
    const char *colon = memchr(p, ':', n);
    const char *kind = colon != NULL ? colon + 1 : p;
    size_t kind_len = (size_t)(p + n - kind);
    struct pl_pattern_capture c = {.group = ret->n_group + 1};
    uint32_t k = 0;
    while (k < PL_KINDS &&
           (strlen(pl_kinds[k].name) != kind_len || memcmp(pl_kinds[k].name, kind, kind_len) != 0))
        k++;
    if (k == PL_KINDS || (colon != NULL && !pl_field_named(p, (size_t)(colon - p), &c)))
        return pl_fail(err, -EINVAL, "log grammar: {%.*s} is no value", (int)n, p);
    c.kind = (enum pl_rule_kind)k;
    pl_str_add(out, pl_kinds[k].expression);
    ret->n_group += pl_kinds[k].groups;
    if (colon == NULL)
        return 0;
    if (ret->n_capture == PL_CAPTURES_MAX)
        return pl_fail(err, -EINVAL, "log grammar: too many values in one rule");
    ret->capture[ret->n_capture++] = c;
    return 0;
}

static void pl_pattern_plain(char c, struct pl_str *out)
{
    if (strchr(".[]()*+?{}|^$\\", c) != NULL)
        pl_str_addc(out, '\\', 1);
    pl_str_addc(out, c, 1);
}

static int pl_pattern_piece(const char *p, size_t n, int depth, struct pl_str *out,
                            struct pl_pattern *ret, struct pl_err *err);

/* What stands between a pair of braces. */
static int pl_pattern_brace(const char *p, size_t n, int depth, struct pl_str *out,
                            struct pl_pattern *ret, struct pl_err *err)
{
    if (n == 2 && memcmp(p, "..", 2) == 0) {
        pl_str_add(out, ".*");
        return 0;
    }
    if (n == 1 && p[0] == '.') {
        pl_str_add(out, "[^[:space:]]*");
        return 0;
    }
    bool maybe = n > 0 && p[0] == '?';
    if (!maybe && !pl_has_choice(p, n))
        return pl_pattern_value(p, n, out, ret, err);
    pl_str_addc(out, '(', 1);
    ret->n_group++;
    int rc = pl_pattern_piece(p + (maybe ? 1 : 0), n - (maybe ? 1 : 0), depth + 1, out, ret, err);
    pl_str_add(out, maybe ? ")?" : ")");
    return rc;
}

static int pl_pattern_piece(const char *p, size_t n, int depth, struct pl_str *out,
                            struct pl_pattern *ret, struct pl_err *err)
{
    if (depth > PL_PATTERN_DEPTH)
        return pl_fail(err, -EINVAL, "log grammar: braces too deep");
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '{') {
            size_t end = pl_brace_end(p + i);
            if (end == 0 || i + end >= n)
                return pl_fail(err, -EINVAL, "log grammar: a brace does not end");
            int rc = pl_pattern_brace(p + i + 1, end - 1, depth, out, ret, err);
            if (rc < 0)
                return rc;
            i += end;
        } else if (depth > 0 && p[i] == '|') {
            pl_str_addc(out, '|', 1);
        } else {
            pl_pattern_plain(p[i], out);
        }
    }
    return 0;
}

int pl_pattern_translate(const char *pattern, struct pl_str *out, struct pl_pattern *ret,
                         struct pl_err *err)
{
    *ret = (struct pl_pattern){0};
    int rc = pl_pattern_piece(pattern, strlen(pattern), 0, out, ret, err);
    if (rc == 0 && out->failed)
        rc = pl_fail(err, -ENOMEM, "log grammar: not enough memory");
    return rc;
}

void pl_pattern_anchor(const char *pattern, char *out, size_t size)
{
    size_t best = 0, best_len = 0, from = 0;
    for (size_t i = 0;; i++) {
        if (pattern[i] != '\0' && pattern[i] != '{')
            continue;
        if (i - from > best_len) {
            best = from;
            best_len = i - from;
        }
        if (pattern[i] == '\0')
            break;
        i += pl_brace_end(pattern + i);
        from = i + 1;
    }
    while (best_len > 0 && pattern[best] == ' ') {
        best++;
        best_len--;
    }
    while (best_len > 0 && pattern[best + best_len - 1] == ' ')
        best_len--;
    best_len = best_len < size ? best_len : size - 1;
    memcpy(out, pattern + best, best_len);
    out[best_len] = '\0';
}
