#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/footprint.h"
#include "domain/tensor_type.h"

#include <string.h>

static void unknown_spreads(void **state)
{
    (void)state;
    struct pl_quantity a = pl_exact(10, PL_SOURCE_MEASURED, "a");
    struct pl_quantity b = pl_between(1, 2, 3, PL_SOURCE_ASSUMED, "b");
    struct pl_quantity c = pl_plus(a, b);
    assert_true(c.low == 11 && c.likely == 12 && c.high == 13);
    assert_int_equal(c.source, PL_SOURCE_ASSUMED);
    assert_false(pl_known(pl_plus(a, PL_QUANTITY_UNKNOWN("x"))));
}

static void tensor_types_have_sizes(void **state)
{
    (void)state;
    uint64_t n = 0;
    const struct pl_tensor_type *t = pl_tensor_type_named("q4_k");
    assert_non_null(t);
    assert_true(pl_tensor_type_bytes(t, 4096, 4096, &n));
    assert_true(n == 4096ull / 256 * 144 * 4096);
    assert_false(pl_tensor_type_bytes(t, 100, 1, &n));
    assert_false(pl_tensor_type_bytes(pl_tensor_type(8), 32, UINT64_MAX, &n));
    assert_true(pl_tensor_type(4)->removed);
    assert_null(pl_tensor_type(999));
}

static struct pl_machine *one_pool(struct pl_machine *m, uint64_t available)
{
    memset(m, 0, sizeof(*m));
    struct pl_pool *p = pl_machine_add_pool(m, "ram", PL_POOL_HOST);
    p->available = pl_exact(available, PL_SOURCE_MEASURED, "test");
    return m;
}

static void available_is_the_least_of_the_chain(void **state)
{
    (void)state;
    static struct pl_machine m;
    one_pool(&m, 100);
    struct pl_pool *cap = pl_machine_add_pool(&m, "cgroup", PL_POOL_CAP);
    (void)PL_FMT(cap->parent, "ram");
    cap->available = pl_exact(40, PL_SOURCE_MEASURED, "test");
    assert_true(pl_machine_available(&m, "ram").likely == 40);
    cap->available = PL_QUANTITY_UNKNOWN("no permission");
    assert_false(pl_known(pl_machine_available(&m, "ram")));
    assert_false(pl_known(pl_machine_available(&m, "gpu0")));
    /* a cycle in a machine file ends */
    (void)PL_FMT(m.pool[0].parent, "ram");
    (void)pl_machine_available(&m, "ram");
}

static enum pl_verdict judge(uint64_t low, uint64_t likely, uint64_t high, uint64_t cache,
                             uint64_t available)
{
    static struct pl_machine m;
    struct pl_footprint f = {.n_pool = 1};
    (void)PL_FMT(f.pool[0].pool, "ram");
    f.pool[0].steady = pl_between(low, likely, high, PL_SOURCE_DERIVED, "t");
    f.pool[0].load_peak = f.pool[0].steady;
    f.pool[0].part[PL_PART_PROMPT_CACHE] = pl_between(0, 0, cache, PL_SOURCE_DERIVED, "t");
    struct pl_judgement j;
    pl_judge(&f, one_pool(&m, available), &j);
    return j.verdict;
}

