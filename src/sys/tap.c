#include "sys/tap.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PL_TAP_CHUNK 65536
#define PL_TAP_PIPE_PIECE 4096    /* PIPE_BUF */
#define PL_TAP_TERMINAL_PIECE 512 /* a terminal says it has room when it has for some */
#define PL_TAP_TURNS 16           /* of reading and writing, before others have their turn */

static bool pl_tap_terminal(struct pl_tap *t)
{
    char name[64];
    struct termios raw;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0)
        return false;
    if (grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
        goto fail;
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        goto fail;
    if (tcgetattr(slave, &raw) == 0) { /* our own terminal turns newlines, this one must not */
        raw.c_oflag &= ~(tcflag_t)OPOST;
        raw.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG);
        (void)tcsetattr(slave, TCSANOW, &raw);
    }
    t->kind = PL_TAP_TERMINAL;
    t->child = slave;
    t->from = master;
    pl_tap_resize(t);
    return true;
fail:
    (void)close(master);
    return false;
}

static bool pl_tap_pipe(struct pl_tap *t)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    t->kind = PL_TAP_PIPE;
    t->from = ends[0];
    t->child = ends[1];
    return true;
}

void pl_tap_open(int fd, struct pl_tap *ret)
{
    struct stat st;
    static char held[2][PL_TAP_CHUNK];
    *ret = (struct pl_tap){.to = fd, .child = -1, .from = -1, .held = held[fd == STDERR_FILENO]};
    if (fstat(fd, &st) < 0)
        return;
    if (S_ISREG(st.st_mode)) {
        ret->kind = PL_TAP_FILE;
        ret->at = st.st_size;
    } else if (isatty(fd) == 1) {
        (void)pl_tap_terminal(ret);
    } else if (!S_ISCHR(st.st_mode)) { /* /dev/null and its like are handed on */
        (void)pl_tap_pipe(ret);
    }
    if (ret->from >= 0)
        (void)fcntl(ret->from, F_SETFL, O_NONBLOCK);
}

void pl_tap_started(struct pl_tap *t)
{
    if (t->child >= 0)
        (void)close(t->child);
    t->child = -1;
}

/* Writes of what is held as much as is taken without waiting: up to a page goes into any pipe that
 * has room at all (pipe(7)), less into a terminal. False when the reader is gone. */
static bool pl_tap_put(struct pl_tap *t)
{
    size_t piece = t->kind == PL_TAP_TERMINAL ? PL_TAP_TERMINAL_PIECE : PL_TAP_PIPE_PIECE;
    while (t->held_n > 0) {
        struct pollfd p = {.fd = t->to, .events = POLLOUT};
        if (poll(&p, 1, 0) <= 0)
            return true;
        ssize_t put = write(t->to, t->held + t->held_at, t->held_n < piece ? t->held_n : piece);
        if (put < 0 && errno == EAGAIN)
            return true;
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            t->held_at += (size_t)put;
            t->held_n -= (size_t)put;
            t->passed += (size_t)put;
        }
    }
    return true;
}

static void pl_tap_end(struct pl_tap *t)
{
    (void)close(t->from);
    t->from = -1;
    t->held_n = 0;
}

bool pl_tap_pump(struct pl_tap *t, pl_tap_fn *fn, void *ctx, bool *ret_broken)
{
    for (int turn = 0; t->from >= 0 && turn < PL_TAP_TURNS; turn++) {
        if (!pl_tap_put(t)) {
            *ret_broken = true; /* closing our end tells the child, as a closed pipe would */
            pl_tap_end(t);
            break;
        }
        if (t->held_n > 0)
            return true;
        ssize_t n = read(t->from, t->held, PL_TAP_CHUNK);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n > 0) {
            fn(ctx, t->held, (size_t)n);
            t->held_at = 0;
            t->held_n = (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            pl_tap_end(t); /* end, or EIO of a terminal nobody has open */
        }
    }
    return t->from >= 0;
}

struct pollfd pl_tap_wait(const struct pl_tap *t)
{
    if (t->from >= 0 && t->held_n > 0)
        return (struct pollfd){.fd = t->to, .events = POLLOUT};
    return (struct pollfd){.fd = t->from, .events = POLLIN};
}

void pl_tap_resize(const struct pl_tap *t)
{
    struct winsize w;
    if (t->kind == PL_TAP_TERMINAL && t->from >= 0 && ioctl(t->to, TIOCGWINSZ, &w) == 0)
        (void)ioctl(t->from, TIOCSWINSZ, &w);
}

/* A file was opened for writing: it is opened again by its own name in /proc. */
static void pl_tap_read_file(const struct pl_tap *t, pl_tap_fn *fn, void *ctx)
{
    char path[64];
    static char chunk[PL_TAP_CHUNK];
    struct stat st;
    (void)PL_FMT(path, "/proc/self/fd/%d", t->to);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t at = t->at;
    if (fstat(fd, &st) == 0 && st.st_size - at > (off_t)PL_TAP_FILE_MAX)
        at = st.st_size - (off_t)PL_TAP_FILE_MAX;
    for (ssize_t n = 1; n > 0; at += n) {
        n = pread(fd, chunk, sizeof(chunk), at);
        if (n > 0)
            fn(ctx, chunk, (size_t)n);
    }
    (void)close(fd);
}

void pl_tap_done(struct pl_tap *t, pl_tap_fn *fn, void *ctx)
{
    if (t->kind == PL_TAP_FILE)
        pl_tap_read_file(t, fn, ctx);
    pl_tap_started(t);
    if (t->from >= 0)
        (void)close(t->from);
    t->from = -1;
}
