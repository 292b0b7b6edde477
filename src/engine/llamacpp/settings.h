/* llama-server's flags, by its own names and with its own defaults. Pure: reads no environment, see
 * environment.h for LLAMA_ARG_*.
 *
 * Every flag of the engine has a row. What a flag does to memory decides its kind: a field of
 * struct pl_settings, or no effect on memory (handed on, or left to the engine's own server), or
 * refused with the reason. A word without a row is an error, never ignored. */
#ifndef PL_ENGINE_LLAMACPP_SETTINGS_H
#define PL_ENGINE_LLAMACPP_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "domain/settings.h"

#include <stddef.h>

#define PL_FLAG_NAMES_MAX 5
#define PL_FLAG_ARGV_MAX 256
#define PL_PROPORTIONS_MAX 16 /* src/llama.cpp, llama_max_devices */

enum pl_flag_kind {
    PL_FLAG_U64 = 0, /* whole number >= 0 */
    PL_FLAG_I64,     /* whole number, -1 allowed */
    PL_FLAG_LAYERS,  /* int64_t: whole number, auto or all */
    PL_FLAG_TRI,     /* enum pl_tri: on|off|auto */
    PL_FLAG_ONOFF,   /* bool: on|off */
    PL_FLAG_TYPE,    /* uint32_t: cache type by name */
    PL_FLAG_WORD,    /* an enum: the value's place among `words` */
    PL_FLAG_PORT,    /* uint16_t: 1 .. 65535 */
    PL_FLAG_YES,     /* switch: bool true */
    PL_FLAG_NO,      /* switch: bool false */
    PL_FLAG_TRI_ON,  /* switch: enum pl_tri on */
    PL_FLAG_TRI_OFF, /* switch: enum pl_tri off */
    PL_FLAG_TEXT,    /* const char *: borrowed */
    PL_FLAG_FILE,    /* const char *: a path, borrowed */
    PL_FLAG_TEXTS,   /* struct pl_texts: may be given several times */
    PL_FLAG_FILES,   /* the same, of paths: "a,b", "a:0.5,b:1" */
    PL_FLAG_NUMBERS, /* const char *: numbers >= 0 between commas or slashes */
    PL_FLAG_BUFFERS, /* struct pl_overrides: regex=buffer,... */
    PL_FLAG_EXPERTS, /* struct pl_overrides: experts of all or of the first N layers */
    PL_FLAG_FFN,     /* struct pl_overrides: feed-forward of the first N layers */
    PL_FLAG_OLD,     /* a switch of older versions: `words` holds today's "NAME VALUE" */
    PL_FLAG_PASS,    /* no effect on memory: handed on */
    PL_FLAG_SERVE,   /* how its server is reached, logs or looks: no effect on memory, not handed on
                        to an engine of our own */
    PL_FLAG_CANNOT,  /* changes memory in a way that is not predicted: exit 3, never a wrong number
                      */
    PL_FLAG_REFUSE,  /* no setting of a model to serve: usage error */
};

struct pl_flag {
    const char *names[PL_FLAG_NAMES_MAX]; /* "-c", "--ctx-size"; NULL-ended when shorter */
    const char *arg;                      /* value name; NULL = switch */
    const char *env;                      /* LLAMA_ARG_*, or NULL */
    const char *help;                     /* NULL: accepted, not listed */
    enum pl_flag_kind kind;
    size_t field; /* offset in struct pl_settings */
    /* PL_FLAG_WORD: "layer|none|row|tensor"; CANNOT, REFUSE: what to do instead, a hint */
    const char *words;
};

/* The table; ends with names[0] == NULL. Rows of kinds from PL_FLAG_OLD on have no field. The
 * others stand in the order in which pl_llamacpp_argv writes them. */
const struct pl_flag *pl_llamacpp_flags(void);
/* The row with this spelling ("-c", "--ctx-size"), or NULL. */
const struct pl_flag *pl_llamacpp_flag_named(const char *word);

/* llama-server's defaults. */
void pl_llamacpp_defaults(struct pl_settings *s);

/* Takes the flag at argv[0] (and its values): returns the words used, 0 when the table has no such
 * flag, or negative with err. Borrowed argv strings must outlive s. */
int pl_llamacpp_flag(struct pl_settings *s, int argc, char *const *argv, struct pl_err *err);

/* Sets one flag by its table row; value may be NULL for switches. name is used in errors. */
int pl_llamacpp_flag_set(struct pl_settings *s, const struct pl_flag *flag, const char *name,
                         const char *value, struct pl_err *err);

/* The numbers of a PL_FLAG_NUMBERS text: how many, or negative when it is not such a list. */
int pl_llamacpp_numbers(const char *text, double ret[PL_PROPORTIONS_MAX]);

/* The argv words that reproduce s (without program, model, host and port), taken from the arena:
 * only what differs from the defaults. Returns how many, or negative. */
int pl_llamacpp_argv(const struct pl_settings *s, struct pl_arena *a,
                     const char *argv[PL_FLAG_ARGV_MAX], struct pl_err *err);

/* The same as one line, files by their names alone: what the ledger keeps. */
void pl_llamacpp_flags_text(const struct pl_settings *s, struct pl_str *out);

#endif
