#include "engine/llamacpp/footprint.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/tensor_type.h"
#include "engine/llamacpp/cache.h"
#include "engine/llamacpp/footprint_compute.h"
#include "engine/llamacpp/footprint_device.h"
#include "engine/llamacpp/placement_fit.h"
#include "engine/llamacpp/repack.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/weights.h"

#include <errno.h>
#include <string.h>

/* The process beside its buffers: what llama-server 0.7.0 (11669) held after load and requests on
 * ghosts of 135M to 3B with vocabularies of 49k to 152k, fitted within 4 MiB on each: a constant;
 * per token and per merge of the tokenizer (string, two hash nodes, the piece cache); per slot a
 * list of candidates (llama_token_data, 12 bytes a token). */
#define PL_RUNTIME_BASE_BYTES (10 * PL_MIB)
#define PL_RUNTIME_BYTES_PER_TOKEN 169u
#define PL_RUNTIME_BYTES_PER_MERGE 112u
#define PL_RUNTIME_BYTES_PER_CANDIDATE 12u

/* src/llama-model-loader.cpp, load_all_data: four buffers on the way to a device */
#define PL_STAGING_BYTES (4 * PL_MIB)
#define PL_STAGING_DIO_BYTES (4 * (64 * PL_MIB + 8192))

/* Tables of which a token takes a row: nothing of them is streamed. */
static bool pl_is_looked_up(const struct pl_tensor *t, bool tied)
{
    static const char *const tables[] = {"per_layer_token_embd.weight", "position_embd.weight",
                                         "token_types.weight"};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        if (pl_streq(t->name, tables[i]))
            return true;
    }
    return !tied && pl_streq(t->name, "token_embd.weight");
}

uint64_t pl_llamacpp_bytes_per_token(const struct pl_model *m)
{
    bool tied = pl_model_tensor(m, "output.weight") == NULL;
    uint64_t total = pl_model_arch_u64(m, "expert_count", 0), all = 0;
    uint64_t used = pl_model_arch_u64(m, "expert_used_count", 0);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        bool routed = used > 0 && used <= total && strstr(t->name, "_exps.") != NULL;
        if (!pl_is_looked_up(t, tied))
            all = pl_add_sat(all, routed ? pl_mul_sat(t->bytes / total, used) : t->bytes);
    }
    return all;
}

bool pl_llamacpp_is_mapped(const struct pl_tensor *t, bool repack, const struct pl_cpu *cpu)
{
    return !repack || !pl_repack_is_matrix(t) || pl_repack_matrix(t, cpu) != PL_REPACK_YES;
}

static struct pl_quantity pl_derived(uint64_t bytes, const char *why)
{
    return pl_exact(bytes, PL_SOURCE_DERIVED, why);
}

/* Weights and repack; fills the holds. */
static void pl_part_weights(struct pl_pool_footprint *p, const struct pl_weights *w,
                            const struct pl_resolved *r)
{
    bool file = r->load_mode == PL_LOAD_MMAP || r->load_mode == PL_LOAD_MMAP_MLOCK;
    p->part[PL_PART_WEIGHTS] = pl_derived(
        w->mapped, w->lazy > 0    ? "tensors used as they lie in the file; per-layer "
                                    "embeddings are read row by row (--lazy-mode)"
                   : w->twice > 0 ? "tensors as they lie in the file; the tied embedding "
                                    "is read twice"
                                  : "tensors used as they lie in the file");
    p->part[PL_PART_REPACK] = pl_derived(w->repacked, "tensors converted for this CPU's kernels");
    if (w->undecided + w->maybe_copy > 0) {
        p->part[PL_PART_WEIGHTS].low = w->mapped - w->undecided;
        p->part[PL_PART_REPACK] =
            pl_between(w->repacked, w->repacked, w->repacked + w->undecided + w->maybe_copy,
                       PL_SOURCE_ASSUMED, "this CPU's features are unknown");
    }
    p->hold[PL_HOLD_FILE_COLD] =
        pl_derived(file ? w->source + w->unused : 0,
                   "file pages of converted or unused tensors: the kernel may drop them");
    if (file && w->elsewhere > 0) /* unmapped again where no host tensor lies before or after */
        p->hold[PL_HOLD_FILE_COLD] =
            pl_between(w->source + w->unused, w->source + w->unused + w->between,
                       w->source + w->unused + w->elsewhere, PL_SOURCE_DERIVED,
                       "file pages read for the devices, or converted: the kernel may drop them");
    p->hold[PL_HOLD_FILE_HOT] = pl_derived(file ? w->mapped : 0, "mapped weights");
}

