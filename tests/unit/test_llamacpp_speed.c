/* What speed promises over real geometries: never above the bandwidth, and monotone where it must
 * be.
 */
#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/settings.h"
#include "engine/llamacpp/speed.h"
#include "machine/device_data.h"
#include "model/catalogue.h"

#include <string.h>

static const struct pl_cpu avx2 = {.isa = "avx avx2 f16c fma"};

static struct pl_rate rate(double v)
{
    return (struct pl_rate){v, v, v, PL_SOURCE_MEASURED, PL_STATE_PLAIN, "test"};
}

static struct pl_model *model(const char *id, const char *quant)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    assert_int_equal(pl_catalogue_model(pl_catalogue_find(id), quant, &m, &err), 0);
    return m;
}

/* One question: a model, settings, and a machine with at most one device. */
struct ask {
    struct pl_model *m;
    struct pl_settings s;
    struct pl_used_devices devices;
    struct pl_speed_machine in;
    struct pl_resolved r;
    struct pl_speed v;
};

static struct ask *ask_new(const char *id, const char *quant, double bandwidth, double ops)
{
    static struct ask a;
    memset(&a, 0, sizeof(a));
    a.m = model(id, quant);
    pl_llamacpp_defaults(&a.s);
    a.s.n_ctx = 8192;
    a.s.n_parallel = 1;
    a.s.n_gpu_layers = 0;
    a.s.fit = false;
    a.in.host = (struct pl_speed_host){rate(bandwidth), rate(ops), rate(ops / 4), &avx2};
    return &a;
}

static void ask_device(struct ask *a, const char *id, enum pl_backend backend)
{
    const struct pl_device_row *row = pl_device_row(id, NULL);
    assert_non_null(row);
    struct pl_quantity room = pl_exact(1024 * PL_GIB, PL_SOURCE_DECLARED, "test");
    a->devices.n = a->in.n_device = 1;
    a->devices.one[0] = (struct pl_used_device){.pool = "gpu0",
                                                .name = "GPU0",
                                                .backend = backend,
                                                .kind = PL_POOL_DEDICATED,
                                                .total = room,
                                                .free = room,
                                                .alignment = 128,
                                                .buffer_max = UINT64_MAX,
                                                .range_max = UINT64_MAX};
    a->in.device[0] = (struct pl_speed_named_device){
        .pool = "gpu0",
        .as = {.backend = backend,
               .bandwidth = row->bandwidth_gbs * 1e9,
               .fp32 = row->fp32_tflops * 1e12,
               .link = 12e9}
    };
    (void)PL_FMT(a->in.device[0].as.arch, "%s", row->arch);
    a->s.n_gpu_layers = 999;
}

static const struct pl_speed *answer(struct ask *a)
{
    static struct pl_footprint f;
    struct pl_llamacpp_host host = {.cpu = &avx2, .devices = &a->devices};
    struct pl_err err = {0};
    assert_int_equal(pl_llamacpp_footprint(a->m, &a->s, &host, &f, &a->r, &err), 0);
    assert_int_equal(pl_llamacpp_speed(a->m, &a->s, &host, &a->r, &a->in, 512, &a->v, &err), 0);
    return &a->v;
}

static void ask_done(struct ask *a)
{
    a->m = pl_model_free(a->m);
}

static void ordered(struct pl_rate r)
{
    assert_true(r.source != PL_SOURCE_UNKNOWN);
    assert_true(0 < r.low && r.low <= r.likely && r.likely <= r.high);
    assert_non_null(r.why);
}

