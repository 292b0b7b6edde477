/* The order in which models are proposed: what decodes too slowly to be used comes last; then by
 * the score that most models have (PL_QUALITY_COMMON), those without one after; then those that we
 * propose by ourselves; then the newest; then the larger. */
#ifndef PL_CLI_RANK_H
#define PL_CLI_RANK_H

#include "domain/quantity.h"
#include "model/catalogue.h"

#define PL_RANK_DECODE 5.0 /* tokens per second of generated text, below which nobody waits */

struct pl_rank {
    const struct pl_catalogue_row *row;
    bool slow;
    double score; /* 0 = unknown */
};

/* decode may be unknown: then it is not called slow. */
struct pl_rank pl_rank_of(const struct pl_catalogue_row *row, struct pl_rate decode);

/* For qsort: negative when a is proposed before b. */
int pl_rank_compare(const struct pl_rank *a, const struct pl_rank *b);

#endif
