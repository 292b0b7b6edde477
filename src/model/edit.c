#include "model/edit.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"

#include <errno.h>
#include <string.h>

#define PL_EDIT_WORDS_MAX 6
#define PL_EDIT_LINE_MAX 4096
#define PL_EDIT_INTS_MAX 1024

struct pl_edit {
    struct pl_model *m;
    uint64_t room_kv, room_tensor; /* elements that the tables have room for */
    char *word[PL_EDIT_WORDS_MAX];
    size_t n_word;
    struct pl_err *err;
};

static int pl_edit_memory(struct pl_edit *e)
{
    return pl_fail(e->err, -ENOMEM, "the edited header is too large");
}

/* A place at the end of the keys; NULL without memory. The table moves to a larger one when full:
 * an arena gives nothing back, so it doubles. */
static struct pl_kv *pl_edit_new_kv(struct pl_edit *e)
{
    struct pl_model *m = e->m;
    if (m->n_kv >= e->room_kv) {
        uint64_t room = m->n_kv * 2 + 16;
        struct pl_kv *kv = pl_arena_alloc(&m->arena, room, sizeof(*kv));
        if (kv == NULL)
            return NULL;
        if (m->n_kv > 0)
            memcpy(kv, m->kv, m->n_kv * sizeof(*kv));
        m->kv = kv;
        e->room_kv = room;
    }
    return &m->kv[m->n_kv++];
}

static struct pl_tensor *pl_edit_new_tensor(struct pl_edit *e)
{
    struct pl_model *m = e->m;
    if (m->n_tensor >= PL_EDIT_TENSORS_MAX)
        return NULL;
    if (m->n_tensor >= e->room_tensor) {
        uint64_t room = m->n_tensor * 2 + 16;
        struct pl_tensor *t = pl_arena_alloc(&m->arena, room, sizeof(*t));
        if (t == NULL)
            return NULL;
        if (m->n_tensor > 0)
            memcpy(t, m->tensor, m->n_tensor * sizeof(*t));
        m->tensor = t;
        e->room_tensor = room;
    }
    return &m->tensor[m->n_tensor++];
}

/* The key's place, with what the file says kept in `was`; a new one when there is none. */
static struct pl_kv *pl_edit_kv(struct pl_edit *e, const char *key)
{
    struct pl_kv *kv = NULL;
    for (uint64_t i = 0; i < e->m->n_kv && kv == NULL; i++) {
        if (pl_streq(e->m->kv[i].key, key))
            kv = &e->m->kv[i];
    }
    if (kv == NULL) {
        kv = pl_edit_new_kv(e);
        if (kv == NULL)
            return NULL;
        *kv = (struct pl_kv){.key = pl_arena_strdup(&e->m->arena, key), .added = true, .count = 1};
        return kv->key != NULL ? kv : NULL;
    }
    if (kv->was == NULL && !kv->added) {
        struct pl_kv *was = pl_arena_alloc(&e->m->arena, 1, sizeof(*was));
        if (was == NULL)
            return NULL;
        *was = *kv;
        kv->was = was;
    }
    return kv;
}

static int pl_edit_ints(struct pl_edit *e, struct pl_kv *kv, char *list)
{
    int64_t one[PL_EDIT_INTS_MAX];
    size_t n = 0;
    char *rest = list;
    for (char *s = strsep(&rest, ","); s != NULL; s = strsep(&rest, ",")) {
        if (n >= PL_EDIT_INTS_MAX || !pl_parse_i64(s, &one[n]))
            return pl_fail(e->err, -EINVAL, "'%.40s' is no whole number, or one too many", s);
        n++;
    }
    int64_t *ints = pl_arena_alloc(&e->m->arena, n, sizeof(*ints));
    if (ints == NULL)
        return pl_edit_memory(e);
    memcpy(ints, one, n * sizeof(*ints));
    bool array = kv->type == PL_KV_ARRAY && !kv->added;
    kv->element = array ? kv->element : PL_KV_I32;
    kv->type = PL_KV_ARRAY;
    kv->ints = ints;
    kv->count = n;
    kv->text_bytes = 0;
    return 0;
}

/* A word for a key of text. */
static int pl_edit_text(struct pl_edit *e, struct pl_kv *kv, const char *word)
{
    kv->str = pl_arena_strdup(&e->m->arena, word);
    kv->count = strlen(word);
    if (kv->str == NULL)
        return pl_edit_memory(e);
    if (pl_streq(kv->key, "general.architecture"))
        e->m->arch = kv->str;
    return 0;
}

/* A new key has the type that its value looks like. */
static void pl_edit_guess(struct pl_kv *kv, const char *text)
{
    int64_t whole = 0;
    if (pl_streq(text, "true") || pl_streq(text, "false"))
        kv->type = PL_KV_BOOL;
    else
        kv->type = pl_parse_i64(text, &whole) ? PL_KV_U32 : PL_KV_F32;
}

