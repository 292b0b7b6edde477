/* Growing text with a compulsory cap. A failed append marks the text as failed; later appends do
 * nothing, so one check at the end is enough. */
#ifndef PL_BASE_STR_H
#define PL_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_str {
    char *data; /* NUL-ended, or NULL while empty; owned */
    size_t len, size, cap;
    bool failed; /* cap reached or no memory */
};

void pl_str_init(struct pl_str *s, size_t cap_bytes);
void pl_str_done(struct pl_str *s);
void pl_str_clear(struct pl_str *s); /* keeps the memory, forgets the text and the failure */

void pl_str_add(struct pl_str *s, const char *text);
void pl_str_addn(struct pl_str *s, const char *text, size_t len);
void pl_str_addf(struct pl_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pl_str_addc(struct pl_str *s, char c, size_t times);

/* The text, never NULL; borrowed until the next append. */
const char *pl_str_get(const struct pl_str *s);

/* Helpers on plain strings. */
bool pl_streq(const char *a, const char *b);
bool pl_starts(const char *s, const char *prefix);
bool pl_ends(const char *s, const char *suffix);

/* Strict decimal: the whole text must be digits (a leading '-' for the signed form). Returns false
 * on anything else or on overflow; *ret is then untouched. */
bool pl_parse_u64(const char *s, uint64_t *ret);
/* The digits at *s, which moves behind them; false when there are none or too many. */
bool pl_take_u64(const char **s, uint64_t *ret);
/* Copies the n bytes of a plain name, as registries allow them: letters, digits, "-", "_" and ".",
 * beginning with neither "-" nor "."; false for anything else, or when it does not fit. */
bool pl_take_name(char *out, size_t size, const char *from, size_t n);
bool pl_parse_i64(const char *s, int64_t *ret);
bool pl_parse_double(const char *s, double *ret);

/* Bytes of the UTF-8 character at s (1 for ASCII, NUL too), or 0 when it is not valid UTF-8. */
size_t pl_utf8_len(const char *s);

/* Makes foreign text fit for a terminal, in place: control characters, marks that turn the writing
 * direction, and bytes that are no UTF-8 become '?'. */
void pl_text_clean(char *s);

/* A cleaned copy of at most size - 1 bytes; a longer text ends in "..." at a character's end.
 * size >= 4. Returns out. */
const char *pl_text_cut(char *out, size_t size, const char *text);

/* snprintf into a fixed array; returns false when the text was cut. */
#define PL_FMT(array, ...) pl_fmt((array), sizeof(array), __VA_ARGS__)
bool pl_fmt(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The n bytes at `from` as a text; false when they do not fit (out is "" then). What PL_FMT with
 * "%.*s" does, at a tenth of its cost: an estimate cuts thousands of names. */
bool pl_slice(char *out, size_t size, const char *from, size_t n);
/* The NULL-ended texts one after the other; false when they do not fit (cut at the end then). */
bool pl_join(char *out, size_t size, ...) __attribute__((sentinel));
/* The number in decimal digits; the text begins somewhere in out. */
#define PL_DIGITS_MAX 21
const char *pl_digits(uint64_t n, char out[PL_DIGITS_MAX]);

/* The nearest of the NULL-ended names to word (edit distance, at most a third of its length off),
 * or NULL when nothing is near. For "did you mean". */
const char *pl_nearest(const char *word, const char *const *names);

#endif
