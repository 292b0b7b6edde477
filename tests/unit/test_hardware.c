#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "base/units.h"
#include "machine/assess.h"
#include "machine/cpu_cpuid.h"
#include "machine/machine_file.h"
#include "machine/smbios.h"
#include "report/hardware.h"
#include "report/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pl_machine machine;

static struct pl_machine *assess(const struct pl_tree *t)
{
    struct pl_err err = {0};
    struct pl_assess_options o = {.root = t->dir, .model_dir = "/"};
    int rc = pl_assess(&o, &machine, &err);
    if (rc < 0)
        print_error("%s\n", err.what);
    assert_int_equal(rc, 0);
    return &machine;
}

static bool noted(const struct pl_machine *m, const char *text)
{
    for (uint32_t i = 0; i < m->n_note; i++) {
        if (strstr(m->note[i], text) != NULL)
            return true;
    }
    return false;
}

static void put(struct pl_tree *t, const char *path, const char *text)
{
    pl_tree_put(t, path, text);
}

static void put_node(struct pl_tree *t, int id, const char *cpus, uint64_t mib,
                     const char *distance)
{
    char path[96], text[256];
    (void)PL_FMT(path, "sys/devices/system/node/node%d/cpulist", id);
    put(t, path, cpus);
    (void)PL_FMT(path, "sys/devices/system/node/node%d/distance", id);
    put(t, path, distance);
    (void)PL_FMT(path, "sys/devices/system/node/node%d/meminfo", id);
    (void)PL_FMT(text,
                 "\nNode %d MemTotal: %llu kB\nNode %d MemFree: %llu kB\n"
                 "Node %d Active(file): 1024 kB\nNode %d Inactive(file): 0 kB\n",
                 id, (unsigned long long)mib * 1024, id, (unsigned long long)(mib / 2) * 1024, id,
                 id);
    put(t, path, text);
}

static void memory_only_nodes_leave_ram(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "proc/meminfo",
        "MemTotal: 5242880 kB\nMemFree: 2621440 kB\nMemAvailable: 2624512 kB\n");
    put(&t, "sys/devices/system/cpu/online", "0-3\n");
    put(&t, "sys/devices/system/node/online", "0-2,7-8\n");
    put_node(&t, 0, "0-1\n", 1024, "10 20 30 40 50\n");
    put_node(&t, 1, "2-3,9\n", 1024, "20 10 30 40 50\n"); /* CPU 9 is not online */
    put_node(&t, 2, "\n", 1024, "30 30 10 40 50\n");
    put_node(&t, 7, "\n", 1024, "40 40 40 10 50\n");
    put_node(&t, 8, "\n", 1024, "50 50 50 50 10\n");
    put_node(&t, 9, "\n", 1024, "50 50 50 50 10\n"); /* not online */
    put(&t, "proc/driver/nvidia/gpus/0004:05:00.0/numa_status", "Node:      7\nStatus: online\n");
    put(&t, "sys/devices/system/node/node0/access0/initiators/read_bandwidth", "100000\n");
    put(&t, "sys/devices/system/node/node2/access0/initiators/read_bandwidth", "400000\n");
    put(&t, "sys/devices/platform/hmem.0/dax0.0/target_node", "8\n");
    pl_tree_link(&t, "sys/bus/dax/devices/dax0.0", "../../../devices/platform/hmem.0/dax0.0");
    struct pl_machine *m = assess(&t);
    assert_int_equal(m->n_numa, 5);
    assert_int_equal(m->numa[1].cpus, 2);
    assert_int_equal(m->numa[3].id, 7);
    assert_true(m->numa[0].distance[4] == 50 && m->numa[4].distance[0] == 50);
    assert_false(m->numa[0].memory_only || m->numa[1].memory_only);
    assert_string_equal(m->numa[2].what, "hbm");
    assert_string_equal(m->numa[3].what, "gpu");
    assert_string_equal(m->numa[4].what, "specific-purpose");
    const struct pl_pool *ram = pl_machine_pool(m, "ram");
    assert_int_equal(ram->capacity.likely, 2 * PL_GIB);
    /* 2563 MiB less three nodes' 512 MiB free and 1 MiB of cache */
    assert_int_equal(ram->available.likely, (2563 - 3 * 513) * PL_MIB);
    assert_int_equal(ram->available.high, (2563 - 3 * 512) * PL_MIB);
    const struct pl_pool *cap = pl_machine_pool(m, "numa1");
    assert_string_equal(cap->parent, "ram");
    assert_int_equal(cap->kind, PL_POOL_CAP);
    assert_int_equal(cap->available.low, 512 * PL_MIB);
    assert_int_equal(cap->available.likely, 513 * PL_MIB);
    assert_string_equal(pl_machine_pool(m, "numa2")->parent, "");
    assert_int_equal(pl_machine_pool(m, "numa8")->kind, PL_POOL_DEDICATED);
    assert_null(pl_machine_pool(m, "numa7")); /* the pool of that device */
    assert_true(noted(m, "graphics processors"));
    assert_true(noted(m, "2.00 GiB in 2 memory nodes that have no CPUs"));
    pl_tree_done(&t);
}

