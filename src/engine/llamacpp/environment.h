/* LLAMA_ARG_*: llama-server reads its flags from the environment too, so an estimate must. */
#ifndef PL_ENGINE_LLAMACPP_ENVIRONMENT_H
#define PL_ENGINE_LLAMACPP_ENVIRONMENT_H

#include "base/err.h"
#include "domain/settings.h"

/* Applies the variables of this process to s; flags given later win. -EINVAL names the variable. */
int pl_llamacpp_environment(struct pl_settings *s, struct pl_err *err);

/* The same of one word "NAME=VALUE", which must outlive s; other names are passed over. */
int pl_llamacpp_variable(struct pl_settings *s, const char *word, struct pl_err *err);

#endif
