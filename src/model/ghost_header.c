#include "model/ghost_header.h"

#include "base/checked.h"
#include "base/str.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_GGUF_HEAD 24u /* magic, version, two counts: the keys begin after it */
#define PL_OWN_KEYS 3u
#define PL_MADE_KEYS 9u /* of a tokenizer that is made up */

static struct pl_kv pl_kv_str(const char *key, const char *text)
{
    return (struct pl_kv){.key = key, .type = PL_KV_STR, .str = text, .count = strlen(text)};
}

static struct pl_kv pl_kv_u32(const char *key, uint64_t value)
{
    return (struct pl_kv){.key = key, .type = PL_KV_U32, .u = value, .count = 1};
}

static struct pl_kv pl_kv_array(const char *key, enum pl_kv_type element, uint64_t count)
{
    return (struct pl_kv){.key = key, .type = PL_KV_ARRAY, .element = element, .count = count};
}

static bool pl_key_is(const struct pl_kv *kv, const char *name)
{
    return pl_streq(kv->key, name);
}

/* Does the model need a made-up tokenizer: it has tokens, and no list of them? */
static bool pl_ghost_lacks_tokenizer(const struct pl_model *m)
{
    const char *model = pl_model_str(m, "tokenizer.ggml.model", "none");
    if (pl_model_tensor(m, "token_embd.weight") == NULL)
        return false;
    return pl_streq(model, "none") || pl_streq(model, "no_vocab") ||
           pl_model_kv(m, "tokenizer.ggml.tokens") == NULL;
}

/* Keys of the source that the ghost keeps: not its place among split parts, not what an earlier
 * ghost said, and not a tokenizer that is replaced. */
static bool pl_ghost_keeps(const struct pl_kv *kv, bool make_tokenizer)
{
    return !kv->unset && !pl_starts(kv->key, "split.") && !pl_starts(kv->key, "plimsoll.") &&
           !(make_tokenizer && pl_starts(kv->key, "tokenizer."));
}

/* Its content is not the file's any more (edit.h). */
static bool pl_kv_edited(const struct pl_kv *kv)
{
    return kv->was != NULL || kv->added;
}

static int pl_ghost_tokens(struct pl_gguf_out *o, const struct pl_kv *kv, struct pl_tokenizer *t,
                           struct pl_err *err)
{
    char text[PL_TOKEN_TEXT_MAX];
    enum pl_token_type type;
    bool tokens = pl_key_is(kv, "tokenizer.ggml.tokens");
    int rc = pl_tokenizer_start(t, err);
    for (uint64_t i = 0; i < kv->count && rc == 0; i++) {
        uint64_t n = pl_tokenizer_token(t, text, &type);
        if (tokens)
            pl_gguf_put_str(o, text, n);
        else
            pl_gguf_put_u32(o, type);
    }
    return rc;
}

/* An array without content: the tokenizer's lists, made up. */
static int pl_ghost_array(struct pl_gguf_out *o, const struct pl_kv *kv, struct pl_tokenizer *t,
                          struct pl_err *err)
{
    char text[PL_TOKEN_TEXT_MAX];
    pl_gguf_put_str(o, kv->key, strlen(kv->key));
    pl_gguf_put_u32(o, PL_KV_ARRAY);
    pl_gguf_put_u32(o, kv->element);
    pl_gguf_put_u64(o, kv->count);
    if (pl_key_is(kv, "tokenizer.ggml.tokens") || pl_key_is(kv, "tokenizer.ggml.token_type"))
        return pl_ghost_tokens(o, kv, t, err);
    for (uint64_t i = 0; i < kv->count; i++) {
        if (pl_key_is(kv, "tokenizer.ggml.merges")) {
            uint64_t n = pl_tokenizer_merge(t, i, text);
            pl_gguf_put_str(o, text, n);
        } else { /* scores: later tokens are less likely */
            float score = -(float)i;
            uint32_t bits;
            memcpy(&bits, &score, sizeof(bits));
            pl_gguf_put_u32(o, bits);
        }
    }
    return 0;
}

