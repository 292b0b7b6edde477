#include "machine/assess.h"

#include "base/str.h"
#include "domain/tier.h"
#include "machine/device_data.h"
#include "machine/probes.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* clang-format off */
const struct pl_probe *const pl_probes[] = {
    &pl_probe_memory,
    &pl_probe_cgroup,
    &pl_probe_cpu,
    &pl_probe_identity,
    &pl_probe_numa, /* after the identity, which takes ram as the kernel says; before devices */
    &pl_probe_limits,
    &pl_probe_dimm,
    &pl_probe_around,
    &pl_probe_nvidia,
    &pl_probe_storage,
    &pl_probe_endpoints,
    &pl_probe_bandwidth,
    &pl_probe_compute,
    &pl_probe_alloc,
    &pl_probe_drm,
    &pl_probe_jetson,
    &pl_probe_consumers, /* last: what devices list is joined with processes */
    0,
};
/* clang-format on */

/* The nominal RAM, or the limit of the control group where that is lower: a limit is what it says.
 */
static void pl_assess_tier(struct pl_machine *m)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    const struct pl_pool *cap = pl_machine_pool_const(m, "cgroup");
    if (ram == NULL || !pl_known(ram->capacity))
        return;
    uint64_t n = pl_ram_nominal(ram->capacity.likely);
    if (cap != NULL && pl_known(cap->capacity) && cap->capacity.likely < ram->capacity.likely)
        n = cap->capacity.likely;
    (void)PL_FMT(m->tier, "%s", pl_tier_name(n));
}

/* A machine has at least one of the folders, however little may be in them. */
static int pl_assess_root(const struct pl_root *root, struct pl_err *err)
{
    static const char *const folder[] = {"proc", "sys", "cpuid"};
    int why = -ENOENT;
    for (size_t i = 0; i < sizeof(folder) / sizeof(folder[0]); i++) {
        DIR *dir = NULL;
        int rc = pl_root_open_dir(root, folder[i], &dir, NULL);
        if (rc == 0) {
            (void)closedir(dir);
            return 0;
        }
        why = rc != -ENOENT ? rc : why;
    }
    if (root->this_system) {
        (void)pl_fail(err, why, "neither /proc nor /sys can be read: %s", strerror(-why));
        return why == -ENOENT
                   ? pl_hint(err, "a chroot needs them mounted: mount -t proc proc /proc")
                   : why;
    }
    (void)pl_fail(err, -ENOENT, "%.160s: neither proc nor sys is there",
                  root->path[0] != '\0' ? root->path : "/");
    return pl_hint(err, "--root takes a folder that holds proc and sys of a machine");
}

static int pl_ask_now(const void *ctx, char *out, size_t size)
{
    struct timespec now;
    (void)ctx;
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return -errno;
    (void)pl_fmt(out, size, "%lld", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    return 0;
}

/* Of a capture, when it was taken. */
static void pl_assess_time(const struct pl_root *root, size_t i, uint64_t *times)
{
    char name[64];
    (void)PL_FMT(name, "probe.%s.time", pl_probes[i]->name);
    if (times == NULL || i >= PL_PROBES_MAX)
        return;
    if (pl_live_u64(root, name, pl_ask_now, NULL, &times[i]) < 0)
        times[i] = 0;
}

int pl_assess_remembered(const struct pl_probe_input *in, const struct pl_machine *m,
                         char out[PL_REMEMBERED_MAX])
{
    struct pl_remembered *r = in->remembered;
    if (in->root->replay == NULL && (in->options->remembered == NULL || m->id[0] == '\0'))
        return -ENODATA;
    if (!r->asked)
        r->rc = pl_live(in->root, "bandwidth.remembered", in->options->remembered, m->id, r->text,
                        sizeof(r->text));
    r->asked = true;
    if (r->rc >= 0)
        (void)pl_fmt(out, PL_REMEMBERED_MAX, "%s", r->text);
    return r->rc;
}

int pl_assess(const struct pl_assess_options *options, struct pl_machine *ret, struct pl_err *err)
{
    struct pl_root root;
    *ret = (struct pl_machine){0};
    int rc = pl_root_open(options->root, &root, err);
    if (rc < 0)
        return pl_exit_as(err, rc, PL_EXIT_USAGE);
    rc = pl_assess_root(&root, err);
    if (rc < 0) {
        bool here = root.this_system;
        pl_root_done(&root);
        return pl_exit_as(err, rc, here ? PL_EXIT_ENVIRONMENT : PL_EXIT_USAGE);
    }
    struct pl_remembered remembered = {.asked = false};
    struct pl_probe_input in = {&root, options, &remembered};
    ret->this_system = pl_root_is_this_system(&root);
    root.tape = ret->this_system ? options->tape : NULL;
    for (size_t i = 0; rc == 0 && pl_probes[i] != NULL; i++) {
        if (options->brief && pl_probes[i]->beside)
            continue;
        pl_assess_time(&root, i, options->times);
        rc = pl_probes[i]->run(&in, ret, err);
    }
    if (rc == 0)
        pl_device_data_apply(ret, !options->no_bandwidth);
    if (rc == 0)
        pl_assess_tier(ret);
    pl_root_done(&root);
    return rc;
}
