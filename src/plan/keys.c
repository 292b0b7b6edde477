/* A tree against a key table. The recursion follows the table, which is finite, never the file. */
#include "plan/keys.h"

#include "base/checked.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

#define PL_KEY_PATH_MAX 200
#define PL_KEY_NAME_MAX 63u
#define PL_KEYS_IN_TABLE_MAX 40

struct pl_key_check {
    struct pl_err *err;
    bool whole;
    char path[PL_KEY_PATH_MAX];
};

/* Where in the path the next part begins; "" at the top. */
static size_t pl_path_add(struct pl_key_check *c, const char *part)
{
    size_t n = strlen(c->path);
    (void)pl_fmt(c->path + n, sizeof(c->path) - n, "%s%s", n > 0 && part[0] != '[' ? "." : "",
                 part);
    return n;
}

static int pl_key_bad(struct pl_key_check *c, const struct pl_ynode *at, const char *why)
{
    return pl_yfail(c->err, at, "%.120s: %s", c->path, why);
}

const struct pl_key *pl_key_row(const struct pl_key *table, const char *name)
{
    for (const struct pl_key *k = table; k->name != NULL; k++) {
        if (pl_streq(k->name, name))
            return k;
    }
    return NULL;
}

static bool pl_name_ok(const char *s)
{
    char copy[PL_KEY_NAME_MAX + 1];
    return pl_take_name(copy, sizeof(copy), s, strlen(s));
}

/* The edge of a word list: "a|b|c" to names for pl_nearest. */
static void pl_words_split(const char *words, char out[8][24], const char *names[9])
{
    size_t n = 0;
    while (n < 8 && *words != '\0') {
        size_t len = strcspn(words, "|");
        (void)pl_fmt(out[n], 24, "%.*s", (int)len, words);
        names[n] = out[n];
        n++;
        words += len + (words[len] == '|');
    }
    names[n] = NULL;
}

static int pl_check_choice(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v)
{
    char text[8][24];
    const char *names[9];
    pl_words_split(k->words, text, names);
    for (size_t i = 0; names[i] != NULL; i++) {
        if (pl_streq(names[i], v->text))
            return 0;
    }
    (void)pl_yfail(c->err, v, "%.120s: '%.40s' is none of %s", c->path, v->text, k->words);
    const char *near = pl_nearest(v->text, names);
    return near != NULL ? pl_hint(c->err, "did you mean '%s'?", near) : -EINVAL;
}

bool pl_milli_parse(const char *text, uint64_t *ret)
{
    uint64_t whole, part = 0, unit = 1000;
    const char *s = text;
    if (!pl_take_u64(&s, &whole) || whole > UINT64_MAX / 2000)
        return false;
    if (*s == '.') {
        s++;
        if (*s < '0' || *s > '9')
            return false;
        for (; *s >= '0' && *s <= '9'; s++) {
            unit /= 10;
            part += unit * (uint64_t)(*s - '0');
        }
    }
    if (*s != '\0')
        return false;
    *ret = whole * 1000 + part;
    return true;
}

bool pl_micros_parse(const char *text, uint64_t *ret)
{
    static const struct {
        const char *unit;
        uint64_t micros;
    } units[] = {
        {"us", 1      },
        {"ms", 1000   },
        {"s",  1000000}
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        char number[32];
        uint64_t milli, all;
        if (!pl_ends(text, units[i].unit))
            continue;
        size_t n = strlen(text) - strlen(units[i].unit);
        while (n > 0 && text[n - 1] == ' ')
            n--;
        if (n == 0 || n >= sizeof(number) || text[n - 1] < '0' || text[n - 1] > '9')
            continue;
        (void)PL_FMT(number, "%.*s", (int)n, text);
        if (!pl_milli_parse(number, &milli) || !pl_mul_u64(milli, units[i].micros, &all))
            return false;
        *ret = all / 1000;
        return true;
    }
    return false;
}

static bool pl_bool_parse(const char *s, bool *ret)
{
    static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
    for (size_t i = 0; i < 3; i++) {
        if (pl_streq(s, yes[i]) || pl_streq(s, no[i])) {
            *ret = pl_streq(s, yes[i]);
            return true;
        }
    }
    return false;
}

