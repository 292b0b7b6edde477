#include "domain/consumer.h"

#include "base/str.h"

static const char *const pl_consumer_kinds[] = {"other", "desktop", "browser", "engine", "system"};

const char *pl_consumer_kind_name(enum pl_consumer_kind kind)
{
    return pl_consumer_kinds[kind];
}

bool pl_consumer_kind_of(const char *name, enum pl_consumer_kind *ret)
{
    for (unsigned i = 0; i < sizeof(pl_consumer_kinds) / sizeof(pl_consumer_kinds[0]); i++) {
        if (pl_streq(name, pl_consumer_kinds[i])) {
            *ret = (enum pl_consumer_kind)i;
            return true;
        }
    }
    return false;
}
