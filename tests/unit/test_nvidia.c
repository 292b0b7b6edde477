/* NVML's answers and what they mean; cards from a tree of /sys and /proc; sleeping ones. */
#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "base/units.h"
#include "machine/assess.h"
#include "machine/nvidia.h"

#include <stdlib.h>
#include <string.h>

static struct pl_nvml_answers a;
static struct pl_machine m;

static bool parse(const char *text)
{
    return pl_nvml_parse(text, strlen(text), &a);
}

static void lines(void **state)
{
    (void)state;
    assert_false(parse(""));
    assert_false(parse("plimsoll-nvml 2\nend\n"));
    assert_true(parse("plimsoll-nvml 1\n"));
    assert_false(a.complete);
    assert_true(parse("plimsoll-nvml 1\n"
                      "library /lib/x\n"
                      "- nvmlInit_v2 0\n"
                      "- nvmlSystemGetDriverVersion 0 595.1\n"
                      "- nvmlDeviceGetCount_v2 0 1\n"
                      "0 nvmlDeviceGetName 0 NVIDIA  Two  Spaces \n"
                      "0 nvmlDeviceGetMemoryInfo_v2 0 10 1 4 5\n"
                      "0 nvmlDeviceGetMaxClockInfo(2) 0 9501\n"
                      "0 nvmlDeviceGetMarginTemperature 0 -7\n"
                      "0 nvmlDeviceGetPowerUsage -1\n"
                      "0 nvmlDeviceGetComputeRunningProcesses_v2 0 2\n"
                      "0 process compute 12 34 4294967295 0 a name\n"
                      "0 process graphics 13 18446744073709551615 0 0\n"
                      "0.3 nvmlDeviceGetUUID 0 MIG-1\n"
                      "end\n"
                      "0 nvmlDeviceGetUUID 0 after the end\n"));
    assert_true(a.complete);
    assert_int_equal(a.skipped, 0);
    assert_string_equal(a.library, "/lib/x");
    assert_string_equal(a.driver_version, "595.1");
    assert_int_equal(a.n_unit, 2);
    const struct pl_nvml_unit *u = pl_nvml_unit(&a, 0, -1);
    assert_non_null(u);
    assert_string_equal(u->name, "NVIDIA  Two  Spaces ");
    assert_int_equal(u->answer[PL_NVML_MEMORY_V2].value[3], 5);
    assert_int_equal(u->answer[PL_NVML_CLOCK_MEMORY_MAX].value[0], 9501);
    assert_true((int64_t)u->answer[PL_NVML_MARGIN].value[0] == -7);
    assert_int_equal(u->answer[PL_NVML_POWER].code, PL_NVML_NO_SYMBOL);
    assert_false(u->answer[PL_NVML_UUID].asked);
    assert_string_equal(pl_nvml_unit(&a, 0, 3)->uuid, "MIG-1");
    assert_null(pl_nvml_unit(&a, 1, -1));
    assert_int_equal(a.n_process, 2);
    assert_string_equal(a.process[0].name, "a name");
    assert_true(a.process[1].used == PL_NVML_NOT_AVAILABLE && a.process[1].graphics);
}

static void damaged_lines_are_counted(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x\n",
        "\n",
        "0\n",
        "0 \n",
        "0 nvmlDeviceGetName\n",
        "0 nvmlDeviceGetName 0\n",
        "0 nvmlDeviceGetName x y\n",
        "0 nvmlDeviceGetName -2\n",
        "0 nvmlDeviceGetMemoryInfo 0 1 2\n",
        "0 nvmlDeviceGetMemoryInfo 0 1 2 -3\n",
        "0 nvmlDeviceGetMemoryInfo 0 1 2 99999999999999999999\n",
        "0 nvmlDeviceGetName_v3 0 x\n",
        "0 nvmlInit_v2 0\n",
        "- nvmlDeviceGetName 0 x\n",
        "32 nvmlDeviceGetName 0 x\n",
        "0.16 nvmlDeviceGetName 0 x\n",
        "0 process compute 0 1 2 3\n",
        "0 process sleeping 1 1 2 3\n",
        "0 process compute 1 1 2\n",
        "end of it\n",
        "0 nvmlDeviceGetName 0 cut in the middle",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[256];
        (void)PL_FMT(text, "plimsoll-nvml 1\n%s", bad[i]);
        assert_true(parse(text));
        if (a.skipped != 1)
            fail_msg("not skipped: %s", bad[i]);
    }
    /* the first answer counts */
    assert_true(parse("plimsoll-nvml 1\n0 nvmlDeviceGetName 0 a\n0 nvmlDeviceGetName 0 b\n"));
    assert_string_equal(a.unit[0].name, "a");
    assert_int_equal(a.skipped, 1);
}

