#include "test.h"
#include "tree.h"

#include "base/str.h"
#include "base/units.h"
#include "machine/assess.h"
#include "machine/consumer_fill.h"
#include "machine/consumer_name.h"
#include "machine/machine_file.h"
#include "machine/memory_tree.h"
#include "report/machine.h"

#include <string.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct pl_machine m; /* large */

static void places(void **state)
{
    (void)state;
    static const struct {
        const char *text, *runtime, *name;
    } want[] = {
        {"0::/system.slice/docker-" ID ".scope\n",                                            "docker",     ID                       },
        {"12:memory:/docker/" ID "\n0::/\n",                                                  "docker",     ID                       },
        {"0::/docker/" ID "/system.slice/nginx.service\n",                                    "docker",     ID                       },
        {"0::/machine.slice/libpod-" ID ".scope/container\n",                                 "podman",     ID                       },
        {"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
         "podman",                                                                                          ID                       },
        {"0::/machine.slice/libpod-conmon-" ID ".scope\n",                                    "",           ""                       },
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/"
         "cri-containerd-" ID ".scope\n",
         "kubernetes",                                                                                      ID                       },
        {"11:memory:/kubepods/besteffort/pod12/" ID "\n",                                     "kubernetes", ID                       },
        {"0::/kubepods.slice/kubepods-pod1.slice/docker-" ID ".scope\n",                      "kubernetes", ID                       },
        {"0::/default/" ID "\n",                                                              "container",  ID                       },
        {"0::/lxc.payload.web/system.slice/cron.service\n",                                   "lxc",        "web"                    },
        {"0::/lxc/101/ns/init.scope\n",                                                       "lxc",        "101"                    },
        {"0::/lxc.monitor.web\n",                                                             "",           ""                       },
        {"0::/machine.slice/machine-qemu\\x2d3\\x2dubuntu\\x2d22.scope/libvirt\n",            "machine",
         "ubuntu-22"                                                                                                                 },
        {"0::/machine.slice/systemd-nspawn@dev.service/payload\n",                            "machine",    "dev"                    },
        {"0::/system.slice/ollama.service\n",                                                 "service",    "ollama"                 },
        {"0::/system.slice/system-getty.slice/getty@tty1.service\n",                          "service",    "getty@tty1"             },
        {"1:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n",          "service",
         "ssh"                                                                                                                       },
        {"0::/user.slice/user-1000.slice/session-2.scope\n",                                  "",           ""                       },
        {"0::/user.slice/user-1000.slice/user@1000.service/session.slice/"
         "org.gnome.Shell@wayland.service\n",                                        "service",    "org.gnome.Shell@wayland"},
        {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-99.scope\n", "",
         ""                                                                                                                          },
        {"0::/system.slice/slurmstepd.scope/job_42/step_0/user/task_0\n",                     "job",        "42"                     },
        {"0::/init.scope\n",                                                                  "",           ""                       },
        {"0::/\n",                                                                            "",           ""                       },
        {"",                                                                                  "",           ""                       },
        {"no colons",                                                                         "",           ""                       },
        {"0::/docker-" ID "\n",                                                               "docker",     ID                       },
        {"0::/docker/short\n",                                                                "",           ""                       },
        {"0::/.service\n",                                                                    "",           ""                       },
        {"0::/a\033[31m.service\n",                                                           "service",    "a?[31m"                 },
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        struct pl_place p;
        pl_place_parse(want[i].text, &p);
        if (!pl_streq(pl_runtime_name(p.runtime), want[i].runtime) ||
            !pl_streq(p.name, want[i].name))
            fail_msg("%s: %s '%s'", want[i].text, pl_runtime_name(p.runtime), p.name);
    }
}