static int pl_edit_number(struct pl_edit *e, struct pl_kv *kv, const char *text)
{
    int64_t whole = 0;
    double real = 0;
    if (kv->added)
        pl_edit_guess(kv, text);
    if (kv->type == PL_KV_ARRAY) /* one value for all layers */
        kv->type = PL_KV_U32;
    if (kv->type == PL_KV_F32 || kv->type == PL_KV_F64) {
        if (!pl_parse_double(text, &real))
            return pl_fail(e->err, -EINVAL, "'%.40s' is no number", text);
    } else if (pl_streq(text, "true") || pl_streq(text, "false")) {
        whole = pl_streq(text, "true") ? 1 : 0;
    } else if (!pl_parse_i64(text, &whole)) {
        return pl_fail(e->err, -EINVAL, "'%.40s' is no whole number", text);
    }
    kv->u = (uint64_t)whole;
    kv->f = real;
    kv->count = 1;
    kv->ints = NULL;
    return 0;
}

static int pl_edit_set(struct pl_edit *e)
{
    struct pl_kv *kv = pl_edit_kv(e, e->word[1]);
    if (kv == NULL)
        return pl_edit_memory(e);
    if (kv->type == PL_KV_STR && !kv->added)
        return pl_edit_text(e, kv, e->word[2]);
    bool list = strchr(e->word[2], ',') != NULL;
    if (kv->type == PL_KV_ARRAY && kv->element == PL_KV_STR)
        return pl_fail(e->err, -EINVAL, "%.80s is a list of texts: it cannot be set", kv->key);
    return list ? pl_edit_ints(e, kv, e->word[2]) : pl_edit_number(e, kv, e->word[2]);
}

static int pl_edit_unset(struct pl_edit *e)
{
    if (pl_model_kv(e->m, e->word[1]) == NULL)
        return pl_fail(e->err, -EINVAL, "there is no key %.80s", e->word[1]);
    struct pl_kv *kv = pl_edit_kv(e, e->word[1]);
    if (kv == NULL)
        return pl_edit_memory(e);
    kv->unset = true;
    return 0;
}

/* Does the name match, "*" standing for digits? */
static bool pl_edit_match(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    if (star == NULL)
        return pl_streq(pattern, name);
    size_t before = (size_t)(star - pattern);
    if (strncmp(pattern, name, before) != 0)
        return false;
    size_t digits = strspn(name + before, "0123456789");
    return digits > 0 && pl_streq(star + 1, name + before + digits);
}

static int pl_edit_size(struct pl_edit *e, struct pl_tensor *t)
{
    uint64_t rows = 1, all = 0;
    const struct pl_tensor_type *type = pl_tensor_type(t->type);
    bool fits = type != NULL && pl_mul_u64(t->ne[1], t->ne[2], &rows) &&
                pl_mul_u64(rows, t->ne[3], &rows) && pl_mul_u64(rows, t->ne[0], &all);
    if (!fits || !pl_tensor_type_bytes(type, t->ne[0], rows, &t->bytes) || t->bytes > INT64_MAX)
        return pl_fail(e->err, -EINVAL, "%.80s: this shape has no size as %s", t->name,
                       type != NULL ? type->name : "its type");
    return 0;
}

static int pl_edit_shape(struct pl_edit *e, struct pl_tensor *t)
{
    t->n_dims = (uint32_t)e->n_word - 2;
    for (uint32_t d = 0; d < PL_TENSOR_DIMS_MAX; d++) {
        t->ne[d] = 1;
        if (d < t->n_dims && (!pl_parse_u64(e->word[d + 2], &t->ne[d]) || t->ne[d] == 0))
            return pl_fail(e->err, -EINVAL, "'%.40s' is no length", e->word[d + 2]);
    }
    return pl_edit_size(e, t);
}

static int pl_edit_type(struct pl_edit *e, struct pl_tensor *t)
{
    const struct pl_tensor_type *type = pl_tensor_type_named(e->word[2]);
    if (type == NULL || type->removed)
        return pl_fail(e->err, -EINVAL, "'%.40s' is no element type", e->word[2]);
    t->type = type->id;
    return pl_edit_size(e, t);
}

static int pl_edit_tensors(struct pl_edit *e, int (*edit)(struct pl_edit *, struct pl_tensor *))
{
    uint64_t found = 0;
    int rc = 0;
    for (uint64_t i = 0; i < e->m->n_tensor && rc == 0; i++) {
        if (!pl_edit_match(e->word[1], e->m->tensor[i].name))
            continue;
        found++;
        rc = edit(e, &e->m->tensor[i]);
    }
    if (rc == 0 && found == 0)
        return pl_fail(e->err, -EINVAL, "no tensor is named '%.80s'", e->word[1]);
    return rc;
}

