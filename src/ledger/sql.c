#include "ledger/sql.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The errno behind an I/O error of SQLite, or `absent`. The handle does not always keep it; then
 * the file that failed, the -wal or the main one, does. */
static int pl_sql_errno(const struct pl_ledger *l, int absent)
{
    int n = l->db != NULL ? sqlite3_system_errno(l->db) : 0;
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    for (size_t i = 0; l->db != NULL && n == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
        sqlite3_file *file = NULL;
        int rc = sqlite3_file_control(l->db, "main", files[i], &file);
        if (rc == SQLITE_OK && file != NULL && file->pMethods != NULL)
            (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &n);
    }
    return n != 0 ? -n : absent;
}

/* A file that outgrew RLIMIT_FSIZE or a quota is a full disk to the one who reads the message. */
static bool pl_is_full(int code)
{
    return code == -ENOSPC || code == -EFBIG || code == -EDQUOT;
}

static int pl_sql_code(const struct pl_ledger *l, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return -EACCES;
    case SQLITE_CANTOPEN:
        return pl_sql_errno(l, -EACCES);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return -EINVAL;
    case SQLITE_IOERR:
        return pl_sql_errno(l, -EIO);
    default:
        return -EIO;
    }
}

int pl_sql_fail(const struct pl_ledger *l, int rc, const char *doing, struct pl_err *err)
{
    int code = pl_sql_code(l, rc);
    const char *why = l->db != NULL ? sqlite3_errmsg(l->db) : sqlite3_errstr(rc);
    const char *hint = "";
    enum pl_exit exit_code = PL_EXIT_ENVIRONMENT;
    if (pl_is_full(code)) {
        code = -ENOSPC;
        why = "the disk is full";
        hint = "free some space; what was stored before is safe";
    } else if (code == -EBUSY) {
        why = "another program holds it";
    } else if (code == -EROFS) {
        why = "it is read-only";
        hint = "PLIMSOLL_LEDGER or --ledger names another place";
    } else if (rc == SQLITE_NOTADB) {
        why = "not a SQLite database";
        exit_code = PL_EXIT_USAGE;
    } else if (code == -EBADMSG) {
        why = "the file is damaged";
        hint = "move it away to start a new ledger; 'sqlite3 FILE .recover' may save its runs";
        exit_code = PL_EXIT_USAGE;
    } else if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR) {
        why = strerror(-code);
    }
    (void)pl_fail(err, code, "cannot %s the ledger: %s", doing, why);
    pl_err_at(err, l->path, 0, 0);
    if (hint[0] != '\0')
        (void)pl_hint(err, "%s", hint);
    return pl_exit_as(err, code, exit_code);
}

sqlite3_stmt *pl_sql_prepare(struct pl_ledger *l, enum pl_stmt which, const char *sql)
{
    if (l->stmt[which] == NULL) {
        (void)sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &l->stmt[which], NULL);
    } else {
        (void)sqlite3_reset(l->stmt[which]);
        (void)sqlite3_clear_bindings(l->stmt[which]);
    }
    return l->stmt[which];
}

int pl_sql_why(const struct pl_ledger *l)
{
    int rc = sqlite3_extended_errcode(l->db);
    return rc != SQLITE_OK ? rc : SQLITE_NOMEM; /* the text of the statement was not made */
}

int pl_sql_exec(const struct pl_ledger *l, const char *sql)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL);
}

int pl_sql_int(const struct pl_ledger *l, const char *sql, int64_t *ret)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(l->db, sql, -1, &s, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_ERROR : rc;
}

