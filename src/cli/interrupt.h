/* Ctrl-C, SIGTERM and SIGHUP become a flag that long-running verbs look at. */
#ifndef PL_CLI_INTERRUPT_H
#define PL_CLI_INTERRUPT_H

#include <signal.h>

/* Installs the handlers; the flag is 0 until a signal comes, then its number. A second Ctrl-C ends
 * the program at once (the engine dies with it, see server.h). */
const volatile sig_atomic_t *pl_interrupt_flag(void);

#endif
