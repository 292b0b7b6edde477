#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/tensor_type.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/repack.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/settings.h"
#include "model/catalogue.h"

#include <errno.h>
#include <string.h>

static const struct pl_cpu avx2 = {.isa = "avx avx2 fma"};
static const struct pl_cpu plain = {.isa = "sse4_2"};
static const struct pl_cpu amx = {.isa = "amx_int8 amx_tile avx2 avx512f"};

static void repacking_follows_type_rows_and_cpu(void **state)
{
    (void)state;
    struct pl_tensor t = {
        .name = "blk.0.ffn_up.weight", .n_dims = 2, .ne = {4096, 1024, 1, 1},
                .type = 12
    };
    assert_int_equal(pl_repack_matrix(&t, &avx2), PL_REPACK_YES);
    assert_int_equal(pl_repack_matrix(&t, &plain), PL_REPACK_NO);
    assert_int_equal(pl_repack_matrix(&t, NULL), PL_REPACK_UNKNOWN);
    t.ne[1] = 1023;
    assert_int_equal(pl_repack_matrix(&t, &avx2), PL_REPACK_NO);
    t.ne[1] = 1024;
    t.type = 14; /* Q6_K has no x86 form */
    assert_int_equal(pl_repack_matrix(&t, &avx2), PL_REPACK_NO);
    t.type = 8;
    assert_int_equal(pl_repack_matrix(&t, &avx2), PL_REPACK_NO);
    assert_int_equal(pl_repack_matrix(&t, &amx), PL_REPACK_UNKNOWN);
    assert_true(pl_repack_is_matrix(&t));
    t.ne[1] = 1;
    assert_false(pl_repack_is_matrix(&t));
}

static struct pl_model *model(const char *id, const char *quant)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    assert_int_equal(pl_catalogue_model(pl_catalogue_find(id), quant, &m, &err), 0);
    return m;
}

static int predict(const struct pl_model *m, struct pl_settings *s, const struct pl_cpu *cpu,
                   struct pl_footprint *f, struct pl_err *err)
{
    struct pl_resolved r;
    struct pl_llamacpp_host host = {.cpu = cpu, .version_known = true};
    return pl_llamacpp_footprint(m, s, &host, f, &r, err);
}

static void qwen3_8b_by_hand(void **state)
{
    (void)state;
    struct pl_model *m = model("qwen3-8b", "q4_k_m");
    struct pl_settings s;
    struct pl_footprint f;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    s.n_ctx = 2048;
    s.n_parallel = 1;
    s.repack = false;
    assert_int_equal(predict(m, &s, &avx2, &f, &err), 0);
    const struct pl_pool_footprint *p = &f.pool[0];
    /* 2 x 36 layers x 8 heads x 128 x 2 bytes: 144 KiB a token, 288 MiB at 2048 */
    assert_true(p->part[PL_PART_KV].likely == 288 * PL_MIB);
    /* tensors of the published file Qwen3-8B-Q4_K_M.gguf: 5 021 827 072 bytes */
    assert_true(p->part[PL_PART_WEIGHTS].likely == 5021827072ull);
    assert_true(p->part[PL_PART_REPACK].likely == 0);
    assert_true(p->part[PL_PART_OUTPUT].likely == 151936 * 4);
    assert_true(p->hold[PL_HOLD_FILE_HOT].likely == 5021827072ull);
    s.repack = true;
    assert_int_equal(predict(m, &s, &avx2, &f, &err), 0);
    assert_true(p->part[PL_PART_WEIGHTS].likely + p->part[PL_PART_REPACK].likely == 5021827072ull);
    assert_true(p->part[PL_PART_REPACK].likely > 3ull * PL_GIB);
    assert_true(p->hold[PL_HOLD_FILE_COLD].likely == p->part[PL_PART_REPACK].likely);
    assert_true(p->largest_allocation.likely == p->part[PL_PART_REPACK].likely);
    (void)pl_model_free(m);
}

