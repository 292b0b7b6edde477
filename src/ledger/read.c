/* Reading runs back. */
#include "base/str.h"
#include "ledger/amounts.h"
#include "ledger/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum pl_pool_kind pl_pool_kind_of(const char *name)
{
    for (int i = 0; i <= PL_POOL_CAP; i++) {
        if (pl_streq(name, pl_pool_kind_name((enum pl_pool_kind)i)))
            return (enum pl_pool_kind)i;
    }
    return PL_POOL_DEDICATED;
}

static const char *pl_word(sqlite3_stmt *s, int at)
{
    const char *word = (const char *)sqlite3_column_text(s, at);
    return word != NULL ? word : "";
}

static int pl_read_pools(struct pl_ledger *l, struct pl_run *run)
{
    sqlite3_stmt *s = pl_sql_prepare(
        l, PL_STMT_POOLS, "SELECT pool, kind FROM pools WHERE run_id = ? ORDER BY position");
    if (s == NULL)
        return pl_sql_why(l);
    (void)sqlite3_bind_int64(s, 1, run->id);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        if (run->predicted.n_pool >= PL_FOOTPRINT_POOLS_MAX)
            break;
        struct pl_pool_footprint *p = &run->predicted.pool[run->predicted.n_pool++];
        pl_column_text(s, 0, p->pool, sizeof(p->pool));
        p->kind = pl_pool_kind_of(pl_word(s, 1));
    }
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static struct pl_pool_footprint *pl_find_pool(struct pl_run *run, const char *name)
{
    for (uint32_t i = 0; i < run->predicted.n_pool; i++) {
        if (pl_streq(run->predicted.pool[i].pool, name))
            return &run->predicted.pool[i];
    }
    return NULL;
}

/* Puts one row of `amounts` where it belongs; rows with names of a later version are passed by. */
static void pl_place_amount(struct pl_ledger *l, sqlite3_stmt *s, struct pl_run *run)
{
    const char *pool = pl_word(s, 0), *family = pl_word(s, 1), *name = pl_word(s, 2);
    bool is_measured = pl_streq(pool, PL_RUN_MEASURED_POOL);
    struct pl_pool_footprint *footprint = pl_find_pool(run, pool);
    for (int i = 0; i < PL_AMOUNTS; i++) {
        struct pl_amount a = pl_amount_at(run, footprint, is_measured, i);
        if (!pl_streq(a.family, family) || !pl_streq(a.name, name))
            continue;
        if (a.predicted != NULL)
            *a.predicted = pl_column_quantity(l, s, 3);
        if (a.measured != NULL)
            *a.measured = pl_column_quantity(l, s, 3 + PL_QUANTITY_COLUMNS);
        return;
    }
}