static int pl_edit_shapes(struct pl_edit *e)
{
    return pl_edit_tensors(e, pl_edit_shape);
}

static int pl_edit_types(struct pl_edit *e)
{
    return pl_edit_tensors(e, pl_edit_type);
}

static int pl_edit_copy(struct pl_edit *e)
{
    char name[256];
    uint64_t found = 0, n = e->m->n_tensor;
    size_t from = strlen(e->word[1]);
    for (uint64_t i = 0; i < n; i++) {
        const char *old = e->m->tensor[i].name;
        if (!pl_starts(old, e->word[1]))
            continue;
        if (!PL_FMT(name, "%s%s", e->word[2], old + from))
            return pl_fail(e->err, -EINVAL, "'%.40s' makes a name too long", e->word[2]);
        if (pl_model_tensor(e->m, name) != NULL)
            return pl_fail(e->err, -EINVAL, "there is a tensor %.80s already", name);
        const char *kept = pl_arena_strdup(&e->m->arena, name);
        struct pl_tensor *t = kept != NULL ? pl_edit_new_tensor(e) : NULL;
        if (t == NULL)
            return pl_edit_memory(e);
        *t = e->m->tensor[i]; /* the table may have moved */
        t->name = kept;
        found++;
    }
    return found > 0 ? 0 : pl_fail(e->err, -EINVAL, "no tensor begins with '%.80s'", e->word[1]);
}

static int pl_edit_drop(struct pl_edit *e)
{
    uint64_t kept = 0, n = e->m->n_tensor;
    for (uint64_t i = 0; i < n; i++) {
        const char *name = e->m->tensor[i].name;
        if (!pl_starts(name, e->word[1]) && !pl_edit_match(e->word[1], name))
            e->m->tensor[kept++] = e->m->tensor[i];
    }
    e->m->n_tensor = kept;
    return kept < n ? 0 : pl_fail(e->err, -EINVAL, "no tensor begins with '%.80s'", e->word[1]);
}

static int pl_edit_line(struct pl_edit *e, char *line)
{
    static const struct {
        const char *verb;
        size_t least, most; /* words, the verb among them */
        int (*run)(struct pl_edit *);
    } verbs[] = {
        {"unset", 2, 2, pl_edit_unset },
        {"set",   3, 3, pl_edit_set   },
        {"shape", 3, 6, pl_edit_shapes},
        {"type",  3, 3, pl_edit_types },
        {"copy",  3, 3, pl_edit_copy  },
        {"drop",  2, 2, pl_edit_drop  },
    };
    char *rest = line;
    line[strcspn(line, "#")] = '\0';
    e->n_word = 0;
    for (char *w = strsep(&rest, " \t\r"); w != NULL; w = strsep(&rest, " \t\r")) {
        if (w[0] == '\0')
            continue;
        if (e->n_word >= PL_EDIT_WORDS_MAX)
            return pl_fail(e->err, -EINVAL, "more words than any edit has");
        e->word[e->n_word++] = w;
    }
    if (e->n_word == 0)
        return 0;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!pl_streq(e->word[0], verbs[i].verb))
            continue;
        if (e->n_word < verbs[i].least || e->n_word > verbs[i].most)
            return pl_fail(e->err, -EINVAL, "'%s' with %zu words: it wants %zu to %zu",
                           verbs[i].verb, e->n_word - 1, verbs[i].least - 1, verbs[i].most - 1);
        return verbs[i].run(e);
    }
    (void)pl_fail(e->err, -EINVAL, "'%.40s' is no edit", e->word[0]);
    return pl_hint(
        e->err,
        "set KEY VALUE, unset KEY, shape NAME N..., type NAME TYPE, copy FROM TO, drop NAME");
}

int pl_model_edit(struct pl_model *m, const char *text, size_t len, const char *name,
                  struct pl_err *err)
{
    struct pl_edit e = {.m = m, .room_kv = m->n_kv, .room_tensor = m->n_tensor, .err = err};
    char line[PL_EDIT_LINE_MAX];
    uint32_t number = 0;
    int rc = 0;
    for (size_t at = 0; at < len && rc == 0;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end != NULL ? (size_t)(end - text) - at : len - at;
        number++;
        if (n >= sizeof(line) || number > PL_EDIT_LINES_MAX)
            rc = pl_fail(err, -E2BIG, "too long a line, or more than %d lines", PL_EDIT_LINES_MAX);
        else if (memchr(text + at, '\0', n) != NULL)
            rc = pl_fail(err, -EINVAL, "a zero byte: this is no text");
        if (rc == 0) {
            memcpy(line, text + at, n);
            line[n] = '\0';
            rc = pl_edit_line(&e, line);
        }
        at += n + 1;
    }
    if (rc == 0)
        return 0;
    pl_err_at(err, name, number, 0);
    return pl_exit_as(err, rc, PL_EXIT_USAGE);
}
