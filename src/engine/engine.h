/* Engines: what runs models. Each is one row of the table in engine.c and one folder here. */
#ifndef PL_ENGINE_ENGINE_H
#define PL_ENGINE_ENGINE_H

#include "base/err.h"
#include "domain/claim.h"
#include "domain/machine.h"
#include "domain/model.h"
#include "domain/setting_table.h"

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
     * is none, exit status 4. NULL: it is predicted, not run. */
    int (*find)(const char *hint, struct pl_install *ret, struct pl_err *err);
    /* What it needs, by its own flags. llama.cpp has a settings struct and a way of its own
     * (measure/forecast.h): both are NULL there. */
    const struct pl_setting_row *settings; /* its flags; ends with names[0] == NULL */
    /* Fills ret, and in v what was left open. Pure. Errors: -ENOTSUP with exit 3 for what is not
     * predicted, -EINVAL for settings the engine refuses, -EBADMSG for contradicting headers. */
    int (*footprint)(const struct pl_model *m, struct pl_setting_values *v,
                     const struct pl_machine *machine, struct pl_claim *ret, struct pl_err *err);
};

/* NULL-ended. */
extern const struct pl_engine *const pl_engines[];

/* Answers for names of data/declared.tsv, and is no engine that --engine names. */
extern const struct pl_engine pl_engine_declared;

/* By name; NULL when there is none. */
const struct pl_engine *pl_engine_named(const char *name);

#endif
