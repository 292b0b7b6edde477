/* Fast and slow cores. Who says, in this order: the kernel's counters (Intel), the capacity the
 * scheduler works with (Arm), the guaranteed frequency (Intel, kernels without the counters). */
#include "base/str.h"
#include "machine/cpu.h"

#include <stdlib.h>
#include <string.h>

/* Below this share of the best core a core is slow. Equal cores differ by a few per cent, as binned
 * (GB10: 997 to 1024 of 1024); the slow ones of known parts stay below 76 (GB10: 718 to 731; base
 * clocks of Intel's: 1400 of 1900, 2800 of 3700). */
#define PL_SLOW_PER_CENT 80

static bool pl_kinds_list(const struct pl_root *root, const char *path, bool *set)
{
    char text[2048];
    uint32_t count = 0;
    return pl_read_text(root, path, text, sizeof(text), NULL, NULL) == 0 &&
           pl_parse_list(text, set, PL_CPUS_MAX, &count) == 0 && count > 0;
}

/* The processors of each kind have counters of their own since Linux 5.13 (sysfs-bus-event_source);
 * cpu_lowpower are efficient ones apart from the rest. */
static bool pl_kinds_counters(const struct pl_root *root, bool *slow, bool *work)
{
    bool atom = pl_kinds_list(root, "sys/devices/cpu_atom/cpus", slow);
    if (!atom)
        memset(slow, 0, PL_CPUS_MAX * sizeof(*slow));
    if (pl_kinds_list(root, "sys/devices/cpu_lowpower/cpus", work)) {
        for (uint32_t i = 0; i < PL_CPUS_MAX; i++)
            slow[i] = slow[i] || work[i];
        atom = true;
    }
    return atom && pl_kinds_list(root, "sys/devices/cpu_core/cpus", work);
}

/* By a number of each CPU; false when one does not say it. */
static bool pl_kinds_number(const struct pl_root *root, const char *file, const bool *online,
                            uint64_t *value, bool *slow)
{
    uint64_t best = 0;
    uint32_t end = 0; /* behind the last that is online; what lies beyond is never touched */
    for (uint32_t n = 0; n < PL_CPUS_MAX; n++) {
        if (!online[n])
            continue;
        char path[128]; /* here: it is cleared where it is declared */
        end = n + 1;
        (void)PL_FMT(path, "sys/devices/system/cpu/cpu%u/%s", n, file);
        if (pl_read_u64(root, path, &value[n], NULL) < 0 || value[n] > UINT32_MAX)
            return false;
        if (value[n] > best)
            best = value[n];
    }
    for (uint32_t n = 0; n < end; n++)
        slow[n] = online[n] && value[n] * 100 < best * PL_SLOW_PER_CENT;
    return true;
}

void pl_cpu_kinds(const struct pl_root *root, const bool *online, struct pl_cpu *ret)
{
    struct {
        bool slow[PL_CPUS_MAX], fast[PL_CPUS_MAX];
        uint64_t value[PL_CPUS_MAX];
    } *w = calloc(1, sizeof(*w));
    uint32_t packages = 0, slow = 0, fast = 0;
    if (w != NULL && (pl_kinds_counters(root, w->slow, w->fast) ||
                      pl_kinds_number(root, "cpu_capacity", online, w->value, w->slow) ||
                      pl_kinds_number(root, "cpufreq/base_frequency", online, w->value, w->slow))) {
        bool any = false; /* else all are alike, and nothing more is read */
        for (uint32_t n = 0; n < PL_CPUS_MAX; n++) {
            if (online[n]) {
                w->fast[n] = !w->slow[n];
                any = any || w->slow[n];
            } else if (w->slow[n]) {
                w->slow[n] = false;
            }
        }
        if (any) {
            pl_cpu_cores(root, w->slow, &packages, &slow);
            pl_cpu_cores(root, w->fast, &packages, &fast);
        }
    }
    free(w);
    ret->cores_fast = slow > 0 && fast > 0 ? fast : 0;
    ret->cores_slow = slow > 0 && fast > 0 ? slow : 0;
}