static void words(void **state)
{
    (void)state;
    char text[160];
    pl_nvml_reasons_text(0, text, sizeof(text));
    assert_string_equal(text, "none");
    pl_nvml_reasons_text(1 | 4 | 64, text, sizeof(text));
    assert_string_equal(text, "idle, software power cap, hardware thermal slowdown");
    pl_nvml_reasons_text(0x200, text, sizeof(text));
    assert_string_equal(text, "0x200");
    assert_int_equal(pl_nvml_code_state(4), PL_STATE_NO_PERMISSION);
    assert_int_equal(pl_nvml_code_state(999), PL_STATE_PLAIN);
    assert_string_equal(pl_nvml_code_text(12345), "an error of the driver");
    assert_true(pl_nvidia_pci_order("0000:0a:00.0", "0000:09:1f.0") > 0);
    assert_true(pl_nvidia_pci_order("0001:00:00.0", "0000:ff:00.0") > 0);
    assert_true(pl_nvidia_pci_order("00000000:01:00.0", "0000:01:00.0") == 0);
}

static void process_lists(void **state)
{
    (void)state;
    static struct pl_nvidia_cards cards;
    memset(&m, 0, sizeof(m));
    assert_true(parse("plimsoll-nvml 1\n"
                      "0 nvmlDeviceGetHandleByIndex_v2 0\n"
                      "0 nvmlDeviceGetMemoryInfo 0 4294967296 1073741824 3221225472\n"
                      "0 process compute 5 1000 0 0 x\n"
                      "0 process graphics 5 3000 0 0 x\n"
                      "0 process mps 6 18446744073709551615 0 0 y\n"
                      "end\n"));
    pl_nvidia_from_answers(&a, &cards, &m);
    assert_int_equal(m.n_holding, 2);
    assert_int_equal(m.holding[0].held.likely, 3000); /* the larger, not the sum */
    assert_true(m.holding[0].graphics);
    assert_string_equal(m.holding[0].pool, "gpu0");
    assert_false(pl_known(m.holding[1].held));
    assert_int_equal(m.holding[1].held.state, PL_STATE_UNSUPPORTED);
    assert_false(pl_known(pl_nvidia_held(&a, &a.unit[0])));
}

static struct pl_tree tree;

static void card(const char *pci, const char *cls, const char *id, const char *driver,
                 const char *status)
{
    char path[128], text[160];
    (void)PL_FMT(path, "sys/bus/pci/devices/%s/uevent", pci);
    (void)PL_FMT(text, "%s%s%sPCI_CLASS=%s\nPCI_ID=%s\nPCI_SLOT_NAME=%s\n",
                 driver[0] != '\0' ? "DRIVER=" : "", driver, driver[0] != '\0' ? "\n" : "", cls, id,
                 pci);
    pl_tree_put(&tree, path, text);
    (void)PL_FMT(path, "sys/bus/pci/devices/%s/power/runtime_status", pci);
    pl_tree_put(&tree, path, status);
}

static void assess(void)
{
    const struct pl_assess_options o = {.root = tree.dir};
    struct pl_err err = {0};
    assert_int_equal(pl_assess(&o, &m, &err), 0);
}

