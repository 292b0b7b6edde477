#include "cli/plan_import.h"

#include "base/yaml_tree.h"
#include "cli/emit.h"
#include "engine/llamacpp/settings.h"
#include "model/ollama.h"
#include "model/stores.h"
#include "plan/stack.h"
#include "sys/file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define PL_MACRO_DEPTH 8 /* of macros within macros */
#define PL_MACRO_NAME_MAX 100
#define PL_IMPORT_NAME_MAX 80

struct pl_import {
    struct pl_arena *arena;
    struct pl_err *err;
    struct pl_str *out;
    const struct pl_ynode *root; /* of llama-swap's file */
    const char *name[PL_PLAN_COMPONENTS_MAX];
    uint32_t n;
};

/* A name that stack files allow, made of any text; fallback where nothing of it can stay. */
static void pl_import_plain(const char *text, const char *fallback, char out[PL_IMPORT_NAME_MAX])
{
    size_t n = 0;
    for (const char *s = text; *s != '\0' && n + 1 < PL_IMPORT_NAME_MAX; s++) {
        bool good = isalnum((unsigned char)*s) || *s == '_';
        if (good || (n > 0 && out[n - 1] != '-'))
            out[n++] = good ? *s : '-';
    }
    while (n > 0 && out[n - 1] == '-')
        n--;
    out[n] = '\0';
    if (n == 0)
        (void)pl_fmt(out, PL_IMPORT_NAME_MAX, "%s", fallback);
}

/* The same, and not used yet. */
static const char *pl_import_name(struct pl_import *m, const char *text)
{
    char plain[PL_IMPORT_NAME_MAX], name[PL_IMPORT_NAME_MAX + 16];
    pl_import_plain(text, "model", plain);
    for (uint32_t again = 1;; again++) {
        bool used = false;
        (void)PL_FMT(name, again == 1 ? "%s" : "%s-%u", plain, again);
        for (uint32_t i = 0; i < m->n && !used; i++)
            used = pl_streq(m->name[i], name);
        if (!used)
            break;
    }
    const char *kept = pl_arena_strdup(m->arena, name);
    if (kept != NULL && m->n < PL_PLAN_COMPONENTS_MAX)
        m->name[m->n++] = kept;
    return kept;
}

/* A value of YAML in which a dollar sign is no variable. */
static void pl_import_text(struct pl_str *out, const char *text)
{
    struct pl_str s;
    pl_str_init(&s, PL_STACK_TEXT_MAX);
    for (; *text != '\0'; text++)
        pl_str_addn(&s, *text == '$' ? "$$" : text, *text == '$' ? 2 : 1);
    pl_emit_yaml(out, pl_str_get(&s));
    out->failed |= s.failed;
    pl_str_done(&s);
}

static void pl_import_top(struct pl_import *m, const char *what)
{
    pl_str_addf(m->out,
                "# From %s. Say what matters: priority, required, and the pools' ceilings.\n",
                what);
    pl_str_add(m->out, "plimsoll: 1\ncomponents:\n");
}

static bool pl_is_flag(const char *word, const char *a, const char *b, const char *c)
{
    return pl_streq(word, a) || (b != NULL && pl_streq(word, b)) ||
           (c != NULL && pl_streq(word, c));
}

/* What llama-server's words mean to a stack file. */
struct pl_import_server {
    const char *model, *prefix; /* prefix: "hf:" */
    uint64_t context, slots;    /* 0 = not said */
    const char *flag[PL_IMPORT_WORDS_MAX];
    uint32_t n;
    const char *dropped[PL_IMPORT_WORDS_MAX];
    uint32_t n_dropped;
};

/* A flag that the engine knows is kept with its values, another one is dropped and told. */
static int pl_import_flag(const char *const *word, int n, struct pl_import_server *r)
{
    static struct pl_settings s;
    char *argv[PL_IMPORT_WORDS_MAX];
    pl_llamacpp_defaults(&s);
    for (int i = 0; i < n; i++)
        argv[i] = (char *)(uintptr_t)word[i]; /* read only */
    int took = pl_llamacpp_flag(&s, n, argv, NULL);
    for (int i = 0; i < took; i++)
        r->flag[r->n++] = word[i];
    if (took <= 0)
        r->dropped[r->n_dropped++] = word[0];
    return took > 0 ? took : 1;
}

