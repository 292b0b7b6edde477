/* What drafts tokens beside the model: common/speculative.cpp, and load_model of
 * tools/server/server-context.cpp. */
#include "measure/extras_impl.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/mtp.h"
#include "engine/llamacpp/speculate.h"
#include "model/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* common/speculative.cpp, SPEC_VOCAB_MAX_SIZE_DIFFERENCE */
#define PL_VOCAB_DIFFERENCE_MAX 128u

/* common/speculative.cpp, common_speculative_impl_ngram_mod: 4 Mi tokens in one table;
 * common/ngram-map.h, COMMON_NGRAM_HASH_MAP_SIZE: a table of numbers for each slot */
#define PL_NGRAM_MOD_BYTES (4 * PL_MIB * sizeof(int32_t))
#define PL_NGRAM_MAP_BYTES (PL_MIB / 4 * sizeof(uint32_t))

static struct pl_quantity pl_none(void)
{
    return pl_exact(0, PL_SOURCE_DERIVED, "not used");
}

/* common/speculative.cpp, common_base_params_to_speculative: the target's context, slots and
 * batches with the draft's own layers, cache types and devices. */
static struct pl_settings pl_draft_settings_of(const struct pl_forecast *f)
{
    const struct pl_draft_settings *d = &f->settings.draft;
    struct pl_settings s = f->settings;
    s.n_ctx = f->resolved.n_ctx;
    s.n_ctx_slot_max = 0;
    s.n_parallel = (int64_t)f->resolved.n_seq;
    s.kv_unified = f->resolved.kv_unified ? PL_ON : PL_OFF;
    s.n_gpu_layers = d->n_gpu_layers;
    s.type_k = d->type_k;
    s.type_v = d->type_v;
    s.devices = d->devices != NULL ? d->devices : f->settings.devices;
    s.overrides = d->overrides;
    s.n_ubatch = d->n_ubatch > 0 ? d->n_ubatch : s.n_ubatch;
    s.tensor_split = NULL;
    s.fit = false;
    s.override_kv.n = 0;
    s.draft = (struct pl_draft_settings){.n_gpu_layers = -1, .type_k = 1, .type_v = 1};
    s.backend_sampling = false;
    memset(&s.lora, 0, sizeof(s.lora));
    memset(&s.lora_scaled, 0, sizeof(s.lora_scaled));
    memset(&s.control, 0, sizeof(s.control));
    memset(&s.control_scaled, 0, sizeof(s.control_scaled));
    return s;
}

/* Held while loading alone: the engine lets a draft go that nothing uses. */
static void pl_draft_passing(struct pl_pool_footprint *p, struct pl_quantity q)
{
    struct pl_quantity loading = pl_plus(p->steady, q);
    loading.why = "a draft model that no --spec-type uses is loaded, and let go";
    if (pl_known(loading) && loading.high > p->load_peak.high)
        p->load_peak = loading;
}

static void pl_draft_merge(struct pl_forecast *f, const struct pl_footprint *draft, bool weights,
                           bool kept)
{
    static const enum pl_part all[] = {PL_PART_WEIGHTS,   PL_PART_REPACK,  PL_PART_KV,
                                       PL_PART_RECURRENT, PL_PART_COMPUTE, PL_PART_OUTPUT};
    size_t n = weights ? 2 : sizeof(all) / sizeof(all[0]);
    for (uint32_t i = 0; i < draft->n_pool; i++) {
        const struct pl_pool_footprint *from = &draft->pool[i];
        struct pl_pool_footprint *to = pl_extra_pool(&f->footprint, from);
        struct pl_quantity sum = pl_none();
        for (size_t k = 0; k < n; k++)
            sum = pl_plus(sum, from->part[all[k]]);
        sum.why = !pl_known(sum) ? "a part of the draft model is not known"
                  : weights      ? "the draft model: weights"
                                 : "the draft model: weights, caches, compute, output";
        if (to == NULL)
            continue;
        if (!kept) {
            pl_draft_passing(to, sum);
            continue;
        }
        pl_extra_add(to, PL_PART_DRAFT, sum, from->hold[PL_HOLD_FILE_HOT]);
        if (from->largest_allocation.likely > to->largest_allocation.likely)
            to->largest_allocation = from->largest_allocation;
    }
}

