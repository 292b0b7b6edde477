/* Arithmetic rates of the CPU: measured when bandwidth is, else what is remembered with it. */
#include "base/str.h"
#include "machine/compute.h"
#include "machine/probes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PL_COMPUTE_SKIP                                                                            \
    7 /* what stands before them where both are remembered: bandwidth, a date                      \
       */

/* "LOW LIKELY HIGH" of 8-bit integers and of floats, and the kind of instructions, exactly: a
 * replay has the same. */
static bool pl_compute_read(char *text, int skip, struct pl_cpu *c)
{
    struct pl_rate a = {.source = PL_SOURCE_MEASURED}, b = a;
    double *const value[] = {&a.low, &a.likely, &a.high, &b.low, &b.likely, &b.high};
    uint64_t kind = 0;
    char *save = NULL;
    const char *word = strtok_r(text, " ", &save);
    for (int i = 0; word != NULL && i < skip; i++)
        word = strtok_r(NULL, " ", &save);
    for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
        if (word == NULL || !pl_parse_double(word, value[i]))
            return false;
        word = strtok_r(NULL, " ", &save);
    }
    if (word == NULL || !pl_parse_u64(word, &kind) || !(a.low > 0 && a.low <= a.likely) ||
        a.likely > a.high || !(b.low > 0 && b.low <= b.likely) || b.likely > b.high)
        return false;
    a.why = pl_compute_why(false, (uint32_t)kind);
    b.why = pl_compute_why(true, (uint32_t)kind);
    c->int8 = a;
    c->fma = b;
    return true;
}

static int pl_compute_ask(const void *ctx, char *out, size_t size)
{
    const struct pl_machine *m = ctx;
    struct pl_rate a, b;
    int rc = pl_compute_measure(m, &a, &b, NULL);
    if (rc < 0)
        return rc;
    uint32_t kind = 0;
    while (kind + 1 < PL_COMPUTE_KINDS && pl_compute_why(false, kind) != a.why)
        kind++;
    bool fits = pl_fmt(out, size, "%.17g %.17g %.17g %.17g %.17g %.17g %u", a.low, a.likely, a.high,
                       b.low, b.likely, b.high, kind);
    return fits ? 0 : -E2BIG;
}

static int pl_compute_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    char text[PL_REMEMBERED_MAX];
    const char *unknown = "not measured: plimsoll assess --bandwidth";
    (void)err;
    m->cpu.int8 = m->cpu.fma = (struct pl_rate){.state = PL_STATE_NOT_ASKED, .why = unknown};
    bool taken = in->root->replay != NULL &&
                 pl_tape_find(in->root->replay, PL_TAPE_LIVE, "compute.measured") != NULL;
    if (in->options->bandwidth || taken) {
        int rc = pl_live(in->root, "compute.measured", pl_compute_ask, m, text, sizeof(text));
        if (rc < 0 && rc != -ENODATA)
            pl_machine_note(m, "cannot measure arithmetic: %s", strerror(-rc));
        if (rc == 0)
            (void)pl_compute_read(text, 0, &m->cpu);
    } else if (pl_assess_remembered(in, m, text) == 0) {
        (void)pl_compute_read(text, PL_COMPUTE_SKIP, &m->cpu);
    }
    return 0;
}

const struct pl_probe pl_probe_compute = {
    .name = "compute",
    .reads =
        "timed dot products of 8-bit integers and of 16-bit floats, all cores; or the last ones "
        "in the ledger",
    .matters = "reading a prompt multiplies every weight by many tokens: arithmetic is its limit",
    .run = pl_compute_run,
};
