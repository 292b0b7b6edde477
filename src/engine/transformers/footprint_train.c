#include "engine/transformers/footprint_train.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

bool pl_torch_trains(const struct pl_torch_job *j)
{
    return !pl_setting_is(j->v, "mode", "infer");
}

/* peft/tuners/lora/layer.py: two matrices of rank r beside each target, kept in 32 bits. Targets:
 * every linear weight, or those of queries and values (peft's own choice for llama). */
static bool pl_train_is_target(const struct pl_torch_job *j, const struct pl_tensor *t)
{
    const char *s = t->name;
    if (pl_checkpoint_role(t) != PL_ROLE_LINEAR)
        return false;
    if (pl_setting_is(j->v, "lora_targets", "all-linear"))
        return true;
    return pl_ends(s, "q_proj.weight") || pl_ends(s, "v_proj.weight") ||
           pl_ends(s, "attn_q.weight") || pl_ends(s, "attn_v.weight");
}

static uint64_t pl_train_adapters(const struct pl_torch_job *j)
{
    uint64_t sum = 0, rank = pl_setting_u(j->v, "lora_r");
    for (uint64_t i = 0; i < j->m->n_tensor; i++) {
        const struct pl_tensor *t = &j->m->tensor[i];
        if (pl_train_is_target(j, t))
            sum = pl_add_sat(sum, pl_mul_sat(rank, pl_add_sat(t->ne[0], t->ne[1])));
    }
    return sum;
}

/* Bytes of state for an element that is trained in `wide` bytes: torch/optim/adamw.py keeps two
 * values of the parameter's own type; bitsandbytes/optim/adamw.py two bytes, and a scale of 4 for
 * each in blocks of 256. */
static uint64_t pl_train_state(const struct pl_torch_job *j, uint64_t n, uint64_t wide)
{
    if (pl_setting_is(j->v, "optim", "sgd"))
        return 0;
    if (pl_setting_is(j->v, "optim", "sgd_momentum"))
        return pl_mul_sat(n, wide);
    if (pl_setting_is(j->v, "optim", "adamw_bnb_8bit"))
        return pl_add_sat(pl_mul_sat(n, 2), n / 256 * 8);
    return pl_mul_sat(pl_mul_sat(n, 2), wide);
}

static void pl_train_values(struct pl_torch_job *j, uint64_t n, uint64_t wide)
{
    bool mixed = pl_setting_u(j->v, "bf16") != 0 || pl_setting_u(j->v, "fp16") != 0;
    uint64_t gradients = pl_mul_sat(n, wide), state = pl_train_state(j, n, wide);
    j->gradients = gradients;
    j->state = state;
    pl_claim_add(j->to, j->pool, PL_PART_EXTRA,
                 pl_exact(gradients, PL_SOURCE_DERIVED, "gradients, the optimiser's state"),
                 "torch/autograd", "gradients of %llu elements x %llu bytes", (unsigned long long)n,
                 (unsigned long long)wide);
    pl_claim_add(j->to, j->pool, PL_PART_EXTRA, pl_exact(state, PL_SOURCE_DERIVED, NULL),
                 "torch/optim/adamw.py, bitsandbytes/optim/adamw.py", "state of %s",
                 pl_setting_text(j->v, "optim"));
    if (mixed && wide == 4)
        pl_claim_add(j->to, j->pool, PL_PART_EXTRA,
                     pl_between(0, pl_mul_sat(n, 2), pl_mul_sat(n, 2), PL_SOURCE_ASSUMED, NULL),
                     "torch/amp/autocast_mode.py, its cache of weights",
                     "16-bit copies of the weights for a step: %llu x 2 bytes",
                     (unsigned long long)n);
}

/* Bytes that a layer keeps for a token, after Korthikanti et al., arXiv 2205.05198, with the blocks
 * of llama: norms, queries, keys and values, the output of attention, gate, up and product. */
static uint64_t pl_train_row(const struct pl_torch_job *j, uint64_t embd, uint64_t ff)
{
    uint64_t half =
        j->compute == 4 && pl_setting_u(j->v, "bf16") + pl_setting_u(j->v, "fp16") == 0 ? 4 : 2;
    return pl_mul_sat(half, pl_add_sat(pl_mul_sat(embd, j->c.n_embd), pl_mul_sat(ff, j->c.n_ff)));
}

