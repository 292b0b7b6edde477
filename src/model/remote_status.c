#include "model/remote_status.h"

#include "model/remote.h"

#include <errno.h>
#include <time.h>

#define PL_RETRY_PAUSE_S 1u /* before trying again where the server does not say */

static int pl_refused_access(const struct pl_get_answer *a, bool with_token, struct pl_err *err)
{
    const char *why = a->facts.error_code;
    if (pl_streq(why, "GatedRepo")) {
        (void)pl_fail(err, -EACCES, "access refused (HTTP %ld): its owner lets in whom they accept",
                      a->status);
        (void)pl_hint(err, "accept the terms on the model's page%s",
                      with_token ? " with the account of your token"
                                 : ", then set HF_TOKEN to a token of that account");
    } else if (pl_streq(why, "RepoNotFound")) {
        (void)pl_fail(err, -EACCES, "no such repository, or a private one (HTTP %ld)", a->status);
        (void)pl_hint(err, with_token ? "check the name; your token's account may not see it"
                                      : "check the name; for a private one set HF_TOKEN");
    } else if (with_token) {
        (void)pl_fail(err, -EACCES, "access refused (HTTP %ld), with your token", a->status);
        (void)pl_hint(err, "the token may be wrong or expired, or the model's terms not accepted");
    } else {
        (void)pl_fail(err, -EACCES, "access refused (HTTP %ld)", a->status);
        (void)pl_hint(err, a->status == 401 ? "it wants credentials: for Hugging Face set HF_TOKEN"
                                            : "the server forbids it; a link with a signature may "
                                              "have expired");
    }
    return pl_exit_as(err, -EACCES, PL_EXIT_ENVIRONMENT);
}

static int pl_refused_busy(const struct pl_get_answer *a, struct pl_err *err)
{
    (void)pl_fail(err, -EBUSY, "the server is asked too often (HTTP %ld)", a->status);
    if (a->facts.has_retry_after)
        (void)pl_hint(err, "it says to try again in %llu s",
                      (unsigned long long)a->facts.retry_after_s);
    else
        (void)pl_hint(err, "try again later");
    return pl_exit_as(err, -EBUSY, PL_EXIT_ENVIRONMENT);
}

int pl_remote_refused(const char *url, const struct pl_get_answer *a, bool with_token,
                      struct pl_err *err)
{
    char shown[PL_URL_MAX];
    int code = -EREMOTEIO;
    if (a->status == 401 || a->status == 403) {
        code = pl_refused_access(a, with_token, err);
    } else if (a->status == 404 || a->status == 410) {
        (void)pl_fail(err, code = -ENOENT, "no such file there (HTTP %ld)", a->status);
        (void)pl_exit_as(err, code, PL_EXIT_USAGE);
    } else if (a->status == 429) {
        code = pl_refused_busy(a, err);
    } else if (a->status == 416) {
        (void)pl_fail(err, code = -ERANGE, "the file is shorter than the server said (HTTP 416)");
        (void)pl_exit_as(err, code, PL_EXIT_USAGE);
    } else {
        (void)pl_fail(err, code, "the server answered HTTP %ld%s", a->status,
                      a->status >= 500 ? ": it failed" : "");
        (void)pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    }
    pl_err_at(err, pl_url_shown(url, shown), 0, 0);
    return code;
}

static void pl_remote_pause(uint64_t seconds, const volatile sig_atomic_t *stop)
{
    /* in short steps, as a signal may arrive just before each sleep */
    for (uint64_t i = 0; i < seconds * 10 && (stop == NULL || *stop == 0); i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

int pl_remote_get(struct pl_get *g, const struct pl_get_request *q, struct pl_get_answer *ret,
                  struct pl_err *err)
{
    int rc = pl_get_do(g, q, ret, err);
    bool busy = rc == 0 && (ret->status == 429 || ret->status >= 500);
    bool broke = rc == -ECONNRESET && q->on_data == NULL; /* else the caller goes on from there */
    uint64_t wait = ret->facts.has_retry_after ? ret->facts.retry_after_s : PL_RETRY_PAUSE_S;
    if ((!busy && !broke) || wait > PL_REMOTE_WAIT_S)
        return rc;
    pl_remote_pause(wait, q->stop);
    pl_str_done(&ret->body);
    return pl_get_do(g, q, ret, err);
}