static void parts_add_up_and_grow(void **state)
{
    (void)state;
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    for (size_t i = 0; i < n; i++) {
        if (row[i].offered == 0)
            continue;
        struct pl_model *m = model(row[i].id, i % 2 == 0 ? "q4_k_m" : "q8_0");
        uint64_t before = 0;
        for (uint64_t ctx = 256; ctx <= 131072; ctx *= 8) {
            struct pl_settings s;
            struct pl_footprint f;
            struct pl_err err = {0};
            pl_llamacpp_defaults(&s);
            s.n_ctx = ctx;
            assert_int_equal(predict(m, &s, &avx2, &f, &err), 0);
            const struct pl_pool_footprint *p = &f.pool[0];
            uint64_t sum = 0;
            for (int k = 0; k < PL_PARTS; k++) {
                assert_true(p->part[k].low <= p->part[k].likely);
                assert_true(p->part[k].likely <= p->part[k].high);
                sum += p->part[k].likely;
            }
            assert_true(sum == p->steady.likely);
            assert_true(p->steady.low <= p->steady.likely && p->steady.likely <= p->steady.high);
            assert_true(p->steady.likely > before);
            assert_true(p->hold[PL_HOLD_ANON].likely + p->hold[PL_HOLD_FILE_HOT].likely ==
                        p->steady.likely);
            assert_true(p->peak.high >= p->steady.high);
            before = p->steady.likely;
        }
        (void)pl_model_free(m);
    }
}

static void an_unknown_cpu_does_not_change_the_total(void **state)
{
    (void)state;
    struct pl_model *m = model("llama-3.1-8b", "q4_k_m");
    struct pl_settings s;
    static struct pl_footprint known, unknown;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    assert_int_equal(predict(m, &s, &avx2, &known, &err), 0);
    assert_int_equal(predict(m, &s, NULL, &unknown, &err), 0);
    assert_true(known.pool[0].steady.likely == unknown.pool[0].steady.likely);
    assert_int_equal(unknown.pool[0].part[PL_PART_REPACK].source, PL_SOURCE_ASSUMED);
    assert_true(unknown.pool[0].part[PL_PART_REPACK].high > 0);
    (void)pl_model_free(m);
}

static void a_tied_embedding_may_be_copied_on_an_unknown_cpu(void **state)
{
    (void)state;
    struct pl_model *m = model("llama-3.2-1b", "q4_0");
    uint64_t at = 0;
    while (at + 1 < m->n_tensor && strcmp(m->tensor[at].name, "token_embd.weight") != 0)
        at++;
    struct pl_tensor *embd = &m->tensor[at];
    assert_string_equal(embd->name, "token_embd.weight");
    embd->type = 2; /* Q4_0: repacked on AVX2 */
    assert_true(pl_tensor_type_bytes(pl_tensor_type(2), embd->ne[0], embd->ne[1], &embd->bytes));
    struct pl_settings s;
    static struct pl_footprint known, unknown;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    assert_int_equal(predict(m, &s, &avx2, &known, &err), 0);
    assert_int_equal(predict(m, &s, NULL, &unknown, &err), 0);
    assert_true(known.pool[0].steady.likely - unknown.pool[0].steady.likely == embd->bytes);
    assert_true(unknown.pool[0].steady.high >= known.pool[0].steady.likely);
    assert_true(unknown.pool[0].part[PL_PART_REPACK].high ==
                known.pool[0].part[PL_PART_REPACK].likely);
    (void)pl_model_free(m);
}

