/* Opening: what is there is looked at before SQLite may change anything. */
#include "base/clock.h"
#include "base/str.h"
#include "ledger/migrate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The header of a SQLite file (https://www.sqlite.org/fileformat.html, section 1.3). */
#define PL_SQLITE_MAGIC "SQLite format 3"
#define PL_SQLITE_HEADER 100
#define PL_HEADER_VERSION 60     /* user_version, big-endian */
#define PL_HEADER_APPLICATION 68 /* application_id, big-endian */

/* Pages kept in memory by each connection, in KiB (SQLite's own default is 2000): a run is a few
 * kilobytes, and an estimate opens the ledger within a budget of 10 MiB for the whole process.
 * FULL: a run is minutes of measuring and one commit, so one fsync is cheap, and with NORMAL a
 * power cut could take the last runs along. */
#define PL_LEDGER_CONFIG_SQL "PRAGMA cache_size=-256; PRAGMA synchronous=FULL"

static int64_t pl_be32(const unsigned char *p)
{
    return (int32_t)((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
}

static int pl_not_a_ledger(const struct pl_ledger *l, struct pl_err *err)
{
    (void)pl_fail(err, -EBADMSG, "not a ledger: a database of another program");
    pl_err_at(err, l->path, 0, 0);
    return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
}

/* Reads the header through SQLite's own descriptor: no lock, no -wal, no -shm, nothing changed, and
 * (unlike a descriptor of ours, whose close would drop them) no lock of another handle lost. */
static int pl_check_header(const struct pl_ledger *l, int64_t last, struct pl_err *err)
{
    unsigned char head[PL_SQLITE_HEADER] = {0};
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    int rc = sqlite3_file_control(l->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (rc != SQLITE_OK || file == NULL || file->pMethods == NULL)
        return pl_sql_fail(l, SQLITE_CANTOPEN, "open", err);
    rc = file->pMethods->xFileSize(file, &size);
    if (rc == SQLITE_OK && size == 0)
        return 0;
    if (rc == SQLITE_OK && size < PL_SQLITE_HEADER)
        rc = SQLITE_NOTADB;
    if (rc == SQLITE_OK)
        rc = file->pMethods->xRead(file, head, sizeof(head), 0);
    if (rc == SQLITE_OK && memcmp(head, PL_SQLITE_MAGIC, sizeof(PL_SQLITE_MAGIC)) != 0)
        rc = SQLITE_NOTADB;
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "open", err);
    int64_t version = pl_be32(head + PL_HEADER_VERSION);
    if (version != 0 && pl_be32(head + PL_HEADER_APPLICATION) != PL_LEDGER_APPLICATION)
        return pl_not_a_ledger(l, err);
    return version > last ? pl_ledger_newer(l, version, err) : 0;
}

/* Nothing here reads the file; a PRAGMA would. */
static void pl_config(sqlite3 *db)
{
    /* Until the version is known, closing must not move a -wal into the file. */
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_extended_result_codes(db, 1);
    (void)sqlite3_busy_timeout(db, PL_LEDGER_WAIT_MS);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    /* A ledger file may come from elsewhere: nothing stored in it is run. */
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
}

static int pl_connect(struct pl_ledger *l, bool immutable)
{
    struct pl_str uri;
    pl_str_init(&uri, PL_LEDGER_PATH_MAX * 3 + 32);
    pl_str_add(&uri, l->path[0] == '/' ? "file://" : "file:");
    for (const char *p = l->path; *p != '\0'; p++) {
        if (strchr("%?#", *p) != NULL)
            pl_str_addf(&uri, "%%%02X", (unsigned)(unsigned char)*p);
        else
            pl_str_addc(&uri, *p, 1);
    }
    pl_str_add(&uri, immutable ? "?immutable=1" : "");
    (void)sqlite3_close(l->db);
    l->db = NULL;
    /* Read-write even for readers: SQLite falls back to read-only by itself, and a reader that may
     * write cleans its -wal and -shm up when it is the last. */
    int flags = immutable ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int rc = uri.failed ? SQLITE_NOMEM
                        : sqlite3_open_v2(pl_str_get(&uri), &l->db,
                                          flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    pl_str_done(&uri);
    if (rc == SQLITE_OK)
        pl_config(l->db);
    return rc;
}

/* WAL: readers and a writer do not wait for each other, and a killed writer leaves nothing half
 * done. The mode stays in the file, so this acts once in its life. SQLite does not always call the
 * busy handler here, hence the loop. */
static int pl_use_wal(const struct pl_ledger *l)
{
    const struct pl_clock *clock = pl_clock_real();
    uint64_t end = pl_now_ns(clock) + PL_LEDGER_WAIT_MS * PL_MS_NS;
    int rc;
    while ((rc = pl_sql_exec(l, "PRAGMA journal_mode=WAL") & 0xff) == SQLITE_BUSY &&
           pl_now_ns(clock) < end)
        pl_sleep_ns(clock, 5 * PL_MS_NS);
    return rc;
}

/* True when all that was ever committed is in the file itself. */
static bool pl_wal_is_empty(const struct pl_ledger *l)
{
    char wal[PL_LEDGER_PATH_MAX + 8];
    struct stat st;
    (void)PL_FMT(wal, "%s-wal", l->path);
    return stat(wal, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

/* The first read. On a read-only folder SQLite cannot make the shared memory that WAL wants: then
 * nobody writes there, and a reader takes the file as it stands. */
static int pl_read_version(struct pl_ledger *l, int64_t *ret)
{
    int rc = pl_sql_int(l, "PRAGMA user_version", ret);
    int low = rc & 0xff;
    bool no_shm = low == SQLITE_CANTOPEN || low == SQLITE_READONLY || low == SQLITE_IOERR ||
                  low == SQLITE_FULL;
    if (l->mode == PL_LEDGER_READ && no_shm && pl_wal_is_empty(l)) {
        rc = pl_connect(l, true);
        if (rc == SQLITE_OK)
            rc = pl_sql_int(l, "PRAGMA user_version", ret);
    }
    return rc;
}

/* Reads whose it is in one transaction: another plimsoll may be making the file at this moment, and
 * its commit must not fall between two of these reads. */
static int pl_read_owner(const struct pl_ledger *l, int64_t *version, int64_t *application,
                         int64_t *things)
{
    int rc = pl_sql_exec(l, "BEGIN");
    if (rc != SQLITE_OK)
        return rc;
    rc = pl_sql_int(l, "SELECT count(*) FROM sqlite_schema", things);
    if (rc == SQLITE_OK)
        rc = pl_sql_int(l, "PRAGMA user_version", version);
    if (rc == SQLITE_OK)
        rc = pl_sql_int(l, "PRAGMA application_id", application);
    int end = pl_sql_exec(l, "COMMIT");
    return rc != SQLITE_OK ? rc : end;
}

/* Sets *ret_empty when the file holds nothing at all, and *version anew. */
static int pl_check_owner(const struct pl_ledger *l, int64_t *version, bool *ret_empty,
                          struct pl_err *err)
{
    int64_t application = 0, things = 0;
    int rc = pl_read_owner(l, version, &application, &things);
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "read", err);
    *ret_empty = *version == 0 && things == 0;
    if (!*ret_empty && application != PL_LEDGER_APPLICATION)
        return pl_not_a_ledger(l, err);
    return 0;
}

/* Everything between the open descriptor and a usable ledger. */
static int pl_ledger_ready(struct pl_ledger *l, const struct pl_migration *table,
                           struct pl_err *err)
{
    int64_t last = 0, version = 0;
    for (const struct pl_migration *m = table; m->to != 0; m++)
        last = m->to;
    int status = pl_check_header(l, last, err);
    if (status < 0)
        return status;
    bool read_only = sqlite3_db_readonly(l->db, "main") == 1;
    if (l->mode == PL_LEDGER_WRITE && read_only)
        return pl_sql_fail(l, SQLITE_READONLY, "write", err);
    int rc = pl_read_version(l, &version);
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "read", err);
    bool empty = false;
    status = version > last ? 0 : pl_check_owner(l, &version, &empty, err);
    if (status < 0)
        return status;
    if (version > last)
        return pl_ledger_newer(l, version, err);
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    rc = pl_sql_exec(l, PL_LEDGER_CONFIG_SQL);
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "read", err);
    if (l->mode == PL_LEDGER_READ && empty) {
        (void)sqlite3_close(l->db);
        l->db = NULL;
        return 0;
    }
    if (version == last)
        return 0;
    if (empty) {
        rc = pl_use_wal(l);
        if (rc != SQLITE_OK)
            return pl_sql_fail(l, rc, "make", err);
    }
    return pl_ledger_migrate(l, table, err);
}

/* 0, 1 when there is no file (readers), or negative. */
static int pl_ledger_find(struct pl_ledger *l, const char *path, struct pl_err *err)
{
    struct stat st;
    int status = 0;
    if (path == NULL)
        status = pl_ledger_default_path(l->path, err);
    else if (!PL_FMT(l->path, "%s", path))
        status = pl_fail(err, -ENAMETOOLONG, "the path of the ledger is too long");
    if (status == -ENOENT && l->mode == PL_LEDGER_READ)
        return 1;
    if (status < 0)
        return status;
    if (l->mode == PL_LEDGER_WRITE)
        status = pl_ledger_make_file(l->path, err);
    if (status < 0)
        return status;
    if (stat(l->path, &st) < 0) {
        int code = -errno;
        if (l->mode == PL_LEDGER_READ && (code == -ENOENT || code == -ENOTDIR))
            return 1;
        (void)pl_fail(err, code, "cannot open the ledger: %s", strerror(-code));
        pl_err_at(err, l->path, 0, 0);
        return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    }
    status = S_ISREG(st.st_mode) ? pl_sqlite_load(err) : 0;
    if (status < 0)
        return status;
    if (S_ISREG(st.st_mode)) /* SQLite takes a file of one byte for an empty one */
        return st.st_size > 0 && st.st_size < PL_SQLITE_HEADER
                   ? pl_sql_fail(l, SQLITE_NOTADB, "open", err)
                   : 0;
    (void)pl_fail(err, -EINVAL, "cannot open the ledger: not a file");
    pl_err_at(err, l->path, 0, 0);
    return -EINVAL;
}

int pl_ledger_open_history(const char *path, enum pl_ledger_mode mode,
                           const struct pl_migration *table, struct pl_ledger **ret,
                           struct pl_err *err)
{
    struct pl_ledger *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the ledger");
    l->mode = mode;
    pl_arena_init(&l->texts, PL_LEDGER_TEXTS_MAX);
    int status = pl_ledger_find(l, path, err);
    if (status == 0) {
        int rc = pl_connect(l, false);
        status = rc != SQLITE_OK ? pl_sql_fail(l, rc, "open", err) : pl_ledger_ready(l, table, err);
    }
    if (status < 0) {
        (void)pl_ledger_close(l);
        return status;
    }
    /* One snapshot for all that is read: every query alone would lock and look for changes again.
     */
    if (mode == PL_LEDGER_READ && l->db != NULL)
        (void)pl_sql_exec(l, "BEGIN");
    *ret = l;
    return 0;
}

int pl_ledger_open(const char *path, enum pl_ledger_mode mode, struct pl_ledger **ret,
                   struct pl_err *err)
{
    return pl_ledger_open_history(path, mode, pl_migrations, ret, err);
}

struct pl_ledger *pl_ledger_close(struct pl_ledger *l)
{
    if (l == NULL)
        return NULL;
    for (int i = 0; i < PL_STMTS && l->db != NULL; i++)
        (void)sqlite3_finalize(l->stmt[i]);
    if (l->db != NULL)
        (void)sqlite3_close(l->db);
    pl_arena_done(&l->texts);
    free(l);
    return NULL;
}

const char *pl_ledger_path(const struct pl_ledger *l)
{
    return l->path;
}

bool pl_ledger_exists(const struct pl_ledger *l)
{
    return l->db != NULL;
}