/* ggml-cpu.c, ggml_graph_plan: activations of the widest product, converted to the weights' partner
 * type; Q8_K rows (292 bytes for 256 values) are the usual largest. */
static uint64_t pl_work_bytes(const struct pl_net *net, const struct pl_resolved *r)
{
    uint64_t widest = net->n_embd > net->d_inner ? net->n_embd : net->d_inner;
    for (uint32_t il = 0; il < net->n_layer; il++)
        widest = net->layer[il].n_ff > widest ? net->layer[il].n_ff : widest;
    return pl_mul_sat(widest, r->n_ubatch) / 256 * 292;
}

/* tools/server/server-context.cpp, create_checkpoint: what of a slot's memory cannot be rolled
 * back, copied while a prompt is read: its recurrent state, and its window's cells. A prompt makes
 * one just before its end, and a second a batch earlier when it is longer than that. */
struct pl_checkpoints {
    uint64_t first; /* after a prompt of one batch */
    uint64_t early; /* when every slot has served a prompt, or the only one a long one */
    uint64_t all;   /* as many as are ever kept */
};

static struct pl_checkpoints pl_checkpoints(const struct pl_net *net, const struct pl_settings *s,
                                            const struct pl_resolved *r)
{
    struct pl_layer_cache c = pl_llamacpp_cache(net, r);
    uint64_t state = c.recurrent / r->n_seq, cell = 0;
    uint64_t cells = pl_mul_sat(pl_llamacpp_window_cells(net, r), r->n_stream);
    if (c.window > 0 && !r->swa_full && cells > 0)
        cell = c.window / cells;
    uint64_t own = pl_add_sat(net->n_swa, r->n_ubatch);
    own = own < cells ? own : cells;
    uint64_t brief = r->n_ubatch < net->n_swa ? r->n_ubatch : net->n_swa;
    brief = brief < own ? brief : own;
    uint64_t full = pl_mul_sat(pl_add_sat(state, pl_mul_sat(cell, own)), r->n_seq);
    uint64_t few = r->n_seq > 1 ? 1 : 2, kept = s->n_ctx_checkpoints;
    return (struct pl_checkpoints){
        .first = kept > 0 ? pl_add_sat(state, pl_mul_sat(cell, brief)) : 0,
        .early = pl_mul_sat(full, kept < few ? kept : few),
        .all = pl_mul_sat(full, kept),
    };
}

static struct pl_quantity pl_part_runtime(const struct pl_model *m, const struct pl_net *net,
                                          const struct pl_resolved *r,
                                          const struct pl_checkpoints *kept)
{
    const struct pl_kv *merges = pl_model_kv(m, "tokenizer.ggml.merges");
    uint64_t n_merge = merges != NULL && merges->type == PL_KV_ARRAY ? merges->count : 0;
    uint64_t tokenizer = pl_add_sat(pl_mul_sat(net->n_vocab, PL_RUNTIME_BYTES_PER_TOKEN),
                                    pl_mul_sat(n_merge, PL_RUNTIME_BYTES_PER_MERGE));
    uint64_t slot = net->n_vocab * PL_RUNTIME_BYTES_PER_CANDIDATE;
    uint64_t fixed =
        pl_add_sat(pl_add_sat(PL_RUNTIME_BASE_BYTES, pl_work_bytes(net, r)), tokenizer);
    uint64_t likely = pl_add_sat(fixed, slot * r->n_seq);
    uint64_t one = pl_add_sat(fixed, slot); /* slots that never serve cost nothing */
    uint64_t high = pl_add_sat(likely, likely / 8);
    return pl_between(one - one / 8, pl_add_sat(likely, kept->first), pl_add_sat(high, kept->early),
                      PL_SOURCE_DERIVED,
                      kept->first > 0 ? "heap of the server: tokenizer, candidates of each slot, "
                                        "product scratch, the first checkpoint of a prompt"
                                      : "heap of the server: tokenizer, candidates of each slot, "
                                        "product scratch");
}

/* src/llama-context.cpp, output_reserve: a row of logits per slot at first. With embeddings that
 * are not pooled every token of a batch is an output, of logits too: the buffer is made anew for
 * the longest batch met, and cleared, so that all of it is resident. Drafts add rows once they are
 * checked; one slot's draft is what a single user sees. */
