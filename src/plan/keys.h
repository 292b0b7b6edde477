/* The key table of stack files: one row per key drives the check of a file, its errors, the JSON
 * Schema for editors and the reference in docs/stack.md. */
#ifndef PL_PLAN_KEYS_H
#define PL_PLAN_KEYS_H

#include "base/err.h"
#include "base/str.h"
#include "base/yaml_tree.h"

#include <stdbool.h>
#include <stdint.h>

enum pl_key_type {
    PL_K_TEXT = 0,
    PL_K_NAME,     /* letters, digits, '-', '_', '.' */
    PL_K_UINT,     /* whole number within min .. max */
    PL_K_NUMBER,   /* decimal, not negative; min and max in thousandths */
    PL_K_BOOL,     /* true, false (yes, no, on, off) */
    PL_K_SIZE,     /* "5.5GiB", "5.5GB", bytes */
    PL_K_QUANTITY, /* a size, or {low, bytes, high} */
    PL_K_TIME,     /* "500ms", "2s" */
    PL_K_CHOICE,   /* one of the words in `words` */
    PL_K_CHOICES,  /* one of them, or a list without repetition */
    PL_K_TEXTS,    /* a text or a list of texts */
    PL_K_WANT,     /* a whole number, or {min, want} */
    PL_K_MAP,      /* the keys of `sub` */
    PL_K_NAMED,    /* NAME: {keys of `sub`}, any number of names */
    PL_K_LIST,     /* a list of maps with the keys of `sub` */
    PL_K_COUNTS,   /* NAME: whole number */
};

struct pl_key {
    const char *name; /* NULL ends a table */
    enum pl_key_type type;
    const char *words;  /* of a choice: "a|b|c" */
    uint64_t min, max;  /* of a number; of a list: items */
    const char *absent; /* what holds without it, for people; NULL = nothing */
    const char *doc;    /* one line */
    const struct pl_key *sub;
    bool needed; /* an error without it, once environments are merged */
    bool raw;    /* ${VAR} is left for the launch */
};

/* The keys of a whole file; of a quantity written out; of PL_K_WANT. */
extern const struct pl_key pl_stack_keys[];
extern const struct pl_key pl_quantity_keys[];
extern const struct pl_key pl_want_keys[];

/* Checks a tree against a table. whole: needed keys must be there, and no variable is left; else a
 * value with ${...} passes as any type. -EINVAL with the place and, where a word is near, a hint.
 */
int pl_keys_check(const struct pl_ynode *root, const struct pl_key *table, bool whole,
                  struct pl_err *err);

/* The row of a key; NULL. */
const struct pl_key *pl_key_row(const struct pl_key *table, const char *name);

/* Reading values that passed the check; absent: when the key is not there or says nothing. */
uint64_t pl_yuint(const struct pl_ynode *map, const char *key, uint64_t absent);
uint64_t pl_ysize(const struct pl_ynode *map, const char *key, uint64_t absent);
uint64_t pl_ymilli(const struct pl_ynode *map, const char *key, uint64_t absent);  /* thousandths */
uint64_t pl_ymicros(const struct pl_ynode *map, const char *key, uint64_t absent); /* time in us */
bool pl_ybool(const struct pl_ynode *map, const char *key, bool absent);
const char *pl_ytext(const struct pl_ynode *map, const char *key, const char *absent);

/* Decimal text to thousandths, rounded down; false when it is none or too large. */
bool pl_milli_parse(const char *text, uint64_t *ret);
/* "500ms", "1.5s", "20us" to microseconds. */
bool pl_micros_parse(const char *text, uint64_t *ret);

/* The JSON Schema of stack files (data/schema/stack.json) and the reference (docs/stack.md), from
 * the table. */
void pl_stack_schema(struct pl_str *out);
void pl_stack_reference(struct pl_str *out);

#endif
