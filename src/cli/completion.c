#include "cli/verb.h"

#include <errno.h>

int pl_help_completion(const char *shell, struct pl_str *out, struct pl_err *err)
{
    (void)out;
    return pl_fail(err, -EINVAL, "no completion for '%s'", shell);
}
