/* What benchmarks say of the catalogue's models (data/quality.tsv). Scores of different benchmarks
 * are not on one scale: a score never goes without its benchmark and its source. */
#ifndef PL_MODEL_QUALITY_H
#define PL_MODEL_QUALITY_H

struct pl_quality {
    const char *id; /* of the catalogue */
    const char *benchmark, *score, *source, *note;
};

/* The first score that is known of a model; NULL when none is. Static. */
const struct pl_quality *pl_quality_of(const char *id);

#endif
