/* MODEL as the user writes it, to a model: a path, an address, or a catalogue id. */
#ifndef PL_MODEL_OPEN_H
#define PL_MODEL_OPEN_H

#include "base/err.h"
#include "domain/model.h"

#include <signal.h>

struct pl_open_options {
    bool offline;                      /* nothing is asked of the network */
    const volatile sig_atomic_t *stop; /* not 0: give up; or NULL */
    bool checkpoints;  /* of a repository without GGUF files its safetensors are wanted */
    const char *quant; /* of a catalogue row when none is named; NULL: the usual one */
};

/* spec is
 *   an existing file: read by the reader of its format; a folder with a safetensors checkpoint;
 *   "https://..." or "http://...": the header of a remote GGUF file (model/remote.h);
 *   "hf:ORG/REPO[:QUANT]", or "ORG/REPO-GGUF[:QUANT]": a file on the Hugging Face hub, or the copy
 *   its tools keep here (model/hub_open.h);
 *   "ollama:NAME[:TAG]": of Ollama's registry, or its store here (model/ollama.h);
 *   "id" or "id:quant" of the catalogue (any case; without a quant, q4_k_m), or
 *   a name that means one row of it, as people write it (model/names.h).
 * A path wins over an id of the same spelling. o may be NULL. *ret is set on success only; free it
 * with pl_model_free. Errors: -ENOENT when spec is neither (what says both readings, hint the
 * nearest ids), -EISDIR for a folder (hint: the .gguf files in it), or those of the reader, of
 * pl_remote_read and of pl_catalogue_model. */
int pl_model_open_with(const char *spec, const struct pl_open_options *o, struct pl_model **ret,
                       struct pl_err *err);
int pl_model_open(const char *spec, struct pl_model **ret,
                  struct pl_err *err); /* without options */

#endif
