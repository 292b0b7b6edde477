/* The ledger on real files: what goes in comes out, and nothing that happens to the file, the disk
 * or the writer makes it lie or lose. */
#include "test.h"

#include "ledger_fixture.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>

static int take(void *ctx, const struct pl_run *run)
{
    memcpy(ctx, run, sizeof(*run));
    return 1;
}

static int count(void *ctx, const struct pl_run *run)
{
    (void)run;
    ++*(int *)ctx;
    return 0;
}

static int count_runs(struct pl_ledger *l, struct pl_ledger_filter filter)
{
    int n = 0;
    struct pl_err err = {0};
    if (pl_ledger_runs(l, &filter, count, &n, &err) < 0)
        fail_msg("runs: %s", err.what);
    return n;
}

static void same_text(const char *a, const char *b)
{
    assert_string_equal(a != NULL ? a : "(none)", b != NULL ? b : "(none)");
}

static void same_quantity(struct pl_quantity *a, struct pl_quantity *b)
{
    assert_true(a->low == b->low && a->likely == b->likely && a->high == b->high);
    assert_int_equal(a->source, b->source);
    same_text(a->why, b->why);
    memset(a, 0, sizeof(*a));
    memset(b, 0, sizeof(*b));
}

static void same_rate(struct pl_rate *a, struct pl_rate *b)
{
    assert_memory_equal(a, b, sizeof(double) * 3);
    assert_int_equal(a->source, b->source);
    same_text(a->why, b->why);
    memset(a, 0, sizeof(*a));
    memset(b, 0, sizeof(*b));
}

/* Its struct has a gap, which is not copied where the compiler copies member by member. */
static void same_bytes(struct pl_engine_bytes *a, struct pl_engine_bytes *b)
{
    assert_true(a->known == b->known && a->bytes == b->bytes);
    memset(a, 0, sizeof(*a));
    memset(b, 0, sizeof(*b));
}

static void same_report(struct pl_engine_report *a, struct pl_engine_report *b)
{
    same_bytes(&a->weights_mapped, &b->weights_mapped);
    same_bytes(&a->weights_repack, &b->weights_repack);
    same_bytes(&a->weights_other, &b->weights_other);
    same_bytes(&a->kv, &b->kv);
    same_bytes(&a->compute, &b->compute);
    same_bytes(&a->output, &b->output);
    same_bytes(&a->recurrent, &b->recurrent);
}

/* Compares what holds pointers or gaps by value and forgets it; the rest must be equal byte for
 * byte, so a field that the ledger does not know cannot hide. */
static void same_run(struct pl_run *a, struct pl_run *b)
{
    assert_int_equal(a->predicted.n_pool, b->predicted.n_pool);
    for (uint32_t p = 0; p < a->predicted.n_pool; p++) {
        struct pl_pool_footprint *x = &a->predicted.pool[p], *y = &b->predicted.pool[p];
        for (int i = 0; i < PL_PARTS; i++)
            same_quantity(&x->part[i], &y->part[i]);
        for (int i = 0; i < PL_HOLDS; i++)
            same_quantity(&x->hold[i], &y->hold[i]);
        same_quantity(&x->steady, &y->steady);
        same_quantity(&x->peak, &y->peak);
        same_quantity(&x->load_peak, &y->load_peak);
        same_quantity(&x->largest_allocation, &y->largest_allocation);
        for (int i = 0; i < PL_PARTS; i++)
            same_quantity(&a->on_device[p].part[i], &b->on_device[p].part[i]);
        same_quantity(&a->on_device[p].total, &b->on_device[p].total);
    }
    for (int i = 0; i < PL_PARTS; i++)
        same_quantity(&a->measured[i], &b->measured[i]);
    same_quantity(&a->measured_total, &b->measured_total);
    same_rate(&a->predicted_prefill, &b->predicted_prefill);
    same_rate(&a->predicted_decode, &b->predicted_decode);
    same_report(&a->report, &b->report);
    assert_memory_equal(a, b, sizeof(*a));
}

