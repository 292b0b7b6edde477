#include "measure/elsewhere.h"

#include "base/str.h"
#include "machine/consumer_place.h"
#include "sys/listener.h"
#include "sys/proc.h"
#include "sys/url.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define PL_OLLAMA_PORT 11434 /* envconfig/config.go of Ollama */
#define PL_CGROUP_TEXT_MAX 8192

/* "127.0.0.1:11434", "host", ":8080", "http://host:port/": its port, and whether it is here. */
static bool pl_elsewhere_address(const char *host, uint16_t *ret_port)
{
    char url[PL_URL_MAX];
    uint64_t port = pl_starts(host, "https://")  ? 443
                    : pl_starts(host, "http://") ? 80
                                                 : PL_OLLAMA_PORT; /* getOllamaHost there */
    const char *at = strstr(host, "://");
    at = at != NULL ? at + 3 : host;
    size_t n = strcspn(at, "/");
    const char *bracket = memchr(at, ']', n);
    const char *from = bracket != NULL ? bracket : at;
    const char *colon = memchr(from, ':', n - (size_t)(from - at));
    if (colon != NULL) {
        char digits[8];
        if (!PL_FMT(digits, "%.*s", (int)(n - (size_t)(colon + 1 - at)), colon + 1) ||
            !pl_parse_u64(digits, &port) || port > UINT16_MAX)
            return false;
        n = (size_t)(colon - at);
    }
    *ret_port = (uint16_t)port;
    return n == 0 || (n == 7 && strncmp(at, "0.0.0.0", 7) == 0) ||
           (n == 4 && strncmp(at, "[::]", 4) == 0) ||
           (PL_FMT(url, "http://%.*s/", (int)n, at) && pl_url_loopback(url));
}

static uint64_t pl_elsewhere_now(struct pl_elsewhere *e, const struct pl_root *root,
                                 pid_t pids[PL_TREE_MAX], uint32_t *ret_n)
{
    struct pl_sample s;
    uint64_t ticks = 0;
    *ret_n = 0;
    if (e->pid <= 0 || pl_proc_start_time(root, e->pid, &ticks, NULL) < 0 ||
        ticks != e->start_ticks)
        return 0;
    *ret_n = pl_tree_sample(root, e->pid, &s, pids);
    return s.rss_anon + s.rss_shmem;
}

void pl_elsewhere_server(struct pl_elsewhere *e, const struct pl_root *root, const char *host)
{
    static pid_t pids[PL_TREE_MAX];
    struct pl_err err = {0};
    uint16_t port = PL_OLLAMA_PORT;
    *e = (struct pl_elsewhere){.kind = PL_ELSEWHERE_SERVER};
    if (host != NULL && host[0] != '\0' && !pl_elsewhere_address(host, &port)) {
        (void)PL_FMT(e->why, "Ollama's server is on another machine ($OLLAMA_HOST): its memory is "
                             "held there");
        return;
    }
    int rc = pl_listener_pid(port, &e->pid, &err);
    if (rc < 0 || pl_proc_start_time(root, e->pid, &e->start_ticks, NULL) < 0) {
        e->pid = 0;
        (void)PL_FMT(e->why,
                     "its memory is held by Ollama's server, which was not found: %.120s (see "
                     "ollama ps)",
                     rc < 0 ? err.what : "it ended");
        return;
    }
    (void)PL_FMT(e->what, "Ollama's server and its runners (process %d)", (int)e->pid);
    e->before = pl_elsewhere_now(e, root, pids, &e->processes);
}

/* The id of the container a process runs in; false when it is in none. */
static bool pl_elsewhere_id(const struct pl_root *root, uint64_t pid, char *out, size_t size)
{
    char path[64], text[PL_CGROUP_TEXT_MAX];
    struct pl_place place;
    (void)PL_FMT(path, "proc/%llu/cgroup", (unsigned long long)pid);
    if (pl_read_text(root, path, text, sizeof(text), NULL, NULL) < 0)
        return false;
    pl_place_parse(text, &place);
    return pl_runtime_by_id(place.runtime) && pl_fmt(out, size, "%s", place.name);
}

static bool pl_elsewhere_was_there(const struct pl_elsewhere *e, const char *id)
{
    for (uint32_t i = 0; i < e->n_known; i++)
        if (pl_streq(e->known[i], id))
            return true;
    return false;
}

/* Walks all processes: remembers containers, or finds the one that is new. */
static void pl_elsewhere_walk(struct pl_elsewhere *e, const struct pl_root *root, bool remember)
{
    DIR *d = NULL;
    char id[80], found[80] = "";
    uint64_t pid, ticks = 0;
    if (pl_root_open_dir(root, "proc", &d, NULL) < 0)
        return;
    for (struct dirent *x = readdir(d); x != NULL; x = readdir(d)) {
        if (!pl_parse_u64(x->d_name, &pid) || !pl_elsewhere_id(root, pid, id, sizeof(id)) ||
            pl_elsewhere_was_there(e, id))
            continue;
        if (remember) {
            if (e->n_known < PL_ELSEWHERE_KNOWN_MAX)
                (void)PL_FMT(e->known[e->n_known++], "%s", id);
            continue;
        }
        if (found[0] != '\0' && !pl_streq(found, id))
            e->several = true;
        (void)PL_FMT(found, "%s", id);
        if (pl_proc_start_time(root, (pid_t)pid, &ticks, NULL) < 0 ||
            (e->pid != 0 && ticks >= e->start_ticks))
            continue; /* the eldest is the container's first process */
        e->pid = (pid_t)pid;
        e->start_ticks = ticks;
    }
    (void)closedir(d);
    if (remember || e->pid == 0)
        return;
    if (e->several)
        e->pid = 0;
    else
        (void)PL_FMT(e->what, "container %.12s (process %d)", found, (int)e->pid);
}

void pl_elsewhere_container(struct pl_elsewhere *e, const struct pl_root *root)
{
    *e = (struct pl_elsewhere){.kind = PL_ELSEWHERE_CONTAINER};
    pl_elsewhere_walk(e, root, true);
    (void)PL_FMT(e->why, "its memory is held by a container that the daemon starts, and none was "
                         "seen from here (see docker stats)");
}

uint32_t pl_elsewhere_look(struct pl_elsewhere *e, const struct pl_root *root,
                           pid_t pids[PL_TREE_MAX])
{
    uint32_t n = 0;
    if (e->kind == PL_ELSEWHERE_CONTAINER && e->pid == 0 && !e->several)
        pl_elsewhere_walk(e, root, false);
    if (e->several)
        (void)PL_FMT(e->why, "its memory is held by a container, and several began meanwhile: "
                             "which is its is not known (see docker stats)");
    uint64_t held = pl_elsewhere_now(e, root, pids, &n);
    if (n == 0)
        return 0;
    e->looks++;
    e->processes = n > e->processes ? n : e->processes;
    e->peak = held > e->peak ? held : e->peak;
    return n;
}

struct pl_quantity pl_elsewhere_measured(const struct pl_elsewhere *e)
{
    if (e->looks == 0)
        return PL_QUANTITY_UNKNOWN(e->why);
    return pl_exact(e->peak, PL_SOURCE_MEASURED, e->what);
}
