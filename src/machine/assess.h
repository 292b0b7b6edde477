/* Assessing a machine: every probe in turn fills its part of one struct pl_machine.
 *
 * Adding a probe: a file probe_NAME.c with a const struct pl_probe, a row in the table of assess.c,
 * a test of the same name. A probe that cannot read something leaves it unknown and adds a note; it
 * fails only when nothing at all can be said. */
#ifndef PL_MACHINE_ASSESS_H
#define PL_MACHINE_ASSESS_H

#include "base/err.h"
#include "domain/machine.h"
#include "sys/live.h"
#include "sys/root.h"
#include "sys/tape.h"

#include <stdbool.h>

#define PL_PROBES_MAX 32

struct pl_assess_options {
    const char *root;      /* NULL or "" = this system; else a dump's folder, or a capture */
    const char *model_dir; /* storage is looked at here; NULL = not at all */
    const char *sampler;   /* this program's path, to start itself for vendors' libraries (see
                            * machine/nvml.h); NULL = these are not asked */
    bool storage;          /* time a read of the medium below model_dir: half a second */
    /* URLs to connect to, n_endpoint of them; at most PL_ENDPOINTS_MAX */
    const char *const *endpoint;
    uint32_t n_endpoint;
    bool wake;      /* ask devices that are asleep too, which wakes them */
    bool bandwidth; /* measure memory bandwidth and arithmetic: about a second, this system only */
    /* When each probe began, milliseconds since 1970, in the order of the table; 0 = not known (a
     * dump does not say). Room for PL_PROBES_MAX, or NULL. */
    uint64_t *times;
    struct pl_tape *tape; /* everything read is recorded here; NULL = not */
    /* What was measured of this machine before (ctx is its id): six numbers, "LOW LIKELY HIGH" of
     * one core and of all, and when (seconds since 1970); or "failed WHY". NULL or -ENODATA:
     * nothing is remembered. May be followed by seven more, of machine/probe_compute.c. */
    pl_live_ask remembered;
    bool no_bandwidth;  /* leave bandwidth unknown, also where the device data declares it */
    const char *alloc;  /* try out the largest block of this pool ("ram", "locked", "gpu0", "cuda",
                         * or "all"); needs sampler; NULL = not */
    uint64_t alloc_cap; /* of no more than this; 0 = half of what is available */
    bool memory;        /* fill the memory tree too */
    bool brief; /* what a forecast needs: not who holds memory, nor the modules in their slots, nor
                   the processor's caches */
};

#define PL_REMEMBERED_MAX 512

/* What the ledger knows of this machine, asked once for all probes of one look. */
struct pl_remembered {
    bool asked;
    int rc;
    char text[PL_REMEMBERED_MAX];
};

struct pl_probe_input {
    const struct pl_root *root;
    const struct pl_assess_options *options;
    struct pl_remembered *remembered;
};

/* options->remembered for m, or what a capture holds of it: a text (options->remembered says of
 * what), -ENODATA where nobody knows. */
int pl_assess_remembered(const struct pl_probe_input *in, const struct pl_machine *m,
                         char out[PL_REMEMBERED_MAX]);

struct pl_probe {
    const char *name;    /* "memory" */
    const char *reads;   /* files and calls */
    const char *matters; /* why, in one sentence */
    bool beside;         /* no forecast needs it: left out of a brief look */
    int (*run)(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err);
};

/* In the order they run; NULL-ended. Later ones may use what earlier ones found. */
extern const struct pl_probe *const pl_probes[];

/* Runs every probe. -ENOENT with exit status 2 when the root is not there or holds neither
 * proc nor sys. The
 * quantities' texts are static. */
int pl_assess(const struct pl_assess_options *options, struct pl_machine *ret, struct pl_err *err);

#endif
