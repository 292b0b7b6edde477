#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "base/units.h"
#include "machine/assess.h"
#include "machine/drm.h"
#include "machine/drm_fdinfo.h"
#include "machine/jetson.h"
#include "machine/nvmap.h"
#include "machine/probes.h"
#include "machine/tegrastats.h"
#include "machine/unified.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pl_machine m;

static void text_of(const char *name, char *out, size_t size)
{
    char path[1024];
    assert_true(PL_FMT(path, "%s/tests/replay/%s", getenv("PLIMSOLL_SOURCE"), name));
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    (void)fclose(f);
}

static void fdinfo_of_real_drivers(void **state)
{
    (void)state;
    static const struct {
        const char *file, *driver;
        bool id;
        uint64_t local, host; /* KiB; UINT64_MAX = unknown */
    } want[] = {
        {"amdgpu-bytes-unit",        "amdgpu", false, 8388608,      1024    },
        {"i915-arc-llamacpp",        "i915",   true,  5396348,      312     },
        {"i915-legacy-kb-unit",      "i915",   true,  262144,       32768   },
        {"i915-system-only",         "i915",   false, 0,            16384   },
        {"xe-arc-pro-b70-kernel7.1", "xe",     true,  16000 * 1024, 2 * 1024},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        char name[128], text[4096];
        struct pl_drm_client c;
        assert_true(PL_FMT(name, "drm/fdinfo/%s.txt", want[i].file));
        text_of(name, text, sizeof(text));
        assert_true(pl_drm_fdinfo_parse(text, &c));
        assert_string_equal(c.driver, want[i].driver);
        assert_int_equal(c.id_known, want[i].id);
        assert_int_equal(c.held[PL_DRM_LOCAL].likely, want[i].local * 1024);
        assert_int_equal(c.held[PL_DRM_HOST].likely, want[i].host * 1024);
        assert_int_equal(c.damaged, 0);
    }
}

static void fdinfo_forms(void **state)
{
    (void)state;
    struct pl_drm_client c;
    /* resident includes shared; the old name of the same region is not added */
    assert_true(pl_drm_fdinfo_parse("drm-driver:\tamdgpu\ndrm-pdev:\t0000:65:00.0\n"
                                    "drm-total-vram:\t300 KiB\ndrm-shared-vram:\t20 KiB\n"
                                    "drm-resident-vram:\t200 KiB\ndrm-memory-vram:\t200 KiB\n"
                                    "drm-engine-compute:\t7 ns\n",
                                    &c));
    assert_int_equal(c.held[PL_DRM_LOCAL].low, 180 * 1024);
    assert_int_equal(c.held[PL_DRM_LOCAL].likely, 200 * 1024);
    assert_false(pl_known(c.held[PL_DRM_HOST]));
    assert_true(c.computes && !c.draws);
    /* spilled: total is above what is resident; both of the machine's regions count */
    assert_true(pl_drm_fdinfo_parse("drm-driver: amdgpu\ndrm-total-vram: 10485760 KiB\n"
                                    "drm-resident-vram: 8388608 KiB\ndrm-resident-gtt: 3 MiB\n"
                                    "drm-resident-cpu: 1 MiB\n",
                                    &c));
    assert_int_equal(c.held[PL_DRM_LOCAL].high, 8ull * PL_GIB);
    assert_int_equal(c.held[PL_DRM_HOST].likely, 4 * PL_MIB);
    /* the part of local0 set aside at boot; cycles are no region */
    assert_true(pl_drm_fdinfo_parse("drm-driver: i915\ndrm-resident-local0: 12 KiB\n"
                                    "drm-resident-stolen-local0: 64 KiB\n"
                                    "drm-total-cycles-rcs: 18956600119\ndrm-cycles-rcs: 744\n",
                                    &c));
    assert_int_equal(c.held[PL_DRM_LOCAL].likely, 76 * 1024);
    assert_true(c.draws);
    assert_int_equal(c.damaged, 0);
    /* nouveau says "memory"; only a total: it bounds from above */
    assert_true(pl_drm_fdinfo_parse("drm-driver: nouveau\ndrm-total-memory: 5 MiB", &c));
    assert_int_equal(c.held[PL_DRM_LOCAL].low, 0);
    assert_int_equal(c.held[PL_DRM_LOCAL].high, 5 * PL_MIB);
    assert_int_equal(c.held[PL_DRM_LOCAL].source, PL_SOURCE_DERIVED);
}

