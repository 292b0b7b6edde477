#include "domain/plan.h"

const char *pl_term_name(enum pl_term_kind kind)
{
    static const char *const names[] = {
        "components_served", "tier_preference", "quality",     "settings_shortfall",
        "headroom",          "decode_speed",    "first_token", "file_order",
    };
    return names[kind];
}
