/* Inside model/remote: one remote file, of which the first bytes are here. */
#ifndef PL_MODEL_REMOTE_PART_H
#define PL_MODEL_REMOTE_PART_H

#include "model/header_cache.h"
#include "model/remote.h"
#include "sys/http_get.h"

struct pl_remote_part {
    const struct pl_remote_options *o;
    struct pl_get *get; /* borrowed; NULL offline */
    char *path;         /* the URL as shown: what the reader of the format sees; owned */
    char *url;          /* with its secrets; owned */
    char *where;        /* where a redirect led to, or NULL; owned */
    struct pl_validators is;
    uint8_t *data; /* the first `len` bytes; owned */
    size_t len, size;
    bool whole; /* the cache has all of the header: what follows is not asked for */
    char local[PL_HEADER_CACHE_PATH_MAX]; /* the copy in the cache, or "" */
};

/* Prepares the part of that URL: from the cache, when the server says it is still so (or offline),
 * else its first window. -ENOMEM, or as pl_remote_read. */
int pl_remote_part_open(const struct pl_remote_options *o, struct pl_get *get, const char *url,
                        struct pl_remote_part **ret, struct pl_err *err);
struct pl_remote_part *pl_remote_part_free(struct pl_remote_part *p); /* accepts, returns NULL */

/* Makes the first n bytes ready. */
int pl_remote_part_need(struct pl_remote_part *p, uint64_t n, struct pl_err *err);

#endif
