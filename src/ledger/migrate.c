#include "ledger/migrate.h"

#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PL_BACKUPS_MAX 100 /* copies of one second; more means that something loops */

/* Version 1. Bytes and counts are integers, rates are reals per second. Unknown is NULL. A quantity
 * is low, likely, high, source (measured, derived, declared, assumed) and why. 2^63-1 bytes stand
 * for "no limit". type_k and type_v are GGUF's element type numbers. */
static const char pl_schema_1[] =
    "CREATE TABLE runs ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* never used twice: estimates cite it */
    " written_by TEXT NOT NULL,"             /* version of plimsoll */
    " started_unix INTEGER, status TEXT NOT NULL, error TEXT,"
    " machine_id TEXT, machine_text TEXT,"
    " engine TEXT, engine_version TEXT, backend TEXT,"
    " model TEXT, arch TEXT, quant TEXT, ghost INTEGER NOT NULL,"
    " parameters INTEGER, file_bytes INTEGER, flags TEXT,"
    /* settings as resolved before the launch */
    " n_ctx INTEGER, n_ctx_seq INTEGER, n_seq INTEGER, n_stream INTEGER, kv_unified INTEGER,"
    " n_batch INTEGER, n_ubatch INTEGER, n_outputs INTEGER, type_k INTEGER, type_v INTEGER,"
    " flash_attn INTEGER, n_gpu_layers INTEGER, load_mode TEXT, repack INTEGER, prompt_cache_bytes "
    "INTEGER,"
    " prompt_cache_unlimited INTEGER, n_threads INTEGER,"
    /* speed as estimated before the launch, tokens per second */
    " prefill_low REAL, prefill_likely REAL, prefill_high REAL, prefill_source TEXT,"
    " prefill_why TEXT,"
    " decode_low REAL, decode_likely REAL, decode_high REAL, decode_source TEXT, decode_why TEXT,"
    /* what the engine said of itself */
    " report_version TEXT, report_n_ctx INTEGER, report_n_ctx_seq INTEGER, report_n_slots INTEGER,"
    " report_kv_unified INTEGER, report_weights_mapped INTEGER, report_weights_repack INTEGER,"
    " report_weights_other INTEGER, report_kv INTEGER, report_compute INTEGER,"
    " report_output INTEGER, report_recurrent INTEGER, report_load_ms INTEGER,"
    /* memory of the process tree, from /proc */
    " steady_at_ns INTEGER, steady_rss_anon INTEGER, steady_rss_shmem INTEGER,"
    " steady_rss_file INTEGER, steady_swap INTEGER, steady_locked INTEGER,"
    " peak_at_ns INTEGER, peak_rss_anon INTEGER, peak_rss_shmem INTEGER,"
    " peak_rss_file INTEGER, peak_swap INTEGER, peak_locked INTEGER,"
    " baseline_at_ns INTEGER, baseline_rss_anon INTEGER, baseline_rss_shmem INTEGER,"
    " baseline_rss_file INTEGER, baseline_swap INTEGER, baseline_locked INTEGER,"
    " cgroup_peak INTEGER, memory_returned INTEGER,"
    /* speed as measured: medians over `repeats`, spreads as a share of the median */
    " repeats INTEGER NOT NULL, prompt_tokens INTEGER, predicted_tokens INTEGER,"
    " prompt_tokens_per_second REAL, predicted_tokens_per_second REAL, first_token_ms REAL,"
    " prompt_spread REAL, predicted_spread REAL"
    ") STRICT;"
    "CREATE INDEX runs_by_model ON runs (model, quant, flags);"
    "CREATE INDEX runs_by_arch ON runs (arch);"
    /* the pools of the prediction, in its order */
    "CREATE TABLE pools ("
    " run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,"
    " position INTEGER NOT NULL, pool TEXT NOT NULL, kind TEXT NOT NULL,"
    " PRIMARY KEY (run_id, position), UNIQUE (run_id, pool)"
    ") STRICT, WITHOUT ROWID;"
    /* one row per pool and part (weights, kv ...), hold (anon, locked ...) and total (steady, peak,
     * load_peak, largest_allocation); measured total: total/steady of pool ram */
    "CREATE TABLE amounts ("
    " run_id INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,"
    " pool TEXT NOT NULL, family TEXT NOT NULL, name TEXT NOT NULL,"
    " predicted_low INTEGER, predicted_likely INTEGER, predicted_high INTEGER,"
    " predicted_source TEXT, predicted_why TEXT,"
    " measured_low INTEGER, measured_likely INTEGER, measured_high INTEGER,"
    " measured_source TEXT, measured_why TEXT,"
    " PRIMARY KEY (run_id, pool, family, name),"
    " CHECK (family IN ('part', 'hold', 'total')),"
    " CHECK (predicted_low <= predicted_likely AND predicted_likely <= predicted_high),"
    " CHECK (measured_low <= measured_likely AND measured_likely <= measured_high),"
    " CHECK ((predicted_source IS NULL) = (predicted_likely IS NULL)),"
    " CHECK ((measured_source IS NULL) = (measured_likely IS NULL))"
    ") STRICT, WITHOUT ROWID;"
    /* the newest measurement of a fact: bandwidth_one, bandwidth_all (bytes per second) */
    "CREATE TABLE machine_facts ("
    " machine_id TEXT NOT NULL, fact TEXT NOT NULL, measured_unix INTEGER,"
    " low REAL, likely REAL, high REAL, source TEXT, why TEXT,"
    " PRIMARY KEY (machine_id, fact)"
    ") STRICT, WITHOUT ROWID;";