static int pl_ghost_put_kv(struct pl_gguf_out *o, const struct pl_kv *kv, struct pl_tokenizer *t,
                           struct pl_err *err)
{
    bool made =
        kv->type == PL_KV_ARRAY && kv->ints == NULL && pl_starts(kv->key, "tokenizer.ggml.");
    return made ? pl_ghost_array(o, kv, t, err) : pl_gguf_put_kv(o, kv, err);
}

/* The tokenizer that a catalogue model's keys describe. */
static void pl_ghost_tokenizer_of(const struct pl_model *m, struct pl_tokenizer *t)
{
    const struct pl_kv *tokens = pl_model_kv(m, "tokenizer.ggml.tokens");
    const struct pl_kv *merges = pl_model_kv(m, "tokenizer.ggml.merges");
    const struct pl_kv *bos = pl_model_kv(m, "tokenizer.ggml.bos_token_id");
    const struct pl_kv *eos = pl_model_kv(m, "tokenizer.ggml.eos_token_id");
    *t = (struct pl_tokenizer){
        .spm = pl_streq(pl_model_str(m, "tokenizer.ggml.model", ""), "llama"),
        .n_token = tokens != NULL ? tokens->count : 0,
        .token_bytes = tokens != NULL ? tokens->text_bytes : 0,
        .n_merge = merges != NULL ? merges->count : 0,
        .merge_bytes = merges != NULL ? merges->text_bytes : 0,
        .bos = bos != NULL ? bos->u : 0,
        .eos = eos != NULL ? eos->u : 0,
    };
}

/* The keys of a tokenizer for a source without one. */
static int pl_ghost_made_keys(struct pl_gguf_out *o, const struct pl_model *m, struct pl_err *err)
{
    uint64_t n = pl_model_tensor(m, "token_embd.weight")->ne[1];
    if (n < 4)
        return pl_fail(err, -EINVAL, "%s: a vocabulary of %llu tokens is too small", m->path,
                       (unsigned long long)n);
    struct pl_tokenizer t = {.n_token = n, .n_merge = 1, .bos = n - 2, .eos = n - 1};
    struct pl_kv no = {.key = "tokenizer.ggml.add_bos_token", .type = PL_KV_BOOL, .count = 1};
    const struct pl_kv keys[PL_MADE_KEYS] = {
        pl_kv_str("tokenizer.ggml.model", "gpt2"),
        pl_kv_str("tokenizer.ggml.pre", "default"),
        pl_kv_array("tokenizer.ggml.tokens", PL_KV_STR, n),
        pl_kv_array("tokenizer.ggml.token_type", PL_KV_I32, n),
        pl_kv_array("tokenizer.ggml.merges", PL_KV_STR, 1),
        pl_kv_u32("tokenizer.ggml.bos_token_id", t.bos),
        pl_kv_u32("tokenizer.ggml.eos_token_id", t.eos),
        no,
        pl_kv_str("tokenizer.chat_template", pl_tokenizer_chat),
    };
    int rc = 0;
    for (size_t i = 0; i < PL_MADE_KEYS && rc == 0; i++)
        rc = pl_ghost_put_kv(o, &keys[i], &t, err);
    return rc;
}