/* A second context over layers that predict several tokens: of m, the model itself or a file of its
 * own, placed as s says. */
static int pl_draft_mtp(struct pl_forecast *f, const struct pl_model *m,
                        const struct pl_settings *s, uint64_t n_gpu_layers,
                        const struct pl_llamacpp_host *host, struct pl_err *err)
{
    static const struct pl_used_devices none;
    const struct pl_draft_settings *d = &f->settings.draft;
    struct pl_placement place = {0};
    struct pl_resolved r = f->resolved;
    struct pl_net net = {0};
    struct pl_mtp mtp = {0};
    r.n_ubatch = d->n_ubatch > 0 && d->n_ubatch < r.n_batch ? d->n_ubatch : r.n_ubatch;
    int rc = pl_llamacpp_net(m, &net, err);
    if (rc == 0)
        rc = pl_llamacpp_place(m, &net, s, host->devices != NULL ? host->devices : &none,
                               n_gpu_layers, NULL, &place, err);
    if (rc == 0)
        rc = pl_llamacpp_mtp(m, &net, &r, d->type_k, d->type_v, &place, &mtp, err);
    for (uint32_t k = 0; rc == 0 && k < place.n_place; k++) {
        struct pl_pool_footprint like = {.kind = PL_POOL_HOST};
        (void)PL_FMT(like.pool, "%s", k == 0 ? "ram" : place.devices.one[k - 1].pool);
        struct pl_pool_footprint *p = pl_extra_pool(&f->footprint, &like);
        struct pl_quantity sum = pl_exact(mtp.kv[k], PL_SOURCE_DERIVED, "cache");
        if (k == PL_PLACE_HOST)
            sum = pl_plus(sum, pl_exact(mtp.output, PL_SOURCE_DERIVED, "output"));
        if (k == mtp.place)
            sum = pl_plus(sum, mtp.compute);
        else if (k == PL_PLACE_HOST) /* inputs of the graph */
            sum = pl_plus(sum, pl_between(0, mtp.compute.likely / 4, mtp.compute.high,
                                          PL_SOURCE_ASSUMED, "inputs"));
        sum.why = "the context of the layers that predict several tokens";
        if (p != NULL && sum.high > 0)
            pl_extra_add(p, PL_PART_DRAFT, sum, pl_none());
    }
    pl_placement_done(&place);
    pl_net_done(&net);
    return rc;
}

static bool pl_draft_alike(const struct pl_model *a, const struct pl_model *b)
{
    uint64_t n = pl_llamacpp_vocab(a), k = pl_llamacpp_vocab(b);
    return (n > k ? n - k : k - n) <= PL_VOCAB_DIFFERENCE_MAX;
}

/* What a draft that reads hidden states keeps beside: common/speculative.cpp,
 * common_speculative_impl_draft_eagle3 and _dflash; src/llama-context.cpp, encode and
 * output_reserve. Every token of a prompt passes its encoder, whose batch is given rows of logits,
 * probabilities and candidates that nothing reads (--spec-draft-backend-sampling); the target
 * copies out what goes into the layers that are read. */
