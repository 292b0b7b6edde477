#include "engine/llamacpp/projector.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>

#define PL_PROJECTOR_SIDE_MAX 65536u /* clip.cpp, sanity check of image_size */
#define PL_PROJECTOR_WIDTH_MAX (1u << 20)
#define PL_PROJECTOR_LAYERS_MAX 512u
#define PL_SOUND_FRAMES 3000u /* clip-model.h, warmup_audio_size: 30 seconds */

static const struct pl_projector_kind pl_kinds[] = {
#include "llamacpp_projectors.inc"
};

static const struct pl_projector_kind *pl_kind_named(const char *name, enum pl_projector_of of)
{
    /* clip.cpp: one name for both halves of Qwen 2.5 Omni */
    if (pl_streq(name, "qwen2.5o"))
        name = of == PL_OF_VISION ? "qwen2.5vl_merger" : "qwen2a";
    for (size_t i = 0; i < sizeof(pl_kinds) / sizeof(pl_kinds[0]); i++) {
        if (pl_streq(pl_kinds[i].name, name))
            return &pl_kinds[i];
    }
    return NULL;
}

static bool pl_projector_has(const struct pl_model *m, enum pl_projector_of of)
{
    const struct pl_kv *kv =
        pl_model_kv(m, of == PL_OF_VISION ? "clip.has_vision_encoder" : "clip.has_audio_encoder");
    return kv != NULL && kv->type == PL_KV_BOOL && kv->u != 0;
}

uint32_t pl_projector_count(const struct pl_model *m)
{
    return (pl_projector_has(m, PL_OF_VISION) ? 1u : 0u) +
           (pl_projector_has(m, PL_OF_AUDIO) ? 1u : 0u);
}

static int pl_projector_bad(const struct pl_model *m, const char *what, const char *key,
                            struct pl_err *err)
{
    (void)pl_fail(err, -EBADMSG, "the projector's header %s %s", what, key);
    pl_err_at(err, m->path, 0, 0);
    return -EBADMSG;
}

/* clip.vision.KEY or clip.audio.KEY; absent UINT64_MAX: required. */
static int pl_projector_u64(const struct pl_model *m, enum pl_projector_of of, const char *key,
                            uint64_t absent, uint64_t *ret, struct pl_err *err)
{
    char full[96];
    (void)PL_FMT(full, "%s.%s", of == PL_OF_VISION ? "vision" : "audio", key);
    uint64_t v = pl_model_arch_u64(m, full, absent);
    if (v == UINT64_MAX)
        return pl_projector_bad(m, "lacks", full, err);
    if (v > PL_PROJECTOR_WIDTH_MAX)
        return pl_projector_bad(m, "holds a size no projector has:", full, err);
    *ret = v;
    return 0;
}

