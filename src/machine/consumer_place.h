/* Which container or service a process runs in, from the text of /proc/PID/cgroup.
 *
 *   docker-<id>.scope, /docker/<id>          docker        libpod-<id>.scope     podman
 *   kubepods.../cri-containerd-<id>.scope    kubernetes    lxc.payload.NAME      lxc
 *   machine.slice/machine-NAME.scope         machine       job_N (Slurm)         job
 *   system.slice/NAME.service                service
 *
 * The innermost container wins, and a container wins over a service: a service inside a container
 * belongs to the container. The text is foreign: anybody may name a control group. */
#ifndef PL_MACHINE_CONSUMER_PLACE_H
#define PL_MACHINE_CONSUMER_PLACE_H

#include <stdbool.h>
#include <stddef.h>

enum pl_runtime {
    PL_RUNTIME_NONE = 0, /* a user's session, the kernel, or not told */
    PL_RUNTIME_DOCKER,
    PL_RUNTIME_PODMAN,
    PL_RUNTIME_KUBERNETES,
    PL_RUNTIME_CONTAINER, /* an id of a container whose manager the path does not name */
    PL_RUNTIME_LXC,
    PL_RUNTIME_MACHINE, /* systemd-machined: nspawn, libvirt */
    PL_RUNTIME_JOB,     /* of a batch system */
    PL_RUNTIME_SERVICE, /* a unit of systemd */
};

struct pl_place {
    enum pl_runtime runtime;
    char name[80]; /* of the first four the whole id, else the name, cleaned */
};

void pl_place_parse(const char *text, struct pl_place *ret);

/* "docker", "podman" ... ; "" for PL_RUNTIME_NONE. */
const char *pl_runtime_name(enum pl_runtime runtime);

/* True when the name is an id of hexadecimal digits that a name may be found for. */
bool pl_runtime_by_id(enum pl_runtime runtime);

#endif
