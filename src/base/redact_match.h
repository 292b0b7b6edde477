/* The forms of secrets (base/redact.h). */
#ifndef PL_BASE_REDACT_MATCH_H
#define PL_BASE_REDACT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

enum pl_secret_kind {
    PL_SECRET_TOKEN = 0, /* before what else may be in a URL */
    PL_SECRET_USER,
    PL_SECRET_UUID,
    PL_SECRET_MAC,
    PL_SECRET_IPV6,
    PL_SECRET_IPV4,
    PL_SECRET_HOST,
    PL_SECRET_SERIAL,
    PL_SECRET_ARGUMENT,
    PL_SECRETS,
};

/* Bytes of text[at..len) that are a secret of that form, 0 when none begins there. Of them the
 * first *ret_keep are no secret ("/home/", "://"). */
size_t pl_secret_match(enum pl_secret_kind kind, const char *text, size_t at, size_t len,
                       size_t *ret_keep);

/* Words of a command line that say what runs, not on what. */
bool pl_argument_stays(const char *word, size_t n, bool after_module_option);
bool pl_argument_is_program(const char *word, size_t n);
/* "--key=" of "--key=value". */
size_t pl_option_name(const char *word, size_t n);

#endif
