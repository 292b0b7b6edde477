#include "test.h"

#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/catalogue.h"
#include "model/mix.h"
#include "model/outline.h"
#include "model/quants.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bytes_of(const struct pl_catalogue_row *row, const char *quant)
{
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    if (pl_catalogue_model(row, quant, &m, &err) < 0)
        fail_msg("%s", err.what);
    uint64_t n = pl_model_tensor_bytes(m);
    (void)pl_model_free(m);
    return n;
}

/* Sums that llama-bench printed for real files (model_size), and tensor bytes of published files.
 */
static void published_sums(void **state)
{
    static const struct {
        const char *id, *quant;
        uint64_t bytes;
    } known[] = {
        {"llama-3.2-1b",  "Q4_K_M", 799862912  },
        {"llama-3.1-8b",  "Q4_K_M", 4912898304 },
        {"llama-3.3-70b", "Q4_K_M", 42512531712},
        {"qwen3-32b",     "Q8_0",   34811744256},
        {"qwen2.5-7b",    "Q4_K_M", 4677120000 },
        {"qwen2.5-7b",    "Q3_K_M", 3802437632 },
        {"qwen3-8b",      "Q4_K_M", 5021827072 },
        {"qwen3-4b",      "Q4_K_M", 2491323904 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct pl_catalogue_row *row = pl_catalogue_find(known[i].id);
        assert_non_null(row);
        if (bytes_of(row, known[i].quant) != known[i].bytes)
            fail_msg("%s %s: %" PRIu64 ", published %" PRIu64, known[i].id, known[i].quant,
                     bytes_of(row, known[i].quant), known[i].bytes);
    }
}

/* Llama 2 7B has as many KV heads as heads, which the catalogue's models have not. */
static void ungrouped_heads(void **state)
{
    (void)state;
    struct pl_catalogue_row row = *pl_catalogue_find("llama-3.1-8b");
    row.n_head_kv = 32;
    row.n_ff = 11008;
    row.n_vocab = 32000;
    row.rope_freqs = 0;
    row.tokenizer = "mistral-v3";
    assert_true(bytes_of(&row, "q4_0") == 3825065984);
    assert_true(bytes_of(&row, "q4_k_m") == 4080263168);
}

/* Every mix of Llama 3.1 8B against the table in data/quants.tsv, which agrees with the bits per
 * weight published in llama.cpp's tools/quantize/README.md to all four decimals. */
static void every_mix(void **state)
{
    char path[512], line[2048];
    const char *source = getenv("PLIMSOLL_SOURCE");
    const struct pl_catalogue_row *row = pl_catalogue_find("llama-3.1-8b");
    unsigned n = 0;
    (void)state;
    (void)PL_FMT(path, "%s/data/quants.tsv", source != NULL ? source : ".");
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        char *column[10], *at = line;
        for (int i = 0; i < 10; i++) {
            column[i] = at;
            at += strcspn(at, "\t");
            *at++ = '\0';
        }
        uint64_t want = 0;
        if (!pl_streq(column[1], "mix") || !pl_parse_u64(column[9], &want))
            continue;
        uint64_t got = bytes_of(row, column[0]);
        if (got != want)
            fail_msg("%s: %" PRIu64 ", published %" PRIu64, column[0], got, want);
        n++;
    }
    (void)fclose(f);
    assert_true(n >= 36);
}

/* Rows that are not whole blocks of 256 (Qwen2.5 0.5B: 896, SmolLM2 135M: 576) fall back. */
static void fallbacks(void **state)
{
    (void)state;
    struct pl_model *m = NULL;
    assert_int_equal(pl_catalogue_model(pl_catalogue_find("qwen2.5-0.5b"), "q4_k_m", &m, NULL), 0);
    assert_string_equal(pl_tensor_type(pl_model_tensor(m, "token_embd.weight")->type)->name,
                        "Q8_0");
    assert_string_equal(pl_tensor_type(pl_model_tensor(m, "blk.1.attn_q.weight")->type)->name,
                        "Q5_0");
    assert_string_equal(pl_tensor_type(pl_model_tensor(m, "blk.0.attn_v.weight")->type)->name,
                        "Q8_0");
    assert_string_equal(pl_tensor_type(pl_model_tensor(m, "blk.0.ffn_down.weight")->type)->name,
                        "Q6_K");
    assert_string_equal(pl_tensor_type(pl_model_tensor(m, "blk.0.attn_q.bias")->type)->name, "F32");
    (void)pl_model_free(m);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(pl_mix_named("q4_k_m")->name, "Q4_K_M");
    assert_string_equal(pl_mix_named("Q4-K-m")->name, "Q4_K_M");
    assert_string_equal(pl_mix_named("q4_k")->name, "Q4_K_M");
    assert_string_equal(pl_mix_named("fp16")->name, "F16");
    assert_null(pl_mix_named("q4_k_x"));
    assert_null(pl_mix_named(""));
    assert_null(pl_mix_named("a name that is far longer than any mix has ever been"));
    assert_non_null(pl_mix_nearest("q4_k_x"));
}

