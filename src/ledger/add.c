/* Storing a run: one transaction, so that it is there whole or not at all. */
#include "base/str.h"
#include "ledger/amounts.h"
#include "ledger/columns.h"

#include <errno.h>
#include <string.h>

static int pl_step(sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static sqlite3_stmt *pl_prepare_add_run(struct pl_ledger *l)
{
    if (l->stmt[PL_STMT_ADD_RUN] != NULL)
        return pl_sql_prepare(l, PL_STMT_ADD_RUN, "");
    struct pl_str sql;
    pl_str_init(&sql, PL_COLUMNS_SQL_MAX);
    pl_columns_names(&sql);
    pl_str_add(&sql, ", written_by) VALUES (?");
    for (int i = 0; i < pl_columns_count(); i++)
        pl_str_add(&sql, ",?");
    struct pl_str all;
    pl_str_init(&all, PL_COLUMNS_SQL_MAX);
    pl_str_addf(&all, "INSERT INTO runs (%s)", pl_str_get(&sql));
    sqlite3_stmt *s =
        sql.failed || all.failed ? NULL : pl_sql_prepare(l, PL_STMT_ADD_RUN, pl_str_get(&all));
    pl_str_done(&sql);
    pl_str_done(&all);
    return s;
}

static int pl_add_head(struct pl_ledger *l, const struct pl_run *run)
{
    sqlite3_stmt *s = pl_prepare_add_run(l);
    if (s == NULL)
        return pl_sql_why(l);
    int rc = pl_columns_bind(s, 1, run);
    if (rc == SQLITE_OK)
        rc = pl_bind_text(s, pl_columns_count() + 1, PL_VERSION);
    return rc == SQLITE_OK ? pl_step(s) : rc;
}

static int pl_add_pool(struct pl_ledger *l, int64_t id, uint32_t position,
                       const struct pl_pool_footprint *pool)
{
    sqlite3_stmt *s = pl_sql_prepare(
        l, PL_STMT_ADD_POOL, "INSERT INTO pools (run_id, position, pool, kind) VALUES (?,?,?,?)");
    if (s == NULL)
        return pl_sql_why(l);
    (void)sqlite3_bind_int64(s, 1, id);
    (void)sqlite3_bind_int64(s, 2, position);
    int rc = pl_bind_text(s, 3, pool->pool);
    rc = rc == SQLITE_OK ? pl_bind_text(s, 4, pl_pool_kind_name(pool->kind)) : rc;
    return rc == SQLITE_OK ? pl_step(s) : rc;
}

static int pl_add_amount(struct pl_ledger *l, int64_t id, const char *pool,
                         const struct pl_amount *a)
{
    sqlite3_stmt *s = pl_sql_prepare(
        l, PL_STMT_ADD_AMOUNT,
        "INSERT INTO amounts (run_id, pool, family, name, predicted_low, predicted_likely,"
        " predicted_high, predicted_source, predicted_why, measured_low, measured_likely,"
        " measured_high, measured_source, measured_why) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    if (s == NULL)
        return pl_sql_why(l);
    (void)sqlite3_bind_int64(s, 1, id);
    int rc = pl_bind_text(s, 2, pool);
    rc = rc == SQLITE_OK ? pl_bind_text(s, 3, a->family) : rc;
    rc = rc == SQLITE_OK ? pl_bind_text(s, 4, a->name) : rc;
    if (rc == SQLITE_OK && a->predicted != NULL)
        rc = pl_bind_quantity(s, 5, *a->predicted);
    if (rc == SQLITE_OK && a->measured != NULL)
        rc = pl_bind_quantity(s, 5 + PL_QUANTITY_COLUMNS, *a->measured);
    return rc == SQLITE_OK ? pl_step(s) : rc;
}

static int pl_add_amounts(struct pl_ledger *l, int64_t id, struct pl_run *run, const char *name,
                          struct pl_pool_footprint *pool)
{
    int rc = SQLITE_OK;
    bool is_measured = pl_streq(name, PL_RUN_MEASURED_POOL);
    for (int i = 0; rc == SQLITE_OK && i < PL_AMOUNTS; i++) {
        struct pl_amount a = pl_amount_at(run, pool, is_measured, i);
        if (a.predicted != NULL || a.measured != NULL)
            rc = pl_add_amount(l, id, name, &a);
    }
    return rc;
}

/* Everything of the run, inside a transaction. *ret_id is the new run's. */
static int pl_add_all(struct pl_ledger *l, struct pl_run *run, int64_t *ret_id)
{
    int rc = pl_add_head(l, run);
    if (rc != SQLITE_OK)
        return rc;
    int64_t id = sqlite3_last_insert_rowid(l->db);
    bool measured_pool = false;
    for (uint32_t i = 0; rc == SQLITE_OK && i < run->predicted.n_pool; i++) {
        struct pl_pool_footprint *pool = &run->predicted.pool[i];
        measured_pool = measured_pool || pl_streq(pool->pool, PL_RUN_MEASURED_POOL);
        rc = pl_add_pool(l, id, i, pool);
        if (rc == SQLITE_OK)
            rc = pl_add_amounts(l, id, run, pool->pool, pool);
    }
    /* Nothing predicted for the host: what was measured there is kept all the same. */
    if (rc == SQLITE_OK && !measured_pool)
        rc = pl_add_amounts(l, id, run, PL_RUN_MEASURED_POOL, NULL);
    *ret_id = id;
    return rc;
}

int pl_ledger_add_run(struct pl_ledger *l, struct pl_run *run, struct pl_err *err)
{
    if (l->mode != PL_LEDGER_WRITE || run->predicted.n_pool > PL_FOOTPRINT_POOLS_MAX)
        return pl_fail(err, -EINVAL,
                       "cannot store the run: the ledger was opened for reading, or "
                       "the run has too many pools");
    /* IMMEDIATE: waiting for another writer happens here, where the busy timeout works. */
    int rc = pl_sql_exec(l, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "write to", err);
    int64_t id = 0;
    rc = pl_add_all(l, run, &id);
    if (rc == SQLITE_OK)
        rc = pl_sql_exec(l, "COMMIT");
    if (rc != SQLITE_OK) {
        int status = pl_sql_fail(l, rc, "write to", err);
        (void)pl_sql_exec(l, "ROLLBACK");
        return status;
    }
    run->id = id;
    (void)PL_FMT(run->written_by, "%s", PL_VERSION);
    return 0;
}