static void fdinfo_damaged(void **state)
{
    (void)state;
    struct pl_drm_client c;
    assert_false(pl_drm_fdinfo_parse("", &c));
    assert_false(pl_drm_fdinfo_parse("pos:\t0\nflags:\t02\n", &c));
    static const char *const bad[] = {
        "-1 KiB", "x", "", "1 TiB", "99999999999999999999", "1 KiBx", "18446744073709551615 KiB"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];
        (void)PL_FMT(text, "drm-driver: amdgpu\ndrm-resident-vram: %s\n", bad[i]);
        assert_true(pl_drm_fdinfo_parse(text, &c));
        assert_false(pl_known(c.held[PL_DRM_LOCAL]));
        assert_int_equal(c.damaged, 1);
    }
}

static void nvmap_layouts(void **state)
{
    (void)state;
    static struct pl_nvmap map;
    char text[4096];
    text_of("jetson/nvmap-a.txt", text, sizeof(text));
    pl_nvmap_parse(text, &map);
    assert_int_equal(map.n, 4);
    assert_string_equal(map.client[1].name, "gnome-shell");
    assert_int_equal(map.client[1].pid, 2831);
    assert_int_equal(map.client[0].held.likely, 118372 * 1024);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < map.n; i++)
        sum += map.client[i].held.likely;
    assert_int_equal(map.total.likely, sum);
    pl_nvmap_parse("CLIENT  PROCESS  PID  PSS  SIZE\nuser  Isolated Web Co  4678  12K  2M\n"
                   "user  odd  name  8  1G  1G\ntotal  12K  2M\n",
                   &map);
    assert_int_equal(map.n, 2);
    assert_string_equal(map.client[0].name, "Isolated Web Co");
    assert_int_equal(map.client[0].held.low, 12 * 1024);
    assert_int_equal(map.client[0].held.likely, 2 * PL_MIB);
    assert_int_equal(map.client[1].held.likely, PL_GIB);
    assert_int_equal(map.left_out, 0);
    pl_nvmap_parse("", &map);
    assert_int_equal(map.n, 0);
    assert_false(pl_known(map.total));
    pl_nvmap_parse("CLIENT PROCESS PID SIZE\nuser a 1 xK\nuser b -2 3K\nnothing\ntotal ?\n", &map);
    assert_int_equal(map.n, 0);
    assert_int_equal(map.left_out, 4);
}

