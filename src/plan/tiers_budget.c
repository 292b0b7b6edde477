#include "base/units.h"
#include "plan/tiers.h"

#define PL_BUDGET_SYSTEM (16 * PL_GIB) /* the guide's os_overhead */
#define PL_BUDGET_SAFETY 15u           /* per cent: its safety_buffer */
#define PL_BUDGET_HOT 10u              /* per cent of the rest: its hot_tier_budget */

/* part / all of a hundred, without the product overflowing. */
static uint64_t pl_per_cent(uint64_t bytes, uint64_t part)
{
    return bytes / 100 * part + bytes % 100 * part / 100;
}

/* Two parts in whole GiB that add up to `sum` GiB: both rounded down, what is then missing goes to
 * the one that lost more. */
static void pl_round_two(uint64_t a, uint64_t b, uint64_t sum, uint64_t *ret_a, uint64_t *ret_b)
{
    *ret_a = a / PL_GIB;
    *ret_b = b / PL_GIB;
    while (*ret_a + *ret_b < sum) {
        int64_t lost_a = (int64_t)(a - *ret_a * PL_GIB), lost_b = (int64_t)(b - *ret_b * PL_GIB);
        ++*(lost_a > lost_b ? ret_a : ret_b);
    }
}

void pl_budget_of(uint64_t size, struct pl_budget *ret)
{
    struct pl_budget b = {.size = size, .system = PL_BUDGET_SYSTEM};
    b.safety = pl_per_cent(size, PL_BUDGET_SAFETY);
    uint64_t taken = b.system + b.safety;
    if (taken > size)
        b.missing = taken - size;
    else
        b.available = size - taken;
    b.hot = pl_per_cent(b.available, PL_BUDGET_HOT);
    b.warm = b.available - b.hot;
    if (b.missing == 0)
        pl_round_two(b.safety, b.available, (size - b.system) / PL_GIB, &b.gib_safety,
                     &b.gib_available);
    else
        b.gib_safety = (b.safety + PL_GIB / 2) / PL_GIB;
    pl_round_two(b.hot, b.warm, b.gib_available, &b.gib_hot, &b.gib_warm);
    *ret = b;
}
