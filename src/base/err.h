/* Errors: every function that can fail returns 0 or a negative errno and, when it fails, fills the
 * caller's struct pl_err (which may be NULL). The buffer is fixed, so the failing path never
 * allocates. Libraries never print and never exit. */
#ifndef PL_BASE_ERR_H
#define PL_BASE_ERR_H

#include <stdint.h>

#define PL_ERR_WHAT_MAX 240
#define PL_ERR_HINT_MAX 200
#define PL_ERR_FILE_MAX 200

struct pl_err {
    int code;           /* negative errno */
    int exit_code;      /* exit status wanted by the user contract; 0 = let the verb decide */
    uint32_t line, col; /* 1-based; 0 when the input has no lines */
    char file[PL_ERR_FILE_MAX]; /* input the error is about; "" when none */
    char what[PL_ERR_WHAT_MAX]; /* one line, no newline: WHAT: WHY */
    char hint[PL_ERR_HINT_MAX]; /* what to do about it; "" when nothing is known to help */
};

/* Exit codes of every verb (see README, "Exit codes"). */
enum pl_exit {
    PL_EXIT_YES = 0,         /* fits, done */
    PL_EXIT_NO = 1,          /* does not fit, limit broken */
    PL_EXIT_USAGE = 2,       /* bad usage or bad input */
    PL_EXIT_CANNOT_TELL = 3, /* a needed fact is unknown */
    PL_EXIT_ENVIRONMENT = 4, /* engine missing, port taken, no permission, disk full */
};

/* Fills err (when not NULL) and returns code, which must be negative. */
int pl_fail(struct pl_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Adds or replaces the hint of err; returns err->code, so it can end a `return`. */
int pl_hint(struct pl_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets the wanted exit status; returns err->code (or code when err is NULL). */
int pl_exit_as(struct pl_err *err, int code, enum pl_exit exit_code);

/* Names the input the error is about. line and col are 1-based, 0 = none. */
void pl_err_at(struct pl_err *err, const char *file, uint32_t line, uint32_t col);

#endif
