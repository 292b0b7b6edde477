/* Secrets in the words of a command line, which is kept and shown: values of options and variables
 * whose names say that they are secret (--api-key, HF_TOKEN=), what has the form of a token, and
 * passwords in URLs. What is taken out becomes "<secret>". It works by form: a password that is a
 * plain word of its own cannot be known. */
#ifndef PL_BASE_REDACT_WORDS_H
#define PL_BASE_REDACT_WORDS_H

#include "base/str.h"

/* Whether the word before asks for a secret; start with a zeroed one. */
struct pl_redact_words {
    bool value; /* the next word is a secret */
};

/* Appends the word without its secrets. Words with blanks in them (of sh -c) are taken apart. */
void pl_redact_word(struct pl_redact_words *r, const char *word, struct pl_str *out);

#endif
