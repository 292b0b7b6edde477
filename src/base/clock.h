/* Time. Every part that waits takes a struct pl_clock, so that tests can run it on a made-up one.
 */
#ifndef PL_BASE_CLOCK_H
#define PL_BASE_CLOCK_H

#include <stdint.h>

#define PL_MS_NS 1000000ull
#define PL_S_NS 1000000000ull

struct pl_clock {
    uint64_t (*now_ns)(void *ctx); /* monotonic */
    void (*sleep_ns)(void *ctx, uint64_t ns);
    void *ctx;
};

/* The machine's monotonic clock. */
const struct pl_clock *pl_clock_real(void);

static inline uint64_t pl_now_ns(const struct pl_clock *c)
{
    return c->now_ns(c->ctx);
}

static inline void pl_sleep_ns(const struct pl_clock *c, uint64_t ns)
{
    c->sleep_ns(c->ctx, ns);
}

/* A user's number of seconds; at most some 146 years, so that a clock's reading can be added. */
static inline uint64_t pl_seconds_ns(uint64_t seconds)
{
    return seconds < UINT64_MAX / 4 / PL_S_NS ? seconds * PL_S_NS : UINT64_MAX / 4;
}

/* UTC wall time as "2026-11-21T09:15:00Z" (20 characters and NUL). */
#define PL_TIME_TEXT_MAX 24
const char *pl_utc_text(int64_t unix_seconds, char out[PL_TIME_TEXT_MAX]);
int64_t pl_utc_now(void);

#endif
