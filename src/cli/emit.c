#include "cli/emit.h"

#include "base/units.h"
#include "base/yaml_tree.h"
#include "engine/llamacpp/settings.h"
#include "sys/newfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *kind;
    pl_emit_fn write;
} pl_emit_kinds[] = {
    {"llama-server", pl_emit_script },
    {"ollama",       pl_emit_ollama },
    {"compose",      pl_emit_compose},
    {"systemd",      pl_emit_systemd},
    {"llama-swap",   pl_emit_swap   },
};

pl_emit_fn pl_emit_of(const char *kind)
{
    for (size_t i = 0; i < sizeof(pl_emit_kinds) / sizeof(pl_emit_kinds[0]); i++) {
        if (pl_streq(pl_emit_kinds[i].kind, kind))
            return pl_emit_kinds[i].write;
    }
    return NULL;
}

static int pl_no_memory(struct pl_err *err)
{
    return pl_fail(err, -ENOMEM, "no memory for the files");
}

/* "[a-z0-9-]" of any text; "stack" where nothing is left. */
static const char *pl_plain_name(struct pl_arena *arena, const char *text)
{
    char out[64];
    size_t n = 0;
    for (const char *s = text != NULL ? text : ""; *s != '\0' && n + 1 < sizeof(out); s++) {
        if (isalnum((unsigned char)*s))
            out[n++] = (char)tolower((unsigned char)*s);
        else if (n > 0 && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n > 0 && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    return pl_arena_strdup(arena, n > 0 ? out : "stack");
}

const char *pl_emit_id(struct pl_arena *arena, const char *stack)
{
    return pl_plain_name(arena, stack);
}

static bool pl_say(struct pl_emit_process *p, const char *text, bool expand)
{
    if (text == NULL || p->n_word >= PL_EMIT_WORDS_MAX)
        return false;
    p->word[p->n_word++] = (struct pl_emit_word){text, expand, false};
    return true;
}

static bool pl_say_file(struct pl_emit_process *p, const char *path)
{
    if (!pl_say(p, path, false))
        return false;
    p->word[p->n_word - 1].file = true;
    return true;
}

/* "${PORT}" filled in. */
static const char *pl_with_port(struct pl_emit *e, const char *text, uint32_t port)
{
    struct pl_str s;
    const char *at;
    pl_str_init(&s, 64 * 1024);
    while ((at = strstr(text, "${PORT}")) != NULL) {
        pl_str_addn(&s, text, (size_t)(at - text));
        pl_str_addf(&s, "%u", port);
        text = at + strlen("${PORT}");
    }
    pl_str_add(&s, text);
    const char *kept = s.failed ? NULL : pl_arena_strdup(e->arena, pl_str_get(&s));
    pl_str_done(&s);
    return kept;
}

/* A program with a folder in its name starts from anywhere. */
static const char *pl_program(struct pl_emit *e, const char *name)
{
    char real[4096];
    if (strchr(name, '/') == NULL || name[0] == '/' || realpath(name, real) == NULL)
        return name;
    return pl_arena_strdup(e->arena, real);
}

/* "...-00001-of-00003.gguf": its other parts are found beside it by their names, so that a link
 * must not be followed to a name of another kind. */
static bool pl_one_of_several(const char *path)
{
    size_t n = strlen(path), end = strlen("-00001-of-00003.gguf");
    const char *s = n > end ? path + n - end : "";
    return *s == '-' && strspn(s + 1, "0123456789") == 5 && strncmp(s + 6, "-of-", 4) == 0 &&
           strspn(s + 10, "0123456789") == 5 && pl_streq(s + 15, ".gguf");
}

/* The whole path of a file that is there; NULL: it is not, or there is no memory. */
static const char *pl_whole_path(struct pl_emit *e, const char *path)
{
    char real[4096], folder[4096], whole[8300];
    const char *slash = strrchr(path, '/');
    if (realpath(path, real) == NULL)
        return NULL;
    if (!pl_one_of_several(path))
        return pl_arena_strdup(e->arena, real);
    if (slash == NULL)
        (void)PL_FMT(folder, ".");
    else if (!PL_FMT(folder, "%.*s", (int)(slash - path + 1), path))
        return NULL;
    if (realpath(folder, real) == NULL ||
        !PL_FMT(whole, "%s/%s", real, slash != NULL ? slash + 1 : path))
        return NULL;
    return pl_arena_strdup(e->arena, whole);
}

static int pl_own_command(struct pl_emit *e, struct pl_emit_process *p, struct pl_err *err)
{
    const char *const *c = p->candidate->command;
    for (size_t i = 0; c[i] != NULL; i++) {
        const char *text = pl_with_port(e, c[i], p->port);
        if (text != NULL && i == 0)
            text = pl_program(e, text);
        if (text != NULL && i == 0 &&
            (text[0] == '\0' || text[0] == '-' || strchr(text, '=') != NULL))
            return pl_exit_as(
                err, pl_fail(err, -EINVAL, "%.60s: '%.60s' is no name of a program", p->name, text),
                PL_EXIT_USAGE);
        if (!pl_say(p, text, true))
            return pl_no_memory(err);
    }
    return 0;
}

/* A catalogue id, or a name that no file is known for: where its file is to be. */
static const char *pl_file_to_get(struct pl_emit *e, struct pl_emit_process *p)
{
    const struct pl_option *o = p->plan->option;
    char path[4096], spec[400];
    struct pl_str get;
    (void)PL_FMT(path, "%s/%s-%s.gguf", e->models, pl_plain_name(e->arena, o->model),
                 o->quant != NULL ? pl_plain_name(e->arena, o->quant) : "model");
    (void)PL_FMT(spec, "%.300s%s%.60s", o->model, p->candidate->quant != NULL ? ":" : "",
                 p->candidate->quant != NULL ? p->candidate->quant : "");
    pl_str_init(&get, 8192);
    pl_str_add(&get, "plimsoll pull ");
    pl_emit_sh(&get, &(struct pl_emit_word){.text = spec});
    pl_str_add(&get, " -o ");
    pl_emit_sh(&get, &(struct pl_emit_word){.text = path});
    if (access(path, R_OK) != 0)
        p->get = pl_arena_strdup(e->arena, pl_str_get(&get));
    pl_str_done(&get);
    return pl_arena_strdup(e->arena, path);
}

static bool pl_model_words(struct pl_emit *e, struct pl_emit_process *p)
{
    const struct pl_option *o = p->plan->option;
    char spec[700];
    if (pl_starts(o->model, "https://"))
        return pl_say(p, "-mu", false) && pl_say(p, o->model, false);
    if (pl_starts(o->model, "hf:")) {
        (void)PL_FMT(spec, "%.600s%s%.60s", o->model + 3, p->candidate->quant != NULL ? ":" : "",
                     p->candidate->quant != NULL ? p->candidate->quant : "");
        return pl_say(p, "-hf", false) && pl_say(p, pl_arena_strdup(e->arena, spec), false);
    }
    if (o->file != NULL && (strchr(o->file, '/') != NULL || pl_ends(o->file, ".gguf")))
        p->model = pl_whole_path(e, o->file);
    if (p->model == NULL)
        p->model = pl_file_to_get(e, p);
    return pl_say(p, "-m", false) && pl_say_file(p, p->model);
}

/* Is the word a flag whose value is one file? */
static bool pl_flag_of_file(const char *word)
{
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (f->kind != PL_FLAG_FILE && f->kind != PL_FLAG_FILES)
            continue;
        for (size_t i = 0; i < PL_FLAG_NAMES_MAX && f->names[i] != NULL; i++) {
            if (pl_streq(f->names[i], word))
                return true;
        }
    }
    return false;
}

/* The engine's flags; the projectors, drafts and adapters that they name by their whole paths,
 * since nobody knows where it will start. */
static bool pl_flag_words(struct pl_emit *e, struct pl_emit_process *p)
{
    const char *const *a = p->plan->option->argv;
    bool good = true;
    for (size_t i = 0; good && a != NULL && a[i] != NULL; i++) {
        const char *whole = i > 0 && pl_flag_of_file(a[i - 1]) ? pl_whole_path(e, a[i]) : NULL;
        good = whole != NULL ? pl_say_file(p, whole) : pl_say(p, a[i], false);
    }
    return good;
}

static int pl_llama_command(struct pl_emit *e, struct pl_emit_process *p, struct pl_err *err)
{
    char port[16];
    (void)PL_FMT(port, "%u", p->port);
    p->llama = true;
    bool good = pl_say(p, "llama-server", false) && pl_model_words(e, p) &&
                pl_say(p, "--host", false) && pl_say(p, "127.0.0.1", false) &&
                pl_say(p, "--port", false) && pl_say(p, pl_arena_strdup(e->arena, port), false) &&
                pl_flag_words(e, p);
    return good ? 0 : pl_no_memory(err);
}

static void pl_takes(struct pl_emit_process *p)
{
    const struct pl_option *o = p->plan->option;
    for (uint32_t i = 0; i < o->n_pool; i++) {
        const struct pl_option_pool *q = &o->pool[i];
        if (pl_starts(q->pool, "gpu"))
            p->device |= q->peak.high > 0 || q->load_peak.high > 0;
        else if (pl_streq(q->pool, "ram"))
            p->host = q->load_peak.high > q->peak.high ? q->load_peak.high : q->peak.high;
    }
}

static int pl_process_of(struct pl_emit *e, uint32_t component, struct pl_err *err)
{
    struct pl_emit_process *p = &e->process[e->n];
    const struct pl_plan_component *c = &e->plan->component[component];
    *p = (struct pl_emit_process){.component = component,
                                  .name = c->name,
                                  .plan = c,
                                  .stack = &e->stack->component[component],
                                  .port = PL_EMIT_PORT + e->n};
    p->candidate = &p->stack->candidate[c->option->candidate];
    p->word = pl_arena_alloc(e->arena, PL_EMIT_WORDS_MAX, sizeof(*p->word));
    if (p->word == NULL)
        return pl_no_memory(err);
    pl_takes(p);
    e->n++;
    if (p->candidate->command != NULL && p->candidate->command[0] != NULL)
        return pl_own_command(e, p, err);
    if (c->option->model != NULL && !p->candidate->declared)
        return pl_llama_command(e, p, err);
    e->n--; /* nothing is known that starts it: whoever does, does not do it by these files */
    pl_str_addf(&e->without, "%s%s", e->without.len > 0 ? ", " : "", c->name);
    return 0;
}

void pl_emit_done(struct pl_emit *e)
{
    pl_str_done(&e->without);
}

void pl_emit_top(const struct pl_emit *e, struct pl_str *out)
{
    struct pl_str s;
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_str_addf(&s, "%s, as plimsoll planned it.", e->id);
    if (e->without.len > 0)
        pl_str_addf(&s, " Not here, as they have no command: %s.", pl_str_get(&e->without));
    pl_emit_comment(out, pl_str_get(&s));
    pl_str_done(&s);
}

bool pl_emit_serves(const struct pl_emit_process *p, const struct pl_plan_component *c)
{
    return c->shared && c->served && c->option->instance != NULL &&
           p->plan->option->instance != NULL &&
           pl_streq(c->option->instance, p->plan->option->instance);
}

void pl_emit_get(const struct pl_emit_process *p, const char *indent, struct pl_str *out)
{
    if (p->get == NULL)
        return;
    pl_str_addf(out, "%s# get its file first:\n%s", indent, indent);
    pl_emit_comment(out, p->get);
}

int pl_emit_begin(struct pl_emit *e, struct pl_err *err)
{
    pl_str_init(&e->without, 64 * 1024);
    const struct pl_plan *p = e->plan;
    e->id = pl_emit_id(e->arena, p->stack);
    e->process = pl_arena_alloc(e->arena, p->n_component + 1, sizeof(*e->process));
    if (e->process == NULL || e->id == NULL)
        return pl_no_memory(err);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < p->n_load; i++) {
        if (!p->component[p->load_order[i]].shared)
            rc = pl_process_of(e, p->load_order[i], err);
    }
    e->n_hot = e->n;
    for (uint32_t i = 0; rc == 0 && i < p->n_component; i++) {
        const struct pl_plan_component *c = &p->component[i];
        if (c->served && c->tier == PL_SERVE_WARM && !c->shared)
            rc = pl_process_of(e, i, err);
    }
    if (rc == 0 && e->n == 0) {
        (void)pl_fail(err, -EINVAL, "--emit: nothing in the plan has a command or a model");
        (void)pl_hint(err, "a candidate may have one: command: [server, --port, \"${PORT}\"]");
        rc = pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return rc;
}

int pl_emit_add(struct pl_emit *e, const char *name, bool program, struct pl_str *text,
                struct pl_err *err)
{
    bool good = !text->failed && e->n_file < PL_EMIT_FILES_MAX;
    struct pl_emit_file *f = &e->file[good ? e->n_file : 0];
    if (good) {
        *f = (struct pl_emit_file){.name = pl_arena_strdup(e->arena, name),
                                   .text = pl_arena_strdup(e->arena, pl_str_get(text)),
                                   .program = program};
        good = f->name != NULL && f->text != NULL;
    }
    e->n_file += good;
    pl_str_done(text);
    return good ? 0 : pl_no_memory(err);
}

int pl_emit_add_yaml(struct pl_emit *e, const char *name, struct pl_str *text, struct pl_err *err)
{
    const struct pl_ynode *root = NULL;
    int rc = text->failed ? pl_no_memory(err)
                          : pl_yaml_parse(pl_str_get(text), text->len, name, e->arena, &root, err);
    if (rc < 0) {
        pl_str_done(text);
        return rc;
    }
    return pl_emit_add(e, name, false, text, err);
}

int pl_emit_write(const struct pl_emit *e, const char *folder, bool force, struct pl_str *out,
                  struct pl_err *err)
{
    char path[4096];
    if (folder != NULL && mkdir(folder, 0777) < 0 && errno != EEXIST) {
        int code = -errno;
        return pl_exit_as(err, pl_fail(err, code, "%.200s: %s", folder, strerror(-code)),
                          PL_EXIT_ENVIRONMENT);
    }
    for (uint32_t i = 0; i < e->n_file; i++) {
        const struct pl_emit_file *f = &e->file[i];
        if (folder == NULL) {
            if (e->n_file > 1)
                pl_str_addf(out, "%s# ==> %s\n", i > 0 ? "\n" : "", f->name);
            pl_str_add(out, f->text);
            continue;
        }
        if (!PL_FMT(path, "%s/%s", folder, f->name))
            return pl_fail(err, -ENAMETOOLONG, "%.80s: the name is too long", folder);
        int rc =
            pl_newfile_write(path, f->text, strlen(f->text), f->program ? 0755 : 0644, force, err);
        if (rc < 0)
            return rc;
        pl_str_addf(out, "%s\n", path);
    }
    return 0;
}