static void programs(void **state)
{
    (void)state;
    static const char vllm[] =
        "/usr/bin/python3\0-m\0vllm.entrypoints.openai.api_server\0--model\0x";
    static const char script[] = "python3\0/opt/ComfyUI/main.py\0--port\0"
                                 "1\0";
    assert_string_equal(pl_program_known("Isolated Web Co", NULL, 0)->program, "firefox");
    assert_int_equal(pl_program_known("gnome-shell", NULL, 0)->kind, PL_CONSUMER_DESKTOP);
    assert_true(pl_program_known("gnome-shell", NULL, 0)->draws);
    assert_string_equal(pl_program_known("chrome --type=gpu-process", NULL, 0)->program, "chrome");
    assert_string_equal(pl_program_known("C:\\Windows\\System32\\dwm.exe", NULL, 0)->program,
                        "dwm.exe");
    assert_string_equal(pl_program_known("/usr/lib/xorg/Xorg", NULL, 0)->program, "Xorg");
    assert_int_equal(pl_program_known("llama-server", NULL, 0)->kind, PL_CONSUMER_ENGINE);
    assert_null(pl_program_known("python3", NULL, 0));
    assert_true(pl_program_asks("python3.11"));
    assert_false(pl_program_asks("bash"));
    assert_string_equal(pl_program_known("python3", vllm, sizeof(vllm))->program, "vllm");
    assert_string_equal(pl_program_known("python3", script, sizeof(script) - 1)->program,
                        "ComfyUI");
    assert_null(pl_program_known("bash", vllm, sizeof(vllm)));
    assert_null(pl_program_known("", NULL, 0));
}

static void docker_names(void **state)
{
    (void)state;
    char name[80];
    static const char good[] = "{\"State\":{},\"Name\":\"/zoe-tts\"}";
    static const char list[] = "[{\"id\":\"x\"},{\"id\":\"" ID "\",\"names\":[\"web\",\"b\"]}]";
    assert_int_equal(pl_container_docker(good, strlen(good), name, sizeof(name)), 0);
    assert_string_equal(name, "zoe-tts");
    assert_int_not_equal(pl_container_docker("{}", 2, name, sizeof(name)), 0);
    assert_int_not_equal(pl_container_docker("[", 1, name, sizeof(name)), 0);
    assert_int_not_equal(pl_container_docker("{\"Name\":7}", 10, name, sizeof(name)), 0);
    assert_int_equal(pl_container_podman(list, strlen(list), ID, name, sizeof(name)), 0);
    assert_string_equal(name, "web");
    assert_int_not_equal(pl_container_podman(list, strlen(list), "x", name, sizeof(name)), 0);
}

static void put_process(struct pl_tree *t, int pid, const char *name, const char *cgroup,
                        unsigned anon_mib, unsigned file_mib, unsigned shmem_mib, unsigned lck_mib)
{
    char path[64], text[512];
    (void)PL_FMT(path, "proc/%d/status", pid);
    (void)PL_FMT(text,
                 "Name:\t%s\nPid:\t%d\nVmLck:\t%u kB\nVmRSS:\t%u kB\nRssAnon:\t%u kB\nRssFile:\t%u "
                 "kB\nRssShmem:\t%u kB\n",
                 name, pid, lck_mib * 1024, (anon_mib + file_mib + shmem_mib) * 1024,
                 anon_mib * 1024, file_mib * 1024, shmem_mib * 1024);
    pl_tree_put(t, path, text);
    (void)PL_FMT(path, "proc/%d/cgroup", pid);
    (void)PL_FMT(text, "0::%s\n", cgroup);
    pl_tree_put(t, path, text);
}

