/* The patterns of --override-tensor. The engine searches names with std::regex (ECMAScript); here
 * with POSIX extended expressions, into which a pattern is rewritten: \d \w \s, escapes in
 * brackets, (?:...) and lazy quantifiers mean the same for "does it match". Look-aheads,
 * back-references and \b have no rewriting and are refused, and so are counts of groups, whose
 * expressions grow without bound. Pure but for memory. */
#ifndef PL_ENGINE_LLAMACPP_PATTERN_H
#define PL_ENGINE_LLAMACPP_PATTERN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define PL_PATTERN_MAX 512

struct pl_name_pattern;

/* -EINVAL (exit 2) for a pattern that is none, -ENOTSUP (exit 3) for one that cannot be rewritten.
 * End with pl_pattern_free. */
int pl_pattern_new(const char *text, size_t len, struct pl_name_pattern **ret, struct pl_err *err);

/* Is it found anywhere in the name? */
bool pl_pattern_found(const struct pl_name_pattern *p, const char *name);

/* Accepts and returns NULL. */
struct pl_name_pattern *pl_pattern_free(struct pl_name_pattern *p);

#endif
