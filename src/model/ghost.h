/* Ghosts: a stand-in model file with the true keys and the true tensor table and no weights. An
 * engine loads it, holds the memory of the real model and computes at its speed. */
#ifndef PL_MODEL_GHOST_H
#define PL_MODEL_GHOST_H

#include "base/err.h"
#include "domain/model.h"

#include <stdbool.h>
#include <stdint.h>

enum pl_fill {
    PL_FILL_ZERO =
        0,          /* a hole: takes no disk. Right for memory; engines may compute zeros faster */
    PL_FILL_RANDOM, /* random weights: takes the real file's disk space. Right for speed */
};

#define PL_GHOST_SEED 1876u /* the year of the load line */

struct pl_ghost_options {
    enum pl_fill fill;
    uint64_t seed; /* of the random fill: the same seed, the same bytes */
    bool force;    /* overwrite a file that is no ghost */
    /* Called now and then with bytes done of total; may be NULL. Nonzero cancels. */
    int (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};

struct pl_ghost_written {
    uint64_t bytes;      /* length of the file */
    uint64_t disk_bytes; /* blocks it takes */
    uint64_t weight_bytes;
    uint64_t n_tensor;
    bool no_holes;            /* a zero fill took disk all the same: the file system has no holes */
    bool synthetic_tokenizer; /* the source had none that an engine could use */
};

/* Writes a ghost of m to path: one file, also for a split model. m is from a file (its keys are
 * copied as they are) or from the catalogue. Keys plimsoll.ghost, plimsoll.ghost_of and
 * plimsoll.ghost_fill are added; a missing tokenizer is made up. The file appears under its name
 * only when complete; on failure nothing is left. Errors: -EEXIST (path is no ghost and force is
 * off, or is the source itself), -ENOSPC, -ECANCELED, -ENOTSUP (byte order), or the system's. */
int pl_ghost_write(const struct pl_model *m, const char *path, const struct pl_ghost_options *o,
                   struct pl_ghost_written *ret, struct pl_err *err);

/* Removes what killed writers left unfinished in a folder of ghosts: files of the name that
 * pl_ghost_write gives to its unfinished ones, that nobody holds, not written to for a minute.
 * Returns how many. Best effort: what cannot be removed stays. */
unsigned pl_ghost_sweep(const char *dir);

#endif
