/* The largest block a pool gives, when asked for: tried out in a child (machine/alloc_child.h),
 * which is killed when it takes too long; what it had been given by then stands. */
#include "base/checked.h"
#include "base/clock.h"
#include "base/units.h"
#include "machine/alloc_child.h"
#include "machine/jetson.h"
#include "machine/probes.h"
#include "sys/meminfo.h"
#include "sys/spawn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define PL_ALLOC_TIME_NS (60 * PL_S_NS) /* touching 64 GiB takes about 20 s */
#define PL_ALLOC_TEXT_MAX 65536

struct pl_alloc_result {
    uint64_t ok, refused, total, free;
    bool given, any_refused, has_device, integrated, done;
    uint64_t stop;
};

struct pl_alloc_ask {
    const char *program, *kind;
    uint64_t cap;
};

/* The child's words, and how it ended when it did not end by itself: "killed 9", "timeout 60". */
static int pl_ask_alloc(const void *ctx, char *out, size_t size)
{
    const struct pl_alloc_ask *ask = ctx;
    char cap[24], status_line[64] = "";
    struct pl_str text;
    struct pl_err err = {0};
    int status = 0;
    (void)PL_FMT(cap, "%llu", (unsigned long long)ask->cap);
    const char *const argv[] = {ask->program, "_probe-alloc", ask->kind, cap, NULL};
    static const char *const env[] = {"CUDA_DEVICE_ORDER=PCI_BUS_ID", NULL};
    if (ask->program == NULL)
        return -ENOTSUP;
    int rc = pl_spawn_capture(argv, env, PL_ALLOC_TIME_NS, PL_ALLOC_TEXT_MAX, &text, &status, &err);
    if (rc == -ETIMEDOUT)
        (void)PL_FMT(status_line, "timeout %d\n", (int)(PL_ALLOC_TIME_NS / PL_S_NS));
    else if (rc == 0 && WIFSIGNALED(status))
        (void)PL_FMT(status_line, "killed %d\n", WTERMSIG(status));
    if (rc == 0 || rc == -ETIMEDOUT)
        rc = pl_fmt(out, size, "%s%s", pl_str_get(&text), status_line) ? 0 : -E2BIG;
    pl_str_done(&text);
    return rc;
}

static void pl_alloc_line(char *line, struct pl_alloc_result *r)
{
    char *blank = strchr(line, ' ');
    uint64_t n = 0;
    if (blank == NULL || !pl_parse_u64(blank + 1, &n))
        return;
    *blank = '\0';
    if (pl_streq(line, "ok") && (!r->given || n > r->ok)) {
        r->ok = n;
        r->given = true;
    } else if (pl_streq(line, "refused") && (!r->any_refused || n < r->refused)) {
        r->refused = n;
        r->any_refused = true;
    } else if (pl_streq(line, "total") || pl_streq(line, "free")) {
        *(line[0] == 't' ? &r->total : &r->free) = n;
        r->has_device = true;
    } else if (pl_streq(line, "integrated")) {
        r->integrated = n != 0;
    } else if (pl_streq(line, "stop")) {
        r->stop = n;
    } else if (pl_streq(line, "done")) {
        r->done = true;
    }
}

static int pl_alloc_run(const struct pl_probe_input *in, const char *kind, uint64_t cap,
                        struct pl_alloc_result *r)
{
    const struct pl_alloc_ask ask = {in->options->sampler, kind, cap};
    char name[48], *text = malloc(PL_ALLOC_TEXT_MAX), *save = NULL;
    *r = (struct pl_alloc_result){0};
    if (text == NULL)
        return -ENOMEM;
    (void)PL_FMT(name, "alloc.%s", kind);
    int rc = pl_live(in->root, name, pl_ask_alloc, &ask, text, PL_ALLOC_TEXT_MAX);
    for (char *line = rc == 0 ? strtok_r(text, "\n", &save) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &save))
        pl_alloc_line(line, r);
    free(text);
    return rc;
}

/* Why it is no more; one clause. */
static const char *pl_alloc_why(const struct pl_alloc_result *r)
{
    if (!r->done)
        return "given before the probe was killed or hung: at least this";
    switch (r->stop) {
    case PL_ALLOC_STOP_CAP:
        return "a block of this size was given; the probe's cap, so at least this";
    case PL_ALLOC_STOP_RESERVE:
        return "given; a larger one would have left too little to others, so at least this";
    case PL_ALLOC_STOP_SWAP:
        return "given before memory began to be swapped out";
    default:
        return "the largest block that was given; larger ones were refused";
    }
}