/* xorshift: the same sequence everywhere */
static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static void never_above_the_bandwidth(void **state)
{
    static const char *const ids[] = {"smollm2-135m", "qwen2.5-0.5b", "llama-3.2-3b",
                                      "qwen3-8b",     "olmoe-1b-7b",  "gemma-3-4b",
                                      "gpt-oss-20b",  "qwen3-30b-a3b"};
    static const char *const quants[] = {"q4_k_m", "q8_0", "f16", "q6_k"};
    uint64_t x = 20261121;
    uint32_t n = 0;
    const struct pl_device_row *rows = pl_device_rows(&n);
    (void)state;
    for (int i = 0; i < 400; i++) {
        double bandwidth = 5e9 + (double)(next(&x) % 500) * 1e9;
        struct ask *a = ask_new(ids[next(&x) % 8], quants[next(&x) % 4], bandwidth,
                                bandwidth * (double)(1 + next(&x) % 40));
        const struct pl_device_row *row = &rows[next(&x) % n];
        if (row->bandwidth_gbs > 0 && row->fp32_tflops > 0) {
            ask_device(a, row->id, (enum pl_backend)(PL_BACKEND_CUDA + next(&x) % 5));
            a->s.n_gpu_layers = (int64_t)(next(&x) % 60);
        }
        const struct pl_speed *v = answer(a);
        ordered(v->decode);
        ordered(v->prefill);
        ordered(v->decode_all);
        assert_true(v->roof > 0 && v->decode.high <= v->roof * 1.000001);
        /* by hand: all of it at the best bandwidth there is */
        double best = a->devices.n > 0 && a->in.device[0].as.bandwidth > bandwidth
                          ? a->in.device[0].as.bandwidth
                          : bandwidth;
        assert_true(v->decode.high <= best / (double)pl_llamacpp_bytes_per_token(a->m) * 1.000001);
        for (uint32_t k = 1; k < v->n_depth; k++)
            assert_true(v->decode_at[k].likely <= v->decode_at[k - 1].likely);
        ask_done(a);
    }
}

static void faster_memory_is_no_slower(void **state)
{
    (void)state;
    double last = 0, last_prefill = 0;
    for (double bandwidth = 10e9; bandwidth < 400e9; bandwidth *= 1.5) {
        struct ask *a = ask_new("qwen3-8b", "q4_k_m", bandwidth, 2e12);
        const struct pl_speed *v = answer(a);
        assert_true(v->decode.likely >= last && v->prefill.likely >= last_prefill);
        last = v->decode.likely;
        last_prefill = v->prefill.likely;
        ask_done(a);
    }
    assert_true(last > 0 && last_prefill > 0);
}

static void more_layers_on_a_faster_device_are_no_slower(void **state)
{
    (void)state;
    double last = 0;
    for (int ngl = 0; ngl <= 37; ngl++) {
        struct ask *a = ask_new("qwen3-8b", "q4_k_m", 50e9, 1e12);
        ask_device(a, "rtx4090", PL_BACKEND_CUDA);
        a->s.n_gpu_layers = ngl;
        const struct pl_speed *v = answer(a);
        assert_true(v->decode.likely >= last);
        last = v->decode.likely;
        ask_done(a);
    }
}

