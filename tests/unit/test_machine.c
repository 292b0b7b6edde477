#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/tier.h"
#include "machine/assess.h"
#include "machine/bandwidth.h"
#include "machine/cpu.h"
#include "machine/machine_file.h"
#include "report/machine.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/statvfs.h>

static void tiers_at_their_borders(void **state)
{
    (void)state;
    static const struct {
        uint64_t gib;
        const char *tier;
    } want[] = {
        {1,    "DEV ONLY"  },
        {31,   "DEV ONLY"  },
        {32,   "MINIMAL"   },
        {63,   "MINIMAL"   },
        {64,   "BASIC"     },
        {127,  "BASIC"     },
        {128,  "STANDARD"  },
        {255,  "STANDARD"  },
        {256,  "PRODUCTION"},
        {511,  "PRODUCTION"},
        {512,  "FULL"      },
        {2048, "FULL"      },
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_string_equal(pl_tier_name(want[i].gib * PL_GIB), want[i].tier);
    assert_string_equal(pl_tier_name(32 * PL_GIB - 1), "DEV ONLY");
}

static void nominal_sizes(void **state)
{
    (void)state;
    /* a 64 GB host shows 62 GiB, a VM of 64 GiB all but its kernel, a GB10 119.7 of 128 */
    assert_int_equal(pl_ram_nominal(62 * PL_GIB), 64 * PL_GIB);
    assert_int_equal(pl_ram_nominal(64 * PL_GIB), 64 * PL_GIB);
    assert_int_equal(pl_ram_nominal(64 * PL_GIB - 1), 64 * PL_GIB);
    assert_int_equal(pl_ram_nominal(125508468ull * 1024), 128 * PL_GIB);
    assert_int_equal(pl_ram_nominal(16115528ull * 1024), 16 * PL_GIB);
    assert_int_equal(pl_ram_nominal(57 * PL_GIB), 57 * PL_GIB); /* more than a tenth missing */
    assert_int_equal(pl_ram_nominal(65 * PL_GIB), 65 * PL_GIB);
    uint64_t last = 0;
    for (uint64_t mib = 512; mib < 4096 * 1024; mib += 509) {
        uint64_t n = pl_ram_nominal(mib * PL_MIB);
        assert_true(n >= mib * PL_MIB && n >= last);
        last = n;
    }
    assert_int_equal(pl_ram_nominal(UINT64_MAX), UINT64_MAX);
}

static void isa_words(void **state)
{
    (void)state;
    char isa[PL_ISA_TEXT_MAX];
    pl_cpu_isa_flags(" fpu sse2 pni avx512f avx2 avx avx512_vnni amx_tile xavx512bw lm", isa,
                     sizeof(isa));
    assert_string_equal(isa, "amx_tile avx avx2 avx512_vnni avx512f sse2 sse3");
    pl_cpu_isa_flags("fp asimd asimdhp asimddp i8mm bf16 sve sve2", isa, sizeof(isa));
    assert_string_equal(isa, "bf16 dotprod fp16 i8mm neon sve sve2");
    pl_cpu_isa_flags("half thumb fastmult vfp neon vfpv4", isa, sizeof(isa));
    assert_string_equal(isa, "neon vfpv4");
    pl_cpu_isa_flags("", isa, sizeof(isa));
    assert_string_equal(isa, "");
    pl_cpu_isa_flags("avx avx2", isa, 6); /* no room: cut, never written past */
    assert_true(strlen(isa) < 6);
}

static void isa_of_this_system(void **state)
{
    (void)state;
    char here[PL_ISA_TEXT_MAX], flags[PL_ISA_TEXT_MAX];
    static struct pl_cpuinfo info;
    struct pl_root root;
    static struct pl_cpuid cpuid;
    if (!pl_cpuid_live(&cpuid))
        skip();
    pl_cpu_isa_cpuid(&cpuid, here, sizeof(here));
    assert_int_equal(pl_root_open("", &root, NULL), 0);
    pl_cpuinfo_read(&root, &info);
    pl_cpu_isa_flags(info.features, flags, sizeof(flags));
    pl_root_done(&root);
    /* the kernel may hide what it does not name; what it shows we must see */
    struct pl_cpu cpu = {0};
    (void)PL_FMT(cpu.isa, "%s", here);
    char *save = NULL;
    for (char *w = strtok_r(flags, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
        assert_true(pl_cpu_has(&cpu, w));
}

static void put_cpu(struct pl_tree *t, int n, const char *threads, const char *package,
                    const char *l2)
{
    static const char base[] = "sys/devices/system/cpu/cpu";
    char path[128];
    (void)PL_FMT(path, "%s%d/topology/thread_siblings_list", base, n);
    pl_tree_put(t, path, threads);
    (void)PL_FMT(path, "%s%d/topology/core_siblings_list", base, n);
    pl_tree_put(t, path, package);
    (void)PL_FMT(path, "%s%d/cache/index0/level", base, n);
    pl_tree_put(t, path, "2\n");
    (void)PL_FMT(path, "%s%d/cache/index0/type", base, n);
    pl_tree_put(t, path, "Unified\n");
    (void)PL_FMT(path, "%s%d/cache/index0/size", base, n);
    pl_tree_put(t, path, n < 4 ? "2048K\n" : "4M\n");
    (void)PL_FMT(path, "%s%d/cache/index0/shared_cpu_list", base, n);
    pl_tree_put(t, path, l2);
}

static struct pl_machine *assess(const struct pl_tree *t)
{
    static struct pl_machine m;
    struct pl_err err = {0};
    struct pl_assess_options o = {.root = t->dir, .model_dir = "/", .bandwidth = true};
    int rc = pl_assess(&o, &m, &err);
    if (rc < 0)
        print_error("%s\n", err.what);
    assert_int_equal(rc, 0);
    return &m;
}

static bool noted(const struct pl_machine *m, const char *text)
{
    for (uint32_t i = 0; i < m->n_note; i++) {
        if (strstr(m->note[i], text) != NULL)
            return true;
    }
    return false;
}

static void cores_caches_and_offline_cpus(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    /* two packages: 2 cores of 2 threads, 2 cores of 1; CPU 0 and 5 are off, so core 0 and the big
     * L2 of CPU 4 and 5 are counted at other CPUs */
    pl_tree_put(&t, "sys/devices/system/cpu/online", "1-4\n");
    put_cpu(&t, 0, "0-1", "0-3", "0-1");
    put_cpu(&t, 1, "0-1", "0-3", "0-1");
    put_cpu(&t, 2, "2-3", "0-3", "2-3");
    put_cpu(&t, 3, "2-3", "0-3", "2-3");
    put_cpu(&t, 4, "4", "4-5", "4-5");
    put_cpu(&t, 5, "5", "4-5", "4-5");
    pl_tree_put(&t, "proc/cpuinfo",
                "processor\t: 0\nmodel name\t: Test CPU\nflags\t\t: fpu sse2 avx2 lm\n");
    pl_tree_put(&t, "proc/self/status", "Cpus_allowed:\t6\nCpus_allowed_list:\t1-2\n");
    struct pl_machine *m = assess(&t);
    assert_int_equal(m->cpu.threads_logical, 4);
    assert_int_equal(m->cpu.cores_physical, 3);
    assert_int_equal(m->cpu.packages, 2);
    assert_int_equal(m->cpu.threads_allowed, 2);
    assert_int_equal(m->cpu.n_cache, 2);
    assert_true(m->cpu.cache[0].bytes == 2 * PL_MIB && m->cpu.cache[0].instances == 2);
    assert_true(m->cpu.cache[1].bytes == 4 * PL_MIB && m->cpu.cache[1].instances == 1);
    assert_string_equal(m->cpu.model, "Test CPU");
    assert_string_equal(m->cpu.arch, "x86_64");
    assert_string_equal(m->cpu.isa, "avx2 sse2");
    assert_true(noted(m, "2 of 4 CPUs"));
    /* memory was not in the dump: unknown, and no tier made up from it */
    assert_false(pl_known(m->pool[0].capacity));
    assert_false(pl_known(m->pool[0].available));
    assert_string_equal(m->tier, "");
    assert_false(m->this_system);
    assert_true(m->pool[0].bandwidth.source == PL_SOURCE_UNKNOWN);
    assert_false(pl_known(m->storage[0].available));
    pl_tree_done(&t);
}

static void a_container_is_a_pool_in_ram(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/meminfo",
                "MemTotal: 67108864 kB\nMemFree: 1048576 kB\nMemAvailable: 33554432 kB\n"
                "HugePages_Total: 512\nHugepagesize: 2048 kB\n");
    pl_tree_put(&t, "proc/self/cgroup", "0::/\n");
    pl_tree_put(&t, "proc/self/mountinfo", "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n");
    pl_tree_put(&t, "cg/memory.max", "17179869184\n");
    pl_tree_put(&t, "cg/memory.current", "2147483648\n");
    pl_tree_put(&t, "cg/memory.stat", "inactive_file 1073741824\n");
    pl_tree_put(&t, "cg/cpu.max", "250000 100000\n");
    pl_tree_put(&t, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    pl_tree_put(&t, "etc/os-release", "NAME=x\nPRETTY_NAME=\"Test OS 1\"\n");
    pl_tree_put(&t, "proc/version", "Linux version 6.1.0-test (me@host) #1\n");
    struct pl_machine *m = assess(&t);
    const struct pl_pool *ram = pl_machine_pool(m, "ram");
    const struct pl_pool *cap = pl_machine_pool(m, "cgroup");
    assert_non_null(cap);
    assert_string_equal(cap->parent, "ram");
    assert_int_equal(cap->kind, PL_POOL_CAP);
    assert_int_equal(cap->capacity.likely, 16 * PL_GIB);
    assert_int_equal(cap->available.likely, 15 * PL_GIB);
    assert_int_equal(cap->used.likely, 2 * PL_GIB);
    assert_int_equal(ram->capacity.likely, 64 * PL_GIB);
    assert_int_equal(ram->reserved.likely, PL_GIB);
    assert_int_equal(ram->reclaimable.likely, 31 * PL_GIB);
    assert_int_equal(ram->used.likely, 31 * PL_GIB); /* 64 - 1 - 32 */
    assert_int_equal(pl_machine_available(m, "ram").likely, 15 * PL_GIB);
    assert_int_equal(pl_machine_available(m, "cgroup").likely, 15 * PL_GIB);
    assert_true(m->cpu.quota_cpus > 2.49 && m->cpu.quota_cpus < 2.51);
    assert_string_equal(m->tier, "DEV ONLY"); /* the limit, not the host's 64 GiB */
    assert_string_equal(m->os, "Test OS 1");
    assert_string_equal(m->kernel, "Linux 6.1.0-test");
    /* printf 'plimsoll machine-id 0123456789abcdef0123456789abcdef\n' | sha256sum | cut -c1-32 */
    assert_string_equal(m->id, "76253eac80d08f8dff8ae576334034e9");
    assert_false(m->pressure.known);
    pl_tree_done(&t);
}

static void nothing_there_is_an_error(void **state)
{
    (void)state;
    struct pl_tree t;
    static struct pl_machine m;
    struct pl_err err = {0};
    struct pl_assess_options o = {.root = "/no/such/folder"};
    assert_int_equal(pl_assess(&o, &m, &err), -ENOENT);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    pl_tree_open(&t);
    o.root = t.dir;
    assert_int_equal(pl_assess(&o, &m, &err), -ENOENT);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_non_null(strstr(err.what, t.dir));
    pl_tree_done(&t);
}

static void this_system_is_assessed(void **state)
{
    (void)state;
    static struct pl_machine m;
    struct statvfs fs;
    struct pl_assess_options o = {.model_dir = "/tmp/no/such/folder/of/models"};
    assert_int_equal(pl_assess(&o, &m, NULL), 0);
    assert_true(m.this_system);
    assert_true(pl_known(m.pool[0].capacity) && pl_known(m.pool[0].available));
    assert_true(m.cpu.threads_allowed > 0 && m.cpu.threads_allowed <= m.cpu.threads_logical);
    assert_true(m.cpu.arch[0] != '\0' && m.kernel[0] != '\0' && m.tier[0] != '\0');
    assert_int_equal(statvfs("/tmp", &fs), 0);
    assert_int_equal(m.storage[0].total.likely, fs.f_blocks * fs.f_frsize);
    assert_true(noted(&m, "does not exist"));
}

static void bandwidth_is_measured(void **state)
{
    (void)state;
    static struct pl_machine m;
    struct pl_rate one = {0}, all = {0};
    struct pl_err err = {0};
    m = (struct pl_machine){0};
    assert_int_equal(pl_bandwidth_measure(&m, 8 * PL_MIB, &one, &all, &err), -ENOMEM);
    int rc = pl_bandwidth_measure(&m, 512 * PL_MIB, &one, &all, &err);
    assert_int_equal(rc, 0);
    /* slower than any machine of this century, faster than any memory */
    assert_true(one.likely > 1e8 && one.likely < 1e13 && one.low <= one.likely);
    assert_true(all.likely > 1e8 && all.likely < 1e13 && all.low <= all.likely);
    /* 64 MiB against a cache of 1 GiB: said to be an assumption */
    m.cpu.n_cache = 1;
    m.cpu.cache[0] = (struct pl_cache){.level = 3, .type = 'u', .bytes = PL_GIB, .instances = 1};
    assert_int_equal(pl_bandwidth_measure(&m, 512 * PL_MIB, &one, &all, &err), 0);
    assert_int_equal(one.source, PL_SOURCE_ASSUMED);
}

static int parse(const char *text, struct pl_machine *m, struct pl_err *err)
{
    *err = (struct pl_err){0};
    return pl_machine_parse(text, strlen(text), "m.json", m, err);
}

#define HEAD "{\"schema\": \"plimsoll.assess/1\", \"pools\": ["

static void machine_files(void **state)
{
    (void)state;
    static struct pl_machine m;
    struct pl_err err;
    assert_int_equal(parse(HEAD
                           "{\"pool\": \"ram\", \"kind\": \"host\", \"capacity\": 64424509440,"
                           "\"available\": \"32GiB\"},"
                           "{\"pool\": \"gpu0\", \"capacity\": 2.5e10, \"available\": null},"
                           "{\"pool\": \"cgroup\", \"parent\": \"ram\", \"available\":"
                           "{\"bytes\": 10, \"low\": 9, \"high\": 11, \"source\": \"measured\","
                           "\"why\": \"x\"}}]}",
                           &m, &err),
                     0);
    assert_false(m.this_system);
    assert_int_equal(m.n_pool, 3);
    assert_true(m.pool[0].capacity.likely == 60 * PL_GIB &&
                m.pool[0].capacity.source == PL_SOURCE_DECLARED);
    assert_true(m.pool[0].available.likely == 32 * PL_GIB);
    assert_false(pl_known(m.pool[0].reserved));
    assert_int_equal(m.pool[1].kind, PL_POOL_DEDICATED);
    assert_true(m.pool[1].capacity.likely == 25000000000u);
    assert_false(pl_known(m.pool[1].available));
    assert_int_equal(m.pool[2].kind, PL_POOL_CAP);
    assert_true(m.pool[2].available.low == 9 && m.pool[2].available.high == 11 &&
                m.pool[2].available.source == PL_SOURCE_MEASURED);
    assert_int_equal(m.cpu.threads_logical, 0);
    assert_string_equal(m.tier, "BASIC"); /* 60 of 64 GiB: less than a tenth is missing */
}

static void bad_machine_files(void **state)
{
    (void)state;
    static struct pl_machine m;
    struct pl_err err;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"{",                                                                                 "JSON"              },
        {"[]",                                                                                "schema"            },
        {"{\"schema\": \"plimsoll.plan/1\"}",                                                 "plimsoll.plan/1"   },
        {"{\"schema\": \"plimsoll.assess/1\"}",                                               "pools"             },
        {HEAD "]}",                                                                           "pools"             },
        {HEAD "5]}",                                                                          "pools[0].pool"     },
        {HEAD "{\"pool\": \"\"}]}",                                                           "pools[0].pool"     },
        {HEAD "{\"pool\": \"a b\"}]}",                                                        "pools[0].pool"     },
        {HEAD "{\"pool\": \"an-exceedingly-long-name-of-a-pool\"}]}",                         "pools[0].pool"     },
        {HEAD "{\"pool\": \"a\", \"kind\": \"hosted\"}]}",                                    "pools[0].kind"     },
        {HEAD "{\"pool\": \"a\"}, {\"pool\": \"a\"}]}",                                       "twice"             },
        {HEAD "{\"pool\": \"a\", \"parent\": \"b\"}]}",                                       "'b'"               },
        {HEAD "{\"pool\": \"a\", \"parent\": \"a\"}]}",                                       "ancestor"          },
        {HEAD "{\"pool\": \"a\", \"parent\": \"b\"}, {\"pool\": \"b\", \"parent\": \"a\"}]}",
         "ancestor"                                                                                               },
        {HEAD "{\"pool\": \"a\", \"capacity\": -1}]}",                                        "negative"          },
        {HEAD "{\"pool\": \"a\", \"capacity\": 1.5}]}",                                       "whole"             },
        {HEAD "{\"pool\": \"a\", \"capacity\": true}]}",                                      "pools[0].capacity" },
        {HEAD "{\"pool\": \"a\", \"capacity\": \"8G\"}]}",                                    "pools[0].capacity" },
        {HEAD "{\"pool\": \"a\", \"available\": {\"bytes\": -1}}]}",                          "negative"          },
        {HEAD "{\"pool\": \"a\", \"available\": {\"bytes\": 5, \"low\": 6}}]}",               "order"             },
        {HEAD "{\"pool\": \"a\", \"available\": {\"bytes\": 5, \"source\": \"guessed\"}}]}",
         "source"                                                                                                 },
        {HEAD "{\"pool\": \"a\", \"available\": [1]}]}",                                      "pools[0].available"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i].text, &m, &err), -EINVAL);
        assert_string_equal(err.file, "m.json");
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
        if (strstr(err.what, bad[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.what, bad[i].says);
    }
    assert_int_equal(pl_machine_load("/no/such/file.json", &m, &err), -ENOENT);
    assert_string_equal(err.file, "/no/such/file.json");
    assert_int_equal(pl_machine_load("/", &m, &err), -EISDIR);
}

/* What assess prints, read back, prints the same but for what only this system is. */
static void a_round_trip(void **state)
{
    (void)state;
    static struct pl_machine a, b;
    struct pl_str one, two, three;
    struct pl_err err = {0};
    struct pl_assess_options o = {.model_dir = "/"};
    assert_int_equal(pl_assess(&o, &a, NULL), 0);
    struct pl_pool *ram = pl_machine_pool(&a, "ram");
    ram->bandwidth = (struct pl_rate){4e10, 5e10, 5e10, PL_SOURCE_MEASURED, PL_STATE_PLAIN, "x"};
    pl_str_init(&one, PL_MIB);
    pl_str_init(&two, PL_MIB);
    pl_str_init(&three, PL_MIB);
    pl_machine_json(&a, &one);
    assert_int_equal(pl_machine_parse(pl_str_get(&one), one.len, "m.json", &b, &err), 0);
    assert_false(b.this_system);
    ram = pl_machine_pool(&b, "ram");
    assert_true(ram->bandwidth.likely > 4.9e10 && ram->bandwidth.low < 4.1e10);
    assert_int_equal(ram->capacity.likely, a.pool[0].capacity.likely);
    assert_int_equal(ram->capacity.source, PL_SOURCE_MEASURED);
    assert_string_equal(b.cpu.isa, a.cpu.isa);
    assert_int_equal(b.cpu.n_cache, a.cpu.n_cache);
    assert_memory_equal(b.cpu.cache, a.cpu.cache, sizeof(a.cpu.cache));
    assert_string_equal(b.id, a.id);
    assert_string_equal(b.tier, a.tier);
    assert_int_equal(b.n_note, a.n_note);
    pl_machine_json(&b, &two);
    assert_int_equal(pl_machine_parse(pl_str_get(&two), two.len, "m.json", &b, &err), 0);
    pl_machine_json(&b, &three);
    assert_string_equal(pl_str_get(&two), pl_str_get(&three));
    pl_str_done(&one);
    pl_str_done(&two);
    pl_str_done(&three);
}

static void the_summary_has_five_lines(void **state)
{
    (void)state;
    static struct pl_machine m; /* of which nothing is known */
    struct pl_str out;
    uint32_t lines = 0;
    pl_str_init(&out, PL_MIB);
    pl_machine_summary(&m, &out);
    for (const char *s = pl_str_get(&out); *s != '\0'; s++)
        lines += *s == '\n' ? 1 : 0;
    assert_int_equal(lines, 5);
    assert_non_null(strstr(pl_str_get(&out), "cores unknown"));
    assert_null(strstr(pl_str_get(&out), " 0 "));
    pl_machine_text(&m, false, &out);
    pl_str_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiers_at_their_borders),
        cmocka_unit_test(nominal_sizes),
        cmocka_unit_test(isa_words),
        cmocka_unit_test(isa_of_this_system),
        cmocka_unit_test(cores_caches_and_offline_cpus),
        cmocka_unit_test(a_container_is_a_pool_in_ram),
        cmocka_unit_test(nothing_there_is_an_error),
        cmocka_unit_test(this_system_is_assessed),
        cmocka_unit_test(bandwidth_is_measured),
        cmocka_unit_test(machine_files),
        cmocka_unit_test(bad_machine_files),
        cmocka_unit_test(a_round_trip),
        cmocka_unit_test(the_summary_has_five_lines),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