static struct pl_quantity pl_part_output(const struct pl_net *net, const struct pl_resolved *r)
{
    uint64_t width = net->n_embd_out > 0 ? net->n_embd_out : net->n_embd;
    uint64_t row = pl_mul_sat(pl_add_sat(net->n_vocab, r->embedding ? width : 0), 4);
    uint64_t first = pl_mul_sat(row, r->n_seq), all = pl_mul_sat(row, r->n_batch);
    uint64_t drafted = pl_mul_sat(row, r->n_outputs),
             one = pl_mul_sat(row, r->n_outputs / r->n_seq);
    if (!r->embedding && r->pooling == PL_POOLING_NONE && drafted > first)
        return pl_between(first, one > first ? one : first, drafted, PL_SOURCE_DERIVED,
                          "a row of logits per slot, and for tokens drafted");
    if (!r->embedding || r->pooling != PL_POOLING_NONE || all < first)
        return pl_derived(first, r->embedding ? "a row of logits and an embedding per slot"
                                              : "one row of logits per slot");
    return pl_between(first, all, all, PL_SOURCE_DERIVED,
                      "logits and embeddings of every token of the longest batch met");
}

static struct pl_quantity pl_part_prompt_cache(const struct pl_resolved *r, uint64_t checkpoints)
{
    if (r->prompt_cache_unlimited)
        return pl_between(0, 0, UINT64_MAX / 4, PL_SOURCE_DERIVED, "--cache-ram -1: no limit");
    return pl_between(0, 0, pl_add_sat(r->prompt_cache_bytes, checkpoints), PL_SOURCE_DERIVED,
                      checkpoints > 0 ? "grows with use up to --cache-ram, and by checkpoints of "
                                        "states and windows, up to --ctx-checkpoints per slot"
                                      : "grows with use up to --cache-ram");
}

static void pl_totals(struct pl_pool_footprint *p, const struct pl_resolved *r,
                      const struct pl_weights *w, uint64_t idle, uint64_t reclaimable)
{
    static const enum pl_part charged[] = {PL_PART_KV,     PL_PART_RECURRENT, PL_PART_COMPUTE,
                                           PL_PART_OUTPUT, PL_PART_RUNTIME,   PL_PART_PROJECTOR,
                                           PL_PART_DRAFT,  PL_PART_EXTRA};
    /* What is not decided between mapped and converted is charged once either way. */
    struct pl_quantity weights =
        pl_derived(w->mapped + w->repacked, "sum of the parts, the prompt cache empty");
    weights.high = pl_add_sat(weights.high, w->maybe_copy);
    struct pl_quantity steady = weights;
    for (size_t i = 0; i < sizeof(charged) / sizeof(charged[0]); i++)
        steady = pl_plus(steady, p->part[charged[i]]);
    /* Where prompts stay short, most of the compute buffer is never touched. */
    steady.low = pl_sub_floor(steady.low, idle);
    uint64_t low = steady.low;
    if (reclaimable > 0 && pl_known(steady)) {
        steady.low = pl_sub_floor(low, reclaimable);
        steady.why = "sum of the parts, the prompt cache empty; less where the kernel takes back "
                     "pages of the embedding, of which a token reads a row";
        p->hold[PL_HOLD_FILE_HOT].low = pl_sub_floor(p->hold[PL_HOLD_FILE_HOT].low, reclaimable);
    }
    p->steady = steady;
    p->peak = pl_plus(steady, p->part[PL_PART_PROMPT_CACHE]);
    p->load_peak = steady;
    p->hold[PL_HOLD_LOCKED] = pl_derived(0, "nothing is locked");
    if (r->load_mode == PL_LOAD_MMAP_MLOCK || r->load_mode == PL_LOAD_MLOCK)
        p->hold[PL_HOLD_LOCKED] = pl_derived(w->mapped, "--load-mode: weights locked");
    p->hold[PL_HOLD_ANON] = PL_QUANTITY_UNKNOWN(steady.why);
    if (!pl_known(steady))
        return;
    if (r->load_mode != PL_LOAD_MMAP && r->load_mode != PL_LOAD_MMAP_MLOCK) {
        /* llama-model-loader.cpp: without mmap a tensor is read into a buffer, then converted or
         * sent to its device in pieces */
        uint64_t staging = w->elsewhere == 0             ? 0
                           : r->load_mode == PL_LOAD_DIO ? PL_STAGING_DIO_BYTES
                                                         : PL_STAGING_BYTES;
        uint64_t reading = w->largest > staging ? w->largest : staging;
        struct pl_quantity loading = pl_plus(weights, pl_derived(reading, "read buffer"));
        if (loading.high > steady.high)
            p->load_peak = loading;
    }
    uint64_t anon = steady.likely - p->hold[PL_HOLD_FILE_HOT].likely;
    p->hold[PL_HOLD_ANON] = pl_between(pl_sub_floor(low, p->hold[PL_HOLD_FILE_HOT].likely), anon,
                                       steady.high - p->hold[PL_HOLD_FILE_HOT].likely,
                                       steady.source, "everything but mapped weights");
}

