/* SQLite, loaded when a ledger is opened that is there or is to be made: to look its 1600 symbols
 * up takes as long as all else of the program's start. The functions are called by their usual
 * names, which sqlite3ext.h (SQLite's own header for code that is handed them) turns into calls
 * through a table. */
#ifndef PL_LEDGER_SQLITE_LIB_H
#define PL_LEDGER_SQLITE_LIB_H

#include "base/err.h"

#include <sqlite3ext.h>

#define sqlite3_api pl_sqlite
extern const sqlite3_api_routines *pl_sqlite; /* NULL until pl_sqlite_load */

/* Loads it once and keeps it. -ENOSYS with a hint, exit status 4, when it is missing or older than
 * 3.37 (STRICT tables). A function that the room is to use has a row in sqlite_lib.c. */
int pl_sqlite_load(struct pl_err *err);

#endif