/* 16 GiB: 2 GiB of kernel, anonymous pages 5100 MiB, 1 GiB shared, 4 GiB cache, the rest free */
static void put_machine(struct pl_tree *t)
{
    pl_tree_open(t);
    pl_tree_put(t, "proc/meminfo",
                "MemTotal: 16777216 kB\nMemFree: 4194304 kB\nMemAvailable: 8388608 kB\n"
                "Buffers: 102400 kB\nCached: 5242880 kB\nShmem: 1048576 kB\n"
                "AnonPages: 5222400 kB\nMapped: 900000 kB\nMlocked: 524288 kB\n"
                "KReclaimable: 204800 kB\nSReclaimable: 204800 kB\nSUnreclaim: 1048576 kB\n"
                "KernelStack: 16384 kB\nPageTables: 32768 kB\nSecPageTables: 1024 kB\n"
                "VmallocUsed: 65536 kB\nPercpu: 8192 kB\nHugetlb: 0 kB\n"
                "HugePages_Total: 0\nHugepagesize: 2048 kB\n");
    put_process(t, 1, "systemd", "/init.scope", 20, 10, 0, 0);
    put_process(t, 100, "python3", "/system.slice/docker-" ID ".scope", 2700, 300, 0, 0);
    put_process(t, 101, "llama-server", "/system.slice/llm.service", 500, 2000, 0, 1900);
    put_process(t, 200, "firefox", "/user.slice/user-1000.slice/session-2.scope", 600, 200, 50, 0);
    put_process(t, 201, "Isolated Web Co", "/user.slice/user-1000.slice/session-2.scope", 300, 180,
                50, 0);
    put_process(t, 202, "Isolated Web Co", "/user.slice/user-1000.slice/session-2.scope", 200, 170,
                50, 0);
    put_process(t, 300, "gnome-shell", "/user.slice/user-1000.slice/session-2.scope", 400, 150, 30,
                0);
    put_process(t, 301, "Xwayland", "/user.slice/user-1000.slice/session-2.scope", 80, 40, 30, 0);
    pl_tree_put(t, "proc/2/status", "Name:\tkthreadd\nPid:\t2\n");
    pl_tree_put(t, "proc/2/cgroup", "0::/\n");
    pl_tree_put(t, "var/lib/docker/containers/" ID "/config.v2.json", "{\"Name\":\"/zoe-tts\"}");
}

static const struct pl_consumer *consumer(const char *name)
{
    for (uint32_t i = 0; i < m.n_consumer; i++) {
        if (pl_streq(m.consumer[i].name, name))
            return &m.consumer[i];
    }
    static const struct pl_consumer none;
    fail_msg("no consumer %s", name);
    return &none;
}

static void consumers_of_a_dump(void **state)
{
    (void)state;
    struct pl_tree t;
    put_machine(&t);
    struct pl_assess_options o = {.root = t.dir};
    assert_int_equal(pl_assess(&o, &m, NULL), 0);
    assert_string_equal(m.desktop, "Xwayland, gnome-shell");
    const struct pl_consumer *c = consumer("python3");
    assert_string_equal(c->container, "zoe-tts");
    assert_string_equal(c->runtime, "docker");
    assert_int_equal(c->host.likely, 2700 * PL_MIB);
    assert_int_equal(c->host.source, PL_SOURCE_MEASURED);
    c = consumer("firefox");
    assert_int_equal(c->pid, 0);
    assert_int_equal(c->processes, 3);
    /* the shared pages once */
    assert_int_equal(c->host.likely, 1150 * PL_MIB);
    assert_int_equal(c->host.low, 650 * PL_MIB);
    assert_int_equal(c->host.high, 1250 * PL_MIB);
    assert_int_equal(c->mapped.likely, 200 * PL_MIB);
    c = consumer("llama-server");
    assert_int_equal(c->kind, PL_CONSUMER_ENGINE);
    assert_string_equal(c->container, "llm");
    /* 1900 MiB are locked: at least 1400 of them of the file, an engine's all */
    assert_int_equal(c->host.likely, 2400 * PL_MIB);
    assert_int_equal(c->host.low, 1900 * PL_MIB);
    assert_int_equal(c->mapped.likely, 100 * PL_MIB);
    assert_non_null(strstr(c->advice, "frees 2.34 GiB of ram"));
    assert_int_equal(m.consumer[0].host.likely, 2700 * PL_MIB);
    pl_tree_done(&t);
}

static void scaled_to_what_there_is(void **state)
{
    (void)state;
    struct pl_tree t;
    put_machine(&t);
    for (int i = 0; i < 40; i++)
        put_process(&t, 1000 + i, "forked", "/", 200, 5, 100, 0);
    struct pl_assess_options o = {.root = t.dir, .memory = true};
    assert_int_equal(pl_assess(&o, &m, NULL), 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m.n_consumer; i++)
        sum += m.consumer[i].host.likely;
    const struct pl_consumer *c = consumer("forked");
    assert_int_equal(c->processes, 40);
    assert_true(c->host.low < c->host.likely && c->host.likely < c->host.high);
    assert_true(c->host.high >= 8000 * PL_MIB);
    /* anonymous 5100 MiB, shared at most 1 GiB, locked 1900 MiB */
    assert_true(sum <= (5100 + 1024 + 1900) * PL_MIB);
    assert_true(sum >= (5100 + 1900) * PL_MIB);
    pl_tree_done(&t);
}

