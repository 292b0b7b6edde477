/* libyaml's events to a tree. No recursion: open maps and lists stand on a stack of fixed height.
 */
#include "base/yaml_tree.h"

#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct pl_anchor {
    const char *name;
    const struct pl_ynode *node;
    bool open; /* its map or list has not ended: an alias to it would be a loop */
};

struct pl_yopen {
    struct pl_ynode *node;
    struct pl_ymember *last;
    const char *key; /* of a map: read, its value still to come */
    uint32_t key_line, key_col;
    uint32_t anchor; /* index + 1 of its anchor */
};

struct pl_yreader {
    yaml_parser_t parser;
    struct pl_arena *arena;
    const char *file;
    struct pl_err *err;
    struct pl_yopen open[PL_YAML_DEPTH_MAX];
    uint32_t depth;
    struct pl_anchor anchor[PL_YAML_ANCHORS_MAX];
    uint32_t n_anchor, n_node;
    const struct pl_ynode *root;
};

__attribute__((format(printf, 6, 0))) static int pl_yfailv(struct pl_err *err, int code,
                                                           const char *file, uint32_t line,
                                                           uint32_t col, const char *fmt,
                                                           va_list ap)
{
    char what[PL_ERR_WHAT_MAX];
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    (void)pl_fail(err, code, "%s", what);
    pl_err_at(err, file, line, col);
    return pl_exit_as(err, code, PL_EXIT_USAGE);
}

int pl_yfail(struct pl_err *err, const struct pl_ynode *at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = pl_yfailv(err, -EINVAL, at->file, at->line, at->col, fmt, ap);
    va_end(ap);
    return rc;
}

