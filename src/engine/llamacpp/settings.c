#include "engine/llamacpp/settings.h"

const struct pl_flag *pl_llamacpp_flags(void)
{
    static const struct pl_flag none[1] = {{.names = {0}}};
    return none;
}

void pl_llamacpp_defaults(struct pl_settings *s)
{
    *s = (struct pl_settings){.n_parallel = -1};
}

int pl_llamacpp_flag(struct pl_settings *s, int argc, char *const *argv, struct pl_err *err)
{
    (void)s, (void)argc, (void)argv, (void)err;
    return 0;
}

int pl_llamacpp_environment(struct pl_settings *s, struct pl_err *err)
{
    (void)s, (void)err;
    return 0;
}
