/* Writes the hand-made inputs of the corpora: gen_corpus FOLDER. Right files of every kind, and one
 * per way to be wrong. */
#include "base/str.h"
#include "gguf_make.h"
#include "model/gguf.h"

#include <stdio.h>
#include <string.h>

static const char *pl_folder;
static int pl_failed;

/* Saves and frees. */
static void pl_put(struct pl_make *g, const char *name)
{
    char path[1024];
    (void)PL_FMT(path, "%s/gguf/%s", pl_folder, name);
    if (!pl_make_save(g, path)) {
        perror(path);
        pl_failed = 1;
    }
    pl_make_done(g);
}

static void pl_gen_whole(void)
{
    struct pl_make g;
    pl_make_tiny(&g, 3, false, NULL);
    pl_put(&g, "tiny-v3.gguf");
    pl_make_tiny(&g, 2, false, NULL);
    pl_put(&g, "tiny-v2.gguf");
    pl_make_tiny(&g, 3, true, NULL);
    pl_put(&g, "tiny-big-endian.gguf");
    pl_make_tiny(&g, 1, false, NULL);
    pl_put(&g, "version-1.gguf");
    pl_make_tiny(&g, 9, false, NULL);
    pl_put(&g, "version-9.gguf");
    pl_make_tiny(&g, 3, false, NULL);
    pl_make_zeros(&g, 100);
    pl_put(&g, "trailing.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 0);
    pl_put(&g, "nothing.gguf");
}

static void pl_gen_cut(void)
{
    struct pl_make_marks marks;
    struct pl_make g;
    pl_make_tiny(&g, 3, false, &marks);
    const struct {
        const char *name;
        size_t n;
    } cuts[] = {
        {"cut-empty.gguf",   0                 },
        {"cut-magic.gguf",   3                 },
        {"cut-head.gguf",    20                },
        {"cut-key.gguf",     marks.keys + 20   },
        {"cut-keys.gguf",    marks.tensors - 40},
        {"cut-tensor.gguf",  marks.tensors + 50},
        {"cut-padding.gguf", marks.data - 1    },
        {"cut-data.gguf",    marks.end - 1     },
    };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct pl_make copy;
        pl_make_start(&copy, false);
        pl_make_raw(&copy, g.data, cuts[i].n);
        pl_put(&copy, cuts[i].name);
    }
    pl_make_done(&g);
}

