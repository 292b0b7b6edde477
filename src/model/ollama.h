/* Models by their names in Ollama's registry: "NAME[:TAG]", "NAMESPACE/NAME[:TAG]". A manifest
 * lists layers; the one of media type ...model is a GGUF file. Source of names, media types and
 * folders: Ollama, docs/ and the files it writes. */
#ifndef PL_MODEL_OLLAMA_H
#define PL_MODEL_OLLAMA_H

#include "base/str.h"
#include "model/open.h"
#include "sys/url.h"

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

/* Every layer of a manifest, and its configuration: what a store of Ollama wants to have. Fills
 * ret[0..n), n at most PL_OLLAMA_LAYERS_MAX + 1; returns n, or as pl_ollama_manifest. */
int pl_ollama_layers(const char *text, size_t len,
                     struct pl_ollama_layer ret[PL_OLLAMA_LAYERS_MAX + 1], struct pl_err *err);

/* The manifest of the registry, as text (into out, which this initialises; end with pl_str_done, on
 * failure too) and read; offline the one kept. */
int pl_ollama_fetch(const struct pl_ollama_name *n, const struct pl_open_options *o,
                    struct pl_str *out, struct pl_ollama_manifest *ret, struct pl_err *err);

/* The address of a layer; false when it is too long. */
bool pl_ollama_blob(const struct pl_ollama_name *n, const char *sha256, char out[PL_URL_MAX]);

/* Where a manifest lies in a store. */
bool pl_ollama_manifest_path(const char *store, const struct pl_ollama_name *n, char *out,
                             size_t size);

/* Folder `i` in which Ollama may keep models: $OLLAMA_MODELS alone when set, else ~/.ollama/models
 * and the service's. false past the last. */
bool pl_ollama_store(unsigned i, char *out, size_t size);

/* As pl_model_open_with. The copy here when there is one; m->path is the name. */
int pl_ollama_open(const struct pl_ollama_name *n, const struct pl_open_options *o,
                   struct pl_model **ret, struct pl_err *err);

#endif
