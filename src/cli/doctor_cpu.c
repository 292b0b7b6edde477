/* What makes a processor slow at models. */
#include "base/str.h"
#include "cli/doctor.h"

#include <string.h>

static void pl_check_simd(const struct pl_patient *p, struct pl_finding *ret)
{
    const struct pl_cpu *c = &p->m->cpu;
    if (c->isa[0] == '\0')
        return;
    bool x86 = pl_streq(c->arch, "x86_64") || pl_streq(c->arch, "i686");
    if (x86 && !pl_cpu_has(c, "avx2"))
        pl_find(ret, PL_LEVEL_WARNING, "models run several times slower than on a newer processor",
                "in a virtual machine: pass the host's processor through (-cpu host)", "no AVX2%s",
                pl_cpu_has(c, "avx") ? ", only AVX" : "");
    else if (x86)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%s",
                pl_cpu_has(c, "avx512f") ? "AVX2 and AVX-512" : "AVX2");
    else if (pl_cpu_has(c, "dotprod"))
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "dot products of bytes%s",
                pl_cpu_has(c, "i8mm") ? " and matrices" : "");
    else
        pl_find(ret, PL_LEVEL_WARNING, "quantised models run several times slower", NULL,
                "no dot products of bytes (dotprod)");
}

static void pl_check_share(const struct pl_patient *p, struct pl_finding *ret)
{
    const struct pl_cpu *c = &p->m->cpu;
    if (c->threads_logical == 0)
        return;
    if (c->quota_cpus > 0 && c->quota_cpus < c->threads_allowed)
        pl_find(ret, PL_LEVEL_WARNING,
                "more threads than that are stopped in the middle of their work",
                "give as many threads as that (-t), or raise docker --cpus or CPUQuota=",
                "the control group gives %.2f of %u CPUs' time", c->quota_cpus, c->threads_allowed);
    else if (c->threads_allowed < c->threads_logical)
        pl_find(ret, PL_LEVEL_NOTE, "the others cannot be used", "taskset, docker --cpuset-cpus",
                "this process may use %u of %u CPUs", c->threads_allowed, c->threads_logical);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "all %u CPUs may be used", c->threads_logical);
}

static void pl_check_governor(const struct pl_patient *p, struct pl_finding *ret)
{
    char text[64];
    static const char path[] = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    if (p->root == NULL || pl_read_line(p->root, path, text, sizeof(text), NULL) < 0)
        return;
    char driver[64] = "";
    (void)pl_read_line(p->root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", driver,
                       sizeof(driver), NULL);
    /* intel_pstate and amd-pstate in active mode call their own adaptive governor powersave */
    bool own = pl_streq(driver, "intel_pstate") || pl_starts(driver, "amd-pstate-epp");
    if (pl_streq(text, "powersave") && !own)
        pl_find(ret, PL_LEVEL_WARNING,
                "the clock stays at its lowest: models run at a fraction of their "
                "speed",
                "cpupower frequency-set -g performance", "frequency governor %s", text);
    else
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "frequency governor %s", text);
}

static void pl_check_rates(const struct pl_patient *p, struct pl_finding *ret)
{
    const struct pl_pool *ram = pl_machine_pool_const(p->m, "ram");
    bool memory = ram != NULL && ram->bandwidth.source == PL_SOURCE_MEASURED;
    if (memory && p->m->cpu.int8.source == PL_SOURCE_MEASURED)
        pl_find(ret, PL_LEVEL_OK, NULL, NULL, "%.1f GB/s, %.0f G operations a second",
                ram->bandwidth.likely / 1e9, p->m->cpu.int8.likely / 1e9);
    else
        pl_find(ret, PL_LEVEL_NOTE, "the speed of models on the processor is only guessed",
                "plimsoll assess --bandwidth", "%s not measured yet",
                memory ? "arithmetic is" : "memory bandwidth and arithmetic are");
}

const struct pl_check pl_checks_cpu[] = {
    {"cpu-extensions",                 "processor", "instructions that models need", pl_check_simd},
    {"cpu-share", "processor", "processors that may be used", pl_check_share},
    {"cpu-governor",                                "processor", "frequency governor", pl_check_governor},
    {"cpu-rates",                     "processor", "measured speed", pl_check_rates},
    {0                 },
};
