/* The config.json of a checkpoint, by itself: read into keys, and the shapes engines take of them,
 * beside three tensors of which the head may be spare. */
#include "base/str.h"
#include "domain/checkpoint.h"
#include "model/describe.h"
#include "model/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

/* What is shown of it holds nothing that a terminal obeys. */
static void pl_fuzz_plain(const char *text)
{
    for (; *text != '\0'; text++)
        pl_fuzz_check((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void pl_fuzz_keys(const struct pl_model *m)
{
    pl_fuzz_check(m->arch != NULL && m->arch[0] != '\0' && strlen(m->arch) < 64);
    pl_fuzz_plain(m->arch);
    for (uint64_t i = 0; i < m->n_kv; i++) {
        const struct pl_kv *kv = &m->kv[i];
        pl_fuzz_plain(kv->key);
        pl_fuzz_check(strchr(kv->key, '.') != NULL);
        if (kv->type == PL_KV_STR) {
            pl_fuzz_plain(kv->str);
            pl_fuzz_check(kv->count == strlen(kv->str));
        } else if (kv->type == PL_KV_ARRAY) {
            pl_fuzz_check(kv->count > 0 && kv->count <= PL_KV_INTS_MAX && kv->ints != NULL);
        } else if (kv->type == PL_KV_U64) {
            pl_fuzz_check(kv->u <= INT64_MAX || pl_starts(kv->key, "config."));
        }
        for (uint64_t k = 0; k < i; k++)
            pl_fuzz_check(!pl_streq(m->kv[k].key, kv->key));
    }
}

static void pl_fuzz_shapes(struct pl_model *m)
{
    static struct pl_checkpoint c;
    struct pl_tensor tensor[] = {
        {.name = "model.embed_tokens.weight",              .n_dims = 2, .ne = {8, 32, 1, 1}, .type = 30},
        {.name = "model.layers.0.self_attn.q_proj.weight",
         .n_dims = 2,
         .ne = {8, 8, 1, 1},
         .type = 30                                                                                    },
        {.name = "lm_head.weight",                         .n_dims = 2, .ne = {8, 32, 1, 1}, .type = 30},
    };
    struct pl_description d;
    struct pl_err err = {0};
    uint64_t low = 0, likely = 0, high = 0;
    m->tensor = tensor;
    m->n_tensor = 3;
    const struct pl_tensor *spare = pl_checkpoint_spare_head(m);
    pl_fuzz_check(spare == NULL || spare == &tensor[2]);
    pl_model_describe(m, &d);
    if (pl_checkpoint_read(m, &c, &err) == 0) {
        pl_fuzz_check(c.n_layer <= PL_CHECKPOINT_LAYERS_MAX && c.tied == (spare != NULL));
        pl_checkpoint_kv(&c, 4096, 2, &low, &likely, &high);
        pl_fuzz_check(low <= likely && likely <= high);
    } else {
        pl_fuzz_check(err.what[0] != '\0');
    }
    m->tensor = NULL;
    m->n_tensor = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_model *m = calloc(1, sizeof(*m));
    struct pl_err err = {0};
    if (m == NULL)
        return 0;
    pl_arena_init(&m->arena, PL_SAFETENSORS_MEMORY_MAX);
    m->path = m->name = "config.json";
    m->format = "safetensors";
    if (n <= PL_CONFIG_MAX && pl_config_read(m, (const char *)data, n, "config.json", &err) == 0) {
        pl_fuzz_keys(m);
        pl_fuzz_shapes(m);
    } else {
        pl_fuzz_check(n > PL_CONFIG_MAX || (err.code < 0 && err.what[0] != '\0'));
    }
    (void)pl_model_free(m);
    return 0;
}
