/* estimate --offload-steps and --min-decode: what each layer on a device brings, and a floor. */
#ifndef PL_CLI_OFFLOAD_H
#define PL_CLI_OFFLOAD_H

#include "base/json.h"
#include "cli/verb.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"

#define PL_OFFLOAD_STEPS_MAX 512

#define PL_CLI_OFFLOAD_OPTS                                                                        \
    {"offload-steps", '\0', PL_OPT_FLAG, NULL,                                                     \
     "speed and fit at every -ngl, and the largest that fits"},                                    \
    {                                                                                              \
        "min-decode", '\0', PL_OPT_NUMBER, "N",                                                    \
            "fewer tokens per second than this are not enough (exit 1)"                            \
    }

struct pl_offload_step {
    uint64_t n_gpu_layers;
    struct pl_rate decode, prefill;
    uint64_t device_bytes; /* likely, on all devices */
    enum pl_verdict verdict;
    bool largest; /* the last that fits */
};

struct pl_offload {
    struct pl_offload_step step[PL_OFFLOAD_STEPS_MAX];
    uint32_t n; /* 0: not asked for */
};

/* Forecasts f's model and settings at every offload from none to all. -EINVAL (exit 2) where there
 * is no device, or for another engine. */
int pl_cli_offload(const struct pl_cli *cli, const struct pl_forecast *f, struct pl_ledger *ledger,
                   struct pl_offload *ret, struct pl_err *err);

void pl_offload_text(const struct pl_offload *o, uint64_t floor, bool colour, struct pl_str *out);
void pl_offload_json(const struct pl_offload *o, struct pl_json *j, const char *key);

/* What --min-decode says of f: 0 enough or not asked, else PL_EXIT_NO or PL_EXIT_CANNOT_TELL with a
 * reason in f's judgement. */
int pl_cli_floor(const struct pl_cli *cli, struct pl_forecast *f);

#endif
