/* plimsoll _sample nvml: the child that asks a vendor's library, so that a library that hangs or
 * crashes takes nobody along. plimsoll _sample holdings: who holds memory of devices, again and
 * again. Started by the program itself, not by people: not in the help. */
#include "cli/sample.h"

#include "base/str.h"
#include "machine/holdings.h"
#include "machine/nvml.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

/* Answers go to the output as it was; what the library itself prints goes nowhere. */
static int pl_sample_out(void)
{
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
        return -1;
    (void)close(null);
    return out;
}

int pl_cli_sample(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    bool held = argc == 1 && pl_streq(argv[0], "holdings");
    if (argc != 1 || (!held && !pl_streq(argv[0], "nvml")))
        return PL_EXIT_USAGE;
    if (held) { /* asks libraries through a child of its own */
        (void)signal(SIGPIPE, SIG_DFL);
        pl_holdings_write(STDOUT_FILENO, PL_CLI_SELF);
        return PL_EXIT_ENVIRONMENT;
    }
    (void)setrlimit(RLIMIT_CORE, &none); /* a crash of the library is told, not kept */
    int out = pl_sample_out();
    int rc = out >= 0 ? pl_nvml_call(out) : -1;
    /* without the library's own farewell, which may hang too */
    _exit(rc == 0 ? PL_EXIT_YES : PL_EXIT_ENVIRONMENT);
}