static struct pl_quantity pl_largest(const struct pl_pool_footprint *p, const struct pl_resolved *r)
{
    bool file = r->load_mode == PL_LOAD_MMAP || r->load_mode == PL_LOAD_MMAP_MLOCK;
    uint64_t best = p->part[PL_PART_KV].likely;
    uint64_t others[] = {p->part[PL_PART_COMPUTE].likely, p->part[PL_PART_REPACK].likely,
                         p->part[PL_PART_OUTPUT].likely,
                         file ? 0 : p->part[PL_PART_WEIGHTS].likely};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        best = others[i] > best ? others[i] : best;
    return pl_derived(best, "one buffer each for cache, compute, converted weights, logits");
}

/* Compute buffer, and what of it stays untouched. The tensors of plain decoders are checked: a file
 * that contradicts its header is refused by the engine too. */
static int pl_footprint_compute(const struct pl_model *m, const struct pl_net *net,
                                const struct pl_llamacpp_host *host, const struct pl_resolved *r,
                                struct pl_pool_footprint *p, uint64_t *ret_idle, struct pl_err *err)
{
    struct pl_geometry g;
    *ret_idle = 0;
    int rc = pl_llamacpp_geometry(m, &g, err);
    if (rc < 0 && rc != -ENOTSUP)
        return rc;
    uint64_t decode = 0;
    p->part[PL_PART_COMPUTE] = pl_llamacpp_compute(m, net, r, host->version_known, &decode);
    (void)pl_llamacpp_idle_bytes(m, net, r, 0, 0, p->part[PL_PART_COMPUTE].likely, decode,
                                 ret_idle);
    return 0;
}

/* Caches of the host, and whether those of all places together are sane. */
static int pl_footprint_caches(const struct pl_net *net, const struct pl_resolved *r,
                               const struct pl_placement *place, const struct pl_placed *placed,
                               struct pl_footprint *f, struct pl_err *err)
{
    struct pl_pool_footprint *p = &f->pool[0];
    struct pl_layer_cache c = pl_llamacpp_cache(net, r);
    uint64_t kv = pl_add_sat(c.global, c.window);
    if (pl_add_sat(kv, c.recurrent) >= UINT64_MAX / 4) {
        (void)pl_fail(err, -ERANGE, "the cache of this context is beyond any memory");
        return pl_exit_as(err, -ERANGE, PL_EXIT_USAGE);
    }
    pl_llamacpp_cache_text(net, r, f->text, sizeof(f->text));
    p->part[PL_PART_KV] = pl_derived(placed->kv[PL_PLACE_HOST], f->text);
    p->part[PL_PART_RECURRENT] = pl_derived(
        placed->recurrent[PL_PLACE_HOST],
        c.recurrent > 0 ? "state of the recurrent layers: a row per slot" : "no recurrent layers");
    if (place->devices.n == 0)
        return 0;
    p->part[PL_PART_KV].why = "caches of the layers that stay on the host";
    if (c.recurrent > 0)
        p->part[PL_PART_RECURRENT].why = "state of the recurrent layers that stay on the host";
    return 0;
}

