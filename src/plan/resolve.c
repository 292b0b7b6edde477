#include "plan/resolve.h"

#include "base/str.h"
#include "plan/keys.h"

#include <errno.h>
#include <string.h>

#define PL_EXPANDED_MAX 4096u

static int pl_no_memory(struct pl_err *err)
{
    return pl_fail(err, -ENOMEM, "no memory for the stack");
}

static struct pl_ynode *pl_map_copy(struct pl_arena *arena, const struct pl_ynode *n)
{
    struct pl_ynode *copy = pl_arena_alloc(arena, 1, sizeof(*copy));
    if (copy == NULL)
        return NULL;
    *copy = *n;
    copy->first = NULL;
    copy->n = 0;
    return copy;
}

/* Appends a copy of m with another value; *last as the end of the map's members. */
static bool pl_member_add(struct pl_arena *arena, struct pl_ynode *map, struct pl_ymember **last,
                          const struct pl_ymember *m, const struct pl_ynode *value)
{
    struct pl_ymember *copy = pl_arena_alloc(arena, 1, sizeof(*copy));
    if (copy == NULL)
        return false;
    *copy = *m;
    copy->value = value;
    copy->next = NULL;
    if (*last != NULL)
        (*last)->next = copy;
    else
        map->first = copy;
    *last = copy;
    map->n++;
    return true;
}

/* over on base: maps by key, everything else replaced; an empty value takes the key away. The depth
 * is that of the key table: both were checked against it. */
static const struct pl_ynode *pl_merge(struct pl_arena *arena, const struct pl_ynode *base,
                                       const struct pl_ynode *over, const char *const *leave)
{
    if (base == NULL || base->kind != PL_Y_MAP || over->kind != PL_Y_MAP)
        return over;
    struct pl_ynode *map = pl_map_copy(arena, base);
    struct pl_ymember *last = NULL;
    bool ok = map != NULL;
    for (const struct pl_ymember *m = base->first; ok && m != NULL; m = m->next) {
        const struct pl_ynode *o = pl_yget(over, m->key);
        if (o != NULL && pl_ynull(o))
            continue;
        const struct pl_ynode *v = o != NULL ? pl_merge(arena, m->value, o, NULL) : m->value;
        ok = v != NULL && pl_member_add(arena, map, &last, m, v);
    }
    for (const struct pl_ymember *m = over->first; ok && m != NULL; m = m->next) {
        bool left = false;
        for (size_t i = 0; leave != NULL && leave[i] != NULL; i++)
            left = left || pl_streq(leave[i], m->key);
        if (!left && pl_yget(base, m->key) == NULL && !pl_ynull(m->value))
            ok = pl_member_add(arena, map, &last, m, m->value);
    }
    return ok ? map : NULL;
}

/* Follows `inherits` from each environment: what is not there, and circles. */
static int pl_inherits_check(const struct pl_ynode *environments, struct pl_err *err)
{
    for (const struct pl_ymember *m = environments->first; m != NULL; m = m->next) {
        const struct pl_ynode *from = m->value;
        for (uint32_t steps = 0;; steps++) {
            const struct pl_ynode *up = pl_yget(from, "inherits");
            if (up == NULL || pl_ynull(up))
                break;
            from = pl_yget(environments, up->text);
            if (from == NULL) {
                const char *names[PL_STACK_ENVIRONMENTS_MAX + 1] = {0};
                uint32_t n = 0;
                for (const struct pl_ymember *e = environments->first;
                     e != NULL && n < PL_STACK_ENVIRONMENTS_MAX; e = e->next)
                    names[n++] = e->key;
                (void)pl_yfail(err, up, "inherits: there is no environment '%.60s'", up->text);
                const char *near = pl_nearest(up->text, names);
                return near != NULL ? pl_hint(err, "did you mean '%s'?", near) : -EINVAL;
            }
            if (steps >= environments->n)
                return pl_yfail(err, up, "inherits: '%.60s' inherits from itself", m->key);
        }
    }
    return 0;
}