static void huge_pages_of_every_size(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "proc/meminfo",
        "MemTotal: 67108864 kB\nMemFree: 1 kB\nMemAvailable: 33554432 kB\n"
        "HugePages_Total: 512\nHugepagesize: 2048 kB\n");
    put(&t, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
    put(&t, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "100\n");
    put(&t, "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
    put(&t, "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
    put(&t, "proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max locked memory         8388608              unlimited            bytes     \n");
    struct pl_machine *m = assess(&t);
    assert_int_equal(m->pool[0].reserved.likely, 3 * PL_GIB);
    assert_int_equal(m->limits.hugepages.likely, PL_GIB + 200 * PL_MIB);
    assert_int_equal(m->limits.memlock.likely, 8 * PL_MIB);
    assert_false(pl_known(m->limits.arc)); /* the dump may have left it out */
    assert_true(noted(m, "2 huge pages of 1.00 GiB"));
    put(&t, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "513\n"); /* more than all */
    put(&t, "proc/self/limits", "Max locked memory         unlimited  unlimited  bytes\n");
    m = assess(&t);
    assert_int_equal(m->pool[0].reserved.likely, PL_GIB); /* as /proc/meminfo says */
    assert_false(pl_known(m->limits.hugepages));
    assert_true(m->limits.memlock.likely == UINT64_MAX);
    /* CAP_IPC_LOCK is bit 14, and counts for who is root outside of user namespaces too */
    put(&t, "proc/self/limits", "Max locked memory         65536  65536  bytes\n");
    put(&t, "proc/self/status", "Name:\tx\nCapEff:\t0000000000004000\n");
    put(&t, "proc/self/uid_map", "         0          0 4294967295\n");
    assert_true(assess(&t)->limits.memlock.likely == UINT64_MAX);
    put(&t, "proc/self/uid_map", "         0       1000          1\n");
    assert_int_equal(assess(&t)->limits.memlock.likely, 65536);
    put(&t, "proc/self/uid_map", "         0          0 4294967295\n");
    put(&t, "proc/self/status", "Name:\tx\nCapEff:\t00000000a80425fb\n"); /* of docker */
    assert_int_equal(assess(&t)->limits.memlock.likely, 65536);
    pl_tree_done(&t);
}

static void the_zfs_cache_is_available(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "proc/meminfo",
        "MemTotal: 16777216 kB\nMemFree: 4194304 kB\nMemAvailable: 4194304 kB\n");
    put(&t, "proc/spl/kstat/zfs/arcstats",
        "13 1 0x01 123 33456 1 2\nname                            type data\n"
        "c_min                           4    1073741824\n"
        "c_max                           4    8589934592\n"
        "size                            4    6442450944\n"
        "size_x                          4    1\n");
    struct pl_machine *m = assess(&t);
    assert_int_equal(m->limits.arc.likely, 5 * PL_GIB);
    const struct pl_quantity a = m->pool[0].available;
    assert_int_equal(a.low, 4 * PL_GIB);
    assert_int_equal(a.likely, 9 * PL_GIB);
    assert_int_equal(a.source, PL_SOURCE_DERIVED);
    assert_int_equal(m->pool[0].used.likely, 7 * PL_GIB);
    assert_true(noted(m, "ZFS"));
    /* a cache that claims more than there is: never above the capacity */
    put(&t, "proc/spl/kstat/zfs/arcstats", "c_min 4 0\nsize 4 18446744073709551615\n");
    m = assess(&t);
    assert_int_equal(m->pool[0].available.high, 16 * PL_GIB);
    put(&t, "proc/spl/kstat/zfs/arcstats", "c_min 4 x\nsize 4 5\n");
    m = assess(&t);
    assert_false(pl_known(m->limits.arc));
    assert_int_equal(m->pool[0].available.likely, 4 * PL_GIB);
    pl_tree_done(&t);
}

static void strict_overcommit_is_a_pool(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "proc/meminfo",
        "MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\n"
        "CommitLimit: 8388608 kB\nCommitted_AS: 6291456 kB\n");
    put(&t, "proc/sys/vm/overcommit_memory", "2\n");
    struct pl_machine *m = assess(&t);
    const struct pl_pool *p = pl_machine_pool(m, "commit");
    assert_non_null(p);
    assert_string_equal(p->parent, "ram");
    assert_int_equal(p->capacity.likely, 8 * PL_GIB);
    assert_int_equal(p->available.likely, 2 * PL_GIB);
    put(&t, "proc/sys/vm/overcommit_memory", "0\n");
    assert_null(pl_machine_pool(assess(&t), "commit"));
    pl_tree_done(&t);
}