/* One line of each form that a release of the boards' system writes, values worked out by hand. */
static void tegrastats_forms(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t used, total, blocks, block, swap; /* MiB; -1 = not said */
        uint32_t cpus, online;
        int64_t emc, emc_mhz, load, mhz;
        uint32_t clocks, temps, rails;
    } want[] = {
        {"07-25-2026 09:08:28 RAM 20641/62817MB (lfb 1x2MB) CPU [23%@2201,10%@2201] EMC_FREQ "
         "3%@3199 GR3D_FREQ 12%@[1300,1300] NVENC0 off VIC off PVA0_FREQ off APE 174 "
         "cpu@52.968C/52.968C gpu@47.625C/47.625C VDD_GPU_SOC 5139mW/5139mW/5139mW",                20641, 62817,  1,   2,  -1,  2, 2, 3,  3199, 12, 1300, 2, 2, 1},
        {"RAM 2690/6854MB (lfb 6x1MB) SWAP 479/3427MB (cached 3MB) CPU [3%@1904,7%@1906,off,off] "
         "EMC_FREQ 0%@1600 GR3D_FREQ 0%@[510] VIC_FREQ 601 AUX@39C PMIC@100C VDD_IN 5079mW/5079mW", 2690,  6854,   6,   1,  479, 4, 2, 0,  1600, 0,  510,  1, 1, 1},
        {"RAM 2387/7774MB (lfb 961x4MB) SWAP 0/3887MB (cached 0MB) CPU [14%@1190,1%@1344] EMC_FREQ "
         "1%@1600 GR3D_FREQ 3%@114 MTS fg 0% bg 3% GPU@31.5C PMIC@100C thermal@31.95C VDD_IN "
         "3528/3569 VDD_SOC 1107/1115",                                                             2387,  7774,   961, 4,  0,   2, 2, 1,  1600, 3,  114,  1, 2, 2},
        {"RAM 1500/3994MB (lfb 221x4MB) cpu [4%,3%,1%,off]@408 EMC 7%@408 APE 25 GR3D 9%@76",                1500,
         3994,                                                                                                              221, 4,  -1,  4, 3, 7,  408,  9,  76,   1, 0, 0},
        {"RAM 17842/125772MB (lfb 79x4MB) CPU [0%@972,1%@972] cpu@30.468C tj@31.218C cv0@-256C "
         "VDD_GPU 0mW/0mW VIN 16802mW/16802mW",                                                     17842, 125772, 79,  4,  -1,  2, 2, -1, -1,   -1, -1,   0, 2, 2},
        {"RAM 26063/125772MB (lfb 35x4MB) VDD_GPU -392mW/-392mW VIN 15004mW",                                26063, 125772, 35,  4,
         -1,                                                                                                                              0, 0, -1, -1,   -1, -1,   0, 0, 2},
        {"GR3D_FREQ @[314,314,314]",                                                                         -1,    -1,     -1,  -1, -1,  0, 0, -1, -1,   -1, 314,  3, 0, 0},
        {"GR3D_FREQ 99%@[1098,1098,1098]",                                                                   -1,    -1,     -1,  -1, -1,  0, 0, -1, -1,   99, 1098, 3, 0, 0},
        {"RAM 900/1980MB (lfb 4x256kB) IRAM 0/252kB(lfb 252kB) CPU [1%@102] GR3D_FREQ 0% PLL@19C "
         "POM_5V_IN 1059/1059 GPU 0/0 CPU 311/311",                                                 900,   1980,   4,   0,  -1,  1, 1, -1, -1,   0,  -1,   0, 1, 3},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        static struct pl_tegrastats t;
        uint32_t online = 0;
        assert_true(pl_tegrastats_parse(want[i].line, &t));
        for (uint32_t c = 0; c < t.n_cpu; c++)
            online += t.cpu[c].online ? 1 : 0;
        assert_int_equal(t.ram_used.known ? t.ram_used.value >> 20 : -1, want[i].used);
        assert_int_equal(t.ram_total.known ? t.ram_total.value >> 20 : -1, want[i].total);
        assert_int_equal(t.lfb_blocks.known ? t.lfb_blocks.value : -1, want[i].blocks);
        assert_int_equal(t.lfb_bytes.known ? t.lfb_bytes.value >> 20 : -1, want[i].block);
        assert_int_equal(t.swap_used.known ? t.swap_used.value >> 20 : -1, want[i].swap);
        assert_int_equal(t.n_cpu, want[i].cpus);
        assert_int_equal(online, want[i].online);
        assert_int_equal(t.emc_load.known ? t.emc_load.value : -1, want[i].emc);
        assert_int_equal(t.emc_mhz.known ? t.emc_mhz.value : -1, want[i].emc_mhz);
        assert_int_equal(t.gpu_load.known ? t.gpu_load.value : -1, want[i].load);
        assert_int_equal(t.n_gpu_mhz > 0 ? t.gpu_mhz[0] : -1, want[i].mhz);
        assert_int_equal(t.n_gpu_mhz, want[i].clocks);
        assert_int_equal(t.n_temp, want[i].temps);
        assert_int_equal(t.n_rail, want[i].rails);
    }
}

static void tegrastats_values(void **state)
{
    (void)state;
    static struct pl_tegrastats t;
    assert_true(
        pl_tegrastats_parse("CPU [7%,off]@408 GPU@-3.5C tj@44.218C VDD_GPU -392mW/-400mW", &t));
    assert_int_equal(t.cpu[0].mhz.value, 408);
    assert_false(t.cpu[1].online || t.cpu[1].mhz.known);
    assert_true(pl_tegrastats_temp(&t, "gpu")->celsius < -3.4);
    assert_true(pl_tegrastats_temp(&t, "TJ")->celsius > 44.2);
    assert_null(pl_tegrastats_temp(&t, "cpu"));
    assert_int_equal(t.rail[0].now_mw, -392);
    assert_int_equal(t.rail[0].average_mw.value, -400);
    static const char *const not [] = {"",
                                       "\n",
                                       "hello world",
                                       "RAM",
                                       "RAM 1",
                                       "CPU [",
                                       "@C a@ @1C",
                                       "RAM 99999999999999999999/1MB",
                                       "GR3D_FREQ 200%"};
    for (size_t i = 0; i < sizeof(not ) / sizeof(not [0]); i++)
        assert_false(pl_tegrastats_parse(not [i], &t));
}

