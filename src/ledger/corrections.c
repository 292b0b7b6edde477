/* Imported corrections, and from which run on the ledger learns. */
#include "base/clock.h"
#include "base/str.h"
#include "ledger/observe.h"
#include "ledger/sql.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int pl_correction_put(struct pl_ledger *l, const struct pl_imported *m)
{
    sqlite3_stmt *s = pl_sql_prepare(
        l, PL_STMT_PUT_CORRECTION,
        "INSERT OR REPLACE INTO corrections (engine_version, backend, arch, machine_id, target,"
        " on_device, factor, spread, runs, origin, imported_unix) VALUES (?,?,?,?,?,?,?,?,?,?,?)");
    if (s == NULL)
        return pl_sql_why(l);
    const char *const text[] = {m->version, m->backend, m->arch, m->machine,
                                pl_target_name(m->target)};
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && i < 5; i++) /* "" is a value here */
        rc = sqlite3_bind_text(s, i + 1, text[i], -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(s, 6, m->on_device);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_double(s, 7, m->factor);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_double(s, 8, m->spread);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(s, 9, m->n);
    if (rc == SQLITE_OK)
        rc = pl_bind_text(s, 10, m->origin);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(s, 11, pl_utc_now());
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int pl_corrections_put(struct pl_ledger *l, const struct pl_imported *rows, uint32_t n,
                       struct pl_err *err)
{
    int rc = pl_sql_exec(l, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "write to", err);
    for (uint32_t i = 0; rc == SQLITE_OK && i < n; i++)
        rc = pl_correction_put(l, &rows[i]);
    if (rc == SQLITE_OK)
        rc = pl_sql_exec(l, "COMMIT");
    if (rc == SQLITE_OK)
        return 0;
    int status = pl_sql_fail(l, rc, "write to", err);
    (void)pl_sql_exec(l, "ROLLBACK");
    return status;
}

int pl_corrections_reset(struct pl_ledger *l, int64_t *ret_after, struct pl_err *err)
{
    int rc = pl_sql_exec(l, "BEGIN IMMEDIATE; DELETE FROM corrections;"
                            " INSERT OR REPLACE INTO corrections_from (one, after_run, set_unix)"
                            " SELECT 1, coalesce(max(id), 0), unixepoch() FROM runs; COMMIT");
    if (rc == SQLITE_OK)
        rc = pl_sql_int(l, "SELECT after_run FROM corrections_from", ret_after);
    if (rc == SQLITE_OK)
        return 0;
    int status = pl_sql_fail(l, rc, "write to", err);
    (void)pl_sql_exec(l, "ROLLBACK");
    return status;
}

/* A row as stored; false for one that no program of this version wrote. */
static bool pl_correction_read(sqlite3_stmt *s, struct pl_imported *m)
{
    char target[32];
    *m = (struct pl_imported){0};
    pl_column_text(s, 0, m->version, sizeof(m->version));
    pl_column_text(s, 1, m->backend, sizeof(m->backend));
    pl_column_text(s, 2, m->arch, sizeof(m->arch));
    pl_column_text(s, 3, m->machine, sizeof(m->machine));
    pl_column_text(s, 4, target, sizeof(target));
    m->target = pl_target_of(target);
    m->on_device = sqlite3_column_int(s, 5) != 0;
    m->factor = sqlite3_column_double(s, 6);
    m->spread = sqlite3_column_double(s, 7);
    m->n = (uint32_t)(sqlite3_column_int64(s, 8) & UINT32_MAX);
    pl_column_text(s, 9, m->origin, sizeof(m->origin));
    return m->target < PL_TARGETS && m->n >= PL_CORRECTION_RUNS && m->spread <= PL_SPREAD_MOST &&
           m->factor >= 1 / PL_CORRECTION_MOST && m->factor <= PL_CORRECTION_MOST;
}

int pl_corrections_get(struct pl_ledger *l, struct pl_observations *o, struct pl_err *err)
{
    o->n_imported = 0;
    o->after_run = 0;
    if (l->db == NULL)
        return 0;
    int64_t set = 0;
    int rc = pl_sql_int(l, "SELECT count(*) FROM corrections_from", &set);
    if (rc == SQLITE_OK && set > 0)
        rc = pl_sql_int(l, "SELECT after_run FROM corrections_from", &o->after_run);
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "read", err);
    o->imported = calloc(PL_IMPORTED_MAX, sizeof(*o->imported));
    if (o->imported == NULL)
        return -ENOMEM;
    sqlite3_stmt *s = pl_sql_prepare(
        l, PL_STMT_GET_CORRECTIONS,
        "SELECT engine_version, backend, arch, machine_id, target, on_device, factor, spread, runs,"
        " origin FROM corrections ORDER BY 1, 2, 3, 4, 5, 6");
    rc = s == NULL ? pl_sql_why(l) : SQLITE_ROW;
    while (rc == SQLITE_ROW && o->n_imported < PL_IMPORTED_MAX) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW && pl_correction_read(s, &o->imported[o->n_imported]))
            o->n_imported++;
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : pl_sql_fail(l, rc, "read", err);
}