static int pl_read_amounts(struct pl_ledger *l, struct pl_run *run)
{
    sqlite3_stmt *s = pl_sql_prepare(
        l, PL_STMT_AMOUNTS,
        "SELECT pool, family, name, predicted_low, predicted_likely, predicted_high,"
        " predicted_source, predicted_why, measured_low, measured_likely, measured_high,"
        " measured_source, measured_why FROM amounts WHERE run_id = ?");
    if (s == NULL)
        return pl_sql_why(l);
    (void)sqlite3_bind_int64(s, 1, run->id);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        pl_place_amount(l, s, run);
    (void)sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The run of the row that s stands on: id, then the columns. */
static int pl_read_run(struct pl_ledger *l, sqlite3_stmt *s, struct pl_run *run)
{
    memset(run, 0, sizeof(*run));
    run->id = sqlite3_column_int64(s, 0);
    pl_columns_read(l, s, 1, run);
    pl_column_text(s, 1 + pl_columns_count(), run->written_by, sizeof(run->written_by));
    int rc = pl_read_pools(l, run);
    return rc == SQLITE_OK ? pl_read_amounts(l, run) : rc;
}

/* One parameter per condition; a condition whose parameter is NULL holds for every run. */
static const char pl_runs_where[] =
    " FROM runs WHERE (?1 = 0 OR id = ?1) AND (?2 IS NULL OR model = ?2)"
    " AND (?3 IS NULL OR quant = ?3) AND (?4 IS NULL OR arch = ?4)"
    " AND (?5 IS NULL OR engine = ?5) AND (?6 IS NULL OR engine_version = ?6)"
    " AND (?7 IS NULL OR machine_id = ?7) AND (?8 IS NULL OR instr(lower(model), lower(?8)) > 0)"
    " AND (?9 = 0 OR status = 'ok') ORDER BY id DESC LIMIT ?10";

static sqlite3_stmt *pl_prepare_runs(struct pl_ledger *l)
{
    if (l->stmt[PL_STMT_RUNS] != NULL)
        return pl_sql_prepare(l, PL_STMT_RUNS, "");
    struct pl_str names, sql;
    pl_str_init(&names, PL_COLUMNS_SQL_MAX);
    pl_str_init(&sql, PL_COLUMNS_SQL_MAX);
    pl_columns_names(&names);
    pl_str_addf(&sql, "SELECT id, %s, written_by%s", pl_str_get(&names), pl_runs_where);
    sqlite3_stmt *s =
        names.failed || sql.failed ? NULL : pl_sql_prepare(l, PL_STMT_RUNS, pl_str_get(&sql));
    pl_str_done(&names);
    pl_str_done(&sql);
    return s;
}

static int pl_bind_filter(sqlite3_stmt *s, const struct pl_ledger_filter *f)
{
    const char *const text[] = {f->model,          f->quant,      f->arch,      f->engine,
                                f->engine_version, f->machine_id, f->model_part};
    int rc = sqlite3_bind_int64(s, 1, f->id);
    for (int i = 0; rc == SQLITE_OK && i < 7; i++)
        rc = pl_bind_text(s, 2 + i, text[i]);
    rc = rc == SQLITE_OK ? sqlite3_bind_int(s, 9, f->ok_only) : rc;
    /* LIMIT -1 is "all" */
    return rc == SQLITE_OK
               ? sqlite3_bind_int64(s, 10,
                                    f->limit == 0 || f->limit > INT64_MAX ? -1 : (int64_t)f->limit)
               : rc;
}

int pl_ledger_runs(struct pl_ledger *l, const struct pl_ledger_filter *filter,
                   int (*each)(void *ctx, const struct pl_run *run), void *ctx, struct pl_err *err)
{
    if (l->db == NULL)
        return 0;
    struct pl_run *run = malloc(sizeof(*run));
    if (run == NULL)
        return pl_fail(err, -ENOMEM, "no memory for a run");
    int status = 0;
    sqlite3_stmt *s = pl_prepare_runs(l);
    int rc = s != NULL ? pl_bind_filter(s, filter) : pl_sql_why(l);
    while (rc == SQLITE_OK && status == 0) {
        rc = sqlite3_step(s);
        if (rc != SQLITE_ROW)
            break;
        rc = pl_read_run(l, s, run);
        if (rc == SQLITE_OK)
            status = each(ctx, run);
    }
    (void)sqlite3_reset(s);
    free(run);
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        return pl_sql_fail(l, rc, "read", err);
    return status;
}

/* `like` without engine or machine takes any; IS also matches an unknown quantisation. */
#define PL_LAST_HEAD                                                                               \
    "SELECT id FROM runs WHERE status = 'ok' AND (?1 IS NULL OR engine = ?1)"                      \
    " AND (?2 IS NULL OR machine_id = ?2)"
#define PL_LAST_TAIL " ORDER BY id DESC LIMIT 1"

static const struct {
    enum pl_ledger_match match;
    enum pl_stmt stmt;
    const char *sql;
} pl_last_steps[] = {
    {PL_MATCH_FLAGS, PL_STMT_LAST_FLAGS,
     PL_LAST_HEAD " AND model = ?3 AND quant IS ?4 AND flags IS ?5" PL_LAST_TAIL   },
    {PL_MATCH_MODEL, PL_STMT_LAST_MODEL,
     PL_LAST_HEAD " AND model = ?3 AND quant IS ?4" PL_LAST_TAIL                   },
    {PL_MATCH_ARCH,  PL_STMT_LAST_ARCH,  PL_LAST_HEAD " AND arch = ?6" PL_LAST_TAIL},
};

/* The id of the newest run that matches step i, or 0. */
static int pl_last_id(struct pl_ledger *l, size_t i, const struct pl_run *like, int64_t *ret)
{
    sqlite3_stmt *s = pl_sql_prepare(l, pl_last_steps[i].stmt, pl_last_steps[i].sql);
    if (s == NULL)
        return pl_sql_why(l);
    const char *const text[] = {like->engine, like->machine_id, like->model,
                                like->quant,  like->flags,      like->arch};
    int n = sqlite3_bind_parameter_count(s), rc = SQLITE_OK;
    for (int k = 0; rc == SQLITE_OK && k < 6; k++) {
        /* a step takes as many as its highest number */
        if (k < n)
            rc = pl_bind_text(s, k + 1, text[k]);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_step(s);
    *ret = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    (void)sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int pl_take_run(void *ctx, const struct pl_run *run)
{
    memcpy(ctx, run, sizeof(*run));
    return 1;
}

int pl_ledger_last_run(struct pl_ledger *l, const struct pl_run *like, struct pl_run *ret,
                       enum pl_ledger_match *ret_match, struct pl_err *err)
{
    *ret_match = PL_MATCH_NONE;
    for (size_t i = 0; l->db != NULL && i < sizeof(pl_last_steps) / sizeof(pl_last_steps[0]); i++) {
        int64_t id = 0;
        int rc = pl_last_id(l, i, like, &id);
        if (rc != SQLITE_OK)
            return pl_sql_fail(l, rc, "read", err);
        if (id == 0)
            continue;
        struct pl_ledger_filter filter = {.id = id};
        int status = pl_ledger_runs(l, &filter, pl_take_run, ret, err);
        if (status < 0)
            return status;
        if (status == 1)
            *ret_match = pl_last_steps[i].match;
        return 0;
    }
    return 0;
}

const char *pl_ledger_match_text(enum pl_ledger_match match)
{
    static const char *const text[] = {
        [PL_MATCH_NONE] = "no run like it",
        [PL_MATCH_ARCH] = "the same architecture",
        [PL_MATCH_MODEL] = "the same model and quantisation",
        [PL_MATCH_FLAGS] = "the same model, quantisation and flags",
    };
    return text[match];
}
