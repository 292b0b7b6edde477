/* plimsoll run: what is known of one command while it is admitted, run and explained. */
#ifndef PL_CLI_RUN_H
#define PL_CLI_RUN_H

#include "base/mask.h"
#include "base/redact_words.h"
#include "cli/verb.h"
#include "domain/forecast.h"
#include "domain/oom.h"
#include "domain/relief.h"
#include "engine/command.h"
#include "engine/llamacpp/log.h"
#include "ledger/ledger.h"
#include "measure/elsewhere.h"
#include "measure/held.h"
#include "measure/wrapped.h"
#include "model/open.h"
#include "sys/group.h"
#include "why/log.h"

#define PL_RUN_RUNGS_MAX 8
#define PL_RUN_COMMAND_MAX 4096 /* of a command line as shown */
#define PL_RUN_CEILINGS_MAX 4
#define PL_RUN_LOADED_MIN (256ull << 20) /* of a server: a model is loaded already */

struct pl_ceiling {
    char pool[PL_POOL_NAME_MAX];
    uint64_t bytes;
};

struct pl_running {
    struct pl_cli *cli;
    int argc;
    char **argv; /* of the command */
    struct pl_command command;
    struct pl_ceiling ceiling[PL_RUN_CEILINGS_MAX];
    uint32_t n_ceiling;
    /* what was known beforehand */
    struct pl_machine machine; /* valid when machine_read */
    bool machine_read;
    struct pl_model *model;
    struct pl_forecast forecast;
    bool has_forecast;
    struct pl_run before; /* the same command, the last time */
    bool has_before;
    struct pl_ledger *ledger;
    char signature[PL_RUN_TEXT_MAX];
    struct pl_quantity predicted;   /* peak of host memory */
    char unjudged[PL_RUN_TEXT_MAX]; /* why an engine that is known could not be; "" = it was, or
                                       none */
    struct pl_reliefs reliefs;
    struct pl_mask mask; /* what is secret in its words and in the environment */
    /* what happened */
    struct pl_root root;
    struct pl_held held; /* by the devices' drivers */
    bool held_asked;
    struct pl_elsewhere elsewhere;    /* where its memory is, when it is not in its own processes */
    struct pl_log own;                /* what an engine of llama.cpp said of its buffers */
    bool software_gpu;                /* its device is this machine's processor and memory */
    char over_pool[PL_POOL_NAME_MAX]; /* whose ceiling it was stopped for; "" = none */
    uint64_t over_bytes;              /* what it held of that pool then */
    struct pl_group group;
    struct pl_group_events events;
    uint64_t kills_before; /* oom_kill of the kernel; valid when kills_known */
    bool kills_known;
    struct pl_wrapped wrapped;
    struct pl_whylog *log;
    struct pl_oom oom; /* valid when has_oom */
    bool has_oom;
    uint32_t rung; /* 0 = as asked for */
    bool cpu_fallback;
    char rung_text[PL_RUN_COMMAND_MAX];
    char kept_log[PL_PATH_TEXT_MAX]; /* of a failed run; "" = none */
};

/* src/cli/run_admit.c: reads the command, the machine and the past. 0, or as the parts. */
int pl_run_know(struct pl_running *r, struct pl_err *err);
/* Reads the machine, once; false when it cannot be read. */
bool pl_run_machine(struct pl_running *r);
/* May it run? False: refused, with the nearest settings in r->reliefs. */
bool pl_run_admits(struct pl_running *r);

/* Host memory the command took at most: its own, and the mapped weights it was predicted to read.
 */
struct pl_quantity pl_run_measured(const struct pl_running *r);

/* src/cli/run_end.c: why it died: the kernel's and the group's word first, then its own. */
void pl_run_explain(struct pl_running *r);
/* Stores what was measured; silent when there is no ledger. */
void pl_run_remember(struct pl_running *r);

/* Words of a command without its secrets, quoted where a shell needs it. */
void pl_run_quote(const struct pl_mask *mask, const char *const *argv, struct pl_str *out);
/* One word of it, those before it in *words (zeroed at the first). mask may be NULL. */
void pl_run_word(const struct pl_mask *mask, struct pl_redact_words *words, const char *word,
                 struct pl_str *out);

/* The ceiling of a pool; 0 = none. */
uint64_t pl_run_ceiling_of(const struct pl_running *r, const char *pool);

/* src/cli/run_devices.c: what it held beside host memory. */
#define PL_RUN_ROWS_MAX 32
struct pl_run_row {
    char pool[PL_POOL_NAME_MAX];
    struct pl_quantity predicted, measured;
};
uint32_t pl_run_rows(const struct pl_running *r, struct pl_run_row ret[PL_RUN_ROWS_MAX]);
/* Begins and ends looking, and the part of struct pl_wrapped_options that belongs to it. */
void pl_run_watch(struct pl_running *r, struct pl_wrapped_options *o);
void pl_run_unwatch(struct pl_running *r);
/* What it says is heard. */
void pl_run_listen(struct pl_running *r, const char *bytes, size_t n);

#endif
