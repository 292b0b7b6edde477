/* What a program is, by its name: data/programs.tsv. */
#ifndef PL_MACHINE_CONSUMER_PROGRAM_H
#define PL_MACHINE_CONSUMER_PROGRAM_H

#include "domain/consumer.h"

#include <stdbool.h>
#include <stddef.h>

struct pl_program {
    const char *name;     /* of the process; a pattern of fnmatch(3) */
    const char *argument; /* one word of its command line, a pattern too; NULL = any */
    const char *program;  /* what it is shown as: all of a browser's processes are one program */
    enum pl_consumer_kind kind;
    bool draws;         /* a display server or compositor: its presence is a desktop */
    const char *advice; /* what to do to get its memory, or why not to */
    const char *source;
};

/* name as the kernel cuts it (15 characters) or as a driver says it, with a path and arguments.
 * words: the command line, each word ended by NUL, len bytes in all; NULL = not known, rows that
 * ask for a word are then left out. NULL when the table does not have it. */
const struct pl_program *pl_program_known(const char *name, const char *words, size_t len);

/* A row by what the program is shown as, or NULL: all rows of a program are alike but in how they
 * are found. */
const struct pl_program *pl_program_called(const char *program);

/* True when some row of that name asks for the command line. */
bool pl_program_asks(const char *name);

/* The last part of a path without arguments: "/usr/lib/firefox/firefox -contentproc" is "firefox";
 * Windows' own separator too. Returns out. */
const char *pl_program_base(const char *name, char *out, size_t size);

#endif
