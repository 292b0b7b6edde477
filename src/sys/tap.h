/* A listener on one of a child's outputs: bytes go on untouched, a copy goes to a function. A
 * terminal stays one for the child (it gets a pseudo-terminal of the same size), a file is handed
 * on as it is and read afterwards. */
#ifndef PL_SYS_TAP_H
#define PL_SYS_TAP_H

#include "base/err.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum pl_tap_kind {
    PL_TAP_NONE = 0, /* handed on, not listened to */
    PL_TAP_PIPE,
    PL_TAP_TERMINAL,
    PL_TAP_FILE,
};

struct pl_tap {
    enum pl_tap_kind kind;
    int to;     /* where the bytes go: ours, 1 or 2 */
    int child;  /* the child's end; -1 when it is `to` itself, or closed */
    int from;   /* our end, non-blocking; -1 when there is none */
    off_t at;   /* of a file: where the child begins to write */
    char *held; /* read, and not written yet: nobody took it so far */
    size_t held_at, held_n;
    uint64_t passed; /* bytes that went through */
};

typedef void pl_tap_fn(void *ctx, const char *bytes, size_t n);

/* Sets up a listener on fd (1 or 2). Never fails: what cannot be listened to is handed on. */
void pl_tap_open(int fd, struct pl_tap *ret);
/* After the child was started. */
void pl_tap_started(struct pl_tap *t);
/* Passes on some of what is there, and never waits for the reader: what he does not take is held,
 * and nothing more is read, so that the child waits as it would without us. False at the end, and
 * when nobody reads any more (*ret_broken). */
bool pl_tap_pump(struct pl_tap *t, pl_tap_fn *fn, void *ctx, bool *ret_broken);
/* What to wait for before the next pl_tap_pump: words of the child, or a reader with room. */
struct pollfd pl_tap_wait(const struct pl_tap *t);
/* The size of our terminal to the child's. */
void pl_tap_resize(const struct pl_tap *t);
/* Of a file: the last PL_TAP_FILE_MAX bytes written since. Then closes. */
void pl_tap_done(struct pl_tap *t, pl_tap_fn *fn, void *ctx);
#define PL_TAP_FILE_MAX (16u << 20)

#endif
