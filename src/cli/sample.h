/* The hidden verb that asks a vendor's library (machine/nvml.h). */
#ifndef PL_CLI_SAMPLE_H
#define PL_CLI_SAMPLE_H

/* How the program starts itself; Linux keeps it right when the file is replaced or removed. */
#define PL_CLI_SELF "/proc/self/exe"

/* argv: the words after "_sample". Does not return once it has asked. */
int pl_cli_sample(int argc, char **argv);

#endif