static void jetson_words(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t n;
        const char *part, *chip;
    } boards[] = {
#define PL_STRINGS(s) s, sizeof(s) - 1
        {PL_STRINGS("nvidia,p3449-0000-b00\0nvidia,p3448-0000-b00\0nvidia,jetson-nano\0"
                    "nvidia,tegra210\0"),
                                              "p3448-0000",                                                                              "tegra210"},
        {PL_STRINGS("nvidia,quill\0nvidia,p2597-0000+p3310-1000\0nvidia,tegra186\0"), "p3310-1000",
                                              "tegra186"                                                                                           },
        {PL_STRINGS("nvidia,p3449-0000+p3668-0000\0nvidia,tegra194\0"),               "p3668-0000", "tegra194"},
        {PL_STRINGS("nvidia,p3768-0000+p3767-0005-super\0nvidia,tegra234\0"),         "p3767-0005",
                                              "tegra234"                                                                                           },
        {PL_STRINGS("raspberrypi,4-model-b\0brcm,bcm2711\0"),                         "",           ""        },
        {PL_STRINGS("nvidia,p37"),                                                    "",           ""        },
        {PL_STRINGS("\0\0\0"),                                                        "",           ""        },
#undef PL_STRINGS
    };
    for (size_t i = 0; i < sizeof(boards) / sizeof(boards[0]); i++) {
        struct pl_jetson j = {.model = ""};
        pl_jetson_compatible(boards[i].data, boards[i].n, &j);
        assert_string_equal(j.part, boards[i].part);
        assert_string_equal(j.chip, boards[i].chip);
    }
    char out[64];
    assert_true(pl_jetson_release("# R28 (release), REVISION: 2.1, GCID: 11272647, BOARD: t186ref",
                                  out, sizeof(out)));
    assert_string_equal(out, "L4T 28.2.1");
    assert_true(pl_jetson_release("# R36 (release), REVISION: 4.7, GCID: 1", out, sizeof(out)));
    assert_string_equal(out, "L4T 36.4.7");
    assert_true(pl_jetson_release("# R39 (release), REVISION: 2.0", out, sizeof(out)));
    assert_string_equal(out, "L4T 39.2.0");
    assert_false(pl_jetson_release("# R (release)", out, sizeof(out)));
    assert_false(pl_jetson_release("", out, sizeof(out)));
    assert_true(pl_jetson_mode_line("< POWER_MODEL ID=2 NAME=MODE_15W_6CORE >", 2, out, 64));
    assert_string_equal(out, "MODE_15W_6CORE");
    assert_false(pl_jetson_mode_line("< POWER_MODEL ID=2 NAME=15W >", 3, out, 64));
    assert_false(pl_jetson_mode_line("< PM_CONFIG DEFAULT=2 >", 2, out, 64));
}

static void pci_places(void **state)
{
    (void)state;
    assert_true(pl_pci_same("0000:01:00.0", "00000000:01:00.0"));
    assert_true(pl_pci_same("0000:C3:00.0", "0000:c3:00.0"));
    assert_false(pl_pci_same("0000:01:00.0", "0000:01:00.1"));
    assert_false(pl_pci_same("", ""));
    assert_false(pl_pci_same("0000:01:00", "0000:01:00"));
}

static void put_card(struct pl_tree *t, int n, const char *pci, const char *id, const char *driver)
{
    char path[128], text[256];
    (void)PL_FMT(path, "sys/class/drm/card%d/device/uevent", n);
    (void)PL_FMT(text, "DRIVER=%s\nPCI_ID=%s\nPCI_SLOT_NAME=%s\n", driver, id, pci);
    pl_tree_put(t, path, text);
}