/* The rows' own figures: llama-2-7b Q4_0, tg128 and pp512 of a named card, within the interval. */
static void known_cards(void **state)
{
    static const struct {
        const char *id;
        enum pl_backend backend;
        double decode;
    } cards[] = {
        {"rtx4090",          PL_BACKEND_CUDA,  190},
        {"rtx5090",          PL_BACKEND_CUDA,  290},
        {"rtx3090",          PL_BACKEND_CUDA,  158},
        {"apple-m2-max-30c", PL_BACKEND_METAL, 61 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        struct ask *a = ask_new("llama-2-7b", "q4_0", 50e9, 1e12);
        ask_device(a, cards[i].id, cards[i].backend);
        const struct pl_rate *at = &answer(a)->decode_at[0];
        assert_true(at->low <= cards[i].decode && cards[i].decode <= at->high * 1.05);
        assert_int_equal(at->source, PL_SOURCE_DERIVED);
        ask_done(a);
    }
}

static void what_is_not_known_is_not_invented(void **state)
{
    (void)state;
    struct ask *a = ask_new("qwen3-8b", "q4_k_m", 50e9, 1e12);
    a->in.host.int8 = a->in.host.fma = (struct pl_rate){0};
    const struct pl_speed *v = answer(a);
    assert_int_equal(v->prefill.source, PL_SOURCE_UNKNOWN);
    assert_int_equal(v->decode.source, PL_SOURCE_ASSUMED);
    assert_true(v->decode.low <= 0.21 * v->roof && v->decode.high >= 0.99 * v->roof);
    a->in.host.bandwidth = (struct pl_rate){0};
    v = answer(a);
    assert_int_equal(v->decode.source, PL_SOURCE_UNKNOWN);
    assert_true(v->roof <= 0);
    ask_device(a, "rtx4090", PL_BACKEND_CUDA);
    v = answer(a); /* all on the device: the host does not matter */
    assert_true(v->decode.source != PL_SOURCE_UNKNOWN);
    a->in.device[0].as.bandwidth = 0;
    v = answer(a);
    assert_int_equal(v->decode.source, PL_SOURCE_UNKNOWN);
    ask_done(a);
}

static void a_correction_is_applied_once_and_below_the_roof(void **state)
{
    (void)state;
    struct ask *a = ask_new("qwen3-8b", "q4_k_m", 50e9, 1e12);
    double plain = answer(a)->decode.likely;
    a->in.correction = (struct pl_speed_correction){
        .decode = 0.5, .decode_low = 0.9, .decode_high = 1.1, .why = "corrected"};
    const struct pl_speed *v = answer(a);
    assert_true(v->decode.likely > plain * 0.4999 && v->decode.likely < plain * 0.5001);
    assert_true(v->decode.low > plain * 0.449 && v->decode.high < plain * 0.551);
    assert_string_equal(v->decode.why, "corrected");
    a->in.correction.decode = 100;
    v = answer(a);
    assert_true(v->decode.likely <= v->roof && v->decode.high <= v->roof);
    ask_done(a);
}

static void slots_share_the_weights(void **state)
{
    (void)state;
    struct ask *a = ask_new("qwen3-8b", "q4_k_m", 50e9, 4e12);
    a->s.n_parallel = 4;
    const struct pl_speed *v = answer(a);
    assert_true(v->decode_all.likely > v->decode.likely);
    assert_true(v->decode_all.likely <= 4 * v->decode.likely * 1.000001);
    ask_done(a);
}

static void drafting_is_only_a_range(void **state)
{
    (void)state;
    struct ask *a = ask_new("qwen3-8b", "q4_k_m", 50e9, 4e12);
    assert_int_equal(answer(a)->speculative.source, PL_SOURCE_UNKNOWN);
    a->s.draft.types = "ngram-mod";
    a->s.draft.n_max = 8;
    const struct pl_speed *v = answer(a);
    assert_int_equal(v->speculative.source, PL_SOURCE_ASSUMED);
    assert_true(v->speculative.low < v->decode.likely && v->speculative.high > v->decode.likely);
    ask_done(a);
}

/* A mixture reads what its tokens choose: one token a few experts, a prompt nearly all. */
static void experts_are_read_as_they_are_chosen(void **state)
{
    (void)state;
    struct ask *a = ask_new("qwen3-30b-a3b", "q4_k_m", 50e9, 1e12);
    const struct pl_speed *v = answer(a);
    double file = (double)a->m->file_bytes;
    assert_true(v->roof > 5 * 50e9 / file); /* 8 of 128 experts, and what all tokens read */
    ask_done(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_above_the_bandwidth),
        cmocka_unit_test(faster_memory_is_no_slower),
        cmocka_unit_test(more_layers_on_a_faster_device_are_no_slower),
        cmocka_unit_test(known_cards),
        cmocka_unit_test(what_is_not_known_is_not_invented),
        cmocka_unit_test(a_correction_is_applied_once_and_below_the_roof),
        cmocka_unit_test(slots_share_the_weights),
        cmocka_unit_test(drafting_is_only_a_range),
        cmocka_unit_test(experts_are_read_as_they_are_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
