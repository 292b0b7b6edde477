/* A quantity: bytes with an interval and a source. Unknown is not 0. */
#ifndef PL_DOMAIN_QUANTITY_H
#define PL_DOMAIN_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

enum pl_source {
    PL_SOURCE_UNKNOWN = 0,
    PL_SOURCE_ASSUMED,  /* a rule without proof on this machine */
    PL_SOURCE_DECLARED, /* somebody said so: a data sheet, a file, the user */
    PL_SOURCE_DERIVED,  /* computed from declared or measured facts by a proven formula */
    PL_SOURCE_MEASURED, /* read from the machine or the engine */
};

/* Why a reading is unknown, when that is known. */
enum pl_state {
    PL_STATE_PLAIN = 0,     /* a value; or unknown for the reason in `why` */
    PL_STATE_UNSUPPORTED,   /* this hardware, driver or kernel does not say */
    PL_STATE_NO_PERMISSION, /* it says so to others: root, a group, a capability */
    PL_STATE_STALE,         /* the value is there, and older than it should be */
    PL_STATE_ASLEEP,        /* asking would wake the device: not asked */
    PL_STATE_NOT_ASKED,     /* needs an option of its own, or a live system */
};

struct pl_quantity {
    uint64_t low, likely, high; /* bytes; low <= likely <= high unless unknown */
    enum pl_source source;
    enum pl_state state;
    const char
        *why; /* one clause: how it was found; static or owned by the result's arena; may be NULL */
};

/* A rate: the same, for values that are not bytes (tokens per second, bytes per second). */
struct pl_rate {
    double low, likely, high;
    enum pl_source source;
    enum pl_state state;
    const char *why;
};

#define PL_QUANTITY_UNKNOWN(because) ((struct pl_quantity){.why = (because)})

/* Unknown, with the state of the reading: PL_UNREAD(PL_STATE_NO_PERMISSION, "needs root"). */
#define PL_UNREAD(because_state, because)                                                          \
    ((struct pl_quantity){.state = (because_state), .why = (because)})

struct pl_quantity pl_exact(uint64_t bytes, enum pl_source source, const char *why);
struct pl_quantity pl_between(uint64_t low, uint64_t likely, uint64_t high, enum pl_source source,
                              const char *why);

static inline bool pl_known(struct pl_quantity q)
{
    return q.source != PL_SOURCE_UNKNOWN;
}

/* Sum: the interval adds end to end; the source is the weaker of the two; unknown + anything is
 * unknown. Saturates. The result's why is a's. */
struct pl_quantity pl_plus(struct pl_quantity a, struct pl_quantity b);

/* "measured", "derived", ... as written in JSON and tables. */
const char *pl_source_name(enum pl_source source);
/* "unsupported", "no permission", "stale", "asleep", "not asked"; "" when plain. */
const char *pl_state_name(enum pl_state state);
/* Its inverse; PL_STATE_PLAIN for other words. */
enum pl_state pl_state_of(const char *name);
/* The inverse of pl_source_name; PL_SOURCE_UNKNOWN for other words. */
enum pl_source pl_source_of(const char *name);

#endif
