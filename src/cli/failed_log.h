/* Where the log of the last failed run is kept. */
#ifndef PL_CLI_FAILED_LOG_H
#define PL_CLI_FAILED_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* $XDG_STATE_HOME/plimsoll/last-failed.log, else below ~/.local/state; false when neither is set or
 * the path is too long. The file need not exist. */
bool pl_failed_log_path(char *out, size_t size);

#endif