static void pl_import_words(const char *const *word, int n, struct pl_import_server *r)
{
    for (int i = 1; i < n;) {
        const char *value = i + 1 < n ? word[i + 1] : "";
        if (pl_is_flag(word[i], "-m", "--model", NULL))
            r->model = value;
        else if (pl_is_flag(word[i], "-hf", "-hfr", "--hf-repo")) {
            r->model = value;
            r->prefix = "hf:";
        } else if (pl_is_flag(word[i], "-mu", "--model-url", NULL))
            r->model = value;
        else if (pl_is_flag(word[i], "-c", "--ctx-size", NULL))
            (void)pl_parse_u64(value, &r->context);
        else if (pl_is_flag(word[i], "-np", "--parallel", NULL))
            (void)pl_parse_u64(value, &r->slots);
        else if (!pl_is_flag(word[i], "--port", "--host", NULL) &&
                 !pl_is_flag(word[i], "-a", "--alias", NULL)) {
            i += pl_import_flag(word + i, n - i, r);
            continue;
        }
        i += 2;
    }
}

/* Where the name of a "${NAME}" at s ends, counted from s; 0 when there is none. */
static size_t pl_macro_at(const char *s)
{
    if (s[0] != '$' || s[1] != '{')
        return 0;
    for (size_t n = 2; n < PL_MACRO_NAME_MAX && s[n] != '\0'; n++) {
        if (s[n] == '}')
            return n > 2 ? n : 0;
    }
    return 0;
}

/* ${NAME} of llama-swap's macros filled in; the port is ours to choose. */
static const char *pl_import_macros(struct pl_import *m, const struct pl_ynode *own, const char *id,
                                    const char *text)
{
    const struct pl_ynode *all = pl_yget(m->root, "macros");
    for (int depth = 0; text != NULL && depth < PL_MACRO_DEPTH; depth++) {
        struct pl_str s;
        bool any = false;
        pl_str_init(&s, 64 * 1024);
        while (*text != '\0' && !s.failed) {
            char name[PL_MACRO_NAME_MAX] = "";
            size_t n = pl_macro_at(text);
            const struct pl_ynode *v = NULL;
            if (n > 0) {
                (void)PL_FMT(name, "%.*s", (int)(n - 2), text + 2);
                v = pl_yget(own, name);
                v = v != NULL ? v : pl_yget(all, name);
            }
            bool known = n > 0 && (v != NULL || pl_streq(name, "MODEL_ID"));
            if (known)
                pl_str_add(&s, v != NULL && v->kind == PL_Y_SCALAR ? v->text : id);
            else
                pl_str_addn(&s, text, 1);
            any |= known;
            text += known ? n + 1 : 1;
        }
        text = s.failed ? NULL : pl_arena_strdup(m->arena, pl_str_get(&s));
        pl_str_done(&s);
        if (!any)
            break;
    }
    return text;
}

static bool pl_has(const struct pl_ynode *list, const char *name)
{
    for (const struct pl_ymember *i = list != NULL ? list->first : NULL; i != NULL; i = i->next) {
        if (i->value->kind == PL_Y_SCALAR && pl_streq(i->value->text, name))
            return true;
    }
    return false;
}

/* Resident where it is started at once, or in a group that swaps nothing; else on demand. */
static void pl_import_tier(struct pl_import *m, const char *id)
{
    const struct pl_ynode *hooks = pl_yget(pl_yget(m->root, "hooks"), "on_startup");
    const struct pl_ynode *groups = pl_yget(m->root, "groups");
    bool hot = pl_has(pl_yget(hooks, "preload"), id), grouped = false;
    for (const struct pl_ymember *g = groups != NULL ? groups->first : NULL; g != NULL;
         g = g->next) {
        const struct pl_ynode *swap = pl_yget(g->value, "swap");
        char name[PL_IMPORT_NAME_MAX];
        if (g->key == NULL || !pl_has(pl_yget(g->value, "members"), id))
            continue;
        if (swap != NULL && swap->kind == PL_Y_SCALAR && pl_streq(swap->text, "false")) {
            hot = true;
            continue;
        }
        if (grouped)
            continue; /* llama-swap takes a model in one group only */
        grouped = true;
        pl_import_plain(g->key, "group", name);
        pl_str_add(m->out, "    group: ");
        pl_emit_yaml(m->out, name);
        pl_str_add(m->out, "\n");
    }
    pl_str_addf(m->out, "    tier: %s\n", hot ? "[hot, warm]" : "[warm]");
}

