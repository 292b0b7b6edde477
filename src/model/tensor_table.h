/* Which tensors and keys a file of an architecture has (data/llamacpp_tensors.tsv and
 * data/llamacpp_keys.tsv): names, and shapes and values as expressions over a catalogue row. */
#ifndef PL_MODEL_TENSOR_TABLE_H
#define PL_MODEL_TENSOR_TABLE_H

#include "domain/model.h"
#include "model/catalogue_layers.h"

struct pl_tensor_rule {
    const char *archs;  /* separated by commas; "@name" = a group */
    const char *tensor; /* "blk.attn_q.weight" is of every block; "@name" = the rows of a group */
    const char *shape;  /* lengths, separated by spaces */
    const char *when;   /* NULL = always */
    const char *source; /* llama.cpp file */
};

struct pl_key_rule {
    const char *archs; /* "*" = all that have a table of tensors */
    const char *key;   /* ".suffix" */
    const char *type;  /* u32, f32, bool; layers, bools: per layer, one number when all are equal;
                          trunk: the same without the layers of MTP;
                          sections: four numbers */
    const char *value, *when, *source;
};

#define PL_TENSOR_RULES_MAX 64u /* of one architecture; 41 are the most */

/* The rules of an architecture, groups written out; 0 when there is no table for it. */
uint64_t pl_tensor_rules(const char *arch, const struct pl_tensor_rule *out[PL_TENSOR_RULES_MAX]);

/* Does the rule give the layer a tensor, and which lengths has it: fills n_dims and ne. 1 = yes,
 * 0 = no, negative errno as pl_shape_eval and -ERANGE for a length that is none. */
int pl_tensor_rule_shape(const struct pl_tensor_rule *rule, struct pl_row_layer *layer,
                         struct pl_tensor *out, struct pl_err *err);

/* The next key rule of the architecture from index *at on; NULL at the end. */
const struct pl_key_rule *pl_key_rule_next(const char *arch, uint64_t *at);

#endif
