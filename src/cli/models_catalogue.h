/* plimsoll models [WORD...]: the catalogue, without --local. */
#ifndef PL_CLI_MODELS_CATALOGUE_H
#define PL_CLI_MODELS_CATALOGUE_H

#include "base/json.h"
#include "cli/verb.h"
#include "model/catalogue.h"

#define PL_MODELS_CATALOGUE_OPTS                                                                   \
    {"kind", '\0', PL_OPT_CHOICE, "llm|vlm|embed|rerank|stt|tts|vision", "what it does"},          \
        {"licence", '\0', PL_OPT_TEXT, "TEXT", "its licence holds this text"},                     \
        {"family", '\0', PL_OPT_TEXT, "TEXT", "its family holds this text"},                       \
        {"max-size", '\0', PL_OPT_SIZE, "SIZE", "its file at --quant is no larger"},               \
        {"min-quality", '\0', PL_OPT_TEXT, "SCORE", "its AA-20 mean (0 to 1) is at least this"},   \
        {"min-context", '\0', PL_OPT_NUMBER, "N", "trained on at least so many tokens"},           \
    {                                                                                              \
        "quant", '\0', PL_OPT_TEXT, "QUANT", "quantisation of the file (q4_k_m)"                   \
    }

/* What a row is asked for. */
struct pl_models_ask {
    const char *kind, *licence, *family, *quant;
    uint64_t max_bytes, min_context; /* 0 = any */
    double min_quality;              /* of PL_QUALITY_COMMON; 0 = any */
    const struct pl_cli *cli;        /* its words */
};

/* Fills a from the options. -EINVAL (exit 2). */
int pl_models_asked(const struct pl_cli *cli, struct pl_models_ask *a, struct pl_err *err);

/* All but max_bytes. */
bool pl_models_wanted(const struct pl_models_ask *a, const struct pl_catalogue_row *r);

/* "yours" for a row of the user's, else "catalogue". */
const char *pl_models_from(const struct pl_catalogue_row *r);

/* "quality": null or {"benchmark", "score", "source"}: the common benchmark, else the first. */
void pl_models_quality_json(struct pl_json *j, const struct pl_catalogue_row *r);

/* Lists the rows that the options and words ask for. Exit status, or negative errno with err. */
int pl_models_catalogue(struct pl_cli *cli, struct pl_err *err);

#endif
