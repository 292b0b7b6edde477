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

/* The one after it of the same model; NULL at the end. */
const struct pl_quality *pl_quality_next(const struct pl_quality *q);

/* The score of the one benchmark by which more models were measured alike than by any other:
 * models are ranked against each other by it alone. NULL when the model has none. */
#define PL_QUALITY_COMMON "AA-20 mean"
const struct pl_quality *pl_quality_common(const char *id, double *ret);

#endif
