/* Where the ledger lies, and the making of its folders and file. */
#ifndef PL_LEDGER_PATH_H
#define PL_LEDGER_PATH_H

#include "base/err.h"

#define PL_LEDGER_PATH_MAX 1024

/* The default place. -ENOENT when neither PLIMSOLL_LEDGER nor XDG_DATA_HOME nor HOME tells. */
int pl_ledger_default_path(char out[PL_LEDGER_PATH_MAX], struct pl_err *err);

/* Makes the folders above path (0700) and the empty file (0600) where they are missing. */
int pl_ledger_make_file(const char *path, struct pl_err *err);

#endif
