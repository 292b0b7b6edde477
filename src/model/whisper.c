#include "model/whisper.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"
#include "domain/whisper.h"
#include "model/gguf.h"
#include "model/gguf_in.h"
#include "model/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_WHISPER_WINDOW 65536u
#define PL_WHISPER_WORD_MAX 32768u       /* bytes of a word */
#define PL_WHISPER_WORDS_MAX (1u << 24)  /* words */
#define PL_WHISPER_FILTER_MAX (1u << 20) /* of either side */
#define PL_WHISPER_TENSOR_NAME_MAX 1024u /* bytes */
#define PL_WHISPER_HEAD_BYTES (4u * (1u + PL_WHISPER_NUMBERS))

/* A cursor through one window. */
struct pl_wh_in {
    struct pl_input *input;
    uint8_t *window;
    uint64_t at; /* of the window in the input */
    size_t len, pos;
    const char *what;
};

static int pl_wh_need(struct pl_wh_in *in, size_t n, struct pl_err *err)
{
    if (in->len - in->pos >= n)
        return 0;
    uint64_t at = in->at + in->pos, left = in->input->bytes - at;
    if (left < n) {
        (void)pl_gguf_bad(err, "%s: truncated: %zu bytes wanted at byte %llu, the file has %llu",
                          in->what, n, (unsigned long long)at,
                          (unsigned long long)in->input->bytes);
        (void)pl_hint(err, "the download may be unfinished");
        return -EBADMSG;
    }
    size_t len = left < PL_WHISPER_WINDOW ? (size_t)left : PL_WHISPER_WINDOW;
    in->at = at;
    in->pos = in->len = 0;
    int rc = in->input->read(in->input, at, in->window, len, err);
    in->len = rc == 0 ? len : 0;
    return rc;
}

static int pl_wh_skip(struct pl_wh_in *in, uint64_t n, struct pl_err *err)
{
    uint64_t at = in->at + in->pos;
    if (n <= in->len - in->pos) {
        in->pos += (size_t)n;
        return 0;
    }
    if (n > in->input->bytes - at)
        return pl_gguf_bad(
            err, "%s: truncated: it needs %llu bytes at byte %llu, the file has %llu", in->what,
            (unsigned long long)n, (unsigned long long)at, (unsigned long long)in->input->bytes);
    in->at = at + n;
    in->pos = in->len = 0;
    return 0;
}

static uint32_t pl_wh_load(const uint8_t *p)
{
    return (uint32_t)pl_gguf_load(p, 4, false);
}

static int pl_wh_u32(struct pl_wh_in *in, uint32_t *ret, struct pl_err *err)
{
    int rc = pl_wh_need(in, 4, err);
    if (rc < 0)
        return rc;
    *ret = pl_wh_load(in->window + in->pos);
    in->pos += 4;
    return 0;
}

bool pl_whisper_match(const uint8_t *head, size_t n)
{
    uint32_t number[PL_WHISPER_NUMBERS];
    struct pl_whisper w;
    const char *why = NULL;
    if (n < PL_WHISPER_HEAD_BYTES || pl_wh_load(head) != PL_WHISPER_MAGIC)
        return false;
    for (uint32_t i = 0; i < PL_WHISPER_NUMBERS; i++)
        number[i] = pl_wh_load(head + 4 + 4 * (size_t)i);
    return pl_whisper_from(number, &w, &why);
}

/* What is being read. */
struct pl_wh {
    struct pl_wh_in in;
    struct pl_model *m;
    struct pl_whisper w;
    uint64_t n_word, word_bytes, cap; /* cap: tensors there is room for */
    bool ghost;
};

static int pl_wh_head(struct pl_wh *r, struct pl_err *err)
{
    uint32_t number[PL_WHISPER_NUMBERS], magic = 0;
    const char *why = NULL;
    int rc = pl_wh_u32(&r->in, &magic, err);
    for (uint32_t i = 0; i < PL_WHISPER_NUMBERS && rc == 0; i++)
        rc = pl_wh_u32(&r->in, &number[i], err);
    if (rc < 0)
        return rc;
    if (magic != PL_WHISPER_MAGIC)
        return pl_gguf_bad(err, "not a whisper.cpp file: it does not begin with 'lmgg'");
    if (!pl_whisper_from(number, &r->w, &why))
        return pl_gguf_bad(err, "no whisper.cpp model: %s", why);
    return 0;
}

