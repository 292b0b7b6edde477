#include "engine/whispercpp/footprint.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/places.h"
#include "domain/whisper.h"
#include "engine/whispercpp/footprint_graph.h"

#include <errno.h>

#define PL_WH_FORMULAS "whisper.cpp 1.9"
#define PL_WH_SOURCE "whisper.cpp src/whisper.cpp, "
#define PL_WH_PAD 256u
#define PL_WH_ALIGN_CPU 32u     /* ggml-cpu, TENSOR_ALIGNMENT */
#define PL_WH_ALIGN_DEVICE 128u /* CUDA; Vulkan's is asked of the device, 16 to 256 */
#define PL_WH_PER_WORD 28u      /* of a decoder: three floats, and a double with an index */

/* Everything that the parts are computed from. */
struct pl_wh_job {
    const struct pl_model *m;
    struct pl_setting_values *v;
    struct pl_whisper w;
    struct pl_claim *to;
    struct pl_pool_footprint *host, *pool; /* pool: where weights, caches and buffers lie */
    uint64_t first, most;                  /* decoders of the first try, and the most */
    uint64_t n_state;                      /* states: parts of the sound at once */
    bool flash;
};

static struct pl_quantity pl_wh_derived(uint64_t bytes, const char *why)
{
    return pl_exact(bytes, PL_SOURCE_DERIVED, why);
}

/* A file's tensors must be those of its numbers, or the engine refuses it. */
static int pl_wh_check(const struct pl_wh_job *j, struct pl_err *err)
{
    uint64_t n = pl_whisper_tensor_count(&j->w);
    if (j->m->n_tensor != n) {
        (void)pl_fail(err, -EBADMSG, "%.120s: has %llu tensors, its numbers ask for %llu",
                      j->m->path, (unsigned long long)j->m->n_tensor, (unsigned long long)n);
        return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
    }
    for (uint64_t i = 0; i < n; i++) {
        char name[PL_WHISPER_NAME_MAX];
        struct pl_tensor want;
        bool sized = pl_whisper_tensor(&j->w, i, &want, name);
        const struct pl_tensor *t = pl_model_tensor(j->m, name);
        if (sized && t != NULL && t->bytes == want.bytes && t->type == want.type &&
            t->ne[0] == want.ne[0])
            continue;
        (void)pl_fail(err, -EBADMSG, "%.120s: tensor '%s' is %s", j->m->path, name,
                      t == NULL ? "missing" : "of another shape or type than its numbers ask for");
        return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
    }
    return 0;
}

/* whisper_full_with_state: greedy unless more than one beam is asked for; a piece that is tried
 * again at a temperature takes the best of several. */
static void pl_wh_decide(struct pl_wh_job *j)
{
    bool cli = pl_setting_is(j->v, "program", "cli");
    uint64_t beams = pl_setting_u(j->v, "beam_size"), best = pl_setting_u(j->v, "best_of");
    if (beams == 0)
        pl_setting_decide_u(j->v, "beam_size", beams = cli ? 5 : 1);
    if (best == 0)
        pl_setting_decide_u(j->v, "best_of", best = cli ? 5 : 2);
    /* the server takes the flag and does not look at it */
    bool again = !cli || pl_setting_u(j->v, "no_fallback") == 0;
    j->first = beams;
    j->most = again && best > beams ? best : beams;
    j->n_state = pl_setting_u(j->v, "processors");
    j->flash = pl_setting_u(j->v, "no_flash_attn") == 0;
    if (!pl_setting(j->v, "max_context")->given)
        pl_setting_decide_u(j->v, "max_context", cli ? j->w.n_text_ctx / 2 : 0);
}