static int pl_projector_kind_of(const struct pl_model *m, enum pl_projector_of of,
                                const struct pl_projector_kind **ret, struct pl_err *err)
{
    const struct pl_kv *kv = pl_model_kv(m, "clip.projector_type");
    if (kv == NULL || kv->type != PL_KV_STR || kv->str[0] == '\0')
        kv = pl_model_kv(m, of == PL_OF_VISION ? "clip.vision.projector_type"
                                               : "clip.audio.projector_type");
    if (kv == NULL || kv->type != PL_KV_STR)
        return pl_projector_bad(m, "lacks", "clip.projector_type", err);
    *ret = pl_kind_named(kv->str, of);
    if (*ret != NULL && (*ret)->of == of)
        return 0;
    (void)pl_fail(err, -ENOTSUP, "cannot tell: projector type '%.40s' is not known", kv->str);
    (void)pl_hint(err, "leave --mmproj out for an estimate without it");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

static int pl_projector_geometry(const struct pl_model *m, struct pl_projector *p,
                                 struct pl_err *err)
{
    const uint64_t must = UINT64_MAX;
    bool sees = p->kind->of == PL_OF_VISION;
    const struct {
        const char *key;
        uint64_t absent, *to;
    } keys[] = {
        {"embedding_length",        must,            &p->n_embd      },
        {"feed_forward_length",     must,            &p->n_ff        },
        {"attention.head_count",    must,            &p->n_head      },
        {"attention.head_count_kv", 0,               &p->n_head_kv   },
        {"attention.head_dim",      0,               &p->head        },
        {"block_count",             must,            &p->n_layer     },
        {"projection_dim",          must,            &p->n_out       },
        {"image_size",              sees ? must : 0, &p->image       },
        {"patch_size",              sees ? must : 1, &p->patch       },
        {"num_mel_bins",            sees ? 0 : must, &p->mel         },
        {"projector.stack_factor",  1,               &p->stack       },
        {"n_wa_pattern",            0,               &p->window_every},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        int rc = pl_projector_u64(m, p->kind->of, keys[i].key, keys[i].absent, keys[i].to, err);
        if (rc < 0)
            return rc;
    }
    if (p->n_embd == 0 || p->patch == 0 || p->image > PL_PROJECTOR_SIDE_MAX ||
        p->patch >= PL_PROJECTOR_SIDE_MAX || p->n_layer > PL_PROJECTOR_LAYERS_MAX)
        return pl_projector_bad(m, "holds a size no projector has:",
                                p->n_embd == 0 ? "embedding_length" : "image, patch, layers", err);
    if (p->n_head_kv == 0)
        p->n_head_kv = p->n_head;
    if (p->head == 0 && p->n_head > 0)
        p->head = p->n_embd / p->n_head;
    p->merge = p->kind->merge;
    if (p->kind->merge_key != NULL)
        p->merge = pl_model_arch_u64(m, p->kind->merge_key, p->merge);
    if (p->merge >= PL_PROJECTOR_SIDE_MAX)
        return pl_projector_bad(m, "holds a size no projector has:", p->kind->merge_key, err);
    p->merge = p->merge == 0 ? 1 : p->merge;
    if (pl_streq(p->kind->name, "gemma4uv")) { /* merged by a larger patch */
        p->patch *= p->merge;
        p->merge = 1;
    }
    return 0;
}

static uint64_t pl_root(uint64_t v)
{
    uint64_t r = 0;
    for (uint64_t bit = 1ull << 31; bit > 0; bit >>= 1) {
        if ((r + bit) <= v / (r + bit))
            r += bit;
    }
    return r;
}

/* The largest image: as near to a square as its tokens allow. */
static struct pl_sight pl_sight_of_tokens(const struct pl_projector *p, uint64_t tokens)
{
    uint64_t side = pl_root(tokens), unit = p->patch * p->merge;
    side = side == 0 ? 1 : side;
    return (struct pl_sight){tokens / side * unit, side * unit, 1};
}

/* clip-model.h, set_limit_image_tokens, set_warmup_n_tokens; --image-min-tokens, --image-max-tokens
 * count where the kind has limits. */
static int pl_projector_sizes(const struct pl_model *m, const struct pl_settings *s,
                              struct pl_projector *p, struct pl_err *err)
{
    const struct pl_projector_kind *k = p->kind;
    uint64_t unit = p->patch * p->merge, tokens = k->most > 0 ? (uint64_t)k->most : 0;
    if (k->of == PL_OF_AUDIO) {
        p->warm = p->most = (struct pl_sight){PL_SOUND_FRAMES, p->mel, 1};
        return 0;
    }
    if (tokens > 0 && s->image_max_tokens > 0)
        tokens = s->image_max_tokens;
    uint64_t least = k->least > 0 ? (uint64_t)k->least : 0;
    if (tokens > 0 && s->image_min_tokens > 0)
        least = s->image_min_tokens;
    uint64_t pixels = pl_model_arch_u64(m, "vision.image_max_pixels", 0);
    if (k->most < 0 && pixels == 0)
        return pl_projector_bad(m, "lacks", "vision.image_max_pixels", err);
    if (k->most < 0)
        tokens = pixels / (unit * unit);
    if (tokens > 0 && least > tokens)
        return pl_exit_as(err,
                          pl_fail(err, -EINVAL,
                                  "--image-min-tokens %llu is more than the most, %llu",
                                  (unsigned long long)least, (unsigned long long)tokens),
                          PL_EXIT_USAGE);
    if (tokens > PL_PROJECTOR_WIDTH_MAX)
        return pl_projector_bad(m, "or --image-max-tokens allows an image beyond any:", k->name,
                                err);
    uint64_t side = p->image;
    if (k->warm > 0)
        side = pl_root(k->warm) * unit;
    else if (tokens > 0)
        side = pl_root(tokens * unit * unit);
    p->warm = (struct pl_sight){side, side, 1};
    p->most = tokens > 0 ? pl_sight_of_tokens(p, tokens) : p->warm;
    if (k->batches != 0 && s->mtmd_batch_tokens > 0) {
        uint64_t one = pl_projector_tokens(p, &p->most);
        p->most.n = one > 0 && s->mtmd_batch_tokens > one ? s->mtmd_batch_tokens / one : 1;
    }
    return 0;
}

uint64_t pl_projector_patches(const struct pl_projector *p, const struct pl_sight *sight)
{
    if (p->kind->of == PL_OF_AUDIO)
        return sight->nx / 2;
    return pl_mul_sat(sight->nx / p->patch, sight->ny / p->patch);
}

uint64_t pl_projector_tokens(const struct pl_projector *p, const struct pl_sight *sight)
{
    return pl_projector_patches(p, sight) / (p->merge * p->merge);
}

int pl_projector_read(const struct pl_model *m, uint32_t i, const struct pl_settings *s,
                      struct pl_projector *ret, struct pl_err *err)
{
    if (!pl_streq(m->arch, "clip") || pl_projector_count(m) == 0) {
        (void)pl_fail(err, -EBADMSG, "--mmproj: no projector (architecture '%.40s')", m->arch);
        pl_err_at(err, m->path, 0, 0);
        return -EBADMSG;
    }
    struct pl_projector p = {0};
    enum pl_projector_of of =
        i == 0 && pl_projector_has(m, PL_OF_VISION) ? PL_OF_VISION : PL_OF_AUDIO;
    int rc = pl_projector_kind_of(m, of, &p.kind, err);
    if (rc == 0)
        rc = pl_projector_geometry(m, &p, err);
    if (rc == 0)
        rc = pl_projector_sizes(m, s, &p, err);
    if (rc == 0)
        *ret = p;
    return rc;
}