static void pl_draft_reads(struct pl_forecast *f, const struct pl_model *m,
                           const struct pl_resolved *r, struct pl_pool_footprint *host)
{
    const struct pl_kv *layers = pl_model_arch_kv(m, "target_layers");
    uint64_t n = layers != NULL && layers->type == PL_KV_ARRAY ? layers->count : 1;
    uint64_t width = pl_model_arch_u64(f->model, "embedding_length", 0);
    uint64_t own = pl_model_arch_u64(m, "embedding_length", 0), words = pl_llamacpp_vocab(m);
    uint64_t row = pl_mul_sat(pl_add_sat(words, own), 4);
    uint64_t sampled = pl_mul_sat(pl_add_sat(pl_mul_sat(words, 3), 1), 4);
    uint64_t all = pl_mul_sat(pl_add_sat(row, sampled), r->n_ubatch);
    host->part[PL_PART_OUTPUT] =
        pl_between(pl_mul_sat(pl_mul_sat(words, 4), r->n_seq), all, all, PL_SOURCE_DERIVED,
                   "rows of logits for every token of a batch");
    uint64_t read = pl_mul_sat(pl_mul_sat(n, width), 4), batch = f->resolved.n_batch;
    pl_extra_add(&f->footprint.pool[0], PL_PART_OUTPUT,
                 pl_exact(pl_mul_sat(read, batch), PL_SOURCE_DERIVED,
                          "rows of logits, and what goes into the layers that the draft reads"),
                 pl_none());
    uint64_t beside = pl_mul_sat(pl_add_sat(read, pl_mul_sat(own, 12)), batch);
    pl_extra_add(&f->footprint.pool[0], PL_PART_DRAFT,
                 pl_between(0, beside / 2, beside, PL_SOURCE_DERIVED,
                            "hidden states on their way to the draft"),
                 pl_none());
    for (uint32_t i = 0; i < f->footprint.n_pool; i++) /* kept until the graph ends */
        pl_extra_add(&f->footprint.pool[i], PL_PART_COMPUTE,
                     pl_between(0, 0, pl_mul_sat(read, f->resolved.n_ubatch), PL_SOURCE_DERIVED,
                                f->footprint.pool[i].part[PL_PART_COMPUTE].why),
                     pl_none());
}

/* Is a file what reads hidden states? -EINVAL (exit 2) where it is not and the engine ends: eagle3
 * alone goes on without it. */
