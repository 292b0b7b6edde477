/* The little that is asked of an http or https URL. */
#ifndef PL_SYS_URL_H
#define PL_SYS_URL_H

#include <stdbool.h>
#include <stddef.h>

#define PL_URL_MAX 4096 /* signed URLs of storage services reach 2 KB */

/* True of "http://host..." and "https://host..." without blanks or control characters, shorter than
 * PL_URL_MAX. */
bool pl_url_ok(const char *url);

/* The URL without user name, password, query and fragment: those may be secrets, so this is what is
 * shown and kept. Returns out. */
const char *pl_url_shown(const char *url, char out[PL_URL_MAX]);

/* The same scheme, host and port: credentials for one are not given to another. */
bool pl_url_same_origin(const char *a, const char *b);

/* localhost, 127.0.0.0/8, ::1 */
bool pl_url_loopback(const char *url);

bool pl_url_https(const char *url);

/* The URL of another path beside this one's: user, query and fragment of `url`, the rest of `shown`
 * (which comes from pl_url_shown of url, with its path changed). false when it is too long. */
bool pl_url_with(const char *url, const char *shown, char out[PL_URL_MAX]);

#endif
