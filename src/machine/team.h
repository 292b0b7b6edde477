/* The CPUs a measurement runs on: those this process may use, one thread on each. */
#ifndef PL_MACHINE_TEAM_H
#define PL_MACHINE_TEAM_H

#include "domain/machine.h"

#define PL_TEAM_MAX 1024u

/* CPUs of this process' affinity, at most max and at most the CPU quota. Returns how many. */
uint32_t pl_team_cpus(const struct pl_cpu *c, uint32_t *cpu, uint32_t max);

/* Keeps the calling thread on the CPU; where that is refused it is slower, not wrong. */
void pl_team_pin(uint32_t cpu);

#endif
