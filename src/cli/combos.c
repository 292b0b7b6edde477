#include "cli/combos.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define PL_COMBOS_KEY_MAX 64

/* Names that are no flag of the engine, or shorter than one. */
static const struct {
    const char *key;
    enum pl_combos_kind kind;
    const char *name;
} pl_combos_words[] = {
    {"ctx",     PL_COMBOS_FLAG,    "-c"       },
    {"prompt",  PL_COMBOS_PROMPT,  "--prompt" },
    {"predict", PL_COMBOS_PREDICT, "--predict"},
};

static const struct pl_flag *pl_combos_flag(const char *name)
{
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        for (int i = 0; i < PL_FLAG_NAMES_MAX && f->names[i] != NULL; i++) {
            if (pl_streq(f->names[i], name))
                return f;
        }
    }
    return NULL;
}

/* The axis of a key, without values. False when nothing has that name. */
static bool pl_combos_find(const char *word, size_t n, struct pl_combos_axis *ret)
{
    char key[PL_COMBOS_KEY_MAX], name[PL_COMBOS_KEY_MAX + 2];
    *ret = (struct pl_combos_axis){0};
    while (n > 0 && word[0] == '-')
        word++, n--;
    if (n == 0 || n >= sizeof(key))
        return false;
    memcpy(key, word, n);
    key[n] = '\0';
    for (size_t i = 0; i < sizeof(pl_combos_words) / sizeof(pl_combos_words[0]); i++) {
        if (pl_streq(key, pl_combos_words[i].key)) {
            ret->kind = pl_combos_words[i].kind;
            ret->name = pl_combos_words[i].name;
            ret->flag = ret->kind == PL_COMBOS_FLAG ? pl_combos_flag(ret->name) : NULL;
            return true;
        }
    }
    static const char *const dashes[] = {"--", "-"};
    for (int i = 0; i < 2 && ret->flag == NULL; i++) {
        (void)PL_FMT(name, "%s%s", dashes[i], key);
        ret->flag = pl_combos_flag(name);
    }
    ret->name = ret->flag != NULL ? ret->flag->names[0] : NULL;
    return ret->flag != NULL;
}

bool pl_combos_is(const char *word)
{
    struct pl_combos_axis axis;
    const char *equal = strchr(word, '=');
    return equal != NULL && pl_combos_find(word, (size_t)(equal - word), &axis);
}

static int pl_combos_bad(struct pl_err *err, int code)
{
    return pl_exit_as(err, code, PL_EXIT_USAGE);
}

/* Cuts text at its commas into the axis. */
static int pl_combos_values(struct pl_combos *c, struct pl_combos_axis *axis, const char *text,
                            struct pl_err *err)
{
    size_t n = strlen(text);
    if (n + 1 > sizeof(c->text) - c->len)
        return pl_combos_bad(err, pl_fail(err, -E2BIG, "--sweep: too many values"));
    char *at = c->text + c->len;
    memcpy(at, text, n + 1);
    c->len += n + 1;
    while (at != NULL) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma = '\0';
        if (at[0] == '\0')
            return pl_combos_bad(err,
                                 pl_fail(err, -EINVAL, "--sweep: an empty value in '%.80s'", text));
        for (uint32_t i = 0; i < axis->n; i++) {
            if (pl_streq(axis->value[i], at))
                return pl_combos_bad(
                    err, pl_fail(err, -EINVAL, "--sweep: %s has '%.40s' twice", axis->name, at));
        }
        if (axis->n >= PL_COMBOS_VALUES_MAX)
            return pl_combos_bad(err, pl_fail(err, -E2BIG, "--sweep: more than %d values of %s",
                                              PL_COMBOS_VALUES_MAX, axis->name));
        axis->value[axis->n++] = at;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return 0;
}

static int pl_combos_set(const struct pl_combos_axis *axis, const char *value,
                         struct pl_settings *s, struct pl_combos_request *q, struct pl_err *err)
{
    if (axis->kind == PL_COMBOS_FLAG)
        return pl_llamacpp_flag_set(s, axis->flag, axis->name, value, err);
    uint64_t *n = axis->kind == PL_COMBOS_PROMPT ? &q->prompt : &q->predict;
    if (pl_parse_u64(value, n) && *n > 0)
        return 0;
    return pl_combos_bad(
        err, pl_fail(err, -EINVAL, "%s: '%.40s' is not a number of tokens", axis->name, value));
}

static int pl_combos_unknown(const char *word, struct pl_err *err)
{
    const char *equal = strchr(word, '=');
    if (equal == NULL)
        (void)pl_fail(err, -EINVAL, "--sweep: '%.60s' is not KEY=VALUE,VALUE...", word);
    else
        (void)pl_fail(err, -EINVAL, "--sweep: '%.*s' is no flag of the engine",
                      (int)(equal - word < 60 ? equal - word : 60), word);
    (void)pl_hint(err, "as in --sweep ctx=2048,8192 ctk=f16,q8_0; also np, ub, ngl, prompt ...");
    return pl_combos_bad(err, -EINVAL);
}

int pl_combos_add(struct pl_combos *c, const char *word, struct pl_err *err)
{
    struct pl_combos_axis axis;
    struct pl_combos_request q = {0};
    struct pl_settings s;
    const char *equal = strchr(word, '=');
    if (equal == NULL || !pl_combos_find(word, (size_t)(equal - word), &axis))
        return pl_combos_unknown(word, err);
    if (axis.flag != NULL && axis.flag->arg == NULL)
        return pl_combos_bad(
            err, pl_fail(err, -EINVAL, "--sweep: %s is a switch and has no values", axis.name));
    for (uint32_t i = 0; i < c->n_axis; i++) {
        if (pl_streq(c->axis[i].name, axis.name))
            return pl_combos_bad(err, pl_fail(err, -EINVAL, "--sweep: %s twice", axis.name));
    }
    if (c->n_axis >= PL_COMBOS_AXES_MAX)
        return pl_combos_bad(
            err, pl_fail(err, -E2BIG, "--sweep: more than %d flags", PL_COMBOS_AXES_MAX));
    int rc = pl_combos_values(c, &axis, equal + 1, err);
    for (uint32_t i = 0; rc == 0 && i < axis.n; i++) {
        pl_llamacpp_defaults(&s);
        rc = pl_combos_set(&axis, axis.value[i], &s, &q, err);
    }
    if (rc == 0)
        c->axis[c->n_axis++] = axis;
    return rc;
}

int pl_combos_count(const struct pl_combos *c, uint32_t *ret, struct pl_err *err)
{
    uint32_t n = 1;
    for (uint32_t i = 0; i < c->n_axis; i++) {
        n *= c->axis[i].n; /* at most PL_COMBOS_MAX * PL_COMBOS_VALUES_MAX */
        if (n > PL_COMBOS_MAX)
            return pl_combos_bad(
                err, pl_fail(err, -E2BIG, "--sweep: more than %d combinations", PL_COMBOS_MAX));
    }
    *ret = n;
    return 0;
}

int pl_combos_apply(const struct pl_combos *c, uint32_t i, struct pl_settings *s,
                    struct pl_combos_request *q, struct pl_err *err)
{
    for (uint32_t a = c->n_axis; a-- > 0; i /= c->axis[a].n) {
        int rc = pl_combos_set(&c->axis[a], c->axis[a].value[i % c->axis[a].n], s, q, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
