/* A model for people and for programs. Text from the file is cleaned and cut here. */
#ifndef PL_REPORT_MODEL_H
#define PL_REPORT_MODEL_H

#include "base/json.h"
#include "base/str.h"
#include "model/describe.h"

#include <stdbool.h>

struct pl_model_view {
    bool tensors; /* list every tensor */
    bool keys;    /* list every key, values cut */
    bool colour;
    const char *catalogue_id; /* of the same model, for its scores; NULL: none known */
};

/* inspect's page, and its object of schema plimsoll.inspect/1. */
void pl_report_model_text(struct pl_str *out, const struct pl_model *m,
                          const struct pl_description *d, const struct pl_model_view *view);
void pl_report_model_json(struct pl_json *j, const struct pl_model *m,
                          const struct pl_description *d, const struct pl_model_view *view);

/* The members that every object about a model has: name, architecture, parameters,
 * parameters_active, file_bytes, file_type (null when the file does not say), ghost. */
void pl_json_model_members(struct pl_json *j, const struct pl_model *m);

/* "8.19 billion", "494 million", "1,234". Returns out. */
#define PL_COUNT_TEXT_MAX 32
const char *pl_count_text(uint64_t n, char out[PL_COUNT_TEXT_MAX]);

#endif
