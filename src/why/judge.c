/* What kind of failure the numbers speak of. A program says "out of memory" for a dozen reasons;
 * its figures tell them apart. */
#include "base/str.h"
#include "base/units.h"
#include "why/log_impl.h"
#include "why/size.h"

/* Below this a request fails only on a device that somebody else has filled. */
#define PL_TINY (64 * PL_MIB)
/* Vulkan drivers take single allocations up to maxMemoryAllocationSize, on most 2 or 4 GiB. */
#define PL_VULKAN_LOW (2 * PL_GIB)
#define PL_VULKAN_HIGH (4 * PL_GIB)

/* Pieces below a tenth of the device are what any caching allocator keeps. */
#define PL_PIECES 10

struct pl_sizes {
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX];
};

static void pl_call(struct pl_oom *o, enum pl_oom_class class, enum pl_oom_short is_short,
                    enum pl_oom_confidence confidence)
{
    o->class = class;
    o->is_short = is_short;
    o->confidence = confidence;
}

/* Sizes that contradict each other or stand above what is there; true when one decided. */
static bool pl_judge_contradiction(struct pl_oom *o)
{
    struct pl_quantity r = o->n[PL_OOM_REQUESTED], f = o->n[PL_OOM_FREE], t = o->n[PL_OOM_TOTAL];
    struct pl_quantity a = o->n[PL_OOM_ALLOCATED], res = o->n[PL_OOM_RESERVED];
    struct pl_sizes s;
    if (pl_known(t) && pl_known(f) && f.low > t.high) {
        pl_call(o, PL_OOM_ACCOUNTING, PL_OOM_SHORT_NO, PL_OOM_HIGH);
        (void)PL_FMT(o->why, "%s free of %s in all: the driver's own figures contradict each other",
                     pl_size_text(f.likely, s.a), pl_size_text(t.likely, s.b));
        return true;
    }
    if (pl_known(t) && ((pl_known(a) && a.low > t.high) || (pl_known(res) && res.low > t.high))) {
        pl_call(o, PL_OOM_OVERSUBSCRIBED, PL_OOM_SHORT_YES, PL_OOM_MEDIUM);
        (void)PL_FMT(
            o->why,
            "%s held on a device of %s: the driver had already moved the rest to host memory",
            pl_size_text(pl_known(res) && res.likely > a.likely ? res.likely : a.likely, s.a),
            pl_size_text(t.likely, s.b));
        return true;
    }
    if (pl_known(t) && pl_known(r) && r.low > t.high) {
        pl_call(o, PL_OOM_CAPACITY, PL_OOM_SHORT_YES, PL_OOM_HIGH);
        (void)PL_FMT(o->why, "one request of %s on a device of %s: it can never fit",
                     pl_size_text(r.likely, s.a), pl_size_text(t.likely, s.b));
        return true;
    }
    return false;
}

/* A limit of the process's own, or pieces it holds and cannot use; true when one decided. */
static bool pl_judge_own(struct pl_oom *o)
{
    struct pl_quantity r = o->n[PL_OOM_REQUESTED], f = o->n[PL_OOM_FREE];
    struct pl_quantity a = o->n[PL_OOM_ALLOCATED], u = o->n[PL_OOM_RESERVED_UNALLOCATED];
    struct pl_quantity allowed = o->n[PL_OOM_ALLOWED];
    struct pl_sizes s;
    uint64_t held = (pl_known(a) ? a.high : 0) + (pl_known(u) ? u.high : 0);
    if (pl_known(allowed) && pl_known(r) && held + r.high > allowed.low) {
        pl_call(o, PL_OOM_PROCESS_LIMIT, PL_OOM_SHORT_NO, PL_OOM_HIGH);
        (void)PL_FMT(o->why, "%s held of %s that this process is allowed, %s free on the device",
                     pl_size_text(held, s.a), pl_size_text(allowed.likely, s.b),
                     pl_known(f) ? pl_size_text(f.likely, s.c) : "an unknown part");
        return true;
    }
    if (pl_known(r) && pl_known(f) && f.low >= r.high) {
        pl_call(o, PL_OOM_NOT_CAPACITY, PL_OOM_SHORT_NO,
                f.low / 2 >= r.high ? PL_OOM_HIGH : PL_OOM_MEDIUM);
        (void)PL_FMT(o->why, "%s was refused with %s free: not a capacity problem",
                     pl_size_text(r.likely, s.a), pl_size_text(f.likely, s.b));
        return true;
    }
    uint64_t device = o->n[PL_OOM_TOTAL].likely; /* 0 when not said */
    if (pl_known(r) && pl_known(u) && u.low >= r.high && u.likely >= device / PL_PIECES) {
        pl_call(o, PL_OOM_FRAGMENTATION, PL_OOM_SHORT_NO, PL_OOM_MEDIUM);
        (void)PL_FMT(
            o->why,
            "%s held by the allocator and not in use, %s asked for: in pieces that do not serve",
            pl_size_text(u.likely, s.a), pl_size_text(r.likely, s.b));
        return true;
    }
    return false;
}

