/* The budget of a size and what it carries: at every size the sums are exact, nothing is negative,
 * and more memory never carries less, whatever the roles need. */
#include "base/units.h"
#include "plan/tiers.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>

static void guide_rows(void **state)
{
    (void)state;
    /* hundredths of a GB, as the guide's formula gives them: 64 -> 38.4, 3.84, 34.56 */
    static const struct {
        uint64_t gib, available, hot, warm, round_available, round_hot, round_warm;
    } want[] = {
        {16,   0,     0,    0,     0,   0,  0  },
        {32,   1120,  112,  1008,  11,  1,  10 },
        {64,   3840,  384,  3456,  38,  4,  34 },
        {128,  9280,  928,  8352,  93,  9,  84 },
        {256,  20160, 2016, 18144, 202, 20, 182},
        {512,  41920, 4192, 37728, 419, 42, 377},
        {1024, 85440, 8544, 76896, 854, 85, 769},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        struct pl_budget b;
        pl_budget_of(want[i].gib * PL_GIB, &b);
        assert_int_equal((b.available * 100 + PL_GIB / 2) / PL_GIB, want[i].available);
        assert_int_equal((b.hot * 100 + PL_GIB / 2) / PL_GIB, want[i].hot);
        assert_int_equal((b.warm * 100 + PL_GIB / 2) / PL_GIB, want[i].warm);
        assert_int_equal(b.gib_available, want[i].round_available);
        assert_int_equal(b.gib_hot, want[i].round_hot);
        assert_int_equal(b.gib_warm, want[i].round_warm);
    }
}

static void sums(void **state)
{
    (void)state;
    for (uint64_t mib = 1; mib < 2048 * 1024; mib += 37) {
        struct pl_budget b;
        pl_budget_of(mib * PL_MIB + mib % 1000, &b);
        assert_int_equal(b.hot + b.warm, b.available);
        assert_int_equal(b.system + b.safety + b.available, b.size + b.missing);
        assert_true(b.missing == 0 || b.available == 0);
        assert_int_equal(b.gib_hot + b.gib_warm, b.gib_available);
    }
    struct pl_budget all;
    pl_budget_of(UINT64_MAX, &all);
    assert_int_equal(all.system + all.safety + all.available, UINT64_MAX);
}

static uint64_t random_need(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % (200ull << 10) * PL_MIB;
}

static void check(const struct pl_carried *c, const struct pl_carried *smaller)
{
    uint64_t hot = 0, warm = 0;
    for (uint32_t i = 0; i < c->n_role; i++) {
        const struct pl_carried_role *r = &c->role[i];
        assert_true(r->role->step <= c->step);
        if (r->loaded)
            hot += r->bytes * r->instances;
        else if (r->bytes > warm)
            warm = r->bytes;
    }
    assert_int_equal(hot, c->hot);
    assert_int_equal(warm, c->warm);
    assert_int_equal(c->hot + c->warm + c->left, c->budget.available);
    assert_true(c->step >= c->tier_step);
    assert_true(c->step >= smaller->step);
    assert_true(c->step > smaller->step || c->n_extra >= smaller->n_extra);
    assert_true(c->next_from == 0 || c->next_from > c->budget.size);
    assert_string_equal(c->tier, pl_tier_name(c->budget.size));
}

static void whatever_roles_need(void **state)
{
    (void)state;
    static struct pl_carried now, before;
    size_t n = 0;
    (void)pl_roles(&n);
    for (uint32_t round = 0; round < 40; round++) {
        struct pl_role_needs needs;
        uint32_t seed = round * 7919 + 1;
        memset(&needs, 0, sizeof(needs));
        for (size_t i = 0; i < n; i++) {
            uint64_t base = random_need(&seed);
            for (uint32_t v = 0; v < PL_ROLE_VARIANTS; v++)
                needs.bytes[i][v] = base += random_need(&seed) / 8;
        }
        memset(&before, 0, sizeof(before));
        for (uint64_t gib = 1; gib <= 2048; gib += 1 + round % 5) {
            pl_carried_of(gib * PL_GIB, &needs, &now);
            check(&now, &before);
            before = now;
        }
    }
}

static void too_large_for_anything(void **state)
{
    (void)state;
    static struct pl_carried c;
    struct pl_role_needs needs;
    memset(&needs, 0xff, sizeof(needs));
    pl_carried_of(2048 * PL_GIB, &needs, &c);
    assert_int_equal(c.step, 0);
    assert_int_equal(c.n_role, 0);
    assert_int_equal(c.next_from, 0);
    assert_int_equal(c.left, c.budget.available);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guide_rows),
        cmocka_unit_test(sums),
        cmocka_unit_test(whatever_roles_need),
        cmocka_unit_test(too_large_for_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
