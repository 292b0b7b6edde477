/* Passwords, keys and tokens taken out of a line before it is shown or kept: of what a program
 * said, of a foreign log. (Words of a command line: base/redact_words.h.) By form:
 *
 *     --api-key X  --hf-token=X            <secret>, the option stays
 *     HF_TOKEN=X  "api_key": "X"           the name stays; None, null, true, false and 0 stay too
 *     Authorization: Bearer X
 *     https://user:password@host/  ?X-Amz-Signature=X&token=X
 *     hf_..., sk-..., ghp_... and the like, wherever they stand
 *
 * and by value: what a struct pl_mask was told is secret, wherever it stands. It takes out more
 * than it must rather than less; a secret without form that nobody named stays. */
#ifndef PL_BASE_MASK_H
#define PL_BASE_MASK_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_MASK_TEXT "<secret>"
#define PL_MASK_TEXT_MAX 65536 /* of a text pl_mask_text looks at */
#define PL_MASK_KNOWN_MAX 64
#define PL_MASK_VALUE_MIN 8 /* shorter ones are not looked for by value: they would be words */

struct pl_mask {
    const char *known[PL_MASK_KNOWN_MAX]; /* borrowed */
    size_t len[PL_MASK_KNOWN_MAX];
    uint32_t n;
};

/* Remembers the values of secret options among a command's words, and of secret variables among
 * "NAME=value" (NULL-ended; may be NULL). Both are borrowed. */
void pl_mask_words(struct pl_mask *m, int argc, char *const *argv);
void pl_mask_environment(struct pl_mask *m, char *const *env);

/* Appends text without its secrets. m may be NULL: by form alone. */
void pl_mask_add(const struct pl_mask *m, const char *text, size_t len, struct pl_str *out);

/* A copy in out, cut to its size. Returns out. */
const char *pl_mask_text(const struct pl_mask *m, const char *text, char *out, size_t size);

#endif
