#include "domain/option.h"

const char *pl_serve_name(enum pl_serve serve)
{
    static const char *const names[] = {"hot", "warm", "cloud", "off"};
    return names[serve];
}