int pl_bind_u64(sqlite3_stmt *s, int at, uint64_t value)
{
    return sqlite3_bind_int64(s, at, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

uint64_t pl_column_u64(sqlite3_stmt *s, int at)
{
    int64_t v = sqlite3_column_int64(s, at);
    return v == INT64_MAX ? UINT64_MAX : v < 0 ? 0 : (uint64_t)v;
}

int pl_bind_text(sqlite3_stmt *s, int at, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return sqlite3_bind_null(s, at);
    return sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

static const char *pl_column_borrow(sqlite3_stmt *s, int at)
{
    return (const char *)sqlite3_column_text(s, at);
}

void pl_column_text(sqlite3_stmt *s, int at, char *out, size_t size)
{
    const char *text = pl_column_borrow(s, at);
    (void)pl_fmt(out, size, "%s", text != NULL ? text : "");
}

static uint32_t pl_text_hash(const char *s)
{
    uint32_t h = 2166136261u; /* FNV-1a, 32 bits */
    for (; *s != '\0'; s++)
        h = (uint32_t)(((uint64_t)(h ^ (unsigned char)*s) * 16777619u) & UINT32_MAX);
    return h;
}

const char *pl_column_why(struct pl_ledger *l, sqlite3_stmt *s, int at)
{
    const char *text = pl_column_borrow(s, at);
    if (text == NULL)
        return NULL;
    struct pl_ledger_text **head = &l->bucket[pl_text_hash(text) % PL_LEDGER_TEXT_BUCKETS];
    for (struct pl_ledger_text *t = *head; t != NULL; t = t->next) {
        if (strcmp(t->text, text) == 0)
            return t->text;
    }
    struct pl_ledger_text *t = pl_arena_alloc(&l->texts, 1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->text = pl_arena_strdup(&l->texts, text);
    if (t->text == NULL)
        return NULL;
    t->next = *head;
    *head = t;
    return t->text;
}

/* Source and why, after the three numbers. */
static int pl_bind_origin(sqlite3_stmt *s, int at, enum pl_source source, const char *why)
{
    int rc = pl_bind_text(s, at, source == PL_SOURCE_UNKNOWN ? NULL : pl_source_name(source));
    return rc == SQLITE_OK ? pl_bind_text(s, at + 1, why) : rc;
}

static bool pl_column_known(sqlite3_stmt *s, int at, enum pl_source *ret)
{
    const char *name = pl_column_borrow(s, at + 3);
    *ret = name != NULL ? pl_source_of(name) : PL_SOURCE_UNKNOWN;
    return *ret != PL_SOURCE_UNKNOWN && sqlite3_column_type(s, at + 1) != SQLITE_NULL;
}

int pl_bind_quantity(sqlite3_stmt *s, int at, struct pl_quantity q)
{
    int rc = SQLITE_OK; /* what is not bound is NULL */
    if (pl_known(q)) {
        rc = pl_bind_u64(s, at, q.low);
        rc = rc == SQLITE_OK ? pl_bind_u64(s, at + 1, q.likely) : rc;
        rc = rc == SQLITE_OK ? pl_bind_u64(s, at + 2, q.high) : rc;
    }
    return rc == SQLITE_OK ? pl_bind_origin(s, at + 3, q.source, q.why) : rc;
}

struct pl_quantity pl_column_quantity(struct pl_ledger *l, sqlite3_stmt *s, int at)
{
    struct pl_quantity q = {.why = pl_column_why(l, s, at + 4)};
    enum pl_source source;
    if (pl_column_known(s, at, &source)) {
        q.low = pl_column_u64(s, at);
        q.likely = pl_column_u64(s, at + 1);
        q.high = pl_column_u64(s, at + 2);
        q.source = source;
    }
    return q;
}

int pl_bind_rate(sqlite3_stmt *s, int at, struct pl_rate r)
{
    int rc = SQLITE_OK;
    if (r.source != PL_SOURCE_UNKNOWN) {
        rc = sqlite3_bind_double(s, at, r.low);
        rc = rc == SQLITE_OK ? sqlite3_bind_double(s, at + 1, r.likely) : rc;
        rc = rc == SQLITE_OK ? sqlite3_bind_double(s, at + 2, r.high) : rc;
    }
    return rc == SQLITE_OK ? pl_bind_origin(s, at + 3, r.source, r.why) : rc;
}

struct pl_rate pl_column_rate(struct pl_ledger *l, sqlite3_stmt *s, int at)
{
    struct pl_rate r = {.why = pl_column_why(l, s, at + 4)};
    enum pl_source source;
    if (pl_column_known(s, at, &source)) {
        r.low = sqlite3_column_double(s, at);
        r.likely = sqlite3_column_double(s, at + 1);
        r.high = sqlite3_column_double(s, at + 2);
        r.source = source;
    }
    return r;
}