static void pl_wh_weights(struct pl_wh_job *j)
{
    uint64_t bytes = 0, padded = 0, largest = 0, one = 0;
    uint64_t align = j->pool == j->host ? PL_WH_ALIGN_CPU : PL_WH_ALIGN_DEVICE;
    char a[PL_SIZE_TEXT_MAX];
    for (uint64_t i = 0; i < j->m->n_tensor; i++) {
        const struct pl_tensor *t = &j->m->tensor[i];
        bytes = pl_add_sat(bytes, t->bytes);
        padded = pl_add_sat(padded, pl_pad_u64(t->bytes, align, &one) ? one : t->bytes);
        largest = t->bytes > largest ? t->bytes : largest;
    }
    (void)PL_FMT(j->to->quant, "%s", j->w.type_name);
    pl_claim_add(j->to, j->pool, PL_PART_WEIGHTS,
                 pl_wh_derived(padded, "every tensor, read into memory of its own"),
                 PL_WH_SOURCE "whisper_model_load", "%llu tensors, each to %llu bytes",
                 (unsigned long long)j->m->n_tensor, (unsigned long long)align);
    j->pool->largest_allocation = pl_wh_derived(padded, "the weights are one buffer");
    pl_claim_number(j->to, "model_size_bytes", "model size", (double)bytes, "%s",
                    pl_size_text(bytes, a));
    pl_claim_number(j->to, "largest_tensor_bytes", "largest tensor", (double)largest, "%s",
                    pl_size_text(largest, a));
}

/* Bytes of a cache: keys and values in 16 bits. */
static uint64_t pl_wh_cache(uint64_t width, uint64_t layers, uint64_t cells)
{
    return pl_mul_sat(pl_mul_sat(4, width), pl_mul_sat(layers, cells));
}

static void pl_wh_fact(struct pl_wh_job *j, const char *key, const char *label, uint64_t bytes)
{
    char a[PL_SIZE_TEXT_MAX];
    pl_claim_number(j->to, key, label, (double)bytes, "%s", pl_size_text(bytes, a));
}

static uint64_t pl_wh_factor(uint64_t decoders)
{
    return decoders > 1 ? decoders + 2 : 1;
}

static void pl_wh_caches(struct pl_wh_job *j)
{
    const struct pl_whisper *w = &j->w;
    uint64_t text = 0, audio = 0;
    (void)pl_pad_u64(w->n_text_ctx, PL_WH_PAD, &text);
    (void)pl_pad_u64(w->n_audio_ctx, PL_WH_PAD, &audio);
    uint64_t one = pl_wh_cache(w->n_text_state, w->n_text_layer, text);
    uint64_t across = pl_wh_cache(w->n_text_state, w->n_text_layer, audio);
    uint64_t pad = pl_wh_cache(w->n_audio_state, 1, audio);
    uint64_t first = pl_mul_sat(one, pl_wh_factor(j->first));
    uint64_t most = pl_mul_sat(one, pl_wh_factor(j->most));
    uint64_t n = j->n_state;
    struct pl_quantity self = pl_between(
        pl_mul_sat(n, first), pl_mul_sat(n, most), pl_mul_sat(n, most), PL_SOURCE_DERIVED,
        j->most > j->first ? "grows once a piece is tried again at a temperature"
                           : "of all sequences that are followed at once");
    if (first == most)
        self = pl_wh_derived(pl_mul_sat(n, most), self.why);
    pl_claim_add(j->to, j->pool, PL_PART_KV, self, PL_WH_SOURCE "whisper_full_with_state",
                 "of the words: %llu decoders, %llu caches of %llu cells x %llu layers x %llu x 4 "
                 "bytes x %llu",
                 (unsigned long long)j->most, (unsigned long long)pl_wh_factor(j->most),
                 (unsigned long long)text, (unsigned long long)w->n_text_layer,
                 (unsigned long long)w->n_text_state, (unsigned long long)n);
    pl_claim_add(j->to, j->pool, PL_PART_KV, pl_wh_derived(pl_mul_sat(n, across), NULL),
                 PL_WH_SOURCE "whisper_init_state",
                 "of the sound: %llu cells x %llu layers x %llu x 4 bytes x %llu",
                 (unsigned long long)audio, (unsigned long long)w->n_text_layer,
                 (unsigned long long)w->n_text_state, (unsigned long long)n);
    pl_claim_add(j->to, j->pool, PL_PART_KV, pl_wh_derived(pl_mul_sat(n, pad), NULL),
                 PL_WH_SOURCE "whisper_init_state",
                 "of the encoder: %llu cells x %llu x 4 bytes x %llu", (unsigned long long)audio,
                 (unsigned long long)w->n_audio_state, (unsigned long long)n);
    pl_wh_fact(j, "kv_self_start_bytes", "kv self at the start", one);
    pl_wh_fact(j, "kv_self_bytes", "kv self", most);
    pl_wh_fact(j, "kv_cross_bytes", "kv cross", across);
    pl_wh_fact(j, "kv_pad_bytes", "kv pad", pad);
}

