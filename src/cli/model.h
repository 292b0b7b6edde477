/* MODEL of a verb: what it may be, and the options that go with it. */
#ifndef PL_CLI_MODEL_H
#define PL_CLI_MODEL_H

#include "cli/verb.h"
#include "domain/model.h"

#include <signal.h>

/* For the details of a verb's help. */
#define PL_CLI_MODEL_HELP                                                                          \
    "MODEL is a GGUF file, the https:// address of one, hf:ORG/REPO[:QUANT] of the Hugging Face\n" \
    "hub, ollama:NAME[:TAG], or a catalogue id such as qwen3-8b[:q4_k_m]. Of a model that is "     \
    "not\n"                                                                                        \
    "here only the header is fetched."

#define PL_CLI_CATALOGUE_OPT                                                                       \
    {                                                                                              \
        "catalogue", '\0', PL_OPT_LIST, "FILE",                                                    \
            "rows of your own beside the catalogue's (also PLIMSOLL_CATALOGUE); repeatable"        \
    }

/* The rows of a verb's option table that say how MODEL is looked for. */
#define PL_CLI_MODEL_OPTS                                                                          \
    {"offline", '\0', PL_OPT_FLAG, NULL,                                                           \
     "ask nothing of the network: remote headers from the cache (also PLIMSOLL_OFFLINE=1)"},       \
        PL_CLI_CATALOGUE_OPT

/* Opens spec, of a model that llama.cpp loads, as the verb's options say (PL_CLI_MODEL_OPTS, and
 * the environment). stop may be NULL. As pl_model_open_with; -ENOTSUP (exit 2) for a checkpoint of
 * another format. */
int pl_cli_model(const struct pl_cli *cli, const char *spec, const volatile sig_atomic_t *stop,
                 struct pl_model **ret, struct pl_err *err);

/* Adds the user's own rows to the catalogue, once: of $XDG_CONFIG_HOME/plimsoll/models.tsv where it
 * is, of the files that PLIMSOLL_CATALOGUE names (a colon between), of --catalogue. A later one
 * counts. pl_cli_model does it; a verb that asks the catalogue itself calls it first. */
int pl_cli_catalogue(const struct pl_cli *cli, struct pl_err *err);

/* The same for what reads checkpoints of every format. quant: of a catalogue row when spec names
 * none; NULL: the usual one. */
int pl_cli_model_any(const struct pl_cli *cli, const char *spec, const char *quant,
                     struct pl_model **ret, struct pl_err *err);

/* --offline, or PLIMSOLL_OFFLINE or HF_HUB_OFFLINE in the environment. */
bool pl_cli_offline(const struct pl_cli *cli);

#endif
