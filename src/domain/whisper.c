/* whisper.cpp src/whisper.cpp, whisper_model_load; the tables are read at version 1.9. */
#include "domain/whisper.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"

#include <string.h>
#include <strings.h>

#define PL_WHISPER_LAYERS_MAX 512u
#define PL_WHISPER_WIDE_MAX (1u << 20) /* of any other length */
#define PL_WHISPER_FTYPE_VERSION 1000u /* GGML_QNT_VERSION_FACTOR */
#define PL_WHISPER_CONV 3u             /* taps of both convolutions */

/* ggml.h: ggml_ftype, the ggml_type that ggml_ftype_to_ggml_type makes of it, and the number that
 * general.file_type has for it in a GGUF file. whisper-quantize takes only blocks of 32: Whisper's
 * rows are no multiple of 256 in all sizes, but those of base, medium and large are. */
static const struct {
    const char *name;
    uint32_t ftype, type, file_type;
} pl_whisper_types[] = {
    {"F32",  0,  0,  0 },
    {"F16",  1,  1,  1 },
    {"Q4_0", 2,  2,  2 },
    {"Q4_1", 3,  3,  3 },
    {"Q8_0", 7,  8,  7 },
    {"Q5_0", 8,  6,  8 },
    {"Q5_1", 9,  7,  9 },
    {"Q2_K", 10, 10, 10},
    {"Q3_K", 11, 11, 11},
    {"Q4_K", 12, 12, 14},
    {"Q5_K", 13, 13, 16},
    {"Q6_K", 14, 14, 18},
};
#define PL_WHISPER_TYPES (sizeof(pl_whisper_types) / sizeof(pl_whisper_types[0]))

static bool pl_whisper_sane(const struct pl_whisper *w, const char **ret_why)
{
    const uint64_t lengths[] = {w->n_audio_ctx, w->n_audio_state, w->n_audio_head,
                                w->n_text_ctx,  w->n_text_head,   w->n_mels};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        if (lengths[i] == 0 || lengths[i] > PL_WHISPER_WIDE_MAX) {
            *ret_why = "a length is zero or far too large";
            return false;
        }
    }
    *ret_why = w->n_vocab == 0 || w->n_vocab > 16 * (uint64_t)PL_WHISPER_WIDE_MAX
                   ? "the vocabulary's length is not plausible"
               : w->n_audio_layer == 0 || w->n_audio_layer > PL_WHISPER_LAYERS_MAX ||
                       w->n_text_layer == 0 || w->n_text_layer > PL_WHISPER_LAYERS_MAX
                   ? "the number of layers is not plausible"
               : w->n_text_state != w->n_audio_state ? "encoder and decoder differ in width"
               : w->n_audio_state % w->n_audio_head != 0 || w->n_text_state % w->n_text_head != 0
                   ? "the width is no multiple of its heads"
                   : NULL;
    return *ret_why == NULL;
}

bool pl_whisper_from(const uint32_t number[PL_WHISPER_NUMBERS], struct pl_whisper *ret,
                     const char **ret_why)
{
    *ret = (struct pl_whisper){.n_vocab = number[0],
                               .n_audio_ctx = number[1],
                               .n_audio_state = number[2],
                               .n_audio_head = number[3],
                               .n_audio_layer = number[4],
                               .n_text_ctx = number[5],
                               .n_text_state = number[6],
                               .n_text_head = number[7],
                               .n_text_layer = number[8],
                               .n_mels = number[9],
                               .ftype = number[10] % PL_WHISPER_FTYPE_VERSION};
    for (size_t i = 0; i < PL_WHISPER_TYPES; i++) {
        if (pl_whisper_types[i].ftype == ret->ftype) {
            ret->type = pl_whisper_types[i].type;
            ret->type_name = pl_whisper_types[i].name;
        }
    }
    if (ret->type_name == NULL || number[10] >= 100 * PL_WHISPER_FTYPE_VERSION) {
        *ret_why = "its type of weights is not known";
        return false;
    }
    return pl_whisper_sane(ret, ret_why);
}

bool pl_whisper_type_named(const char *name, struct pl_whisper *ret)
{
    for (size_t i = 0; i < PL_WHISPER_TYPES; i++) {
        if (strcasecmp(pl_whisper_types[i].name, name) == 0) {
            ret->ftype = pl_whisper_types[i].ftype;
            ret->type = pl_whisper_types[i].type;
            ret->type_name = pl_whisper_types[i].name;
            return true;
        }
    }
    return false;
}