static void around(const char *version, const char *file, const char *text, const char *want)
{
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "proc/version", version);
    if (file != NULL)
        put(&t, file, text);
    assert_string_equal(assess(&t)->around, want);
    pl_tree_done(&t);
}

static void what_is_around(void **state)
{
    (void)state;
    static const char plain[] = "Linux version 6.1.0 (x) #1\n";
    around(plain, NULL, NULL, "");
    around("Linux version 5.15.167.4-microsoft-standard-WSL2 (x) #1\n", NULL, NULL, "wsl2");
    around("Linux version 4.4.0-19041-Microsoft (x) #1\n", NULL, NULL, "wsl1");
    around(plain, ".dockerenv", "", "container docker");
    around(plain, "run/.containerenv", "", "container podman");
    around(plain, "run/systemd/container", "lxc\n", "container lxc");
    around(plain, "proc/self/cgroup", "0::/kubepods.slice/x\n", "container kubernetes");
    around(plain, "proc/1/cgroup", "12:cpu:/docker/0123\n", "container docker");
    around(plain, "proc/cpuinfo", "flags\t\t: fpu hypervisor lm\n", "virtual machine");
    around(plain, "sys/class/dmi/id/sys_vendor", "QEMU\n", "virtual machine");
    around("Linux version 5.15.1-microsoft-standard-WSL2 (x) #1\n", ".dockerenv", "",
           "container docker in wsl2");
}

static void boards(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "sys/class/dmi/id/sys_vendor", "System manufacturer\n");
    put(&t, "sys/class/dmi/id/product_name", "System Product Name\n");
    put(&t, "sys/class/dmi/id/board_vendor", "ASUSTeK\n");
    put(&t, "sys/class/dmi/id/board_name", "PRIME X570\n");
    assert_string_equal(assess(&t)->board, "ASUSTeK PRIME X570");
    put(&t, "sys/class/dmi/id/sys_vendor", "LENOVO\n");
    put(&t, "sys/class/dmi/id/product_name", "21CB\n");
    assert_string_equal(assess(&t)->board, "LENOVO 21CB");
    pl_tree_done(&t);
}

static void slots_from_udev_and_controllers(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    put(&t, "proc/meminfo", "MemTotal: 1 kB\n");
    put(&t, "sys/devices/system/edac/mc/mc0/dimm0/size", "16384\n");
    put(&t, "sys/devices/system/edac/mc/mc0/dimm0/dimm_label", "CPU_SrcID#0_Ha#0\n");
    put(&t, "sys/devices/system/edac/mc/mc0/dimm0/dimm_mem_type", "Registered-DDR4\n");
    put(&t, "sys/devices/system/edac/mc/mc0/dimm1/size", "0\n");
    struct pl_machine *m = assess(&t);
    assert_int_equal(m->n_dimm, 1);
    assert_string_equal(m->dimm[0].kind, "DDR4");
    assert_int_equal(m->dimm_total.likely, 16 * PL_GIB);
    assert_non_null(strstr(m->dimm_total.why, "empty slots are not known"));
    put(&t, "run/udev/data/+dmi:id",
        "I:123\nE:MEMORY_ARRAY_NUM_DEVICES=2\nE:MEMORY_DEVICE_0_LOCATOR=DIMM 0\n"
        "E:MEMORY_DEVICE_0_SIZE=17179869184\nE:MEMORY_DEVICE_0_TYPE=DDR5\n"
        "E:MEMORY_DEVICE_0_SPEED_MTS=5600\nE:MEMORY_DEVICE_0_CONFIGURED_SPEED_MTS=4800\n"
        "E:MEMORY_DEVICE_1_PRESENT=0\nE:MEMORY_DEVICE_1_LOCATOR=DIMM 1\n"
        "E:MEMORY_DEVICE_9_LOCATOR=nowhere\nE:MEMORY_DEVICE_=\n");
    m = assess(&t);
    assert_int_equal(m->n_dimm, 2);
    assert_string_equal(m->dimm[0].slot, "DIMM 0");
    assert_int_equal(m->dimm[0].mt_per_s, 4800);
    assert_true(pl_known(m->dimm[1].bytes) && m->dimm[1].bytes.likely == 0);
    pl_tree_done(&t);
    pl_tree_open(&t);
    put(&t, "proc/meminfo", "MemTotal: 1 kB\n");
    m = assess(&t);
    assert_int_equal(m->n_dimm, 0);
    assert_false(pl_known(m->dimm_total));
    pl_tree_done(&t);
}

