/* make_ledger FILE: a ledger for the tests of the command line: a full run, a refused one about
 * which almost nothing is known, and one whose texts are hostile to a terminal. */
#include "run_fixture.h"

#include "ledger/ledger.h"

#include <stdio.h>

static int fill(struct pl_ledger *l, struct pl_err *err)
{
    static struct pl_run run;
    fixture_run(&run, 1);
    int status = pl_ledger_add_run(l, &run, err);
    memset(&run, 0, sizeof(run));
    run.status = PL_RUN_REFUSED;
    if (status == 0)
        status = pl_ledger_add_run(l, &run, err);
    fixture_run(&run, 2);
    (void)PL_FMT(run.model, "evil\033[2Jname\xff");
    (void)PL_FMT(run.error, "line\nline");
    run.predicted.pool[0].peak = pl_between(1, 2, UINT64_MAX, PL_SOURCE_ASSUMED, "no limit");
    run.settings.type_k = 12345;
    return status == 0 ? pl_ledger_add_run(l, &run, err) : status;
}

int main(int argc, char **argv)
{
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    if (argc != 2)
        return 2;
    int status = pl_ledger_open(argv[1], PL_LEDGER_WRITE, &l, &err);
    if (status == 0)
        status = fill(l, &err);
    (void)pl_ledger_close(l);
    if (status < 0)
        (void)fprintf(stderr, "make_ledger: %s\n", err.what);
    return status < 0;
}
