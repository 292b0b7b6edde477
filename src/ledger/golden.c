/* The run that later ones are watched against. */
#include "base/str.h"
#include "ledger/sql.h"

#include <errno.h>
#include <string.h>

#define PL_GOLDEN_SAME                                                                             \
    " machine_id IS ?2 AND engine IS ?3 AND model IS ?4 AND quant IS ?5 AND flags IS ?6"

static int pl_golden_bind(sqlite3_stmt *s, const struct pl_run *run)
{
    const char *const text[] = {run->machine_id, run->engine, run->model, run->quant, run->flags};
    int rc = sqlite3_bind_int64(s, 1, run->id);
    for (int i = 0; rc == SQLITE_OK && i < 5; i++)
        rc = pl_bind_text(s, 2 + i, text[i]);
    return rc;
}

static int pl_golden_take(void *ctx, const struct pl_run *run)
{
    memcpy(ctx, run, sizeof(*run));
    return 1;
}

int pl_ledger_golden(struct pl_ledger *l, const struct pl_run *like, struct pl_run *ret,
                     bool *ret_found, struct pl_err *err)
{
    *ret_found = false;
    if (l->db == NULL)
        return 0;
    sqlite3_stmt *s = pl_sql_prepare(l, PL_STMT_GOLDEN,
                                     "SELECT id FROM runs WHERE golden = 1 AND status = 'ok' AND"
                                     " id <> ?1 AND" PL_GOLDEN_SAME " ORDER BY id DESC LIMIT 1");
    int rc = s == NULL ? pl_sql_why(l) : pl_golden_bind(s, like);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    int64_t id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_reset(s);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return pl_sql_fail(l, rc, "read", err);
    if (id == 0)
        return 0;
    int status = pl_ledger_runs(l, &(struct pl_ledger_filter){.id = id}, pl_golden_take, ret, err);
    *ret_found = status == 1;
    return status < 0 ? status : 0;
}
