#include "model/safetensors.h"

#include "base/checked.h"
#include "base/json.h"
#include "base/str.h"
#include "model/gguf_in.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PL_ST_INDEX "model.safetensors.index.json"
#define PL_ST_ONE "model.safetensors"
#define PL_ST_INDEX_MAX (16u << 20) /* bytes; 100,000 tensors need 10 MB */
#define PL_ST_ENTRIES_MAX 100000u   /* of a folder that are looked at */

/* What is being read. */
struct pl_st {
    const struct pl_opener *opener;
    struct pl_model *m;
    char folder[PATH_MAX];            /* with its last slash; "" = the current one */
    struct pl_safetensors_part *part; /* PL_SPLITS_MAX of them */
    uint32_t n_part;
};

bool pl_safetensors_match(const uint8_t *head, size_t n)
{
    uint64_t len = 0;
    if (n < 9)
        return false;
    for (int i = 7; i >= 0; i--)
        len = len << 8 | head[i];
    return len >= 2 && len <= PL_SAFETENSORS_HEADER_MAX && head[8] == '{';
}

static int pl_st_beside(const struct pl_st *s, const char *name, char out[PATH_MAX],
                        struct pl_err *err)
{
    if (pl_fmt(out, PATH_MAX, "%s%s", s->folder, name))
        return 0;
    return pl_fail(err, -ENAMETOOLONG, "%.80s: the path is too long", name);
}

