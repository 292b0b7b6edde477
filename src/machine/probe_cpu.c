/* The processors: what they are, how many of them this process may use, what they can do. */
#include "base/str.h"
#include "machine/cpu.h"
#include "machine/probes.h"
#include "sys/live.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* "key   : value" when the line has this key; NULL otherwise. Keys end at a tab, blank or colon. */
static const char *pl_cpuinfo_value(const char *line, const char *key)
{
    size_t n = strlen(key);
    if (strncmp(line, key, n) != 0)
        return NULL;
    const char *s = line + n;
    while (*s == ' ' || *s == '\t')
        s++;
    if (*s != ':')
        return NULL;
    s++;
    return s + strspn(s, " \t");
}

/* Keeps the first value of a text, without blanks at its end. */
static void pl_cpuinfo_keep(char *out, size_t size, const char *value)
{
    if (value == NULL || out[0] != '\0')
        return;
    (void)pl_fmt(out, size, "%s", value);
    pl_text_clean(out);
    size_t n = strlen(out);
    while (n > 0 && out[n - 1] == ' ')
        out[--n] = '\0';
}

/* Arm gives numbers instead of a name: the parts it is made of, each once. */
static void pl_cpuinfo_part(char *parts, size_t size, const char *implementer, const char *part)
{
    char word[40];
    (void)PL_FMT(word, "%.8s:%.8s", implementer, part);
    if (strstr(parts, word) != NULL)
        return;
    size_t n = strlen(parts);
    (void)pl_fmt(parts + n, size - n, "%s%s", n > 0 ? " + " : "Arm ", word);
}

void pl_cpuinfo_read(const struct pl_root *root, struct pl_cpuinfo *ret)
{
    struct pl_lines lines;
    char parts[96] = "", implementer[16] = "";
    *ret = (struct pl_cpuinfo){0};
    if (pl_lines_open(root, "proc/cpuinfo", &lines, NULL) < 0)
        return;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        const char *v = pl_cpuinfo_value(line, "processor");
        ret->processors += v != NULL && isdigit((unsigned char)*v) ? 1 : 0;
        pl_cpuinfo_keep(ret->model, sizeof(ret->model), pl_cpuinfo_value(line, "model name"));
        pl_cpuinfo_keep(ret->features, sizeof(ret->features), pl_cpuinfo_value(line, "flags"));
        pl_cpuinfo_keep(ret->features, sizeof(ret->features), pl_cpuinfo_value(line, "Features"));
        if (pl_starts(line, "cpu\t")) { /* POWER */
            pl_cpuinfo_keep(ret->model, sizeof(ret->model), pl_cpuinfo_value(line, "cpu"));
            (void)PL_FMT(ret->arch, "ppc64le");
        }
        if ((v = pl_cpuinfo_value(line, "CPU implementer")) != NULL)
            (void)PL_FMT(implementer, "%.8s", v);
        if ((v = pl_cpuinfo_value(line, "CPU part")) != NULL)
            pl_cpuinfo_part(parts, sizeof(parts), implementer, v);
        if ((v = pl_cpuinfo_value(line, "CPU architecture")) != NULL)
            (void)PL_FMT(ret->arch, "%s", v[0] == '8' || v[0] == 'A' ? "aarch64" : "armv7l");
    }
    (void)pl_lines_close(&lines);
    /* 32-bit Arm names itself "ARMv7 Processor rev 4": the parts say more */
    if (parts[0] != '\0' && (ret->model[0] == '\0' || pl_starts(ret->model, "ARMv")))
        (void)PL_FMT(ret->model, "%s", parts);
    if (ret->arch[0] == '\0' && strstr(ret->features, " sse2") != NULL)
        (void)PL_FMT(ret->arch, "%s", strstr(ret->features, " lm") != NULL ? "x86_64" : "i686");
}

static int pl_ask_affinity(const void *ctx, char *out, size_t size)
{
    cpu_set_t *cpus = CPU_ALLOC(PL_CPUS_MAX);
    size_t bytes = CPU_ALLOC_SIZE(PL_CPUS_MAX);
    (void)ctx;
    int rc = cpus == NULL ? -ENOMEM : sched_getaffinity(0, bytes, cpus) < 0 ? -errno : 0;
    if (rc == 0)
        (void)pl_fmt(out, size, "%d", CPU_COUNT_S(bytes, cpus));
    CPU_FREE(cpus);
    return rc;
}

static int pl_ask_machine(const void *ctx, char *out, size_t size)
{
    struct utsname un;
    (void)ctx;
    if (uname(&un) < 0)
        return -errno;
    (void)pl_fmt(out, size, "%.31s", un.machine);
    return 0;
}

static int pl_ask_isa(const void *ctx, char *out, size_t size)
{
    struct pl_cpuid *cpuid = calloc(1, sizeof(*cpuid));
    (void)ctx;
    int rc = cpuid == NULL ? -ENOMEM : pl_cpuid_live(cpuid) ? 0 : -EOPNOTSUPP;
    if (rc == 0)
        pl_cpu_isa_cpuid(cpuid, out, size);
    free(cpuid);
    return rc;
}