/* The decoder has the plain keys, as a text model would; the encoder its own. */
static const struct {
    const char *key;
    size_t at; /* member of struct pl_whisper */
} pl_whisper_key[] = {
    {"whisper.vocab_size",                   offsetof(struct pl_whisper, n_vocab)      },
    {"whisper.context_length",               offsetof(struct pl_whisper, n_text_ctx)   },
    {"whisper.embedding_length",             offsetof(struct pl_whisper, n_text_state) },
    {"whisper.attention.head_count",         offsetof(struct pl_whisper, n_text_head)  },
    {"whisper.block_count",                  offsetof(struct pl_whisper, n_text_layer) },
    {"whisper.encoder.context_length",       offsetof(struct pl_whisper, n_audio_ctx)  },
    {"whisper.encoder.embedding_length",     offsetof(struct pl_whisper, n_audio_state)},
    {"whisper.encoder.attention.head_count", offsetof(struct pl_whisper, n_audio_head) },
    {"whisper.encoder.block_count",          offsetof(struct pl_whisper, n_audio_layer)},
    {"whisper.encoder.mels_count",           offsetof(struct pl_whisper, n_mels)       },
    {"whisper.ftype",                        offsetof(struct pl_whisper, ftype)        },
};
#define PL_WHISPER_KEY_N (sizeof(pl_whisper_key) / sizeof(pl_whisper_key[0]))

static uint64_t *pl_whisper_at(struct pl_whisper *w, size_t i)
{
    return (uint64_t *)(void *)((char *)w + pl_whisper_key[i].at);
}

bool pl_whisper_of(const struct pl_model *m, struct pl_whisper *ret)
{
    if (m->format == NULL || !pl_streq(m->format, PL_WHISPER_FORMAT))
        return false;
    *ret = (struct pl_whisper){0};
    for (size_t i = 0; i < PL_WHISPER_KEY_N; i++) {
        const struct pl_kv *kv = pl_model_kv(m, pl_whisper_key[i].key);
        if (kv == NULL)
            return false;
        *pl_whisper_at(ret, i) = kv->u;
    }
    for (size_t i = 0; i < PL_WHISPER_TYPES; i++) {
        if (pl_whisper_types[i].ftype == ret->ftype)
            return pl_whisper_type_named(pl_whisper_types[i].name, ret);
    }
    return false;
}

uint32_t pl_whisper_keys(const struct pl_whisper *w, struct pl_kv *kv)
{
    struct pl_whisper copy = *w;
    uint32_t n = 0;
    kv[n++] = (struct pl_kv){.key = "general.architecture",
                             .type = PL_KV_STR,
                             .count = sizeof(PL_WHISPER_ARCH) - 1,
                             .str = PL_WHISPER_ARCH};
    for (size_t i = 0; i < PL_WHISPER_TYPES; i++) {
        if (pl_whisper_types[i].ftype == w->ftype)
            kv[n++] = (struct pl_kv){.key = "general.file_type",
                                     .type = PL_KV_U32,
                                     .count = 1,
                                     .u = pl_whisper_types[i].file_type};
    }
    for (size_t i = 0; i < PL_WHISPER_KEY_N; i++)
        kv[n++] = (struct pl_kv){.key = pl_whisper_key[i].key,
                                 .type = PL_KV_U32,
                                 .count = 1,
                                 .u = *pl_whisper_at(&copy, i)};
    kv[n++] = (struct pl_kv){.key = "whisper.feed_forward_length",
                             .type = PL_KV_U32,
                             .count = 1,
                             .u = 4 * w->n_text_state};
    return n;
}

/* Lengths of a tensor as they stand in the tables. */
enum pl_whisper_length {
    PL_WL_NONE = 0,
    PL_WL_1,
    PL_WL_STATE,
    PL_WL_STATE_4,
    PL_WL_CONV,
    PL_WL_MELS,
    PL_WL_AUDIO,
    PL_WL_TEXT,
    PL_WL_VOCAB,
};
enum pl_whisper_kind { PL_WK_F32 = 0, PL_WK_CONV, PL_WK_MATRIX };

struct pl_whisper_row {
    const char *name;
    uint8_t kind, ne[3];
};