static void pl_gen_keys(void)
{
    struct pl_make g;
    static const struct {
        const char *name;
        uint64_t tensors, keys;
    } counts[] = {
        {"huge-keys.gguf",    0,          UINT64_MAX},
        {"huge-tensors.gguf", 1ull << 40, 0         },
        {"huge-both.gguf",    1ull << 63, 1ull << 63},
    };
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        pl_make_start(&g, false);
        pl_make_head(&g, 3, counts[i].tensors, counts[i].keys);
        pl_make_zeros(&g, 64);
        pl_put(&g, counts[i].name);
    }
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_array(&g, "a", PL_KV_STR, 1ull << 61);
    pl_make_zeros(&g, 64);
    pl_put(&g, "huge-array.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_array(&g, "a", PL_KV_ARRAY, 2);
    pl_make_zeros(&g, 64);
    pl_put(&g, "nested-array.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key(&g, "a", PL_KV_STR);
    pl_make_int(&g, 8, UINT64_MAX - 7);
    pl_put(&g, "huge-string.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 2);
    pl_make_key_int(&g, "a", PL_KV_U64, 1);
    pl_make_key_int(&g, "a", PL_KV_U64, 2);
    pl_put(&g, "twin-keys.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 1);
    pl_make_key_int(&g, "general.alignment", PL_KV_U32, 24);
    pl_put(&g, "odd-alignment.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 2);
    pl_make_key_str(&g, "general.name", "\033[2J\xff\xc2\x9b\xe2\x80\xaename\nline");
    pl_make_key_str(&g, "\033]0;key\007", "\r\xed\xa0\x80value");
    pl_put(&g, "hostile-text.gguf");
}

static void pl_gen_values(void)
{
    struct pl_make g;
    char key[8] = "k.";
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 0, 13 + 11);
    for (int t = 0; t < PL_KV_TYPES; t++) {
        key[1] = (char)('a' + t);
        if (t == PL_KV_STR)
            pl_make_key_str(&g, key, "text");
        else if (t == PL_KV_ARRAY)
            pl_make_key_array(&g, key, PL_KV_STR, 0);
        else
            pl_make_key_int(&g, key, (enum pl_kv_type)t, 0x8182838485868788);
    }
    for (int t = 0; t < PL_KV_TYPES; t++) {
        static const uint8_t sizes[PL_KV_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
        key[1] = (char)('A' + t);
        if (sizes[t] == 0)
            continue;
        pl_make_key_array(&g, key, (enum pl_kv_type)t, 3);
        for (uint64_t i = 0; i < 3; i++)
            pl_make_int(&g, sizes[t], 0x8182838485868788 + i);
    }
    pl_put(&g, "every-value.gguf");
}

static void pl_gen_one_tensor(const char *file, uint32_t dims, const uint64_t ne[5], uint32_t type,
                              uint64_t offset)
{
    struct pl_make g;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 1, 0);
    pl_make_str(&g, "t");
    pl_make_int(&g, 4, dims);
    for (uint32_t i = 0; i < dims && i < 5; i++)
        pl_make_int(&g, 8, ne[i]);
    pl_make_int(&g, 4, type);
    pl_make_int(&g, 8, offset);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 256);
    pl_put(&g, file);
}

static void pl_gen_tensors(void)
{
    struct pl_make g;
    pl_gen_one_tensor("dims-5.gguf", 5, (const uint64_t[5]){1, 1, 1, 1, 1}, 0, 0);
    pl_gen_one_tensor("dims-0.gguf", 0, (const uint64_t[5]){0}, 0, 0);
    pl_gen_one_tensor("dim-zero.gguf", 2, (const uint64_t[5]){0, 4}, 0, 0);
    pl_gen_one_tensor("dim-product.gguf", 3, (const uint64_t[5]){1ull << 31, 1ull << 31, 8}, 0, 0);
    pl_gen_one_tensor("dim-bytes.gguf", 2, (const uint64_t[5]){1ull << 31, 1ull << 31}, 28, 0);
    pl_gen_one_tensor("type-unknown.gguf", 1, (const uint64_t[5]){32}, 1000, 0);
    pl_gen_one_tensor("type-removed.gguf", 1, (const uint64_t[5]){32}, 31, 0);
    pl_gen_one_tensor("row-blocks.gguf", 1, (const uint64_t[5]){33}, 2, 0);
    pl_gen_one_tensor("offset-odd.gguf", 1, (const uint64_t[5]){32}, 0, 4);
    pl_gen_one_tensor("offset-far.gguf", 1, (const uint64_t[5]){32}, 0, 1ull << 50);
    pl_gen_one_tensor("offset-wrap.gguf", 1, (const uint64_t[5]){32}, 0, UINT64_MAX - 31);
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 2, 0);
    pl_make_tensor(&g, "a", 16, 0, 0, 0);
    pl_make_tensor(&g, "b", 16, 0, 0, 32);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 128);
    pl_put(&g, "overlap.gguf");
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 2, 0);
    pl_make_tensor(&g, "a", 8, 0, 0, 0);
    pl_make_tensor(&g, "a", 8, 0, 0, 32);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 64);
    pl_put(&g, "twin-tensors.gguf");
}

/* A mixture of experts with everything that describe looks at, quantised. */
static void pl_gen_experts(void)
{
    struct pl_make g;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, 3, 11);
    pl_make_key_str(&g, "general.architecture", "qwen3moe");
    pl_make_key_int(&g, "general.file_type", PL_KV_U32, 15);
    pl_make_key_int(&g, "qwen3moe.block_count", PL_KV_U32, 3);
    pl_make_key_int(&g, "qwen3moe.expert_count", PL_KV_U32, 4);
    pl_make_key_int(&g, "qwen3moe.expert_used_count", PL_KV_U32, 2);
    pl_make_key_int(&g, "qwen3moe.embedding_length", PL_KV_U32, 32);
    pl_make_key_array(&g, "qwen3moe.attention.head_count", PL_KV_U32, 3);
    pl_make_int(&g, 4, 5);
    pl_make_int(&g, 4, 0);
    pl_make_int(&g, 4, 4);
    pl_make_key_int(&g, "qwen3moe.attention.head_count_kv", PL_KV_U32, 2);
    pl_make_key_int(&g, "qwen3moe.rope.dimension_count", PL_KV_U32, 63);
    pl_make_key_str(&g, "tokenizer.ggml.model", "gpt2");
    pl_make_key_str(&g, "tokenizer.chat_template.tool_use", "x");
    pl_make_tensor(&g, "token_embd.weight", 32, 4, 8, 0);
    pl_make_tensor(&g, "blk.2.ffn_up_exps.weight", 32, 4, 2, 160);
    pl_make_tensor(&g, "blk.0.attn_q.weight", 32, 1, 8, 256);
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, 290);
    pl_put(&g, "experts.gguf");
}

static void pl_gen_split(const char *name, const uint64_t no[3], uint64_t count)
{
    struct pl_make g, part[3];
    pl_make_start(&g, false);
    pl_make_raw(&g, "PLSP\003", 5);
    for (int i = 0; i < 3; i++) {
        pl_make_part(&part[i], no[i], count);
        pl_make_int(&g, 4, part[i].n);
    }
    for (int i = 0; i < 3; i++) {
        pl_make_raw(&g, part[i].data, part[i].n);
        pl_make_done(&part[i]);
    }
    pl_put(&g, name);
}

