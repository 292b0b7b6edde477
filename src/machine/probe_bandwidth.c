/* Bandwidth of "ram": measured when asked for, else what is remembered. */
#include "base/clock.h"
#include "base/str.h"
#include "machine/bandwidth.h"
#include "machine/probes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "LOW LIKELY HIGH" twice and one more number, exactly: a replay has the same. */
static bool pl_rates_read(char *text, struct pl_rate *one, struct pl_rate *all, int64_t *ret_last)
{
    double *const value[] = {&one->low, &one->likely, &one->high,
                             &all->low, &all->likely, &all->high};
    char *save = NULL;
    const char *word = strtok_r(text, " ", &save);
    for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++) {
        if (word == NULL || !pl_parse_double(word, value[i]))
            return false;
        word = strtok_r(NULL, " ", &save);
    }
    one->source = all->source = PL_SOURCE_MEASURED;
    return word != NULL && pl_parse_i64(word, ret_last) && one->low <= one->likely &&
           one->likely <= one->high && all->low <= all->likely && all->likely <= all->high;
}

/* Too little memory to be sure: the last number has a bit for each. */
static void pl_rate_small(struct pl_rate *r)
{
    r->source = PL_SOURCE_ASSUMED;
    r->why = pl_bandwidth_why[PL_BANDWIDTH_SMALL];
}

struct pl_bandwidth_ask {
    struct pl_machine *m;
    uint64_t available;
    struct pl_err why;
};

static int pl_ask_measured(const void *ctx, char *out, size_t size)
{
    struct pl_bandwidth_ask *ask = *(struct pl_bandwidth_ask *const *)ctx;
    struct pl_rate one, all;
    int rc = pl_bandwidth_measure(ask->m, ask->available, &one, &all, &ask->why);
    if (rc < 0)
        return rc;
    int small =
        (one.source == PL_SOURCE_ASSUMED ? 1 : 0) | (all.source == PL_SOURCE_ASSUMED ? 2 : 0);
    bool fits = pl_fmt(out, size, "%.17g %.17g %.17g %.17g %.17g %.17g %d", one.low, one.likely,
                       one.high, all.low, all.likely, all.high, small);
    return fits ? 0 : -E2BIG;
}

static void pl_bandwidth_now(const struct pl_probe_input *in, struct pl_machine *m,
                             struct pl_pool *ram)
{
    struct pl_bandwidth_ask ask = {.m = m}, *const handle = &ask;
    struct pl_rate one = {.why = pl_bandwidth_why[PL_BANDWIDTH_ONE]};
    struct pl_rate all = {.why = pl_bandwidth_why[PL_BANDWIDTH_ALL]};
    struct pl_quantity available = pl_machine_available(m, "ram");
    char text[256];
    int64_t small = 0;
    if (!pl_known(available)) {
        pl_machine_note(m, "bandwidth is unknown: no memory is known to be free for measuring it");
        return;
    }
    ask.available = available.likely;
    int rc = pl_live(in->root, "bandwidth.measured", pl_ask_measured, &handle, text, sizeof(text));
    if (rc == 0 && pl_rates_read(text, &one, &all, &small)) {
        if ((small & 1) != 0)
            pl_rate_small(&one);
        if ((small & 2) != 0)
            pl_rate_small(&all);
        ram->bandwidth_one = one;
        ram->bandwidth = all;
    } else if (rc == -ENODATA) {
        pl_machine_note(m, "bandwidth is unknown: it cannot be measured on a dump");
    } else {
        pl_machine_note(m, "%.150s", ask.why.what[0] != '\0' ? ask.why.what : strerror(-rc));
    }
}

static void pl_bandwidth_before(const struct pl_probe_input *in, struct pl_machine *m,
                                struct pl_pool *ram)
{
    /* the ledger's own texts end with its handle */
    struct pl_rate one = {.why = "measured on this machine before, kept in the ledger: one core"};
    struct pl_rate all = {.why = "measured on this machine before, kept in the ledger: all cores"};
    char text[PL_REMEMBERED_MAX], date[PL_TIME_TEXT_MAX];
    int64_t when = 0;
    if (pl_assess_remembered(in, m, text) < 0)
        return;
    if (pl_starts(text, "failed ")) {
        pl_machine_note(m, "remembered bandwidth cannot be read: %.110s", text + 7);
    } else if (pl_rates_read(text, &one, &all, &when)) {
        ram->bandwidth_one = one;
        ram->bandwidth = all;
        pl_machine_note(m, "bandwidth was measured %s; --bandwidth measures again",
                        pl_utc_text(when, date));
    }
}

static int pl_bandwidth_run(const struct pl_probe_input *in, struct pl_machine *m,
                            struct pl_err *err)
{
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    (void)err;
    if (ram == NULL)
        return 0;
    /* a capture that was taken with --bandwidth holds what was measured then */
    bool taken = in->root->replay != NULL &&
                 pl_tape_find(in->root->replay, PL_TAPE_LIVE, "bandwidth.measured") != NULL;
    if (in->options->bandwidth || taken)
        pl_bandwidth_now(in, m, ram);
    else
        pl_bandwidth_before(in, m, ram);
    return 0;
}

const struct pl_probe pl_probe_bandwidth = {
    .name = "bandwidth",
    .reads =
        "a timed read of memory larger than the caches, one core and all; or the last one in the "
        "ledger",
    .matters = "generating a token reads all active weights once: bandwidth is its speed limit",
    .run = pl_bandwidth_run,
};
