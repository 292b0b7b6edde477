/* A hostile header through the whole estimate: geometry, settings, footprint, speed. Any bytes give
 * a footprint that keeps its promises, or an error with words.
 *
 * An input is a GGUF file; its last bytes also choose the settings. */
#include "base/str.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/projector_compute.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/settings.h"
#include "engine/llamacpp/speed.h"
#include "model/gguf.h"

#include <stdlib.h>

#define PL_FUZZ_FLAGS 8 /* words taken from the end of the input */

struct pl_fuzz_bytes {
    const uint8_t *data;
    size_t n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static int pl_fuzz_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct pl_fuzz_bytes *b = ctx;
    (void)path;
    (void)err;
    pl_input_memory(b->data, b->n, ret);
    return 0;
}

static void pl_fuzz_settings(struct pl_settings *s, const uint8_t *data, size_t n)
{
    static const char *const words[] = {
        "-c",   "0",          "-c",    "1",   "-c",    "1000",       "-c",   "1000000000",
        "-np",  "3",          "-np",   "256", "-np",   "-1",         "-b",   "1",
        "-b",   "1000000000", "-ub",   "1",   "-ub",   "0",          "-ub",  "1000000000",
        "-ctk", "q8_0",       "-ctk",  "f32", "-ctv",  "q4_0",       "-ctv", "f32",
        "-fa",  "off",        "-fa",   "on",  "-lm",   "none",       "-lm",  "mlock",
        "-lm",  "dio",        "-cram", "-1",  "-cram", "1000000000", "-ngl", "0",
        "-ngl", "all",        "-lzm",  "on",
    };
    static const char *const switches[] = {"--embedding", "--rerank"};
    const size_t n_switch = sizeof(switches) / sizeof(switches[0]);
    const size_t n_flag = sizeof(words) / sizeof(words[0]) / 2;
    pl_llamacpp_defaults(s);
    for (size_t i = 0; i < PL_FUZZ_FLAGS && i < n; i++) {
        size_t k = data[n - 1 - i] % (n_flag + n_switch + 3);
        if (k == n_flag)
            s->repack = false;
        else if (k == n_flag + 1)
            s->kv_unified = PL_OFF;
        if (k > n_flag + 2) {
            char word[16];
            (void)PL_FMT(word, "%s", switches[k - n_flag - 3]);
            char *argv[] = {word};
            pl_fuzz_check(pl_llamacpp_flag(s, 1, argv, NULL) == 1);
        }
        if (k >= n_flag)
            continue;
        char flag[16], value[16];
        (void)PL_FMT(flag, "%s", words[2 * k]);
        (void)PL_FMT(value, "%s", words[2 * k + 1]);
        char *argv[] = {flag, value};
        pl_fuzz_check(pl_llamacpp_flag(s, 2, argv, NULL) == 2);
    }
}

static void pl_fuzz_quantity(struct pl_quantity q)
{
    pl_fuzz_check(!pl_known(q) || (q.low <= q.likely && q.likely <= q.high));
    pl_fuzz_check(pl_known(q) || (q.low == 0 && q.likely == 0 && q.high == 0));
    pl_fuzz_check(q.why != NULL);
}

static void pl_fuzz_promises(const struct pl_model *m, const struct pl_footprint *f,
                             const struct pl_resolved *r)
{
    const struct pl_pool_footprint *p = &f->pool[0];
    pl_fuzz_check(f->n_pool == 1 && r->n_seq >= 1 && r->n_ctx_seq >= 1 && r->n_ubatch >= 1);
    pl_fuzz_check(r->n_ctx >= r->n_ctx_seq && r->n_ubatch <= r->n_batch);
    for (int i = 0; i < PL_PARTS; i++)
        pl_fuzz_quantity(p->part[i]);
    for (int i = 0; i < PL_HOLDS; i++)
        pl_fuzz_quantity(p->hold[i]);
    pl_fuzz_quantity(p->steady);
    pl_fuzz_quantity(p->peak);
    pl_fuzz_quantity(p->load_peak);
    pl_fuzz_quantity(p->largest_allocation);
    /* nothing that attends, or something that is kept */
    pl_fuzz_check(pl_known(p->part[PL_PART_KV]) && pl_known(p->part[PL_PART_RECURRENT]));
    /* a tied embedding may lie in memory twice */
    pl_fuzz_check(p->part[PL_PART_WEIGHTS].likely / 2 <= m->file_bytes);
    pl_fuzz_check(!pl_known(p->steady) || p->steady.likely >= p->part[PL_PART_KV].likely);
    pl_fuzz_check(!pl_known(p->steady) || p->peak.high >= p->steady.high);
}

