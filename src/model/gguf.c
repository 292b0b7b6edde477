#include "model/gguf.h"

#include "base/checked.h"
#include "base/str.h"
#include "model/gguf_in.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PL_GGUF_ALIGNMENT 32u /* without general.alignment; gguf.h, GGUF_DEFAULT_ALIGNMENT */
#define PL_GGUF_HEAD 24u      /* magic, version, two counts */
#define PL_MODEL_NAME_MAX 255u

bool pl_gguf_match(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "GGUF", 4) == 0;
}

const char *pl_gguf_lookalike(const uint8_t *head, size_t n)
{
    static const struct {
        uint8_t at, len;
        const char *bytes, *what;
    } known[] = {
        {8, 2,  "{\"",                "a safetensors file"                                   },
        {0, 4,  "PK\003\004",         "a zip archive, as PyTorch saves its checkpoints"      },
        {0, 10, "version ht",         "a Git LFS pointer, not the file itself"               },
        {0, 2,  "<!",                 "a web page, perhaps the error page of a download"     },
        {0, 5,  "<html",              "a web page, perhaps the error page of a download"     },
        {0, 5,  "<HTML",              "a web page, perhaps the error page of a download"     },
        {0, 5,  "<?xml",              "an XML document, perhaps the error page of a download"},
        {0, 4,  "lmgg",               "a GGML file, from before GGUF"                        },
        {0, 4,  "fmgg",               "a GGML file, from before GGUF"                        },
        {0, 4,  "tjgg",               "a GGML file, from before GGUF"                        },
        {0, 4,  "algg",               "a GGML adapter, from before GGUF"                     },
        {0, 1,  "{",                  "a JSON document"                                      },
        {0, 2,  "\037\213",           "a gzip archive"                                       },
        {0, 4,  "\050\265\057\375",   "a zstd archive"                                       },
        {0, 6,  "7z\274\257\047\034", "a 7z archive"                                         },
        {0, 2,  "\200\002",           "a Python pickle, as PyTorch saved its checkpoints"    },
        {0, 8,  "\0\0\0\0\0\0\0\0",   "zeros: the download may be unfinished"                },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t end = (size_t)known[i].at + known[i].len;
        if (n >= end && memcmp(head + known[i].at, known[i].bytes, known[i].len) == 0)
            return known[i].what;
    }
    return NULL;
}

