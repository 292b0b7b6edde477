/* What a name stands for, file by file, before anything is fetched: addresses, lengths, hashes,
 * where each file goes, and which of them are on this machine already. */
#ifndef PL_MODEL_PULL_H
#define PL_MODEL_PULL_H

#include "base/arena.h"
#include "base/err.h"
#include "model/catalogue.h"
#include "model/hub_list.h"
#include "model/hub_open.h"
#include "model/ollama.h"
#include "model/open.h"

#define PL_PULL_FILES_MAX (PL_SPLITS_MAX + PL_OLLAMA_LAYERS_MAX + 2)

enum pl_pull_kind { PL_PULL_HUB = 0, PL_PULL_OLLAMA, PL_PULL_URL };
enum pl_pull_part {
    PL_PULL_MODEL = 0,
    PL_PULL_PROJECTOR,
    PL_PULL_OTHER, /* what a store of Ollama wants beside it */
};

struct pl_pull_file {
    enum pl_pull_part part;
    const char *url;    /* may carry secrets: never shown */
    const char *name;   /* as its repository calls it */
    const char *path;   /* where its bytes go */
    const char *link;   /* a second name: a link to path; NULL: none */
    const char *sha256; /* as published; NULL: not known */
    const char *here;   /* a file here that is the same; NULL: it is to be fetched */
    uint64_t bytes;     /* 0: not known */
};

struct pl_pull {
    struct pl_arena arena;
    enum pl_pull_kind kind;
    char token[256];     /* for the hub's origin; "" = none. Never shown */
    const char *model;   /* usable as MODEL, of what is fetched */
    const char *origin;  /* repository, registry or address, as shown */
    const char *commit;  /* of the repository; NULL: not known */
    const char *licence; /* as the hub says; NULL: it does not */
    bool gated;          /* its owner lets in whom they accept */
    const char *folder;  /* where it goes, as shown */
    const char *store;   /* the store that lists it then, as of model/stores.h */
    const char *offered; /* a projector that was not asked for; NULL: none */
    uint64_t offered_bytes;
    struct pl_pull_file *file; /* the model's parts first, in order */
    uint32_t n;
    struct pl_hub_spec hub; /* PL_PULL_HUB */
    struct pl_hub_list list;
    const struct pl_hub_file *chosen;
    const struct pl_catalogue_row *row; /* named by an id of the catalogue; else NULL */
    struct pl_ollama_name ollama;       /* PL_PULL_OLLAMA */
    struct pl_str manifest;
};

struct pl_pull_options {
    struct pl_open_options open;
    bool projector;     /* fetch it too */
    const char *output; /* the file to write; NULL: */
    const char *dir;    /* the folder, files under their own names; NULL: the store of its kind */
    const char *others; /* the folder for what no store is made for */
};

/* spec as of pl_model_open_with, but no file here: finds its files and lengths. Of the catalogue:
 * the repository that its row names, or the one beside it with GGUF files. *ret on success only.
 * -EINVAL for a file here, -ENOENT (exit 2) for what is not known or has no such quantisation, or
 * as pl_remote_refused. */
int pl_pull_find(const char *spec, const struct pl_pull_options *o, struct pl_pull **ret,
                 struct pl_err *err);
struct pl_pull *pl_pull_free(struct pl_pull *p); /* accepts, returns NULL */

/* The model's header: of the file here, else its first bytes. A split model's parts join the list.
 * As pl_remote_read; -EBADMSG when it is not what its name says. Of an
 * address call it before pl_pull_place, of a name after pl_pull_here. */
int pl_pull_header(struct pl_pull *p, const struct pl_pull_options *o, struct pl_model **ret,
                   struct pl_err *err);

/* Decides where everything goes. -EINVAL (exit 2). */
int pl_pull_place(struct pl_pull *p, const struct pl_pull_options *o, struct pl_err *err);

/* Looks for what is here already: at its place, and in every store (folder: the user's own). A file
 * of the right length whose hash no store knows is read and hashed. -EEXIST (exit 2): something
 * else stands at a place. -EINTR. */
int pl_pull_here(struct pl_pull *p, const char *folder, const volatile sig_atomic_t *stop,
                 struct pl_err *err);

/* Bytes that are to be fetched, counting lengths that are known. */
uint64_t pl_pull_bytes(const struct pl_pull *p);

/* When all files are there: makes the links and lists that their store wants. */
int pl_pull_publish(const struct pl_pull *p, struct pl_err *err);

/* The file to give to an engine. */
const char *pl_pull_path(const struct pl_pull *p);

/* For the finders: adds a file; NULL sha256: none. -E2BIG, -ENOMEM. */
int pl_pull_add(struct pl_pull *p, enum pl_pull_part part, const char *url, const char *name,
                uint64_t bytes, const char *sha256, struct pl_err *err);

#endif
