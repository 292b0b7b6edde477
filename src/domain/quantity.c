#include "domain/quantity.h"

#include "base/checked.h"
#include "base/str.h"

struct pl_quantity pl_exact(uint64_t bytes, enum pl_source source, const char *why)
{
    return (struct pl_quantity){bytes, bytes, bytes, source, PL_STATE_PLAIN, why};
}

struct pl_quantity pl_between(uint64_t low, uint64_t likely, uint64_t high, enum pl_source source,
                              const char *why)
{
    return (struct pl_quantity){low, likely, high, source, PL_STATE_PLAIN, why};
}

struct pl_quantity pl_plus(struct pl_quantity a, struct pl_quantity b)
{
    if (!pl_known(a) || !pl_known(b)) {
        struct pl_quantity cause = !pl_known(a) ? a : b;
        return PL_UNREAD(cause.state, cause.why);
    }
    return (struct pl_quantity){
        .low = pl_add_sat(a.low, b.low),
        .likely = pl_add_sat(a.likely, b.likely),
        .high = pl_add_sat(a.high, b.high),
        .source = a.source < b.source ? a.source : b.source,
        .why = a.why,
    };
}

static const char *const pl_source_names[] = {
    [PL_SOURCE_UNKNOWN] = "unknown",   [PL_SOURCE_ASSUMED] = "assumed",
    [PL_SOURCE_DECLARED] = "declared", [PL_SOURCE_DERIVED] = "derived",
    [PL_SOURCE_MEASURED] = "measured",
};

const char *pl_source_name(enum pl_source source)
{
    return pl_source_names[source];
}

enum pl_source pl_source_of(const char *name)
{
    for (int i = 0; i <= PL_SOURCE_MEASURED; i++) {
        if (pl_streq(name, pl_source_names[i]))
            return (enum pl_source)i;
    }
    return PL_SOURCE_UNKNOWN;
}

static const char *const pl_state_names[] = {"",      "unsupported", "no permission",
                                             "stale", "asleep",      "not asked"};

const char *pl_state_name(enum pl_state state)
{
    return pl_state_names[state];
}

enum pl_state pl_state_of(const char *name)
{
    for (int i = 0; i <= PL_STATE_NOT_ASKED; i++) {
        if (pl_streq(name, pl_state_names[i]))
            return (enum pl_state)i;
    }
    return PL_STATE_PLAIN;
}