static int pl_ybad(struct pl_yreader *r, int code, yaml_mark_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int pl_ybad(struct pl_yreader *r, int code, yaml_mark_t at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc =
        pl_yfailv(r->err, code, r->file, (uint32_t)at.line + 1, (uint32_t)at.column + 1, fmt, ap);
    va_end(ap);
    return rc;
}

static struct pl_ynode *pl_ynew(struct pl_yreader *r, enum pl_ykind kind, yaml_mark_t at)
{
    struct pl_ynode *n = pl_arena_alloc(r->arena, 1, sizeof(*n));
    if (n == NULL)
        return NULL;
    *n = (struct pl_ynode){.kind = kind,
                           .line = (uint32_t)at.line + 1,
                           .col = (uint32_t)at.column + 1,
                           .file = r->file,
                           .text = "",
                           .weight = 1};
    return n;
}

static int pl_ykey(struct pl_yreader *r, struct pl_yopen *o, const struct pl_ynode *n,
                   yaml_mark_t at)
{
    if (n->kind != PL_Y_SCALAR)
        return pl_ybad(r, -EINVAL, at, "a key must be text");
    if (n->plain && pl_streq(n->text, "<<")) {
        (void)pl_ybad(r, -EINVAL, at, "'<<': merge keys are not read");
        return pl_hint(r->err, "environments inherit; anchors and aliases work for whole values");
    }
    for (const struct pl_ymember *m = o->node->first; m != NULL; m = m->next) {
        if (pl_streq(m->key, n->text))
            return pl_ybad(r, -EINVAL, at, "'%.60s' is here twice, first on line %u", n->text,
                           m->line);
    }
    o->key = n->text;
    o->key_line = n->line;
    o->key_col = n->col;
    return 0;
}

/* Puts a node, complete or just opened, where it belongs. */
static int pl_yput(struct pl_yreader *r, const struct pl_ynode *n, yaml_mark_t at)
{
    r->n_node += n->weight;
    if (r->n_node > PL_YAML_NODES_MAX) {
        (void)pl_ybad(r, -E2BIG, at, "more than %u values, aliases written out", PL_YAML_NODES_MAX);
        return -E2BIG;
    }
    if (r->depth == 0) {
        r->root = n;
        return 0;
    }
    struct pl_yopen *o = &r->open[r->depth - 1];
    if (o->node->kind == PL_Y_MAP && o->key == NULL)
        return pl_ykey(r, o, n, at);
    struct pl_ymember *m = pl_arena_alloc(r->arena, 1, sizeof(*m));
    if (m == NULL)
        return pl_ybad(r, -ENOMEM, at, "no memory for the document");
    bool map = o->node->kind == PL_Y_MAP;
    *m = (struct pl_ymember){.key = o->key,
                             .line = map ? o->key_line : (uint32_t)at.line + 1,
                             .col = map ? o->key_col : (uint32_t)at.column + 1,
                             .value = n};
    if (o->last != NULL)
        o->last->next = m;
    else
        o->node->first = m;
    o->last = m;
    o->key = NULL;
    o->node->n++;
    return 0;
}

static int pl_yname(struct pl_yreader *r, const yaml_char_t *name, const struct pl_ynode *n,
                    bool open, yaml_mark_t at, uint32_t *ret)
{
    *ret = 0;
    if (name == NULL)
        return 0;
    if (r->n_anchor >= PL_YAML_ANCHORS_MAX)
        return pl_ybad(r, -E2BIG, at, "more than %u anchors", PL_YAML_ANCHORS_MAX);
    const char *copy = pl_arena_strdup(r->arena, (const char *)name);
    if (copy == NULL)
        return pl_ybad(r, -ENOMEM, at, "no memory for the document");
    r->anchor[r->n_anchor++] = (struct pl_anchor){copy, n, open};
    *ret = r->n_anchor;
    return 0;
}

static int pl_yalias(struct pl_yreader *r, const yaml_event_t *e)
{
    const char *name = (const char *)e->data.alias.anchor;
    for (uint32_t i = r->n_anchor; i > 0; i--) {
        const struct pl_anchor *a = &r->anchor[i - 1];
        if (!pl_streq(a->name, name))
            continue;
        if (a->open)
            return pl_ybad(r, -EINVAL, e->start_mark, "'*%.60s' holds itself", name);
        return pl_yput(r, a->node, e->start_mark);
    }
    return pl_ybad(r, -EINVAL, e->start_mark, "'*%.60s': there is no such anchor before", name);
}

static int pl_yscalar(struct pl_yreader *r, const yaml_event_t *e)
{
    struct pl_ynode *n = pl_ynew(r, PL_Y_SCALAR, e->start_mark);
    const char *value = (const char *)e->data.scalar.value;
    uint32_t anchor;
    if (n == NULL || (n->text = pl_arena_strndup(r->arena, value, e->data.scalar.length)) == NULL)
        return pl_ybad(r, -ENOMEM, e->start_mark, "no memory for the document");
    if (strlen(value) != e->data.scalar.length)
        return pl_ybad(r, -EINVAL, e->start_mark, "a text with a NUL character");
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int rc = pl_yname(r, e->data.scalar.anchor, n, false, e->start_mark, &anchor);
    return rc < 0 ? rc : pl_yput(r, n, e->start_mark);
}

static int pl_ystart(struct pl_yreader *r, const yaml_event_t *e, enum pl_ykind kind)
{
    const yaml_char_t *name =
        kind == PL_Y_MAP ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
    uint32_t anchor;
    if (r->depth >= PL_YAML_DEPTH_MAX)
        return pl_ybad(r, -E2BIG, e->start_mark, "more than %u levels", PL_YAML_DEPTH_MAX);
    if (r->depth > 0 && r->open[r->depth - 1].node->kind == PL_Y_MAP &&
        r->open[r->depth - 1].key == NULL)
        return pl_ybad(r, -EINVAL, e->start_mark, "a key must be text");
    struct pl_ynode *n = pl_ynew(r, kind, e->start_mark);
    if (n == NULL)
        return pl_ybad(r, -ENOMEM, e->start_mark, "no memory for the document");
    int rc = pl_yname(r, name, n, true, e->start_mark, &anchor);
    if (rc == 0)
        rc = pl_yput(r, n, e->start_mark);
    if (rc == 0)
        r->open[r->depth++] = (struct pl_yopen){.node = n, .anchor = anchor};
    return rc;
}

static void pl_yend(struct pl_yreader *r)
{
    struct pl_yopen *o = &r->open[--r->depth];
    for (const struct pl_ymember *m = o->node->first; m != NULL; m = m->next)
        o->node->weight += m->value->weight;
    if (o->anchor > 0)
        r->anchor[o->anchor - 1].open = false;
}

static int pl_yevent(struct pl_yreader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return pl_yalias(r, e);
    case YAML_SCALAR_EVENT:
        return pl_yscalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
        return pl_ystart(r, e, PL_Y_LIST);
    case YAML_MAPPING_START_EVENT:
        return pl_ystart(r, e, PL_Y_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        pl_yend(r);
        return 0;
    case YAML_DOCUMENT_START_EVENT:
        return r->root == NULL
                   ? 0
                   : pl_ybad(r, -EINVAL, e->start_mark, "a second document: only one is read");
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return 0;
}

static int pl_yread(struct pl_yreader *r)
{
    for (bool more = true; more;) {
        yaml_event_t e;
        if (yaml_parser_parse(&r->parser, &e) != 1) {
            const yaml_parser_t *p = &r->parser;
            yaml_mark_t at = p->problem_mark;
            if (p->error == YAML_READER_ERROR)
                at = p->mark;
            return pl_ybad(r, -EINVAL, at, "not YAML: %.120s%s%.60s",
                           p->problem != NULL ? p->problem : "it cannot be read",
                           p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
        }
        int rc = pl_yevent(r, &e);
        more = e.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
        if (rc < 0)
            return rc;
    }
    if (r->root == NULL)
        return pl_ybad(r, -EINVAL, (yaml_mark_t){0}, "nothing is in it");
    return 0;
}

int pl_yaml_parse(const char *text, size_t len, const char *file, struct pl_arena *arena,
                  const struct pl_ynode **ret, struct pl_err *err)
{
    if (len > PL_YAML_TEXT_MAX) {
        (void)pl_fail(err, -E2BIG, "larger than %u KiB", PL_YAML_TEXT_MAX / 1024u);
        pl_err_at(err, file, 0, 0);
        return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
    }
    struct pl_yreader *r = pl_arena_alloc(arena, 1, sizeof(*r));
    if (r == NULL || yaml_parser_initialize(&r->parser) != 1)
        return pl_fail(err, -ENOMEM, "no memory for the document");
    r->arena = arena;
    r->file = file;
    r->err = err;
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
    int rc = pl_yread(r);
    yaml_parser_delete(&r->parser);
    if (rc == 0)
        *ret = r->root;
    return rc;
}

const struct pl_ynode *pl_yget(const struct pl_ynode *map, const char *key)
{
    if (map == NULL || map->kind != PL_Y_MAP)
        return NULL;
    for (const struct pl_ymember *m = map->first; m != NULL; m = m->next) {
        if (pl_streq(m->key, key))
            return m->value;
    }
    return NULL;
}

bool pl_ynull(const struct pl_ynode *n)
{
    return n->kind == PL_Y_SCALAR && n->plain &&
           (n->text[0] == '\0' || pl_streq(n->text, "~") || pl_streq(n->text, "null"));
}
