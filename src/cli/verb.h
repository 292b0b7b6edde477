/* Verbs: one file each, one row each in verbs.c. The option tables drive parsing, --help, the man
 * page and the shell completions. */
#ifndef PL_CLI_VERB_H
#define PL_CLI_VERB_H

#include "base/err.h"
#include "base/str.h"
#include "domain/setting_table.h"
#include "domain/settings.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_OPTS_MAX 24
#define PL_ARGS_MAX 1024 /* words of a command, for the verb that takes one */
#define PL_OPT_LIST_MAX 8

enum pl_opt_kind {
    PL_OPT_FLAG = 0, /* no value */
    PL_OPT_TEXT,
    PL_OPT_PATH,   /* text; completion offers files */
    PL_OPT_SIZE,   /* "5.5GiB": bytes in .u */
    PL_OPT_NUMBER, /* non-negative integer in .u */
    PL_OPT_LIST,   /* text; may be given several times: all of them in .list */
    PL_OPT_CHOICE, /* one of the words in `arg`, separated by '|' */
};

struct pl_opt {
    const char *name; /* long name without dashes */
    char letter;      /* '\0' = none */
    enum pl_opt_kind kind;
    const char *arg;  /* name of the value in the help; for a choice the words */
    const char *help; /* one line, no final stop */
};

struct pl_cli;
struct pl_engine;

struct pl_verb {
    const char *name;
    const char *args;            /* "MODEL [flags]" */
    const char *summary;         /* one line */
    const char *details;         /* paragraph, or NULL */
    const char *const *examples; /* NULL-ended "command  # what it does"; at least one */
    const struct pl_opt *opts;   /* ends with a NULL name; --json, --help come by themselves */
    bool command;                /* its arguments are a command: all from the first one on */
    bool engine_flags;           /* also takes llama-server's own flags */
    bool other_engines;          /* and those of the engine that --engine names */
    uint32_t args_min, args_max;
    int (*run)(struct pl_cli *cli,
               struct pl_err *err); /* exit status, or negative errno with err */
};

struct pl_opt_value {
    bool given;
    const char *text;                  /* borrowed argv */
    const char *list[PL_OPT_LIST_MAX]; /* of PL_OPT_LIST, in order */
    uint32_t n_list;
    uint64_t u;
};

struct pl_cli {
    const struct pl_verb *verb;
    struct pl_opt_value value[PL_OPTS_MAX]; /* by index in verb->opts */
    const char *arg[PL_ARGS_MAX + 1];       /* NULL-ended */
    uint32_t n_arg;
    struct pl_settings settings;     /* from the engine flags and LLAMA_ARG_* */
    const struct pl_engine *engine;  /* that --engine names, where its flags are in `values`; NULL:
                                        llama.cpp */
    struct pl_setting_values values; /* that engine's */
    bool json;
    struct pl_str out; /* what the verb prints; written to stdout when run returns */
};

/* The value of an option by its long name; given=false when absent. The name must be in the table.
 */
const struct pl_opt_value *pl_cli_opt(const struct pl_cli *cli, const char *name);

/* Writes cli->out to stdout now and empties it: for verbs that print while they work. Returns 0 or
 * -errno (a closed pipe or a full disk). */
int pl_cli_flush(struct pl_cli *cli, struct pl_err *err);

/* Progress line on stderr when it is a terminal; quiet otherwise. Ends with pl_progress_done. */
void pl_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void pl_progress_done(void);

/* All verbs in help order, NULL-ended. */
extern const struct pl_verb *const pl_verbs[];

/* Fills cli from argv (after the verb). 0, or -EINVAL with a hint naming the nearest option.
 * *ret_help is set when --help was given. */
int pl_cli_parse(struct pl_cli *cli, int argc, char **argv, bool *ret_help, struct pl_err *err);

/* Help texts, man page and completions from the tables. */
void pl_help_overview(struct pl_str *out);
void pl_help_verb(const struct pl_verb *verb, const struct pl_engine *engine, struct pl_str *out);
void pl_help_man(struct pl_str *out); /* man/plimsoll.1 in roff */
int pl_help_completion(const char *shell, struct pl_str *out, struct pl_err *err);

#endif
