#include "model/ollama.h"

#include "base/json.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool pl_ollama_name(const char *text, struct pl_ollama_name *ret)
{
    const char *slash = strchr(text, '/'), *name = slash != NULL ? slash + 1 : text;
    const char *colon = strchr(name, ':');
    size_t n = colon != NULL ? (size_t)(colon - name) : strlen(name);
    const char *space = slash != NULL ? text : "library",
               *tag = colon != NULL ? colon + 1 : "latest";
    return pl_take_name(ret->space, sizeof(ret->space), space,
                        slash != NULL ? (size_t)(slash - text) : strlen(space)) &&
           pl_take_name(ret->name, sizeof(ret->name), name, n) &&
           pl_take_name(ret->tag, sizeof(ret->tag), tag, strlen(tag));
}

static bool pl_ollama_layer(pl_jval layer, struct pl_ollama_layer *ret)
{
    const char *digest = pl_jstr(pl_jget(layer, "digest"), "");
    struct pl_ollama_layer l = {0};
    if (!pl_starts(digest, "sha256:") || strlen(digest) != 71 ||
        strspn(digest + 7, "0123456789abcdef") != 64 || !pl_ju64(pl_jget(layer, "size"), &l.bytes))
        return false;
    (void)PL_FMT(l.sha256, "%s", digest + 7);
    *ret = l;
    return true;
}

int pl_ollama_manifest(const char *text, size_t len, struct pl_ollama_manifest *ret,
                       struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    struct pl_ollama_manifest m = {0};
    int rc = pl_jdoc_parse(text, len, "the manifest", &doc, err);
    if (rc < 0)
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    pl_jval layers = pl_jget(pl_jdoc_root(doc), "layers");
    for (size_t i = 0; i < pl_jlen(layers) && i < PL_OLLAMA_LAYERS_MAX; i++) {
        pl_jval layer = pl_jat(layers, i);
        const char *type = pl_jstr(pl_jget(layer, "mediaType"), "");
        struct pl_ollama_layer *to =
            pl_streq(type, "application/vnd.ollama.image.model")       ? &m.model
            : pl_streq(type, "application/vnd.ollama.image.projector") ? &m.projector
            : pl_streq(type, "application/vnd.ollama.image.adapter")   ? &m.adapter
                                                                       : NULL;
        if (to != NULL && to->sha256[0] == '\0')
            (void)pl_ollama_layer(layer, to);
    }
    (void)pl_jdoc_free(doc);
    if (m.model.sha256[0] == '\0') {
        (void)pl_fail(err, -EBADMSG, "the manifest names no model layer");
        (void)pl_hint(err, "models of Ollama's cloud have no files");
        return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
    }
    *ret = m;
    return 0;
}

int pl_ollama_layers(const char *text, size_t len,
                     struct pl_ollama_layer ret[PL_OLLAMA_LAYERS_MAX + 1], struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    int n = 0, rc = pl_jdoc_parse(text, len, "the manifest", &doc, err);
    if (rc < 0)
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    pl_jval layers = pl_jget(pl_jdoc_root(doc), "layers");
    for (size_t i = 0; i < pl_jlen(layers) && i < PL_OLLAMA_LAYERS_MAX; i++)
        n += pl_ollama_layer(pl_jat(layers, i), &ret[n]) ? 1 : 0;
    n += pl_ollama_layer(pl_jget(pl_jdoc_root(doc), "config"), &ret[n]) ? 1 : 0;
    (void)pl_jdoc_free(doc);
    return n;
}

bool pl_ollama_store(unsigned i, char *out, size_t size)
{
    const char *own = getenv("OLLAMA_MODELS"), *home = getenv("HOME");
    if (own != NULL && own[0] != '\0')
        return i == 0 && pl_fmt(out, size, "%s", own);
    bool has_home = home != NULL && home[0] == '/';
    if (i == 0 && has_home)
        return pl_fmt(out, size, "%s/.ollama/models", home);
    return i == (has_home ? 1u : 0u) && pl_fmt(out, size, "/usr/share/ollama/.ollama/models");
}
