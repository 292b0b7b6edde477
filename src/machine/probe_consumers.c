/* Who holds memory now: every process, summed by program and container, with what the drivers say
 * it holds of the devices. */
#include "base/str.h"
#include "machine/consumer_fill.h"
#include "machine/memory_tree.h"
#include "machine/probes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The number of the first process namespace is fixed: PROC_PID_INIT_INO of the kernel. */
static const char pl_first_namespace[] = "pid:[4026531836]";

/* True when process numbers here are the ones a driver uses. */
static bool pl_consumers_trusted(const struct pl_root *root, const struct pl_machine *m)
{
    char text[64] = "";
    if (pl_root_read_link(root, "proc/self/ns/pid", text, sizeof(text), NULL) == 0)
        return pl_streq(text, pl_first_namespace);
    return !pl_starts(m->around, "container");
}

static void pl_consumers_notes(const struct pl_sweep *s, bool denied, bool trusted,
                               const bool lost[PL_HOLDINGS_MAX], struct pl_machine *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_holding; i++)
        n += lost[i] ? 1 : 0;
    if (s->cut)
        pl_machine_note(m, "only the first %d processes were looked at", PL_PROCESSES_MAX);
    if (s->refused > 0)
        pl_machine_note(m, "%u processes may not be read: what they hold is not listed",
                        s->refused);
    if (s->n > 0 && !s->first)
        pl_machine_note(m, "process 1 is not to be seen (hidepid, or a dump of a part): others "
                           "may be hidden too");
    if (denied)
        pl_machine_note(m, "containers are shown by id: their names need the rights of root");
    if (n > 0 && !trusted)
        pl_machine_note(m,
                        "%u device users are processes of the host, not seen in this container: "
                        "run on the host, or with --pid=host",
                        n);
    else if (n > 0)
        pl_machine_note(m,
                        "%u device users are not among the processes seen here: another "
                        "namespace, or gone",
                        n);
}

static int pl_consumers_read(const struct pl_probe_input *in, const struct pl_sweep *s,
                             struct pl_machine *m, struct pl_err *err)
{
    static const struct pl_meminfo none;
    struct pl_meminfo mi = none;
    struct pl_groups g = {0};
    bool lost[PL_HOLDINGS_MAX] = {false};
    bool trusted = pl_consumers_trusted(in->root, m);
    if (pl_meminfo_read(in->root, &mi, NULL) < 0)
        mi = none;
    int rc = pl_groups_make(s, &mi, &g, err);
    if (rc == 0) {
        bool denied = pl_groups_name(in->root, &g);
        pl_holdings_join(m, s, trusted, &g, lost);
        rc = pl_consumers_fill(s, &g, lost, m, err);
        pl_consumers_notes(s, denied, trusted, lost, m);
    }
    if (rc == 0 && in->options->memory)
        pl_memory_tree_make(&mi, &g, m->limits.arc, &m->memory);
    pl_groups_done(&g);
    return rc;
}

static int pl_consumers_run(const struct pl_probe_input *in, struct pl_machine *m,
                            struct pl_err *err)
{
    struct pl_sweep s;
    int rc = pl_sweep_make(in->root, &s, err);
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0)
        pl_machine_note(m, "who holds memory is unknown: /proc: %s", strerror(-rc));
    rc = pl_consumers_read(in, &s, m, err);
    pl_sweep_done(&s);
    return rc;
}

const struct pl_probe pl_probe_consumers = {
    .name = "consumers",
    .reads = "/proc/PID/status, /proc/PID/cgroup, /proc/PID/cmdline of interpreters, "
             "/proc/self/ns/pid, the lists of "
             "the devices' drivers, Docker's config.v2.json, Podman's containers.json, "
             "/var/log/containers",
    .matters = "what could be closed, and what each would give back",
    .beside = true,
    .run = pl_consumers_run,
};