static void verdicts(void **state)
{
    (void)state;
    assert_int_equal(judge(8, 9, 10, 0, 10), PL_VERDICT_SAFE);
    assert_int_equal(judge(8, 9, 10, 100, 50), PL_VERDICT_CONSTRAINED);
    assert_int_equal(judge(8, 9, 11, 0, 10), PL_VERDICT_FRAGILE);
    assert_int_equal(judge(8, 11, 12, 0, 10), PL_VERDICT_DOES_NOT_FIT);
    static struct pl_machine m;
    struct pl_footprint f = {.n_pool = 1};
    struct pl_judgement j;
    (void)PL_FMT(f.pool[0].pool, "ram");
    pl_judge(&f, one_pool(&m, 10), &j);
    assert_int_equal(j.verdict, PL_VERDICT_CANNOT_TELL);
    /* what --cache-ram holds is told from the checkpoints that it does not */
    f.pool[0].steady = f.pool[0].load_peak = pl_exact(10 * PL_MIB, PL_SOURCE_DERIVED, "t");
    f.pool[0].part[PL_PART_PROMPT_CACHE] = pl_between(0, 0, 95 * PL_MIB, PL_SOURCE_DERIVED, "t");
    f.pool[0].checkpoints = 20 * PL_MIB;
    pl_judge(&f, one_pool(&m, 100 * PL_MIB), &j);
    assert_int_equal(j.verdict, PL_VERDICT_CONSTRAINED);
    assert_non_null(strstr(j.reason[0], "--cache-ram 70"));
    f.pool[0].checkpoints = 95 * PL_MIB;
    pl_judge(&f, one_pool(&m, 100 * PL_MIB), &j);
    assert_non_null(strstr(j.reason[0], "--ctx-checkpoints"));
    f.n_pool = 0;
    pl_judge(&f, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_CANNOT_TELL);
}

/* Two pools of one memory: each fits it alone, both together may not. */
static void shared_memory_is_charged_once_for_both(void **state)
{
    (void)state;
    static struct pl_machine m;
    memset(&m, 0, sizeof(m));
    static const char *const names[] = {"unified", "ram", "gpu0"};
    static struct pl_footprint f;
    f = (struct pl_footprint){.n_pool = 2};
    struct pl_judgement j;
    for (size_t i = 0; i < 3; i++) {
        struct pl_pool *p = pl_machine_add_pool(&m, names[i], PL_POOL_UNIFIED);
        p->available = pl_exact(100, PL_SOURCE_MEASURED, "test");
        if (i > 0)
            (void)PL_FMT(p->parent, "unified");
    }
    for (size_t i = 0; i < 2; i++) {
        (void)PL_FMT(f.pool[i].pool, "%s", names[i + 1]);
        f.pool[i].steady = f.pool[i].load_peak = pl_exact(40, PL_SOURCE_DERIVED, "t");
        f.pool[i].part[PL_PART_PROMPT_CACHE] = pl_exact(0, PL_SOURCE_DERIVED, "t");
    }
    pl_judge(&f, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_SAFE);
    f.pool[0].steady = f.pool[0].load_peak = pl_exact(70, PL_SOURCE_DERIVED, "t");
    pl_judge(&f, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_DOES_NOT_FIT);
    assert_int_equal(j.n_reason, 1);
    assert_non_null(strstr(j.reason[0], "unified (ram + gpu0): needs 110 B, 100 B available"));
    /* the graphics' memory as a child of the host's: charged to both */
    (void)PL_FMT(m.pool[2].parent, "ram");
    m.pool[1].parent[0] = '\0';
    pl_judge(&f, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_DOES_NOT_FIT);
    assert_non_null(strstr(j.reason[0], "ram (ram + gpu0)"));
    /* apart */
    m.pool[2].parent[0] = '\0';
    pl_judge(&f, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_SAFE);
    /* an unknown part of one makes the sum unknown */
    (void)PL_FMT(m.pool[2].parent, "ram");
    f.pool[1].steady = PL_QUANTITY_UNKNOWN("t");
    pl_judge(&f, &m, &j);
    assert_int_equal(j.verdict, PL_VERDICT_CANNOT_TELL);
}

static void isa_words_are_whole(void **state)
{
    (void)state;
    struct pl_cpu cpu = {.isa = "avx avx2 avx512f"};
    assert_true(pl_cpu_has(&cpu, "avx2"));
    assert_true(pl_cpu_has(&cpu, "avx512f"));
    assert_false(pl_cpu_has(&cpu, "avx512"));
    assert_false(pl_cpu_has(&cpu, "vx2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_spreads),
        cmocka_unit_test(tensor_types_have_sizes),
        cmocka_unit_test(available_is_the_least_of_the_chain),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(shared_memory_is_charged_once_for_both),
        cmocka_unit_test(isa_words_are_whole),
    };
    return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
