#include "measure/returned.h"

#include "base/clock.h"
#include "base/units.h"
#include "sys/meminfo.h"

#define PL_RETURN_WAIT_NS (10 * PL_S_NS)    /* unloading gives memory back within 10 s ... */
#define PL_RETURN_SLACK_BYTES (50 * PL_MIB) /* ... +- 50 MiB */

uint64_t pl_returned_before(const struct pl_root *root)
{
    struct pl_meminfo info;
    if (pl_meminfo_read(root, &info, NULL) < 0)
        return 0;
    return pl_meminfo_available(&info).likely;
}

bool pl_returned_wait(const struct pl_root *root, uint64_t before)
{
    const struct pl_clock *clock = pl_clock_real();
    uint64_t until = pl_now_ns(clock) + PL_RETURN_WAIT_NS;
    if (before == 0)
        return false;
    uint64_t want = before - before / 100;
    want = want > PL_RETURN_SLACK_BYTES ? want - PL_RETURN_SLACK_BYTES : 0;
    do {
        if (pl_returned_before(root) >= want)
            return true;
        pl_sleep_ns(clock, 20 * PL_MS_NS);
    } while (pl_now_ns(clock) < until);
    return false;
}