static void cards_of_a_tree(void **state)
{
    (void)state;
    pl_tree_open(&tree);
    pl_tree_put(&tree, "proc/meminfo", "MemTotal: 1000 kB\n");
    card("0000:41:00.0", "30000", "10DE:2684", "nvidia", "active\n");
    card("0000:01:00.0", "30200", "10DE:28A0", "nvidia", "suspended\n");
    card("0000:02:00.0", "30000", "10DE:1B80", "nouveau", "active\n");
    card("0000:03:00.0", "30000", "10DE:1B81", "", "active\n");
    card("0000:01:00.1", "40300", "10DE:22BD", "snd_hda_intel", "active\n"); /* its sound */
    card("0000:04:00.0", "30000", "1002:744C", "amdgpu", "active\n");
    pl_tree_put(&tree, "proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6\n");
    pl_tree_put(&tree, "proc/driver/nvidia/gpus/0000:01:00.0/information",
                "Model: \t\t NVIDIA GeForce RTX 4070 Laptop GPU\nIRQ:   \t\t 1\nGPU UUID: \t "
                "GPU-?\?\?-?\n");
    assess();
    const struct pl_device *d = pl_machine_device(&m, "gpu0");
    assert_non_null(d);
    assert_string_equal(d->pci, "0000:01:00.0");
    assert_string_equal(d->name, "NVIDIA GeForce RTX 4070 Laptop GPU");
    assert_string_equal(d->uuid, "");
    assert_string_equal(d->driver_version, "535.54.03");
    assert_int_equal(d->power, PL_POWER_ASLEEP);
    assert_false(pl_known(d->used));
    assert_int_equal(d->used.state, PL_STATE_ASLEEP);
    assert_int_equal(d->sensor[PL_SENSOR_TEMPERATURE].state, PL_STATE_ASLEEP);
    assert_string_equal(d->pool, "gpu0");
    d = pl_machine_device(&m, "gpu1");
    assert_string_equal(d->driver, "nouveau");
    assert_string_equal(d->pool, "");
    d = pl_machine_device(&m, "gpu2");
    assert_string_equal(d->driver, "");
    d = pl_machine_device(&m, "gpu3");
    assert_string_equal(d->pci_id, "10de:2684");
    assert_int_equal(d->total.state, PL_STATE_NOT_ASKED);
    assert_null(pl_machine_pool(&m, "gpu1"));
    assert_false(pl_known(pl_machine_available(&m, "gpu3")));
    pl_tree_done(&tree);
}

static void a_capture_is_replayed(void **state)
{
    (void)state;
    pl_tree_open(&tree);
    pl_tree_put(&tree, "proc/meminfo",
                "MemTotal: 125508468 kB\nMemFree: 60000000 kB\nMemAvailable: 120000000 kB\n");
    card("0000:01:00.0", "30000", "10DE:2E12", "nvidia", "active\n");
    pl_tree_put(&tree, PL_NVML_FILE,
                "plimsoll-nvml 1\n"
                "- nvmlInit_v2 0\n"
                "0 nvmlDeviceGetHandleByIndex_v2 0\n"
                "0 nvmlDeviceGetName 0 NVIDIA GB10\n"
                "0 nvmlDeviceGetPciInfo_v3 0 0 1 0 772935902\n"
                "0 nvmlDeviceGetMemoryInfo_v2 3\n"
                "0 nvmlDeviceGetMemoryInfo 3\n"
                "0 process compute 5 1073741824 4294967295 4294967295 vllm\n"
                "end\n");
    assess();
    const struct pl_device *d = pl_machine_device(&m, "gpu0");
    assert_non_null(d);
    assert_null(pl_machine_device(&m, "gpu1")); /* the card and the answers are one device */
    assert_int_equal(d->kind, PL_DEVICE_INTEGRATED);
    assert_int_equal(d->available.likely, 120000000ull * 1024); /* MemAvailable, not MemFree */
    assert_int_equal(d->used.likely, PL_GIB);
    assert_string_equal(pl_machine_pool(&m, "ram")->parent, "unified");
    assert_string_equal(d->pci_id, "10de:2e12");
    pl_tree_done(&tree);
}

