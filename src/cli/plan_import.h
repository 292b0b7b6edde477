/* What others have configured, as a stack file: llama-swap's configuration, a list of Ollama's
 * models (the output of `ollama list`, or the folder of its store). */
#ifndef PL_CLI_PLAN_IMPORT_H
#define PL_CLI_PLAN_IMPORT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define PL_IMPORT_WORDS_MAX 256u

/* Reads path ("-" is standard input) and appends the stack file, which our own reader has read.
 * -EINVAL, exit status 2, with the place, for what is none of these. */
int pl_plan_import(const char *path, struct pl_arena *arena, struct pl_str *out,
                   struct pl_err *err);

/* The same of a text (a configuration or a list, NUL-ended): name stands in errors. */
int pl_plan_import_text(const char *text, size_t len, const char *name, struct pl_arena *arena,
                        struct pl_str *out, struct pl_err *err);

/* Splits a command as a shell does, without expanding anything: blanks, '...', "...", backslashes;
 * lines that begin with '#' are left out, a backslash at a line's end joins it. Returns the number
 * of words, -EINVAL for an open quote, -E2BIG, -ENOMEM. */
int pl_shell_words(const char *text, struct pl_arena *arena, const char *word[PL_IMPORT_WORDS_MAX],
                   struct pl_err *err);

#endif
