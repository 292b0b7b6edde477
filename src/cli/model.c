#include "cli/model.h"

#include "model/open.h"

#include <stdlib.h>

bool pl_cli_offline(const struct pl_cli *cli)
{
    static const char *const names[] = {"PLIMSOLL_OFFLINE", "HF_HUB_OFFLINE"};
    bool offline = pl_cli_opt(cli, "offline")->given;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !offline; i++) {
        const char *value = getenv(names[i]);
        offline = value != NULL && value[0] != '\0' && !pl_streq(value, "0");
    }
    return offline;
}

int pl_cli_model(const struct pl_cli *cli, const char *spec, const volatile sig_atomic_t *stop,
                 struct pl_model **ret, struct pl_err *err)
{
    const struct pl_open_options o = {.offline = pl_cli_offline(cli), .stop = stop};
    return pl_model_open_with(spec, &o, ret, err);
}