static void windows_below(void **state)
{
    (void)state;
    pl_tree_open(&tree);
    pl_tree_put(&tree, "proc/meminfo", "MemTotal: 1000 kB\n");
    pl_tree_put(&tree, PL_NVML_FILE,
                "plimsoll-nvml 1\n"
                "library /usr/lib/wsl/lib/libnvidia-ml.so.1\n"
                "- nvmlInit_v2 0\n"
                "0 nvmlDeviceGetHandleByIndex_v2 0\n"
                "0 nvmlDeviceGetMemoryInfo_v2 0 8589934592 209715200 7000000000 1380219392\n"
                "0 nvmlDeviceGetComputeRunningProcesses_v3 0 1\n"
                "0 process compute 77 18446744073709551615 4294967295 4294967295 x\n"
                "end\n");
    assess();
    const struct pl_device *d = pl_machine_device(&m, "gpu0");
    assert_non_null(d);
    assert_true(d->wddm);
    assert_int_equal(d->available.likely, 7000000000);
    assert_int_equal(m.n_holding, 1);
    assert_false(pl_known(m.holding[0].held));
    pl_tree_done(&tree);
}

/* Without its library nobody here can use a card: it is shown, and is no place for a model. */
static void no_library(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "plimsoll-nvml 1\nfailure libnvidia-ml.so.1: cannot open\nend\n",
        "plimsoll-nvml 1\nlibrary /lib/x\n- nvmlInit_v2 18\nend\n",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        pl_tree_open(&tree);
        pl_tree_put(&tree, "proc/meminfo", "MemTotal: 1000 kB\n");
        card("0000:01:00.0", "30000", "10DE:2684", "nvidia", "active\n");
        pl_tree_put(&tree, PL_NVML_FILE, answers[i]);
        assess();
        const struct pl_device *d = pl_machine_device(&m, "gpu0");
        assert_non_null(d);
        assert_string_equal(d->pool, "");
        assert_null(pl_machine_pool(&m, "gpu0"));
        assert_false(pl_known(d->total));
        pl_tree_done(&tree);
    }
}

static void cut_short(void **state)
{
    (void)state;
    pl_tree_open(&tree);
    pl_tree_put(&tree, "proc/meminfo", "MemTotal: 1000 kB\n");
    card("0000:01:00.0", "30000", "10DE:2684", "nvidia", "active\n");
    card("0000:02:00.0", "30000", "10DE:2684", "nvidia", "active\n");
    pl_tree_put(&tree, PL_NVML_FILE,
                "plimsoll-nvml 1\n"
                "- nvmlInit_v2 0\n"
                "0 nvmlDeviceGetHandleByIndex_v2 0\n"
                "0 nvmlDeviceGetName 0 NVIDIA X\n"
                "0 nvmlDeviceGetPciInfo_v3 0 0 1 0 645140702\n");
    assess();
    const struct pl_device *d = pl_machine_device(&m, "gpu0");
    assert_non_null(d);
    assert_string_equal(d->name, "NVIDIA X");
    assert_false(pl_known(d->total)); /* not a device with shared memory: it was not heard */
    assert_int_equal(d->kind, PL_DEVICE_DISCRETE);
    d = pl_machine_device(&m, "gpu1");
    assert_non_null(d);
    assert_string_equal(d->pci, "0000:02:00.0");
    assert_false(pl_known(d->total));
    assert_null(pl_machine_device(&m, "gpu2"));
    pl_tree_done(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),           cmocka_unit_test(damaged_lines_are_counted),
        cmocka_unit_test(words),           cmocka_unit_test(process_lists),
        cmocka_unit_test(cards_of_a_tree), cmocka_unit_test(a_capture_is_replayed),
        cmocka_unit_test(windows_below),   cmocka_unit_test(no_library),
        cmocka_unit_test(cut_short),
    };
    return cmocka_run_group_tests_name("nvidia", tests, NULL, NULL);
}