/* Version 2: what else ran beside a run, what it was run with, which runs are watched against;
 * corrections that came from elsewhere, and the runs that no correction is learned from. */
static const char pl_schema_2[] =
    "ALTER TABLE runs ADD COLUMN pressure_before REAL;" /* shares of the time, 0 to 1 */
    "ALTER TABLE runs ADD COLUMN pressure_during REAL;"
    "ALTER TABLE runs ADD COLUMN load_before REAL;"
    "ALTER TABLE runs ADD COLUMN disturbed INTEGER;" /* NULL: nobody looked */
    "ALTER TABLE runs ADD COLUMN fill TEXT;"
    "ALTER TABLE runs ADD COLUMN driver TEXT;"
    "ALTER TABLE runs ADD COLUMN golden INTEGER NOT NULL DEFAULT 0;"
    /* arch '' = any; machine_id '' = any, as for memory */
    "CREATE TABLE corrections ("
    " engine_version TEXT NOT NULL, backend TEXT NOT NULL, arch TEXT NOT NULL,"
    " machine_id TEXT NOT NULL, target TEXT NOT NULL, on_device INTEGER NOT NULL,"
    " factor REAL NOT NULL, spread REAL NOT NULL, runs INTEGER NOT NULL, origin TEXT,"
    " imported_unix INTEGER,"
    " PRIMARY KEY (engine_version, backend, arch, machine_id, target, on_device),"
    " CHECK (factor > 0), CHECK (spread >= 0), CHECK (runs > 0)"
    ") STRICT, WITHOUT ROWID;"
    /* one row: runs up to this one are left out */
    "CREATE TABLE corrections_from ("
    " one INTEGER PRIMARY KEY CHECK (one = 1), after_run INTEGER NOT NULL, set_unix INTEGER"
    ") STRICT;";

const struct pl_migration pl_migrations[] = {
    {1, pl_schema_1},
    {2, pl_schema_2},
    {0, NULL       }
};

int pl_ledger_newer(const struct pl_ledger *l, int64_t version, struct pl_err *err)
{
    (void)pl_fail(err, -ENOTSUP,
                  "cannot use the ledger: a newer plimsoll wrote it (version %lld, this one "
                  "knows %d)",
                  (long long)version, PL_LEDGER_VERSION);
    pl_err_at(err, l->path, 0, 0);
    (void)pl_hint(err, "update plimsoll, or name another ledger; this file was left as it is");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_USAGE);
}