static int pl_check_range(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v,
                          uint64_t n, uint64_t unit)
{
    if (n < k->min)
        return pl_yfail(c->err, v, "%.120s: %.30s is less than %llu", c->path, v->text,
                        (unsigned long long)(k->min / unit));
    if (k->max > 0 && n > k->max)
        return pl_yfail(c->err, v, "%.120s: %.30s is more than %llu", c->path, v->text,
                        (unsigned long long)(k->max / unit));
    return 0;
}

static int pl_check_size(struct pl_key_check *c, const struct pl_ynode *v)
{
    struct pl_err e = {0};
    uint64_t bytes;
    if (pl_size_parse(v->text, &bytes, &e) == 0)
        return 0;
    (void)pl_yfail(c->err, v, "%.120s: %.100s", c->path, e.what);
    return e.hint[0] != '\0' ? pl_hint(c->err, "%.180s", e.hint) : -EINVAL;
}

static int pl_check_scalar(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v)
{
    uint64_t n;
    bool b;
    if (!c->whole && strstr(v->text, "${") != NULL)
        return 0;
    switch (k->type) {
    case PL_K_NAME:
        return pl_name_ok(v->text) ? 0
                                   : pl_key_bad(c, v,
                                                "a name is made of letters, digits, '-', '_' "
                                                "and '.', 63 at most");
    case PL_K_UINT:
    case PL_K_COUNTS:
    case PL_K_WANT:
        if (!pl_parse_u64(v->text, &n))
            return pl_yfail(c->err, v, "%.120s: '%.40s' is not a whole number", c->path, v->text);
        return pl_check_range(c, k, v, n, 1);
    case PL_K_NUMBER:
        if (!pl_milli_parse(v->text, &n))
            return pl_yfail(c->err, v, "%.120s: '%.40s' is not a number", c->path, v->text);
        return pl_check_range(c, k, v, n, 1000);
    case PL_K_BOOL:
        if (pl_bool_parse(v->text, &b))
            return 0;
        return pl_yfail(c->err, v, "%.120s: '%.40s' is neither true nor false", c->path, v->text);
    case PL_K_SIZE:
    case PL_K_QUANTITY:
        return pl_check_size(c, v);
    case PL_K_TIME:
        if (pl_micros_parse(v->text, &n) && n > 0)
            return 0;
        (void)pl_yfail(c->err, v, "%.120s: '%.40s' is no time", c->path, v->text);
        return pl_hint(c->err, "a number and ms or s: 500ms, 1.5s");
    case PL_K_CHOICE:
    case PL_K_CHOICES:
        return pl_check_choice(c, k, v);
    case PL_K_TEXT:
    case PL_K_TEXTS:
        if (v->text[0] == '\0')
            return pl_key_bad(c, v, "the text is empty");
        return 0;
    case PL_K_MAP:
    case PL_K_NAMED:
    case PL_K_LIST:
        break;
    }
    return 0;
}

static const char *pl_type_words(enum pl_key_type t)
{
    static const char *const words[] = {
        "a text",
        "a name",
        "a whole number",
        "a number",
        "true or false",
        "a size",
        "a size",
        "a time",
        "a word",
        "a word or a list of words",
        "a text or a list of texts",
        "a whole number or {min, want}",
        "a map of keys",
        "a map of names",
        "a list",
        "a map of names and numbers",
    };
    return words[t];
}

static bool pl_type_scalar(enum pl_key_type t)
{
    return t != PL_K_MAP && t != PL_K_NAMED && t != PL_K_LIST && t != PL_K_COUNTS;
}

static int pl_check_kind(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v)
{
    static const char *const have[] = {"a single value", "a map", "a list"};
    return pl_yfail(c->err, v, "%.120s: %s is wanted, this is %s", c->path, pl_type_words(k->type),
                    have[v->kind]);
}

static int pl_check_value(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v);

