/* What the runs of the ledger say of the predictions: every amount and speed that was both
 * predicted and measured. Corrections are learned from it, and the program's own error is counted
 * in it.
 *
 * Only finished runs of llama.cpp that `try` made, with predictions of this version of the program:
 * other formulas have other errors. */
#ifndef PL_LEDGER_OBSERVE_H
#define PL_LEDGER_OBSERVE_H

#include "domain/calibrate.h"
#include "ledger/ledger.h"

/* What is corrected: a part, the steady total where no part is, or a speed. */
enum { PL_TARGET_STEADY = PL_PARTS, PL_TARGET_PREFILL, PL_TARGET_DECODE, PL_TARGETS };

/* "runtime", "steady", "decode" ... The inverse is PL_TARGETS for other words. */
const char *pl_target_name(int target);
int pl_target_of(const char *name);
static inline bool pl_target_is_speed(int target)
{
    return target == PL_TARGET_PREFILL || target == PL_TARGET_DECODE;
}

struct pl_observed_run {
    int64_t id;
    char version[64], backend[64], arch[48], machine[40], machine_text[64];
    char model[PL_RUN_TEXT_MAX], quant[32];
    char alike[PL_RUN_TEXT_MAX]; /* its flags but for those that no rate hangs on */
    bool speed;                  /* of real or random weights, not measured while others computed */
    bool learns;                 /* and somebody looked whether others did */
    bool memory;                 /* not left out by pl_corrections_reset */
    uint32_t first, n;           /* its rows */
};

struct pl_observed {
    uint32_t run; /* place in run[] */
    int target;
    bool on_device; /* in the memory of a device, not of the host */
    bool soft;      /* an interval or an assumption: exact figures are not corrected */
    double low, likely, high, measured;
    double spread; /* of the repeats of a speed, (most - least) / median; 0 = not known */
};

/* A correction that was imported. "" = any. */
struct pl_imported {
    char version[64], backend[64], arch[48], machine[40], origin[96];
    int target;
    bool on_device;
    double factor, spread;
    uint32_t n;
};

#define PL_OBSERVED_RUNS_MAX 1000 /* the newest */
#define PL_IMPORTED_MAX 512

struct pl_observations {
    struct pl_observed_run *run; /* newest first */
    uint32_t n_run;
    struct pl_observed *one; /* by run */
    uint32_t n, size;
    struct pl_imported *imported;
    uint32_t n_imported;
    int64_t after_run;        /* runs up to this one teach nothing */
    uint64_t other_programs;  /* finished runs that another version of the program predicted */
    uint64_t disturbed, zero; /* runs whose speed does not count: others computed; zero weights */
};

/* Reads the newest runs (at most limit, 0 = PL_OBSERVED_RUNS_MAX) of an engine version (NULL = any)
 * and what was imported. *ret is the caller's, to be freed with pl_observations_free (accepts NULL,
 * returns NULL). */
int pl_observe(struct pl_ledger *l, const char *engine_version, uint64_t limit,
               struct pl_observations **ret, struct pl_err *err);
struct pl_observations *pl_observations_free(struct pl_observations *o);

/* Flags without those of context, slots and prompt cache: two runs with the same text here are of
 * the same settings, as far as rates and rules of thumb go. */
void pl_settings_alike(const char *flags, char out[PL_RUN_TEXT_MAX]);

struct pl_correction_key {
    const char *version, *backend, *arch, *machine; /* machine: for speeds, and with a model */
    /* whose own runs come first; NULL: of the architecture alone, and nothing of few runs */
    const char *model, *quant, *alike;
    int target;
    bool on_device;
};

#define PL_LEARNED_TEXT_MAX 96

/* A correction and where it is from. */
struct pl_learned {
    struct pl_correction c;
    bool any_arch; /* of all architectures: this one has too few runs */
    bool own;      /* of the same model, settings and machine */
    bool imported;
    char from[PL_LEARNED_TEXT_MAX]; /* "runs 12, 9, 7", or the name of the imported file */
};

/* The correction for a key. Of the model's own runs, from the first on (pl_correct_few below
 * PL_CORRECTION_RUNS); else of its architecture when PL_CORRECTION_RUNS runs count, else of its
 * engine version and backend when PL_CORRECTION_ANY_RUNS of two architectures do, else as imported,
 * else a part of what one or two runs of its architecture were off by. The run `without` (0 = none)
 * is left out: no run predicts itself. -ENOMEM only. */
int pl_learn(const struct pl_observations *o, const struct pl_correction_key *key, int64_t without,
             struct pl_learned *ret);

/* Can it be corrected at all? Weights and cache are exact: what differs there is a mistake. */
bool pl_target_is_soft(int target);

/* Corrections of other machines and the reset, in the ledger (opened for writing). put replaces
 * what was there under the same key. reset forgets all that was imported, and learns from later
 * runs only; *ret_after: from runs after this one. */
int pl_corrections_put(struct pl_ledger *l, const struct pl_imported *rows, uint32_t n,
                       struct pl_err *err);
int pl_corrections_reset(struct pl_ledger *l, int64_t *ret_after, struct pl_err *err);
/* Reads both into o. */
int pl_corrections_get(struct pl_ledger *l, struct pl_observations *o, struct pl_err *err);

#endif