/* Makes NAME.backup-vN-DATE, private and empty; returns 0 or negative errno. */
static int pl_backup_name(const struct pl_ledger *l, int64_t version, char *out, size_t size)
{
    char date[PL_TIME_TEXT_MAX], plain[PL_TIME_TEXT_MAX];
    size_t n = 0;
    (void)pl_utc_text(pl_utc_now(), date);
    for (const char *p = date; *p != '\0'; p++) {
        if (*p != ':')
            plain[n++] = *p;
    }
    plain[n] = '\0';
    for (int i = 1; i <= PL_BACKUPS_MAX; i++) {
        char again[16] = "";
        if (i > 1)
            (void)PL_FMT(again, "-%d", i);
        if (!pl_fmt(out, size, "%s.backup-v%lld-%s%s", l->path, (long long)version, plain, again))
            return -ENAMETOOLONG;
        int fd = open(out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)close(fd);
            return 0;
        }
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

/* Copies through a second connection: the first one holds the write lock and has changed nothing
 * yet, so the copy is exactly what the migration starts from. copy->db stays open. */
static int pl_backup_copy(const struct pl_ledger *l, struct pl_ledger *copy)
{
    sqlite3 *from = NULL;
    int rc = sqlite3_open_v2(l->path, &from, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_open_v2(copy->path, &copy->db, SQLITE_OPEN_READWRITE, NULL);
    sqlite3_backup *b =
        rc == SQLITE_OK ? sqlite3_backup_init(copy->db, "main", from, "main") : NULL;
    if (b != NULL) {
        do
            rc = sqlite3_backup_step(b, -1);
        while (rc == SQLITE_OK);
        int end = sqlite3_backup_finish(b);
        rc = rc == SQLITE_DONE ? end : rc;
    } else if (rc == SQLITE_OK) {
        rc = pl_sql_why(copy);
    }
    if (rc == SQLITE_OK) /* one file, without a -wal beside it */
        rc = pl_sql_exec(copy, "PRAGMA journal_mode=DELETE");
    (void)sqlite3_close(from);
    return rc;
}

static int pl_ledger_backup(const struct pl_ledger *l, int64_t version, struct pl_err *err)
{
    struct pl_ledger copy = {0};
    int status = pl_backup_name(l, version, copy.path, sizeof(copy.path));
    if (status < 0) {
        (void)pl_fail(err, status, "cannot keep a copy of the ledger before updating it: %s",
                      strerror(-status));
        pl_err_at(err, l->path, 0, 0);
        return pl_exit_as(err, status, PL_EXIT_ENVIRONMENT);
    }
    int rc = pl_backup_copy(l, &copy);
    if (rc != SQLITE_OK)
        status = pl_sql_fail(&copy, rc, "keep a copy of", err);
    (void)sqlite3_close(copy.db);
    if (rc != SQLITE_OK)
        (void)unlink(copy.path);
    return status;
}

/* The steps, inside the transaction that pl_ledger_migrate opened. */
static int pl_migrate_steps(struct pl_ledger *l, const struct pl_migration *table,
                            struct pl_err *err)
{
    int64_t version = 0, things = 0;
    int rc = pl_sql_int(l, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK)
        rc = pl_sql_int(l, "SELECT count(*) FROM sqlite_schema", &things);
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "read", err);
    const struct pl_migration *m = table;
    while (m->to != 0 && m->to <= version)
        m++;
    if (m->to == 0) /* another plimsoll was faster */
        return 0;
    int status = things > 0 ? pl_ledger_backup(l, version, err) : 0;
    if (status < 0)
        return status;
    char stamp[96];
    for (; m->to != 0; m++) {
        (void)PL_FMT(stamp, "PRAGMA user_version = %lld; PRAGMA application_id = %d",
                     (long long)m->to, PL_LEDGER_APPLICATION);
        rc = pl_sql_exec(l, m->sql);
        rc = rc == SQLITE_OK ? pl_sql_exec(l, stamp) : rc;
        if (rc != SQLITE_OK)
            return pl_sql_fail(l, rc, "update", err);
    }
    int64_t broken = 0;
    rc = pl_sql_int(l, "SELECT count(*) FROM pragma_foreign_key_check", &broken);
    if (rc != SQLITE_OK || broken > 0)
        return pl_sql_fail(l, rc != SQLITE_OK ? rc : SQLITE_CORRUPT, "update", err);
    return 0;
}

int pl_ledger_migrate(struct pl_ledger *l, const struct pl_migration *table, struct pl_err *err)
{
    /* Steps may rebuild tables; references are checked as a whole at the end. */
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    int rc = pl_sql_exec(l, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "update", err);
    int status = pl_migrate_steps(l, table, err);
    if (status == 0) {
        rc = pl_sql_exec(l, "COMMIT");
        status = rc != SQLITE_OK ? pl_sql_fail(l, rc, "update", err) : 0;
    }
    if (status < 0)
        (void)pl_sql_exec(l, "ROLLBACK");
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    return status;
}