/* Buffers are taken for the longest sound and prompt; a page of them becomes memory once it is
 * written. Least: the shortest prompt. Likely: the text before a piece that the flags allow. */
struct pl_wh_sizes {
    struct pl_wh_buffer whole, likely, least;
};

static bool pl_wh_sizes_of(const struct pl_wh_job *j, enum pl_wh_graph g, struct pl_wh_sizes *ret)
{
    const struct pl_whisper *w = &j->w;
    uint64_t cells = 0, asked = pl_setting_u(j->v, "audio_ctx");
    uint64_t context = pl_setting_u(j->v, "max_context");
    (void)pl_pad_u64(w->n_text_ctx, PL_WH_PAD, &cells);
    struct pl_wh_batch b = {.n_audio = w->n_audio_ctx,
                            .n_token = w->n_text_ctx,
                            .n_kv = cells,
                            .flash = j->flash,
                            .align = j->pool == j->host ? PL_WH_ALIGN_CPU : PL_WH_ALIGN_DEVICE};
    if (!pl_wh_graph_bytes(w, g, &b, &ret->whole))
        return false;
    b.n_audio = asked > 0 && asked < w->n_audio_ctx ? asked : w->n_audio_ctx;
    b.n_kv = PL_WH_PAD < cells ? PL_WH_PAD : cells;
    b.n_token = j->first > 3 ? j->first : 3; /* start, language, task */
    if (!pl_wh_graph_bytes(w, g, &b, &ret->least))
        return false;
    context = context < w->n_text_ctx / 2 ? context : w->n_text_ctx / 2;
    b.n_token = pl_add_sat(b.n_token, context);
    b.n_token = b.n_token < w->n_text_ctx ? b.n_token : w->n_text_ctx;
    return pl_wh_graph_bytes(w, g, &b, &ret->likely);
}

static void pl_wh_work(struct pl_wh_job *j, uint64_t least, uint64_t whole)
{
    /* flash attention and the softmax take some rows by thread: ggml-cpu.c, ggml_graph_plan */
    uint64_t rows = pl_mul_sat(pl_setting_u(j->v, "threads"), 512 * PL_KIB);
    pl_claim_add(j->to, j->host, PL_PART_COMPUTE,
                 pl_between(pl_mul_sat(j->n_state, least), pl_mul_sat(j->n_state, whole),
                            pl_mul_sat(j->n_state, pl_add_sat(whole, rows)), PL_SOURCE_DERIVED,
                            NULL),
                 "whisper.cpp ggml/src/ggml-cpu/ggml-cpu.c, ggml_graph_plan",
                 "operands of the largest product in the type of its weights, %llu bytes",
                 (unsigned long long)whole);
    pl_wh_fact(j, "compute_work_bytes", "work buffer", whole);
}

