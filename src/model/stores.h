/* Models that are on this machine already, in the places where programs keep them: a folder of GGUF
 * files, the cache of Hugging Face's tools, Ollama's store, LM Studio's, llama.cpp's. */
#ifndef PL_MODEL_STORES_H
#define PL_MODEL_STORES_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PL_STORES_ITEMS_MAX 10000u
#define PL_STORES_ENTRIES_MAX 200000u /* of folders that are looked at */
#define PL_STORES_DEPTH_MAX 8
#define PL_STORES_HEAD (1u << 20) /* bytes hashed to tell files of one length apart */

struct pl_store_item {
    const char
        *store; /* "folder", "huggingface", "ollama", "lmstudio", "llama.cpp", "plimsoll"; static */
    const char *name;           /* usable as MODEL */
    const char *path;           /* of its first file */
    const char *sha256;         /* where the store knows it; else NULL */
    uint64_t bytes, disk_bytes; /* of all its files */
    uint32_t n_file;
    dev_t dev; /* of its first file */
    ino_t ino;
    int64_t same_as;     /* index of an earlier item that is the same model; -1: none */
    const char *same_by; /* how that is known; static */
    bool same_file;      /* it is even the same file: it takes no disk of its own */
};

struct pl_stores {
    struct pl_arena arena;
    struct pl_store_item *item;
    uint32_t n;
    uint32_t entries; /* looked at */
    bool cut;         /* a limit was reached: there may be more */
};

/* Looks through all stores; folder (may be NULL) is the user's own. What cannot be read is left
 * out. -ENOMEM. End with pl_stores_done, on failure too. */
int pl_stores_find(const char *folder, struct pl_stores *ret, struct pl_err *err);
void pl_stores_done(struct pl_stores *s);

/* The folder for what comes from no registry: $XDG_DATA_HOME/plimsoll/models, else
 * ~/.local/share/plimsoll/models; false without a HOME. */
bool pl_stores_own(char *out, size_t size);

/* Names what is there twice. Reads at most PL_STORES_HEAD bytes of files that have the length of
 * another one, once. -ENOMEM. */
int pl_stores_same(struct pl_stores *s, struct pl_err *err);

/* For the finders: adds the file at path, with the other parts when it is the first of several. A
 * later part, what is no model, and what is no regular file are left out. name NULL: path. sha256
 * may be NULL. */
int pl_stores_add(struct pl_stores *s, const char *store, const char *name, const char *path,
                  const char *sha256, struct pl_err *err);

#endif
