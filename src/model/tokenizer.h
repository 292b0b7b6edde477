/* A synthetic tokenizer: the number of tokens and merges, and the lengths of their texts, of a real
 * one, so that an engine spends the same memory on it, with made-up content. Every byte has its
 * token, so any text can be tokenised (one token per byte); the rest are fillers that no text
 * produces. */
#ifndef PL_MODEL_TOKENIZER_H
#define PL_MODEL_TOKENIZER_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* llama.h, enum llama_token_type. */
enum pl_token_type {
    PL_TOKEN_NORMAL = 1,
    PL_TOKEN_UNKNOWN = 2,
    PL_TOKEN_CONTROL = 3,
    PL_TOKEN_BYTE = 6,
};

#define PL_TOKEN_TEXT_MAX 64 /* longest made-up text, with NUL */

struct pl_tokenizer {
    bool spm; /* SentencePiece ("llama"), else byte-level BPE ("gpt2") */
    uint64_t n_token, token_bytes;
    uint64_t n_merge, merge_bytes;
    uint64_t bos, eos;
    /* while walking */
    uint64_t next, byte, filler, n_filler, filler_bytes;
};

/* One line of data/tokenizers.tsv: what is known of a real one. */
struct pl_tokenizer_row {
    const char *id, *model, *pre;
    uint64_t n_merges;
    uint64_t kv_bytes; /* length of the whole key section of a published file */
    uint64_t bos, eos, add_bos;
    const char *source;
};
const struct pl_tokenizer_row *pl_tokenizer_row(const char *id); /* NULL when unknown */

/* Takes spm, n_token, token_bytes (0 = choose), n_merge, merge_bytes (0 = choose), bos, eos and
 * prepares the walk; chosen lengths are written back. -EINVAL when such texts cannot be made (too
 * short to be unlike each other, or too long). */
int pl_tokenizer_start(struct pl_tokenizer *t, struct pl_err *err);

/* The next token, in order of id, n_token times: its text, length and type. */
uint64_t pl_tokenizer_token(struct pl_tokenizer *t, char out[PL_TOKEN_TEXT_MAX],
                            enum pl_token_type *ret_type);

/* Merge i: its text and length. It joins two texts that never stand beside each other. */
uint64_t pl_tokenizer_merge(const struct pl_tokenizer *t, uint64_t i, char out[PL_TOKEN_TEXT_MAX]);

/* The smallest chat template llama.cpp's engine renders. */
extern const char pl_tokenizer_chat[];

#endif
