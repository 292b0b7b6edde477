#include "model/hub_list.h"

#include "base/json.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PL_HUB_MEMORY_MAX (32ull << 20)

static bool pl_hub_hex(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

/* A path from outside: it becomes part of an address and of what is shown. */
static bool pl_hub_path_ok(const char *path)
{
    size_t n = strnlen(path, PL_HUB_PATH_MAX);
    if (n == 0 || n >= PL_HUB_PATH_MAX || path[0] == '/')
        return false;
    for (const char *s = path; *s != '\0'; s++) {
        if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
            return false;
    }
    return strstr(path, "..") == NULL && strstr(path, "//") == NULL;
}

void pl_hub_list_start(struct pl_hub_list *l)
{
    *l = (struct pl_hub_list){0};
    pl_arena_init(&l->arena, PL_HUB_MEMORY_MAX);
}

void pl_hub_list_done(struct pl_hub_list *l)
{
    free(l->file);
    pl_arena_done(&l->arena);
    *l = (struct pl_hub_list){0};
}

int pl_hub_list_add(struct pl_hub_list *l, const char *path, uint64_t bytes, const char *sha256,
                    struct pl_err *err)
{
    size_t n = strnlen(path, PL_HUB_PATH_MAX);
    l->checkpoint |=
        n < PL_HUB_PATH_MAX && strchr(path, '/') == NULL && pl_ends(path, ".safetensors");
    if (n < 5 || n >= PL_HUB_PATH_MAX || strcasecmp(path + n - 5, ".gguf") != 0 ||
        !pl_hub_path_ok(path))
        return 0;
    if (l->n >= PL_HUB_FILES_MAX)
        return pl_fail(err, -E2BIG, "the repository lists more than %u files", PL_HUB_FILES_MAX);
    if (l->n == 0 || (l->n & (l->n - 1)) == 0) {
        size_t size = l->n == 0 ? 1 : 2 * (size_t)l->n;
        struct pl_hub_file *file = realloc(l->file, size * sizeof(*file));
        if (file == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the list of files");
        l->file = file;
    }
    struct pl_hub_file *f = &l->file[l->n];
    f->path = pl_arena_strdup(&l->arena, path);
    f->bytes = bytes;
    f->sha256 = NULL;
    if (sha256 != NULL && pl_hub_hex(sha256))
        f->sha256 = pl_arena_strdup(&l->arena, sha256);
    if (f->path == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list of files");
    l->n++;
    return 0;
}

int pl_hub_list_parse(const char *text, size_t len, struct pl_hub_list *ret, struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    pl_hub_list_start(ret);
    if (len > PL_HUB_TEXT_MAX)
        return pl_fail(err, -E2BIG, "the list of files is longer than %u bytes", PL_HUB_TEXT_MAX);
    int rc = pl_jdoc_parse(text, len, "the list of files", &doc, err);
    pl_jval root = rc == 0 ? pl_jdoc_root(doc) : NULL;
    if (rc == 0 && !pl_jis_array(root))
        rc = pl_fail(err, -EBADMSG, "the list of files is not a list");
    for (size_t i = 0; rc == 0 && i < pl_jlen(root); i++) {
        pl_jval e = pl_jat(root, i), lfs = pl_jget(e, "lfs");
        uint64_t bytes = 0;
        if (!pl_ju64(pl_jget(lfs, "size"), &bytes))
            (void)pl_ju64(pl_jget(e, "size"), &bytes);
        if (pl_streq(pl_jstr(pl_jget(e, "type"), ""), "file"))
            rc = pl_hub_list_add(ret, pl_jstr(pl_jget(e, "path"), ""), bytes,
                                 pl_jstr(pl_jget(lfs, "oid"), NULL), err);
    }
    (void)pl_jdoc_free(doc);
    return rc;
}

static const char *pl_hub_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

bool pl_hub_is_model(const char *path)
{
    /* llama.cpp, common/download.cpp, gguf_filename_is_model */
    static const char *const others[] = {"mmproj",  "imatrix", "mtp-",
                                         "eagle3-", "dflash-", "dspark-"};
    const char *base = pl_hub_base(path);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcasestr(base, others[i]) != NULL)
            return false;
    }
    return true;
}

/* "-00002-of-00003.gguf" and so on: not where a split model is opened. */
bool pl_hub_later_part(const char *path)
{
    size_t n = strlen(path);
    const char *s = n > 20 ? path + n - 20 : "";
    return s[0] == '-' && strspn(s + 1, "0123456789") == 5 && strncmp(s + 6, "-of-", 4) == 0 &&
           strspn(s + 10, "0123456789") == 5 && strncmp(s + 1, "00001", 5) != 0;
}

/* 0 no, 1 somewhere, 2 with a boundary before it */
static int pl_hub_named(const char *path, const char *quant)
{
    size_t n = strlen(quant);
    int best = 0;
    for (const char *s = strcasestr(path, quant); s != NULL; s = strcasestr(s + 1, quant)) {
        bool end = s[n] == '.' || s[n] == '-' || s[n] == '/';
        bool begin = s == path || !isalnum((unsigned char)s[-1]);
        int is = !end ? 0 : begin ? 2 : 1;
        best = is > best ? is : best;
    }
    return best;
}

static const struct pl_hub_file *pl_hub_with(const struct pl_hub_list *l, const char *quant)
{
    const struct pl_hub_file *found = NULL;
    int best = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        const char *path = l->file[i].path;
        if (strcasecmp(path, quant) == 0 || strcasecmp(pl_hub_base(path), quant) == 0)
            return &l->file[i];
        int is = pl_hub_is_model(path) && !pl_hub_later_part(path) ? pl_hub_named(path, quant) : 0;
        if (is > best) {
            best = is;
            found = &l->file[i];
        }
    }
    return found;
}

