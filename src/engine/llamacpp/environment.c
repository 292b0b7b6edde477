#include "engine/llamacpp/environment.h"

#include "engine/llamacpp/settings.h"

#include <stdlib.h>

/* common/arg.cpp: a switch set from the environment is true for these words */
static bool pl_env_true(const char *v)
{
    return pl_streq(v, "1") || pl_streq(v, "on") || pl_streq(v, "true") || pl_streq(v, "enabled");
}

int pl_llamacpp_environment(struct pl_settings *s, struct pl_err *err)
{
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        const char *value = f->env != NULL ? getenv(f->env) : NULL;
        if (value == NULL)
            continue;
        if (f->arg == NULL && !pl_env_true(value))
            continue;
        int rc = pl_llamacpp_flag_set(s, f, f->env, value, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