/* Two devices: nothing is lost when layers move, the totals are the parts, all of it at -ngl 99. */
static void devices_get_pools_of_their_own(void **state)
{
    (void)state;
    struct pl_model *m = model("qwen3-0.6b", "q8_0");
    struct pl_settings s;
    static struct pl_footprint alone, f;
    struct pl_resolved r;
    struct pl_err err = {0};
    struct pl_used_devices two = {.n = 2};
    for (uint32_t i = 0; i < 2; i++) {
        (void)PL_FMT(two.one[i].pool, "gpu%u", i);
        (void)PL_FMT(two.one[i].name, "CUDA%u", i);
        two.one[i].backend = PL_BACKEND_CUDA;
        two.one[i].kind = PL_POOL_DEDICATED;
        two.one[i].alignment = 128;
        two.one[i].buffer_max = two.one[i].range_max = UINT64_MAX;
        two.one[i].free = pl_exact(8 * PL_GIB, PL_SOURCE_DECLARED, "test");
    }
    pl_llamacpp_defaults(&s);
    s.repack = false;
    s.n_ctx = 4096;
    assert_int_equal(predict(m, &s, &avx2, &alone, &err), 0);
    struct pl_llamacpp_host host = {.cpu = &avx2, .devices = &two};
    uint64_t embd = pl_model_tensor(m, "token_embd.weight")->bytes;
    for (int64_t ngl = -1; ngl <= 40; ngl++) {
        s.n_gpu_layers = ngl;
        assert_int_equal(pl_llamacpp_footprint(m, &s, &host, &f, &r, &err), 0);
        assert_int_equal(f.n_pool, 3);
        uint64_t kv = 0, weights = 0;
        for (uint32_t i = 0; i < f.n_pool; i++) {
            const struct pl_pool_footprint *p = &f.pool[i];
            uint64_t sum = 0;
            for (int k = 0; k < PL_PARTS; k++)
                sum += p->part[k].likely;
            assert_true(sum == p->steady.likely);
            assert_true(p->steady.low <= p->steady.likely && p->steady.likely <= p->steady.high);
            kv += p->part[PL_PART_KV].likely;
            weights += p->part[PL_PART_WEIGHTS].likely;
        }
        assert_true(kv == alone.pool[0].part[PL_PART_KV].likely);
        /* the tied embedding lies twice; alignment may add a little */
        uint64_t once = alone.pool[0].part[PL_PART_WEIGHTS].likely;
        assert_in_range(weights, once + (ngl == 0 ? 0 : embd), once + embd + 128 * m->n_tensor);
    }
    assert_true(r.n_gpu_layers == 29);
    assert_true(f.pool[0].part[PL_PART_WEIGHTS].likely == embd);
    assert_true(f.pool[0].part[PL_PART_KV].likely == 0);
    assert_string_equal(f.pool[2].pool, "gpu1");
    assert_true(f.pool[0].hold[PL_HOLD_FILE_COLD].high > 0);
    assert_true(f.pool[1].largest_allocation.likely >= f.pool[1].part[PL_PART_WEIGHTS].likely);
    (void)pl_model_free(m);
}

static void what_is_not_predicted_says_so(void **state)
{
    (void)state;
    struct pl_model *m = model("qwen3-0.6b", "q8_0");
    struct pl_settings s;
    struct pl_footprint f;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    s.moe_cache_mib = 64;
    assert_int_equal(predict(m, &s, &avx2, &f, &err), -EINVAL); /* no experts to keep */
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_non_null(strstr(err.what, "--moe-cache-mib"));
    s.moe_cache_mib = 0;
    m->arch = "mamba9";
    assert_int_equal(predict(m, &s, &avx2, &f, &err), -ENOTSUP);
    assert_int_equal(err.exit_code, PL_EXIT_CANNOT_TELL);
    assert_non_null(strstr(err.what, "mamba9"));
    assert_non_null(strstr(err.hint, "mamba"));
    (void)pl_model_free(m);
}

static int predict_with(const char *name, const char *new_name, uint64_t ne1, struct pl_quantity *q)
{
    struct pl_model *m = model("qwen3-0.6b", "q8_0");
    struct pl_settings s;
    struct pl_footprint f;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        if (!pl_streq(m->tensor[i].name, name))
            continue;
        m->tensor[i].name = new_name;
        m->tensor[i].ne[1] = ne1 > 0 ? ne1 : m->tensor[i].ne[1];
    }
    int rc = predict(m, &s, &avx2, &f, &err);
    assert_true(rc == 0 || err.what[0] != '\0');
    if (rc == 0 && q != NULL)
        *q = f.pool[0].part[PL_PART_COMPUTE];
    (void)pl_model_free(m);
    return rc;
}

