/* Packages, cores and caches from /sys/devices/system/cpu. A core, a package or a cache is named by
 * the CPUs that share it and counted at the lowest of them that is online. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/cpu.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PL_CPU_DIR "sys/devices/system/cpu"
#define PL_CPU_SET_TEXT_MAX 32768 /* a list of every second of 8192 CPUs */
#define PL_CACHE_INDEX_MAX 16     /* cpuN/cache/index0 and on */

/* Kernels before 2.6.26 have no list: the folders are the CPUs, less those that say they are off.
 */
static bool pl_cpu_folders(const struct pl_root *root, bool *set, uint32_t *ret_count)
{
    DIR *dir = NULL;
    memset(set, 0, PL_CPUS_MAX * sizeof(*set));
    *ret_count = 0;
    if (pl_root_open_dir(root, PL_CPU_DIR, &dir, NULL) < 0)
        return false;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[128];
        uint64_t n = 0, on = 1;
        if (!pl_starts(e->d_name, "cpu") || !pl_parse_u64(e->d_name + 3, &n) || n >= PL_CPUS_MAX)
            continue;
        (void)PL_FMT(path, PL_CPU_DIR "/cpu%u/online", (unsigned)n);
        set[n] = pl_read_u64(root, path, &on, NULL) < 0 || on != 0;
        *ret_count += set[n] ? 1 : 0;
    }
    (void)closedir(dir);
    return *ret_count > 0;
}

bool pl_cpu_online(const struct pl_root *root, bool *set, uint32_t *ret_count)
{
    char *text = malloc(PL_CPU_SET_TEXT_MAX);
    bool ok =
        text != NULL &&
        pl_read_text(root, PL_CPU_DIR "/online", text, PL_CPU_SET_TEXT_MAX, NULL, NULL) == 0 &&
        pl_parse_list(text, set, PL_CPUS_MAX, ret_count) == 0 && *ret_count > 0;
    free(text);
    return ok || pl_cpu_folders(root, set, ret_count);
}

/* Room for one set and its text. */
struct pl_cpu_work {
    const struct pl_root *root;
    const bool *online;
    bool set[PL_CPUS_MAX];
    char text[PL_CPU_SET_TEXT_MAX];
};

/* Reads cpuN/NAME, a mask, or cpuN/LIST, the same as a list; newer kernels call the same set by
 * another name, so names are tried in turn. */
struct pl_cpu_names {
    const char *mask, *list;
};

static bool pl_cpu_shared(struct pl_cpu_work *w, uint32_t n, const struct pl_cpu_names *name)
{
    char path[128];
    uint32_t count = 0;
    (void)PL_FMT(path, PL_CPU_DIR "/cpu%u/%s", n, name->mask);
    if (pl_read_text(w->root, path, w->text, sizeof(w->text), NULL, NULL) == 0 &&
        pl_parse_mask(w->text, w->set, PL_CPUS_MAX, &count) == 0 && w->set[n])
        return true;
    (void)PL_FMT(path, PL_CPU_DIR "/cpu%u/%s", n, name->list);
    return pl_read_text(w->root, path, w->text, sizeof(w->text), NULL, NULL) == 0 &&
           pl_parse_list(w->text, w->set, PL_CPUS_MAX, &count) == 0 && w->set[n];
}

/* True when CPU n is the lowest online one of its set. *ret_known = false when no name is there. */
static bool pl_cpu_leads(struct pl_cpu_work *w, uint32_t n, const struct pl_cpu_names *name,
                         size_t names, bool *ret_known)
{
    *ret_known = false;
    for (size_t i = 0; i < names && !*ret_known; i++)
        *ret_known = pl_cpu_shared(w, n, &name[i]);
    for (uint32_t i = 0; *ret_known && i < n; i++) {
        if (w->set[i] && w->online[i])
            return false;
    }
    return *ret_known;
}

