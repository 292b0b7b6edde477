/* The hidden verb that tries out allocations (machine/alloc_child.h). */
#ifndef PL_CLI_PROBE_ALLOC_H
#define PL_CLI_PROBE_ALLOC_H

/* argv: KIND and CAP, the words after "_probe-alloc". Returns the exit status. */
int pl_cli_probe_alloc(int argc, char **argv);

#endif
