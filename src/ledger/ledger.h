/* The ledger: every run with what was predicted beside what was measured, and facts measured about
 * machines. SQLite behind this header; nothing of SQLite shows.
 *
 * The default place is $PLIMSOLL_LEDGER, else $XDG_DATA_HOME/plimsoll/ledger.db, else
 * ~/.local/share/plimsoll/ledger.db; folders are made 0700, the file 0600.
 *
 * Unknown is stored as NULL and comes back as unknown, never as 0. Text of a run that is read
 * (every `why`) belongs to the ledger handle and lives until pl_ledger_close. */
#ifndef PL_LEDGER_LEDGER_H
#define PL_LEDGER_LEDGER_H

#include "base/err.h"
#include "domain/quantity.h"
#include "domain/run.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_ledger;

enum pl_ledger_mode {
    PL_LEDGER_READ = 0, /* nothing is added; a missing ledger is one without runs */
    PL_LEDGER_WRITE,    /* the file and its folders are made when missing */
};

/* Opens the ledger at path (NULL = the default place). Cheap: nothing is checked but the first
 * page. A file of an older version is brought up to date first, after a copy of it was written
 * beside it (NAME.backup-vN-DATE). Errors, the file left as it is: -EBADMSG not a ledger or
 * damaged, -ENOTSUP written by a newer Plimsoll, -EROFS or -EACCES no permission, -ENOSPC disk
 * full, -EBUSY held by another program for longer than PL_LEDGER_WAIT_MS. */
int pl_ledger_open(const char *path, enum pl_ledger_mode mode, struct pl_ledger **ret,
                   struct pl_err *err);
#define PL_LEDGER_WAIT_MS 10000

/* Accepts NULL, returns NULL. */
struct pl_ledger *pl_ledger_close(struct pl_ledger *l);

/* Where the ledger is, or would be; "" when no place is known. Borrowed. */
const char *pl_ledger_path(const struct pl_ledger *l);
/* False when the file does not exist yet (only PL_LEDGER_READ). */
bool pl_ledger_exists(const struct pl_ledger *l);

/* Stores the run whole or not at all, and fills run->id. It is on the disk when this returns. */
int pl_ledger_add_run(struct pl_ledger *l, struct pl_run *run, struct pl_err *err);

/* Which runs; a zeroed filter means all. Texts are compared whole, except model_part. */
struct pl_ledger_filter {
    int64_t id;                                                              /* 0 = any */
    const char *model, *quant, *arch, *engine, *engine_version, *machine_id; /* NULL = any */
    const char *model_part; /* occurs in the model's name, any ASCII case; NULL = any */
    bool ok_only;           /* finished runs only */
    uint64_t limit;         /* 0 = no limit */
};

/* Calls `each` for every run that matches, newest first. The run is borrowed for the call (its
 * texts live longer, see above). A non-zero answer of `each` ends the walk and is returned. `each`
 * must not ask this handle for other runs. */
int pl_ledger_runs(struct pl_ledger *l, const struct pl_ledger_filter *filter,
                   int (*each)(void *ctx, const struct pl_run *run), void *ctx, struct pl_err *err);

/* How near a remembered run is to the one asked about. */
enum pl_ledger_match {
    PL_MATCH_NONE = 0,
    PL_MATCH_ARCH,  /* same architecture only */
    PL_MATCH_MODEL, /* same model and quantisation, other flags */
    PL_MATCH_FLAGS, /* same model, quantisation and flags */
};

/* The newest finished run that is most like `like` (model, quant, arch, flags; engine and
 * machine_id must agree when `like` has them). *ret_match tells how near it is; PL_MATCH_NONE (0)
 * when there is none, and *ret is then untouched. */
int pl_ledger_last_run(struct pl_ledger *l, const struct pl_run *like, struct pl_run *ret,
                       enum pl_ledger_match *ret_match, struct pl_err *err);
/* "the same model, quantisation and flags" ...: for the sentence that cites the run. */
const char *pl_ledger_match_text(enum pl_ledger_match match);

/* The newest golden run of the same machine, engine, model, quantisation and flags, of whatever
 * version of the engine, other than like itself. *ret_found false, *ret untouched, when there is
 * none. */
int pl_ledger_golden(struct pl_ledger *l, const struct pl_run *like, struct pl_run *ret,
                     bool *ret_found, struct pl_err *err);

/* Memory bandwidth of a machine in bytes per second, with one core and with all. put replaces what
 * was there. get leaves unknown rates and *ret_when = 0 when nothing is stored. */
int pl_ledger_bandwidth_put(struct pl_ledger *l, const char *machine_id, struct pl_rate one,
                            struct pl_rate all, int64_t when_unix, struct pl_err *err);
int pl_ledger_bandwidth_get(struct pl_ledger *l, const char *machine_id, struct pl_rate *ret_one,
                            struct pl_rate *ret_all, int64_t *ret_when, struct pl_err *err);
/* The same for the arithmetic of its CPU, operations per second (machine/compute.h). */
int pl_ledger_compute_put(struct pl_ledger *l, const char *machine_id, struct pl_rate int8,
                          struct pl_rate fma, int64_t when_unix, struct pl_err *err);
int pl_ledger_compute_get(struct pl_ledger *l, const char *machine_id, struct pl_rate *ret_int8,
                          struct pl_rate *ret_fma, struct pl_err *err);

/* What a model (with its quantisation) is wanted to reach on a machine; `what` names the figure and
 * its unit. put replaces; get gives 0 for none. */
int pl_ledger_target_put(struct pl_ledger *l, const char *machine_id, const char *model,
                         const char *quant, const char *what, double value, int64_t when_unix,
                         struct pl_err *err);
int pl_ledger_target_get(struct pl_ledger *l, const char *machine_id, const char *model,
                         const char *quant, const char *what, double *ret, struct pl_err *err);

#endif