/* Memory that neither this process nor the free part accounts for. */
static uint64_t pl_hidden(const struct pl_oom *o)
{
    uint64_t t = o->n[PL_OOM_TOTAL].likely, sum = o->n[PL_OOM_FREE].likely;
    uint64_t own = pl_known(o->n[PL_OOM_PROCESS_IN_USE])
                       ? o->n[PL_OOM_PROCESS_IN_USE].likely
                       : o->n[PL_OOM_ALLOCATED].likely + o->n[PL_OOM_RESERVED_UNALLOCATED].likely;
    own = own < o->n[PL_OOM_RESERVED].likely ? o->n[PL_OOM_RESERVED].likely : own;
    sum += own + o->n[PL_OOM_OTHER].likely;
    return pl_known(o->n[PL_OOM_TOTAL]) && pl_known(o->n[PL_OOM_FREE]) && own > 0 && t > sum
               ? t - sum
               : 0;
}

static void pl_judge_short(struct pl_oom *o)
{
    struct pl_quantity r = o->n[PL_OOM_REQUESTED], f = o->n[PL_OOM_FREE], t = o->n[PL_OOM_TOTAL];
    struct pl_sizes s;
    uint64_t hidden = pl_hidden(o);
    if (hidden > t.likely / 4 && pl_streq(o->backend, "rocm")) {
        pl_call(o, PL_OOM_SHARED_LIMIT, PL_OOM_SHORT_NO, PL_OOM_MEDIUM);
        (void)PL_FMT(o->why,
                     "%s of %s is neither free nor held by this process: the driver hands out only "
                     "a part of a shared memory",
                     pl_size_text(hidden, s.a), pl_size_text(t.likely, s.b));
    } else if (pl_known(r) && pl_known(f)) {
        pl_call(o, PL_OOM_CAPACITY, PL_OOM_SHORT_YES, PL_OOM_HIGH);
        (void)PL_FMT(o->why, "%s asked for, %s free", pl_size_text(r.likely, s.a),
                     pl_size_text(f.likely, s.b));
        if (hidden > t.likely / 4)
            (void)PL_FMT(
                o->why,
                "%s asked for, %s free; %s is held by other programs or limited by the driver",
                pl_size_text(r.likely, s.a), pl_size_text(f.likely, s.b),
                pl_size_text(hidden, s.c));
    } else if (pl_known(r) && pl_streq(o->backend, "vulkan") && r.low >= PL_VULKAN_LOW &&
               r.high <= PL_VULKAN_HIGH) {
        pl_call(o, PL_OOM_ALLOCATION_LIMIT, PL_OOM_SHORT_NO, PL_OOM_MEDIUM);
        (void)PL_FMT(o->why,
                     "one allocation of %s: Vulkan drivers take no more than 2 to 4 GiB at once, "
                     "whatever is free",
                     pl_size_text(r.likely, s.a));
    } else if (pl_known(r) && r.high < PL_TINY) {
        pl_call(o, PL_OOM_CAPACITY, PL_OOM_SHORT_YES, PL_OOM_MEDIUM);
        (void)PL_FMT(
            o->why,
            "only %s was asked for: the memory was already full, of this program or another",
            pl_size_text(r.likely, s.a));
    } else {
        pl_call(o, PL_OOM_CAPACITY, PL_OOM_SHORT_YES, PL_OOM_MEDIUM);
        if (pl_known(r))
            (void)PL_FMT(o->why, "%s asked for in one piece; the log does not say what was free",
                         pl_size_text(r.likely, s.a));
        else
            o->confidence = PL_OOM_LOW;
    }
}

static void pl_judge_capacity(struct pl_oom *o)
{
    if (pl_streq(o->backend, "cpu") && pl_streq(o->platform, "windows") &&
        !pl_known(o->n[PL_OOM_FREE])) {
        /* Windows refuses for want of commit charge, not of RAM */
        pl_call(o, PL_OOM_ADDRESS_SPACE, PL_OOM_SHORT_NO, PL_OOM_MEDIUM);
        return;
    }
    if (!pl_judge_contradiction(o) && !pl_judge_own(o))
        pl_judge_short(o);
}