static int pl_check_unknown(struct pl_key_check *c, const struct pl_key *table,
                            const struct pl_ynode *map, const struct pl_ymember *m)
{
    const char *names[PL_KEYS_IN_TABLE_MAX + 1];
    char list[PL_ERR_HINT_MAX] = "";
    size_t n = 0, len = 0;
    for (const struct pl_key *k = table; k->name != NULL && n < PL_KEYS_IN_TABLE_MAX; k++) {
        (void)pl_fmt(list + len, sizeof(list) - len, "%s%s", n > 0 ? ", " : "", k->name);
        len = strlen(list);
        names[n++] = k->name;
    }
    names[n] = NULL;
    const struct pl_ynode at = {.file = map->file, .line = m->line, .col = m->col};
    (void)pl_yfail(c->err, &at, "%s%sunknown key '%.60s'", c->path, c->path[0] != '\0' ? ": " : "",
                   m->key);
    const char *near = pl_nearest(m->key, names);
    if (near != NULL)
        return pl_hint(c->err, "did you mean '%s'?", near);
    return pl_hint(c->err, "keys here: %.180s", list);
}

static int pl_check_map(struct pl_key_check *c, const struct pl_key *table,
                        const struct pl_ynode *map)
{
    for (const struct pl_ymember *m = map->first; m != NULL; m = m->next) {
        const struct pl_key *k = pl_key_row(table, m->key);
        if (k == NULL)
            return pl_check_unknown(c, table, map, m);
        size_t back = pl_path_add(c, m->key);
        int rc = pl_ynull(m->value) ? 0 : pl_check_value(c, k, m->value);
        if (rc < 0)
            return rc;
        c->path[back] = '\0';
    }
    for (const struct pl_key *k = table; c->whole && k->name != NULL; k++) {
        const struct pl_ynode *v = pl_yget(map, k->name);
        if (k->needed && (v == NULL || pl_ynull(v)))
            return pl_yfail(c->err, map, "%s%s'%s' is missing", c->path,
                            c->path[0] != '\0' ? ": " : "", k->name);
    }
    return 0;
}

/* Items of a list, or values of a map of names. */
static int pl_check_items(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v)
{
    uint32_t i = 0;
    if (k->type != PL_K_COUNTS && ((c->whole && v->n < k->min) || (k->max > 0 && v->n > k->max)))
        return pl_yfail(c->err, v, "%.120s: %u of them; %llu to %llu are allowed", c->path, v->n,
                        (unsigned long long)k->min, (unsigned long long)k->max);
    for (const struct pl_ymember *m = v->first; m != NULL; m = m->next, i++) {
        char part[80];
        if (m->key != NULL && !pl_name_ok(m->key)) {
            const struct pl_ynode at = {.file = v->file, .line = m->line, .col = m->col};
            return pl_yfail(c->err, &at,
                            "%.80s: '%.60s' is no name: letters, digits, '-', '_' and '.'", c->path,
                            m->key);
        }
        if (m->key != NULL)
            (void)PL_FMT(part, "%s", m->key);
        else
            (void)PL_FMT(part, "[%u]", i);
        size_t back = pl_path_add(c, part);
        int rc = 0;
        if (k->type == PL_K_COUNTS)
            rc = m->value->kind == PL_Y_SCALAR ? pl_check_scalar(c, k, m->value)
                                               : pl_check_kind(c, k, m->value);
        else if (m->value->kind == PL_Y_MAP)
            rc = pl_check_map(c, k->sub, m->value);
        else if (!pl_ynull(m->value) || k->type == PL_K_LIST || c->whole)
            rc = pl_yfail(c->err, m->value, "%.120s: a map of keys is wanted", c->path);
        if (rc < 0)
            return rc;
        c->path[back] = '\0';
    }
    return 0;
}

static int pl_check_list_of_scalars(struct pl_key_check *c, const struct pl_key *k,
                                    const struct pl_ynode *v)
{
    if (v->n == 0)
        return pl_key_bad(c, v, "the list is empty");
    for (const struct pl_ymember *m = v->first; m != NULL; m = m->next) {
        if (m->value->kind != PL_Y_SCALAR)
            return pl_check_kind(c, k, m->value);
        int rc = pl_check_scalar(c, k, m->value);
        if (rc < 0)
            return rc;
        for (const struct pl_ymember *o = v->first; k->type == PL_K_CHOICES && o != m;
             o = o->next) {
            if (pl_streq(o->value->text, m->value->text))
                return pl_yfail(c->err, m->value, "%.120s: '%.40s' is here twice", c->path,
                                m->value->text);
        }
    }
    return 0;
}

