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
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGHUP, &sa, NULL);
    return &pl_interrupted;
}
