/* make_ledger FILE [ROWS [FLAGS QUANT]]: with ROWS a ledger of the runs of that file, one a line:
 *
 *     VERSION BACKEND ARCH MODEL MACHINE STATUS DISTURBED RUNTIME RUNTIME DECODE DECODE FLAGS
 * SPREAD
 *
 * (amounts predicted, then measured: bytes and tokens a second; FLAGS without blanks, those of the
 * command line in their place when it has some; SPREAD a share.) Without: a ledger for the tests of
 * the command line: a full run, a refused one about which almost nothing is known, and one whose
 * texts are hostile to a terminal. */
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

/* One run with one part and one speed, the rest of it surely nothing. */
static void row_run(struct pl_run *run, uint64_t predicted, uint64_t measured, double decode,
                    double decoded)
{
    struct pl_pool_footprint *p = &run->predicted.pool[0];
    run->predicted.n_pool = 1;
    for (int i = 0; i < PL_PARTS; i++) {
        p->part[i] = pl_exact(0, PL_SOURCE_DERIVED, "none");
        run->measured[i] = pl_exact(0, PL_SOURCE_MEASURED, "none");
    }
    p->part[PL_PART_WEIGHTS] = pl_exact(4000000, PL_SOURCE_DERIVED, "tensors");
    run->measured[PL_PART_WEIGHTS] = pl_exact(4000000, PL_SOURCE_MEASURED, "pages");
    p->part[PL_PART_RUNTIME] =
        pl_between(predicted / 2, predicted, 2 * predicted, PL_SOURCE_ASSUMED, "a rule");
    run->measured[PL_PART_RUNTIME] = pl_exact(measured, PL_SOURCE_MEASURED, "the rest");
    p->steady = pl_plus(p->part[PL_PART_WEIGHTS], p->part[PL_PART_RUNTIME]);
    run->measured_total = pl_exact(4000000 + measured, PL_SOURCE_MEASURED, "all");
    run->predicted_decode = (struct pl_rate){0.8 * decode,      decode,         1.25 * decode,
                                             PL_SOURCE_ASSUMED, PL_STATE_PLAIN, "a rule"};
    run->timing.predicted_tokens_per_second = decoded;
    run->predicted_prefill = (struct pl_rate){.why = "not asked"};
}

static int fill_rows(struct pl_ledger *l, const char *path, const char *own_flags,
                     const char *quant, struct pl_err *err)
{
    static struct pl_run run;
    char status[32], model[64], machine[64], version[32], backend[32], arch[32], flags[64];
    unsigned long long predicted = 0, measured = 0;
    double decode = 0, decoded = 0, spread = 0;
    int disturbed = 0, rc = 0;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return pl_fail(err, -1, "%s cannot be read", path);
    while (rc == 0 && fscanf(f, "%31s %31s %31s %63s %63s %31s %d %llu %llu %lf %lf %63s %lf",
                             version, backend, arch, model, machine, status, &disturbed, &predicted,
                             &measured, &decode, &decoded, flags, &spread) == 13) {
        fixture_run(&run, 1);
        (void)PL_FMT(run.engine_version, "%s", version);
        (void)PL_FMT(run.backend, "%s", backend);
        (void)PL_FMT(run.arch, "%s", arch);
        (void)PL_FMT(run.model, "%s", model);
        (void)PL_FMT(run.machine_id, "%s", machine);
        (void)PL_FMT(run.machine_text, "machine %s", machine);
        (void)PL_FMT(run.flags, "%s", own_flags != NULL ? own_flags : flags);
        if (quant != NULL)
            (void)PL_FMT(run.quant, "%s", quant);
        run.status = pl_run_status_of(status);
        run.golden = pl_ends(flags, "golden");
        run.beside.disturbed = disturbed != 0;
        run.predicted_spread = spread;
        row_run(&run, predicted, measured, decode, decoded);
        rc = pl_ledger_add_run(l, &run, err);
    }
    (void)fclose(f);
    return rc;
}

int main(int argc, char **argv)
{
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    if (argc != 2 && argc != 3 && argc != 5)
        return 2;
    int status = pl_ledger_open(argv[1], PL_LEDGER_WRITE, &l, &err);
    if (status == 0)
        status = argc >= 3 ? fill_rows(l, argv[2], argc == 5 ? argv[3] : NULL,
                                       argc == 5 ? argv[4] : NULL, &err)
                           : fill(l, &err);
    (void)pl_ledger_close(l);
    if (status < 0)
        (void)fprintf(stderr, "make_ledger: %s\n", err.what);
    return status < 0;
}