static struct pl_quantity pl_alloc_quantity(const struct pl_alloc_result *r)
{
    if (r->given)
        return pl_exact(r->ok, PL_SOURCE_MEASURED, pl_alloc_why(r));
    if (r->stop == PL_ALLOC_STOP_LIBRARY)
        return PL_UNREAD(PL_STATE_UNSUPPORTED, "the CUDA driver library is not there");
    if (r->stop == PL_ALLOC_STOP_DEVICE)
        return PL_UNREAD(PL_STATE_UNSUPPORTED, "the CUDA driver has no such device, or it refuses");
    if (r->stop == PL_ALLOC_STOP_RESERVE)
        return PL_UNREAD(PL_STATE_PLAIN, "too little memory is free to try anything out");
    if (r->done && r->any_refused)
        return pl_exact(0, PL_SOURCE_MEASURED, "every block tried was refused");
    return PL_UNREAD(PL_STATE_PLAIN, "the probe was killed or hung before it was given anything");
}

/* Memory now, for the note: what the cache held decides what a driver can be given. */
static void pl_alloc_memory(const struct pl_root *root, const char *when, char *out, size_t size)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX];
    struct pl_meminfo mi;
    out[0] = '\0';
    /* while somebody records, a file has its first content: this must be read anew */
    struct pl_root here;
    if (!root->this_system || pl_root_open(NULL, &here, NULL) < 0)
        return;
    if (pl_meminfo_read(&here, &mi, NULL) == 0 && mi.known[PL_MEM_FREE] &&
        mi.known[PL_MEM_CACHED] && mi.known[PL_MEM_AVAILABLE])
        (void)pl_fmt(out, size, "%s: MemFree %s, Cached %s, MemAvailable %s", when,
                     pl_size_text(mi.value[PL_MEM_FREE], a),
                     pl_size_text(mi.value[PL_MEM_CACHED], b),
                     pl_size_text(mi.value[PL_MEM_AVAILABLE], c));
    pl_root_done(&here);
}

static int pl_ask_memory(const void *ctx, char *out, size_t size)
{
    const char *when = ctx;
    const struct pl_root here = {.this_system = true};
    pl_alloc_memory(&here, when, out, size);
    return out[0] != '\0' ? 0 : -ENODATA;
}

static void pl_alloc_note_memory(const struct pl_probe_input *in, struct pl_machine *m,
                                 const char *when)
{
    char name[32], text[PL_NOTE_TEXT_MAX];
    (void)PL_FMT(name, "alloc.memory.%s", when);
    if (pl_live(in->root, name, pl_ask_memory, when, text, sizeof(text)) == 0)
        pl_machine_note(m, "%s the probe of allocations: %.110s", when, text + strlen(when) + 2);
}

/* Capacity, fragmentation, or a limit: what the numbers of a device say together. */
static void pl_alloc_explain(const struct pl_root *root, struct pl_machine *m, const char *pool,
                             const struct pl_alloc_result *r)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX];
    uint64_t block = 0, blocks = 0;
    if (!r->has_device || !r->given)
        return;
    (void)pl_size_text(r->ok, a);
    (void)pl_size_text(r->free, b);
    bool short_of_free = r->stop == PL_ALLOC_STOP_REFUSED && r->ok < r->free - r->free / 10;
    if (!short_of_free)
        pl_machine_note(m, "%s: a block of %s was given of %s free: what is short is capacity",
                        pool, a, b);
    else if (r->integrated && pl_starts(m->release, "L4T"))
        pl_machine_note(m,
                        "%s: no block above %s though %s are free (%s): NvMap refuses; a restart "
                        "cleared it for others",
                        pool, a, b, m->release);
    else
        pl_machine_note(m, "%s: no block above %s though %s are free: fragmentation, not capacity",
                        pool, a, b);
    if (r->integrated && pl_buddyinfo_largest(root, &block, &blocks) == 0)
        pl_machine_note(m, "%s: the kernel's largest free run is %s, %llu of them (buddyinfo)",
                        pool, pl_size_text(block, c), (unsigned long long)blocks);
}

static uint64_t pl_alloc_cap(const struct pl_probe_input *in, const struct pl_machine *m)
{
    struct pl_quantity q = pl_machine_available(m, "ram");
    uint64_t most = pl_known(q) ? pl_sub_floor(q.likely, PL_ALLOC_KEEP) : 0;
    uint64_t cap = in->options->alloc_cap > 0 ? in->options->alloc_cap : q.likely / 2;
    return cap < most ? cap : most;
}

static void pl_alloc_failed(struct pl_machine *m, const char *pool, int rc)
{
    if (rc == -ENODATA)
        pl_machine_note(m, "the largest block of %s is unknown: it cannot be tried out on a dump",
                        pool);
    else
        pl_machine_note(m, "the largest block of %s is unknown: %s", pool, strerror(-rc));
}