/* A table made by tests/unit/smbios_table.sh, which does not share code with the reader. */
static void slots_from_the_firmware(void **state)
{
    (void)state;
    char path[512];
    static uint8_t table[8192];
    struct pl_err err = {0};
    const char *source = getenv("PLIMSOLL_SOURCE");
    (void)PL_FMT(path, "%s/fuzz/corpus/smbios/whole", source != NULL ? source : ".");
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        skip();
    size_t len = fread(table, 1, sizeof(table), f);
    (void)fclose(f);
    static struct pl_slots m;
    assert_int_equal(pl_smbios_slots(table, len, &m, &err), 0);
    assert_int_equal(m.seen, 6);
    assert_int_equal(m.n, 6);
    static const struct {
        const char *slot, *kind;
        uint64_t mib;
        uint32_t speed;
        bool known;
    } want[] = {
        {"DIMM A1, BANK 0", "DDR5",   32768, 4800, true },
        {"DIMM A2, BANK 0", "",       0,     0,    true },
        {"DIMM B1",         "DDR4",   16384, 3200, true },
        {"ONBOARD",         "LPDDR5", 65536, 8533, true },
        {"OLD",             "SDRAM",  0,     0,    true }, /* 512 KiB */
        {"ODD",             "",       0,     0,    false},
    };
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(m.dimm[i].slot, want[i].slot);
        assert_string_equal(m.dimm[i].kind, want[i].kind);
        assert_int_equal(m.dimm[i].mt_per_s, want[i].speed);
        assert_int_equal(pl_known(m.dimm[i].bytes), want[i].known);
        assert_int_equal(m.dimm[i].bytes.likely / PL_MIB, want[i].mib);
    }
    assert_int_equal(m.dimm[4].bytes.likely, 512 * PL_KIB);
    /* cut anywhere it is an error or whole structures, never more slots */
    for (size_t n = 0; n < len; n++) {
        m.seen = m.n = 0;
        int rc = pl_smbios_slots(table, n, &m, &err);
        assert_true(rc == 0 || rc == -EBADMSG);
        assert_true(m.seen <= 6 && m.n == m.seen);
    }
}

static void cpuid_dumps(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root root;
    static struct pl_cpuid c;
    uint32_t r[4];
    pl_tree_open(&t);
    put(&t, "cpuid/pu0",
        "# mask e[abcd]x => e[abcd]x\n1 1 0 0 0 => a b 1c000000 d\n5 d 0 0 0 => 7 240 340 0\n"
        "5 d 0 2 0 => 100 240 0 0\n1 7 0 0\nnonsense\n1 99 0 0 0 => 1 2 3 4 5\n"
        "1 123456789 0 0 0 => 1 2 3 4\n");
    assert_int_equal(pl_root_open(t.dir, &root, NULL), 0);
    assert_true(pl_cpuid_dump(&root, 0, &c));
    assert_int_equal(c.n_row, 3);
    assert_true(pl_cpuid_ask(&c, 1, 99, r) && r[PL_EDX] == 0xd); /* the sub-leaf does not count */
    assert_true(pl_cpuid_ask(&c, 0xd, 2, r) && r[PL_EAX] == 0x100);
    assert_false(pl_cpuid_ask(&c, 0xd, 3, r));
    assert_true(pl_cpuid_xcr0(&c) == 3); /* the saved area has no room for AVX: it is off */
    assert_false(pl_cpuid_dump(&root, 1, &c));
    pl_root_done(&root);
    pl_tree_done(&t);
}

static void extensions_in_groups(void **state)
{
    (void)state;
    static struct pl_cpu c;
    struct pl_str out;
    pl_str_init(&out, PL_MIB);
    (void)PL_FMT(c.isa, "amx_int8 amx_tile avx avx2 avx512_bf16 avx512bw avx512f sse2");
    pl_isa_text(&c, &out);
    assert_string_equal(pl_str_get(&out), "avx avx2 sse2; AVX-512: bf16 bw f; AMX: int8 tile\n");
    pl_str_clear(&out);
    (void)PL_FMT(c.isa, "avx sse2");
    pl_isa_text(&c, &out);
    assert_string_equal(pl_str_get(&out), "avx sse2; AVX-512: not supported; AMX: not supported\n");
    pl_str_clear(&out);
    (void)PL_FMT(c.isa, "dotprod neon");
    pl_isa_text(&c, &out);
    assert_string_equal(pl_str_get(&out), "dotprod neon\n");
    pl_str_clear(&out);
    c.isa[0] = '\0';
    pl_isa_text(&c, &out);
    assert_string_equal(pl_str_get(&out), "unknown\n");
    pl_str_done(&out);
}

