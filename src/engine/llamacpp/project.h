/* What the installed engine itself says a model will take: llama-server started on the file with
 * these settings, ended as soon as it has printed its own projection and before it loads a weight.
 * An independent opinion, in whole MiB, to set beside a footprint. */
#ifndef PL_ENGINE_LLAMACPP_PROJECT_H
#define PL_ENGINE_LLAMACPP_PROJECT_H

#include "base/err.h"
#include "domain/settings.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_PROJECTION_ROWS_MAX 17 /* the host and sixteen devices */

struct pl_projection_row {
    char device[64]; /* "Host", "Vulkan0", "CUDA0" */
    uint64_t model_mib, context_mib, compute_mib;
};

struct pl_projection {
    struct pl_projection_row row[PL_PROJECTION_ROWS_MAX];
    uint32_t n_row;
};

/* Starts it, reads, ends it. Settings that the engine refuses, an engine that says no projection
 * (before 0.6) or not within timeout_ns: exit status 4, with its own words. */
int pl_llamacpp_project(const struct pl_install *in, const char *model_path,
                        const struct pl_settings *s, uint64_t timeout_ns, struct pl_projection *ret,
                        struct pl_err *err);

/* Takes one line of the engine's output; true when it was a row of the table. Pure: any bytes. */
bool pl_projection_line(struct pl_projection *p, const char *line);

#endif