void pl_cpu_cores(const struct pl_root *root, const bool *online, uint32_t *ret_packages,
                  uint32_t *ret_cores)
{
    static const struct pl_cpu_names core[] = {
        {"topology/thread_siblings", "topology/thread_siblings_list"},
        {"topology/core_cpus",       "topology/core_cpus_list"      },
    };
    static const struct pl_cpu_names package[] = {
        {"topology/core_siblings", "topology/core_siblings_list"},
        {"topology/package_cpus",  "topology/package_cpus_list" },
    };
    struct pl_cpu_work *w = calloc(1, sizeof(*w));
    uint32_t packages = 0, cores = 0;
    bool all_cores = w != NULL, all_packages = w != NULL;
    for (uint32_t n = 0; w != NULL && n < PL_CPUS_MAX; n++) {
        bool known = false;
        if (!online[n])
            continue;
        w->root = root;
        w->online = online;
        cores += pl_cpu_leads(w, n, core, 2, &known);
        all_cores = all_cores && known;
        packages += pl_cpu_leads(w, n, package, 2, &known);
        all_packages = all_packages && known;
    }
    free(w);
    *ret_cores = all_cores ? cores : 0;
    *ret_packages = all_packages ? packages : 0;
}

/* "48K", "32768K", "1M" to bytes. */
static bool pl_cache_size(const char *s, uint64_t *ret)
{
    uint64_t n = 0;
    if (!isdigit((unsigned char)*s))
        return false;
    for (; isdigit((unsigned char)*s); s++) {
        n = n * 10 + (uint64_t)(*s - '0');
        if (n > UINT32_MAX)
            return false;
    }
    uint64_t unit = *s == 'K' ? 1024 : *s == 'M' ? 1024 * 1024 : 1;
    s += *s != '\0' && unit > 1 ? 1 : 0;
    *ret = n * unit;
    return n > 0 && *s == '\0';
}

/* Reads level, type and size of cpuN/cache/indexI. */
static bool pl_cache_read(const struct pl_root *root, uint32_t n, uint32_t index,
                          struct pl_cache *ret)
{
    char path[128], text[32];
    uint64_t level = 0;
    (void)PL_FMT(path, PL_CPU_DIR "/cpu%u/cache/index%u/level", n, index);
    if (pl_read_u64(root, path, &level, NULL) < 0 || level == 0 || level > 9)
        return false;
    (void)PL_FMT(path, PL_CPU_DIR "/cpu%u/cache/index%u/type", n, index);
    if (pl_read_line(root, path, text, sizeof(text), NULL) < 0)
        return false;
    *ret = (struct pl_cache){.level = (uint32_t)level, .instances = 1};
    ret->type = pl_streq(text, "Data") ? 'd' : pl_streq(text, "Instruction") ? 'i' : 'u';
    (void)PL_FMT(path, PL_CPU_DIR "/cpu%u/cache/index%u/size", n, index);
    return pl_read_line(root, path, text, sizeof(text), NULL) == 0 &&
           pl_cache_size(text, &ret->bytes);
}

static bool pl_cache_same(const struct pl_cache *a, const struct pl_cache *b)
{
    return a->level == b->level && a->type == b->type && a->bytes == b->bytes;
}

uint32_t pl_cache_count(struct pl_cache *cache, uint32_t n, const struct pl_cache *one)
{
    for (uint32_t i = 0; i < n; i++) {
        if (pl_cache_same(&cache[i], one)) {
            cache[i].instances++;
            return n;
        }
    }
    if (n == PL_CACHES_MAX)
        return n;
    uint32_t at = n;
    for (; at > 0 && cache[at - 1].level > one->level; at--)
        cache[at] = cache[at - 1];
    cache[at] = *one;
    return n + 1;
}

uint32_t pl_cpu_caches(const struct pl_root *root, const bool *online,
                       struct pl_cache cache[PL_CACHES_MAX])
{
    struct pl_cpu_work *w = calloc(1, sizeof(*w));
    uint32_t kinds = 0;
    if (w == NULL)
        return 0;
    w->root = root;
    w->online = online;
    for (uint32_t n = 0; n < PL_CPUS_MAX; n++) {
        for (uint32_t index = 0; online[n] && index < PL_CACHE_INDEX_MAX; index++) {
            char list[64], mask[64];
            struct pl_cache one;
            bool known = false;
            (void)PL_FMT(list, "cache/index%u/shared_cpu_list", index);
            (void)PL_FMT(mask, "cache/index%u/shared_cpu_map", index);
            const struct pl_cpu_names cache_set = {mask, list};
            bool leads = pl_cpu_leads(w, n, &cache_set, 1, &known);
            if (!known)
                break;
            if (leads && pl_cache_read(root, n, index, &one))
                kinds = pl_cache_count(cache, kinds, &one);
        }
    }
    free(w);
    return kinds;
}