static void everything_survives_a_file(void **state)
{
    (void)state;
    static struct pl_machine a, b;
    struct pl_str one, two;
    struct pl_err err = {0};
    a = (struct pl_machine){.n_numa = 2, .n_dimm = 2, .n_endpoint = 2, .n_storage = 1};
    (void)pl_machine_add_pool(&a, "ram", PL_POOL_HOST);
    a.numa[0] = (struct pl_numa_node){
        .id = 0, .cpus = 4, .distance = {10, 80}
    };
    a.numa[1] = (struct pl_numa_node){
        .id = 250, .memory_only = true, .what = "gpu", .distance = {80, 10}
    };
    a.numa[0].total = pl_exact(5, PL_SOURCE_MEASURED, "x");
    a.dimm[0] = (struct pl_dimm){.slot = "A1", .kind = "DDR5", .mt_per_s = 4800};
    a.dimm[0].bytes = pl_exact(16 * PL_GIB, PL_SOURCE_DECLARED, "x");
    a.dimm[1].bytes = pl_exact(0, PL_SOURCE_DECLARED, "x");
    a.dimm_total = PL_UNREAD(PL_STATE_NO_PERMISSION, "needs root");
    a.limits.memlock = pl_exact(UINT64_MAX, PL_SOURCE_MEASURED, "x");
    a.endpoint[0] = (struct pl_endpoint){.url = "http://a", .reachable = true, .milliseconds = 1.5};
    a.endpoint[1] = (struct pl_endpoint){.url = "http://b", .state = PL_STATE_NOT_ASKED};
    (void)PL_FMT(a.board, "LENOVO 21CB");
    (void)PL_FMT(a.around, "wsl2");
    (void)PL_FMT(a.storage[0].device, "nvme0n1");
    a.storage[0].read = (struct pl_rate){1e9, 2e9, 3e9, PL_SOURCE_MEASURED, PL_STATE_PLAIN, "x"};
    a.cpu.cores_fast = 6;
    a.cpu.cores_slow = 8;
    pl_str_init(&one, PL_MIB);
    pl_str_init(&two, PL_MIB);
    pl_machine_json(&a, &one);
    assert_int_equal(pl_machine_parse(pl_str_get(&one), one.len, "m", &b, &err), 0);
    assert_int_equal(b.n_numa, 2);
    assert_memory_equal(b.numa[1].distance, a.numa[1].distance, sizeof(a.numa[1].distance));
    assert_string_equal(b.numa[1].what, "gpu");
    assert_true(b.limits.memlock.likely == UINT64_MAX);
    assert_int_equal(b.dimm_total.state, PL_STATE_NO_PERMISSION);
    assert_int_equal(b.endpoint[1].state, PL_STATE_NOT_ASKED);
    assert_true(b.endpoint[0].reachable && b.endpoint[0].milliseconds > 1.4);
    assert_int_equal(b.cpu.cores_slow, 8);
    assert_true(b.storage[0].read.likely > 1.9e9);
    pl_machine_text(&b, false, &two);
    assert_non_null(strstr(pl_str_get(&two), "(6 fast, 8 slow)"));
    assert_non_null(strstr(pl_str_get(&two), "1 of 2 used"));
    assert_non_null(strstr(pl_str_get(&two), "connects in 1.5 ms"));
    pl_str_done(&one);
    pl_str_done(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_only_nodes_leave_ram),
        cmocka_unit_test(huge_pages_of_every_size),
        cmocka_unit_test(the_zfs_cache_is_available),
        cmocka_unit_test(strict_overcommit_is_a_pool),
        cmocka_unit_test(what_is_around),
        cmocka_unit_test(boards),
        cmocka_unit_test(slots_from_udev_and_controllers),
        cmocka_unit_test(slots_from_the_firmware),
        cmocka_unit_test(cpuid_dumps),
        cmocka_unit_test(extensions_in_groups),
        cmocka_unit_test(everything_survives_a_file),
    };
    return cmocka_run_group_tests_name("hardware", tests, NULL, NULL);
}