/* The first bytes in print: 'PK\x03\x04'. */
static int pl_gguf_foreign(const uint8_t *head, size_t n, struct pl_err *err)
{
    char text[8 * 4 + 1] = "";
    size_t at = 0;
    for (size_t i = 0; i < n && i < 8; i++) {
        bool plain = head[i] >= 0x20 && head[i] < 0x7f && head[i] != '\\';
        (void)pl_fmt(text + at, sizeof(text) - at, plain ? "%c" : "\\x%02x", head[i]);
        at = strlen(text);
    }
    const char *what = pl_gguf_lookalike(head, n);
    if (n == 0)
        (void)pl_fail(err, -EINVAL, "not a GGUF file: it is empty");
    else
        (void)pl_fail(err, -EINVAL, "not a GGUF file: it begins with '%s'%s%s%s", text,
                      what != NULL ? " (" : "", what != NULL ? what : "", what != NULL ? ")" : "");
    if (n >= 4 && memcmp(head, "lmgg", 4) == 0) /* a whole one that is here is read elsewhere */
        (void)pl_hint(err,
                      "a model of whisper.cpp is read once it is here whole; before that by its "
                      "name: whisper-small:q5_1 (plimsoll models --kind stt)");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* Magic, version (which tells the byte order) and the two counts. */
static int pl_gguf_read_head(struct pl_gguf_in *in, struct pl_gguf_part *part, struct pl_err *err)
{
    size_t n = in->input->bytes < PL_GGUF_HEAD ? (size_t)in->input->bytes : PL_GGUF_HEAD;
    int rc = pl_gguf_need(in, n, err);
    if (rc < 0)
        return rc;
    if (!pl_gguf_match(in->window, n))
        return pl_gguf_foreign(in->window, n, err);
    in->pos = 4;
    rc = pl_gguf_u32(in, &part->version, err);
    if (rc < 0)
        return rc;
    /* A small number in the other byte order has its low half empty. */
    if ((part->version & 0xffff) == 0 && part->version != 0) {
        part->version = __builtin_bswap32(part->version);
        in->swap = true;
    }
    part->big_endian = in->swap != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    if (part->version == 1) {
        (void)pl_gguf_bad(err, "GGUF version 1, which engines no longer read");
        (void)pl_hint(err, "convert the model again, or get a newer file of it");
        return -EBADMSG;
    }
    if (part->version < 2 || part->version > 3)
        return pl_gguf_bad(err, "GGUF version %" PRIu32 " is unknown (2 and 3 are known)",
                           part->version);
    rc = pl_gguf_u64(in, &part->n_tensor, err);
    return rc < 0 ? rc : pl_gguf_u64(in, &part->n_kv, err);
}

static const struct pl_kv *pl_part_kv(const struct pl_gguf_part *part, const char *key)
{
    for (uint64_t i = 0; i < part->n_kv; i++) {
        if (pl_streq(part->kv[i].key, key))
            return &part->kv[i];
    }
    return NULL;
}

/* A key of the container itself: a non-negative integer when it is there. */
static int pl_part_u64(const struct pl_gguf_part *part, const char *key, uint64_t absent,
                       uint64_t *ret, struct pl_err *err)
{
    const struct pl_kv *kv = pl_part_kv(part, key);
    *ret = absent;
    if (kv == NULL)
        return 0;
    if (kv->type == PL_KV_F32 || kv->type == PL_KV_F64 || kv->type == PL_KV_STR ||
        kv->type == PL_KV_ARRAY || kv->type == PL_KV_BOOL || kv->u > INT64_MAX)
        return pl_gguf_bad(err, "key '%s': not a non-negative integer", key);
    *ret = kv->u;
    return 0;
}

static int pl_part_container_keys(struct pl_gguf_part *part, struct pl_err *err)
{
    int rc = pl_part_u64(part, "general.alignment", PL_GGUF_ALIGNMENT, &part->alignment, err);
    if (rc == 0)
        rc = pl_part_u64(part, "split.no", 0, &part->split_no, err);
    if (rc == 0)
        rc = pl_part_u64(part, "split.count", 0, &part->split_count, err);
    if (rc == 0)
        rc = pl_part_u64(part, "split.tensors.count", 0, &part->split_tensors, err);
    uint64_t n = part->alignment;
    if (rc == 0 && (n < 8 || n > PL_GGUF_ALIGNMENT_MAX || (n & (n - 1)) != 0))
        rc = pl_gguf_bad(err, "general.alignment: %" PRIu64 " is no power of two from 8 to %u", n,
                         PL_GGUF_ALIGNMENT_MAX);
    return rc;
}

static int pl_part_sections(struct pl_gguf_in *in, struct pl_arena *a, struct pl_gguf_part *part,
                            struct pl_err *err)
{
    int rc = pl_gguf_read_head(in, part, err);
    if (rc == 0)
        rc = pl_gguf_read_keys(in, a, part, err);
    if (rc == 0)
        rc = pl_part_container_keys(part, err);
    if (rc == 0)
        rc = pl_gguf_read_tensors(in, a, part, err);
    if (rc < 0)
        return rc;
    part->data_offset = pl_gguf_at(in);
    if (part->n_tensor > 0 && !pl_pad_u64(part->data_offset, part->alignment, &part->data_offset))
        return pl_gguf_bad(err, "header: its length overflows");
    return pl_gguf_check_layout(part, err);
}

int pl_gguf_read_part(const struct pl_opener *opener, const char *path, uint8_t *window,
                      struct pl_arena *a, struct pl_gguf_part *part, struct pl_err *err)
{
    struct pl_input input = {0};
    struct pl_gguf_in in;
    *part = (struct pl_gguf_part){0};
    part->path = pl_arena_strdup(a, path);
    if (part->path == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    int rc = opener->open(opener->ctx, path, &input, err);
    if (rc < 0)
        return rc;
    part->bytes = input.bytes;
    part->disk_bytes = input.disk_bytes;
    part->holes = input.holes;
    pl_gguf_in_start(&in, &input, window);
    rc = pl_part_sections(&in, a, part, err);
    pl_input_close(&input);
    if (rc < 0)
        pl_err_at(err, path, 0, 0);
    return rc;
}

/* A name fit for a terminal: the text, cut and cleaned. */
static const char *pl_model_name_from(struct pl_arena *a, const char *text)
{
    size_t n = strnlen(text, PL_MODEL_NAME_MAX);
    char *s = pl_arena_strndup(a, text, n);
    if (s != NULL)
        pl_text_clean(s);
    return s;
}

static int pl_model_names(struct pl_model *m, struct pl_err *err)
{
    const struct pl_kv *arch = pl_model_kv(m, "general.architecture");
    m->arch = "unknown";
    if (arch != NULL) {
        if (arch->type != PL_KV_STR || arch->count == 0 || arch->count > PL_GGUF_ARCH_MAX ||
            strlen(arch->str) != arch->count)
            return pl_gguf_bad(err, "general.architecture: not a name of 1 to %u characters",
                               PL_GGUF_ARCH_MAX);
        for (const char *s = arch->str; *s != '\0'; s++) {
            if (*s <= ' ' || *s > '~')
                return pl_gguf_bad(err, "general.architecture: not a name of plain characters");
        }
        m->arch = arch->str;
    }
    const char *base = strrchr(m->path, '/');
    const char *name = pl_model_str(m, "general.name", "");
    m->name = pl_model_name_from(&m->arena, name[0] != '\0' ? name
                                            : base != NULL  ? base + 1
                                                            : m->path);
    return m->name != NULL ? 0 : pl_fail(err, -ENOMEM, "no memory for the header");
}

/* Ghosts say so; a file of which nearly all is a hole holds no weights either (or is a download
 * that was given its full length first). */
#define PL_GHOST_SHARE 8 /* at most one part in 8 on disk */

static bool pl_model_is_ghost(const struct pl_model *m, const struct pl_gguf_part *part)
{
    const struct pl_kv *kv = pl_model_kv(m, PL_GGUF_GHOST_KEY);
    if (kv != NULL && kv->type == PL_KV_BOOL)
        return kv->u != 0;
    for (uint32_t i = 0; i < m->n_file; i++) {
        if (part[i].holes && part[i].disk_bytes < part[i].bytes / PL_GHOST_SHARE)
            return true;
    }
    return false;
}

/* The parts into one model: keys of the first, tensors of all. */
static int pl_model_join(struct pl_model *m, const struct pl_gguf_part *part, struct pl_err *err)
{
    m->kv = part[0].kv;
    m->n_kv = part[0].n_kv;
    m->version = part[0].version;
    m->big_endian = part[0].big_endian;
    m->alignment = part[0].alignment;
    for (uint32_t i = 0; i < m->n_file; i++)
        m->n_tensor += part[i].n_tensor; /* each below PL_GGUF_TENSORS_MAX, PL_SPLITS_MAX parts */
    if (m->n_file > 1 && part[0].split_tensors > 0 && part[0].split_tensors != m->n_tensor)
        return pl_gguf_bad(err, "split.tensors.count says %" PRIu64 ", the parts hold %" PRIu64,
                           part[0].split_tensors, m->n_tensor);
    if (m->n_tensor > PL_GGUF_TENSORS_MAX)
        return pl_gguf_bad(err, "%" PRIu64 " tensors (at most %u)", m->n_tensor,
                           PL_GGUF_TENSORS_MAX);
    m->file = pl_arena_alloc(&m->arena, m->n_file, sizeof(*m->file));
    m->tensor = m->n_file == 1 ? part[0].tensor
                               : pl_arena_alloc(&m->arena, (size_t)m->n_tensor, sizeof(*m->tensor));
    if (m->file == NULL || m->tensor == NULL)
        return pl_gguf_no_memory(&m->arena, m->n_tensor, sizeof(*m->tensor), err);
    uint64_t at = 0;
    for (uint32_t i = 0; i < m->n_file; i++) {
        m->file[i] = (struct pl_model_file){
            .path = part[i].path,
            .bytes = part[i].bytes,
            .data_offset = part[i].data_offset,
            .alignment = part[i].alignment,
            .disk_bytes = part[i].disk_bytes,
        };
        m->file_bytes = pl_add_sat(m->file_bytes, part[i].bytes);
        for (uint64_t k = 0; k < part[i].n_tensor; k++, at++) {
            m->tensor[at] = part[i].tensor[k];
            m->tensor[at].split = (uint16_t)i;
        }
    }
    m->ghost = pl_model_is_ghost(m, part);
    int rc = pl_gguf_check_names(m->tensor, m->n_tensor, err);
    return rc < 0 ? rc : pl_model_names(m, err);
}

static int pl_model_fill(struct pl_model *m, const struct pl_opener *opener, const char *path,
                         uint8_t *window, struct pl_err *err)
{
    struct pl_gguf_part given, *all = &given;
    m->path = pl_arena_strdup(&m->arena, path);
    if (m->path == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    int rc = pl_gguf_read_part(opener, path, window, &m->arena, &given, err);
    if (rc < 0)
        return rc;
    m->n_file = 1;
    if (given.split_count > 1) {
        all = calloc(PL_SPLITS_MAX, sizeof(*all));
        if (all == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the header");
        rc = pl_gguf_read_others(opener, &given, window, &m->arena, all, err);
        m->n_file = (uint32_t)given.split_count;
    }
    if (rc == 0)
        rc = pl_model_join(m, all, err);
    if (all != &given)
        free(all);
    return rc;
}

int pl_gguf_read_with(const struct pl_opener *opener, const char *path, struct pl_model **ret,
                      struct pl_err *err)
{
    struct pl_err local = {0}; /* the file is added to it below, so it must be there */
    struct pl_model *m = calloc(1, sizeof(*m));
    uint8_t *window = malloc(PL_GGUF_WINDOW);
    int rc = -ENOMEM;
    if (m == NULL || window == NULL) {
        (void)pl_fail(&local, rc, "no memory for the header");
    } else {
        pl_arena_init(&m->arena, PL_GGUF_MEMORY_MAX);
        rc = pl_model_fill(m, opener, path, window, &local);
    }
    free(window);
    if (rc == 0) {
        *ret = m;
        return 0;
    }
    if (local.file[0] == '\0')
        pl_err_at(&local, path, 0, 0);
    if (err != NULL)
        *err = local;
    (void)pl_model_free(m);
    return rc;
}

int pl_gguf_read(const char *path, struct pl_model **ret, struct pl_err *err)
{
    return pl_gguf_read_with(&pl_opener_files, path, ret, err);
}
