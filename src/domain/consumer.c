#include "domain/consumer.h"

const char *pl_consumer_kind_name(enum pl_consumer_kind kind)
{
    static const char *const names[] = {"other", "desktop", "browser", "engine", "system"};
    return names[kind];
}
