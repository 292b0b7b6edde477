/* plimsoll models [WORD...]: the catalogue, without --local. */
#ifndef PL_CLI_MODELS_CATALOGUE_H
#define PL_CLI_MODELS_CATALOGUE_H

#include "cli/verb.h"

#define PL_MODELS_CATALOGUE_OPTS                                                                   \
    {"kind", '\0', PL_OPT_CHOICE, "llm|vlm|embed|rerank|stt|tts|vision", "what it does"},          \
        {"licence", '\0', PL_OPT_TEXT, "TEXT", "its licence holds this text"},                     \
        {"family", '\0', PL_OPT_TEXT, "TEXT", "its family holds this text"},                       \
        {"max-size", '\0', PL_OPT_SIZE, "SIZE", "its file at --quant is no larger"},               \
        {"min-context", '\0', PL_OPT_NUMBER, "N", "trained on at least so many tokens"},           \
    {                                                                                              \
        "quant", '\0', PL_OPT_TEXT, "QUANT", "quantisation of the file (q4_k_m)"                   \
    }

/* Lists the rows that the options and words ask for. Exit status, or negative errno with err. */
int pl_models_catalogue(struct pl_cli *cli, struct pl_err *err);

#endif