static int pl_wh_buffers(struct pl_wh_job *j, struct pl_err *err)
{
    static const struct {
        const char *key, *label, *source;
    } graph[PL_WH_GRAPHS] = {
        {"compute_conv_bytes",   "compute conv",   PL_WH_SOURCE "whisper_build_graph_conv"   },
        {"compute_encode_bytes", "compute encode", PL_WH_SOURCE "whisper_build_graph_encoder"},
        {"compute_cross_bytes",  "compute cross",  PL_WH_SOURCE "whisper_build_graph_cross"  },
        {"compute_decode_bytes", "compute decode", PL_WH_SOURCE "whisper_build_graph_decoder"},
    };
    uint64_t least_work = UINT64_MAX, work = 0, meta = pl_wh_graph_meta();
    for (int g = 0; g < PL_WH_GRAPHS; g++) {
        struct pl_wh_sizes s;
        if (!pl_wh_sizes_of(j, (enum pl_wh_graph)g, &s))
            return pl_exit_as(
                err,
                pl_fail(err, -ENOTSUP, "%.120s: cannot tell: its graph is too large", j->m->path),
                PL_EXIT_CANNOT_TELL);
        uint64_t whole = pl_mul_sat(j->n_state, s.whole.bytes);
        uint64_t likely =
            pl_mul_sat(j->n_state, s.likely.bytes < s.whole.bytes ? s.likely.bytes : s.whole.bytes);
        uint64_t least = pl_mul_sat(j->n_state, s.least.bytes);
        least = least < likely ? least : likely;
        bool device = j->pool != j->host; /* its memory is taken whole */
        pl_claim_add(
            j->to, j->pool, PL_PART_COMPUTE,
            device ? pl_between(whole / 10 * 9, whole, pl_add_sat(whole, whole / 4),
                                PL_SOURCE_ASSUMED, "as on the CPU; copies of inputs beside")
                   : pl_between(least, likely, whole, PL_SOURCE_DERIVED,
                                "taken for the longest prompt, written as far as used"),
            graph[g].source, "%s: %llu bytes, %llu of them written at least", graph[g].label,
            (unsigned long long)s.whole.bytes, (unsigned long long)s.least.bytes);
        pl_wh_fact(j, graph[g].key, graph[g].label, pl_add_sat(s.whole.bytes, meta));
        work = s.whole.work > work ? s.whole.work : work;
        if (g == PL_WH_ENCODE)
            least_work = s.least.work;
    }
    if (j->pool == j->host)
        pl_wh_work(j, least_work < work ? least_work : work, work);
    return 0;
}

/* Of the host, whatever computes: scores of words, records of graphs, the process, the sound. */
static void pl_wh_host(struct pl_wh_job *j)
{
    const struct pl_whisper *w = &j->w;
    uint64_t row = pl_mul_sat(4, w->n_vocab);
    uint64_t lists = pl_mul_sat(pl_mul_sat(PL_WH_PER_WORD, w->n_vocab), j->most);
    uint64_t context = pl_setting_u(j->v, "max_context");
    context = context < w->n_text_ctx / 2 ? context : w->n_text_ctx / 2;
    uint64_t likely = pl_mul_sat(row, context + 3);
    pl_claim_add(j->to, j->host, PL_PART_OUTPUT,
                 pl_between(pl_mul_sat(j->n_state, row), pl_mul_sat(j->n_state, likely),
                            pl_mul_sat(j->n_state, pl_mul_sat(row, w->n_text_ctx)),
                            PL_SOURCE_DERIVED, "scores of every word, a row by word of the prompt"),
                 PL_WH_SOURCE "whisper_decode_internal", "%llu words x 4 bytes, 1 to %llu rows",
                 (unsigned long long)w->n_vocab, (unsigned long long)w->n_text_ctx);
    pl_claim_add(j->to, j->host, PL_PART_OUTPUT,
                 pl_between(pl_mul_sat(j->n_state, lists / j->most), pl_mul_sat(j->n_state, lists),
                            pl_mul_sat(j->n_state, lists), PL_SOURCE_DERIVED, NULL),
                 PL_WH_SOURCE "whisper_full_with_state",
                 "%llu decoders x %llu words x 28 bytes: probabilities, logits, their order",
                 (unsigned long long)j->most, (unsigned long long)w->n_vocab);
    uint64_t words = pl_mul_sat(w->n_vocab, 2);
    pl_claim_add(j->to, j->host, PL_PART_RUNTIME,
                 pl_between(pl_mul_sat(words, 64), pl_mul_sat(words, 88), pl_mul_sat(words, 128),
                            PL_SOURCE_DERIVED, "the process, and the vocabulary both ways"),
                 PL_WH_SOURCE "whisper_vocab", "2 x %llu words in trees, 64 to 128 bytes each",
                 (unsigned long long)w->n_vocab);
    bool device = j->pool != j->host;
    pl_claim_add(j->to, j->host, PL_PART_RUNTIME,
                 device
                     ? pl_between(60 * PL_MIB, 150 * PL_MIB, 500 * PL_MIB, PL_SOURCE_ASSUMED, NULL)
                     : pl_between(2 * PL_MIB, 8 * PL_MIB, 24 * PL_MIB, PL_SOURCE_ASSUMED, NULL),
                 PL_WH_SOURCE "whisper_init_state", "libraries, threads, records of graphs");
    pl_claim_add(j->to, j->host, PL_PART_EXTRA,
                 pl_between(PL_MIB, 6 * PL_MIB, 40 * PL_MIB, PL_SOURCE_ASSUMED,
                            "the sound and its picture; up to six minutes"),
                 PL_WH_SOURCE "log_mel_spectrogram",
                 "a minute takes 3.8 MB as samples and %llu bytes as its picture",
                 (unsigned long long)(6000 * 4 * w->n_mels));
}