static void pl_alloc_host(const struct pl_probe_input *in, struct pl_machine *m, bool locked)
{
    char a[PL_SIZE_TEXT_MAX];
    struct pl_alloc_result r;
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    if (ram == NULL)
        return;
    uint64_t cap = pl_alloc_cap(in, m);
    if (in->root->this_system && cap < PL_ALLOC_GRAIN) {
        ram->largest_allocation =
            PL_QUANTITY_UNKNOWN("too little memory is free to try anything out");
        return;
    }
    int rc = pl_alloc_run(in, locked ? "locked" : "host", cap, &r);
    if (rc < 0) {
        pl_alloc_failed(m, locked ? "locked memory" : "ram", rc);
        return;
    }
    if (!locked) {
        ram->largest_allocation = pl_alloc_quantity(&r);
        return;
    }
    (void)pl_size_text(r.ok, a);
    if (r.stop == PL_ALLOC_STOP_REFUSED)
        pl_machine_note(
            m,
            "locked memory: %s could be locked, then the kernel refused: --mlock holds no "
            "more",
            a);
    else
        pl_machine_note(m, "locked memory: at least %s can be locked", a);
}

/* ordinal: the device's number for the CUDA driver, in the order of bus addresses. */
static void pl_alloc_device(const struct pl_probe_input *in, struct pl_machine *m,
                            struct pl_device *d, unsigned ordinal)
{
    char kind[24];
    struct pl_alloc_result r;
    uint64_t cap = in->options->alloc_cap > 0 ? in->options->alloc_cap : UINT64_MAX / 2;
    const char *name = d != NULL ? d->id : "cuda";
    (void)PL_FMT(kind, "cuda:%u", ordinal);
    int rc = pl_alloc_run(in, kind, cap, &r);
    if (rc < 0) {
        pl_alloc_failed(m, name, rc);
        return;
    }
    struct pl_quantity q = pl_alloc_quantity(&r);
    struct pl_pool *pool = d != NULL ? pl_machine_pool(m, d->pool) : NULL;
    if (d != NULL && r.has_device)
        d->visible = pl_exact(r.total, PL_SOURCE_MEASURED, "cuMemGetInfo in a child");
    if (pool != NULL)
        pool->largest_allocation = q;
    if (d == NULL || !pl_known(q)) {
        char a[PL_SIZE_TEXT_MAX];
        pl_machine_note(m, "%s: the largest block is %s: %.90s", name,
                        pl_known(q) ? pl_size_text(q.likely, a) : "unknown", q.why);
    }
    pl_alloc_explain(in->root, m, name, &r);
}

/* True when any device was asked. */
static bool pl_alloc_devices(const struct pl_probe_input *in, struct pl_machine *m,
                             const char *want)
{
    unsigned ordinal = 0;
    bool any = false;
    for (uint32_t i = 0; i < m->n_device; i++) {
        struct pl_device *d = &m->device[i];
        if (d->vendor != PL_VENDOR_NVIDIA || d->kind == PL_DEVICE_SLICE)
            continue;
        if (pl_streq(want, "all") || pl_streq(want, d->id) || pl_streq(want, d->pool)) {
            any = true;
            if (d->power == PL_POWER_ASLEEP && !in->options->wake)
                pl_machine_note(m, "%s is asleep: its largest block was not tried (--wake)", d->id);
            else
                pl_alloc_device(in, m, d, ordinal);
        }
        ordinal++;
    }
    return any;
}

static int pl_alloc_probe_run(const struct pl_probe_input *in, struct pl_machine *m,
                              struct pl_err *err)
{
    const char *want = in->options->alloc;
    char asked[PL_POOL_NAME_MAX];
    if (in->root->replay != NULL &&
        pl_live(in->root, "alloc.asked", NULL, NULL, asked, sizeof(asked)) == 0)
        want = asked;
    if (want == NULL)
        return 0;
    if (in->root->tape != NULL)
        pl_tape_put(in->root->tape, PL_TAPE_LIVE, "alloc.asked", 0, want, strlen(want));
    bool all = pl_streq(want, "all");
    pl_alloc_note_memory(in, m, "before");
    bool any = pl_alloc_devices(in, m, want);
    if (pl_streq(want, "cuda")) {
        pl_alloc_device(in, m, NULL, 0);
        any = true;
    }
    if (all || pl_streq(want, "ram"))
        pl_alloc_host(in, m, false);
    if (all || pl_streq(want, "locked") || pl_streq(want, "ram"))
        pl_alloc_host(in, m, true);
    else if (!any) {
        (void)pl_fail(err, -EINVAL, "no pool '%.40s' whose largest block can be tried out", want);
        (void)pl_hint(err, "ram, locked, all, or a device of NVIDIA such as gpu0");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    pl_alloc_note_memory(in, m, "after");
    return 0;
}

const struct pl_probe pl_probe_alloc = {
    .name = "alloc",
    .reads = "blocks tried in a child: mmap and mlock, cuMemAlloc of libcuda.so.1; /proc/buddyinfo",
    .matters = "an engine takes its weights in one block: enough in total can still be refused",
    .run = pl_alloc_probe_run,
};
