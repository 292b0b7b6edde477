/* A checked tree to a struct pl_stack. */
#include "plan/stack.h"

#include "base/str.h"
#include "base/units.h"
#include "plan/keys.h"
#include "plan/resolve.h"

#include <errno.h>
#include <string.h>

#define PL_MIN_DECODE_MILLI 5000u       /* tokens per second below which text is no conversation */
#define PL_VOICE_FIRST_TOKEN_US 500000u /* the objective voice: a first token within 500 ms */

static const char *const pl_objectives[] = {"balanced", "capability", "reliability",
                                            "speed",    "voice",      NULL};

struct pl_stack_reader {
    struct pl_arena *arena;
    struct pl_err *err;
    struct pl_stack *s;
};

const char *pl_objective_name(enum pl_objective o)
{
    return pl_objectives[o];
}

bool pl_objective_of(const char *name, enum pl_objective *ret)
{
    for (int i = 0; i < PL_OBJECTIVES; i++) {
        if (pl_streq(name, pl_objectives[i])) {
            *ret = (enum pl_objective)i;
            return true;
        }
    }
    return false;
}

static int pl_no_room(struct pl_stack_reader *r)
{
    return pl_fail(r->err, -ENOMEM, "no memory for the stack");
}

/* n zeroed elements, or NULL with the error; never NULL for 0. */
static void *pl_take(struct pl_stack_reader *r, size_t n, size_t size)
{
    void *p = pl_arena_alloc(r->arena, n > 0 ? n : 1, size);
    if (p == NULL)
        (void)pl_no_room(r);
    return p;
}

static const struct pl_ynode *pl_part(const struct pl_ynode *map, const char *key)
{
    const struct pl_ynode *v = pl_yget(map, key);
    return v != NULL && !pl_ynull(v) ? v : NULL;
}

/* A text or a list of texts, NULL-ended; *ret NULL when absent. */
static int pl_texts(struct pl_stack_reader *r, const struct pl_ynode *map, const char *key,
                    const char *const **ret)
{
    const struct pl_ynode *v = pl_part(map, key);
    *ret = NULL;
    if (v == NULL)
        return 0;
    uint32_t n = 0;
    const char **list = pl_take(r, (v->kind == PL_Y_LIST ? v->n : 1) + 1, sizeof(*list));
    if (list == NULL)
        return -ENOMEM;
    if (v->kind == PL_Y_SCALAR)
        list[n++] = v->text;
    for (const struct pl_ymember *m = v->first; m != NULL; m = m->next)
        list[n++] = m->value->text;
    *ret = list;
    return 0;
}

static struct pl_want pl_want_of(const struct pl_ynode *map, const char *key)
{
    const struct pl_ynode *v = pl_part(map, key);
    if (v == NULL)
        return (struct pl_want){0};
    if (v->kind == PL_Y_SCALAR) {
        uint64_t n = pl_yuint(map, key, 0);
        return (struct pl_want){n, n};
    }
    uint64_t min = pl_yuint(v, "min", 0), want = pl_yuint(v, "want", min);
    return (struct pl_want){min > 0 ? min : want, want};
}

static struct pl_quantity pl_quantity_of(const struct pl_ynode *map, const char *key,
                                         struct pl_quantity absent)
{
    const struct pl_ynode *v = pl_part(map, key);
    if (v == NULL)
        return absent;
    if (v->kind == PL_Y_SCALAR)
        return pl_exact(pl_ysize(map, key, 0), PL_SOURCE_DECLARED, "the stack file");
    uint64_t likely = pl_ysize(v, "bytes", 0);
    return pl_between(pl_ysize(v, "low", likely), likely, pl_ysize(v, "high", likely),
                      PL_SOURCE_DECLARED, "the stack file");
}

