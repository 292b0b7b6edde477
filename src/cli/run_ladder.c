#include "cli/run_ladder.h"

#include "base/str.h"
#include "base/yaml_tree.h"
#include "model/shape_expr.h"
#include "sys/file.h"

#include <errno.h>
#include <string.h>

#define PL_LADDER_ARENA_MAX (8u << 20)
#define PL_EXPRESSION_MAX 256

static const char *const pl_rung_keys[] = {"name", "flags", "model", "command",
                                           "set",  "when",  NULL};
static const char *const pl_ladder_keys[] = {"plimsoll", "rungs", NULL};

static int pl_ladder_keys_known(const struct pl_ynode *map, const char *const *keys,
                                struct pl_err *err)
{
    if (map == NULL || map->kind != PL_Y_MAP)
        return map == NULL ? -EINVAL : pl_yfail(err, map, "keys and values are expected here");
    for (const struct pl_ymember *m = map->first; m != NULL; m = m->next) {
        size_t k = 0;
        while (keys[k] != NULL && !pl_streq(keys[k], m->key))
            k++;
        if (keys[k] != NULL)
            continue;
        (void)pl_yfail(err, m->value, "unknown key '%.40s'", m->key);
        const char *near = pl_nearest(m->key, keys);
        if (near != NULL)
            (void)pl_hint(err, "did you mean '%s'?", near);
        return err != NULL ? err->code : -EINVAL;
    }
    return 0;
}

/* A key's text; *ret stays NULL when it is absent. */
static int pl_rung_text(const struct pl_ynode *map, const char *key, const char **ret,
                        struct pl_err *err)
{
    const struct pl_ynode *v = pl_yget(map, key);
    if (v == NULL)
        return 0;
    if (v->kind != PL_Y_SCALAR)
        return pl_yfail(err, v, "%s: a text is expected", key);
    *ret = v->text;
    return 0;
}

static int pl_rung_when(const struct pl_ynode *list, struct pl_rung *g, struct pl_err *err)
{
    for (const struct pl_ymember *m = list != NULL ? list->first : NULL; m != NULL; m = m->next) {
        enum pl_oom_class class =
            m->value->kind == PL_Y_SCALAR ? pl_oom_class_of(m->value->text) : PL_OOM_CLASSES;
        if (class == PL_OOM_CLASSES || g->n_when == PL_RUNG_CLASSES_MAX)
            return pl_yfail(err, m->value,
                            "when: not a class of failure (capacity, cgroup, kernel_oom ...)");
        g->when[g->n_when++] = class;
    }
    return 0;
}

static int pl_rung_set(const struct pl_ynode *map, struct pl_rung *g, struct pl_err *err)
{
    for (const struct pl_ymember *m = map != NULL ? map->first : NULL; m != NULL; m = m->next) {
        if (m->key == NULL || m->value->kind != PL_Y_SCALAR || g->n_set == PL_RUNG_SETS_MAX)
            return pl_yfail(err, m->value, "set: NAME: EXPRESSION is expected, at most %d",
                            PL_RUNG_SETS_MAX);
        g->set[g->n_set].name = m->key;
        g->set[g->n_set++].expression = m->value->text;
    }
    return 0;
}

static int pl_rung_command(const struct pl_ynode *list, struct pl_arena *a, struct pl_rung *g,
                           struct pl_err *err)
{
    if (list == NULL)
        return 0;
    if (list->kind != PL_Y_LIST || list->n == 0 || list->n > PL_COMMAND_WORDS_MAX)
        return pl_yfail(err, list, "command: a list of words is expected");
    const char **words = pl_arena_alloc(a, (size_t)list->n + 1, sizeof(*words));
    if (words == NULL)
        return pl_fail(err, -ENOMEM, "the ladder does not fit in memory");
    size_t n = 0;
    for (const struct pl_ymember *m = list->first; m != NULL; m = m->next) {
        if (m->value->kind != PL_Y_SCALAR)
            return pl_yfail(err, m->value, "command: a word is expected");
        words[n++] = m->value->text;
    }
    g->command = words;
    return 0;
}

static int pl_rung_read(const struct pl_ynode *node, struct pl_ladder *l, struct pl_err *err)
{
    struct pl_rung *g = &l->rung[l->n];
    if (l->n == PL_RUN_RUNGS_MAX)
        return pl_yfail(err, node, "more than %d rungs", PL_RUN_RUNGS_MAX);
    int rc = pl_ladder_keys_known(node, pl_rung_keys, err);
    if (rc == 0)
        rc = pl_rung_text(node, "name", &g->name, err);
    if (rc == 0)
        rc = pl_rung_text(node, "flags", &g->flags, err);
    if (rc == 0)
        rc = pl_rung_text(node, "model", &g->model, err);
    if (rc == 0)
        rc = pl_rung_command(pl_yget(node, "command"), &l->arena, g, err);
    if (rc == 0)
        rc = pl_rung_set(pl_yget(node, "set"), g, err);
    if (rc == 0)
        rc = pl_rung_when(pl_yget(node, "when"), g, err);
    if (rc == 0 && g->flags == NULL && g->model == NULL && g->command == NULL && g->n_set == 0)
        rc = pl_yfail(err, node,
                      "a rung that changes nothing: flags, model, command or set is needed");
    l->n += rc == 0;
    return rc;
}

