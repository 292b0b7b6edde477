/* MODEL as the user writes it, to a model: a path, or a catalogue id. */
#ifndef PL_MODEL_OPEN_H
#define PL_MODEL_OPEN_H

#include "base/err.h"
#include "domain/model.h"

/* spec is
 *   an existing file: read by the reader of its format;
 *   "id" or "id:quant" of the catalogue (any case; without a quant, q4_k_m).
 * A path wins over an id of the same spelling. "https://", "hf:" and "ollama:" are known and not
 * supported yet. *ret is set on success only; free it with pl_model_free. Errors: -ENOENT when spec
 * is neither (what says both readings, hint the nearest ids), -EISDIR for a folder (hint: the .gguf
 * files in it), -ENOTSUP, or those of the reader and of pl_catalogue_model. */
int pl_model_open(const char *spec, struct pl_model **ret, struct pl_err *err);

#endif