/* What lies on the host. */
static int pl_footprint_host(const struct pl_model *m, const struct pl_net *net,
                             const struct pl_settings *s, const struct pl_resolved *r,
                             const struct pl_llamacpp_host *host, const struct pl_placement *place,
                             const struct pl_placed *placed, struct pl_footprint *f,
                             struct pl_err *err)
{
    struct pl_pool_footprint *p = &f->pool[0];
    (void)PL_FMT(p->pool, "ram");
    p->kind = PL_POOL_HOST;
    for (int i = 0; i < PL_PARTS; i++)
        p->part[i] = pl_derived(0, "not used");
    bool file = r->load_mode == PL_LOAD_MMAP || r->load_mode == PL_LOAD_MMAP_MLOCK;
    struct pl_weights w = pl_llamacpp_weights(m, net, place, host->cpu, s->lazy, file);
    if (r->load_mode == PL_LOAD_MMAP_MLOCK) {
        /* the mapping is locked as one: pages of converted tensors cannot be dropped either */
        w.mapped += w.source + w.unused;
        w.source = w.unused = 0;
    }
    pl_part_weights(p, &w, r);
    uint64_t idle = 0;
    int rc = pl_footprint_caches(net, r, place, placed, f, err);
    if (rc == 0)
        rc = pl_footprint_compute(m, net, host, r, p, &idle, err);
    if (rc < 0)
        return rc;
    p->part[PL_PART_OUTPUT] = pl_part_output(net, r);
    struct pl_checkpoints kept = pl_checkpoints(net, s, r);
    p->part[PL_PART_RUNTIME] = pl_part_runtime(m, net, r, &kept);
    p->checkpoints = kept.all - kept.early;
    p->part[PL_PART_PROMPT_CACHE] = pl_part_prompt_cache(r, p->checkpoints);
    if (place->devices.n > 0)
        pl_footprint_device_pools(
            &(struct pl_device_ask){m, net, s, r, place, placed, host->version_known}, f);
    else
        pl_footprint_sampling(net, r, place, f);
    pl_totals(p, r, &w, place->devices.n > 0 ? 0 : idle,
              r->load_mode == PL_LOAD_MMAP ? pl_llamacpp_reclaimable(m, &w) : 0);
    p->largest_allocation = pl_largest(p, r);
    return 0;
}

/* A device's compute buffer as fitting counts it: as large as the CPU's alone. */
struct pl_fit_view {
    const struct pl_model *m;
    const struct pl_net *net;
    uint64_t n_ctx, bytes; /* the last asked for; 0 = none */
};

static bool pl_fit_compute_bytes(void *ctx, const struct pl_resolved *r, uint64_t *ret)
{
    struct pl_fit_view *v = ctx;
    if (v->n_ctx != r->n_ctx) {
        struct pl_quantity q = pl_llamacpp_compute(v->m, v->net, r, true, NULL);
        if (!pl_known(q))
            return false;
        v->n_ctx = r->n_ctx;
        v->bytes = q.likely;
    }
    *ret = v->bytes;
    return true;
}

int pl_llamacpp_footprint_place(const struct pl_model *m, const struct pl_net *net,
                                const struct pl_settings *s, const struct pl_llamacpp_host *host,
                                struct pl_resolved *r, char *text, struct pl_placement *ret,
                                struct pl_err *err)
{
    static const struct pl_used_devices none;
    const struct pl_used_devices *all = host->devices != NULL ? host->devices : &none;
    struct pl_fit_view view = {.m = m, .net = net};
    struct pl_fit_compute compute = {pl_fit_compute_bytes, &view};
    struct pl_fit fit;
    int rc = pl_llamacpp_fit(m, net, s, all, &compute, &fit, err);
    if (rc == 0 && fit.n_ctx > 0) {
        struct pl_settings shorter = *s;
        shorter.n_ctx = fit.n_ctx;
        rc = pl_llamacpp_resolve(&shorter, net, r, err);
    }
    if (rc == 0)
        rc = pl_llamacpp_place_fit(m, net, s, all, &fit, ret, err);
    if (text != NULL)
        (void)pl_fmt(text, PL_FOOTPRINT_TEXT_MAX, "%s", rc == 0 ? fit.text : "");
    return rc;
}

int pl_llamacpp_footprint(const struct pl_model *m, const struct pl_settings *s,
                          const struct pl_llamacpp_host *host, struct pl_footprint *ret,
                          struct pl_resolved *ret_resolved, struct pl_err *err)
{
    struct pl_net net = {0};
    struct pl_placement place = {0};
    struct pl_placed placed;
    struct pl_resolved r;
    int rc = s->draft.reads ? pl_llamacpp_net_beside(m, &net, err) : pl_llamacpp_net(m, &net, err);
    if (rc == 0)
        rc = pl_llamacpp_resolve(s, &net, &r, err);
    *ret = (struct pl_footprint){.n_pool = 1};
    if (rc == 0)
        rc = pl_llamacpp_footprint_place(m, &net, s, host, &r, ret->fitted, &place, err);
    if (rc == 0)
        rc = pl_footprint_refused(m, s, &net, &r, &place, err);
    if (rc == 0) {
        /* in place: its text is pointed to */
        pl_place_sum(&place, m, &net, &r, &placed);
        r.n_gpu_layers = place.n_gpu_layers;
        rc = pl_footprint_host(m, &net, s, &r, host, &place, &placed, ret, err);
    }
    if (rc == 0)
        *ret_resolved = r;
    pl_placement_done(&place);
    pl_net_done(&net);
    return rc;
}