int pl_ladder_read(const char *file, struct pl_ladder *ret, struct pl_err *err)
{
    struct pl_str text;
    const struct pl_ynode *root = NULL;
    *ret = (struct pl_ladder){0};
    pl_arena_init(&ret->arena, PL_LADDER_ARENA_MAX);
    pl_str_init(&text, PL_YAML_TEXT_MAX);
    int rc = pl_file_text(file, &text, err);
    if (rc == 0)
        rc = pl_yaml_parse(pl_str_get(&text), text.len, file, &ret->arena, &root, err);
    if (rc == 0)
        rc = pl_ladder_keys_known(root, pl_ladder_keys, err);
    const struct pl_ynode *version = rc == 0 ? pl_yget(root, "plimsoll") : NULL;
    const struct pl_ynode *rungs = rc == 0 ? pl_yget(root, "rungs") : NULL;
    if (rc == 0 && (version == NULL || !pl_streq(version->text, "1")))
        rc = pl_yfail(err, version != NULL ? version : root,
                      "'plimsoll: 1' is expected: the version of this format");
    if (rc == 0 && (rungs == NULL || rungs->kind != PL_Y_LIST || rungs->n == 0))
        rc = pl_yfail(err, rungs != NULL ? rungs : root, "rungs: a list of steps is expected");
    for (const struct pl_ymember *m = rc == 0 ? rungs->first : NULL; rc == 0 && m != NULL;
         m = m->next)
        rc = pl_rung_read(m->value, ret, err);
    pl_str_done(&text);
    if (rc < 0)
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    return rc;
}

void pl_ladder_builtin(struct pl_running *r, struct pl_ladder *ret)
{
    *ret = (struct pl_ladder){0};
    pl_arena_init(&ret->arena, PL_LADDER_ARENA_MAX);
    for (uint32_t i = 0; i < r->reliefs.n && ret->n < PL_RUN_RUNGS_MAX; i++) {
        const struct pl_relief *x = &r->reliefs.one[i];
        if (!x->enough && r->reliefs.n > 1 && r->reliefs.one[0].enough)
            continue; /* those that are enough come first; half measures only when nothing is */
        ret->rung[ret->n++] = (struct pl_rung){.name = x->effect, .flags = x->flags};
    }
}

void pl_ladder_done(struct pl_ladder *l)
{
    pl_arena_done(&l->arena);
    l->n = 0;
}

bool pl_rung_helps(const struct pl_rung *g, const struct pl_oom *o)
{
    for (uint32_t i = 0; i < g->n_when; i++)
        if (g->when[i] == o->class)
            return true;
    return g->n_when == 0 && pl_oom_is_memory(o->class);
}

static bool pl_rung_value(void *ctx, const char *name, uint64_t n, int64_t *ret)
{
    const struct pl_model *m = ctx;
    char key[96];
    static const struct {
        const char *name, *suffix;
    } of[] = {
        {"total_layers", "block_count"     },
        {"context",      "context_length"  },
        {"embedding",    "embedding_length"},
    };
    for (size_t i = 0; m != NULL && i < sizeof(of) / sizeof(of[0]); i++) {
        if (strlen(of[i].name) != n || memcmp(of[i].name, name, n) != 0)
            continue;
        const struct pl_kv *kv =
            PL_FMT(key, "%s.%s", m->arch, of[i].suffix) ? pl_model_kv(m, key) : NULL;
        if (kv == NULL || kv->u > INT32_MAX)
            return false;
        *ret = (int64_t)kv->u;
        return true;
    }
    return false;
}

int pl_rung_env(const struct pl_rung *g, const struct pl_model *m,
                char text[PL_RUNG_SETS_MAX][PL_RUN_TEXT_MAX], const char *env[PL_RUNG_SETS_MAX + 1],
                struct pl_err *err)
{
    for (uint32_t i = 0; i < g->n_set; i++) {
        char expression[PL_EXPRESSION_MAX];
        int64_t v = 0;
        const char *end;
        /* "//" is the whole-number division of the scripts these come from */
        size_t n = 0;
        for (const char *p = g->set[i].expression; *p != '\0' && n + 1 < sizeof(expression); p++)
            if (*p != '/' || p[1] != '/')
                expression[n++] = *p;
        expression[n] = '\0';
        int rc =
            pl_shape_eval(expression, true, pl_rung_value, (void *)(uintptr_t)m, &v, &end, NULL);
        bool word = rc < 0 && strpbrk(expression, " +-*/%()") == NULL; /* a plain text */
        if (rc < 0 && !word)
            return pl_fail(err, -EINVAL, "set: %s: '%.60s' cannot be computed%s", g->set[i].name,
                           g->set[i].expression, m == NULL ? ": the model is not known" : "");
        if (!(word ? pl_fmt(text[i], PL_RUN_TEXT_MAX, "%s=%s", g->set[i].name, g->set[i].expression)
                   : pl_fmt(text[i], PL_RUN_TEXT_MAX, "%s=%lld", g->set[i].name, (long long)v)))
            return pl_fail(err, -E2BIG, "set: %.40s: too long", g->set[i].name);
        env[i] = text[i];
    }
    env[g->n_set] = NULL;
    return 0;
}