/* The chosen environment and those it inherits from, merged over the file, the farthest first. */
static int pl_environment(const struct pl_ynode *root, const char *chosen, struct pl_arena *arena,
                          struct pl_stack *s, const struct pl_ynode **ret, struct pl_err *err)
{
    static const char *const own[] = {"inherits", NULL};
    const struct pl_ynode *all = pl_yget(root, "environments");
    const struct pl_ynode *chain[PL_STACK_ENVIRONMENTS_MAX];
    const char **names = pl_arena_alloc(arena, PL_STACK_ENVIRONMENTS_MAX + 1, sizeof(*names));
    uint32_t n = 0, n_name = 0;
    if (names == NULL)
        return pl_no_memory(err);
    s->environments = names;
    *ret = root;
    if (all != NULL && all->kind == PL_Y_MAP) {
        if (all->n > PL_STACK_ENVIRONMENTS_MAX)
            return pl_yfail(err, all, "more than %u environments", PL_STACK_ENVIRONMENTS_MAX);
        for (const struct pl_ymember *m = all->first; m != NULL; m = m->next)
            names[n_name++] = m->key;
        int rc = pl_inherits_check(all, err);
        if (rc < 0)
            return rc;
    }
    if (chosen == NULL)
        return 0;
    const struct pl_ynode *e = pl_yget(all, chosen);
    if (e == NULL) {
        (void)pl_fail(err, -EINVAL, "there is no environment '%.60s'", chosen);
        pl_err_at(err, s->file, 0, 0);
        const char *near = pl_nearest(chosen, names);
        if (near != NULL || n_name > 0)
            (void)pl_hint(err, near != NULL ? "did you mean '%s'?" : "the first is '%s'",
                          near != NULL ? near : names[0]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    for (; e != NULL && n < PL_STACK_ENVIRONMENTS_MAX; n++) {
        chain[n] = e;
        e = pl_yget(all, pl_ytext(e, "inherits", ""));
    }
    while (n > 0 && *ret != NULL)
        *ret = pl_merge(arena, *ret, chain[--n], own);
    s->environment = chosen;
    return *ret != NULL ? 0 : pl_no_memory(err);
}

struct pl_fill {
    const struct pl_stack_options *options;
    struct pl_arena *arena;
    struct pl_stack *stack;
    struct pl_err *err;
};

static bool pl_variable_char(char c, bool first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (!first && c >= '0' && c <= '9');
}

static int pl_variable_note(struct pl_fill *f, const struct pl_ynode *at, const char *name,
                            const char *value, bool set)
{
    struct pl_stack *s = f->stack;
    if (s->n_variable >= PL_STACK_VARIABLES_MAX)
        return pl_yfail(f->err, at, "more than %u variables", PL_STACK_VARIABLES_MAX);
    struct pl_stack_variable *v = &s->variable[s->n_variable++];
    *v = (struct pl_stack_variable){.name = pl_arena_strdup(f->arena, name),
                                    .value = pl_arena_strdup(f->arena, value),
                                    .from_environment = set,
                                    .line = at->line,
                                    .col = at->col};
    return v->name != NULL && v->value != NULL ? 0 : pl_no_memory(f->err);
}

/* One "${NAME}" or "${NAME:-default}" at *p, appended to out. */
static int pl_variable(struct pl_fill *f, const struct pl_ynode *at, const char **p,
                       struct pl_str *out)
{
    char name[64], absent[256] = "";
    const char *s = *p + 2;
    size_t n = 0;
    while (pl_variable_char(s[n], n == 0))
        n++;
    bool named = n > 0 && n < sizeof(name), has_default = strncmp(s + n, ":-", 2) == 0;
    const char *end = strchr(s + n, '}');
    if (!named || end == NULL || (!has_default && s + n != end) ||
        (has_default && (size_t)(end - (s + n + 2)) >= sizeof(absent)))
        return pl_yfail(f->err, at, "'%.60s': a variable is ${NAME} or ${NAME:-default}", *p);
    (void)PL_FMT(name, "%.*s", (int)n, s);
    if (has_default)
        (void)PL_FMT(absent, "%.*s", (int)(end - (s + n + 2)), s + n + 2);
    const struct pl_stack_options *o = f->options;
    const char *set = o != NULL && o->variable != NULL ? o->variable(o->ctx, name) : NULL;
    if (set != NULL && (set[0] == '\0' || strlen(set) >= PL_EXPANDED_MAX))
        set = set[0] == '\0' ? NULL : set; /* ":-" takes an empty one for none, as a shell does */
    if (set == NULL && !has_default) {
        (void)pl_yfail(f->err, at, "the environment variable %s is not set", name);
        return pl_hint(f->err, "set it, or give a default: ${%s:-...}", name);
    }
    pl_str_add(out, set != NULL ? set : absent);
    *p = end + 1;
    return pl_variable_note(f, at, name, set != NULL ? set : absent, set != NULL);
}

static int pl_fill_text(struct pl_fill *f, const struct pl_ynode *at, const struct pl_ynode **ret)
{
    struct pl_str out;
    int rc = 0;
    pl_str_init(&out, PL_EXPANDED_MAX);
    for (const char *p = at->text; rc == 0 && *p != '\0';) {
        if (p[0] == '$' && p[1] == '$') {
            pl_str_addn(&out, "$", 1);
            p += 2;
        } else if (p[0] == '$' && p[1] == '{') {
            rc = pl_variable(f, at, &p, &out);
        } else {
            pl_str_addn(&out, p++, 1);
        }
    }
    struct pl_ynode *n = pl_arena_alloc(f->arena, 1, sizeof(*n));
    if (rc == 0 && out.failed)
        rc = pl_yfail(f->err, at, "longer than %u characters with its variables", PL_EXPANDED_MAX);
    if (rc == 0 && n != NULL) {
        *n = *at;
        n->text = pl_arena_strdup(f->arena, pl_str_get(&out));
    }
    pl_str_done(&out);
    if (rc == 0 && (n == NULL || n->text == NULL))
        rc = pl_no_memory(f->err);
    if (rc == 0)
        *ret = n;
    return rc;
}

/* Copies a tree with its variables filled in; below `command` nothing is touched. Its depth is that
 * of the key table (checked before). */
static int pl_fill_tree(struct pl_fill *f, const struct pl_ynode *n, const struct pl_ynode **ret)
{
    *ret = n;
    if (n->kind == PL_Y_SCALAR)
        return strchr(n->text, '$') != NULL ? pl_fill_text(f, n, ret) : 0;
    struct pl_ynode *copy = pl_map_copy(f->arena, n);
    struct pl_ymember *last = NULL;
    if (copy == NULL)
        return pl_no_memory(f->err);
    for (const struct pl_ymember *m = n->first; m != NULL; m = m->next) {
        const struct pl_ynode *v = m->value;
        bool raw = m->key != NULL && pl_streq(m->key, "command");
        int rc = raw ? 0 : pl_fill_tree(f, m->value, &v);
        if (rc < 0)
            return rc;
        if (!pl_member_add(f->arena, copy, &last, m, v))
            return pl_no_memory(f->err);
    }
    *ret = copy;
    return 0;
}

int pl_stack_resolve(const struct pl_ynode *root, const struct pl_stack_options *options,
                     struct pl_arena *arena, struct pl_stack *s, struct pl_err *err)
{
    struct pl_fill f = {options, arena, s, err};
    struct pl_ynode *bare = pl_map_copy(arena, root);
    struct pl_ymember *last = NULL;
    const struct pl_ynode *merged = NULL;
    s->variable = pl_arena_alloc(arena, PL_STACK_VARIABLES_MAX, sizeof(*s->variable));
    if (bare == NULL || s->variable == NULL)
        return pl_no_memory(err);
    int rc =
        pl_environment(root, options != NULL ? options->environment : NULL, arena, s, &merged, err);
    if (rc < 0)
        return rc;
    for (const struct pl_ymember *m = merged->first; m != NULL; m = m->next) {
        if (!pl_streq(m->key, "environments") && !pl_member_add(arena, bare, &last, m, m->value))
            return pl_no_memory(err);
    }
    return pl_fill_tree(&f, bare, &s->root);
}