const struct pl_hub_file *pl_hub_choose(const struct pl_hub_list *l, const char *quant)
{
    if (quant != NULL && quant[0] != '\0')
        return pl_hub_with(l, quant);
    const struct pl_hub_file *f = pl_hub_with(l, "Q4_K_M");
    if (f == NULL)
        f = pl_hub_with(l, "Q8_0");
    for (uint32_t i = 0; i < l->n && f == NULL; i++) {
        if (pl_hub_is_model(l->file[i].path) && !pl_hub_later_part(l->file[i].path))
            f = &l->file[i];
    }
    return f;
}

/* "Q4_K_M" of "dir/Name-Q4_K_M-00001-of-00002.gguf": the last word, as llama.cpp's tag. */
bool pl_hub_tag(const char *path, char out[PL_HUB_TAG_MAX])
{
    const char *base = pl_hub_base(path);
    size_t n = strlen(base) - 5, split = strlen("-00001-of-00002");
    if (n > split && base[n - split] == '-' && strncmp(base + n - 9, "-of-", 4) == 0)
        n -= split;
    size_t at = n;
    while (at > 0 && (isalnum((unsigned char)base[at - 1]) || base[at - 1] == '_'))
        at--;
    if (at == 0 || n == at || n - at >= PL_HUB_TAG_MAX)
        return false;
    for (size_t i = at; i < n; i++)
        out[i - at] = (char)toupper((unsigned char)base[i]);
    out[n - at] = '\0';
    return true;
}

static int pl_hub_bits(const char *path)
{
    char tag[PL_HUB_TAG_MAX];
    const char *digit = pl_hub_tag(path, tag) ? strpbrk(tag, "0123456789") : NULL;
    int bits = 0;
    for (; digit != NULL && isdigit((unsigned char)*digit) && bits < 1000; digit++)
        bits = bits * 10 + (*digit - '0');
    return bits;
}

const struct pl_hub_file *pl_hub_projector(const struct pl_hub_list *l,
                                           const struct pl_hub_file *model)
{
    const struct pl_hub_file *best = NULL;
    size_t best_depth = 0;
    int want = pl_hub_bits(model->path), best_off = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        const char *path = l->file[i].path;
        size_t folder = (size_t)(pl_hub_base(path) - path);
        if (strcasestr(pl_hub_base(path), "mmproj") == NULL ||
            strncmp(path, model->path, folder) != 0)
            continue;
        int off = abs(pl_hub_bits(path) - want);
        if (best == NULL || folder > best_depth || (folder == best_depth && off < best_off)) {
            best = &l->file[i];
            best_depth = folder;
            best_off = off;
        }
    }
    return best;
}

void pl_hub_quants(const struct pl_hub_list *l, char *out, size_t size)
{
    char tag[PL_HUB_TAG_MAX];
    out[0] = '\0';
    for (uint32_t i = 0; i < l->n; i++) {
        const char *path = l->file[i].path;
        size_t used = strlen(out);
        if (!pl_hub_is_model(path) || pl_hub_later_part(path) || !pl_hub_tag(path, tag) ||
            strstr(out, tag) != NULL)
            continue;
        if (used + strlen(tag) + 8 >= size) {
            (void)pl_fmt(out + used, size - used, ", ...");
            return;
        }
        (void)pl_fmt(out + used, size - used, "%s%s", used > 0 ? ", " : "", tag);
    }
}
