#include "model/stores.h"

#include "base/checked.h"
#include "base/sha256.h"
#include "base/str.h"
#include "model/gguf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_STORES_BLOCK 512u /* stat(2): the unit of st_blocks */

void pl_stores_done(struct pl_stores *s)
{
    free(s->item);
    pl_arena_done(&s->arena);
    *s = (struct pl_stores){0};
}

static void pl_stores_sizes(struct pl_store_item *i, const struct stat *st)
{
    i->bytes = pl_add_sat(i->bytes, (uint64_t)st->st_size);
    i->disk_bytes = pl_add_sat(i->disk_bytes, pl_mul_sat((uint64_t)st->st_blocks, PL_STORES_BLOCK));
    i->n_file++;
}

static void pl_stores_parts(struct pl_stores *s, struct pl_store_item *i, uint64_t count)
{
    struct stat st;
    for (uint64_t k = 1; k < count; k++) {
        const char *path = pl_gguf_part_path(&s->arena, i->path, 0, count, k);
        if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            pl_stores_sizes(i, &st);
    }
}

int pl_stores_add(struct pl_stores *s, const char *store, const char *name, const char *path,
                  const char *sha256, struct pl_err *err)
{
    struct stat st;
    uint64_t no = 1, count = 1;
    bool split = pl_gguf_part_of(path, &no, &count);
    if (no > 1 || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if (s->n >= PL_STORES_ITEMS_MAX) {
        s->cut = true;
        return 0;
    }
    if ((s->n & (s->n - 1)) == 0) {
        size_t size = s->n == 0 ? 1 : 2 * (size_t)s->n;
        struct pl_store_item *item = realloc(s->item, size * sizeof(*item));
        if (item == NULL)
            return pl_fail(err, -ENOMEM, "no memory for the list of models");
        s->item = item;
    }
    struct pl_store_item *i = &s->item[s->n];
    *i = (struct pl_store_item){
        .store = store, .dev = st.st_dev, .ino = st.st_ino, .same_as = -1, .same_by = NULL};
    i->path = pl_arena_strdup(&s->arena, path);
    i->name = name != NULL ? pl_arena_strdup(&s->arena, name) : i->path;
    i->sha256 = sha256 != NULL ? pl_arena_strdup(&s->arena, sha256) : NULL;
    if (i->path == NULL || i->name == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list of models");
    pl_stores_sizes(i, &st);
    if (split)
        pl_stores_parts(s, i, count);
    s->n++;
    return 0;
}

/* SHA-256 of the first PL_STORES_HEAD bytes; false when they cannot be read. */
static bool pl_stores_head(const char *path, uint8_t out[PL_SHA256_BYTES])
{
    uint8_t buf[16384];
    struct pl_sha256 sha;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : 1;
    size_t done = 0;
    pl_sha256_start(&sha);
    while (n > 0 && done < PL_STORES_HEAD) {
        n = read(fd, buf, sizeof(buf));
        if (n > 0) {
            pl_sha256_add(&sha, buf, (size_t)n);
            done += (size_t)n;
        }
    }
    if (fd >= 0)
        (void)close(fd);
    pl_sha256_end(&sha, out);
    return n >= 0;
}

/* Of each item, read at most once: models of one shape are many files of one length. */
struct pl_stores_sum {
    bool read, known;
    uint8_t sha256[PL_SHA256_BYTES];
};

static const struct pl_stores_sum *pl_stores_sum(const struct pl_store_item *i,
                                                 struct pl_stores_sum *sum)
{
    if (!sum->read)
        sum->known = pl_stores_head(i->path, sum->sha256);
    sum->read = true;
    return sum;
}

static const char *pl_stores_alike(const struct pl_store_item *a, const struct pl_store_item *b,
                                   struct pl_stores_sum *sum_a, struct pl_stores_sum *sum_b)
{
    if (a->dev == b->dev && a->ino == b->ino)
        return "same file";
    if (a->bytes != b->bytes || a->n_file != b->n_file)
        return NULL;
    if (a->sha256 != NULL && b->sha256 != NULL)
        return pl_streq(a->sha256, b->sha256) ? "same SHA-256" : NULL;
    const struct pl_stores_sum *x = pl_stores_sum(a, sum_a), *y = pl_stores_sum(b, sum_b);
    bool same = x->known && y->known && memcmp(x->sha256, y->sha256, sizeof(x->sha256)) == 0;
    return same ? "same length and same first MiB" : NULL;
}

int pl_stores_same(struct pl_stores *s, struct pl_err *err)
{
    struct pl_stores_sum *sum = calloc((size_t)s->n + 1, sizeof(*sum));
    if (sum == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list of models");
    for (uint32_t i = 1; i < s->n; i++) {
        struct pl_store_item *it = &s->item[i];
        for (uint32_t k = 0; k < i && it->same_as < 0; k++) {
            const char *by =
                s->item[k].same_as < 0 ? pl_stores_alike(&s->item[k], it, &sum[k], &sum[i]) : NULL;
            if (by == NULL)
                continue;
            it->same_as = k;
            it->same_by = by;
        }
        for (uint32_t k = 0; k < i && !it->same_file; k++)
            it->same_file = s->item[k].dev == it->dev && s->item[k].ino == it->ino;
    }
    free(sum);
    return 0;
}