static void put_number(struct pl_tree *t, const char *path, uint64_t n)
{
    char text[32];
    (void)PL_FMT(text, "%llu\n", (unsigned long long)n);
    pl_tree_put(t, path, text);
}

static void put_client(struct pl_tree *t, int pid, int fd, const char *text)
{
    char path[128];
    (void)PL_FMT(path, "proc/%d/comm", pid);
    pl_tree_put(t, path, "llama-server\n");
    (void)PL_FMT(path, "proc/%d/fdinfo/%d", pid, fd);
    pl_tree_put(t, path, text);
    (void)PL_FMT(path, "proc/%d/fd/.keep", pid);
    pl_tree_put(t, path, "");
    (void)PL_FMT(path, "proc/%d/fd/%d", pid, fd);
    pl_tree_link(t, path, "/dev/dri/renderD128");
}

/* All zero when there is none. */
static struct pl_holding holding(int64_t pid, const char *pool)
{
    for (uint32_t i = 0; i < m.n_holding; i++) {
        if (m.holding[i].pid == pid && pl_streq(m.holding[i].pool, pool))
            return m.holding[i];
    }
    return (struct pl_holding){.pid = 0};
}

static void assess(struct pl_tree *t)
{
    const struct pl_assess_options options = {.root = t->dir};
    struct pl_err err = {.what = ""};
    assert_int_equal(pl_assess(&options, &m, &err), 0);
}

static void amd_card(struct pl_tree *t, uint64_t ram_kib, uint64_t vram, uint64_t gtt)
{
    char text[128];
    (void)PL_FMT(text, "MemTotal: %llu kB\nMemAvailable: %llu kB\n", (unsigned long long)ram_kib,
                 (unsigned long long)ram_kib / 2);
    pl_tree_put(t, "proc/meminfo", text);
    put_card(t, 0, "0000:03:00.0", "1002:744C", "amdgpu");
    put_number(t, "sys/class/drm/card0/device/mem_info_vram_total", vram);
    put_number(t, "sys/class/drm/card0/device/mem_info_vram_used", vram / 4);
    put_number(t, "sys/class/drm/card0/device/mem_info_gtt_total", gtt);
    put_number(t, "sys/class/drm/card0/device/mem_info_gtt_used", gtt / 8);
}

static void holdings_are_counted_once(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    amd_card(&t, 64 * PL_MIB, 24 * PL_GIB, 32 * PL_GIB);
    static const char one[] = "drm-driver: amdgpu\ndrm-pdev: 0000:03:00.0\ndrm-client-id: 7\n"
                              "drm-resident-vram: 4096 MiB\ndrm-resident-gtt: 64 MiB\n"
                              "drm-engine-gfx: 9 ns\n";
    static const char two[] = "drm-driver: amdgpu\ndrm-pdev: 0000:03:00.0\ndrm-client-id: 8\n"
                              "drm-resident-vram: 1024 MiB\n";
    static const char no_id[] = "drm-driver: amdgpu\ndrm-pdev: 0000:03:00.0\n"
                                "drm-memory-vram: 512 MiB\n";
    static const char elsewhere[] = "drm-driver: i915\ndrm-pdev: 0000:00:02.0\n"
                                    "drm-client-id: 9\ndrm-resident-vram: 1 MiB\n";
    put_client(&t, 100, 4, one);
    put_client(&t, 100, 5, one); /* another descriptor of it */
    put_client(&t, 100, 6, two); /* another client of the process */
    put_client(&t, 200, 4, one); /* handed to a child */
    put_client(&t, 300, 4, no_id);
    put_client(&t, 300, 5, no_id);
    put_client(&t, 400, 4, elsewhere); /* a device that is not here */
    put_client(&t, 500, 4, "drm-driver: amdgpu\ndrm-client-id: 11\ndrm-resident-vram: 3 MiB\n");
    /* a second ledger: below what fdinfo says of 100, above what it says of 300 */
    pl_tree_put(&t, "sys/class/kfd/kfd/topology/nodes/2/properties",
                "location_id 768\ndomain 0\ngfx_target_version 110000\n");
    put_number(&t, "sys/class/kfd/kfd/topology/nodes/2/gpu_id", 999);
    put_number(&t, "sys/class/kfd/kfd/proc/100/vram_999", PL_GIB);
    put_number(&t, "sys/class/kfd/kfd/proc/300/vram_999", 2 * PL_GIB);
    put_number(&t, "sys/class/kfd/kfd/proc/300/vram_998", 9 * PL_GIB); /* of another device */
    assess(&t);
    assert_int_equal(holding(100, "gpu0").held.likely, 5120 * PL_MIB);
    assert_int_equal(holding(100, "gtt0").held.likely, 64 * PL_MIB);
    assert_true(holding(100, "gpu0").graphics);
    assert_string_equal(holding(100, "gpu0").name, "llama-server");
    assert_int_equal(holding(200, "gpu0").pid, 0);
    assert_int_equal(holding(300, "gpu0").held.likely, 2 * PL_GIB);
    assert_int_equal(holding(400, "gpu0").pid, 0);
    assert_int_equal(holding(500, "gpu0").held.likely, 3 * PL_MIB);
    assert_int_equal(m.n_holding, 4);
    assert_string_equal(m.device[0].compute_capability, "gfx1100");
    pl_tree_done(&t);
}