static void pl_train_activations(struct pl_torch_job *j)
{
    uint64_t rows = pl_mul_sat(j->n_tokens, j->n_seq), layers = j->c.n_layer;
    bool again = pl_setting_u(j->v, "gradient_checkpointing") != 0;
    uint64_t edge = again ? pl_mul_sat(pl_mul_sat(rows, layers), pl_train_row(j, 1, 0)) : 0;
    uint64_t many = pl_mul_sat(rows, again ? 1 : layers);
    uint64_t likely = pl_add_sat(edge, pl_mul_sat(many, pl_train_row(j, 11, 4)));
    pl_claim_add(j->to, j->pool, PL_PART_COMPUTE,
                 pl_between(pl_add_sat(edge, pl_mul_sat(many, pl_train_row(j, 6, 3))), likely,
                            pl_add_sat(edge, pl_mul_sat(many, pl_train_row(j, 16, 6))),
                            PL_SOURCE_ASSUMED, "activations kept for the way back"),
                 "arXiv 2205.05198; transformers/models/llama/modeling_llama.py",
                 again ? "%llu rows: the input of each of %llu layers, and all of one"
                       : "%llu rows x %llu layers x (11 rows of the model and 4 of feed forward)",
                 (unsigned long long)rows, (unsigned long long)layers);
    uint64_t logits = pl_mul_sat(rows, j->c.n_vocab);
    pl_claim_add(j->to, j->pool, PL_PART_OUTPUT,
                 pl_between(pl_mul_sat(logits, 6), pl_mul_sat(logits, 10), pl_mul_sat(logits, 16),
                            PL_SOURCE_ASSUMED,
                            "logits of every token, in 16 and 32 bits, and back"),
                 "transformers/loss/loss_utils.py, ForCausalLMLoss",
                 "%llu rows x %llu words x (2 + 4 + 4) bytes", (unsigned long long)rows,
                 (unsigned long long)j->c.n_vocab);
}

void pl_torch_train(struct pl_torch_job *j)
{
    bool full = pl_setting_is(j->v, "mode", "train");
    uint64_t n = full ? j->c.parameters : pl_train_adapters(j), wide = full ? j->as.wide : 4;
    if (!full)
        pl_claim_add(j->to, j->pool, PL_PART_WEIGHTS,
                     pl_exact(pl_mul_sat(n, 4), PL_SOURCE_DERIVED, NULL),
                     "peft/tuners/lora/layer.py", "adapters of rank %llu: %llu elements x 4 bytes",
                     (unsigned long long)pl_setting_u(j->v, "lora_r"), (unsigned long long)n);
    pl_claim_number(j->to, "trainable_parameters", "trained", (double)n, "%llu parameters",
                    (unsigned long long)n);
    pl_train_values(j, n, wide);
    pl_train_activations(j);
}

void pl_torch_train_sum(struct pl_torch_job *j, const struct pl_machine *machine)
{
    const struct pl_quantity *part = j->pool->part;
    struct pl_quantity room = pl_machine_available(machine, j->pool->pool);
    uint64_t active = pl_add_sat(part[PL_PART_COMPUTE].likely, part[PL_PART_OUTPUT].likely);
    char w[PL_SIZE_TEXT_MAX], g[PL_SIZE_TEXT_MAX], s[PL_SIZE_TEXT_MAX], a[PL_SIZE_TEXT_MAX];
    char all[PL_SIZE_TEXT_MAX], have[PL_SIZE_TEXT_MAX] = "an unknown amount";
    if (pl_known(room))
        (void)pl_size_text(room.low, have);
    pl_claim_say(j->to, PL_VERDICT_SAFE,
                 "training: weights %s + gradients %s + optimiser %s + activations %s + the rest = "
                 "%s; %s is available",
                 pl_size_text(part[PL_PART_WEIGHTS].likely, w), pl_size_text(j->gradients, g),
                 pl_size_text(j->state, s), pl_size_text(active, a),
                 pl_size_text(j->pool->steady.likely, all), have);
}
