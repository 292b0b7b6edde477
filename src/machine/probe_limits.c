/* Limits that hold for a process started from here, beside those of its control group: locked
 * memory, and how much may be promised (overcommit). */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/arc.h"
#include "machine/hugepages.h"
#include "machine/probes.h"
#include "sys/meminfo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_CAP_IPC_LOCK 14 /* linux/capability.h */

/* Who holds CAP_IPC_LOCK in the first user namespace is not bound by RLIMIT_MEMLOCK (mlock(2)). */
static bool pl_limits_lock_freely(const struct pl_root *root)
{
    static const char key[] = "CapEff:";
    static const char *const all_users[] = {"0", "0", "4294967295"};
    char map[128], *save = NULL;
    struct pl_lines lines;
    bool may = false;
    if (pl_read_line(root, "proc/self/uid_map", map, sizeof(map), NULL) < 0)
        return false;
    char *word = strtok_r(map, " \t", &save);
    for (size_t i = 0; i < sizeof(all_users) / sizeof(all_users[0]); i++) {
        if (word == NULL || !pl_streq(word, all_users[i]))
            return false;
        word = strtok_r(NULL, " \t", &save);
    }
    if (pl_lines_open(root, "proc/self/status", &lines, NULL) < 0)
        return false;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (!pl_starts(line, key))
            continue;
        may = (strtoull(line + sizeof(key) - 1, NULL, 16) >> PL_CAP_IPC_LOCK & 1) != 0;
        break;
    }
    (void)pl_lines_close(&lines);
    return may;
}

/* "Max locked memory         8388608              8388608              bytes": what is allowed now
 * is the first number. */
static struct pl_quantity pl_limits_memlock(const struct pl_root *root)
{
    static const char key[] = "Max locked memory";
    struct pl_lines lines;
    struct pl_quantity q = PL_QUANTITY_UNKNOWN("/proc/self/limits does not say");
    if (pl_limits_lock_freely(root))
        return pl_exact(UINT64_MAX, PL_SOURCE_MEASURED, "CAP_IPC_LOCK: no limit");
    if (pl_lines_open(root, "proc/self/limits", &lines, NULL) < 0)
        return q;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        char *save = NULL;
        uint64_t n = 0;
        if (!pl_starts(line, key))
            continue;
        const char *word = strtok_r(line + sizeof(key) - 1, " \t", &save);
        if (word != NULL && pl_streq(word, "unlimited"))
            q = pl_exact(UINT64_MAX, PL_SOURCE_MEASURED, "RLIMIT_MEMLOCK: no limit");
        else if (word != NULL && pl_parse_u64(word, &n))
            q = pl_exact(n, PL_SOURCE_MEASURED, "RLIMIT_MEMLOCK of this process");
        break;
    }
    (void)pl_lines_close(&lines);
    return q;
}

static struct pl_quantity pl_limits_hugepages(const struct pl_root *root, struct pl_machine *m)
{
    struct pl_hugepages h;
    char a[PL_SIZE_TEXT_MAX];
    if (!pl_hugepages_read(root, "sys/kernel/mm/hugepages", &h))
        return PL_QUANTITY_UNKNOWN("/sys/kernel/mm/hugepages cannot be read");
    for (uint32_t i = 0; i < h.n_size; i++) {
        if (h.size[i].pages > 0)
            pl_machine_note(m, "%llu huge pages of %s are set aside, %llu of them free",
                            (unsigned long long)h.size[i].pages, pl_size_text(h.size[i].page, a),
                            (unsigned long long)h.size[i].free);
    }
    return pl_exact(h.free_bytes, PL_SOURCE_MEASURED, "free pages of every size, set aside");
}

/* Policy 2 (Documentation/mm/overcommit-accounting.rst): all memory ever promised to processes
 * stays below CommitLimit. Mapped files are not promised, so weights read through a mapping do not
 * count. */
static void pl_limits_commit(const struct pl_root *root, struct pl_machine *m)
{
    struct pl_meminfo mi;
    uint64_t policy = 0;
    char a[PL_SIZE_TEXT_MAX];
    if (pl_read_u64(root, "proc/sys/vm/overcommit_memory", &policy, NULL) < 0 || policy != 2 ||
        pl_meminfo_read(root, &mi, NULL) < 0)
        return;
    struct pl_pool *p = pl_machine_add_pool(m, "commit", PL_POOL_CAP);
    if (p == NULL)
        return;
    (void)PL_FMT(p->parent, "ram");
    p->capacity = pl_meminfo_quantity(&mi, PL_MEM_COMMIT_LIMIT);
    p->used = pl_meminfo_quantity(&mi, PL_MEM_COMMITTED);
    p->reserved = pl_exact(0, PL_SOURCE_DERIVED, "a limit sets nothing aside");
    p->reclaimable = pl_exact(0, PL_SOURCE_DERIVED, "a promise is not taken back");
    p->available = PL_QUANTITY_UNKNOWN("needs CommitLimit and Committed_AS");
    if (pl_known(p->capacity) && pl_known(p->used))
        p->available = pl_exact(pl_sub_floor(p->capacity.likely, p->used.likely), PL_SOURCE_DERIVED,
                                "CommitLimit - Committed_AS");
    p->largest_allocation = p->available;
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "that of ram"};
    if (pl_known(p->available))
        pl_machine_note(m,
                        "overcommit is off: %s more may be allocated, whatever is free; mapped "
                        "model files do not count",
                        pl_size_text(p->available.likely, a));
}

static int pl_limits_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    (void)err;
    m->limits.memlock = pl_limits_memlock(in->root);
    m->limits.hugepages = m->limits.arc = PL_QUANTITY_UNKNOWN("not looked at");
    if (!in->options->brief) { /* what they set aside is in the pool of the memory already */
        m->limits.hugepages = pl_limits_hugepages(in->root, m);
        m->limits.arc = pl_arc_read(in->root);
    }
    pl_limits_commit(in->root, m);
    return 0;
}

const struct pl_probe pl_probe_limits = {
    .name = "limits",
    .reads = "/proc/self/limits, status and uid_map, /sys/kernel/mm/hugepages, "
             "/proc/sys/vm/overcommit_memory, "
             "/proc/spl/kstat/zfs/arcstats",
    .matters = "--mlock and pinned buffers fail above the limit on locked memory; with overcommit "
               "off an allocation can fail while memory is free",
    .run = pl_limits_run,
};
