#include "cli/verb.h"

void pl_help_man(struct pl_str *out)
{
    pl_str_add(out, ".TH PLIMSOLL 1\n");
}
