/* JSON. Out: a small streaming writer into a pl_str, which cannot produce unbalanced or unescaped
 * text. In: jansson, hidden behind json.c; values are borrowed from the document. */
#ifndef PL_BASE_JSON_H
#define PL_BASE_JSON_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_JSON_DEPTH_MAX 32
#define PL_JSON_TEXT_MAX (64u * 1024u * 1024u) /* largest document read or written */

struct pl_json {
    struct pl_str *out; /* borrowed */
    uint32_t depth;
    bool pretty;                   /* two-space indentation; off for line output */
    bool comma[PL_JSON_DEPTH_MAX]; /* something was written at this depth */
    bool array[PL_JSON_DEPTH_MAX];
};

void pl_json_start(struct pl_json *j, struct pl_str *out, bool pretty);

/* In an object key is compulsory; in an array or at the top it must be NULL. */
void pl_json_object(struct pl_json *j, const char *key);
void pl_json_array(struct pl_json *j, const char *key);
void pl_json_end(struct pl_json *j); /* closes the innermost object or array */
void pl_json_str(struct pl_json *j, const char *key, const char *value); /* NULL writes null */
void pl_json_u64(struct pl_json *j, const char *key, uint64_t value);
void pl_json_i64(struct pl_json *j, const char *key, int64_t value);
void pl_json_num(struct pl_json *j, const char *key, double value); /* NaN and inf write null */
void pl_json_bool(struct pl_json *j, const char *key, bool value);
void pl_json_null(struct pl_json *j, const char *key);

/* Reading. A document owns every value reached from it. */
struct pl_jdoc;
typedef const void *pl_jval; /* NULL = absent; every getter accepts NULL */

/* Parses text (len bytes). name is used in errors, which carry line and column. -EINVAL on bad
 * JSON, -E2BIG over PL_JSON_TEXT_MAX, -ENOMEM. Free with pl_jdoc_free (accepts NULL). */
int pl_jdoc_parse(const char *text, size_t len, const char *name, struct pl_jdoc **ret,
                  struct pl_err *err);
struct pl_jdoc *pl_jdoc_free(struct pl_jdoc *doc); /* always returns NULL */
pl_jval pl_jdoc_root(const struct pl_jdoc *doc);

/* The name of the member after `key` (NULL: the first one), NULL after the last. */
const char *pl_jnext(pl_jval object, const char *key);
bool pl_jis_array(pl_jval v);
pl_jval pl_jget(pl_jval object, const char *key);
size_t pl_jlen(pl_jval array); /* 0 for anything but an array */
pl_jval pl_jat(pl_jval array, size_t i);
bool pl_jis_null(pl_jval v); /* absent counts as null */
bool pl_jis_object(pl_jval v);
const char *pl_jstr(pl_jval v, const char *absent);
bool pl_ju64(pl_jval v, uint64_t *ret); /* non-negative integers only */
bool pl_jnum(pl_jval v, double *ret);
bool pl_jbool(pl_jval v, bool absent);

#endif
