#include "model/header_cache.h"

#include "base/json.h"
#include "base/sha256.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/newfile.h"
#include "sys/url.h"
#include "sys/xdg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_HEADER_SCHEMA "plimsoll.header/1"
#define PL_HEADER_META_MAX (16u * 1024u)
#define PL_HEADER_NAME 32 /* hexadecimal digits of the hash in a name */

bool pl_cache_folder(const char *sub, char *out, size_t size)
{
    return pl_xdg_path(out, size, PL_XDG_CACHE, "plimsoll/%s", sub) == 0;
}

static bool pl_header_paths(const char *dir, const char *url, char gguf[PL_HEADER_CACHE_PATH_MAX],
                            char json[PL_HEADER_CACHE_PATH_MAX])
{
    char folder[PL_HEADER_CACHE_PATH_MAX - 64], hash[PL_SHA256_TEXT_MAX];
    if (dir != NULL ? !PL_FMT(folder, "%s", dir)
                    : !pl_cache_folder("headers", folder, sizeof(folder)))
        return false;
    (void)pl_sha256_text(url, strlen(url), hash);
    return pl_fmt(gguf, PL_HEADER_CACHE_PATH_MAX, "%s/%.*s.gguf", folder, PL_HEADER_NAME, hash) &&
           pl_fmt(json, PL_HEADER_CACHE_PATH_MAX, "%s/%.*s.json", folder, PL_HEADER_NAME, hash);
}

/* Reads the .json; hash gets what the bytes must hash to. */
static bool pl_header_meta(const char *path, struct pl_header_entry *ret,
                           char hash[PL_SHA256_TEXT_MAX])
{
    struct pl_str text;
    struct pl_jdoc *doc = NULL;
    uint64_t len = 0;
    pl_str_init(&text, PL_HEADER_META_MAX);
    bool ok = pl_file_text(path, &text, NULL) == 0 &&
              pl_jdoc_parse(pl_str_get(&text), text.len, path, &doc, NULL) == 0;
    pl_jval root = ok ? pl_jdoc_root(doc) : NULL;
    ok = ok && pl_streq(pl_jstr(pl_jget(root, "schema"), ""), PL_HEADER_SCHEMA) &&
         pl_ju64(pl_jget(root, "bytes"), &ret->is.bytes) &&
         pl_ju64(pl_jget(root, "header_bytes"), &len) && len > 0 && len <= PL_HEADER_BYTES_MAX &&
         PL_FMT(ret->is.etag, "%s", pl_jstr(pl_jget(root, "etag"), "")) &&
         PL_FMT(ret->is.modified, "%s", pl_jstr(pl_jget(root, "last_modified"), "")) &&
         PL_FMT(ret->is.linked, "%s", pl_jstr(pl_jget(root, "linked_etag"), "")) &&
         pl_fmt(hash, PL_SHA256_TEXT_MAX, "%s", pl_jstr(pl_jget(root, "header_sha256"), ""));
    ret->len = (size_t)len;
    (void)pl_jdoc_free(doc);
    pl_str_done(&text);
    return ok;
}

bool pl_header_cache_get(const char *dir, const char *url, struct pl_header_entry *ret)
{
    char json[PL_HEADER_CACHE_PATH_MAX], want[PL_SHA256_TEXT_MAX] = "", got[PL_SHA256_TEXT_MAX];
    struct pl_str data;
    memset(ret, 0, sizeof(*ret));
    if (!pl_header_paths(dir, url, ret->path, json) || !pl_header_meta(json, ret, want))
        return false;
    pl_str_init(&data, ret->len + 1);
    bool ok = pl_file_text(ret->path, &data, NULL) == 0 && data.len == ret->len &&
              pl_streq(pl_sha256_text(pl_str_get(&data), data.len, got), want);
    if (!ok) {
        pl_str_done(&data);
        return false;
    }
    ret->data = (uint8_t *)data.data; /* given on: it came from malloc */
    return true;
}

int pl_header_cache_put(const char *dir, const char *url, const struct pl_validators *is,
                        const uint8_t *data, size_t len, char ret_path[PL_HEADER_CACHE_PATH_MAX],
                        struct pl_err *err)
{
    char json[PL_HEADER_CACHE_PATH_MAX], shown[PL_URL_MAX], hash[PL_SHA256_TEXT_MAX];
    struct pl_str text;
    struct pl_json j;
    if (!pl_header_paths(dir, url, ret_path, json))
        return pl_fail(err, -ENOENT, "no place for the cache of headers: HOME is not set");
    pl_str_init(&text, PL_HEADER_META_MAX);
    pl_json_start(&j, &text, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", PL_HEADER_SCHEMA);
    pl_json_str(&j, "url", pl_url_shown(url, shown));
    pl_json_u64(&j, "bytes", is->bytes);
    pl_json_str(&j, "etag", is->etag);
    pl_json_str(&j, "last_modified", is->modified);
    pl_json_str(&j, "linked_etag", is->linked);
    pl_json_u64(&j, "header_bytes", len);
    pl_json_str(&j, "header_sha256", pl_sha256_text(data, len, hash));
    pl_json_end(&j);
    pl_str_add(&text, "\n");
    int rc = text.failed ? -ENOMEM : pl_make_parents(ret_path, 0700, err);
    /* the .json last: without it, or beside other bytes, the entry counts for nothing */
    if (rc == 0)
        rc = pl_newfile_write(ret_path, data, len, 0600, true, err);
    if (rc == 0)
        rc = pl_newfile_write(json, pl_str_get(&text), text.len, 0600, true, err);
    pl_str_done(&text);
    return rc;
}
