/* The columns of table `runs` and where each lives in struct pl_run: one table drives what is
 * stored and what is read back. */
#ifndef PL_LEDGER_COLUMNS_H
#define PL_LEDGER_COLUMNS_H

#include "base/str.h"
#include "ledger/sql.h"

#define PL_COLUMNS_SQL_MAX 16384

/* "name, name, ..." of every column but id and written_by, in binding order. */
void pl_columns_names(struct pl_str *out);
/* How many SQL columns that is. */
int pl_columns_count(void);

/* Binds run's fields from parameter `at` on; returns SQLite's code. */
int pl_columns_bind(sqlite3_stmt *s, int at, const struct pl_run *run);
/* Reads them back from result column `at` on (ends are cleaned: unknown words become defaults). */
void pl_columns_read(struct pl_ledger *l, sqlite3_stmt *s, int at, struct pl_run *run);

#endif
