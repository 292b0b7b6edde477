/* common/common.cpp, string_parse_kv_override; src/llama-model-loader.cpp, GKV::set and
 * get_key_or_arr. */
#include "engine/llamacpp/override.h"

#include "base/str.h"
#include "engine/llamacpp/resolve.h"

#include <errno.h>
#include <string.h>

#define PL_OVERRIDE_TEXT_MAX 128 /* of a key, of a value: the engine's own limits */

/* "int:5", "float:0.5", "bool:true", "str:word" */
static bool pl_override_value(const char *text, struct pl_arena *a, struct pl_kv *ret)
{
    ret->count = 1;
    if (pl_starts(text, "int:")) {
        int64_t v = 0;
        ret->type = PL_KV_I64;
        if (!pl_parse_i64(text + 4, &v))
            return false;
        ret->u = (uint64_t)v;
        return true;
    }
    if (pl_starts(text, "float:")) {
        ret->type = PL_KV_F64;
        return pl_parse_double(text + 6, &ret->f);
    }
    if (pl_starts(text, "bool:")) {
        ret->type = PL_KV_BOOL;
        ret->u = pl_streq(text + 5, "true");
        return ret->u != 0 || pl_streq(text + 5, "false");
    }
    ret->type = PL_KV_STR;
    ret->count = strlen(text);
    ret->str = pl_starts(text, "str:") ? pl_arena_strdup(a, text + 4) : NULL;
    return ret->str != NULL;
}

static int pl_override_bad(const char *text, struct pl_err *err)
{
    (void)pl_fail(err, -EINVAL, "--override-kv: '%.80s' is not KEY=TYPE:VALUE", text);
    (void)pl_hint(err, "types: int, float, bool, str; example: tokenizer.ggml.add_bos_token=bool:"
                       "false");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_override_one(struct pl_model *m, uint64_t had, const char *text, size_t len,
                           struct pl_arena *a, struct pl_err *err)
{
    char whole[2 * PL_OVERRIDE_TEXT_MAX];
    struct pl_kv kv = {.added = true};
    if (!PL_FMT(whole, "%.*s", (int)(len < sizeof(whole) ? len : sizeof(whole)), text))
        return pl_override_bad(text, err);
    char *equal = strchr(whole, '=');
    if (equal == NULL || equal == whole || equal - whole >= PL_OVERRIDE_TEXT_MAX)
        return pl_override_bad(whole, err);
    *equal = '\0';
    kv.key = pl_arena_strdup(a, whole);
    if (kv.key == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    if (!pl_override_value(equal + 1, a, &kv)) {
        *equal = '=';
        return pl_override_bad(whole, err);
    }
    for (uint64_t i = 0; i < m->n_kv; i++) {
        if (!pl_streq(m->kv[i].key, kv.key))
            continue;
        /* the file's, of the same type and not replaced yet */
        if (i < had && !m->kv[i].added && pl_kv_class(m->kv[i].type) == pl_kv_class(kv.type))
            m->kv[i] = kv;
        return 0;
    }
    if (m->n_kv >= had + PL_OVERRIDE_KEYS_MAX) {
        (void)pl_fail(err, -E2BIG, "--override-kv: more than %d keys", PL_OVERRIDE_KEYS_MAX);
        return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
    }
    m->kv[m->n_kv++] = kv;
    return 0;
}

/* Keys of whole numbers, after the architecture's name, that no tensor's shape follows from. */
static bool pl_override_shapeless(const char *key)
{
    static const char *const keys[] = {
        ".context_length",
        ".attention.sliding_window",
        ".attention.indexer.top_k",
        ".expert_used_count",
        ".expert_group_count",
        ".expert_group_used_count",
        ".expert_gating_func",
        ".pooling_type",
        ".decoder_start_token_id",
        ".rope.scaling.original_context_length",
        ".attention.temperature_length",
        ".attention.temperature_scale",
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (pl_streq(key, keys[i]))
            return true;
    }
    return false;
}

/* A number of the architecture's own that is now another than the file's. */
static const struct pl_kv *pl_override_reshaped(const struct pl_model *m,
                                                const struct pl_model *now)
{
    size_t n = m->arch != NULL ? strlen(m->arch) : 0;
    for (uint64_t i = 0; i < now->n_kv; i++) {
        const struct pl_kv *kv = &now->kv[i];
        bool same = i < m->n_kv && (!kv->added || kv->u == m->kv[i].u);
        if (!same && kv->type == PL_KV_I64 && n > 0 && strncmp(kv->key, m->arch, n) == 0 &&
            kv->key[n] == '.' && !pl_override_shapeless(kv->key + n))
            return kv;
        if (i < m->n_kv && kv->added && pl_streq(kv->key, "general.architecture") &&
            !pl_streq(kv->str, m->arch))
            return kv;
    }
    return NULL;
}

/* llama-model-loader.cpp, check_tensor_dims, ends a load whose tensors are not as the keys say. The
 * tensors of plain decoders are compared here too; of others no number is better than one of
 * something that never runs. */
static int pl_override_check(const struct pl_model *m, const struct pl_model *now,
                             struct pl_err *err)
{
    struct pl_geometry g;
    const struct pl_kv *kv = pl_override_reshaped(m, now);
    int rc = kv != NULL ? pl_llamacpp_geometry(now, &g, err) : 0;
    if (rc != -ENOTSUP)
        return rc;
    (void)pl_fail(err, -ENOTSUP,
                  "cannot tell: --override-kv %.80s: the engine compares tensors with it, and "
                  "loads none that differ",
                  kv->key);
    (void)pl_hint(err, "for another geometry: plimsoll ghost MODEL --edit FILE");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

int pl_llamacpp_overridden(const struct pl_model *m, const struct pl_settings *s,
                           struct pl_arena *a, struct pl_model *ret, struct pl_err *err)
{
    *ret = *m;
    if (s->override_kv.n == 0)
        return 0;
    ret->kv = pl_arena_alloc(a, m->n_kv + PL_OVERRIDE_KEYS_MAX, sizeof(*ret->kv));
    if (ret->kv == NULL)
        return pl_fail(err, -ENOMEM, "out of memory");
    memcpy(ret->kv, m->kv, m->n_kv * sizeof(*ret->kv));
    for (uint64_t i = 0; i < m->n_kv; i++)
        ret->kv[i].added = false; /* marks what is replaced here */
    for (uint32_t i = 0; i < s->override_kv.n; i++) {
        for (const char *p = s->override_kv.one[i]; p != NULL;) {
            size_t len = strcspn(p, ",");
            int rc = pl_override_one(ret, m->n_kv, p, len, a, err);
            if (rc < 0)
                return rc;
            p = p[len] == ',' ? p + len + 1 : NULL;
        }
    }
    ret->arch = pl_model_str(ret, "general.architecture", ret->arch);
    return pl_override_check(m, ret, err);
}