static void the_tensors_must_be_those_of_the_graph(void **state)
{
    (void)state;
    static const char norm[] = "blk.3.attn_norm.weight", up[] = "blk.3.ffn_up.weight";
    struct pl_quantity q = {0};
    assert_int_equal(predict_with("none", "none", 0, &q), 0);
    assert_true(q.low == q.likely && q.likely == q.high);
    assert_int_equal(predict_with(up, up, 5, NULL), -EBADMSG);
    assert_int_equal(predict_with("token_embd.weight", "token_embd.weight", 7, NULL), -EBADMSG);
    assert_int_equal(predict_with(norm, "blk.28.attn_norm.weight", 0, NULL), -EBADMSG);
    /* no part of a graph that is followed: the compute buffer is an assumption */
    static const char *const foreign[] = {"blk.3.attn_qkv.weight", "blk.03.attn_norm.weight",
                                          "blk.3.ssm_in.weight"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        assert_int_equal(predict_with(norm, foreign[i], 0, &q), 0);
        assert_int_equal(q.source, PL_SOURCE_ASSUMED);
        assert_true(q.low < q.likely && q.likely < q.high);
    }
    /* gone from its layer, though another tensor has its place in the count of tensors */
    assert_int_equal(predict_with(norm, "rope_freqs.weight", 0, NULL), -EBADMSG);
}

static void the_compute_buffer_is_exact(void **state)
{
    (void)state;
    struct pl_model *m = model("smollm2-135m", "q4_k_m");
    struct pl_settings s;
    struct pl_footprint f;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    s.n_ctx = 4096;
    s.n_parallel = 1;
    /* reported by llama-server 0.7.0: 86.40 MiB */
    s.flash_attn = PL_OFF;
    s.type_k = 8;
    assert_int_equal(predict(m, &s, &avx2, &f, &err), 0);
    struct pl_quantity q = f.pool[0].part[PL_PART_COMPUTE];
    assert_true(q.low == q.high);
    assert_true((double)q.low > 86.395 * PL_MIB && (double)q.low < 86.405 * PL_MIB);
    (void)pl_model_free(m);
}

static void locked_pages_are_charged(void **state)
{
    (void)state;
    struct pl_model *m = model("qwen3-0.6b", "q4_k_m");
    struct pl_settings s;
    static struct pl_footprint mapped, locked;
    struct pl_err err = {0};
    pl_llamacpp_defaults(&s);
    assert_int_equal(predict(m, &s, &avx2, &mapped, &err), 0);
    s.load_mode = PL_LOAD_MMAP_MLOCK;
    assert_int_equal(predict(m, &s, &avx2, &locked, &err), 0);
    const struct pl_pool_footprint *a = &mapped.pool[0], *b = &locked.pool[0];
    assert_true(a->hold[PL_HOLD_FILE_COLD].likely > 0);
    assert_true(b->hold[PL_HOLD_FILE_COLD].likely == 0);
    assert_true(b->steady.likely == a->steady.likely + a->hold[PL_HOLD_FILE_COLD].likely);
    assert_true(b->hold[PL_HOLD_LOCKED].likely == pl_model_tensor_bytes(m));
    s.load_mode = PL_LOAD_MLOCK; /* read into buffers: only those used as they lie are locked */
    assert_int_equal(predict(m, &s, &avx2, &locked, &err), 0);
    assert_true(b->hold[PL_HOLD_LOCKED].likely == a->part[PL_PART_WEIGHTS].likely);
    (void)pl_model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repacking_follows_type_rows_and_cpu),
        cmocka_unit_test(qwen3_8b_by_hand),
        cmocka_unit_test(parts_add_up_and_grow),
        cmocka_unit_test(an_unknown_cpu_does_not_change_the_total),
        cmocka_unit_test(a_tied_embedding_may_be_copied_on_an_unknown_cpu),
        cmocka_unit_test(devices_get_pools_of_their_own),
        cmocka_unit_test(what_is_not_predicted_says_so),
        cmocka_unit_test(the_tensors_must_be_those_of_the_graph),
        cmocka_unit_test(the_compute_buffer_is_exact),
        cmocka_unit_test(locked_pages_are_charged),
    };
    return cmocka_run_group_tests_name("llamacpp_footprint", tests, NULL, NULL);
}
