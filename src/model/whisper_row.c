/* A catalogue row as the whisper.cpp file it would be, and such a file without its weights. */
#include "base/checked.h"
#include "base/str.h"
#include "domain/whisper.h"
#include "model/catalogue_layers.h"
#include "model/gguf.h"
#include "model/gguf_write.h"
#include "model/names.h"
#include "model/reader.h"
#include "model/whisper.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_WHISPER_QUANT "f16"
#define PL_WHISPER_FFT 201u     /* whisper.h: WHISPER_N_FFT / 2 + 1 */
#define PL_WHISPER_WORDS 50257u /* the rest up to n_vocab the engine makes up itself */
/* Bytes of the words in published files: ggml-tiny.bin (77691713 bytes) and ggml-tiny.en.bin
 * (77704715) of ggerganov/whisper.cpp on the hub, revision 5359861c, less all else that is in them
 * (tests/cli/whisper.sh holds the lengths of 18 files). From 51865 words on the vocabulary is
 * multilingual (whisper.cpp, is_multilingual). */
#define PL_WHISPER_MULTI 51865u
#define PL_WHISPER_TEXT_MULTI 307057u
#define PL_WHISPER_TEXT_EN 320827u

bool pl_whisper_spec(const char *spec)
{
    const struct pl_catalogue_row *row = NULL;
    char quant[PL_NAME_QUANT_MAX], id[64];
    uint8_t head[PL_READER_HEAD];
    struct stat st;
    if (stat(spec, &st) == 0) {
        int fd = S_ISREG(st.st_mode) ? open(spec, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
        ssize_t n = fd >= 0 ? pread(fd, head, sizeof(head), 0) : -1;
        if (fd >= 0)
            (void)close(fd);
        return n > 0 && pl_whisper_match(head, (size_t)n);
    }
    const char *colon = strchr(spec, ':');
    size_t n = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
    if (n < sizeof(id)) {
        (void)PL_FMT(id, "%.*s", (int)n, spec);
        row = pl_catalogue_find(id);
    }
    if (row == NULL && pl_name_resolve(spec, &row, quant, NULL) < 0)
        return false;
    return row->gguf_arch != NULL && pl_streq(row->gguf_arch, PL_WHISPER_ARCH);
}

/* "a/b" of a column: encoder and decoder. */
static bool pl_wh_pair(const char *text, uint64_t *ret_a, uint64_t *ret_b)
{
    return text != NULL && pl_take_u64(&text, ret_a) && *text++ == '/' &&
           pl_take_u64(&text, ret_b) && *text == '\0';
}

static bool pl_wh_row(const struct pl_catalogue_row *row, struct pl_whisper *w)
{
    const char *mels = pl_row_extra(row->arch_extra, "n_mels", strlen("n_mels"));
    uint64_t n_mels = 0;
    uint32_t number[PL_WHISPER_NUMBERS];
    const char *why = NULL;
    if (mels == NULL || !pl_take_u64(&mels, &n_mels) || row->n_vocab > UINT32_MAX ||
        row->n_embd > UINT32_MAX || row->n_head > UINT32_MAX || n_mels > UINT32_MAX)
        return false;
    uint64_t encoder = 0, decoder = 0;
    if (!pl_wh_pair(row->n_layer_list, &encoder, &decoder) || encoder > UINT32_MAX ||
        decoder > UINT32_MAX)
        return false;
    /* the windows of all published models: 30 seconds, 448 words */
    const uint64_t v[PL_WHISPER_NUMBERS] = {row->n_vocab, 1500,   row->n_embd, row->n_head,
                                            encoder,      448,    row->n_embd, row->n_head,
                                            decoder,      n_mels, w->ftype};
    for (uint32_t i = 0; i < PL_WHISPER_NUMBERS; i++)
        number[i] = (uint32_t)v[i];
    return pl_whisper_from(number, w, &why);
}

static uint64_t pl_wh_header_bytes(const struct pl_whisper *w)
{
    return 4 * (1 + PL_WHISPER_NUMBERS + 2 + w->n_mels * PL_WHISPER_FFT + 1 + PL_WHISPER_WORDS) +
           (w->n_vocab >= PL_WHISPER_MULTI ? PL_WHISPER_TEXT_MULTI : PL_WHISPER_TEXT_EN);
}

static int pl_wh_tables(struct pl_model *m, const struct pl_whisper *w, struct pl_err *err)
{
    char name[PL_WHISPER_NAME_MAX];
    uint64_t at = pl_wh_header_bytes(w), n = pl_whisper_tensor_count(w);
    m->kv = pl_arena_alloc(&m->arena, PL_WHISPER_KEYS + 4, sizeof(*m->kv));
    m->tensor = pl_arena_alloc(&m->arena, (size_t)n, sizeof(*m->tensor));
    if (m->kv == NULL || m->tensor == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the model");
    m->n_kv = pl_whisper_keys(w, m->kv);
    m->kv[m->n_kv++] = (struct pl_kv){
        .key = "tokenizer.ggml.tokens",
        .type = PL_KV_ARRAY,
        .element = PL_KV_STR,
        .count = PL_WHISPER_WORDS,
        .text_bytes = w->n_vocab >= PL_WHISPER_MULTI ? PL_WHISPER_TEXT_MULTI : PL_WHISPER_TEXT_EN};
    for (uint64_t i = 0; i < n; i++) {
        struct pl_tensor *t = &m->tensor[i];
        if (!pl_whisper_tensor(w, i, t, name)) {
            (void)pl_fail(err, -EINVAL, "%s: %s does not fit its rows of %llu", m->name,
                          w->type_name, (unsigned long long)t->ne[0]);
            (void)pl_hint(err,
                          "whisper-quantize makes such a file neither: take q5_0, q5_1 or q8_0");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        at = pl_add_sat(at, pl_whisper_record_bytes(t));
        t->offset = at;
        at = pl_add_sat(at, t->bytes);
        t->name = pl_arena_strdup(&m->arena, name);
        if (t->name == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the model");
    }
    m->n_tensor = n;
    m->file_bytes = at;
    return 0;
}

int pl_whisper_model(const struct pl_catalogue_row *row, const char *quant, struct pl_model **ret,
                     struct pl_err *err)
{
    struct pl_whisper w = {0};
    char path[96];
    if (!pl_whisper_type_named(quant != NULL ? quant : PL_WHISPER_QUANT, &w)) {
        (void)pl_fail(err, -EINVAL, "%s: no whisper.cpp file is of type '%.40s'", row->id, quant);
        (void)pl_hint(err, "f32, f16, q4_0, q4_1, q5_0, q5_1 and q8_0 are");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (!pl_wh_row(row, &w)) {
        (void)pl_fail(err, -ENOTSUP, "%s: cannot tell: the row lacks a number", row->id);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    struct pl_model *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory for the model", row->id);
    pl_arena_init(&m->arena, PL_WHISPER_MEMORY_MAX);
    (void)PL_FMT(path, "%s:%s", row->id, w.type_name);
    for (char *c = strchr(path, ':'); c != NULL && *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    m->path = pl_arena_strdup(&m->arena, path);
    m->name = row->display_name;
    m->arch = PL_WHISPER_ARCH;
    m->format = PL_WHISPER_FORMAT;
    m->version = 1;
    m->alignment = 1;
    m->ghost = true;
    int rc = m->path == NULL ? pl_fail(err, -ENOMEM, "%s: no memory for the model", row->id)
                             : pl_wh_tables(m, &w, err);
    if (rc == 0)
        *ret = m;
    else
        (void)pl_model_free(m);
    return rc;
}

/* A word of the made-up vocabulary: single bytes, what the engine looks up by its text
 * (whisper_process_logits: " ", " -", " '"), the mark, fillers. All differ. */
static uint32_t pl_wh_word(uint32_t i, char out[16])
{
    static const char *const named[] = {" -", " '", PL_GGUF_GHOST_KEY};
    if (i < 256) {
        out[0] = (char)i;
        return 1;
    }
    if (i < 256 + sizeof(named) / sizeof(named[0]))
        (void)pl_fmt(out, 16, "%s", named[i - 256]);
    else
        (void)pl_fmt(out, 16, "w%05u", i);
    return (uint32_t)strlen(out);
}

static void pl_wh_put_head(struct pl_gguf_out *o, const struct pl_whisper *w)
{
    const uint64_t v[PL_WHISPER_NUMBERS] = {
        w->n_vocab,
        w->n_audio_ctx,
        w->n_audio_state,
        w->n_audio_head,
        w->n_audio_layer,
        w->n_text_ctx,
        w->n_text_state,
        w->n_text_head,
        w->n_text_layer,
        w->n_mels,
        w->ftype + (w->ftype > 1 ? 2000 : 0) /* ggml.h, GGML_QNT_VERSION 2 */};
    char word[16];
    uint64_t rest = w->n_vocab >= PL_WHISPER_MULTI ? PL_WHISPER_TEXT_MULTI : PL_WHISPER_TEXT_EN;
    pl_gguf_put_u32(o, PL_WHISPER_MAGIC);
    for (uint32_t i = 0; i < PL_WHISPER_NUMBERS; i++)
        pl_gguf_put_u32(o, (uint32_t)v[i]);
    pl_gguf_put_u32(o, (uint32_t)w->n_mels);
    pl_gguf_put_u32(o, PL_WHISPER_FFT);
    pl_gguf_put_zeros(o, 4 * w->n_mels * PL_WHISPER_FFT);
    pl_gguf_put_u32(o, PL_WHISPER_WORDS);
    for (uint32_t i = 0; i < PL_WHISPER_WORDS; i++) {
        uint32_t n = pl_wh_word(i, word);
        bool last = i + 1 == PL_WHISPER_WORDS; /* takes what published files have more */
        uint64_t more = last && rest > n ? rest - n : 0;
        rest -= n;
        pl_gguf_put_u32(o, n + (uint32_t)more);
        pl_gguf_put(o, word, n);
        for (uint64_t k = 0; k < more; k++)
            pl_gguf_put(o, "x", 1);
    }
}

/* The first bytes of the model's own file. */
static int pl_wh_copy_head(struct pl_gguf_out *o, const struct pl_model *m, uint64_t n,
                           struct pl_err *err)
{
    struct pl_input in;
    uint8_t part[4096];
    int rc = pl_input_open(pl_model_load_path(m), &in, err);
    if (rc < 0)
        return rc;
    for (uint64_t at = 0; at < n && rc == 0;) {
        size_t step = n - at < sizeof(part) ? (size_t)(n - at) : sizeof(part);
        rc = n > in.bytes ? pl_fail(err, -EBADMSG, "%.160s: changed while it was read", m->path)
                          : in.read(&in, at, part, step, err);
        if (rc == 0)
            pl_gguf_put(o, part, step);
        at += step;
    }
    pl_input_close(&in);
    return rc;
}

int pl_whisper_put(const struct pl_model *m, int fd, struct pl_tensor *tensor, uint64_t *ret_bytes,
                   bool *ret_made, struct pl_err *err)
{
    struct pl_gguf_out o;
    struct pl_whisper w;
    const struct pl_kv *own = pl_model_kv(m, PL_WHISPER_DATA_KEY);
    if (!pl_whisper_of(m, &w))
        return pl_fail(err, -EINVAL, "%.160s: its numbers are not known", m->path);
    int rc = pl_gguf_out_init(&o, fd, err);
    if (rc < 0)
        return rc;
    *ret_made = m->n_file == 0 || own == NULL;
    if (*ret_made)
        pl_wh_put_head(&o, &w);
    else
        rc = pl_wh_copy_head(&o, m, own->u, err);
    uint64_t at = o.at;
    for (uint64_t i = 0; i < m->n_tensor && rc == 0; i++) {
        struct pl_tensor *t = &tensor[i];
        pl_gguf_put_u32(&o, t->n_dims);
        pl_gguf_put_u32(&o, (uint32_t)strlen(t->name));
        pl_gguf_put_u32(&o, t->type);
        for (uint32_t k = 0; k < t->n_dims; k++)
            pl_gguf_put_u32(&o, (uint32_t)t->ne[k]);
        pl_gguf_put(&o, t->name, strlen(t->name));
        at = pl_add_sat(at, pl_whisper_record_bytes(t));
        t->offset = at;
        at = pl_add_sat(at, t->bytes);
        if (pl_gguf_out_flush(&o) < 0 || at > INT64_MAX ||
            lseek(fd, (off_t)at, SEEK_SET) != (off_t)at)
            rc = pl_fail(err, o.failed < 0 ? o.failed : -EIO, "cannot be written");
    }
    pl_gguf_out_done(&o);
    *ret_bytes = at;
    return rc;
}