static void pl_gen_foreign(void)
{
    struct pl_make g;
    pl_make_part(&g, 1, 3);
    pl_put(&g, "split-lonely.gguf");
    pl_make_start(&g, false);
    pl_make_raw(&g, "<!DOCTYPE html><html>404", 24);
    pl_put(&g, "foreign.html");
    pl_make_start(&g, false);
    pl_make_raw(&g, "\x40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F16\"}}", 31);
    pl_put(&g, "foreign.safetensors");
}

/* One layer of a dense decoder, with what moves the estimate. */
static void pl_gen_dense(const char *arch, const char *name, uint64_t head_k, uint64_t layers)
{
    static const char *const suffixes[] = {
        "block_count",          "embedding_length",        "feed_forward_length",
        "attention.head_count", "attention.head_count_kv", "attention.key_length",
        "context_length"};
    const uint64_t values[] = {layers, 32, 96, 2, 1, head_k, 4096};
    const uint64_t q = 2 * head_k, v = 16;
    const struct {
        const char *name;
        uint64_t ne0, ne1;
        uint32_t type;
    } tensors[] = {
        {"token_embd.weight",        32,     8,      0},
        {"output_norm.weight",       32,     0,      0},
        {"blk.0.attn_norm.weight",   32,     0,      0},
        {"blk.0.attn_q.weight",      32,     q,      8},
        {"blk.0.attn_k.weight",      32,     head_k, 2},
        {"blk.0.attn_v.weight",      32,     v,      8},
        {"blk.0.attn_output.weight", q,      32,     8},
        {"blk.0.ffn_norm.weight",    32,     0,      0},
        {"blk.0.ffn_gate.weight",    32,     96,     2},
        {"blk.0.ffn_up.weight",      32,     96,     2},
        {"blk.0.ffn_down.weight",    96,     32,     2},
        {"blk.0.attn_q_norm.weight", head_k, 0,      0},
        {"blk.0.attn_k_norm.weight", head_k, 0,      0},
    };
    const size_t n_tensor =
        sizeof(tensors) / sizeof(tensors[0]) - (strcmp(arch, "qwen3") == 0 ? 0 : 2);
    struct pl_make g;
    char key[64];
    uint64_t at = 0;
    pl_make_start(&g, false);
    pl_make_head(&g, 3, n_tensor, 2 + sizeof(values) / sizeof(values[0]));
    pl_make_key_str(&g, "general.architecture", arch);
    pl_make_key_int(&g, "general.alignment", PL_KV_U32, 32);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        (void)PL_FMT(key, "%s.%s", arch, suffixes[i]);
        pl_make_key_int(&g, key, PL_KV_U32, values[i]);
    }
    for (size_t i = 0; i < n_tensor; i++) {
        uint64_t n = tensors[i].ne0 * (tensors[i].ne1 > 0 ? tensors[i].ne1 : 1);
        uint64_t bytes = tensors[i].type == 0   ? n * 4
                         : tensors[i].type == 8 ? n / 32 * 34
                                                : n / 32 * 18;
        pl_make_tensor(&g, tensors[i].name, tensors[i].ne0, tensors[i].ne1, tensors[i].type, at);
        at += (bytes + 31) / 32 * 32;
    }
    pl_make_pad(&g, 32);
    pl_make_zeros(&g, at);
    (void)PL_FMT(key, "../estimate/%s", name);
    pl_put(&g, key);
}

static void pl_gen_estimate(void)
{
    pl_gen_dense("llama", "llama.gguf", 16, 1);
    pl_gen_dense("qwen2", "qwen2.gguf", 32, 1);
    pl_gen_dense("qwen3", "qwen3.gguf", 16, 1);
    pl_gen_dense("mistral3", "mistral3.gguf", 16, 1);
    pl_gen_dense("qwen3", "layer-missing.gguf", 16, 2);
    pl_gen_dense("llama", "heads-odd.gguf", 48, 1);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: gen_corpus FOLDER\n");
        return 2;
    }
    pl_folder = argv[1];
    pl_gen_whole();
    pl_gen_cut();
    pl_gen_keys();
    pl_gen_values();
    pl_gen_tensors();
    pl_gen_experts();
    pl_gen_split("split.parts", (const uint64_t[3]){0, 1, 2}, 3);
    pl_gen_split("split-cycle.parts", (const uint64_t[3]){0, 0, 2}, 3);
    pl_gen_split("split-count.parts", (const uint64_t[3]){0, 1, 2}, 4);
    pl_gen_foreign();
    pl_gen_estimate();
    return pl_failed;
}
