/* A plan as files for those who start engines: a shell script, units of systemd, files of compose,
 * llama-swap and Ollama. What stands in them comes from stack files: every word is quoted for who
 * reads it. */
#ifndef PL_CLI_EMIT_H
#define PL_CLI_EMIT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "domain/plan.h"
#include "plan/stack.h"

#define PL_EMIT_FILES_MAX (PL_PLAN_COMPONENTS_MAX + 8u)
#define PL_EMIT_TEXT_MAX (4u * 1024u * 1024u)
#define PL_EMIT_PORT 8081u /* of the first component; the next has the next */
#define PL_EMIT_WORDS_MAX 320u

/* A word of a command line. expand: "${NAME}" in it is a variable of the launch; file: it is the
 * whole path of a file. */
struct pl_emit_word {
    const char *text;
    bool expand, file;
};

/* One process of the plan: a component, and those that share it. */
struct pl_emit_process {
    uint32_t component; /* the first that it serves */
    const char *name;
    const struct pl_plan_component *plan;
    const struct pl_stack_component *stack;
    const struct pl_stack_candidate *candidate;
    struct pl_emit_word *word; /* the command; word[0] is the program */
    uint32_t n_word;
    uint32_t port;
    bool llama;        /* the program is llama-server */
    bool device;       /* it takes memory of a device */
    const char *model; /* of llama-server: its file, NULL when it fetches it by itself */
    const char *get;   /* what fetches it, where it is not here; NULL = nothing to do */
    uint64_t host;     /* the most it takes of main memory */
};

struct pl_emit_file {
    const char *name; /* plain */
    const char *text;
    bool program; /* to be executable */
};

struct pl_emit {
    const struct pl_stack *stack;
    const struct pl_plan *plan;
    struct pl_arena *arena;
    const char *models;              /* the folder of model files */
    const char *id;                  /* the stack's name as a plain word */
    struct pl_emit_process *process; /* in the order of loading, then those on demand */
    uint32_t n, n_hot;
    struct pl_str without; /* components that have nothing to start */
    struct pl_emit_file file[PL_EMIT_FILES_MAX];
    uint32_t n_file;
};

/* Takes the plan apart into processes; end with pl_emit_done, on failure too. -EINVAL when there is
 * nothing to start. */
int pl_emit_begin(struct pl_emit *e, struct pl_err *err);
void pl_emit_done(struct pl_emit *e);
/* The stack's name as the plain word by which its processes are known; NULL without memory. */
const char *pl_emit_id(struct pl_arena *arena, const char *stack);
/* The comment that each file begins with. */
void pl_emit_top(const struct pl_emit *e, struct pl_str *out);
/* Is c served by the process of another component of the same instance, p? */
bool pl_emit_serves(const struct pl_emit_process *p, const struct pl_plan_component *c);
/* A comment: how to get the file of p, where it is not here. */
void pl_emit_get(const struct pl_emit_process *p, const char *indent, struct pl_str *out);

/* The writers: each adds its files. */
int pl_emit_script(struct pl_emit *e, struct pl_err *err);
int pl_emit_systemd(struct pl_emit *e, struct pl_err *err);
int pl_emit_compose(struct pl_emit *e, struct pl_err *err);
int pl_emit_swap(struct pl_emit *e, struct pl_err *err);
int pl_emit_ollama(struct pl_emit *e, struct pl_err *err);

/* Adds a file; takes text, which is empty then. */
int pl_emit_add(struct pl_emit *e, const char *name, bool program, struct pl_str *text,
                struct pl_err *err);
/* The same, of a YAML text, after our own reader read it. */
int pl_emit_add_yaml(struct pl_emit *e, const char *name, struct pl_str *text, struct pl_err *err);

/* Words for their readers; false where the reader has no way to say it. */
void pl_emit_sh(struct pl_str *out, const struct pl_emit_word *w);
bool pl_emit_unit(struct pl_str *out, const struct pl_emit_word *w);
void pl_emit_yaml(struct pl_str *out, const char *text);
void pl_emit_compose_word(struct pl_str *out, const struct pl_emit_word *w);
bool pl_emit_swap_word(struct pl_str *out, const struct pl_emit_word *w);
/* A comment: one line, whatever the text holds. */
void pl_emit_comment(struct pl_str *out, const char *text);

/* The kind of --emit; NULL for another word. */
typedef int (*pl_emit_fn)(struct pl_emit *e, struct pl_err *err);
pl_emit_fn pl_emit_of(const char *kind);
#define PL_EMIT_KINDS "llama-server|ollama|compose|systemd|llama-swap"

/* Writes the files below folder, which is made; force: over what is there. NULL: all of them to
 * out. */
int pl_emit_write(const struct pl_emit *e, const char *folder, bool force, struct pl_str *out,
                  struct pl_err *err);

#endif
