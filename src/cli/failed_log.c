#include "cli/failed_log.h"

#include "sys/xdg.h"

bool pl_failed_log_path(char *out, size_t size)
{
    return pl_xdg_path(out, size, PL_XDG_STATE, "plimsoll/last-failed.log") == 0;
}
