/* plimsoll run: what is known of one command while it is admitted, run and explained. */
#ifndef PL_CLI_RUN_H
#define PL_CLI_RUN_H

#include "cli/verb.h"
#include "domain/forecast.h"
#include "domain/oom.h"
#include "domain/relief.h"
#include "engine/command.h"
#include "ledger/ledger.h"
#include "measure/wrapped.h"
#include "model/open.h"
#include "sys/group.h"
#include "why/log.h"

#define PL_RUN_RUNGS_MAX 8
#define PL_RUN_COMMAND_MAX 4096 /* of a command line as shown */
#define PL_RUN_CEILINGS_MAX 4

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
    struct pl_quantity predicted; /* peak of host memory */
    struct pl_reliefs reliefs;
    /* what happened */
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

/* Words of the command, quoted where a shell needs it. */
void pl_run_quote(const char *const *argv, struct pl_str *out);

#endif