static void pl_import_list(struct pl_import *m, const char *key, const char *const *word,
                           uint32_t n)
{
    pl_str_addf(m->out, "        %s: [", key);
    for (uint32_t i = 0; i < n; i++) {
        pl_str_add(m->out, i > 0 ? ", " : "");
        pl_import_text(m->out, word[i]);
    }
    pl_str_add(m->out, "]\n");
}

static void pl_import_server(struct pl_import *m, const struct pl_import_server *r)
{
    char model[4200];
    uint64_t slots = r->slots > 0 ? r->slots : 1;
    if (r->context >= slots)
        pl_str_addf(m->out, "    context: %llu\n", (unsigned long long)(r->context / slots));
    if (r->slots > 0)
        pl_str_addf(m->out, "    slots: %llu\n", (unsigned long long)r->slots);
    for (uint32_t i = 0; i < r->n_dropped; i++) {
        pl_str_add(m->out, "    # not understood, left out:\n    ");
        pl_emit_comment(m->out, r->dropped[i]);
    }
    (void)PL_FMT(model, "%s%s", r->prefix != NULL ? r->prefix : "", r->model);
    pl_str_add(m->out, "    candidates:\n      - model: ");
    pl_import_text(m->out, model);
    pl_str_add(m->out, "\n");
    if (r->n > 0)
        pl_import_list(m, "flags", r->flag, r->n);
}

/* One model of llama-swap. */
static int pl_import_swap_model(struct pl_import *m, const struct pl_ymember *x, uint32_t *n)
{
    static struct pl_import_server r;
    const char *word[PL_IMPORT_WORDS_MAX];
    const struct pl_ynode *cmd = pl_yget(x->value, "cmd");
    if (cmd == NULL || cmd->kind != PL_Y_SCALAR)
        return pl_yfail(m->err, x->value, "models.%.60s: 'cmd' is missing", x->key);
    const char *text = pl_import_macros(m, pl_yget(x->value, "macros"), x->key, cmd->text);
    int words = text != NULL ? pl_shell_words(text, m->arena, word, m->err)
                             : pl_fail(m->err, -ENOMEM, "no memory for the command");
    if (words < 0)
        return words == -EINVAL
                   ? pl_yfail(m->err, cmd, "models.%.60s.cmd: a quote is not closed", x->key)
                   : words;
    r = (struct pl_import_server){0};
    pl_import_words(word, words, &r);
    if (words == 0 || strstr(word[0], "llama-server") == NULL || r.model == NULL) {
        char why[300];
        (void)PL_FMT(why, "%.80s is left out: what it takes is not known; give it a footprint",
                     x->key);
        pl_str_add(m->out, "  ");
        pl_emit_comment(m->out, why);
        return 0;
    }
    pl_str_addf(m->out, "  %s:\n    priority: %u\n", pl_import_name(m, x->key), ++*n);
    pl_import_tier(m, x->key);
    pl_import_server(m, &r);
    return 0;
}

static int pl_import_swap(struct pl_import *m)
{
    const struct pl_ynode *models = pl_yget(m->root, "models");
    uint32_t n = 0;
    int rc = 0;
    pl_import_top(m, "a configuration of llama-swap");
    if (models->kind != PL_Y_MAP || models->n > PL_PLAN_COMPONENTS_MAX)
        return pl_yfail(m->err, models, "models: not a map of 1 to %u models",
                        PL_PLAN_COMPONENTS_MAX);
    for (const struct pl_ymember *x = models->first; rc == 0 && x != NULL; x = x->next)
        rc = pl_import_swap_model(m, x, &n);
    return rc == 0 && n == 0 ? pl_yfail(m->err, models, "none of the models is of llama-server")
                             : rc;
}

static void pl_import_ollama(struct pl_import *m, const char *name, uint32_t priority)
{
    pl_str_addf(m->out,
                "  %s:\n    priority: %u\n    tier: [warm]\n    context: 4096\n"
                "    candidates:\n      - model: ",
                pl_import_name(m, name), priority);
    pl_import_text(m->out, name);
    pl_str_add(m->out, "\n");
}

