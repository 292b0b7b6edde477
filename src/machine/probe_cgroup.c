/* The pool "cgroup": the limit of a container, a systemd unit or a batch job, inside "ram". */
#include "base/str.h"
#include "machine/probes.h"
#include "sys/cgroup.h"

#include <errno.h>
#include <string.h>

static int pl_cgroup_pool(const struct pl_cgroup_memory *c, struct pl_machine *m,
                          struct pl_err *err)
{
    struct pl_pool *p = pl_machine_add_pool(m, "cgroup", PL_POOL_CAP);
    if (p == NULL)
        return pl_fail(err, -E2BIG, "more than %d pools", PL_POOLS_MAX);
    (void)PL_FMT(p->parent, "ram");
    p->capacity = PL_QUANTITY_UNKNOWN("the limit of a control group cannot be read");
    if (c->limited && c->complete)
        p->capacity = pl_exact(c->limit, PL_SOURCE_MEASURED,
                               "least memory limit of the control group and those above it");
    p->reserved = pl_exact(0, PL_SOURCE_DERIVED, "a limit sets nothing aside");
    p->used = c->limited ? c->used : c->own_used;
    p->reclaimable = c->limited ? c->reclaimable : PL_QUANTITY_UNKNOWN("no limit was read");
    p->available = c->room;
    p->largest_allocation = PL_QUANTITY_UNKNOWN("no limit on host allocations is known");
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "that of ram"};
    if (c->limited)
        pl_machine_note(m, "memory is limited by the control group /%.110s", c->limit_dir);
    if (!c->complete)
        pl_machine_note(m, "a limit above /%.90s cannot be read: what is left is unknown",
                        c->place.dir);
    return 0;
}

static int pl_cgroup_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    static const char seen[] = "a memory limit set from outside would not be seen";
    struct pl_cgroup_memory c;
    int rc = pl_cgroup_memory(in->root, 0, &c, NULL);
    if (rc < 0) {
        pl_machine_note(m, "/proc/self/cgroup or mountinfo: %s; %s", strerror(-rc), seen);
        return 0;
    }
    if (c.place.version == PL_CGROUP_NONE)
        pl_machine_note(m, "no memory control group is mounted; %s", seen);
    else if (c.place.outside)
        pl_machine_note(m, "the control group lies outside of what is mounted here; %s", seen);
    if (pl_cgroup_cpu_quota(in->root, 0, &m->cpu.quota_cpus, NULL) < 0)
        m->cpu.quota_cpus = 0;
    if (c.place.version == PL_CGROUP_NONE || (!c.limited && c.complete))
        return 0;
    return pl_cgroup_pool(&c, m, err);
}

const struct pl_probe pl_probe_cgroup = {
    .name = "cgroup",
    .reads = "/proc/self/cgroup, /proc/self/mountinfo, memory.max (v1: memory.limit_in_bytes), "
             "memory.current, memory.stat, cpu.max of the group and all above",
    .matters = "a container is killed at its own limit, however much the machine has left",
    .run = pl_cgroup_run,
};
