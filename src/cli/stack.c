#include "cli/stack.h"

#include "sys/file.h"

#include <stdlib.h>

static const char *pl_stack_variable_of(void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

int pl_cli_stack(const struct pl_cli *cli, const char *path, struct pl_arena *arena,
                 struct pl_stack **ret, struct pl_err *err)
{
    struct pl_str text;
    struct pl_stack_options options = {.environment = pl_cli_opt(cli, "env")->text,
                                       .variable = pl_stack_variable_of};
    pl_str_init(&text, PL_STACK_TEXT_MAX + 1);
    int rc = pl_file_text(path, &text, err);
    if (rc < 0)
        rc = pl_exit_as(err, rc, PL_EXIT_USAGE);
    else
        rc = pl_stack_parse(pl_str_get(&text), text.len, path, &options, arena, ret, err);
    pl_str_done(&text);
    return rc;
}