/* The order of the list must not matter, and bad lists must fail cleanly. */
static void order_and_limits(void **state)
{
    (void)state;
    const struct pl_mix *mix = pl_mix_named("q4_k_m");
    const struct pl_mix_facts facts = {"llama", 16, 32, 8, 0, false};
    struct pl_tensor t[16];
    char name[16][32];
    for (unsigned i = 0; i < 16; i++) {
        (void)PL_FMT(name[i], "blk.%u.ffn_down.weight", 15 - i);
        t[i] = (struct pl_tensor){
            .name = name[i], .n_dims = 2, .ne = {256, 4, 1, 1}
        };
    }
    assert_int_equal(pl_mix_apply(mix, &facts, t, 16, NULL), 0);
    assert_int_equal(t[15].type, 14); /* block 0 */
    assert_int_equal(t[13].type, 12); /* block 2 */
    assert_int_equal(t[11].type, 14); /* block 4: (4 - 2) % 3 == 2 */
    assert_int_equal(t[0].type, 14);  /* block 15 */

    struct pl_err err = {0};
    t[0].ne[1] = UINT64_MAX;
    assert_int_equal(pl_mix_apply(mix, &facts, t, 16, &err), -ERANGE);
    t[0].ne[1] = 1;
    t[0].ne[0] = 33;
    t[0].ne[1] = 4;
    assert_int_equal(pl_mix_apply(mix, &facts, t, 16, &err), 0);
    assert_int_equal(t[0].type, 1); /* F16: no block fits 33 */
    assert_int_equal(pl_mix_apply(pl_mix_named("q8_0"), &facts, t, 16, &err), -EINVAL);
    assert_int_equal(pl_mix_apply(mix, &facts, t, UINT64_MAX, &err), -E2BIG);
    assert_int_equal(pl_mix_apply(mix, &facts, t, 0, &err), 0);
}

/* The sums over an outline are those of the tensors one by one: another walk, in another order. */
static void outlines_agree(void **state)
{
    size_t n_row = 0, n_mix = 0, compared = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    const struct pl_mix *mix = pl_mixes(&n_mix);
    (void)state;
    for (size_t i = 0; i < n_row; i++) {
        struct pl_model *m = NULL;
        const struct pl_outline *o = NULL;
        struct pl_mix_facts facts;
        if (pl_catalogue_outline(&row[i], &m, &o, &facts, NULL) < 0)
            continue;
        for (size_t k = i % 5; k < n_mix; k += 5) { /* each mix meets a fifth of the rows */
            struct pl_model *slow = NULL;
            uint64_t sum = 0, own = 0;
            facts.imatrix = mix[k].imatrix;
            int rc = pl_outline_bytes(o, &mix[k], &facts, &sum, NULL);
            assert_int_equal(rc, pl_catalogue_model(&row[i], mix[k].name, &slow, NULL));
            if (rc < 0)
                continue;
            compared++;
            if (sum != pl_model_tensor_bytes(slow))
                fail_msg("%s %s: %" PRIu64 ", not %" PRIu64, row[i].id, mix[k].name, sum,
                         pl_model_tensor_bytes(slow));
            /* and what a header alone says of itself in another mix */
            assert_int_equal(pl_quant_model_bytes(&mix[k], slow, &own, NULL), 0);
            assert_int_equal(own, sum);
            (void)pl_model_free(slow);
        }
        (void)pl_model_free(m);
    }
    assert_true(compared > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_sums), cmocka_unit_test(ungrouped_heads),
        cmocka_unit_test(every_mix),      cmocka_unit_test(fallbacks),
        cmocka_unit_test(names),          cmocka_unit_test(order_and_limits),
        cmocka_unit_test(outlines_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
