/* Where the verbs keep the ghosts of models that are not here. */
#ifndef PL_CLI_GHOST_CACHE_H
#define PL_CLI_GHOST_CACHE_H

#include "base/err.h"
#include "domain/model.h"
#include "model/ghost.h"

/* Gives the ghost of a model that is not here (of the catalogue, on the network): the one in the
 * cache when it is whole and has the same tensors, else a new one. dir NULL:
 * $XDG_CACHE_HOME/plimsoll/ghosts, else
 * ~/.cache/plimsoll/ghosts. *ret is the ghost as read back; free it. Errors of pl_ghost_write. */
int pl_ghost_cache_get(const struct pl_model *m, const char *name, const char *quant,
                       const char *dir, const struct pl_ghost_options *o, struct pl_model **ret,
                       struct pl_err *err);

#endif
