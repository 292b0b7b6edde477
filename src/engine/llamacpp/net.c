/* The header's keys, with the defaults and demands of src/llama-model.cpp, load_hparams, and of
 * load_arch_hparams in src/models/. */
#include "base/checked.h"
#include "base/str.h"
#include "engine/llamacpp/net_impl.h"

#include <errno.h>
#include <string.h>

#define PL_NET_ARENA_CAP (PL_NET_LAYERS_MAX * sizeof(struct pl_layer) + 65536)

int pl_net_bad(const struct pl_model *m, const char *what, const char *key, struct pl_err *err)
{
    (void)pl_fail(err, -EBADMSG, "the header %s%s%s", what, key != NULL ? " " : "",
                  key != NULL ? key : "");
    pl_err_at(err, m->path, 0, 0);
    return -EBADMSG;
}

int pl_net_u32(const struct pl_model *m, const char *key, uint64_t absent, uint64_t *ret,
               struct pl_err *err)
{
    uint64_t v = pl_model_arch_u64(m, key, absent);
    if (v > PL_WIDTH_MAX)
        return pl_net_bad(m, "holds a width no model has:", key, err);
    *ret = v;
    return 0;
}

static int pl_net_cannot(struct pl_err *err, const char *name, const char *why, const char *near)
{
    (void)pl_fail(err, -ENOTSUP, "cannot tell: architecture '%.40s' %s", name, why);
    if (near != NULL)
        (void)pl_hint(err, "the nearest that is known is '%s'", near);
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

static int pl_net_arch(const struct pl_model *m, bool beside, struct pl_net *net,
                       struct pl_err *err)
{
    const struct pl_arch *a = pl_arch(m->arch);
    if (a == NULL)
        return pl_net_cannot(err, m->arch, "is not known", pl_arch_nearest(m->arch));
    net->arch = a;
    switch (a->memory) {
    case PL_MEMORY_DRAFT:
        if (beside)
            break;
        return pl_net_cannot(err, m->arch, "is a draft: it runs only beside its target", NULL);
    case PL_MEMORY_BORROWED:
        return pl_net_cannot(err, m->arch, "is a draft: it runs only beside its target", NULL);
    case PL_MEMORY_REFUSED:
        if (pl_streq(m->arch, "clip")) {
            int rc =
                pl_net_cannot(err, m->arch, "is a projector: it runs only beside its model", NULL);
            (void)pl_hint(err, "estimate that model with --mmproj FILE");
            return rc;
        }
        return pl_net_cannot(err, m->arch, "is named by llama.cpp and never loaded", NULL);
    case PL_MEMORY_UNKNOWN:
        return pl_net_cannot(err, m->arch, "has a memory that is not known here", NULL);
    case PL_MEMORY_NONE:
    case PL_MEMORY_KV:
    case PL_MEMORY_RECURRENT:
    case PL_MEMORY_HYBRID:
    case PL_MEMORY_DSA:
    case PL_MEMORY_DSV4:
        break;
    }
    net->has_cache = a->memory != PL_MEMORY_NONE;
    return 0;
}

/* src/llama-vocab.cpp: the tokens decide; vocab_size counts only without a tokenizer. */
uint64_t pl_llamacpp_vocab(const struct pl_model *m)
{
    const struct pl_kv *tokens = pl_model_kv(m, "tokenizer.ggml.tokens");
    if (tokens != NULL && tokens->type == PL_KV_ARRAY)
        return tokens->count;
    uint64_t n = pl_model_arch_u64(m, "vocab_size", 0);
    const struct pl_tensor *embd = pl_model_tensor(m, "token_embd.weight");
    return n > 0 ? n : embd != NULL ? embd->ne[1] : 0;
}

/* The plain numbers, in one table: key, where it goes. What is absent is 0. */
static int pl_net_numbers(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    const struct {
        const char *key;
        uint64_t *to;
    } numbers[] = {
        {"embedding_length",                  &net->n_embd            },
        {"embedding_length_out",              &net->n_embd_out        },
        {"embedding_length_per_layer_input",  &net->n_embd_per_layer  },
        {"expert_count",                      &net->n_expert          },
        {"expert_used_count",                 &net->n_expert_used     },
        {"expert_shared_count",               &net->n_expert_shared   },
        {"expert_feed_forward_length",        &net->n_ff_exp          },
        {"expert_shared_feed_forward_length", &net->n_ff_shexp        },
        {"leading_dense_block_count",         &net->n_layer_dense_lead},
        {"attention.q_lora_rank",             &net->n_lora_q          },
        {"attention.kv_lora_rank",            &net->n_lora_kv         },
        {"attention.key_length_mla",          &net->head_k_mla        },
        {"attention.value_length_mla",        &net->head_v_mla        },
        {"ssm.conv_kernel",                   &net->d_conv            },
        {"ssm.inner_size",                    &net->d_inner           },
        {"ssm.state_size",                    &net->d_state           },
        {"ssm.time_step_rank",                &net->dt_rank           },
        {"ssm.group_count",                   &net->n_group           },
        {"kda.head_dim",                      &net->head_kda          },
        {"wkv.head_size",                     &net->head_wkv          },
        {"shortconv.l_cache",                 &net->l_cache           },
        {"attention.indexer.head_count",      &net->indexer_n_head    },
        {"attention.indexer.key_length",      &net->indexer_head      },
        {"attention.indexer.top_k",           &net->indexer_top_k     },
        {"attention.indexer.kpool",           &net->indexer_kpool     },
        {"hyper_connection.count",            &net->n_hyper           },
        {"attention.relative_buckets_count",  &net->n_buckets         },
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        int rc = pl_net_u32(m, numbers[i].key, 0, numbers[i].to, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Keys without which the engine refuses a model with recurrent layers. */
static int pl_net_required(const struct pl_model *m, const struct pl_net *net, struct pl_err *err)
{
    static const char *const keys[][4] = {
        [PL_RECURRENT_NONE] = {NULL             },
        [PL_RECURRENT_MAMBA] = {"ssm.conv_kernel", "ssm.inner_size", "ssm.state_size",
                               "ssm.time_step_rank"},
        [PL_RECURRENT_RWKV] = {"wkv.head_size"},
        [PL_RECURRENT_SHORTCONV] = {"shortconv.l_cache"                },
        [PL_RECURRENT_KDA] = {"kda.head_dim",                 "ssm.conv_kernel"},
        [PL_RECURRENT_LIGHTNING] = {NULL},
    };
    const char *const *need = keys[net->arch->recurrent];
    for (size_t i = 0; i < 4 && need[i] != NULL; i++) {
        if (pl_model_arch_kv(m, need[i]) == NULL)
            return pl_net_bad(m, "lacks", need[i], err);
    }
    return 0;
}

static bool pl_net_causal(const struct pl_model *m, const struct pl_arch *a)
{
    return a->causal != 0 && pl_model_arch_u64(m, "attention.causal", 1) != 0;
}

/* include/llama.h, llama_pooling_type: none, mean, cls, last, rank */
static enum pl_pooling pl_net_pooling(const struct pl_model *m)
{
    uint64_t v = pl_model_arch_u64(m, "pooling_type", 0);
    return v <= 4 ? (enum pl_pooling)(PL_POOLING_NONE + (int)v) : PL_POOLING_NONE;
}

static int pl_net_sizes(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    uint64_t n = pl_model_arch_u64(m, "block_count", 0), loops = 1, nextn = 0;
    if (net->arch->loops != 0)
        loops = pl_model_arch_u64(m, "num_loops", 1);
    if (n == 0 || loops == 0)
        return pl_net_bad(m, "lacks", n == 0 ? "block_count" : "num_loops", err);
    if (n + net->arch->router > PL_NET_LAYERS_MAX || loops > PL_NET_LAYERS_MAX ||
        n * loops > PL_NET_LAYERS_MAX)
        return pl_net_bad(m, "holds more layers than the engine takes:", "block_count", err);
    if (net->n_embd == 0)
        return pl_net_bad(m, "lacks", "embedding_length", err);
    if (net->arch->nextn != PL_NEXTN_UNREAD)
        nextn = pl_model_arch_u64(m, "nextn_predict_layers", 0);
    if (nextn >= n)
        return pl_net_bad(m, "leaves no layer:", "nextn_predict_layers", err);
    if (nextn > 0 && net->arch->nextn == PL_NEXTN_TENSOR) {
        char name[64];
        (void)PL_FMT(name, "blk.%u.nextn.eh_proj.weight", (unsigned)(n - nextn));
        nextn = pl_model_tensor(m, name) != NULL ? nextn : 0;
    }
    net->n_layer_all = (uint32_t)(n * loops);
    net->n_layer = net->n_layer_all - (uint32_t)nextn;
    if (net->arch->router != 0)
        net->n_layer_all++;
    net->n_ctx_train = pl_model_arch_u64(m, "context_length", 0);
    net->n_vocab = pl_llamacpp_vocab(m);
    if (net->n_ctx_train > PL_WIDTH_MAX * 64ull || net->n_vocab > PL_WIDTH_MAX)
        return pl_net_bad(m, "holds a width no model has:",
                          net->n_vocab > PL_WIDTH_MAX ? "vocabulary" : "context_length", err);
    if (net->n_expert > 0 && (net->n_expert_used > net->n_expert || net->n_expert_used == 0) &&
        net->arch->experts != 0)
        return pl_net_bad(m, "uses another number of experts than there are:", "expert_used_count",
                          err);
    return 0;
}

static int pl_net_window(const struct pl_model *m, struct pl_net *net, struct pl_err *err)
{
    const struct pl_arch *a = net->arch;
    const char *key = "attention.sliding_window";
    const struct pl_kv *kv = pl_model_arch_kv(m, key);
    uint64_t size = 0;
    int rc = pl_net_u32(m, key, a->window_size, &size, err);
    if (rc < 0)
        return rc;
    bool on = false;
    switch (a->window_when) {
    case PL_WINDOW_WHEN_NEVER:
        break;
    case PL_WINDOW_WHEN_ALWAYS:
        if (kv == NULL && a->window_size == 0)
            return pl_net_bad(m, "lacks", key, err);
        on = true;
        break;
    case PL_WINDOW_WHEN_POSITIVE:
        on = kv != NULL && size > 0;
        break;
    case PL_WINDOW_WHEN_UNLESS_ZERO:
        on = kv == NULL || size > 0;
        break;
    case PL_WINDOW_WHEN_LAYERS64:
        on = net->n_layer == 64;
        break;
    }
    net->window = on ? a->window : PL_WINDOW_NONE;
    net->n_swa = !on ? 0 : a->window_fixed != 0 ? a->window_size : size;
    return 0;
}

void pl_net_done(struct pl_net *net)
{
    pl_arena_done(&net->arena);
    net->layer = NULL;
}

static int pl_net_read(const struct pl_model *m, bool beside, struct pl_net *ret,
                       struct pl_err *err)
{
    struct pl_net net = {0};
    int rc = pl_net_arch(m, beside, &net, err);
    if (rc == 0)
        rc = pl_net_numbers(m, &net, err);
    if (rc == 0)
        rc = pl_net_sizes(m, &net, err);
    if (rc == 0)
        rc = pl_net_window(m, &net, err);
    if (rc == 0)
        rc = pl_net_required(m, &net, err);
    if (rc < 0)
        return rc;
    net.causal = pl_net_causal(m, net.arch);
    net.pooling = pl_net_pooling(m);
    net.mla = net.arch->mla != 0 && net.head_k_mla > 0 && net.head_v_mla > 0;
    net.tied = net.arch->tied != 0 && pl_model_tensor(m, "output.weight") == NULL;
    const struct pl_kv *labels = pl_model_arch_kv(m, "classifier.output_labels");
    net.n_cls_out = labels != NULL && labels->type == PL_KV_ARRAY ? labels->count : 1;
    pl_arena_init(&net.arena, PL_NET_ARENA_CAP);
    net.layer = pl_arena_alloc(&net.arena, net.n_layer_all, sizeof(*net.layer));
    if (net.layer == NULL) {
        pl_net_done(&net);
        return pl_fail(err, -ENOMEM, "no memory for %u layers", (unsigned)net.n_layer_all);
    }
    rc = pl_net_layers(m, &net, err);
    if (rc < 0) {
        pl_net_done(&net);
        return rc;
    }
    net.n_ff = net.layer[0].n_ff;
    *ret = net;
    return 0;
}

int pl_llamacpp_net(const struct pl_model *m, struct pl_net *ret, struct pl_err *err)
{
    return pl_net_read(m, false, ret, err);
}

int pl_llamacpp_net_beside(const struct pl_model *m, struct pl_net *ret, struct pl_err *err)
{
    return pl_net_read(m, true, ret, err);
}
