/* plimsoll attach PID|CONTAINER|URL: observe an engine that others started; never own it. */
#include "base/clock.h"
#include "base/json.h"
#include "base/mask.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/run.h"
#include "cli/verbs.h"
#include "machine/consumer_place.h"
#include "measure/forecast.h"
#include "report/quantity.h"
#include "sys/listener.h"
#include "sys/proc.h"
#include "sys/tree.h"
#include "sys/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define PL_ATTACH_PERIOD_NS 200000000ull
#define PL_ATTACH_TEXT_MAX 65536
#define PL_CONTAINER_ID_LEAST 4 /* characters of an id, as docker accepts it */

struct pl_attach {
    pid_t pid;
    uint64_t start_ticks; /* with the pid it names the process for good */
    char words_text[PL_ATTACH_TEXT_MAX];
    char *words[PL_COMMAND_WORDS_MAX];
    int n_words;
    struct pl_command command;
    struct pl_model *model;
    struct pl_machine machine;
    struct pl_forecast forecast;
    bool has_forecast, ended;
    struct pl_sample now, peak;
    uint64_t peak_memory, looks;
    uint32_t processes;
};

/* The eldest process of a container: its control group's name holds the id. */
static int pl_attach_container(const struct pl_root *root, const char *id, pid_t *ret,
                               struct pl_err *err)
{
    char path[64], text[4096], found[80] = "";
    uint64_t pid, best = 0, oldest = 0;
    bool several = false;
    DIR *d = opendir("/proc");
    for (struct dirent *e = d != NULL ? readdir(d) : NULL; e != NULL; e = readdir(d)) {
        if (!isdigit((unsigned char)e->d_name[0]) || !pl_parse_u64(e->d_name, &pid))
            continue;
        (void)PL_FMT(path, "/proc/%llu/cgroup", (unsigned long long)pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        if (fd >= 0)
            (void)close(fd);
        if (n <= 0)
            continue;
        text[n] = '\0';
        struct pl_place place;
        uint64_t ticks = 0;
        pl_place_parse(text, &place);
        bool it = pl_runtime_by_id(place.runtime)
                      ? pl_starts(place.name, id)
                      : place.runtime != PL_RUNTIME_NONE && pl_streq(place.name, id);
        if (!it || pl_proc_start_time(root, (pid_t)pid, &ticks, NULL) < 0)
            continue;
        several = several || (best != 0 && !pl_streq(place.name, found));
        (void)PL_FMT(found, "%s", place.name);
        if (best != 0 && ticks >= oldest)
            continue;
        oldest = ticks;
        best = pid;
    }
    if (d != NULL)
        (void)closedir(d);
    if (several)
        return pl_exit_as(
            err, pl_fail(err, -EINVAL, "%.60s: the ids of several containers begin so", id),
            PL_EXIT_USAGE);
    if (best == 0) {
        (void)pl_fail(err, -ENOENT, "%.60s: no process, container or address of that name", id);
        (void)pl_hint(err, "a PID, the id of a container (docker ps), or http://127.0.0.1:PORT");
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    *ret = (pid_t)best;
    return 0;
}

/* Is the host of an address this machine? A name is not looked up: it may lead elsewhere. */
static bool pl_attach_is_here(const char *what)
{
    char url[PL_URL_MAX], host[64], own[72], text[INET6_ADDRSTRLEN];
    struct ifaddrs *list = NULL;
    const char *at = strstr(what, "://");
    at = at != NULL ? at + 3 : what;
    bool bracket = at[0] == '[', here = false;
    size_t n = strcspn(at + (bracket ? 1 : 0), bracket ? "]" : ":/?#");
    if (n == 0)
        return true; /* ":8080" */
    if (!PL_FMT(host, "%.*s", (int)n, at + (bracket ? 1 : 0)) ||
        !PL_FMT(url, bracket ? "http://[%s]/" : "http://%s/", host))
        return false;
    if (pl_url_loopback(url) || pl_streq(host, "0.0.0.0") || pl_streq(host, "::") ||
        (gethostname(own, sizeof(own)) == 0 && strcasecmp(own, host) == 0))
        return true;
    if (getifaddrs(&list) < 0)
        return false;
    for (struct ifaddrs *i = list; i != NULL && !here; i = i->ifa_next) {
        const struct sockaddr *a = i->ifa_addr;
        const void *bytes =
            a == NULL ? NULL
            : a->sa_family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
            : a->sa_family == AF_INET6
                ? (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr
                : NULL;
        here = bytes != NULL && inet_ntop(a->sa_family, bytes, text, sizeof(text)) != NULL &&
               pl_streq(text, host);
    }
    freeifaddrs(list);
    return here;
}

/* The port of an address: behind the colon of its host, else the scheme's own. */
static bool pl_attach_port(const char *what, uint64_t *ret)
{
    char digits[8];
    const char *at = strstr(what, "://");
    at = at != NULL ? at + 3 : what;
    size_t n = strcspn(at, "/?#");
    const char *bracket = memchr(at, ']', n), *from = bracket != NULL ? bracket : at;
    const char *colon = memrchr(from, ':', n - (size_t)(from - at));
    *ret = pl_starts(what, "https://") ? 443 : 80;
    return colon == NULL ||
           (PL_FMT(digits, "%.*s", (int)(n - (size_t)(colon + 1 - at)), colon + 1) &&
            pl_parse_u64(digits, ret) && *ret <= UINT16_MAX);
}

static int pl_attach_find(const struct pl_root *root, const char *what, pid_t *ret,
                          struct pl_err *err)
{
    uint64_t n;
    const char *colon = strrchr(what, ':');
    if (pl_parse_u64(what, &n) && n > 0 && n <= INT32_MAX) {
        *ret = (pid_t)n;
        return 0;
    }
    if (strstr(what, "://") != NULL || (colon != NULL && pl_parse_u64(colon + 1, &n))) {
        char shown[128];
        (void)pl_mask_text(NULL, what, shown, sizeof(shown));
        if (!pl_attach_port(what, &n))
            return pl_exit_as(err, pl_fail(err, -EINVAL, "%.80s: no port", shown), PL_EXIT_USAGE);
        if (!pl_attach_is_here(what)) {
            (void)pl_fail(err, -EINVAL, "%.80s is not an address of this machine", shown);
            (void)pl_hint(err, "attach reads /proc: run it there");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        int rc = pl_listener_pid((uint16_t)n, ret, err);
        return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT) : 0;
    }
    if (strlen(what) < PL_CONTAINER_ID_LEAST)
        return pl_exit_as(err,
                          pl_fail(err, -EINVAL, "%s: too short for the id of a container", what),
                          PL_EXIT_USAGE);
    return pl_attach_container(root, what, ret, err);
}

/* Its command line, as the kernel keeps it. */
static void pl_attach_words(struct pl_attach *a)
{
    char path[64];
    (void)PL_FMT(path, "/proc/%d/cmdline", (int)a->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, a->words_text, sizeof(a->words_text) - 1) : 0;
    if (fd >= 0)
        (void)close(fd);
    for (ssize_t i = 0; i < n && a->n_words < PL_COMMAND_WORDS_MAX - 1;) {
        a->words[a->n_words++] = a->words_text + i;
        i += (ssize_t)strlen(a->words_text + i) + 1;
    }
}

/* The model's path is the process' own: relative to its folder, in its root. */
static void pl_attach_model(struct pl_attach *a)
{
    char path[PL_PATH_TEXT_MAX * 2];
    const char *m = a->command.model;
    struct pl_err soft = {0};
    if (m == NULL || a->command.row == NULL || !pl_streq(a->command.row->engine, "llama.cpp"))
        return;
    const char *at = m[0] == '/' ? "root" : "cwd/";
    if (!PL_FMT(path, "/proc/%d/%s%s", (int)a->pid, at, m) ||
        pl_model_open(path, &a->model, &soft) < 0)
        return;
    a->has_forecast = pl_cli_machine_brief(&a->machine, &soft) == 0 &&
                      pl_forecast_make(a->model, &a->command.settings, &a->machine, NULL, NULL,
                                       NULL, &a->forecast, &soft) == 0;
}

static void pl_attach_most(uint64_t *x, uint64_t y)
{
    *x = y > *x ? y : *x;
}

/* One look; false when it is gone. */
static bool pl_attach_look(struct pl_attach *a, const struct pl_root *root)
{
    uint64_t ticks = 0;
    if (pl_proc_start_time(root, a->pid, &ticks, NULL) < 0 || ticks != a->start_ticks)
        return false;
    static pid_t pids[PL_TREE_MAX];
    uint32_t n = pl_tree_sample(root, a->pid, &a->now, pids);
    if (n == 0)
        return false;
    a->looks++;
    a->processes = n > a->processes ? n : a->processes;
    pl_attach_most(&a->peak.rss_anon, a->now.rss_anon);
    pl_attach_most(&a->peak.rss_shmem, a->now.rss_shmem);
    pl_attach_most(&a->peak.rss_file, a->now.rss_file);
    pl_attach_most(&a->peak.swap, a->now.swap);
    pl_attach_most(&a->peak_memory, a->now.rss_anon + a->now.rss_shmem);
    return true;
}

static void pl_attach_text(const struct pl_attach *a, struct pl_str *out)
{
    char s[PL_SIZE_TEXT_MAX], q[PL_QUANTITY_TEXT_MAX];
    struct pl_str words;
    struct pl_redact_words secrets = {0};
    pl_str_init(&words, PL_RUN_COMMAND_MAX);
    for (int i = 0; i < a->n_words && words.len < PL_RUN_COMMAND_MAX / 2; i++) {
        pl_str_add(&words, i > 0 ? " " : "");
        pl_run_word(NULL, &secrets, a->words[i], &words);
    }
    char shown[256];
    pl_str_addf(out, "process %d (%u process%s): %s\n", (int)a->pid, a->processes,
                a->processes == 1 ? "" : "es",
                pl_text_cut(shown, sizeof(shown), pl_str_get(&words)));
    pl_str_done(&words);
    if (!a->ended)
        pl_str_addf(out, "  own memory now   %s\n",
                    pl_size_text(a->now.rss_anon + a->now.rss_shmem, s));
    pl_str_addf(out, "  most seen        %s in %llu looks\n", pl_size_text(a->peak_memory, s),
                (unsigned long long)a->looks);
    pl_str_addf(out, "  mapped files     %s\n", pl_size_text(a->peak.rss_file, s));
    if (a->peak.swap > 0)
        pl_str_addf(out, "  swapped          %s\n", pl_size_text(a->peak.swap, s));
    if (a->has_forecast)
        pl_str_addf(out, "  predicted        %s for %s with its flags\n",
                    pl_quantity_text(a->forecast.footprint.pool[0].steady, q), a->forecast.name);
    if (a->ended)
        pl_str_add(out, "  it has ended\n");
}

static void pl_attach_json(const struct pl_attach *a, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.attach/1");
    pl_json_i64(&j, "pid", a->pid);
    pl_json_u64(&j, "processes", a->processes);
    pl_json_str(&j, "engine", a->command.row != NULL ? a->command.row->engine : NULL);
    pl_json_str(&j, "model", a->has_forecast ? a->forecast.name : NULL);
    pl_json_quantity(&j, "now",
                     a->ended ? PL_QUANTITY_UNKNOWN("it has ended")
                              : pl_exact(a->now.rss_anon + a->now.rss_shmem, PL_SOURCE_MEASURED,
                                         "RssAnon + RssShmem"));
    pl_json_quantity(
        &j, "peak",
        pl_exact(a->peak_memory, PL_SOURCE_MEASURED, "most of RssAnon + RssShmem seen"));
    pl_json_quantity(&j, "mapped", pl_exact(a->peak.rss_file, PL_SOURCE_MEASURED, "RssFile"));
    pl_json_quantity(
        &j, "predicted",
        a->has_forecast
            ? a->forecast.footprint.pool[0].steady
            : PL_QUANTITY_UNKNOWN("its engine or model is not known from its command line"));
    pl_json_u64(&j, "looks", a->looks);
    pl_json_bool(&j, "ended", a->ended);
    pl_json_end(&j);
}

static int pl_attach_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_attach a;
    struct pl_root root;
    const struct pl_opt_value *seconds = pl_cli_opt(cli, "seconds");
    int rc = pl_root_open(NULL, &root, err);
    if (rc < 0)
        return rc;
    rc = pl_attach_find(&root, cli->arg[0], &a.pid, err);
    if (rc == 0 && (rc = pl_proc_start_time(&root, a.pid, &a.start_ticks, err)) < 0)
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    if (rc < 0) {
        pl_root_done(&root);
        return rc;
    }
    pl_attach_words(&a);
    if (pl_command_read(a.n_words, a.words, &a.command, NULL) == 0)
        pl_attach_model(&a);
    const volatile sig_atomic_t *stop = pl_interrupt_flag();
    uint64_t until = pl_now_ns(pl_clock_real()) + pl_seconds_ns(seconds->given ? seconds->u : 0);
    do {
        a.ended = !pl_attach_look(&a, &root);
        if (seconds->given && !a.ended) {
            char s[PL_SIZE_TEXT_MAX];
            pl_progress("process %d: %s", (int)a.pid,
                        pl_size_text(a.now.rss_anon + a.now.rss_shmem, s));
            pl_sleep_ns(pl_clock_real(), PL_ATTACH_PERIOD_NS);
        }
    } while (!a.ended && *stop == 0 && pl_now_ns(pl_clock_real()) < until);
    pl_progress_done();
    if (a.looks == 0)
        rc = pl_exit_as(
            err,
            pl_fail(err, -ESRCH, "process %d has no memory of its own: it has ended", (int)a.pid),
            PL_EXIT_ENVIRONMENT);
    else if (cli->json)
        pl_attach_json(&a, &cli->out);
    else
        pl_attach_text(&a, &cli->out);
    a.model = pl_model_free(a.model);
    pl_root_done(&root);
    return rc < 0 ? rc : PL_EXIT_YES;
}

static const struct pl_opt pl_attach_opts[] = {
    {"seconds",      '\0', PL_OPT_NUMBER, "N", "look at it for so long, or until it ends or Ctrl-C"},
    {0},
};

static const char *const pl_attach_examples[] = {
    "plimsoll attach 4711",
    "plimsoll attach http://127.0.0.1:11434 --seconds 60  # a running Ollama",
    "plimsoll attach 3f9c2b7d1a55 --json  # a container",
    0,
};

const struct pl_verb pl_verb_attach = {
    .name = "attach",
    .args = "PID|CONTAINER|URL",
    .summary =
        "observe an engine that something else started: what it holds, beside what is predicted",
    .details = "Reads /proc only: the process is neither stopped nor owned. An address of this "
               "machine means\n"
               "whoever listens there.",
    .examples = pl_attach_examples,
    .opts = pl_attach_opts,
    .args_min = 1,
    .args_max = 1,
    .run = pl_attach_run,
};