/* CPUs this process may run on; of a dump, those its "self" might. 0 = unknown. */
static uint32_t pl_cpu_allowed(const struct pl_root *root, bool *set)
{
    static const char key[] = "Cpus_allowed_list:";
    uint32_t count = 0;
    uint64_t here = 0;
    int rc = pl_live_u64(root, "sched.affinity.cpus", pl_ask_affinity, NULL, &here);
    if (rc == 0)
        return here <= PL_CPUS_MAX ? (uint32_t)here : 0;
    if (rc != -ENODATA)
        return 0;
    struct pl_lines lines;
    if (pl_lines_open(root, "proc/self/status", &lines, NULL) < 0)
        return 0;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (pl_starts(line, key)) {
            const char *s = line + sizeof(key) - 1;
            if (pl_parse_list(s + strspn(s, " \t"), set, PL_CPUS_MAX, &count) < 0)
                count = 0;
            break;
        }
    }
    (void)pl_lines_close(&lines);
    return count;
}

static void pl_cpu_counts(const struct pl_probe_input *in, const struct pl_cpuinfo *info,
                          struct pl_machine *m, bool *set)
{
    const struct pl_root *root = in->root;
    struct pl_cpu *c = &m->cpu;
    if (pl_cpu_online(root, set, &c->threads_logical)) {
        pl_cpu_cores(root, set, &c->packages, &c->cores_physical);
        if (!in->options->brief) /* some twenty files of every CPU */
            c->n_cache = pl_cpu_caches(root, set, c->cache);
        pl_cpu_kinds(root, set, c);
    } else if (!pl_cpuid_topology(root, c)) {
        c->threads_logical = info->processors;
    }
    if (c->cores_physical == 0)
        pl_machine_note(m, "physical cores are unknown: /sys does not say which threads share one");
    c->threads_allowed = pl_cpu_allowed(root, set);
    if (c->threads_allowed == 0)
        c->threads_allowed = c->threads_logical;
    if (c->threads_allowed < c->threads_logical)
        pl_machine_note(m, "this process may use %u of %u CPUs", c->threads_allowed,
                        c->threads_logical);
    if (c->quota_cpus > 0)
        pl_machine_note(m, "the control group may use %.2f CPUs' worth of time", c->quota_cpus);
}

/* The kernel's list of flags names what it may use; on this system the processor itself is asked,
 * as kernels do not know every flag. The registers of a dump count where it has no such list. */
static void pl_cpu_isa(const struct pl_root *root, const struct pl_cpuinfo *info,
                       struct pl_machine *m)
{
    struct pl_cpu *c = &m->cpu;
    if (pl_live(root, "cpuid.isa", pl_ask_isa, NULL, c->isa, sizeof(c->isa)) == 0)
        return;
    c->isa[0] = '\0';
    if (info->features[0] != '\0') {
        pl_cpu_isa_flags(info->features, c->isa, sizeof(c->isa));
        return;
    }
    struct pl_cpuid *cpuid = calloc(1, sizeof(*cpuid));
    if (cpuid != NULL && pl_cpuid_dump(root, 0, cpuid)) {
        pl_cpu_isa_cpuid(cpuid, c->isa, sizeof(c->isa));
        pl_cpuid_model(cpuid, c->model, sizeof(c->model));
        if (c->arch[0] == '\0')
            (void)PL_FMT(c->arch, "x86_64");
    } else {
        pl_machine_note(m, "instruction set extensions are unknown: not in /proc/cpuinfo");
    }
    free(cpuid);
}

static int pl_cpu_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    struct pl_cpuinfo *info = calloc(1, sizeof(*info));
    bool *set = calloc(PL_CPUS_MAX, sizeof(*set));
    int rc = info == NULL || set == NULL ? pl_fail(err, -ENOMEM, "no memory to assess the CPU") : 0;
    if (rc == 0) {
        pl_cpuinfo_read(in->root, info);
        pl_cpu_counts(in, info, m, set);
        (void)PL_FMT(m->cpu.model, "%s", info->model);
        (void)PL_FMT(m->cpu.arch, "%s", info->arch);
        char arch[sizeof(m->cpu.arch)];
        if (pl_live(in->root, "uname.machine", pl_ask_machine, NULL, arch, sizeof(arch)) == 0)
            (void)PL_FMT(m->cpu.arch, "%s", arch);
        pl_cpu_isa(in->root, info, m);
    }
    free(set);
    free(info);
    return rc;
}

const struct pl_probe pl_probe_cpu = {
    .name = "cpu",
    .reads = "/proc/cpuinfo, /sys/devices/system/cpu, /sys/devices/cpu_{core,atom,lowpower}, "
             "sched_getaffinity, cpuid, XGETBV and arch_prctl",
    .matters = "cores set the speed of prompts; the extensions decide which kernels the engine "
               "uses and whether it keeps a second, repacked copy of the weights",
    .run = pl_cpu_run,
};
