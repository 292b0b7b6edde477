/* The schema's history: one row per version. A row's SQL takes a ledger of version `to - 1` to
 * `to`; version 1 starts from an empty file. Adding one: a row here and PL_LEDGER_VERSION + 1; rows
 * that were released never change. */
#ifndef PL_LEDGER_MIGRATE_H
#define PL_LEDGER_MIGRATE_H

#include "ledger/sql.h"

struct pl_migration {
    int64_t to;
    const char *sql;
};

/* Ends with to == 0. */
extern const struct pl_migration pl_migrations[];

/* Brings the open file to the last version of the table, all steps in one transaction, after a copy
 * of it was written when it held anything. -ENOTSUP when the file is newer than the table. */
int pl_ledger_migrate(struct pl_ledger *l, const struct pl_migration *table, struct pl_err *err);

/* pl_ledger_open with another history (tests add steps that way). */
int pl_ledger_open_history(const char *path, enum pl_ledger_mode mode,
                           const struct pl_migration *table, struct pl_ledger **ret,
                           struct pl_err *err);

/* The error for a file of a version that this program does not know. */
int pl_ledger_newer(const struct pl_ledger *l, int64_t version, struct pl_err *err);

#endif
