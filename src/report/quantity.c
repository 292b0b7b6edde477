#include "report/quantity.h"

#include "base/str.h"
#include "base/units.h"

#include <math.h>

/* Why it is unknown, or that it is old: written only where there is something to say. */
static void pl_json_state(struct pl_json *j, enum pl_state state)
{
    if (state != PL_STATE_PLAIN)
        pl_json_str(j, "state", pl_state_name(state));
}

void pl_json_quantity(struct pl_json *j, const char *key, struct pl_quantity q)
{
    pl_json_object(j, key);
    if (pl_known(q)) {
        pl_json_u64(j, "bytes", q.likely);
        pl_json_u64(j, "low", q.low);
        pl_json_u64(j, "high", q.high);
    } else {
        pl_json_null(j, "bytes");
        pl_json_null(j, "low");
        pl_json_null(j, "high");
    }
    pl_json_str(j, "source", pl_source_name(q.source));
    pl_json_state(j, q.state);
    pl_json_str(j, "why", q.why);
    pl_json_end(j);
}

void pl_json_bytes_rate(struct pl_json *j, const char *key, struct pl_rate r)
{
    struct pl_quantity q = PL_QUANTITY_UNKNOWN(r.why);
    if (r.source != PL_SOURCE_UNKNOWN)
        q = pl_between((uint64_t)llround(r.low), (uint64_t)llround(r.likely),
                       (uint64_t)llround(r.high), r.source, r.why);
    q.state = r.state;
    pl_json_quantity(j, key, q);
}

void pl_json_rate(struct pl_json *j, const char *key, struct pl_rate r)
{
    pl_json_object(j, key);
    if (r.source != PL_SOURCE_UNKNOWN) {
        pl_json_num(j, "value", r.likely);
        pl_json_num(j, "low", r.low);
        pl_json_num(j, "high", r.high);
    } else {
        pl_json_null(j, "value");
        pl_json_null(j, "low");
        pl_json_null(j, "high");
    }
    pl_json_str(j, "source", pl_source_name(r.source));
    pl_json_state(j, r.state);
    pl_json_str(j, "why", r.why);
    pl_json_end(j);
}

const char *pl_quantity_text(struct pl_quantity q, char out[PL_QUANTITY_TEXT_MAX])
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], c[PL_SIZE_TEXT_MAX];
    if (!pl_known(q))
        (void)pl_fmt(out, PL_QUANTITY_TEXT_MAX, "%s",
                     q.state != PL_STATE_PLAIN ? pl_state_name(q.state) : "unknown");
    else if (q.high - q.low <= q.likely / 100)
        (void)pl_fmt(out, PL_QUANTITY_TEXT_MAX, "%s", pl_size_text(q.likely, a));
    else
        (void)pl_fmt(out, PL_QUANTITY_TEXT_MAX, "%s (%s .. %s)", pl_size_text(q.likely, a),
                     pl_size_text(q.low, b), pl_size_text(q.high, c));
    return out;
}
