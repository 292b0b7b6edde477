/* Headers of remote models that were read once, under $XDG_CACHE_HOME/plimsoll/headers: two files
 * for each address, HASH.gguf with the first bytes of the remote file and HASH.json with what they
 * are. The hash is that of the address, so nothing secret in it (a signature, a password) lands in
 * a name; the addresses in the .json are without user, query and fragment. */
#ifndef PL_MODEL_HEADER_CACHE_H
#define PL_MODEL_HEADER_CACHE_H

#include "base/err.h"
#include "sys/http_facts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_HEADER_CACHE_PATH_MAX 1024
#define PL_HEADER_BYTES_MAX (64u << 20) /* of one file; real headers stay below 16 MiB */

/* What makes a remote file the same file. */
struct pl_validators {
    uint64_t bytes; /* length of the whole file */
    char etag[PL_HTTP_TAG_MAX], modified[64], linked[PL_HTTP_TAG_MAX];
};

struct pl_header_entry {
    struct pl_validators is;
    uint8_t *data; /* owned; free() */
    size_t len;
    char path[PL_HEADER_CACHE_PATH_MAX]; /* of the .gguf */
};

/* Folder `sub` of the program's cache; false without a HOME. */
bool pl_cache_folder(const char *sub, char *out, size_t size);

/* True when the whole header of url is there and undamaged. dir NULL: the default. */
bool pl_header_cache_get(const char *dir, const char *url, struct pl_header_entry *ret);

/* Keeps len bytes. ret_path gets the path of the copy. -ENOENT when there is no place for a cache.
 */
int pl_header_cache_put(const char *dir, const char *url, const struct pl_validators *is,
                        const uint8_t *data, size_t len, char ret_path[PL_HEADER_CACHE_PATH_MAX],
                        struct pl_err *err);

#endif
