#include "machine/team.h"

#include "sys/cpulist.h"

#include <sched.h>

void pl_team_pin(uint32_t cpu)
{
    cpu_set_t *set = CPU_ALLOC(PL_CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(PL_CPUS_MAX);
    if (set == NULL)
        return;
    CPU_ZERO_S(size, set);
    CPU_SET_S(cpu, size, set);
    (void)sched_setaffinity(0, size, set);
    CPU_FREE(set);
}

uint32_t pl_team_cpus(const struct pl_cpu *c, uint32_t *cpu, uint32_t max)
{
    cpu_set_t *set = CPU_ALLOC(PL_CPUS_MAX);
    size_t size = CPU_ALLOC_SIZE(PL_CPUS_MAX);
    uint32_t n = 0;
    if (c->quota_cpus > 0 && c->quota_cpus < max)
        max = c->quota_cpus < 1 ? 1 : (uint32_t)c->quota_cpus;
    if (set != NULL && sched_getaffinity(0, size, set) == 0) {
        for (uint32_t i = 0; i < PL_CPUS_MAX && n < max; i++) {
            if (CPU_ISSET_S(i, size, set))
                cpu[n++] = i;
        }
    }
    CPU_FREE(set);
    return n;
}