/* Reads `len` bytes at `at` into a text of its own, freed by the caller. */
static int pl_st_bytes_of(struct pl_input *in, uint64_t at, uint64_t len, char **ret,
                          struct pl_err *err)
{
    char *text = malloc((size_t)len + 1);
    if (text == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    int rc = in->read(in, at, text, (size_t)len, err);
    if (rc < 0) {
        free(text);
        return rc;
    }
    text[len] = '\0';
    *ret = text;
    return 0;
}

/* A whole JSON file beside the model. */
static int pl_st_text(struct pl_st *s, const char *path, uint64_t cap, char **ret, size_t *ret_len,
                      struct pl_err *err)
{
    struct pl_input in = {0};
    int rc = s->opener->open(s->opener->ctx, path, &in, err);
    if (rc < 0)
        return rc;
    *ret_len = (size_t)in.bytes;
    if (in.bytes > cap) {
        rc = pl_fail(err, -E2BIG, "is longer than %llu MiB", (unsigned long long)(cap >> 20));
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    } else {
        rc = pl_st_bytes_of(&in, 0, in.bytes, ret, err);
    }
    pl_input_close(&in);
    if (rc < 0)
        pl_err_at(err, path, 0, 0);
    return rc;
}

static int pl_st_length(const struct pl_input *in, const uint8_t head[9], uint64_t *ret,
                        struct pl_err *err)
{
    uint64_t len = 0;
    for (int i = 7; i >= 0; i--)
        len = len << 8 | head[i];
    *ret = len;
    if (!pl_safetensors_match(head, 9))
        (void)pl_fail(err, -EINVAL,
                      "not a safetensors file: it does not begin with the length of a "
                      "header and '{'");
    else if (len > in->bytes - 8)
        (void)pl_fail(err, -EBADMSG, "is cut off: its header needs %llu bytes, %llu are there",
                      (unsigned long long)len, (unsigned long long)(in->bytes - 8));
    else
        return 0;
    return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
}

static int pl_st_part(struct pl_st *s, const char *path, struct pl_err *err)
{
    struct pl_safetensors_part *part = &s->part[s->n_part];
    struct pl_input in = {0};
    uint8_t head[9] = {0};
    uint64_t len = 0;
    char *text = NULL;
    *part = (struct pl_safetensors_part){.path = pl_arena_strdup(&s->m->arena, path)};
    if (part->path == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    int rc = s->opener->open(s->opener->ctx, path, &in, err);
    if (rc < 0)
        return rc;
    part->bytes = in.bytes;
    part->disk_bytes = in.disk_bytes;
    part->holes = in.holes;
    rc = in.bytes < 9 ? -EINVAL : in.read(&in, 0, head, 9, err);
    if (rc == 0 || in.bytes < 9)
        rc = pl_st_length(&in, head, &len, err);
    if (rc == 0)
        rc = pl_st_bytes_of(&in, 8, len, &text, err);
    part->data_offset = 8 + len;
    if (rc == 0)
        rc = pl_safetensors_header(&s->m->arena, text, (size_t)len, part, err);
    free(text);
    pl_input_close(&in);
    if (rc < 0)
        pl_err_at(err, path, 0, 0);
    else
        s->n_part++;
    return rc;
}

/* A file's name as an index may say it: plain, in the same folder. */
static bool pl_st_plain(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < 256 && name[0] != '.' && strchr(name, '/') == NULL &&
           pl_ends(name, ".safetensors");
}

static bool pl_st_has_part(const struct pl_st *s, const char *path)
{
    for (uint32_t i = 0; i < s->n_part; i++) {
        if (pl_streq(s->part[i].path, path))
            return true;
    }
    return false;
}

/* All files that weight_map names; only_if: nothing is read unless it names that file. */
static int pl_st_index_files(struct pl_st *s, pl_jval map, const char *only_if, bool *ret_named,
                             struct pl_err *err)
{
    char path[PATH_MAX];
    const char *last = NULL;
    int rc = 0;
    *ret_named = only_if == NULL;
    for (const char *key = pl_jnext(map, NULL); key != NULL && !*ret_named;
         key = pl_jnext(map, key))
        *ret_named = pl_streq(pl_jstr(pl_jget(map, key), ""), only_if);
    for (const char *key = *ret_named ? pl_jnext(map, NULL) : NULL; key != NULL && rc == 0;
         key = pl_jnext(map, key)) {
        const char *name = pl_jstr(pl_jget(map, key), "");
        if (last != NULL && pl_streq(name, last))
            continue;
        last = name;
        rc = pl_st_plain(name) ? pl_st_beside(s, name, path, err) : -EBADMSG;
        if (rc == -EBADMSG)
            rc = pl_fail(err, rc, "weight_map names something that is no .safetensors file here");
        if (rc == 0 && !pl_st_has_part(s, path)) {
            if (s->n_part >= PL_SPLITS_MAX)
                rc = pl_fail(err, -EBADMSG, "weight_map names more than %d files", PL_SPLITS_MAX);
            else
                rc = pl_st_part(s, path, err);
        }
    }
    if (rc == 0 && last == NULL && only_if == NULL)
        rc = pl_exit_as(err, pl_fail(err, -EBADMSG, "weight_map names no file"), PL_EXIT_USAGE);
    return rc;
}

/* Reads the shards of an index. 1: done; 0: it does not name the file asked for. */
static int pl_st_index(struct pl_st *s, const char *path, const char *only_if, struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    char *text = NULL;
    size_t len = 0;
    bool named = false;
    int rc = pl_st_text(s, path, PL_ST_INDEX_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    rc = pl_jdoc_parse(text, len, path, &doc, err);
    pl_jval map = rc == 0 ? pl_jget(pl_jdoc_root(doc), "weight_map") : NULL;
    if (rc < 0)
        rc = pl_exit_as(err, rc == -EINVAL ? -EBADMSG : rc, PL_EXIT_USAGE);
    else if (!pl_jis_object(map))
        rc = pl_exit_as(err, pl_fail(err, -EBADMSG, "no weight_map"), PL_EXIT_USAGE);
    else
        rc = pl_st_index_files(s, map, only_if, &named, err);
    if (rc < 0 && err != NULL && err->file[0] == '\0')
        pl_err_at(err, path, 0, 0);
    (void)pl_jdoc_free(doc);
    free(text);
    return rc < 0 ? rc : named;
}

/* path's last part: what it asks for. */
static int pl_st_files(struct pl_st *s, const char *path, struct pl_err *err)
{
    char beside[PATH_MAX];
    const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;
    size_t n = (size_t)(base - path);
    struct pl_err none = {0};
    if (n >= sizeof(s->folder))
        return pl_fail(err, -ENAMETOOLONG, "the path is too long");
    memcpy(s->folder, path, n);
    s->folder[n] = '\0';
    if (pl_ends(base, ".index.json")) {
        int all = pl_st_index(s, path, NULL, err);
        return all < 0 ? all : 0;
    }
    bool search = pl_streq(base, "config.json");
    int rc = pl_st_beside(s, PL_ST_INDEX, beside, err);
    if (rc < 0)
        return rc;
    rc = pl_st_index(s, beside, search ? NULL : base, &none);
    if (rc == 1)
        return 0;
    if (rc < 0 && rc != -ENOENT) { /* it is there, and broken: not to be passed over */
        if (err != NULL)
            *err = none;
        return rc;
    }
    if (!search)
        return pl_st_part(s, path, err);
    rc = pl_st_beside(s, PL_ST_ONE, beside, err);
    return rc < 0 ? rc : pl_st_part(s, beside, err);
}

static int pl_st_config(struct pl_st *s, struct pl_err *err)
{
    char path[PATH_MAX], *text = NULL;
    size_t len = 0;
    struct pl_err why = {0};
    int rc = pl_st_beside(s, "config.json", path, err);
    if (rc < 0)
        return rc;
    s->m->arch = "unknown";
    rc = pl_st_text(s, path, PL_CONFIG_MAX, &text, &len, &why);
    if (rc == -ENOENT) /* the container does not need one; what it would say is unknown */
        return 0;
    if (rc == 0)
        rc = pl_config_read(s->m, text, len, path, &why);
    free(text);
    if (rc < 0 && err != NULL)
        *err = why;
    return rc;
}

static int pl_st_join(struct pl_st *s, struct pl_err *err)
{
    struct pl_model *m = s->m;
    uint64_t at = 0;
    for (uint32_t i = 0; i < s->n_part; i++)
        m->n_tensor += s->part[i].n_tensor; /* each at most PL_SAFETENSORS_TENSORS_MAX */
    if (m->n_tensor > PL_SAFETENSORS_TENSORS_MAX)
        return pl_fail(err, -EBADMSG, "more than %u tensors", PL_SAFETENSORS_TENSORS_MAX);
    m->n_file = s->n_part;
    m->file = pl_arena_alloc(&m->arena, s->n_part, sizeof(*m->file));
    m->tensor = pl_arena_alloc(&m->arena, (size_t)m->n_tensor + 1, sizeof(*m->tensor));
    if (m->file == NULL || m->tensor == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    for (uint32_t i = 0; i < s->n_part; i++) {
        const struct pl_safetensors_part *p = &s->part[i];
        m->file[i] = (struct pl_model_file){.path = p->path,
                                            .bytes = p->bytes,
                                            .data_offset = p->data_offset,
                                            .alignment = 1,
                                            .disk_bytes = p->disk_bytes};
        m->file_bytes = pl_add_sat(m->file_bytes, p->bytes);
        m->ghost |= p->holes && p->disk_bytes < p->bytes / 8;
        for (uint64_t k = 0; k < p->n_tensor; k++, at++) {
            m->tensor[at] = p->tensor[k];
            m->tensor[at].split = (uint16_t)i;
        }
    }
    return pl_gguf_check_names(m->tensor, m->n_tensor, err);
}

/* The folder's name says more than "model.safetensors". */
static int pl_st_name(struct pl_st *s, const char *path, struct pl_err *err)
{
    struct pl_model *m = s->m;
    char folder[PATH_MAX];
    (void)PL_FMT(folder, "%s", s->folder);
    size_t n = strlen(folder);
    while (n > 0 && folder[n - 1] == '/')
        folder[--n] = '\0';
    const char *slash = strrchr(folder, '/'), *base = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : folder;
    m->path = pl_arena_strdup(&m->arena, path);
    char *shown = pl_arena_strdup(&m->arena, name[0] != '\0' && name[0] != '.' ? name
                                             : base != NULL                    ? base + 1
                                                                               : path);
    if (m->path == NULL || shown == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the header");
    pl_text_clean(shown);
    m->name = shown;
    m->version = 1;
    m->alignment = 1;
    m->format = "safetensors";
    return 0;
}

int pl_safetensors_read_with(const struct pl_opener *opener, const char *path,
                             struct pl_model **ret, struct pl_err *err)
{
    struct pl_err local = {0};
    struct pl_st *s = calloc(1, sizeof(*s));
    int rc = -ENOMEM;
    if (s != NULL) {
        s->opener = opener;
        s->m = calloc(1, sizeof(*s->m));
        s->part = calloc(PL_SPLITS_MAX, sizeof(*s->part));
    }
    if (s == NULL || s->m == NULL || s->part == NULL) {
        (void)pl_fail(&local, rc, "no memory for the header");
    } else {
        pl_arena_init(&s->m->arena, PL_SAFETENSORS_MEMORY_MAX);
        rc = pl_st_files(s, path, &local);
        if (rc == 0)
            rc = pl_st_name(s, path, &local);
        if (rc == 0)
            rc = pl_st_config(s, &local);
        if (rc == 0)
            rc = pl_st_join(s, &local);
    }
    if (rc < 0 && local.file[0] == '\0')
        pl_err_at(&local, path, 0, 0);
    if (rc < 0 && err != NULL)
        *err = local;
    if (s != NULL) {
        if (rc == 0)
            *ret = s->m;
        else
            (void)pl_model_free(s->m);
        free(s->part);
    }
    free(s);
    return rc < 0 ? rc : 0;
}

int pl_safetensors_read(const char *path, struct pl_model **ret, struct pl_err *err)
{
    return pl_safetensors_read_with(&pl_opener_files, path, ret, err);
}

static bool pl_st_is_file(const char *folder, const char *name, char *ret, size_t size)
{
    struct stat st;
    return pl_fmt(ret, size, "%s/%s", folder, name) && stat(ret, &st) == 0 && S_ISREG(st.st_mode);
}

bool pl_safetensors_folder(const char *folder, char *ret, size_t size)
{
    char only[256] = "";
    uint64_t found = 0;
    if (pl_st_is_file(folder, PL_ST_INDEX, ret, size) ||
        pl_st_is_file(folder, PL_ST_ONE, ret, size))
        return true;
    DIR *dir = opendir(folder);
    for (uint32_t i = 0; dir != NULL && i < PL_ST_ENTRIES_MAX; i++) {
        const struct dirent *e = readdir(dir);
        if (e == NULL)
            break;
        if (pl_st_plain(e->d_name)) {
            found++;
            (void)PL_FMT(only, "%s", e->d_name);
        }
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found == 1 && pl_st_is_file(folder, only, ret, size);
}