/* Whatever the carve-out, GTT and limit: what is charged to a pool is charged to its ancestors, and
 * the roots together never exceed what is built in. */
static void no_memory_twice(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 60; round++) {
        struct pl_tree t;
        uint64_t r[5];
        for (int i = 0; i < 5; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            r[i] = seed >> 33;
        }
        uint64_t built_in = (8 + r[0] % 504) * PL_GIB;
        uint64_t carve = r[1] % built_in / 2;
        uint64_t ram = built_in - carve - r[2] % (built_in / 4);
        pl_tree_open(&t);
        amd_card(&t, ram / 1024, carve, r[3] * 512 % (2 * built_in));
        put_number(&t, "sys/module/ttm/parameters/pages_limit", r[4] % (built_in / 2048) + 1);
        if (round % 2 == 0)
            pl_tree_put(&t, "sys/class/drm/card0/device/uma/carveout", "1\n");
        if (round % 3 == 0)
            put_card(&t, 1, "0000:00:02.0", "8086:A780", round % 2 == 0 ? "i915" : "xe");
        assess(&t);
        uint64_t roots = 0;
        for (uint32_t i = 0; i < m.n_pool; i++) {
            const struct pl_pool *p = &m.pool[i];
            const struct pl_pool *up = pl_machine_pool_const(&m, p->parent);
            assert_true(pl_known(p->capacity));
            if (p->parent[0] == '\0')
                roots += p->capacity.likely;
            else
                assert_true(up != NULL && p->capacity.likely <= up->capacity.likely);
            if (pl_known(p->available))
                assert_true(p->available.likely <= p->capacity.likely);
        }
        assert_true(roots <= built_in);
        for (uint32_t i = 0; i < m.n_device; i++) {
            const struct pl_pool *p = pl_machine_pool_const(&m, m.device[i].pool);
            assert_non_null(p);
            if (pl_known(m.device[i].available))
                assert_true(m.device[i].available.likely <= p->available.likely);
        }
        assert_int_equal(m.device[m.n_device - 1].kind,
                         round % 2 == 0 ? PL_DEVICE_INTEGRATED : PL_DEVICE_DISCRETE);
        pl_tree_done(&t);
    }
}

static void jetson_board_and_release(void **state)
{
    (void)state;
    struct pl_tree t;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/meminfo",
                "MemTotal: 4059240 kB\nMemAvailable: 592696 kB\nNvMapMemUsed: 244748 kB\n");
    pl_tree_put(&t, "sys/firmware/devicetree/base/model", "NVIDIA Jetson Nano Developer Kit");
    pl_tree_put(&t, "sys/firmware/devicetree/base/compatible", "nvidia,tegra210");
    pl_tree_put(&t, "etc/nv_tegra_release", "# R32 (release), REVISION: 7.1, GCID: 1\n");
    pl_tree_put(&t, "var/lib/nvpmodel/status", "pmode:0000 fmode:fanNull\n");
    pl_tree_put(&t, "sys/kernel/debug/nvmap/iovmm/clients",
                "CLIENT PROCESS PID SIZE\nuser Xorg 77 18140K\ntotal 18140K\n");
    assess(&t);
    assert_string_equal(m.board, "NVIDIA Jetson Nano Developer Kit");
    assert_string_equal(m.release, "L4T 32.7.1");
    assert_int_equal(m.n_device, 1);
    assert_string_equal(m.device[0].mode, "mode 0"); /* its name is in a table that is not there */
    assert_string_equal(m.device[0].pci_id, "");
    assert_int_equal(m.device[0].used.likely, 244748 * 1024);
    assert_int_equal(m.device[0].available.likely, 592696ull * 1024);
    assert_int_equal(holding(77, "gpu0").held.likely, 18140 * 1024);
    pl_tree_done(&t);
}

