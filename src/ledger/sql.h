/* What the files of this room share: the handle, prepared statements, binding with NULL for
 * unknown, and SQLite's errors as ours. */
#ifndef PL_LEDGER_SQL_H
#define PL_LEDGER_SQL_H

#include "base/arena.h"
#include "ledger/ledger.h"
#include "ledger/path.h"
#include "ledger/sqlite_lib.h"

#define PL_LEDGER_VERSION 2              /* PRAGMA user_version this program reads and writes */
#define PL_LEDGER_APPLICATION 0x506c696d /* PRAGMA application_id: "Plim" */

enum pl_stmt {
    PL_STMT_ADD_RUN = 0,
    PL_STMT_ADD_POOL,
    PL_STMT_ADD_AMOUNT,
    PL_STMT_RUNS,
    PL_STMT_POOLS,
    PL_STMT_AMOUNTS,
    PL_STMT_LAST_FLAGS,
    PL_STMT_LAST_MODEL,
    PL_STMT_LAST_ARCH,
    PL_STMT_PUT_FACT,
    PL_STMT_GET_FACT,
    PL_STMT_PUT_CORRECTION,
    PL_STMT_GET_CORRECTIONS,
    PL_STMT_GOLDEN,
    PL_STMTS,
};

#define PL_LEDGER_TEXT_BUCKETS 64
#define PL_LEDGER_TEXTS_MAX (1024u * 1024u) /* distinct explanations kept for readers */

struct pl_ledger_text {
    struct pl_ledger_text *next;
    char *text;
};

struct pl_ledger {
    sqlite3 *db; /* NULL = the file does not exist, or holds nothing yet */
    char path[PL_LEDGER_PATH_MAX];
    enum pl_ledger_mode mode;
    sqlite3_stmt *stmt[PL_STMTS]; /* prepared when first used */
    struct pl_arena texts;
    struct pl_ledger_text *bucket[PL_LEDGER_TEXT_BUCKETS];
};

/* Turns SQLite's result into an error of ours: "cannot DOING: WHY". Returns the negative errno. */
int pl_sql_fail(const struct pl_ledger *l, int rc, const char *doing, struct pl_err *err);

/* The statement, prepared from sql when first used, reset and without bindings. NULL on failure. */
sqlite3_stmt *pl_sql_prepare(struct pl_ledger *l, enum pl_stmt which, const char *sql);

/* SQLite's code for why the last pl_sql_prepare gave NULL; never SQLITE_OK. */
int pl_sql_why(const struct pl_ledger *l);

/* Runs statements without results. Returns SQLite's code. */
int pl_sql_exec(const struct pl_ledger *l, const char *sql);
/* The one integer a query gives. Returns SQLite's code (SQLITE_OK when there was a row). */
int pl_sql_int(const struct pl_ledger *l, const char *sql, int64_t *ret);

/* Bytes and counts. SQLite's integers end at 2^63-1: that number stands for everything above, which
 * in quantities means "no limit" (UINT64_MAX). */
int pl_bind_u64(sqlite3_stmt *s, int at, uint64_t value);
uint64_t pl_column_u64(sqlite3_stmt *s, int at);
/* "" and NULL are stored as NULL. The text is not copied: it must outlive the step. */
int pl_bind_text(sqlite3_stmt *s, int at, const char *text);
/* Copies into a fixed array, cut when longer; NULL gives "". */
void pl_column_text(sqlite3_stmt *s, int at, char *out, size_t size);
/* The text kept by the handle, NULL for NULL (or when PL_LEDGER_TEXTS_MAX is used up). */
const char *pl_column_why(struct pl_ledger *l, sqlite3_stmt *s, int at);

/* Five columns each: low, likely, high, source, why; the first four NULL when unknown. */
#define PL_QUANTITY_COLUMNS 5
int pl_bind_quantity(sqlite3_stmt *s, int at, struct pl_quantity q);
struct pl_quantity pl_column_quantity(struct pl_ledger *l, sqlite3_stmt *s, int at);
int pl_bind_rate(sqlite3_stmt *s, int at, struct pl_rate r);
struct pl_rate pl_column_rate(struct pl_ledger *l, sqlite3_stmt *s, int at);

#endif
