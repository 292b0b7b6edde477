#include "cli/engine_devices.h"

#include "base/str.h"
#include "engine/llamacpp/seen.h"

void pl_cli_engine_sees(const struct pl_install *engine, struct pl_machine *m,
                        struct pl_used_devices *ret)
{
    struct pl_seen seen;
    if (pl_llamacpp_seen(engine, &seen, NULL) < 0)
        pl_llamacpp_devices(m, engine->backend, ret);
    else
        pl_llamacpp_seen_join(&seen, m, ret);
}

int pl_cli_engine_names(const struct pl_used_devices *seen, struct pl_settings *s,
                        char names[PL_RUN_TEXT_MAX], struct pl_err *err)
{
    struct pl_used_devices picked;
    struct pl_str text;
    if (s->devices == NULL || pl_streq(s->devices, "none"))
        return 0;
    int rc = pl_llamacpp_devices_pick(seen, &(struct pl_settings){0}, s->devices, &picked, err);
    if (rc < 0)
        return rc;
    pl_str_init(&text, PL_RUN_TEXT_MAX);
    for (uint32_t i = 0; i < picked.n; i++)
        pl_str_addf(&text, "%s%s", i > 0 ? "," : "", picked.one[i].name);
    (void)pl_fmt(names, PL_RUN_TEXT_MAX, "%s", pl_str_get(&text));
    pl_str_done(&text);
    s->devices = names;
    return 0;
}
