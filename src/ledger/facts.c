/* Facts measured about machines. */
#include "base/str.h"
#include "ledger/sql.h"

#include <errno.h>

#define PL_TARGET_FACT_MAX (PL_RUN_TEXT_MAX + 96)

static int pl_put_fact(struct pl_ledger *l, const char *machine_id, const char *fact,
                       struct pl_rate rate, int64_t when_unix)
{
    sqlite3_stmt *s = pl_sql_prepare(l, PL_STMT_PUT_FACT,
                                     "INSERT OR REPLACE INTO machine_facts (machine_id, fact,"
                                     " measured_unix, low, likely, high, source, why)"
                                     " VALUES (?,?,?,?,?,?,?,?)");
    if (s == NULL)
        return pl_sql_why(l);
    int rc = pl_bind_text(s, 1, machine_id);
    rc = rc == SQLITE_OK ? pl_bind_text(s, 2, fact) : rc;
    rc = rc == SQLITE_OK ? sqlite3_bind_int64(s, 3, when_unix) : rc;
    rc = rc == SQLITE_OK ? pl_bind_rate(s, 4, rate) : rc;
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int pl_ledger_bandwidth_put(struct pl_ledger *l, const char *machine_id, struct pl_rate one,
                            struct pl_rate all, int64_t when_unix, struct pl_err *err)
{
    if (l->mode != PL_LEDGER_WRITE || machine_id[0] == '\0')
        return pl_fail(err, -EINVAL,
                       "cannot store the bandwidth: the ledger was opened for "
                       "reading, or the machine has no identity");
    int rc = pl_sql_exec(l, "BEGIN IMMEDIATE");
    if (rc != SQLITE_OK)
        return pl_sql_fail(l, rc, "write to", err);
    rc = pl_put_fact(l, machine_id, "bandwidth_one", one, when_unix);
    if (rc == SQLITE_OK)
        rc = pl_put_fact(l, machine_id, "bandwidth_all", all, when_unix);
    if (rc == SQLITE_OK)
        rc = pl_sql_exec(l, "COMMIT");
    if (rc == SQLITE_OK)
        return 0;
    int status = pl_sql_fail(l, rc, "write to", err);
    (void)pl_sql_exec(l, "ROLLBACK");
    return status;
}

int pl_ledger_compute_put(struct pl_ledger *l, const char *machine_id, struct pl_rate int8,
                          struct pl_rate fma, int64_t when_unix, struct pl_err *err)
{
    if (l->mode != PL_LEDGER_WRITE || machine_id[0] == '\0')
        return pl_fail(
            err, -EINVAL,
            "cannot store the rates of the CPU: the ledger was opened for reading, or the "
            "machine has no identity");
    int rc = pl_put_fact(l, machine_id, "int8_all", int8, when_unix);
    if (rc == SQLITE_OK)
        rc = pl_put_fact(l, machine_id, "fma_all", fma, when_unix);
    return rc == SQLITE_OK ? 0 : pl_sql_fail(l, rc, "write to", err);
}

static int pl_get_fact(struct pl_ledger *l, const char *machine_id, const char *fact,
                       struct pl_rate *ret, int64_t *ret_when)
{
    sqlite3_stmt *s = pl_sql_prepare(l, PL_STMT_GET_FACT,
                                     "SELECT measured_unix, low, likely, high, source, why"
                                     " FROM machine_facts WHERE machine_id = ? AND fact = ?");
    if (s == NULL)
        return pl_sql_why(l);
    int rc = pl_bind_text(s, 1, machine_id);
    rc = rc == SQLITE_OK ? pl_bind_text(s, 2, fact) : rc;
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *ret_when = sqlite3_column_int64(s, 0);
        *ret = pl_column_rate(l, s, 1);
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int pl_ledger_bandwidth_get(struct pl_ledger *l, const char *machine_id, struct pl_rate *ret_one,
                            struct pl_rate *ret_all, int64_t *ret_when, struct pl_err *err)
{
    *ret_one = *ret_all = (struct pl_rate){0};
    *ret_when = 0;
    if (l->db == NULL)
        return 0;
    int rc = pl_get_fact(l, machine_id, "bandwidth_one", ret_one, ret_when);
    if (rc == SQLITE_OK)
        rc = pl_get_fact(l, machine_id, "bandwidth_all", ret_all, ret_when);
    return rc == SQLITE_OK ? 0 : pl_sql_fail(l, rc, "read", err);
}

int pl_ledger_compute_get(struct pl_ledger *l, const char *machine_id, struct pl_rate *ret_int8,
                          struct pl_rate *ret_fma, struct pl_err *err)
{
    int64_t when = 0;
    *ret_int8 = *ret_fma = (struct pl_rate){0};
    if (l->db == NULL)
        return 0;
    int rc = pl_get_fact(l, machine_id, "int8_all", ret_int8, &when);
    if (rc == SQLITE_OK)
        rc = pl_get_fact(l, machine_id, "fma_all", ret_fma, &when);
    return rc == SQLITE_OK ? 0 : pl_sql_fail(l, rc, "read", err);
}

/* What is wanted of a model on a machine is a fact about both. */
static bool pl_target_fact(const char *model, const char *quant, const char *what, char *out,
                           size_t size)
{
    return pl_fmt(out, size, "target %s of %s %s", what, model, quant);
}

int pl_ledger_target_put(struct pl_ledger *l, const char *machine_id, const char *model,
                         const char *quant, const char *what, double value, int64_t when_unix,
                         struct pl_err *err)
{
    char fact[PL_TARGET_FACT_MAX];
    if (l->mode != PL_LEDGER_WRITE || machine_id[0] == '\0' ||
        !pl_target_fact(model, quant, what, fact, sizeof(fact)))
        return pl_fail(err, -EINVAL,
                       "cannot store a target: the ledger was opened for reading, or the machine "
                       "has no identity");
    struct pl_rate rate = {.low = value,
                           .likely = value,
                           .high = value,
                           .source = PL_SOURCE_DECLARED,
                           .why = "--target"};
    int rc = pl_put_fact(l, machine_id, fact, rate, when_unix);
    return rc == SQLITE_OK ? 0 : pl_sql_fail(l, rc, "write to", err);
}

int pl_ledger_target_get(struct pl_ledger *l, const char *machine_id, const char *model,
                         const char *quant, const char *what, double *ret, struct pl_err *err)
{
    char fact[PL_TARGET_FACT_MAX];
    struct pl_rate rate = {0};
    int64_t when = 0;
    *ret = 0;
    if (l->db == NULL || !pl_target_fact(model, quant, what, fact, sizeof(fact)))
        return 0;
    int rc = pl_get_fact(l, machine_id, fact, &rate, &when);
    *ret = rc == SQLITE_OK && rate.likely > 0 ? rate.likely : 0;
    return rc == SQLITE_OK ? 0 : pl_sql_fail(l, rc, "read", err);
}
