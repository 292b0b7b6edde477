/* Models by their names in Ollama's registry: "NAME[:TAG]", "NAMESPACE/NAME[:TAG]". A manifest
 * lists layers; the one of media type ...model is a GGUF file. Source of names, media types and
 * folders: Ollama, docs/ and the files it writes. */
#ifndef PL_MODEL_OLLAMA_H
#define PL_MODEL_OLLAMA_H

#include "model/open.h"

#include <stddef.h>

#define PL_OLLAMA_REGISTRY "https://registry.ollama.ai"
#define PL_OLLAMA_MANIFEST_MAX (1u << 20) /* bytes; real ones are under 2 KB */
#define PL_OLLAMA_LAYERS_MAX 64u
#define PL_OLLAMA_NAME_MAX 128

struct pl_ollama_name {
    char space[PL_OLLAMA_NAME_MAX], name[PL_OLLAMA_NAME_MAX], tag[PL_OLLAMA_NAME_MAX];
};

/* One layer: its SHA-256 as 64 hexadecimal digits, "" when the manifest has none. */
struct pl_ollama_layer {
    char sha256[65];
    uint64_t bytes;
};

struct pl_ollama_manifest {
    struct pl_ollama_layer model, projector, adapter;
};

/* false when text is no such name. Without a namespace "library", without a tag "latest". */
bool pl_ollama_name(const char *text, struct pl_ollama_name *ret);

/* -EBADMSG when text is no manifest, or has no model layer. */
int pl_ollama_manifest(const char *text, size_t len, struct pl_ollama_manifest *ret,
                       struct pl_err *err);

/* Folder `i` in which Ollama may keep models: $OLLAMA_MODELS alone when set, else ~/.ollama/models
 * and the service's. false past the last. */
bool pl_ollama_store(unsigned i, char *out, size_t size);

/* As pl_model_open_with. The copy here when there is one; m->path is the name. */
int pl_ollama_open(const struct pl_ollama_name *n, const struct pl_open_options *o,
                   struct pl_model **ret, struct pl_err *err);

#endif