static uint64_t row(const char *name, uint32_t depth)
{
    for (uint32_t i = 0; i < m.memory.n_row; i++) {
        if (pl_streq(m.memory.row[i].name, name) && m.memory.row[i].depth == depth)
            return m.memory.row[i].bytes.likely;
    }
    return UINT64_MAX;
}

static void the_tree_sums(void **state)
{
    (void)state;
    struct pl_tree t;
    put_machine(&t);
    struct pl_assess_options o = {.root = t.dir, .memory = true};
    assert_int_equal(pl_assess(&o, &m, NULL), 0);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < m.memory.n_row; i++)
        sum += m.memory.row[i].depth == 1 ? m.memory.row[i].bytes.likely : 0;
    assert_int_equal(sum, 16 * PL_GIB);
    assert_int_equal(row("total", 0), 16 * PL_GIB);
    assert_int_equal(row("kernel", 1),
                     (1024 + 64 + 32 + 1 + 8) * PL_MIB); /* the stacks are in vmalloc */
    assert_int_equal(row("containers and services", 1), 3200 * PL_MIB);
    assert_int_equal(row("docker zoe-tts", 2), 2700 * PL_MIB);
    assert_int_equal(row("service llm", 2), 500 * PL_MIB);
    assert_int_equal(row("llama-server", 3), 500 * PL_MIB);
    assert_int_equal(row("other processes", 1), 1600 * PL_MIB);
    assert_int_equal(row("firefox (3)", 2), 1100 * PL_MIB);
    assert_int_equal(row("processes that are not seen here", 1), 300 * PL_MIB);
    assert_int_equal(row("shared memory and tmpfs", 1), PL_GIB);
    assert_int_equal(row("cache (reclaimable)", 1), (5120 - 1024 + 100 + 200) * PL_MIB);
    assert_int_equal(row("free", 1), 4 * PL_GIB);
    pl_tree_done(&t);
}

/* A tree whose parts exceed the whole still sums to it. */
static void too_much(void **state)
{
    (void)state;
    static const struct pl_groups none;
    struct pl_meminfo mi;
    struct pl_memory_tree tree;
    pl_meminfo_parse("MemTotal: 1000 kB\nMemFree: 900 kB\nCached: 900 kB\nAnonPages: 300 kB\n"
                     "Shmem: 10 kB\nSUnreclaim: 700 kB\n",
                     &mi);
    pl_memory_tree_make(&mi, &none, PL_QUANTITY_UNKNOWN("none"), &tree);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < tree.n_row; i++)
        sum += tree.row[i].depth == 1 ? tree.row[i].bytes.likely : 0;
    assert_int_equal(sum, 1000 * 1024);
    pl_meminfo_parse("MemFree: 900 kB\n", &mi);
    pl_memory_tree_make(&mi, &none, PL_QUANTITY_UNKNOWN("none"), &tree);
    assert_int_equal(tree.n_row, 0);
}

static void hold(int64_t pid, const char *name, uint64_t mib)
{
    struct pl_holding *h = &m.holding[m.n_holding++];
    *h = (struct pl_holding){.pid = pid,
                             .held = mib > 0 ? pl_exact(mib * PL_MIB, PL_SOURCE_MEASURED, "driver")
                                             : PL_QUANTITY_UNKNOWN("WDDM")};
    (void)PL_FMT(h->pool, "gpu0");
    (void)PL_FMT(h->name, "%s", name);
}

