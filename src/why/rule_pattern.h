/* A rule's pattern as a POSIX extended expression. */
#ifndef PL_WHY_RULE_PATTERN_H
#define PL_WHY_RULE_PATTERN_H

#include "base/str.h"
#include "why/rule.h"

struct pl_pattern_capture {
    enum pl_rule_field field;
    enum pl_oom_number number;
    enum pl_rule_kind kind;
    uint32_t group; /* of the value; the unit of a size is two behind */
};

struct pl_pattern {
    struct pl_pattern_capture capture[PL_CAPTURES_MAX];
    uint32_t n_capture, n_group;
};

/* Writes the expression to out. -EINVAL with the fault: a value or kind not known, braces that do
 * not end, too many values. */
int pl_pattern_translate(const char *pattern, struct pl_str *out, struct pl_pattern *ret,
                         struct pl_err *err);

/* The longest run of plain text of the pattern that every match holds, without blanks at its ends.
 * out is cut to size. */
void pl_pattern_anchor(const char *pattern, char *out, size_t size);

#endif
