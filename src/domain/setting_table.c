#include "domain/setting_table.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static bool pl_setting_has_value(enum pl_takes takes)
{
    return takes != PL_TAKES_NOTHING && takes != PL_TAKES_PASS && takes != PL_TAKES_CANNOT;
}

/* The names are equal when "_" counts as "-"; n is the length of word's name. */
static bool pl_setting_same(const char *name, const char *word, size_t n)
{
    if (strlen(name) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (name[i] != (word[i] == '_' ? '-' : word[i]))
            return false;
    }
    return true;
}

/* Index of the row a word names, or -1. */
static int pl_setting_find(const struct pl_setting_values *v, const char *word)
{
    size_t n = pl_starts(word, "--") ? strcspn(word, "=") : strlen(word);
    for (int i = 0; v->row != NULL && v->row[i].names[0] != NULL; i++) {
        for (int k = 0; k < PL_SETTING_NAMES_MAX && v->row[i].names[k] != NULL; k++) {
            if (pl_setting_same(v->row[i].names[k], word, n))
                return i;
        }
    }
    return -1;
}

static const char *pl_setting_word_at(const char *words, const char *text, uint64_t *ret_at)
{
    size_t n = strlen(text);
    uint64_t at = 0;
    for (const char *w = words; w != NULL; at++) {
        size_t len = strcspn(w, "|");
        if (len == n && n > 0 && strncmp(w, text, n) == 0) {
            *ret_at = at;
            return w;
        }
        w = w[len] == '|' ? w + len + 1 : NULL;
    }
    return NULL;
}

static int pl_setting_bad(const struct pl_setting_row *r, const char *text, const char *why,
                          struct pl_err *err)
{
    (void)pl_fail(err, -EINVAL, "%s: '%.60s' %s", r->names[0], text, why);
    if (r->takes == PL_TAKES_WORD)
        (void)pl_hint(err, "one of %s", r->words);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static bool pl_setting_within(const struct pl_setting_row *r, double d)
{
    return isfinite(d) && d >= r->min && (r->max <= 0 || d <= r->max);
}

static int pl_setting_set(const struct pl_setting_row *r, const char *text,
                          struct pl_setting_value *ret, struct pl_err *err)
{
    struct pl_setting_value v = {.set = true, .text = text};
    switch (r->takes) {
    case PL_TAKES_COUNT:
        if (!pl_parse_u64(text, &v.u))
            return pl_setting_bad(r, text, "is not a whole number", err);
        v.d = (double)v.u;
        if (!pl_setting_within(r, v.d))
            return pl_setting_bad(r, text, "is out of range", err);
        break;
    case PL_TAKES_NUMBER:
        if (!pl_parse_double(text, &v.d))
            return pl_setting_bad(r, text, "is not a number", err);
        if (!pl_setting_within(r, v.d))
            return pl_setting_bad(r, text, "is out of range", err);
        break;
    case PL_TAKES_WORD:
        if (pl_setting_word_at(r->words, text, &v.u) == NULL)
            return pl_setting_bad(r, text, "is not known", err);
        break;
    case PL_TAKES_NOTHING:
        v.u = 1;
        v.text = "true";
        break;
    case PL_TAKES_TEXT:
    case PL_TAKES_PASS:
    case PL_TAKES_PASS_VALUE:
        break;
    case PL_TAKES_CANNOT:
    case PL_TAKES_CANNOT_VALUE:
        (void)pl_fail(err, -ENOTSUP, "%s: what it does to memory is not predicted", r->names[0]);
        if (r->words != NULL)
            (void)pl_hint(err, "%s", r->words);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    *ret = v;
    return 0;
}

void pl_settings_start(struct pl_setting_values *v, const struct pl_setting_row *row)
{
    *v = (struct pl_setting_values){.row = row};
    for (int i = 0; row != NULL && row[i].names[0] != NULL; i++) {
        assert(i < PL_SETTINGS_MAX);
        if (row[i].absent != NULL)
            (void)pl_setting_set(&row[i], row[i].absent, &v->value[i], NULL);
    }
}

int pl_settings_take(struct pl_setting_values *v, int argc, char *const *argv, struct pl_err *err)
{
    int at = pl_setting_find(v, argv[0]), used = 1;
    if (at < 0)
        return 0;
    const struct pl_setting_row *r = &v->row[at];
    const char *text = pl_starts(argv[0], "--") ? strchr(argv[0], '=') : NULL;
    text = text != NULL ? text + 1 : NULL;
    if (pl_setting_has_value(r->takes) && text == NULL) {
        if (argc < 2) {
            (void)pl_fail(err, -EINVAL, "%s needs a value (%s)", r->names[0],
                          r->arg != NULL ? r->arg : "VALUE");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        text = argv[1];
        used = 2;
    } else if (!pl_setting_has_value(r->takes) && text != NULL) {
        (void)pl_fail(err, -EINVAL, "%s takes no value", r->names[0]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc = pl_setting_set(r, text != NULL ? text : "true", &v->value[at], err);
    v->value[at].given = rc == 0;
    return rc < 0 ? rc : used;
}

static int pl_setting_at(const struct pl_setting_values *v, const char *key)
{
    int at = -1;
    for (int i = 0; at < 0 && v->row[i].names[0] != NULL; i++)
        at = v->row[i].key != NULL && pl_streq(v->row[i].key, key) ? i : -1;
    assert(at >= 0);
    return at;
}

const struct pl_setting_value *pl_setting(const struct pl_setting_values *v, const char *key)
{
    return &v->value[pl_setting_at(v, key)];
}

uint64_t pl_setting_u(const struct pl_setting_values *v, const char *key)
{
    return pl_setting(v, key)->u;
}

double pl_setting_d(const struct pl_setting_values *v, const char *key)
{
    return pl_setting(v, key)->d;
}

const char *pl_setting_text(const struct pl_setting_values *v, const char *key)
{
    const struct pl_setting_value *one = pl_setting(v, key);
    return one->set && one->text != NULL ? one->text : "";
}

bool pl_setting_is(const struct pl_setting_values *v, const char *key, const char *word)
{
    return pl_streq(pl_setting_text(v, key), word);
}

void pl_setting_decide_u(struct pl_setting_values *v, const char *key, uint64_t u)
{
    struct pl_setting_value *one = &v->value[pl_setting_at(v, key)];
    one->set = true;
    one->u = u;
    one->d = (double)u;
}

void pl_setting_decide_text(struct pl_setting_values *v, const char *key, const char *text)
{
    struct pl_setting_value *one = &v->value[pl_setting_at(v, key)];
    one->set = true;
    one->text = text;
}

void pl_settings_text(const struct pl_setting_values *v, struct pl_str *out)
{
    for (int i = 0; v->row != NULL && v->row[i].names[0] != NULL; i++) {
        if (!v->value[i].given)
            continue;
        pl_str_addf(out, "%s%s", out->len > 0 ? " " : "", v->row[i].names[0]);
        if (pl_setting_has_value(v->row[i].takes))
            pl_str_addf(out, " %s", v->value[i].text);
    }
}