/* Copies n bytes of the source file as they are. */
static int pl_ghost_copy(struct pl_gguf_out *o, int fd, uint64_t at, uint64_t n, struct pl_err *err)
{
    uint8_t buf[16384];
    while (n > 0) {
        ssize_t got = pread(fd, buf, n < sizeof(buf) ? (size_t)n : sizeof(buf), (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return pl_fail(err, got < 0 ? -errno : -EBADMSG, "cannot read the source: %s",
                           got < 0 ? strerror(errno) : "it has become shorter");
        pl_gguf_put(o, buf, (size_t)got);
        at += (uint64_t)got;
        n -= (uint64_t)got;
    }
    return 0;
}

/* The reader keeps every key in the order of the file, so their places follow from their lengths.
 */
static int pl_ghost_file_keys(struct pl_gguf_out *o, const struct pl_model *m, bool make_tokenizer,
                              struct pl_err *err)
{
    uint64_t at = PL_GGUF_HEAD;
    int rc = 0;
    const char *path = m->file[0].local != NULL ? m->file[0].local : m->file[0].path;
    if (m->file[0].local == NULL && m->remote_id != NULL)
        return pl_fail(err, -ENOENT, "%.160s: its header could not be kept in the cache", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pl_fail(err, -errno, "%s: %s", path, strerror(errno));
    for (uint64_t i = 0; i < m->n_kv && rc == 0; i++) {
        const struct pl_kv *kv = &m->kv[i];
        uint64_t n = kv->added ? 0 : pl_gguf_kv_bytes(kv->was != NULL ? kv->was : kv);
        if (pl_ghost_keeps(kv, make_tokenizer))
            rc = pl_kv_edited(kv) ? pl_gguf_put_kv(o, kv, err) : pl_ghost_copy(o, fd, at, n, err);
        at = pl_add_sat(at, n);
    }
    (void)close(fd);
    return rc == 0 && make_tokenizer ? pl_ghost_made_keys(o, m, err) : rc;
}

static int pl_ghost_catalogue_keys(struct pl_gguf_out *o, const struct pl_model *m,
                                   struct pl_err *err)
{
    struct pl_tokenizer t;
    pl_ghost_tokenizer_of(m, &t);
    int rc = 0;
    for (uint64_t i = 0; i < m->n_kv && rc == 0; i++)
        rc = pl_ghost_put_kv(o, &m->kv[i], &t, err);
    return rc;
}

/* What the file is, and of what. Of a path only the last part is told. */
static int pl_ghost_own_keys(struct pl_gguf_out *o, const struct pl_model *m, enum pl_fill fill,
                             struct pl_err *err)
{
    const char *slash = strrchr(m->path, '/');
    const char *of = pl_model_str(m, "plimsoll.ghost_of", slash != NULL ? slash + 1 : m->path);
    const struct pl_kv keys[PL_OWN_KEYS] = {
        {.key = PL_GGUF_GHOST_KEY, .type = PL_KV_BOOL, .u = 1, .count = 1},
        pl_kv_str("plimsoll.ghost_of", of),
        pl_kv_str("plimsoll.ghost_fill", fill == PL_FILL_RANDOM ? "random" : "zero"),
    };
    int rc = 0;
    for (size_t i = 0; i < PL_OWN_KEYS && rc == 0; i++)
        rc = pl_gguf_put_kv(o, &keys[i], err);
    return rc;
}

int pl_ghost_header(struct pl_gguf_out *o, const struct pl_model *m, const struct pl_tensor *tensor,
                    enum pl_fill fill, bool *ret_synthetic, struct pl_err *err)
{
    bool from_file = m->n_file > 0;
    bool make = from_file && pl_ghost_lacks_tokenizer(m);
    uint64_t n_kv = PL_OWN_KEYS + (make ? PL_MADE_KEYS : 0), end = 0;
    for (uint64_t i = 0; i < m->n_kv; i++)
        n_kv += pl_ghost_keeps(&m->kv[i], make) ? 1 : 0;
    pl_gguf_put_head(o, m->n_tensor, n_kv);
    int rc = from_file ? pl_ghost_file_keys(o, m, make, err) : pl_ghost_catalogue_keys(o, m, err);
    if (rc == 0)
        rc = pl_ghost_own_keys(o, m, fill, err);
    if (rc < 0)
        return rc;
    for (uint64_t i = 0; i < m->n_tensor; i++)
        pl_gguf_put_info(o, &tensor[i]);
    if (!pl_pad_u64(o->at, m->alignment, &end))
        return pl_fail(err, -ERANGE, "%s: the header's length overflows", m->path);
    pl_gguf_put_zeros(o, end - o->at);
    *ret_synthetic = make || !from_file;
    return 0;
}
