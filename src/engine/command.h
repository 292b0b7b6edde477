/* A command line as people type it: which engine it starts, with which model and settings. */
#ifndef PL_ENGINE_COMMAND_H
#define PL_ENGINE_COMMAND_H

#include "base/err.h"
#include "domain/setting_table.h"
#include "domain/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_COMMAND_WORDS_MAX 1024
#define PL_COMMAND_UNKNOWN_MAX 8
#define PL_COMMAND_PATH_MAX 1024

struct pl_engine;

/* A row of data/commands.tsv. */
struct pl_command_row {
    const char *program, *engine, *model_flags, *note, *source;
};

struct pl_command {
    const struct pl_command_row *row; /* NULL: not a program we know */
    int program;                      /* index of its word */
    int first;                        /* of its own arguments */
    const char *model;                /* borrowed; NULL = none named */
    int model_word;                   /* index of that word; -1 = none */
    bool model_inside;                /* "--model=PATH": the word holds flag and path */
    struct pl_settings settings;      /* of llama.cpp's programs */
    const struct pl_engine *other;   /* vLLM, whisper.cpp: an engine with a flag table; else NULL */
    struct pl_setting_values values; /* its flags */
    char mounted[PL_COMMAND_PATH_MAX]; /* of a container: the model's path outside; "" = the same */
    const char *unknown[PL_COMMAND_UNKNOWN_MAX]; /* its flags that were passed over */
    uint32_t n_unknown;
    bool elsewhere; /* its memory is held by another process: a daemon */
};

/* Reads the command: env, nice, taskset, a dynamic loader and their like before the program are
 * passed over. Settings of llama.cpp are read with its LLAMA_ARG_* variables. -E2BIG (exit 2) for
 * more than PL_COMMAND_WORDS_MAX words; -EINVAL for a value the engine itself would refuse. */
int pl_command_read(int argc, char *const *argv, struct pl_command *ret, struct pl_err *err);

/* What the command leaves to the machine and the model: Ollama's context, by the memory of all
 * devices (0 = none) and what the model was trained on (0 = not known). */
void pl_command_on(struct pl_command *c, uint64_t device_bytes, uint64_t n_ctx_train);

/* Writes the command with the flags of `change` ("-c 4096 -ngl 10") in place of its own, or added,
 * and another model when it is not NULL. out[0..n) borrows words; spaces: change's words are kept
 * in text (at least strlen(change) + strlen(model) + 64 bytes). Returns how many, NULL-ended, or
 * -E2BIG. */
int pl_command_with(const struct pl_command *c, int argc, char *const *argv, const char *change,
                    const char *model, const char *out[PL_COMMAND_WORDS_MAX + 1], char *text,
                    size_t text_size);

#endif