static const char *const hostile_texts[] = {"",
                                            "\n",
                                            "-1\n",
                                            "0x\n",
                                            "18446744073709551615\n",
                                            "99999999999999999999999\n",
                                            "\033[2J\001\377\n",
                                            "%s%n%s%n\n",
                                            "a b c d e f g h i j k l m n o p\n",
                                            "0: 99999999999Mhz *\n:\n*",
                                            "DRIVER=\nPCI_ID=ZZZZ:1\nPCI_SLOT_NAME=../../..\n",
                                            "location_id 99999999999999999999\n",
                                            "Node 0, zone\nNode 0, zone DMA -1 x\n",
                                            "< POWER_MODEL ID=0 NAME= >\npmode:\n"};

static const char *const hostile_files[] = {
    "sys/class/drm/card0/device/uevent",
    "sys/class/drm/card0/device/revision",
    "sys/class/drm/card0/device/power/runtime_status",
    "sys/class/drm/card0/device/mem_info_vram_total",
    "sys/class/drm/card0/device/mem_info_vram_used",
    "sys/class/drm/card0/device/mem_info_gtt_total",
    "sys/class/drm/card0/device/mem_info_gtt_used",
    "sys/class/drm/card0/device/product_name",
    "sys/class/drm/card0/device/gpu_metrics",
    "sys/class/drm/card0/device/gpu_busy_percent",
    "sys/class/drm/card0/device/pp_dpm_sclk",
    "sys/class/drm/card0/device/current_link_speed",
    "sys/class/drm/card0/device/current_link_width",
    "sys/class/drm/card0/device/hwmon/hwmon0/temp1_input",
    "sys/class/drm/card0/device/hwmon/hwmon0/temp1_crit",
    "sys/class/drm/card0/device/hwmon/hwmon0/power1_average",
    "sys/class/drm/card0/card0-DP-1/status",
    "sys/class/kfd/kfd/topology/nodes/1/properties",
    "sys/class/kfd/kfd/topology/nodes/1/gpu_id",
    "sys/class/kfd/kfd/topology/nodes/1/mem_banks/0/properties",
    "sys/class/kfd/kfd/proc/1/vram_7",
    "sys/module/ttm/parameters/pages_limit",
    "proc/1/fdinfo/4",
    "proc/1/comm",
    "proc/buddyinfo",
    "proc/device-tree/model",
    "etc/nv_tegra_release",
    "etc/nvpmodel.conf",
    "var/lib/nvpmodel/status",
    "sys/class/devfreq/x.gpu/cur_freq",
    "sys/class/devfreq/x.gpu/device/load",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp",
    "sys/class/thermal/thermal_zone0/trip_point_0_type",
    "sys/class/hwmon/hwmon1/in1_input",
    "sys/kernel/debug/nvmap/iovmm/clients",
    "plimsoll/tegrastats.txt",
};

/* A right machine, then one file after another with words that no kernel writes. */
static void hostile_tree(struct pl_tree *t)
{
    amd_card(t, 16 * PL_MIB, 8 * PL_GIB, 8 * PL_GIB);
    put_client(t, 1, 4, "drm-driver: amdgpu\ndrm-client-id: 1\ndrm-resident-vram: 1 MiB\n");
    pl_tree_put(t, "sys/class/kfd/kfd/topology/nodes/1/properties",
                "location_id 768\ngfx_target_version 90012\n");
    pl_tree_put(t, "sys/class/kfd/kfd/topology/nodes/1/gpu_id", "7\n");
    pl_tree_put(t, "proc/device-tree/compatible", "nvidia,tegra234");
    pl_tree_put(t, "sys/class/thermal/thermal_zone0/type", "gpu-thermal\n");
    pl_tree_put(t, "sys/class/hwmon/hwmon1/name", "ina3221\n");
    pl_tree_put(t, "sys/class/hwmon/hwmon1/in1_label", "VDD_IN\n");
    pl_tree_put(t, "sys/class/hwmon/hwmon1/curr1_input", "1000\n");
}