static int pl_draft_reader(const struct pl_speculation *how, const struct pl_model *m, bool *ret,
                           struct pl_err *err)
{
    const struct pl_arch *a = pl_arch(m->arch);
    *ret = a != NULL && a->memory == PL_MEMORY_DRAFT;
    if (*ret || !how->block)
        return 0;
    (void)pl_fail(
        err, -EINVAL,
        "--spec-type: the draft's architecture '%.40s' reads no hidden states: the engine "
        "aborts",
        m->arch);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_draft_model(struct pl_forecast *f, const struct pl_speculation *how,
                          const struct pl_llamacpp_host *host, struct pl_err *err)
{
    struct pl_model *m = NULL;
    struct pl_footprint *draft = calloc(1, sizeof(*draft));
    struct pl_resolved r;
    int rc = draft == NULL ? pl_fail(err, -ENOMEM, "out of memory") : 0;
    if (rc == 0)
        rc = pl_model_open(f->settings.draft.model, &m, err);
    struct pl_settings s = pl_draft_settings_of(f);
    bool reads = false;
    if (how->mtp)
        s.draft.types = "draft-mtp"; /* its layers beyond the trunk are loaded too */
    if (rc == 0 && how->reader)
        rc = pl_draft_reader(how, m, &reads, err);
    s.draft.reads = s.backend_sampling = reads; /* --spec-draft-backend-sampling: on */
    if (rc == 0)
        rc = pl_llamacpp_footprint(m, &s, host, draft, &r, err);
    if (rc == 0) {
        bool kept =
            how->any && (!how->simple || pl_draft_alike(f->model, m)) && how->reader == reads;
        if (reads)
            pl_draft_reads(f, m, &r, &draft->pool[0]);
        pl_draft_merge(f, draft, how->mtp, kept);
        if (how->mtp)
            rc = pl_draft_mtp(f, m, &s, r.n_gpu_layers, host, err);
    }
    (void)pl_model_free(m);
    free(draft);
    return rc;
}

static int pl_draft_refused(const struct pl_speculation *how, bool model, struct pl_err *err)
{
    if (how->simple && !model) {
        (void)pl_fail(err, -EINVAL, "--spec-type draft-simple needs a draft model");
        (void)pl_hint(err, "give one with --model-draft");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return 0;
}

/* A file of n-grams as ngram-cache holds it: 20 bytes of an n-gram and 8 of each token that
 * followed become hash nodes and buckets, a copy for each slot, and as much again that was copied
 * from while starting and lies between them. 0.7.0 (11669) held 17.9 bytes of each of the file's
 * (one token after an n-gram) and 10.7 (twenty) per slot. */
static int pl_draft_lookup(struct pl_forecast *f, const char *flag, const char *path,
                           struct pl_err *err)
{
    struct stat st;
    if (path == NULL)
        return 0;
    bool there = stat(path, &st) == 0;
    if (!there || !S_ISREG(st.st_mode)) {
        (void)pl_fail(err, -ENOENT, "%s %.120s: %s: the engine aborts", flag, path,
                      there ? "not a file" : "no such file");
        return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
    }
    uint64_t each = pl_mul_sat((uint64_t)st.st_size, f->resolved.n_seq);
    pl_extra_add(&f->footprint.pool[0], PL_PART_DRAFT,
                 pl_between(pl_mul_sat(each, 10), pl_mul_sat(each, 16), pl_mul_sat(each, 19),
                            PL_SOURCE_DERIVED, "n-grams of the lookup files, for each slot"),
                 pl_none());
    return 0;
}

/* Tables of n-grams seen, and rows of hidden states that are copied out for a draft: of every token
 * of a batch (llama-context.cpp, output_reserve: embd_nextn). */
static void pl_draft_tables(struct pl_forecast *f, const struct pl_speculation *how)
{
    uint64_t tables = how->ngram_mod ? PL_NGRAM_MOD_BYTES : 0;
    if (how->ngram_map)
        tables = pl_add_sat(tables, pl_mul_sat(PL_NGRAM_MAP_BYTES, f->resolved.n_seq));
    uint64_t width = pl_model_arch_u64(f->model, "embedding_length", 0);
    uint64_t rows = how->mtp ? pl_mul_sat(pl_mul_sat(width, f->resolved.n_batch), 4) : 0;
    if (tables > 0)
        pl_extra_add(&f->footprint.pool[0], PL_PART_DRAFT,
                     pl_exact(tables, PL_SOURCE_DERIVED, "tables of n-grams"), pl_none());
    if (rows > 0)
        pl_extra_add(&f->footprint.pool[0], PL_PART_OUTPUT,
                     pl_exact(rows, PL_SOURCE_DERIVED,
                              "rows of logits, and the hidden state of every token of a batch"),
                     pl_none());
}

int pl_extra_draft(struct pl_forecast *f, const struct pl_llamacpp_host *host, struct pl_err *err)
{
    struct pl_speculation how;
    bool model = f->settings.draft.model != NULL;
    int rc = pl_llamacpp_speculation(&f->settings, &how, err);
    if (rc == 0)
        rc = pl_draft_refused(&how, model, err);
    if (rc == 0 && model)
        rc = pl_draft_model(f, &how, host, err);
    else if (rc == 0 && how.mtp)
        rc = pl_draft_mtp(f, f->model, &f->settings, f->resolved.n_gpu_layers, host, err);
    if (rc == 0)
        pl_draft_tables(f, &how);
    if (rc == 0 && how.ngram_cache) /* read by no other kind */
        rc = pl_draft_lookup(f, "--lookup-cache-static", f->settings.draft.lookup_static, err);
    if (rc == 0 && how.ngram_cache)
        rc = pl_draft_lookup(f, "--lookup-cache-dynamic", f->settings.draft.lookup_dynamic, err);
    return rc;
}
