/* The shape expressions of the tensor tables: integers, names, ( ) ! * / % + - comparisons && ||,
 * with C's meaning and precedence. The texts are ours (data/llamacpp_*.tsv); the values of the
 * names may come from a user. */
#ifndef PL_MODEL_SHAPE_EXPR_H
#define PL_MODEL_SHAPE_EXPR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Value of a name of `n` characters; false when it is not known. */
typedef bool pl_shape_value_fn(void *ctx, const char *name, uint64_t n, int64_t *ret);

/* Evaluates the expression at text up to a space or the end of it (or to the end when `spaces`,
 * where spaces mean nothing); *ret_end is where it stopped. -EINVAL for a malformed text, -ENODATA
 * for an unknown name, -ERANGE for an overflow or a division by zero. */
int pl_shape_eval(const char *text, bool spaces, pl_shape_value_fn *value, void *ctx, int64_t *ret,
                  const char **ret_end, struct pl_err *err);

#endif
