/* How each part of a footprint comes about: its formula with the figures put in, and the place in
 * llama.cpp that it mirrors. For people who want to check a number by hand. Pure. */
#ifndef PL_ENGINE_LLAMACPP_TERMS_H
#define PL_ENGINE_LLAMACPP_TERMS_H

#include "base/err.h"
#include "domain/footprint.h"
#include "domain/model.h"
#include "domain/settings.h"
#include "domain/terms.h"
#include "engine/llamacpp/footprint.h"

/* The terms of f, which pl_llamacpp_footprint gave for the same model, settings and host with r. A
 * part's terms add up to its likely bytes. Errors as there. */
int pl_llamacpp_terms(const struct pl_model *m, const struct pl_settings *s,
                      const struct pl_llamacpp_host *host, const struct pl_footprint *f,
                      const struct pl_resolved *r, struct pl_terms *ret, struct pl_err *err);

#endif