static void fit_for_a_terminal(const char *s)
{
    for (; *s != '\0'; s++)
        assert_true((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void hostile_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile_files) / sizeof(hostile_files[0]); i++) {
        struct pl_tree t;
        pl_tree_open(&t);
        hostile_tree(&t);
        for (size_t k = 0; k < sizeof(hostile_texts) / sizeof(hostile_texts[0]); k++) {
            pl_tree_put(&t, hostile_files[i], hostile_texts[k]);
            assess(&t);
            fit_for_a_terminal(m.board);
            fit_for_a_terminal(m.release);
            for (uint32_t d = 0; d < m.n_device; d++) {
                fit_for_a_terminal(m.device[d].name);
                fit_for_a_terminal(m.device[d].driver);
                fit_for_a_terminal(m.device[d].mode);
                fit_for_a_terminal(m.device[d].pci);
                if (pl_known(m.device[d].total))
                    assert_true(m.device[d].total.likely <= 1ull << 52);
            }
            for (uint32_t h = 0; h < m.n_holding; h++)
                fit_for_a_terminal(m.holding[h].name);
            for (uint32_t p = 0; p < m.n_pool; p++) {
                const struct pl_pool *q = &m.pool[p];
                if (pl_known(q->available) && pl_known(q->capacity))
                    assert_true(q->available.likely <= q->capacity.likely);
            }
        }
        pl_tree_done(&t);
    }
}

/* NVML knows the GPU of a Thor: the device is filled up, not doubled, and what was found stays. */
static void jetson_after_nvml(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root root;
    pl_tree_open(&t);
    pl_tree_put(&t, "proc/meminfo", "MemTotal: 128790528 kB\nMemAvailable: 100000000 kB\n");
    pl_tree_put(&t, "proc/device-tree/compatible", "nvidia,p4071-0000+p3834-0008\n");
    assess(&t);
    assert_int_equal(m.n_device, 0); /* no chip is named */
    pl_tree_put(&t, "proc/device-tree/compatible", "nvidia,tegra264");
    pl_tree_put(&t, "sys/class/devfreq/gpu-gpc-0/cur_freq", "314000000\n");
    struct pl_device *d = pl_machine_add_device(&m, "gpu0");
    d->vendor = PL_VENDOR_NVIDIA;
    d->used = pl_exact(3 * PL_GIB, PL_SOURCE_MEASURED, "NVML");
    (void)PL_FMT(d->name, "NVIDIA Thor");
    assert_int_equal(pl_unified_make(&m, d, NULL), 0);
    assert_int_equal(pl_root_open(t.dir, &root, NULL), 0);
    const struct pl_assess_options options = {.root = t.dir};
    const struct pl_probe_input in = {&root, &options, NULL};
    assert_int_equal(pl_probe_jetson.run(&in, &m, NULL), 0);
    pl_root_done(&root);
    assert_int_equal(m.n_device, 1);
    assert_string_equal(d->name, "NVIDIA Thor");
    assert_int_equal(d->used.likely, 3 * PL_GIB);
    assert_int_equal(pl_machine_pool(&m, "gpu0")->used.likely, 3 * PL_GIB);
    assert_true(d->sensor[PL_SENSOR_CLOCK].known);
    assert_true(d->sensor[PL_SENSOR_CLOCK].value > 313.9);
    pl_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fdinfo_of_real_drivers),
        cmocka_unit_test(fdinfo_forms),
        cmocka_unit_test(fdinfo_damaged),
        cmocka_unit_test(nvmap_layouts),
        cmocka_unit_test(tegrastats_forms),
        cmocka_unit_test(tegrastats_values),
        cmocka_unit_test(jetson_words),
        cmocka_unit_test(pci_places),
        cmocka_unit_test(holdings_are_counted_once),
        cmocka_unit_test(no_memory_twice),
        cmocka_unit_test(jetson_board_and_release),
        cmocka_unit_test(jetson_after_nvml),
        cmocka_unit_test(hostile_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