static struct pl_run run_a, run_b; /* too large for the stack of every test */

/* The ledger stores exactly struct pl_run. Who adds a field to it (or to what it holds) adds a
 * column in src/ledger/columns.c, one in the schema (a migration, once released), a value in
 * run_fixture.h, and then the new size here. */
/* on 64-bit machines; 480 of them are text that is not kept, and report.device is kept as on_device
 * alone, and what of the prompt cache is checkpoints is not (8 bytes a pool); whether embeddings
 * are served, and how they are pooled, is in the flags (8 bytes), and so are the rows of state for
 * drafts (8 bytes) */
#define RUN_BYTES 26760

static void every_field_of_a_run_has_a_column(void **state)
{
    (void)state;
    if (sizeof(void *) != 8)
        skip();
    assert_int_equal(sizeof(struct pl_run), RUN_BYTES);
}

static void a_run_comes_back_whole(void **state)
{
    const char *path = path_in(*state, "a/b/ledger.db");
    struct pl_ledger *l = must_open(path, PL_LEDGER_WRITE);
    fixture_run(&run_a, 7);
    int64_t id = must_add(l, &run_a);
    assert_true(id > 0);
    l = pl_ledger_close(l);
    assert_null(l);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(path_in(*state, "a/b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    l = must_open(path, PL_LEDGER_READ);
    struct pl_ledger_filter filter = {.id = id};
    assert_int_equal(pl_ledger_runs(l, &filter, take, &run_b, NULL), 1);
    same_run(&run_a, &run_b);
    (void)pl_ledger_close(l);
}

static void unknown_stays_unknown(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    struct pl_ledger *l = must_open(path, PL_LEDGER_WRITE);
    memset(&run_a, 0, sizeof(run_a));
    run_a.status = PL_RUN_REFUSED;
    run_a.predicted.n_pool = 1;
    (void)PL_FMT(run_a.predicted.pool[0].pool, "gpu0");
    run_a.predicted.pool[0].kind = PL_POOL_DEDICATED;
    run_a.predicted.pool[0].steady = PL_QUANTITY_UNKNOWN("no driver");
    run_a.predicted.pool[0].part[PL_PART_KV] = pl_exact(0, PL_SOURCE_DERIVED, "no attention");
    run_a.predicted.pool[0].peak = pl_between(1, 2, UINT64_MAX, PL_SOURCE_ASSUMED, "no limit");
    run_a.measured[PL_PART_RUNTIME] = PL_QUANTITY_UNKNOWN("cannot be told apart");
    int64_t id = must_add(l, &run_a);
    struct pl_ledger_filter filter = {.id = id};
    assert_int_equal(pl_ledger_runs(l, &filter, take, &run_b, NULL), 1);
    same_run(&run_a, &run_b);
    (void)pl_ledger_close(l);

    /* and it is NULL for whoever reads the file */
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT (SELECT count(*) FROM amounts WHERE measured_likely IS NOT NULL)"
                           " + (SELECT count(*) FROM amounts WHERE predicted_likely = 0"
                           "    AND name <> 'kv')"
                           " + (SELECT count(*) FROM runs WHERE parameters IS NOT NULL OR"
                           "    prompt_tokens_per_second IS NOT NULL OR steady_swap IS NOT NULL OR"
                           "    report_kv IS NOT NULL OR report_kv_unified IS NOT NULL)",
                           -1, &s, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 0);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
}

static void a_missing_ledger_has_no_runs(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "a/none.db"), PL_LEDGER_READ);
    assert_false(pl_ledger_exists(l));
    assert_int_equal(count_runs(l, (struct pl_ledger_filter){0}), 0);
    enum pl_ledger_match match = PL_MATCH_FLAGS;
    fixture_run(&run_a, 1);
    assert_int_equal(pl_ledger_last_run(l, &run_a, &run_b, &match, NULL), 0);
    assert_int_equal(match, PL_MATCH_NONE);
    struct pl_rate one, all;
    int64_t when = 1;
    assert_int_equal(pl_ledger_bandwidth_get(l, "m", &one, &all, &when, NULL), 0);
    assert_true(one.source == PL_SOURCE_UNKNOWN && all.source == PL_SOURCE_UNKNOWN && when == 0);
    (void)pl_ledger_close(l);
    struct stat st;
    assert_int_equal(stat(path_in(*state, "a"), &st), -1); /* reading makes nothing */
}