static int pl_read_footprint(struct pl_stack_reader *r, const struct pl_ynode *map,
                             struct pl_stack_candidate *c)
{
    const struct pl_ynode *f = pl_part(map, "footprint");
    if (f == NULL)
        return 0;
    if (f->n > PL_OPTION_POOLS_MAX)
        return pl_yfail(r->err, f, "footprint: more than %d pools", PL_OPTION_POOLS_MAX);
    struct pl_option_pool *p = pl_take(r, f->n, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    c->declared = true;
    c->pool = p;
    for (const struct pl_ymember *m = f->first; m != NULL; m = m->next, p++, c->n_pool++) {
        struct pl_quantity none = pl_exact(0, PL_SOURCE_DECLARED, "the stack file");
        p->pool = m->key;
        p->steady = pl_quantity_of(m->value, "steady", none);
        p->peak = pl_quantity_of(m->value, "peak", p->steady);
        p->load_peak = pl_quantity_of(m->value, "load_peak", p->peak);
        p->largest = pl_quantity_of(m->value, "largest", none);
    }
    return 0;
}

static const char *pl_joined(struct pl_stack_reader *r, const char *const *list)
{
    struct pl_str s;
    pl_str_init(&s, 4096);
    for (size_t i = 0; list[i] != NULL; i++)
        pl_str_addf(&s, "%s%s", i > 0 ? "," : "", list[i]);
    const char *text = s.failed ? NULL : pl_arena_strdup(r->arena, pl_str_get(&s));
    pl_str_done(&s);
    return text;
}

/* What plans call a candidate that has no name. */
static int pl_candidate_name(struct pl_stack_reader *r, struct pl_stack_candidate *c, uint32_t i)
{
    char text[300];
    if (c->name != NULL)
        return 0;
    if (c->model != NULL && c->quant != NULL)
        (void)PL_FMT(text, "%s:%s", c->model, c->quant);
    else if (c->model != NULL)
        (void)PL_FMT(text, "%s", c->model);
    else
        (void)PL_FMT(text, "candidate %u", i + 1);
    c->name = pl_arena_strdup(r->arena, text);
    return c->name != NULL ? 0 : pl_no_room(r);
}

static int pl_read_candidate(struct pl_stack_reader *r, const struct pl_ynode *map, uint32_t i,
                             struct pl_stack_candidate *c)
{
    const char *const *languages;
    *c = (struct pl_stack_candidate){
        .name = pl_ytext(map, "name", NULL),
        .model = pl_ytext(map, "model", NULL),
        .quant = pl_ytext(map, "quant", NULL),
        .engine = pl_ytext(map, "engine", NULL),
        .instance = pl_ytext(map, "instance", NULL),
        .precision = pl_ytext(map, "precision", NULL),
        .quality = (int64_t)pl_yuint(map, "quality", 0),
        .quality_known = pl_part(map, "quality") != NULL,
        .decode_milli = pl_ymilli(map, "decode", 0),
        .first_token_us = pl_ymicros(map, "first_token", 0),
        .extra_bytes = pl_yuint(map, "extra_mib", 0) * PL_MIB,
        .model_bytes = pl_ysize(map, "size", 0),
        .at = map,
    };
    int rc = pl_texts(r, map, "command", &c->command);
    if (rc == 0)
        rc = pl_texts(r, map, "flags", &c->flags);
    if (rc == 0)
        rc = pl_texts(r, map, "kv_types", &c->kv_types);
    if (rc == 0)
        rc = pl_texts(r, map, "languages", &languages);
    if (rc == 0 && languages != NULL && (c->language = pl_joined(r, languages)) == NULL)
        rc = pl_no_room(r);
    if (rc == 0)
        rc = pl_read_footprint(r, map, c);
    if (rc == 0)
        rc = pl_candidate_name(r, c, i);
    if (rc == 0 && !c->declared && c->model == NULL) {
        (void)pl_yfail(r->err, map, "a candidate needs a model or a footprint");
        return pl_hint(r->err, "model: qwen3-8b, or footprint: {gpu0: {steady: 2.5GiB}}");
    }
    return rc;
}

static void pl_read_tiers(const struct pl_ynode *map, struct pl_stack_component *c)
{
    const struct pl_ynode *v = pl_part(map, "tier");
    const char *word[PL_SERVES] = {"hot"};
    uint32_t n = 1;
    if (v != NULL && v->kind == PL_Y_SCALAR)
        word[0] = v->text;
    if (v != NULL && v->kind == PL_Y_LIST) {
        n = 0;
        for (const struct pl_ymember *m = v->first; m != NULL && n < PL_SERVES; m = m->next)
            word[n++] = m->value->text;
    }
    for (uint32_t i = 0; i < n; i++) {
        for (int t = 0; t < PL_SERVES; t++) {
            if (pl_streq(word[i], pl_serve_name((enum pl_serve)t)))
                c->tier[c->n_tier++] = (enum pl_serve)t;
        }
    }
}

/* Rungs are names of candidates. */
static int pl_check_fallback(struct pl_stack_reader *r, const struct pl_ynode *map,
                             const struct pl_stack_component *c)
{
    const char *names[PL_STACK_CANDIDATES_MAX + 1] = {0};
    for (uint32_t i = 0; i < c->n_candidate; i++)
        names[i] = c->candidate[i].name;
    for (size_t k = 0; c->fallback != NULL && c->fallback[k] != NULL; k++) {
        bool found = false;
        for (uint32_t i = 0; i < c->n_candidate && !found; i++)
            found = pl_streq(names[i], c->fallback[k]);
        if (found)
            continue;
        (void)pl_yfail(r->err, pl_yget(map, "fallback"),
                       "components.%.60s.fallback: there is no candidate '%.60s'", c->name,
                       c->fallback[k]);
        const char *near = pl_nearest(c->fallback[k], names);
        return near != NULL ? pl_hint(r->err, "did you mean '%s'?", near) : -EINVAL;
    }
    return 0;
}

static uint64_t pl_first_token_of(const struct pl_ynode *map, enum pl_objective o)
{
    return pl_ymicros(map, "max_first_token",
                      o == PL_OBJECTIVE_VOICE ? PL_VOICE_FIRST_TOKEN_US : 0);
}

void pl_stack_objective(struct pl_stack *s, enum pl_objective o)
{
    s->objective = o;
    for (uint32_t c = 0; c < s->n_component; c++)
        s->component[c].max_first_token_us = pl_first_token_of(s->component[c].at, o);
}

static int pl_read_component(struct pl_stack_reader *r, const struct pl_ymember *in,
                             struct pl_stack_component *c)
{
    const struct pl_ynode *map = in->value, *list = pl_part(map, "candidates");
    *c = (struct pl_stack_component){
        .name = in->key,
        .priority = (uint32_t)pl_yuint(map, "priority", 100),
        .required = pl_ybool(map, "required", false),
        .weight = pl_yuint(map, "weight", 1),
        .group = pl_ytext(map, "group", "warm"),
        .context = pl_want_of(map, "context"),
        .slots = pl_want_of(map, "slots"),
        .min_decode_milli = pl_ymilli(map, "min_decode", PL_MIN_DECODE_MILLI),
        .min_decode_given = pl_part(map, "min_decode") != NULL,
        .min_quality = (int64_t)pl_yuint(map, "min_quality", 0),
        .min_quality_given = pl_part(map, "min_quality") != NULL,
        .max_first_token_us = pl_first_token_of(map, r->s->objective),
        .language = pl_ytext(map, "language", NULL),
        .role = pl_ytext(map, "role", NULL),
        .at = map,
    };
    pl_read_tiers(map, c);
    int rc = pl_texts(r, map, "fallback", &c->fallback);
    c->candidate = pl_take(r, list->n, sizeof(*c->candidate));
    if (rc == 0 && c->candidate == NULL)
        rc = -ENOMEM;
    for (const struct pl_ymember *m = list->first; rc == 0 && m != NULL; m = m->next) {
        rc = pl_read_candidate(r, m->value, c->n_candidate, &c->candidate[c->n_candidate]);
        c->n_candidate++;
    }
    return rc == 0 ? pl_check_fallback(r, map, c) : rc;
}

static int pl_read_pools(struct pl_stack_reader *r)
{
    struct pl_stack *s = r->s;
    const struct pl_ynode *map = pl_part(s->root, "pools");
    if (map == NULL)
        return 0;
    if (map->n > PL_POOLS_MAX)
        return pl_yfail(r->err, map, "pools: more than %d", PL_POOLS_MAX);
    s->pool = pl_take(r, map->n, sizeof(*s->pool));
    if (s->pool == NULL)
        return -ENOMEM;
    for (const struct pl_ymember *m = map->first; m != NULL; m = m->next)
        s->pool[s->n_pool++] = (struct pl_stack_pool){
            .name = m->key,
            .ceiling = pl_ysize(m->value, "ceiling", UINT64_MAX),
            .reserve = pl_ysize(m->value, "reserve", 0),
            .largest = pl_ysize(m->value, "largest", UINT64_MAX),
            .at = m->value,
        };
    return 0;
}

static int pl_read_policy(struct pl_stack_reader *r, const struct pl_ymember *m,
                          struct pl_stack_policy *p)
{
    const struct pl_ynode *map = m->value, *together = pl_part(map, "max_together");
    *p = (struct pl_stack_policy){
        .name = m->key,
        .max_model_bytes = pl_ysize(map, "max_model_size", UINT64_MAX),
        .max_allocation = pl_ysize(map, "max_allocation", UINT64_MAX),
        .at = map,
    };
    int rc = pl_texts(r, map, "forbid_quants", &p->quants);
    if (rc == 0)
        rc = pl_texts(r, map, "forbid_precisions", &p->precisions);
    if (rc == 0)
        rc = pl_texts(r, map, "components", &p->components);
    if (rc < 0 || together == NULL)
        return rc;
    struct pl_stack_count *c = pl_take(r, together->n, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    p->together = c;
    for (const struct pl_ymember *i = together->first; i != NULL; i = i->next)
        c[p->n_together++] = (struct pl_stack_count){i->key, pl_yuint(together, i->key, 0)};
    return 0;
}

static int pl_read_policies(struct pl_stack_reader *r)
{
    struct pl_stack *s = r->s;
    const struct pl_ynode *map = pl_part(s->root, "policies");
    int rc = 0;
    if (map == NULL)
        return 0;
    s->policy = pl_take(r, map->n, sizeof(*s->policy));
    if (s->policy == NULL)
        return -ENOMEM;
    for (const struct pl_ymember *m = map->first; rc == 0 && m != NULL; m = m->next)
        rc = pl_read_policy(r, m, &s->policy[s->n_policy++]);
    return rc;
}

static int pl_read_cloud(struct pl_stack_reader *r)
{
    struct pl_stack *s = r->s;
    const struct pl_ynode *map = pl_part(s->root, "cloud");
    if (map == NULL)
        return 0;
    s->cloud = pl_take(r, map->n, sizeof(*s->cloud));
    if (s->cloud == NULL)
        return -ENOMEM;
    for (const struct pl_ymember *m = map->first; m != NULL; m = m->next) {
        uint64_t in = pl_ymilli(m->value, "input", UINT64_MAX);
        uint64_t out = pl_ymilli(m->value, "output", UINT64_MAX);
        s->cloud[s->n_cloud++] = (struct pl_stack_cloud){
            .name = m->key,
            .provider = pl_ytext(m->value, "provider", NULL),
            .model = pl_ytext(m->value, "model", NULL),
            .url = pl_ytext(m->value, "url", NULL),
            .key_env = pl_ytext(m->value, "key_env", NULL),
            .input_micro = in == UINT64_MAX ? in : in * 1000,
            .output_micro = out == UINT64_MAX ? out : out * 1000,
            .currency = pl_ytext(m->value, "currency", "USD"),
            .at = m->value,
        };
    }
    return 0;
}

static bool pl_same_quantity(struct pl_quantity a, struct pl_quantity b)
{
    return a.low == b.low && a.likely == b.likely && a.high == b.high;
}

static bool pl_same_footprint(const struct pl_stack_candidate *a,
                              const struct pl_stack_candidate *b)
{
    if (a->declared != b->declared || a->n_pool != b->n_pool)
        return false;
    for (uint32_t i = 0; i < a->n_pool; i++) {
        const struct pl_option_pool *p = &a->pool[i], *q = NULL;
        for (uint32_t k = 0; k < b->n_pool && q == NULL; k++)
            q = pl_streq(b->pool[k].pool, p->pool) ? &b->pool[k] : NULL;
        if (q == NULL || !pl_same_quantity(p->steady, q->steady) ||
            !pl_same_quantity(p->peak, q->peak) || !pl_same_quantity(p->load_peak, q->load_peak) ||
            !pl_same_quantity(p->largest, q->largest))
            return false;
    }
    return true;
}

/* Candidates of one instance are one process: they must say the same of it. */
static int pl_check_instances(struct pl_stack_reader *r)
{
    const struct pl_stack *s = r->s;
    const struct pl_stack_candidate *first[PL_PLAN_COMPONENTS_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_component; i++) {
        for (uint32_t k = 0; k < s->component[i].n_candidate; k++) {
            const struct pl_stack_candidate *c = &s->component[i].candidate[k];
            uint32_t f = 0;
            if (c->instance == NULL)
                continue;
            while (f < n && !pl_streq(first[f]->instance, c->instance))
                f++;
            if (f == n && n < PL_PLAN_COMPONENTS_MAX)
                first[n++] = c;
            else if (f == n)
                return pl_yfail(r->err, c->at, "more than %u instances", PL_PLAN_COMPONENTS_MAX);
            else if (!pl_same_footprint(first[f], c))
                return pl_yfail(r->err, c->at,
                                "instance '%.40s': its footprint differs from the one on line %u",
                                c->instance, first[f]->at->line);
            else if (!c->declared && (!pl_streq(first[f]->model, c->model) ||
                                      !pl_streq(first[f]->quant != NULL ? first[f]->quant : "",
                                                c->quant != NULL ? c->quant : "")))
                return pl_yfail(r->err, c->at, "instance '%.40s': another model than on line %u",
                                c->instance, first[f]->at->line);
        }
    }
    return 0;
}

static int pl_read_stack(struct pl_stack_reader *r)
{
    struct pl_stack *s = r->s;
    const struct pl_ynode *parts = pl_part(s->root, "components");
    const struct pl_ynode *label = pl_part(s->root, "headroom");
    s->name = pl_ytext(s->root, "name", NULL);
    (void)pl_objective_of(pl_ytext(s->root, "objective", "balanced"), &s->objective);
    s->duty =
        pl_streq(pl_ytext(s->root, "duty", "session"), "24/7") ? PL_DUTY_ALWAYS : PL_DUTY_SESSION;
    s->tight_permyriad = (uint32_t)(pl_ymilli(label, "tight", 10000) / 10);
    s->comfortable_permyriad = (uint32_t)(pl_ymilli(label, "comfortable", 25000) / 10);
    s->component = pl_take(r, parts->n, sizeof(*s->component));
    int rc = s->component != NULL ? pl_read_pools(r) : -ENOMEM;
    for (const struct pl_ymember *m = parts->first; rc == 0 && m != NULL; m = m->next)
        rc = pl_read_component(r, m, &s->component[s->n_component++]);
    if (rc == 0)
        rc = pl_read_policies(r);
    if (rc == 0)
        rc = pl_read_cloud(r);
    return rc == 0 ? pl_check_instances(r) : rc;
}

/* Files of older versions are brought to this one here, step by step; there is none before 1. */
static int pl_migrate(const struct pl_ynode *root, struct pl_err *err)
{
    const struct pl_ynode *v = root->kind == PL_Y_MAP ? pl_yget(root, "plimsoll") : NULL;
    uint64_t version;
    if (v == NULL) {
        (void)pl_yfail(err, root, "'plimsoll' is missing: the version of the format");
        return pl_hint(err, "the first line is 'plimsoll: %u'", PL_STACK_VERSION);
    }
    if (v->kind != PL_Y_SCALAR || !pl_parse_u64(v->text, &version) || version == 0)
        return pl_yfail(err, v, "plimsoll: a version is a whole number, this one %u",
                        PL_STACK_VERSION);
    if (version > PL_STACK_VERSION) {
        (void)pl_yfail(err, v, "plimsoll: version %llu is newer than this program reads (%u)",
                       (unsigned long long)version, PL_STACK_VERSION);
        return pl_hint(err, "a newer plimsoll reads it");
    }
    return 0;
}

int pl_stack_parse(const char *text, size_t len, const char *file,
                   const struct pl_stack_options *options, struct pl_arena *arena,
                   struct pl_stack **ret, struct pl_err *err)
{
    const struct pl_ynode *root = NULL;
    struct pl_stack *s = pl_arena_alloc(arena, 1, sizeof(*s));
    struct pl_stack_reader r = {arena, err, s};
    if (s == NULL)
        return pl_no_room(&r);
    s->file = file;
    int rc = pl_yaml_parse(text, len, file, arena, &root, err);
    if (rc == 0)
        rc = pl_migrate(root, err);
    if (rc == 0)
        rc = pl_keys_check(root, pl_stack_keys, false, err);
    if (rc == 0)
        rc = pl_stack_resolve(root, options, arena, s, err);
    if (rc == 0)
        rc = pl_keys_check(s->root, pl_stack_keys, true, err);
    if (rc == 0)
        rc = pl_read_stack(&r);
    if (rc < 0)
        return err != NULL && err->exit_code == 0 && rc == -EINVAL
                   ? pl_exit_as(err, rc, PL_EXIT_USAGE)
                   : rc;
    *ret = s;
    return 0;
}

uint32_t pl_stack_declared(const struct pl_stack *s, struct pl_option *out, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_component; i++) {
        const struct pl_stack_component *c = &s->component[i];
        for (uint32_t k = 0; k < c->n_candidate && n < max; k++) {
            const struct pl_stack_candidate *d = &c->candidate[k];
            if (!d->declared)
                continue;
            out[n++] = (struct pl_option){
                .component = i,
                .candidate = k,
                .name = d->name,
                .pool = d->pool,
                .n_pool = d->n_pool,
                .instance = d->instance,
                .quality = d->quality,
                .quality_known = d->quality_known,
                .decode_milli = d->decode_milli,
                .first_token_us = d->first_token_us,
                .context = c->context.want,
                .slots = c->slots.want,
                .model_bytes = d->model_bytes,
                .model = d->model,
                .quant = d->quant,
                .precision = d->precision,
                .language = d->language,
                .settings = "",
                .why = "declared in the stack file",
            };
        }
    }
    return n;
}