static void devices_are_joined(void **state)
{
    (void)state;
    struct pl_tree t;
    struct pl_root root;
    struct pl_sweep s;
    struct pl_groups g;
    bool lost[PL_HOLDINGS_MAX];
    static const struct pl_meminfo none;
    put_machine(&t);
    for (int trusted = 0; trusted < 2; trusted++) {
        m = (struct pl_machine){0};
        pl_machine_add_device(&m, "gpu0")->vendor = PL_VENDOR_NVIDIA;
        (void)PL_FMT(m.device[0].pool, "gpu0");
        hold(200, "/usr/lib/firefox/firefox", 100);
        hold(200, "/usr/lib/firefox/firefox", 120); /* the same in another list: not added */
        hold(201, "", 30);
        hold(101, "/usr/bin/other", 3000);
        hold(9999, "C:\\Windows\\System32\\dwm.exe", 0);
        assert_int_equal(pl_root_open(t.dir, &root, NULL), 0);
        assert_int_equal(pl_sweep_make(&root, &s, NULL), 0);
        assert_int_equal(pl_groups_make(&s, &none, &g, NULL), 0);
        pl_holdings_join(&m, &s, trusted != 0, &g, lost);
        assert_int_equal(pl_consumers_fill(&s, &g, lost, &m, NULL), 0);
        const struct pl_consumer *c = consumer("firefox");
        assert_int_equal(c->n_device, 1);
        assert_int_equal(c->device[0].held.likely, (trusted ? 150 : 120) * PL_MIB);
        c = consumer("dwm.exe");
        assert_int_equal(c->pid, 9999);
        assert_false(pl_known(c->host));
        assert_false(pl_known(c->device[0].held));
        c = consumer("llama-server");
        assert_int_equal(c->n_device, trusted ? 1 : 0);
        if (!trusted)
            assert_int_equal(consumer("other")->device[0].held.likely, 3000 * PL_MIB);
        pl_groups_done(&g);
        pl_sweep_done(&s);
        pl_root_done(&root);
    }
    pl_tree_done(&t);
}

static void read_back(void **state)
{
    (void)state;
    static struct pl_machine again;
    struct pl_str one, two;
    struct pl_tree t;
    put_machine(&t);
    struct pl_assess_options o = {.root = t.dir, .memory = true};
    assert_int_equal(pl_assess(&o, &m, NULL), 0);
    pl_str_init(&one, 4u << 20);
    pl_str_init(&two, 4u << 20);
    pl_machine_json(&m, &one);
    assert_int_equal(pl_machine_parse(pl_str_get(&one), one.len, "one", &again, NULL), 0);
    assert_int_equal(again.n_consumer, m.n_consumer);
    assert_int_equal(again.memory.n_row, m.memory.n_row);
    assert_string_equal(again.desktop, m.desktop);
    for (uint32_t i = 0; i < m.n_consumer; i++) {
        assert_string_equal(again.consumer[i].name, m.consumer[i].name);
        assert_string_equal(again.consumer[i].advice, m.consumer[i].advice);
        assert_int_equal(again.consumer[i].host.likely, m.consumer[i].host.likely);
        assert_int_equal(again.consumer[i].kind, m.consumer[i].kind);
    }
    pl_str_done(&one);
    pl_str_done(&two);
    pl_tree_done(&t);
}

static void more_than_the_table(void **state)
{
    (void)state;
    struct pl_tree t;
    put_machine(&t);
    for (int i = 0; i < 200; i++) {
        char name[32];
        (void)PL_FMT(name, "prog%d", i);
        put_process(&t, 2000 + i, name, "/", 2, 1, 0, 0);
    }
    struct pl_assess_options o = {.root = t.dir};
    assert_int_equal(pl_assess(&o, &m, NULL), 0);
    assert_true(m.n_consumer <= PL_CONSUMERS_MAX);
    uint32_t n = 0;
    for (uint32_t i = 0; i < m.n_consumer; i++)
        n += m.consumer[i].processes;
    assert_int_equal(n, 208);
    const struct pl_consumer *c = consumer("smaller ones");
    assert_int_equal(c->host.high, c->processes * 2 * PL_MIB);
    pl_tree_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),
        cmocka_unit_test(programs),
        cmocka_unit_test(docker_names),
        cmocka_unit_test(consumers_of_a_dump),
        cmocka_unit_test(scaled_to_what_there_is),
        cmocka_unit_test(the_tree_sums),
        cmocka_unit_test(too_much),
        cmocka_unit_test(devices_are_joined),
        cmocka_unit_test(read_back),
        cmocka_unit_test(more_than_the_table),
    };
    return cmocka_run_group_tests_name("consumers", tests, NULL, NULL);
}
