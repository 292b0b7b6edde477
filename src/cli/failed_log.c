#include "cli/failed_log.h"

#include "base/str.h"

#include <stdlib.h>

bool pl_failed_log_path(char *out, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state != NULL && state[0] == '/')
        return pl_fmt(out, size, "%s/plimsoll/last-failed.log", state);
    return home != NULL && home[0] == '/' &&
           pl_fmt(out, size, "%s/.local/state/plimsoll/last-failed.log", home);
}