static int pl_wh_filters(struct pl_wh *r, struct pl_err *err)
{
    uint32_t n_mel = 0, n_fft = 0;
    r->in.what = "mel filters";
    int rc = pl_wh_u32(&r->in, &n_mel, err);
    if (rc == 0)
        rc = pl_wh_u32(&r->in, &n_fft, err);
    if (rc < 0)
        return rc;
    if (n_mel != r->w.n_mels || n_fft == 0 || n_fft > PL_WHISPER_FILTER_MAX)
        return pl_gguf_bad(err, "mel filters: %u x %u, the model has %llu mels", n_mel, n_fft,
                           (unsigned long long)r->w.n_mels);
    return pl_wh_skip(&r->in, pl_mul_sat(4 * (uint64_t)n_mel, n_fft), err);
}

static int pl_wh_words(struct pl_wh *r, struct pl_err *err)
{
    static const char mark[] = PL_GGUF_GHOST_KEY;
    uint32_t n = 0, len = 0;
    r->in.what = "vocabulary";
    int rc = pl_wh_u32(&r->in, &n, err);
    if (rc == 0 && n > PL_WHISPER_WORDS_MAX)
        rc = pl_gguf_bad(err, "vocabulary: %u words", n);
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        rc = pl_wh_u32(&r->in, &len, err);
        if (rc == 0 && len > PL_WHISPER_WORD_MAX)
            rc = pl_gguf_bad(err, "vocabulary: word %u has %u bytes", i, len);
        if (rc == 0 && len == sizeof(mark) - 1) {
            rc = pl_wh_need(&r->in, len, err);
            r->ghost |= rc == 0 && memcmp(r->in.window + r->in.pos, mark, len) == 0;
        }
        if (rc == 0)
            rc = pl_wh_skip(&r->in, len, err);
        r->word_bytes += len;
    }
    r->n_word = n;
    return rc;
}

