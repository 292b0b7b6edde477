#include "engine/llamacpp/environment.h"

#include "engine/llamacpp/settings.h"

#include <stdlib.h>
#include <string.h>

/* common/arg.cpp, is_truthy and is_falsey */
static bool pl_env_true(const char *v)
{
    return pl_streq(v, "1") || pl_streq(v, "on") || pl_streq(v, "true") || pl_streq(v, "enabled");
}

static bool pl_env_false(const char *v)
{
    return pl_streq(v, "0") || pl_streq(v, "off") || pl_streq(v, "false") ||
           pl_streq(v, "disabled");
}

/* The row that undoes a switch: same field, the other value. */
static const struct pl_flag *pl_env_opposite(const struct pl_flag *f)
{
    static const enum pl_flag_kind other[] = {[PL_FLAG_YES] = PL_FLAG_NO,
                                              [PL_FLAG_NO] = PL_FLAG_YES,
                                              [PL_FLAG_TRI_ON] = PL_FLAG_TRI_OFF,
                                              [PL_FLAG_TRI_OFF] = PL_FLAG_TRI_ON};
    if (f->kind != PL_FLAG_YES && f->kind != PL_FLAG_NO && f->kind != PL_FLAG_TRI_ON &&
        f->kind != PL_FLAG_TRI_OFF)
        return NULL;
    for (const struct pl_flag *o = pl_llamacpp_flags(); o->names[0] != NULL; o++) {
        if (o->kind == other[f->kind] && o->field == f->field)
            return o;
    }
    return NULL;
}

/* A variable LLAMA_ARG_NO_X of a switch that has an X counts whatever it holds (common/arg.cpp,
 * get_value_from_env). */
static const struct pl_flag *pl_env_switch(const struct pl_flag *f, const char *value)
{
    const struct pl_flag *opposite = pl_env_opposite(f);
    bool negative = opposite != NULL && pl_starts(f->env, "LLAMA_ARG_NO_");
    if (negative || pl_env_true(value))
        return f;
    return pl_env_false(value) ? opposite : NULL;
}

/* A switch without a field that is set to false: its other spelling, "--no-...". */
static const char *pl_env_negative(const struct pl_flag *f)
{
    for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++) {
        if (pl_starts(f->names[k], "--no-"))
            return f->names[k];
    }
    return NULL;
}

static int pl_env_apply(struct pl_settings *s, const struct pl_flag *f, const char *value,
                        struct pl_err *err)
{
    if (f->arg != NULL)
        return pl_llamacpp_flag_set(s, f, f->env, value, err);
    if (f->kind == PL_FLAG_PASS && pl_env_false(value)) {
        const char *negative = pl_env_negative(f);
        return negative != NULL ? pl_llamacpp_flag_set(s, f, negative, NULL, err) : 0;
    }
    const struct pl_flag *row = pl_env_switch(f, value);
    return row != NULL ? pl_llamacpp_flag_set(s, row, f->env, NULL, err) : 0;
}

int pl_llamacpp_environment(struct pl_settings *s, struct pl_err *err)
{
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        const char *value = f->env != NULL ? getenv(f->env) : NULL;
        if (value == NULL)
            continue;
        int rc = pl_env_apply(s, f, value, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int pl_llamacpp_variable(struct pl_settings *s, const char *word, struct pl_err *err)
{
    const char *equals = strchr(word, '=');
    size_t n = equals != NULL ? (size_t)(equals - word) : 0;
    for (const struct pl_flag *f = pl_llamacpp_flags(); n > 0 && f->names[0] != NULL; f++) {
        if (f->env == NULL || strlen(f->env) != n || memcmp(f->env, word, n) != 0)
            continue;
        int rc = pl_env_apply(s, f, equals + 1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
