/* Settings of an engine as a table of its own flags: parsing, defaults, JSON and the flags that
 * reproduce them all follow from the rows. For engines whose settings have no struct of their own
 * (domain/settings.h is llama-server's). Pure. */
#ifndef PL_DOMAIN_SETTING_TABLE_H
#define PL_DOMAIN_SETTING_TABLE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_SETTINGS_MAX 160 /* rows of one engine, flags without effect on memory included */
#define PL_SETTING_NAMES_MAX 4

enum pl_takes {
    PL_TAKES_NOTHING = 0, /* a switch: u is 1 when given */
    PL_TAKES_COUNT,       /* whole number: u */
    PL_TAKES_NUMBER,      /* fraction or amount: d */
    PL_TAKES_WORD,        /* one of `words`: u is its place, text the word */
    PL_TAKES_TEXT,        /* text */
    PL_TAKES_PASS,        /* a switch without effect on memory */
    PL_TAKES_PASS_VALUE,  /* the same with a value */
    PL_TAKES_CANNOT,      /* a switch that changes memory in a way not predicted: exit 3 */
    PL_TAKES_CANNOT_VALUE,
};

struct pl_setting_row {
    const char *names[PL_SETTING_NAMES_MAX]; /* "--dtype"; "_" and "-" are one; NULL-ended when
                                                shorter */
    const char *key; /* in JSON and for the getters; NULL for kinds without a value */
    enum pl_takes takes;
    const char *arg;    /* of its value in the help */
    const char *absent; /* the value when not given; NULL = unset (0, "") */
    const char *words;  /* PL_TAKES_WORD: "fp16|bf16"; CANNOT: what to do instead */
    double min, max;    /* of COUNT and NUMBER; max 0 = no limit */
    const char *help;   /* NULL: accepted, not listed */
};

struct pl_setting_value {
    bool given; /* by the user; not the default */
    bool set;   /* holds a value at all */
    uint64_t u;
    double d;
    const char *text; /* borrowed or static */
};

struct pl_setting_values {
    const struct pl_setting_row *row; /* ends with names[0] == NULL; NULL: no table */
    struct pl_setting_value value[PL_SETTINGS_MAX];
};

/* Every row at its default. */
void pl_settings_start(struct pl_setting_values *v, const struct pl_setting_row *row);

/* Takes the flag at argv[0] ("--name VALUE" or "--name=VALUE"): returns the words used, 0 when the
 * table has no such flag, or negative with err (exit 2; 3 for what is not predicted). Texts are
 * borrowed. */
int pl_settings_take(struct pl_setting_values *v, int argc, char *const *argv, struct pl_err *err);

/* Getters by key, which the table must have. */
const struct pl_setting_value *pl_setting(const struct pl_setting_values *v, const char *key);
uint64_t pl_setting_u(const struct pl_setting_values *v, const char *key);
double pl_setting_d(const struct pl_setting_values *v, const char *key);
const char *pl_setting_text(const struct pl_setting_values *v, const char *key); /* "" when unset */
bool pl_setting_is(const struct pl_setting_values *v, const char *key, const char *word);

/* Decides what was left open: the footprint writes what the engine would use. text is static. */
void pl_setting_decide_u(struct pl_setting_values *v, const char *key, uint64_t u);
void pl_setting_decide_text(struct pl_setting_values *v, const char *key, const char *text);

/* The flags that were given, as one line: what reproduces them. */
void pl_settings_text(const struct pl_setting_values *v, struct pl_str *out);

#endif