/* A tensor's record; its data is passed over. */
static int pl_wh_tensor(struct pl_wh *r, struct pl_tensor *t, struct pl_err *err)
{
    uint32_t n_dims = 0, len = 0, type = 0, ne = 0;
    struct pl_wh_in *in = &r->in;
    *t = (struct pl_tensor){
        .ne = {1, 1, 1, 1}
    };
    int rc = pl_wh_u32(in, &n_dims, err);
    if (rc == 0)
        rc = pl_wh_u32(in, &len, err);
    if (rc == 0)
        rc = pl_wh_u32(in, &type, err);
    if (rc < 0)
        return rc;
    const struct pl_tensor_type *known = pl_tensor_type(type);
    if (n_dims == 0 || n_dims > PL_TENSOR_DIMS_MAX || len == 0 || len > PL_WHISPER_TENSOR_NAME_MAX)
        return pl_gguf_bad(err, "tensor %llu: %u dimensions, a name of %u bytes",
                           (unsigned long long)r->m->n_tensor, n_dims, len);
    for (uint32_t i = 0; i < n_dims && rc == 0; i++) {
        rc = pl_wh_u32(in, &ne, err);
        t->ne[i] = ne;
    }
    if (rc == 0)
        rc = pl_wh_need(in, len, err);
    if (rc < 0)
        return rc;
    char *name = pl_arena_strndup(&r->m->arena, (const char *)in->window + in->pos, len);
    if (name == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    pl_text_clean(name);
    in->pos += len;
    t->name = name;
    t->n_dims = n_dims;
    t->type = type;
    uint64_t rows = pl_mul_sat(pl_mul_sat(t->ne[1], t->ne[2]), t->ne[3]);
    if (known == NULL || known->removed || type >= PL_TYPE_FOREIGN || t->ne[0] == 0 || rows == 0 ||
        !pl_tensor_type_bytes(known, t->ne[0], rows, &t->bytes))
        return pl_gguf_bad(err, "tensor '%.80s': of type %u, %llu x %llu: it has no size", name,
                           type, (unsigned long long)t->ne[0], (unsigned long long)rows);
    t->offset = in->at + in->pos;
    return pl_wh_skip(in, t->bytes, err);
}

static int pl_wh_grow(struct pl_wh *r, struct pl_err *err)
{
    struct pl_model *m = r->m;
    if (m->n_tensor < r->cap)
        return 0;
    if (m->n_tensor >= PL_WHISPER_TENSORS_MAX)
        return pl_gguf_bad(err, "more than %u tensors", PL_WHISPER_TENSORS_MAX);
    r->cap = r->cap == 0 ? 256 : 2 * r->cap;
    struct pl_tensor *more = pl_arena_alloc(&m->arena, (size_t)r->cap, sizeof(*more));
    if (more == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    if (m->n_tensor > 0)
        memcpy(more, m->tensor, (size_t)m->n_tensor * sizeof(*more));
    m->tensor = more;
    return 0;
}

static int pl_wh_tensors(struct pl_wh *r, struct pl_err *err)
{
    int rc = 0;
    r->in.what = "tensors";
    while (rc == 0 && r->in.at + r->in.pos < r->in.input->bytes) {
        rc = pl_wh_grow(r, err);
        if (rc == 0)
            rc = pl_wh_tensor(r, &r->m->tensor[r->m->n_tensor], err);
        r->m->n_tensor += rc == 0 ? 1 : 0;
    }
    return rc < 0 ? rc : pl_gguf_check_names(r->m->tensor, r->m->n_tensor, err);
}

static const char *pl_wh_text(struct pl_wh *r, const char *text)
{
    char *s = pl_arena_strdup(&r->m->arena, text != NULL ? text : "");
    if (s != NULL)
        pl_text_clean(s);
    return s;
}

static int pl_wh_model(struct pl_wh *r, const char *path, uint64_t data_at, struct pl_err *err)
{
    struct pl_model *m = r->m;
    const char *base = strrchr(path, '/');
    m->path = pl_arena_strdup(&m->arena, path);
    m->name = pl_wh_text(r, base != NULL ? base + 1 : path);
    m->arch = PL_WHISPER_ARCH;
    m->format = PL_WHISPER_FORMAT;
    m->version = 1;
    m->alignment = 1;
    m->kv = pl_arena_alloc(&m->arena, PL_WHISPER_KEYS + 4, sizeof(*m->kv));
    m->file = pl_arena_alloc(&m->arena, 1, sizeof(*m->file));
    if (m->path == NULL || m->name == NULL || m->kv == NULL || m->file == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    m->n_kv = pl_whisper_keys(&r->w, m->kv);
    m->kv[m->n_kv++] = (struct pl_kv){.key = "tokenizer.ggml.tokens",
                                      .type = PL_KV_ARRAY,
                                      .element = PL_KV_STR,
                                      .count = r->n_word,
                                      .text_bytes = r->word_bytes};
    m->kv[m->n_kv++] = (struct pl_kv){
        .key = PL_WHISPER_DATA_KEY, .type = PL_KV_U64, .count = 1, .u = data_at, .added = true};
    if (r->ghost)
        m->kv[m->n_kv++] =
            (struct pl_kv){.key = PL_GGUF_GHOST_KEY, .type = PL_KV_BOOL, .count = 1, .u = 1};
    m->file[0] = (struct pl_model_file){.path = m->path,
                                        .bytes = r->in.input->bytes,
                                        .alignment = 1,
                                        .disk_bytes = r->in.input->disk_bytes};
    m->n_file = 1;
    m->file_bytes = r->in.input->bytes;
    m->ghost = r->ghost || (r->in.input->holes && r->in.input->disk_bytes < m->file_bytes / 8);
    return 0;
}

int pl_whisper_read_input(struct pl_input *in, const char *path, struct pl_model **ret,
                          struct pl_err *err)
{
    struct pl_wh r = {
        .in = {.input = in, .what = "header"}
    };
    uint64_t data_at = 0;
    int rc = -ENOMEM;
    r.in.window = malloc(PL_WHISPER_WINDOW);
    r.m = calloc(1, sizeof(*r.m));
    if (r.in.window == NULL || r.m == NULL) {
        (void)pl_fail(err, rc, "no memory for the header");
    } else {
        pl_arena_init(&r.m->arena, PL_WHISPER_MEMORY_MAX);
        rc = pl_wh_head(&r, err);
        if (rc == 0)
            rc = pl_wh_filters(&r, err);
        if (rc == 0)
            rc = pl_wh_words(&r, err);
        data_at = r.in.at + r.in.pos;
        if (rc == 0)
            rc = pl_wh_tensors(&r, err);
        if (rc == 0)
            rc = pl_wh_model(&r, path, data_at, err);
    }
    free(r.in.window);
    if (rc == 0)
        *ret = r.m;
    else
        (void)pl_model_free(r.m);
    return rc;
}

int pl_whisper_read(const char *path, struct pl_model **ret, struct pl_err *err)
{
    struct pl_input in;
    int rc = pl_input_open(path, &in, err);
    if (rc < 0)
        return rc;
    rc = pl_whisper_read_input(&in, path, ret, err);
    pl_input_close(&in);
    if (rc < 0)
        pl_err_at(err, path, 0, 0);
    return rc;
}
