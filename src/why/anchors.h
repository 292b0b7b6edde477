/* Which of many words occur in a line, found in one pass (Aho and Corasick, CACM 18(6), 1975).
 * ASCII letters match in either case. A log may be gigabytes; only lines with a hit are looked at
 * closer. */
#ifndef PL_WHY_ANCHORS_H
#define PL_WHY_ANCHORS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct pl_anchors;

/* Builds the automaton over n words (n <= 65535, all together at most PL_ANCHORS_BYTES_MAX bytes).
 * -EINVAL for an empty or too long list, -ENOMEM. */
int pl_anchors_new(const char *const *words, uint32_t n, struct pl_anchors **ret,
                   struct pl_err *err);
#define PL_ANCHORS_BYTES_MAX 16384
/* Accepts NULL, returns NULL. */
struct pl_anchors *pl_anchors_free(struct pl_anchors *a);

/* Calls hit for each word that occurs in text, possibly several times for one word. */
void pl_anchors_find(const struct pl_anchors *a, const char *text, size_t len,
                     void (*hit)(void *ctx, uint32_t word), void *ctx);

#endif
