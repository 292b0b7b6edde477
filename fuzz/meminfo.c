/* /proc/meminfo and the lists of CPUs beside it: any bytes give values within their bounds. */
#include "sys/meminfo.h"
#include "sys/cpulist.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_lists(const char *text)
{
    static bool set[64];
    uint32_t count = 0, counted = 0;
    for (int kind = 0; kind < 2; kind++) {
        int rc =
            kind == 0 ? pl_parse_list(text, set, 64, &count) : pl_parse_mask(text, set, 64, &count);
        if (rc < 0)
            continue;
        counted = 0;
        for (int i = 0; i < 64; i++)
            counted += set[i] ? 1 : 0;
        pl_fuzz_check(count == counted);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    struct pl_meminfo m;
    pl_meminfo_parse(text, &m);
    for (int k = 0; k < PL_MEM_HUGE_TOTAL; k++)
        pl_fuzz_check(!m.known[k] || m.value[k] <= 1ull << 52);
    struct pl_quantity available = pl_meminfo_available(&m);
    struct pl_quantity reclaimable = pl_meminfo_reclaimable(&m);
    if (pl_known(available) && m.known[PL_MEM_TOTAL])
        pl_fuzz_check(available.likely <= m.value[PL_MEM_TOTAL]);
    if (pl_known(reclaimable))
        pl_fuzz_check(pl_known(available) && reclaimable.likely <= available.likely);
    pl_fuzz_lists(text);
    free(text);
    return 0;
}
