/* The probes, for the table. */
#ifndef PL_MACHINE_PROBES_H
#define PL_MACHINE_PROBES_H

#include "machine/assess.h"

extern const struct pl_probe pl_probe_identity;
extern const struct pl_probe pl_probe_memory;
extern const struct pl_probe pl_probe_cgroup;
extern const struct pl_probe pl_probe_cpu;
extern const struct pl_probe pl_probe_numa;
extern const struct pl_probe pl_probe_limits;
extern const struct pl_probe pl_probe_dimm;
extern const struct pl_probe pl_probe_around;
extern const struct pl_probe pl_probe_nvidia;
extern const struct pl_probe pl_probe_endpoints;
extern const struct pl_probe pl_probe_storage;
extern const struct pl_probe pl_probe_bandwidth;
extern const struct pl_probe pl_probe_compute;
extern const struct pl_probe pl_probe_alloc;
extern const struct pl_probe pl_probe_drm;
extern const struct pl_probe pl_probe_jetson;
extern const struct pl_probe pl_probe_consumers;

#endif
