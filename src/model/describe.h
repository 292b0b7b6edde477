/* What a person wants to know of a model beyond its keys and tensors: totals, the tokenizer, the
 * shape, and whatever looks wrong. Plain values; texts are borrowed from the model and come from
 * the file as they are (see pl_text_cut). */
#ifndef PL_MODEL_DESCRIBE_H
#define PL_MODEL_DESCRIBE_H

#include "domain/model.h"
#include "domain/tensor_type.h"

#define PL_DESCRIBE_TYPES_MAX 64
#define PL_WARNINGS_MAX 24
#define PL_WARNING_TEXT_MAX 240

struct pl_type_total {
    const struct pl_tensor_type *type;
    uint64_t count, bytes, parameters;
};

/* An integer of the header; per-layer values have low < high. Unknown is not 0. */
struct pl_fact {
    bool known;
    uint64_t low, high;
};

enum pl_shape {
    PL_SHAPE_CONTEXT = 0,
    PL_SHAPE_BLOCKS,
    PL_SHAPE_EMBEDDING,
    PL_SHAPE_FEED_FORWARD,
    PL_SHAPE_HEADS,
    PL_SHAPE_HEADS_KV,
    PL_SHAPE_KEY_LENGTH,
    PL_SHAPE_VALUE_LENGTH,
    PL_SHAPE_SLIDING_WINDOW,
    PL_SHAPE_EXPERTS,
    PL_SHAPE_EXPERTS_USED,
    PL_SHAPES,
};

struct pl_tokenizer {
    bool present;
    const char *model, *pre; /* NULL when the file does not say */
    struct pl_fact vocabulary, merges;
    bool chat_template;
    uint64_t chat_template_bytes, chat_templates; /* of the default one; how many in all */
};

enum pl_model_kind {
    PL_MODEL_WHOLE = 0, /* a model to be served */
    PL_MODEL_PROJECTOR, /* images or sound into another model's embeddings */
    PL_MODEL_ADAPTER,   /* LoRA or control vector */
    PL_MODEL_IMATRIX,   /* statistics for quantising */
    PL_MODEL_VOCABULARY,
};

struct pl_description {
    enum pl_model_kind kind;
    uint64_t parameters, parameters_active, tensor_bytes;
    struct pl_type_total type[PL_DESCRIBE_TYPES_MAX]; /* most bytes first */
    uint32_t n_type;
    struct pl_fact shape[PL_SHAPES];
    struct pl_tokenizer tokenizer;
    bool tied_output; /* no output matrix of its own: the token embeddings serve twice */
    char warning[PL_WARNINGS_MAX][PL_WARNING_TEXT_MAX]; /* clean text */
    uint32_t n_warning;
};

void pl_model_describe(const struct pl_model *m, struct pl_description *ret);

/* "context_length", ...: the name in JSON; "model", "projector" ... */
const char *pl_shape_name(enum pl_shape shape);
const char *pl_model_kind_name(enum pl_model_kind kind);

/* Warnings of the rules in warn.c; called by pl_model_describe. */
void pl_model_warn(const struct pl_model *m, struct pl_description *d);

#endif
