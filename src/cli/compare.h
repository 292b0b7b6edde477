/* The forms of `plimsoll compare`. */
#ifndef PL_CLI_COMPARE_H
#define PL_CLI_COMPARE_H

#include "base/json.h"
#include "cli/verb.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"

/* Two runs of the ledger. */
int pl_compare_ids(struct pl_cli *cli, int64_t a, int64_t b, struct pl_err *err);
/* Two files of `runs --json`: runs of the same model, quantisation, context and engine version side
 * by side. doc: their parsed texts. */
int pl_compare_files(struct pl_cli *cli, const char *name_a, pl_jval a, const char *name_b,
                     pl_jval b, struct pl_err *err);

#define PL_COMPARE_WORDS_MAX 64

/* One side of two settings: the flags of the command line, and its own. */
struct pl_compare_side {
    char text[1024];               /* of --a or --b, cut into words */
    char devices[PL_RUN_TEXT_MAX]; /* -dev by the engine's names */
    struct pl_settings settings;
    struct pl_forecast forecast;
};

/* Runs both alternately (--ab); each has its forecast. */
int pl_compare_ab(struct pl_cli *cli, struct pl_model *model, struct pl_machine *machine,
                  struct pl_compare_side side[2], struct pl_err *err);

#endif