/* {low, bytes, high} and {min, want}: their keys, then their order. */
static int pl_check_pair(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v)
{
    bool want = k->type == PL_K_WANT;
    int rc = pl_check_map(c, want ? pl_want_keys : pl_quantity_keys, v);
    if (rc < 0 || !c->whole)
        return rc;
    if (want) {
        uint64_t most = pl_yuint(v, "want", pl_yuint(v, "min", 0));
        if (most == 0)
            return pl_key_bad(c, v, "neither min nor want is here");
        if (pl_yuint(v, "min", most) > most)
            return pl_key_bad(c, v, "min is more than want");
        return k->max > 0 && most > k->max ? pl_key_bad(c, v, "want is too large") : 0;
    }
    uint64_t likely = pl_ysize(v, "bytes", 0);
    if (pl_ysize(v, "low", likely) > likely || pl_ysize(v, "high", likely) < likely)
        return pl_key_bad(c, v, "low, bytes and high are not in order");
    return 0;
}

static int pl_check_value(struct pl_key_check *c, const struct pl_key *k, const struct pl_ynode *v)
{
    if (v->kind == PL_Y_SCALAR && pl_type_scalar(k->type))
        return pl_check_scalar(c, k, v);
    if (v->kind == PL_Y_LIST && (k->type == PL_K_TEXTS || k->type == PL_K_CHOICES))
        return pl_check_list_of_scalars(c, k, v);
    if (v->kind == PL_Y_MAP && (k->type == PL_K_QUANTITY || k->type == PL_K_WANT))
        return pl_check_pair(c, k, v);
    if (v->kind == PL_Y_MAP && k->type == PL_K_MAP)
        return pl_check_map(c, k->sub, v);
    if ((v->kind == PL_Y_MAP && (k->type == PL_K_NAMED || k->type == PL_K_COUNTS)) ||
        (v->kind == PL_Y_LIST && k->type == PL_K_LIST))
        return pl_check_items(c, k, v);
    return pl_check_kind(c, k, v);
}

int pl_keys_check(const struct pl_ynode *root, const struct pl_key *table, bool whole,
                  struct pl_err *err)
{
    struct pl_key_check c = {.err = err, .whole = whole};
    if (root->kind != PL_Y_MAP)
        return pl_yfail(err, root, "a map of keys is wanted");
    return pl_check_map(&c, table, root);
}

/* A member's text; NULL when absent or nothing is said. */
static const char *pl_said(const struct pl_ynode *map, const char *key)
{
    const struct pl_ynode *v = pl_yget(map, key);
    return v == NULL || v->kind != PL_Y_SCALAR || pl_ynull(v) ? NULL : v->text;
}

uint64_t pl_yuint(const struct pl_ynode *map, const char *key, uint64_t absent)
{
    const char *s = pl_said(map, key);
    uint64_t n;
    return s != NULL && pl_parse_u64(s, &n) ? n : absent;
}

uint64_t pl_ysize(const struct pl_ynode *map, const char *key, uint64_t absent)
{
    const char *s = pl_said(map, key);
    uint64_t n;
    return s != NULL && pl_size_parse(s, &n, NULL) == 0 ? n : absent;
}

uint64_t pl_ymilli(const struct pl_ynode *map, const char *key, uint64_t absent)
{
    const char *s = pl_said(map, key);
    uint64_t n;
    return s != NULL && pl_milli_parse(s, &n) ? n : absent;
}

uint64_t pl_ymicros(const struct pl_ynode *map, const char *key, uint64_t absent)
{
    const char *s = pl_said(map, key);
    uint64_t n;
    return s != NULL && pl_micros_parse(s, &n) ? n : absent;
}

bool pl_ybool(const struct pl_ynode *map, const char *key, bool absent)
{
    const char *s = pl_said(map, key);
    bool b;
    return s != NULL && pl_bool_parse(s, &b) ? b : absent;
}

const char *pl_ytext(const struct pl_ynode *map, const char *key, const char *absent)
{
    const char *s = pl_said(map, key);
    return s != NULL ? s : absent;
}
