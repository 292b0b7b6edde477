/* Words for what a server answered, and for tries that failed. */
#ifndef PL_MODEL_REMOTE_STATUS_H
#define PL_MODEL_REMOTE_STATUS_H

#include "sys/http_get.h"

/* An answer that is not what was asked for, as an error about url: -EACCES, -ENOENT, -EBUSY,
 * -ERANGE (416), -EREMOTEIO. with_token: a token was sent. */
int pl_remote_refused(const char *url, const struct pl_get_answer *a, bool with_token,
                      struct pl_err *err);

/* One request, tried again once when the server was busy (after the time it asks for, if that is
 * short), failed (5xx) or, of a request without on_data, broke off. The answer may have any status.
 */
int pl_remote_get(struct pl_get *g, const struct pl_get_request *q, struct pl_get_answer *ret,
                  struct pl_err *err);

#endif