static void the_nearest_run_is_cited(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "ledger.db"), PL_LEDGER_WRITE);
    fixture_run(&run_a, 1);
    int64_t exact = must_add(l, &run_a);
    (void)PL_FMT(run_a.flags, "-c 4096");
    int64_t other_flags = must_add(l, &run_a);
    (void)PL_FMT(run_a.model, "Qwen3 4B");
    int64_t other_model = must_add(l, &run_a);
    run_a.status = PL_RUN_FAILED;
    (void)must_add(l, &run_a);

    struct pl_run like = {0};
    enum pl_ledger_match match;
    (void)PL_FMT(like.model, "Qwen3 8B");
    (void)PL_FMT(like.quant, "Q4_K_M");
    (void)PL_FMT(like.arch, "qwen3");
    (void)PL_FMT(like.flags, "-c 8192 -np 4");
    assert_int_equal(pl_ledger_last_run(l, &like, &run_b, &match, NULL), 0);
    assert_true(match == PL_MATCH_FLAGS && run_b.id == exact);
    (void)PL_FMT(like.flags, "-c 1");
    assert_int_equal(pl_ledger_last_run(l, &like, &run_b, &match, NULL), 0);
    assert_true(match == PL_MATCH_MODEL && run_b.id == other_flags);
    (void)PL_FMT(like.model, "Qwen3 32B");
    assert_int_equal(pl_ledger_last_run(l, &like, &run_b, &match, NULL), 0);
    assert_true(match == PL_MATCH_ARCH && run_b.id == other_model);
    (void)PL_FMT(like.machine_id, "elsewhere");
    assert_int_equal(pl_ledger_last_run(l, &like, &run_b, &match, NULL), 0);
    assert_int_equal(match, PL_MATCH_NONE);

    assert_int_equal(count_runs(l, (struct pl_ledger_filter){0}), 4);
    assert_int_equal(count_runs(l, (struct pl_ledger_filter){.limit = 3}), 3);
    assert_int_equal(count_runs(l, (struct pl_ledger_filter){.ok_only = true}), 3);
    assert_int_equal(count_runs(l, (struct pl_ledger_filter){.model_part = "qwen3 4"}), 2);
    assert_int_equal(count_runs(l, (struct pl_ledger_filter){.model = "Qwen3"}), 0);
    (void)pl_ledger_close(l);
}

static void bandwidth_is_replaced(void **state)
{
    struct pl_ledger *l = must_open(path_in(*state, "ledger.db"), PL_LEDGER_WRITE);
    struct pl_rate one = {1e9, 2e9, 3e9, PL_SOURCE_MEASURED, PL_STATE_PLAIN, "probe"}, all = {0}, a,
                   b;
    int64_t when = 0;
    assert_int_equal(pl_ledger_bandwidth_put(l, "m", all, all, 5, NULL), 0);
    assert_int_equal(pl_ledger_bandwidth_put(l, "m", one, all, 6, NULL), 0);
    assert_int_equal(pl_ledger_bandwidth_get(l, "m", &a, &b, &when, NULL), 0);
    assert_int_equal(when, 6);
    same_rate(&a, &one);
    assert_int_equal(b.source, PL_SOURCE_UNKNOWN);
    assert_int_equal(pl_ledger_bandwidth_put(l, "", one, all, 6, NULL), -EINVAL);
    (void)pl_ledger_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_run_has_a_column),
        IN_FOLDER(a_run_comes_back_whole),
        IN_FOLDER(unknown_stays_unknown),
        IN_FOLDER(a_missing_ledger_has_no_runs),
        IN_FOLDER(the_nearest_run_is_cited),
        IN_FOLDER(bandwidth_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
