#include "cli/interrupt.h"

#include <string.h>

static volatile sig_atomic_t pl_interrupted;

static void pl_on_signal(int number)
{
    pl_interrupted = number;
}

const volatile sig_atomic_t *pl_interrupt_flag(void)
{
    struct sigaction sa;
    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = pl_on_signal;
    sa.sa_flags = (int)SA_RESETHAND;
    (void)sigemptyset(&sa.sa_mask);
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        struct sigaction had;
        /* what the parent ignores (nohup, a background job) stays ignored */
        if (sigaction(stops[i], NULL, &had) == 0 && had.sa_handler != SIG_IGN)
            (void)sigaction(stops[i], &sa, NULL);
    }
    return &pl_interrupted;
}
