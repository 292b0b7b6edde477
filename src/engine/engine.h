/* Engines: what runs models. Each is one row of the table in engine.c and one folder here. */
#ifndef PL_ENGINE_ENGINE_H
#define PL_ENGINE_ENGINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_INSTALL_PATH_MAX 1024 /* a longer path is not found */
#define PL_INSTALL_LIBS_MAX (3 * PL_INSTALL_PATH_MAX)

/* One engine found on this machine, and how its programs are started. Plain value. */
struct pl_install {
    char engine[32];                  /* "llama.cpp" */
    char server[PL_INSTALL_PATH_MAX]; /* the program that serves */
    bool folder; /* a Debian userland in a folder: started through its own loader */
    char dir[PL_INSTALL_PATH_MAX];    /* that folder; "" otherwise */
    char loader[PL_INSTALL_PATH_MAX]; /* the folder's dynamic loader, and the search path given to
                                         it */
    char libs[PL_INSTALL_LIBS_MAX];
    char backend_path[PL_INSTALL_PATH_MAX]; /* CPU backend the engine would not find by itself; "" =
                                               none */
    char backend[64]; /* what is known of it before a run: "cpu-zen4"; "" = not known */
    char version[64]; /* "0.7.0 (11669)"; "" = it did not say */
    uint64_t build;   /* llama.cpp's build number; 0 = not known */
};

struct pl_engine {
    const char *name;  /* as in --engine and in the ledger */
    const char *about; /* one line */
    const char *get;   /* how to install it: a hint */
    /* Finds it. hint (may be NULL) is what the user gave: a program or a folder. -ENOENT when there
     * is none, exit status 4. */
    int (*find)(const char *hint, struct pl_install *ret, struct pl_err *err);
};

/* NULL-ended. */
extern const struct pl_engine *const pl_engines[];

/* By name; NULL when there is none. */
const struct pl_engine *pl_engine_named(const char *name);

#endif
