/* llama-server's flags, by its own names and with its own defaults. Pure: reads no environment, see
 * environment.h for LLAMA_ARG_*. */
#ifndef PL_ENGINE_LLAMACPP_SETTINGS_H
#define PL_ENGINE_LLAMACPP_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "domain/settings.h"

#include <stddef.h>

#define PL_FLAG_NAMES_MAX 4
#define PL_FLAG_ARGV_MAX 128

enum pl_flag_kind {
    PL_FLAG_U64 = 0, /* whole number >= 0 */
    PL_FLAG_I64,     /* whole number, -1 allowed */
    PL_FLAG_LAYERS,  /* whole number, auto or all */
    PL_FLAG_TRI,     /* on|off|auto */
    PL_FLAG_TYPE,    /* cache type by name */
    PL_FLAG_LOAD,    /* load mode by name */
    PL_FLAG_PORT,    /* 1 .. 65535 */
    PL_FLAG_YES,     /* switch: sets the field to true / on */
    PL_FLAG_NO,      /* switch: sets the field to false / off */
    PL_FLAG_PASS,    /* no effect on memory: handed on */
    PL_FLAG_CANNOT,  /* changes memory in a way that is not predicted: exit 3, never a wrong number
                      */
};

struct pl_flag {
    const char *names[PL_FLAG_NAMES_MAX]; /* "-c", "--ctx-size"; NULL-ended when shorter */
    const char *arg;                      /* value name; NULL = switch */
    const char *env;                      /* LLAMA_ARG_*, or NULL */
    const char *help;                     /* NULL: accepted, not listed */
    enum pl_flag_kind kind;
    size_t field; /* offset in struct pl_settings */
};

/* The table; ends with names[0] == NULL. */
const struct pl_flag *pl_llamacpp_flags(void);

/* llama-server's defaults. */
void pl_llamacpp_defaults(struct pl_settings *s);

/* Takes the flag at argv[0] (and its value): returns the words used, 0 when the table has no such
 * flag, or negative with err. Borrowed argv strings must outlive s. */
int pl_llamacpp_flag(struct pl_settings *s, int argc, char *const *argv, struct pl_err *err);

/* Sets one flag by its table row; value may be NULL for switches. name is used in errors. */
int pl_llamacpp_flag_set(struct pl_settings *s, const struct pl_flag *flag, const char *name,
                         const char *value, struct pl_err *err);

/* The argv words that reproduce s (without program, model, host and port), taken from the arena:
 * only what differs from the defaults. Returns how many, or negative. */
int pl_llamacpp_argv(const struct pl_settings *s, struct pl_arena *a,
                     const char *argv[PL_FLAG_ARGV_MAX], struct pl_err *err);

/* The same as one line: what the ledger keeps and what a user can paste. */
void pl_llamacpp_flags_text(const struct pl_settings *s, struct pl_str *out);

#endif
