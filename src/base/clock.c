#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

static uint64_t pl_real_now(void *ctx)
{
    (void)ctx;
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * PL_S_NS + (uint64_t)ts.tv_nsec;
}

static void pl_real_sleep(void *ctx, uint64_t ns)
{
    (void)ctx;
    struct timespec ts = {.tv_sec = (time_t)(ns / PL_S_NS), .tv_nsec = (long)(ns % PL_S_NS)};
    /* A signal ends the wait early: the caller's loop looks at its flags and its clock again. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

const struct pl_clock *pl_clock_real(void)
{
    static const struct pl_clock real = {.now_ns = pl_real_now, .sleep_ns = pl_real_sleep};
    return &real;
}

const char *pl_utc_text(int64_t unix_seconds, char out[PL_TIME_TEXT_MAX])
{
    time_t t = (time_t)unix_seconds;
    struct tm tm = {0};
    if (gmtime_r(&t, &tm) == NULL ||
        strftime(out, PL_TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(out, PL_TIME_TEXT_MAX, "unknown");
    return out;
}

int64_t pl_utc_now(void)
{
    return (int64_t)time(NULL);
}