/* Classes that a rule names: is the memory short, and how sure is it? */
static void pl_judge_named(struct pl_oom *o)
{
    static const struct {
        enum pl_oom_short is_short;
        enum pl_oom_confidence confidence;
    } of[PL_OOM_CLASSES] = {
        [PL_OOM_ALLOCATION_LIMIT] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_PROCESS_LIMIT] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_SHARED_LIMIT] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_ACCOUNTING] = {PL_OOM_SHORT_NO,      PL_OOM_MEDIUM},
        [PL_OOM_ADDRESS_SPACE] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_LOCKED_LIMIT] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_PINNED] = {PL_OOM_SHORT_NO,      PL_OOM_MEDIUM},
        [PL_OOM_CONTIGUOUS] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_CGROUP] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_KERNEL] = {PL_OOM_SHORT_YES,     PL_OOM_HIGH  },
        [PL_OOM_USERSPACE_KILLER] = {PL_OOM_SHORT_UNKNOWN, PL_OOM_HIGH  },
        [PL_OOM_KILLED] = {PL_OOM_SHORT_UNKNOWN, PL_OOM_LOW   },
        [PL_OOM_KV_TOO_SMALL] = {PL_OOM_SHORT_YES,     PL_OOM_HIGH  },
        [PL_OOM_CLAIM] = {PL_OOM_SHORT_YES,     PL_OOM_HIGH  },
        [PL_OOM_ADMISSION] = {PL_OOM_SHORT_UNKNOWN, PL_OOM_MEDIUM},
        [PL_OOM_OFFLOAD] = {PL_OOM_SHORT_YES,     PL_OOM_MEDIUM},
        [PL_OOM_SIZING_BUG] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_CONTEXT] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_MISSING_FILE] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_BAD_FILE] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_PORT_TAKEN] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_DISK_FULL] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_DRIVER] = {PL_OOM_SHORT_NO,      PL_OOM_MEDIUM},
        [PL_OOM_USAGE] = {PL_OOM_SHORT_NO,      PL_OOM_HIGH  },
        [PL_OOM_CRASH] = {PL_OOM_SHORT_NO,      PL_OOM_MEDIUM},
    };
    o->is_short = of[o->class].is_short;
    o->confidence = of[o->class].confidence;
}

/* A victim that held little itself: the group's memory lies elsewhere. */
static void pl_judge_victim(struct pl_oom *o)
{
    struct pl_quantity anon = o->n[PL_OOM_ANON_RSS], vm = o->n[PL_OOM_TOTAL_VM];
    struct pl_sizes s;
    if (pl_known(anon) && pl_known(vm) && anon.likely < vm.likely / 20 && vm.likely > PL_GIB)
        (void)PL_FMT(o->why,
                     "the victim held only %s itself: what filled the limit is pinned memory, page "
                     "cache or other processes",
                     pl_size_text(anon.likely, s.a));
    else if (pl_known(anon))
        (void)PL_FMT(o->why, "it held %s", pl_size_text(anon.likely, s.a));
}

void pl_oom_judge(struct pl_oom *o, bool words_only)
{
    struct pl_quantity r = o->n[PL_OOM_REQUESTED];
    struct pl_sizes s;
    if (pl_known(r) && r.likely > PL_WHY_IMPOSSIBLE) {
        pl_call(o, PL_OOM_SIZING_BUG, PL_OOM_SHORT_NO, PL_OOM_HIGH);
        (void)PL_FMT(o->why,
                     "%llu bytes were asked for: no machine has them, the size itself is wrong",
                     (unsigned long long)r.likely);
        return;
    }
    if (o->class == PL_OOM_CAPACITY)
        pl_judge_capacity(o);
    else if (o->class == PL_OOM_PROCESS_LIMIT && pl_known(o->n[PL_OOM_ALLOWED]))
        (void)(pl_judge_own(o) || (pl_judge_named(o), true));
    else
        pl_judge_named(o);
    if (o->class == PL_OOM_ACCOUNTING && o->why[0] == '\0') {
        /* a breakdown whose parts nearly add up is no failure */
        o->fatal = pl_known(r) && o->n[PL_OOM_USED].likely > r.likely / 4;
        (void)PL_FMT(o->why,
                     "%s held by the program and %s free: the driver does not count what it gave",
                     pl_size_text(r.likely, s.a), pl_size_text(o->n[PL_OOM_FREE].likely, s.b));
    }
    if (o->class == PL_OOM_CGROUP || o->class == PL_OOM_KERNEL)
        pl_judge_victim(o);
    if (words_only && o->confidence > PL_OOM_MEDIUM)
        o->confidence = PL_OOM_MEDIUM;
}
