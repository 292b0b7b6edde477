#include "cli/probe_alloc.h"

#include "base/err.h"
#include "base/str.h"
#include "machine/alloc_child.h"

int pl_cli_probe_alloc(int argc, char **argv)
{
    uint64_t cap = 0;
    if (argc != 2 || !pl_parse_u64(argv[1], &cap))
        return PL_EXIT_USAGE;
    return pl_alloc_child(argv[0], cap);
}
