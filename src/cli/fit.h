/* What `plimsoll fit MODEL` finds: every quantisation, cache type and place of one model on one
 * machine, each with its reach; the best of them; and those that no other beats. */
#ifndef PL_CLI_FIT_H
#define PL_CLI_FIT_H

#include "base/json.h"
#include "cli/verb.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"
#include "measure/reach.h"
#include "model/catalogue.h"

#define PL_FIT_POINTS_MAX 400
#define PL_FIT_COMMAND_MAX 512
#define PL_FIT_CONTEXT 8192u

enum pl_fit_question {
    PL_FIT_ALL = 0, /* best settings, longest contexts, the front */
    PL_FIT_MAX_CTX,
    PL_FIT_BEST_QUANT,
    PL_FIT_MAX_SLOTS,
};

enum pl_fit_place {
    PL_FIT_DEVICE = 0, /* every layer on devices */
    PL_FIT_SOME,       /* every layer there, and the experts of as many as fit */
    PL_FIT_EXPERTS,    /* every layer there, experts on the host */
    PL_FIT_SPLIT,      /* as many layers as fit */
    PL_FIT_HOST,
    PL_FIT_ASKED, /* as the engine flags say */
    PL_FIT_PLACES,
};

/* One way to serve the model. */
struct pl_fit_point {
    char quant[32];
    uint64_t file_bytes;
    bool rated; /* the next is known */
    double kld; /* KL divergence from F16 (model/quants.h) */
    enum pl_fit_place place;
    uint64_t layers;  /* of PL_FIT_SPLIT */
    uint64_t experts; /* of PL_FIT_SOME: layers whose experts stay on the host */
    uint32_t type;    /* of the caches, a tensor type id */
    uint32_t type_rank;
    bool wanted;             /* it fits with the context and the slots wanted */
    enum pl_verdict verdict; /* of that */
    char reason[PL_REASON_TEXT_MAX];
    struct pl_reached context, slots;
    struct pl_rate decode;     /* at the wanted context; where that does not fit, at its longest */
    struct pl_quantity steady; /* all pools together, there too */
    bool slow;                 /* decodes fewer tokens a second than the floor */
    bool front;                /* no other is at least as good in all and better in one */
    char command[PL_FIT_COMMAND_MAX]; /* for the longest context (or most slots) found */
    char flags[PL_FIT_COMMAND_MAX];   /* of the same, without program and model */
};

struct pl_fit_ask {
    const struct pl_cli *cli;
    const struct pl_machine *machine;
    struct pl_ledger *ledger;
    enum pl_fit_question question;
    uint64_t context, slots; /* wanted */
    double floor;            /* tokens per second */
    struct pl_settings settings;
    bool types_given, place_given;
};

/* What matters most. quality: as `best`; balanced: the fastest that is as near to F16 as Q4_K_M,
 * with caches of 8 bits or more; speed: the fastest of all. All of them fit with the wanted
 * context. */
enum pl_fit_preset { PL_FIT_QUALITY = 0, PL_FIT_BALANCED, PL_FIT_SPEED, PL_FIT_PRESETS };

struct pl_fit_answer {
    char name[160];   /* of the model */
    const char *id;   /* of the catalogue, or NULL */
    uint64_t context; /* wanted, at most what the model has */
    uint64_t limit;   /* tokens it was trained on */
    struct pl_fit_point point[PL_FIT_POINTS_MAX];
    uint32_t n, asked;          /* forecasts made */
    int preset[PL_FIT_PRESETS]; /* places in point; -1 = none */
    int best;                   /* -1 = none fits */
    int better; /* the nearest one above the best that does not fit or is slow; -1 = none */
};

/* Everything about one MODEL. -EINVAL and others as pl_cli_model. */
int pl_fit_model(const struct pl_fit_ask *ask, const char *spec, struct pl_fit_answer *ret,
                 struct pl_err *err);

void pl_fit_text(const struct pl_fit_ask *ask, const struct pl_fit_answer *a, bool colour,
                 struct pl_str *out);
void pl_fit_json(const struct pl_fit_ask *ask, const struct pl_fit_answer *a, struct pl_json *j);

const char *pl_fit_preset_name(enum pl_fit_preset preset);
/* "on the devices", "experts on the host" ... */
const char *pl_fit_place_name(enum pl_fit_place place);

/* A line to paste: llama-server with the settings. model: a path, or what the file is called. */
void pl_fit_command(const struct pl_settings *s, const char *model, char out[PL_FIT_COMMAND_MAX],
                    char flags[PL_FIT_COMMAND_MAX]);

/* fit MODEL --matrix: one model in five precisions on several machines. Exit status. */
int pl_fit_matrix(struct pl_cli *cli, const struct pl_fit_ask *ask, struct pl_err *err);

#endif