static int pl_wh_place(struct pl_wh_job *j, const struct pl_machine *machine, struct pl_err *err)
{
    struct pl_places places;
    uint64_t which = pl_setting_u(j->v, "device");
    pl_places_of(machine, &places);
    j->host = pl_claim_pool(j->to, "ram", PL_POOL_HOST);
    j->pool = j->host;
    if (pl_setting_u(j->v, "no_gpu") != 0 || which >= places.n)
        return 0; /* whisper_backend_init_gpu: without such a device the CPU computes */
    j->pool = pl_claim_pool(j->to, places.one[which].pool->name, places.one[which].pool->kind);
    if (j->host == NULL || j->pool == NULL)
        return pl_fail(err, -E2BIG, "too many pools");
    pl_claim_add(j->to, j->pool, PL_PART_RUNTIME,
                 pl_between(100 * PL_MIB, 300 * PL_MIB, 600 * PL_MIB, PL_SOURCE_ASSUMED,
                            "the device's context and kernels"),
                 "whisper.cpp src/whisper.cpp, whisper_backend_init_gpu", "context of the device");
    return 0;
}

static void pl_wh_total(struct pl_wh_job *j)
{
    pl_claim_total(j->host, NULL);
    if (j->pool != j->host)
        pl_claim_total(j->pool, NULL);
    j->host->hold[PL_HOLD_FILE_COLD] =
        pl_exact(j->m->file_bytes, PL_SOURCE_DERIVED, "the file's pages, read once");
}

int pl_whispercpp_footprint(const struct pl_model *m, struct pl_setting_values *v,
                            const struct pl_machine *machine, struct pl_claim *ret,
                            struct pl_err *err)
{
    struct pl_wh_job j = {.m = m, .v = v, .to = ret};
    pl_claim_start(ret, PL_WH_FORMULAS);
    if (!pl_whisper_of(m, &j.w)) {
        (void)pl_fail(err, -ENOTSUP, "%.120s: is no whisper.cpp model", m->path);
        (void)pl_hint(err, "whisper.cpp loads its own files only: ggml-small.bin and the like");
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    int rc = pl_wh_check(&j, err);
    if (rc < 0)
        return rc;
    if (pl_setting_u(v, "audio_ctx") > j.w.n_audio_ctx) {
        (void)pl_fail(err, -EINVAL, "--audio-ctx: %llu is more than the model's %llu",
                      (unsigned long long)pl_setting_u(v, "audio_ctx"),
                      (unsigned long long)j.w.n_audio_ctx);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    rc = pl_wh_place(&j, machine, err);
    if (rc < 0)
        return rc;
    pl_wh_decide(&j);
    pl_wh_weights(&j);
    pl_wh_caches(&j);
    rc = pl_wh_buffers(&j, err);
    if (rc < 0)
        return rc;
    pl_wh_host(&j);
    pl_wh_total(&j);
    return 0;
}
