#include "gguf_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_make_start(struct pl_make *g, bool big)
{
    *g = (struct pl_make){.data = malloc(PL_MAKE_MAX), .big = big};
    if (g->data == NULL)
        abort();
}

void pl_make_done(struct pl_make *g)
{
    free(g->data);
    g->data = NULL;
}

void pl_make_raw(struct pl_make *g, const void *bytes, size_t n)
{
    if (n > PL_MAKE_MAX - g->n)
        abort();
    memcpy(g->data + g->n, bytes, n);
    g->n += n;
}

void pl_make_int(struct pl_make *g, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++) {
        size_t shift = 8 * (g->big ? size - 1 - i : i);
        uint8_t byte = (uint8_t)((value >> shift) & 0xff);
        pl_make_raw(g, &byte, 1);
    }
}

void pl_make_str(struct pl_make *g, const char *s)
{
    pl_make_int(g, 8, strlen(s));
    pl_make_raw(g, s, strlen(s));
}

void pl_make_zeros(struct pl_make *g, size_t n)
{
    for (; n > 0; n--)
        pl_make_raw(g, "", 1);
}

void pl_make_pad(struct pl_make *g, size_t unit)
{
    pl_make_zeros(g, (unit - g->n % unit) % unit);
}

void pl_make_head(struct pl_make *g, uint32_t version, uint64_t tensors, uint64_t keys)
{
    pl_make_raw(g, "GGUF", 4);
    pl_make_int(g, 4, version);
    pl_make_int(g, 8, tensors);
    pl_make_int(g, 8, keys);
}

void pl_make_key(struct pl_make *g, const char *key, enum pl_kv_type type)
{
    pl_make_str(g, key);
    pl_make_int(g, 4, type);
}

void pl_make_key_str(struct pl_make *g, const char *key, const char *value)
{
    pl_make_key(g, key, PL_KV_STR);
    pl_make_str(g, value);
}

void pl_make_key_int(struct pl_make *g, const char *key, enum pl_kv_type type, uint64_t value)
{
    static const uint8_t sizes[PL_KV_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    pl_make_key(g, key, type);
    pl_make_int(g, sizes[type], value);
}

void pl_make_key_array(struct pl_make *g, const char *key, enum pl_kv_type element, uint64_t n)
{
    pl_make_key(g, key, PL_KV_ARRAY);
    pl_make_int(g, 4, element);
    pl_make_int(g, 8, n);
}

void pl_make_tensor(struct pl_make *g, const char *name, uint64_t ne0, uint64_t ne1, uint32_t type,
                    uint64_t offset)
{
    pl_make_str(g, name);
    pl_make_int(g, 4, ne1 == 0 ? 1 : 2);
    pl_make_int(g, 8, ne0);
    if (ne1 != 0)
        pl_make_int(g, 8, ne1);
    pl_make_int(g, 4, type);
    pl_make_int(g, 8, offset);
}

#define PL_TINY_KEYS 13u

static void pl_make_tiny_keys(struct pl_make *g)
{
    static const char *const tokens[] = {"<s>", "</s>", "a", "b", "c", "d", "e", "f"};
    pl_make_key_str(g, "general.architecture", "llama");
    pl_make_key_str(g, "general.name", "tiny");
    pl_make_key_int(g, "general.file_type", PL_KV_U32, 0);
    pl_make_key_int(g, "llama.context_length", PL_KV_U32, 64);
    pl_make_key_int(g, "llama.embedding_length", PL_KV_U32, 8);
    pl_make_key_int(g, "llama.block_count", PL_KV_U32, 1);
    pl_make_key_int(g, "llama.attention.head_count", PL_KV_U32, 2);
    pl_make_key_array(g, "llama.attention.head_count_kv", PL_KV_I32, 1);
    pl_make_int(g, 4, 1);
    pl_make_key_int(g, "llama.attention.layer_norm_rms_epsilon", PL_KV_F32, 0x3727c5ac);
    pl_make_key_int(g, "tokenizer.ggml.add_bos_token", PL_KV_BOOL, 1);
    pl_make_key_str(g, "tokenizer.ggml.model", "llama");
    pl_make_key_array(g, "tokenizer.ggml.tokens", PL_KV_STR, 8);
    for (int i = 0; i < 8; i++)
        pl_make_str(g, tokens[i]);
    pl_make_key_str(g, "tokenizer.chat_template", "{{ messages }}");
}

void pl_make_tiny(struct pl_make *g, uint32_t version, bool big, struct pl_make_marks *ret)
{
    struct pl_make_marks marks;
    pl_make_start(g, big);
    pl_make_head(g, version, 4, PL_TINY_KEYS);
    marks.keys = g->n;
    pl_make_tiny_keys(g);
    marks.tensors = g->n;
    pl_make_tensor(g, "token_embd.weight", 8, 8, 0, 0);
    pl_make_tensor(g, "blk.0.attn_q.weight", 8, 8, 0, 256);
    pl_make_tensor(g, "output_norm.weight", 8, 0, 0, 512);
    pl_make_tensor(g, "output.weight", 8, 8, 0, 544);
    pl_make_pad(g, 32);
    marks.data = g->n;
    pl_make_zeros(g, 800);
    marks.end = g->n;
    if (ret != NULL)
        *ret = marks;
}

void pl_make_part(struct pl_make *g, uint64_t no, uint64_t count)
{
    char name[40];
    pl_make_start(g, false);
    pl_make_head(g, 3, 1, 3 + (no == 0 ? PL_TINY_KEYS : 0));
    pl_make_key_int(g, "split.no", PL_KV_U16, no);
    pl_make_key_int(g, "split.count", PL_KV_U16, count);
    pl_make_key_int(g, "split.tensors.count", PL_KV_I32, count);
    if (no == 0)
        pl_make_tiny_keys(g);
    (void)snprintf(name, sizeof(name), no == 0 ? "token_embd.weight" : "blk.%u.attn_q.weight",
                   (unsigned)(no - 1));
    pl_make_tensor(g, name, 8, 8, 0, 0);
    pl_make_pad(g, 32);
    pl_make_zeros(g, 256);
}

bool pl_make_save(const struct pl_make *g, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return false;
    bool ok = fwrite(g->data, 1, g->n, f) == g->n;
    return fclose(f) == 0 && ok;
}
