/* What the tensor tables' names mean for one layer of a catalogue row. */
#ifndef PL_MODEL_CATALOGUE_LAYERS_H
#define PL_MODEL_CATALOGUE_LAYERS_H

#include "model/catalogue.h"
#include "model/shape_expr.h"

struct pl_row_layer {
    const struct pl_catalogue_row *row;
    int64_t il; /* -1 outside the blocks */
};

/* pl_shape_value_fn with a struct pl_row_layer: the row's numbers, those of its columns ssm and
 * arch_extra, and what the layer is:
 *   il, mtp_layer; attn, rec, ffn, moe: it has attention, a recurrent state, a feed-forward part,
 *   that of a mixture of experts; swa: its window slides; indexer: it owns one.
 *   attn_every: one layer in so many has attention; wide_full: head width of the full layers where
 *   those with a window have another; idx_full_known: the row lists the layers with an indexer.
 * A name of arch_extra that the row does not have is 0. False for a number that is unknown. */
bool pl_row_layer_value(void *ctx, const char *name, uint64_t n, int64_t *ret);

/* All that layers of one row can differ in, but for their number: two layers of the same are given
 * the same tensors by every rule that does not look at `il`. */
struct pl_row_likeness {
    int64_t v[12];
};
void pl_row_likeness(const struct pl_row_layer *l, struct pl_row_likeness *ret);

/* "name=value" among those between semicolons: where the value begins, or NULL. */
const char *pl_row_extra(const char *list, const char *name, uint64_t n);

#endif