/* `ollama list`: NAME, ID, SIZE, MODIFIED. */
static int pl_import_list_text(struct pl_import *m, const char *text)
{
    uint32_t n = 0, line = 1;
    pl_import_top(m, "a list of Ollama's models");
    for (const char *s = text + strcspn(text, "\n"); *s != '\0'; s += strcspn(s, "\n"), line++) {
        struct pl_ollama_name parts;
        char name[300], model[320];
        s++;
        size_t len = strcspn(s, " \t\r\n");
        if (len == 0)
            continue;
        if (!PL_FMT(name, "%.*s", (int)len, s) || !pl_ollama_name(name, &parts))
            return pl_fail(m->err, -EINVAL, "line %u: '%.60s' is no name of a model", line + 1,
                           name);
        if (n >= PL_PLAN_COMPONENTS_MAX)
            return pl_fail(m->err, -E2BIG, "more than %u models", PL_PLAN_COMPONENTS_MAX);
        (void)PL_FMT(model, "ollama:%s", name);
        pl_import_ollama(m, model, ++n);
    }
    return n > 0 ? 0 : pl_fail(m->err, -EINVAL, "the list names no model");
}

/* The models of the stores that Ollama keeps. */
static int pl_import_stores(struct pl_import *m)
{
    struct pl_stores s = {0};
    uint32_t n = 0;
    int rc = pl_stores_find(NULL, &s, m->err);
    pl_import_top(m, "Ollama's store");
    for (uint32_t i = 0; rc == 0 && i < s.n && n < PL_PLAN_COMPONENTS_MAX; i++) {
        const char *name = pl_arena_strdup(m->arena, s.item[i].name);
        if (pl_streq(s.item[i].store, "ollama") && name != NULL)
            pl_import_ollama(m, name, ++n);
    }
    pl_stores_done(&s);
    return rc < 0 || n > 0 ? rc : pl_fail(m->err, -EINVAL, "no model of Ollama is on this machine");
}

static int pl_import_text_of(struct pl_import *m, const char *name, const char *text, size_t len)
{
    if (pl_starts(text, "NAME") && strstr(text, "ID") != NULL)
        return pl_import_list_text(m, text);
    int rc = pl_yaml_parse(text, len, name, m->arena, &m->root, m->err);
    if (rc == 0 && pl_yget(m->root, "models") != NULL)
        return pl_import_swap(m);
    if (rc == 0)
        (void)pl_yfail(m->err, m->root,
                       "neither a configuration of llama-swap nor a list of "
                       "Ollama's models");
    return rc < 0 ? rc : -EINVAL;
}

/* What was written is read again as any stack file; of what is wrong nothing is left in out. */
static int pl_import_end(struct pl_import *m, size_t from, int rc)
{
    struct pl_stack_options none = {0};
    struct pl_stack *stack = NULL;
    if (rc == 0 && m->out->failed)
        rc = pl_fail(m->err, -ENOMEM, "no memory for the stack file");
    if (rc == 0)
        rc = pl_stack_parse(pl_str_get(m->out) + from, m->out->len - from, "imported", &none,
                            m->arena, &stack, m->err);
    if (rc < 0)
        pl_str_clear(m->out);
    return rc < 0 && m->err != NULL && m->err->exit_code == 0
               ? pl_exit_as(m->err, rc, PL_EXIT_USAGE)
               : rc;
}

int pl_plan_import_text(const char *text, size_t len, const char *name, struct pl_arena *arena,
                        struct pl_str *out, struct pl_err *err)
{
    static struct pl_import m;
    size_t from = out->len;
    m = (struct pl_import){.arena = arena, .err = err, .out = out};
    return pl_import_end(&m, from, pl_import_text_of(&m, name, text, len));
}

int pl_plan_import(const char *path, struct pl_arena *arena, struct pl_str *out, struct pl_err *err)
{
    static struct pl_import m;
    struct pl_str text;
    size_t from = out->len;
    if (pl_streq(path, "ollama")) {
        m = (struct pl_import){.arena = arena, .err = err, .out = out};
        return pl_import_end(&m, from, pl_import_stores(&m));
    }
    pl_str_init(&text, PL_STACK_TEXT_MAX + 1);
    int rc = pl_file_text(path, &text, err);
    if (rc < 0 && err != NULL && err->exit_code == 0)
        rc = pl_exit_as(err, rc, PL_EXIT_USAGE);
    if (rc == 0)
        rc = pl_plan_import_text(pl_str_get(&text), text.len, path, arena, out, err);
    pl_str_done(&text);
    return rc;
}
