#include "model/tokenizer.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

/* Generated from data/tokenizers.tsv; see tools/gen-data. */
static const struct pl_tokenizer_row pl_tokenizer_rows[] = {
#include "tokenizers.inc"
};

const char pl_tokenizer_chat[] =
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";

#define PL_BYTES 256u
#define PL_SERIAL 5u            /* a letter and four digits to base 36: room for 1.6 million */
#define PL_FILLER_MIN 6u        /* shortest filler */
#define PL_MERGE_MIN 8u         /* a serial, a space, and what follows it */
#define PL_TEXT_DEFAULT 9u      /* the mean of Qwen's and Llama's vocabularies, in bytes */
#define PL_SERIALS_MAX 1679616u /* 36^4 */

const struct pl_tokenizer_row *pl_tokenizer_row(const char *id)
{
    for (size_t i = 0; i < sizeof(pl_tokenizer_rows) / sizeof(pl_tokenizer_rows[0]); i++) {
        if (pl_streq(pl_tokenizer_rows[i].id, id))
            return &pl_tokenizer_rows[i];
    }
    return NULL;
}

/* GPT-2 writes a byte that is no printable Latin-1 character as the next free one from U+0100
 * (openai/gpt-2, src/encoder.py, bytes_to_unicode). */
static bool pl_byte_plain(uint32_t b)
{
    return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
}

static uint64_t pl_byte_bpe(uint32_t b, char out[PL_TOKEN_TEXT_MAX])
{
    uint32_t point = b;
    if (!pl_byte_plain(b)) {
        point = PL_BYTES;
        for (uint32_t k = 0; k < b; k++)
            point += pl_byte_plain(k) ? 0 : 1;
    }
    if (point < 0x80) {
        out[0] = (char)point;
        out[1] = '\0';
        return 1;
    }
    out[0] = (char)(0xC0 | (point >> 6));
    out[1] = (char)(0x80 | (point & 0x3F));
    out[2] = '\0';
    return 2;
}

/* Bytes in the order they get tokens: printable ASCII first, so that even a tiny vocabulary can
 * spell words. */
static uint32_t pl_byte_at(uint64_t i)
{
    if (i < 95)
        return (uint32_t)(32 + i);
    if (i == 95)
        return '\n';
    i -= 96;
    for (uint32_t b = 0; b < PL_BYTES; b++) {
        if ((b >= 32 && b <= 126) || b == '\n')
            continue;
        if (i == 0)
            return b;
        i--;
    }
    return 0;
}

static uint64_t pl_byte_text(const struct pl_tokenizer *t, uint64_t i, char out[PL_TOKEN_TEXT_MAX])
{
    uint32_t b = pl_byte_at(i);
    if (!t->spm)
        return pl_byte_bpe(b, out);
    (void)pl_fmt(out, PL_TOKEN_TEXT_MAX, "<0x%02X>", b);
    return strlen(out);
}

/* The text of a special id, or NULL. */
static const char *pl_special(const struct pl_tokenizer *t, uint64_t id, enum pl_token_type *type)
{
    *type = PL_TOKEN_CONTROL;
    if (id == t->eos)
        return t->spm ? "</s>" : "<|im_end|>";
    if (id == t->bos)
        return t->spm ? "<s>" : "<|im_start|>";
    if (t->spm && id == 0) {
        *type = PL_TOKEN_UNKNOWN;
        return "<unk>";
    }
    return NULL;
}

static uint64_t pl_serial(char letter, uint64_t n, char out[PL_TOKEN_TEXT_MAX])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    out[0] = letter;
    for (uint64_t k = PL_SERIAL - 1; k > 0; k--) {
        out[k] = digits[n % 36];
        n /= 36;
    }
    out[PL_SERIAL] = '\0';
    return PL_SERIAL;
}

/* Length of text i of n that together have `bytes`: as even as whole numbers allow. */
static uint64_t pl_share(uint64_t bytes, uint64_t n, uint64_t i)
{
    return bytes * (i + 1) / n - bytes * i / n;
}

static int pl_tokenizer_lengths(struct pl_tokenizer *t, uint64_t fixed, struct pl_err *err)
{
    if (t->token_bytes == 0)
        t->token_bytes = fixed + t->n_filler * PL_TEXT_DEFAULT;
    if (t->merge_bytes == 0)
        t->merge_bytes = t->n_merge * (PL_TEXT_DEFAULT + 1);
    if (t->token_bytes < fixed + t->n_filler * PL_FILLER_MIN ||
        t->token_bytes - fixed > t->n_filler * (PL_TOKEN_TEXT_MAX - 2) ||
        t->merge_bytes < t->n_merge * PL_MERGE_MIN ||
        t->merge_bytes > t->n_merge * (PL_TOKEN_TEXT_MAX - 2))
        return pl_fail(err, -EINVAL, "synthetic tokenizer: %llu bytes do not make %llu tokens",
                       (unsigned long long)t->token_bytes, (unsigned long long)t->n_token);
    t->filler_bytes = t->token_bytes - fixed;
    return 0;
}

int pl_tokenizer_start(struct pl_tokenizer *t, struct pl_err *err)
{
    char text[PL_TOKEN_TEXT_MAX];
    enum pl_token_type type;
    uint64_t special[] = {t->eos, t->bos == t->eos ? UINT64_MAX : t->bos,
                          t->spm && t->bos != 0 && t->eos != 0 ? 0 : UINT64_MAX};
    uint64_t fixed = 0, n_fixed = 0;
    if (t->n_token < 4 || t->n_token > PL_SERIALS_MAX || t->n_merge > PL_SERIALS_MAX ||
        t->bos >= t->n_token || t->eos >= t->n_token)
        return pl_fail(err, -EINVAL, "synthetic tokenizer: a vocabulary of %llu tokens",
                       (unsigned long long)t->n_token);
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        const char *s = special[i] == UINT64_MAX ? NULL : pl_special(t, special[i], &type);
        fixed += s != NULL ? strlen(s) : 0;
        n_fixed += s != NULL ? 1 : 0;
    }
    for (uint64_t i = 0; i < PL_BYTES && n_fixed < t->n_token; i++, n_fixed++)
        fixed += pl_byte_text(t, i, text);
    t->n_filler = t->n_token - n_fixed;
    t->next = t->byte = t->filler = 0;
    return pl_tokenizer_lengths(t, fixed, err);
}

uint64_t pl_tokenizer_token(struct pl_tokenizer *t, char out[PL_TOKEN_TEXT_MAX],
                            enum pl_token_type *ret_type)
{
    const char *special = pl_special(t, t->next++, ret_type);
    if (special != NULL) {
        (void)pl_fmt(out, PL_TOKEN_TEXT_MAX, "%s", special);
        return strlen(out);
    }
    *ret_type = t->spm && t->byte < PL_BYTES ? PL_TOKEN_BYTE : PL_TOKEN_NORMAL;
    if (t->byte < PL_BYTES)
        return pl_byte_text(t, t->byte++, out);
    uint64_t n = pl_serial('t', t->filler, out);
    uint64_t len = pl_share(t->filler_bytes, t->n_filler, t->filler++);
    memset(out + n, 'x', len - n);
    out[len] = '\0';
    return len;
}

uint64_t pl_tokenizer_merge(const struct pl_tokenizer *t, uint64_t i, char out[PL_TOKEN_TEXT_MAX])
{
    uint64_t n = pl_serial('m', i, out);
    uint64_t len = pl_share(t->merge_bytes, t->n_merge, i);
    memset(out + n, 'x', len - n);
    out[n] = ' ';
    out[len] = '\0';
    return len;
}