static const struct pl_whisper_row pl_whisper_head[] = {
    {"encoder.positional_embedding",   PL_WK_F32,    {PL_WL_STATE, PL_WL_AUDIO}            },
    {"encoder.conv1.weight",           PL_WK_CONV,   {PL_WL_CONV, PL_WL_MELS, PL_WL_STATE} },
    {"encoder.conv1.bias",             PL_WK_F32,    {PL_WL_1, PL_WL_STATE}                },
    {"encoder.conv2.weight",           PL_WK_CONV,   {PL_WL_CONV, PL_WL_STATE, PL_WL_STATE}},
    {"encoder.conv2.bias",             PL_WK_F32,    {PL_WL_1, PL_WL_STATE}                },
    {"encoder.ln_post.weight",         PL_WK_F32,    {PL_WL_STATE}                         },
    {"encoder.ln_post.bias",           PL_WK_F32,    {PL_WL_STATE}                         },
    {"decoder.positional_embedding",   PL_WK_F32,    {PL_WL_STATE, PL_WL_TEXT}             },
    {"decoder.token_embedding.weight", PL_WK_MATRIX, {PL_WL_STATE, PL_WL_VOCAB}            },
    {"decoder.ln.weight",              PL_WK_F32,    {PL_WL_STATE}                         },
    {"decoder.ln.bias",                PL_WK_F32,    {PL_WL_STATE}                         },
};
/* Of a block; the encoder has no cross attention. Keys have no bias. */
static const struct pl_whisper_row pl_whisper_block[] = {
    {"attn.query.weight",       PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"attn.query.bias",         PL_WK_F32,    {PL_WL_STATE}               },
    {"attn.key.weight",         PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"attn.value.weight",       PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"attn.value.bias",         PL_WK_F32,    {PL_WL_STATE}               },
    {"attn.out.weight",         PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"attn.out.bias",           PL_WK_F32,    {PL_WL_STATE}               },
    {"attn_ln.weight",          PL_WK_F32,    {PL_WL_STATE}               },
    {"attn_ln.bias",            PL_WK_F32,    {PL_WL_STATE}               },
    {"mlp.0.weight",            PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE_4}},
    {"mlp.0.bias",              PL_WK_F32,    {PL_WL_STATE_4}             },
    {"mlp.2.weight",            PL_WK_MATRIX, {PL_WL_STATE_4, PL_WL_STATE}},
    {"mlp.2.bias",              PL_WK_F32,    {PL_WL_STATE}               },
    {"mlp_ln.weight",           PL_WK_F32,    {PL_WL_STATE}               },
    {"mlp_ln.bias",             PL_WK_F32,    {PL_WL_STATE}               },
    {"cross_attn.query.weight", PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"cross_attn.query.bias",   PL_WK_F32,    {PL_WL_STATE}               },
    {"cross_attn.key.weight",   PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"cross_attn.value.weight", PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"cross_attn.value.bias",   PL_WK_F32,    {PL_WL_STATE}               },
    {"cross_attn.out.weight",   PL_WK_MATRIX, {PL_WL_STATE, PL_WL_STATE}  },
    {"cross_attn.out.bias",     PL_WK_F32,    {PL_WL_STATE}               },
    {"cross_attn_ln.weight",    PL_WK_F32,    {PL_WL_STATE}               },
    {"cross_attn_ln.bias",      PL_WK_F32,    {PL_WL_STATE}               },
};
#define PL_WHISPER_HEAD (sizeof(pl_whisper_head) / sizeof(pl_whisper_head[0]))
#define PL_WHISPER_DECODER (sizeof(pl_whisper_block) / sizeof(pl_whisper_block[0]))
#define PL_WHISPER_ENCODER 15u

static uint64_t pl_whisper_length(const struct pl_whisper *w, uint8_t what)
{
    switch ((enum pl_whisper_length)what) {
    case PL_WL_STATE:
        return w->n_audio_state;
    case PL_WL_STATE_4:
        return 4 * w->n_audio_state;
    case PL_WL_CONV:
        return PL_WHISPER_CONV;
    case PL_WL_MELS:
        return w->n_mels;
    case PL_WL_AUDIO:
        return w->n_audio_ctx;
    case PL_WL_TEXT:
        return w->n_text_ctx;
    case PL_WL_VOCAB:
        return w->n_vocab;
    case PL_WL_NONE:
    case PL_WL_1:
        break;
    }
    return 1;
}

uint64_t pl_whisper_tensor_count(const struct pl_whisper *w)
{
    return PL_WHISPER_HEAD + PL_WHISPER_ENCODER * w->n_audio_layer +
           PL_WHISPER_DECODER * w->n_text_layer;
}

bool pl_whisper_tensor(const struct pl_whisper *w, uint64_t index, struct pl_tensor *t,
                       char name[PL_WHISPER_NAME_MAX])
{
    const struct pl_whisper_row *row = NULL;
    uint64_t encoder = PL_WHISPER_ENCODER * w->n_audio_layer;
    if (index < PL_WHISPER_HEAD) {
        row = &pl_whisper_head[index];
        (void)pl_fmt(name, PL_WHISPER_NAME_MAX, "%s", row->name);
    } else {
        uint64_t at = index - PL_WHISPER_HEAD;
        bool audio = at < encoder;
        uint64_t each = audio ? PL_WHISPER_ENCODER : PL_WHISPER_DECODER;
        at -= audio ? 0 : encoder;
        row = &pl_whisper_block[at % each];
        (void)pl_fmt(name, PL_WHISPER_NAME_MAX, "%s.blocks.%u.%s", audio ? "encoder" : "decoder",
                     (unsigned)(at / each), row->name);
    }
    *t = (struct pl_tensor){
        .name = name, .ne = {1, 1, 1, 1}
    };
    t->type = row->kind == PL_WK_F32 || w->type == 0 ? 0 : row->kind == PL_WK_CONV ? 1 : w->type;
    while (t->n_dims < 3 && row->ne[t->n_dims] != PL_WL_NONE) {
        t->ne[t->n_dims] = pl_whisper_length(w, row->ne[t->n_dims]);
        t->n_dims++;
    }
    return pl_tensor_type_bytes(pl_tensor_type(t->type), t->ne[0], pl_mul_sat(t->ne[1], t->ne[2]),
                                &t->bytes);
}

uint64_t pl_whisper_record_bytes(const struct pl_tensor *t)
{
    return 4 * (3 + (uint64_t)t->n_dims) + strlen(t->name);
}