static void pl_fuzz_rate(struct pl_rate v)
{
    pl_fuzz_check(v.low <= v.likely && v.likely <= v.high && v.low >= 0);
    pl_fuzz_check(v.source != PL_SOURCE_UNKNOWN || v.why != NULL);
}

static void pl_fuzz_speed(const struct pl_model *m, const struct pl_settings *s,
                          const struct pl_llamacpp_host *host, const struct pl_resolved *r)
{
    static struct pl_speed v;
    struct pl_rate rate = {1e9, 1e9, 1e9, PL_SOURCE_MEASURED, PL_STATE_PLAIN, "fuzz"};
    struct pl_speed_machine in = {
        .host = {.bandwidth = rate, .cpu = host->cpu}
    };
    if (host->cpu != NULL)
        in.host.int8 = in.host.fma = rate;
    if (pl_llamacpp_speed(m, s, host, r, &in, 512, &v, NULL) < 0)
        return;
    pl_fuzz_rate(v.prefill);
    pl_fuzz_rate(v.decode);
    pl_fuzz_rate(v.decode_all);
    pl_fuzz_check(v.roof <= 0 || v.decode.high <= v.roof * 1.0001);
    for (uint32_t i = 0; i < v.n_depth; i++)
        pl_fuzz_rate(v.decode_at[i]);
}

/* The same file given as --mmproj. */
static void pl_fuzz_projector(const struct pl_model *m, const struct pl_settings *s)
{
    for (uint32_t i = 0; i == 0 || i < pl_projector_count(m); i++) {
        struct pl_projector_bytes b;
        struct pl_projector p;
        struct pl_err err = {0};
        int rc = pl_projector_read(m, i, s, &p, &err);
        pl_fuzz_check(rc == pl_projector_bytes(m, i, s, NULL, &b, NULL));
        pl_fuzz_check(rc == 0 || (rc < 0 && err.code == rc && err.what[0] != '\0'));
        if (rc == 0) {
            pl_fuzz_check(p.patch > 0 && p.merge > 0 && p.n_embd > 0);
            pl_fuzz_check(i > 0 || b.largest <= b.weights);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct pl_cpu avx2 = {.isa = "avx avx2 avx512f f16c fma"};
    struct pl_fuzz_bytes bytes = {data, n};
    struct pl_opener opener = {pl_fuzz_open, &bytes};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    struct pl_settings s;
    if (pl_gguf_read_with(&opener, "x.gguf", &m, &err) < 0)
        return 0;
    pl_fuzz_settings(&s, data, n);
    pl_fuzz_projector(m, &s);
    for (int known = 0; known < 2; known++) {
        struct pl_llamacpp_host host = {.cpu = known ? &avx2 : NULL, .version_known = known == 1};
        struct pl_footprint f;
        struct pl_resolved r;
        err = (struct pl_err){0};
        int rc = pl_llamacpp_footprint(m, &s, &host, &f, &r, &err);
        if (rc == 0)
            pl_fuzz_promises(m, &f, &r);
        if (rc == 0)
            pl_fuzz_speed(m, &s, &host, &r);
        else
            pl_fuzz_check(rc < 0 && err.code == rc && err.what[0] != '\0');
    }
    (void)pl_model_free(m);
    return 0;
}
