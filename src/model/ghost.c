#include "model/ghost.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/whisper.h"
#include "model/gguf.h"
#include "model/gguf_write.h"
#include "model/ghost_fill.h"
#include "model/ghost_header.h"
#include "model/reader.h"
#include "model/whisper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PL_GHOST_CHUNK (4u << 20)    /* written at once; a cancel is noticed between two */
#define PL_GHOST_SLACK (16ull << 20) /* disk that a file of holes may take beyond its header */
#define PL_DISK_BLOCK 512u           /* unit of st_blocks, stat(2) */

struct pl_ghost {
    const struct pl_model *m;
    const struct pl_ghost_options *o;
    const char *path;
    char part[PATH_MAX]; /* the file while it is written */
    int fd;
    struct pl_tensor *tensor; /* m's table, laid out in one file */
    uint64_t data_at, data_bytes, total;
    uint64_t done; /* bytes written, for progress */
    uint8_t *chunk;
    struct pl_ghost_written *ret;
};

static int pl_ghost_system(const struct pl_ghost *g, int code, struct pl_err *err)
{
    char size[PL_SIZE_TEXT_MAX];
    if (code == -ENOSPC || code == -EDQUOT) {
        (void)pl_fail(err, -ENOSPC, "%.160s: the disk is full", g->path);
        if (g->total > 0) /* not known while the header is written */
            (void)pl_hint(err, "%s needed", pl_size_text(g->total, size));
        code = -ENOSPC;
    } else if (code == -EFBIG) {
        (void)pl_fail(err, code, "%.120s: the file system or a limit forbids a file of %s", g->path,
                      pl_size_text(g->total, size));
    } else {
        (void)pl_fail(err, code, "%.160s: %s", g->path, strerror(-code));
    }
    return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
}

/* May path be replaced? Yes when nothing is there, or a ghost, or with force a plain file; never
 * the source itself. */
static int pl_ghost_target(const struct pl_ghost *g, struct pl_err *err)
{
    struct stat st, source;
    struct pl_model *there = NULL;
    if (stat(g->path, &st) < 0)
        return errno == ENOENT ? 0 : pl_ghost_system(g, -errno, err);
    const char *why = NULL;
    if (!S_ISREG(st.st_mode))
        why = "is there and is no plain file";
    for (uint32_t i = 0; i < g->m->n_file && why == NULL; i++) {
        if (stat(g->m->file[i].path, &source) == 0 && source.st_dev == st.st_dev &&
            source.st_ino == st.st_ino)
            why = "is the model itself";
    }
    bool hint = false;
    if (why == NULL && !g->o->force) {
        const struct pl_kv *kv = NULL;
        if (pl_model_read(g->path, &there, NULL) == 0)
            kv = pl_model_kv(there, PL_GGUF_GHOST_KEY);
        bool hole = there != NULL && there->format != NULL && there->ghost; /* it keeps no keys */
        if (!hole && (kv == NULL || kv->type != PL_KV_BOOL || kv->u == 0))
            why = "is there and is no ghost";
        hint = why != NULL;
        (void)pl_model_free(there);
    }
    if (why == NULL)
        return 0;
    (void)pl_fail(err, -EEXIST, "%.160s: %s; nothing was written", g->path, why);
    if (hint)
        (void)pl_hint(err, "give --force to overwrite it");
    return pl_exit_as(err, -EEXIST, PL_EXIT_USAGE);
}

/* A new file beside the target, so that the final rename stays in one file system. */
static int pl_ghost_create(struct pl_ghost *g, struct pl_err *err)
{
    const char *slash = strrchr(g->path, '/');
    int dir = slash != NULL ? (int)(slash - g->path) + 1 : 0;
    for (int k = 0; k < 100; k++) {
        if (!PL_FMT(g->part, "%.*s.plimsoll-%ld-%d.part", dir, g->path, (long)getpid(), k))
            return pl_ghost_system(g, -ENAMETOOLONG, err);
        g->fd = open(g->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (g->fd >= 0) {
            struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
            (void)fcntl(g->fd, F_OFD_SETLK, &held); /* tells pl_ghost_sweep: somebody writes */
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    int code = -errno;
    g->part[0] = '\0';
    return pl_ghost_system(g, code, err);
}

static int pl_ghost_tick(struct pl_ghost *g, struct pl_err *err)
{
    if (g->o->progress != NULL && g->o->progress(g->o->ctx, g->done, g->total) != 0)
        return pl_exit_as(err,
                          pl_fail(err, -ECANCELED, "%.160s: stopped; nothing was written", g->path),
                          PL_EXIT_ENVIRONMENT);
    return 0;
}

static int pl_ghost_write_at(struct pl_ghost *g, uint64_t at, size_t n, struct pl_err *err)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pwrite(g->fd, g->chunk + done, n - done, (off_t)(at + done));
        if (got < 0 && errno != EINTR)
            return pl_ghost_system(g, -errno, err);
        done += got > 0 ? (size_t)got : 0;
    }
    g->done += n;
    return pl_ghost_tick(g, err);
}

static int pl_ghost_tensor(struct pl_ghost *g, uint64_t index, struct pl_err *err)
{
    const struct pl_tensor *t = &g->tensor[index];
    struct pl_ghost_fill fill;
    if (g->o->fill == PL_FILL_ZERO && !pl_ghost_fill_always(t))
        return 0;
    if (!pl_ghost_fill_start(&fill, t, index, g->o->seed))
        return 0;
    size_t chunk = pl_ghost_fill_chunk(&fill, PL_GHOST_CHUNK);
    int rc = 0;
    for (uint64_t at = 0; at < t->bytes && rc == 0; at += chunk) {
        size_t n = t->bytes - at < chunk ? (size_t)(t->bytes - at) : chunk;
        pl_ghost_fill_next(&fill, g->chunk, n);
        rc = pl_ghost_write_at(g, g->data_at + t->offset + at, n, err);
    }
    return rc;
}

static int pl_ghost_room(const struct pl_ghost *g, struct pl_err *err)
{
    struct statvfs fs;
    char need[PL_SIZE_TEXT_MAX], have[PL_SIZE_TEXT_MAX];
    if (g->o->fill == PL_FILL_ZERO || fstatvfs(g->fd, &fs) < 0)
        return 0;
    uint64_t room = pl_mul_sat(fs.f_bavail, fs.f_frsize);
    if (room >= g->total)
        return 0;
    (void)pl_fail(err, -ENOSPC, "%.120s: the disk has %s free, %s needed", g->path,
                  pl_size_text(room, have), pl_size_text(g->total, need));
    (void)pl_hint(err, "a ghost with --fill zero takes no disk");
    return pl_exit_as(err, -ENOSPC, PL_EXIT_ENVIRONMENT);
}

static bool pl_ghost_whisper(const struct pl_ghost *g)
{
    return g->m->format != NULL && pl_streq(g->m->format, PL_WHISPER_FORMAT);
}

/* A GGUF file up to its data; of a whisper.cpp file all but the data. */
static int pl_ghost_headers(struct pl_ghost *g, struct pl_err *err)
{
    struct pl_gguf_out out;
    if (pl_ghost_whisper(g)) {
        int rc =
            pl_whisper_put(g->m, g->fd, g->tensor, &g->total, &g->ret->synthetic_tokenizer, err);
        return rc < 0 && rc != -EBADMSG && rc != -EINVAL ? pl_ghost_system(g, rc, err) : rc;
    }
    int rc = pl_gguf_out_init(&out, g->fd, err);
    if (rc == 0)
        rc = pl_ghost_header(&out, g->m, g->tensor, g->o->fill, &g->ret->synthetic_tokenizer, err);
    if (rc == 0 && pl_gguf_out_flush(&out) < 0)
        rc = pl_ghost_system(g, out.failed, err);
    g->data_at = out.at;
    pl_gguf_out_done(&out);
    if (rc < 0)
        return rc;
    if (!pl_add_u64(g->data_at, g->data_bytes, &g->total) || g->total > INT64_MAX)
        return pl_fail(err, -ERANGE, "%s: the file's length overflows", g->m->path);
    return 0;
}

static int pl_ghost_content(struct pl_ghost *g, struct pl_err *err)
{
    int rc = pl_ghost_headers(g, err);
    if (rc < 0)
        return rc;
    rc = pl_ghost_room(g, err);
    if (rc == 0 && ftruncate(g->fd, (off_t)g->total) < 0)
        rc = pl_ghost_system(g, -errno, err);
    g->done = g->data_at;
    if (rc == 0)
        rc = pl_ghost_tick(g, err);
    for (uint64_t i = 0; i < g->m->n_tensor && rc == 0; i++)
        rc = pl_ghost_tensor(g, i, err);
    return rc;
}

/* Makes it durable and gives it its name. */
static int pl_ghost_finish(struct pl_ghost *g, struct pl_err *err)
{
    struct stat st;
    char dir[PATH_MAX];
    if (fsync(g->fd) < 0 || fstat(g->fd, &st) < 0)
        return pl_ghost_system(g, -errno, err);
    int rc = pl_ghost_tick(g, err);
    if (rc < 0)
        return rc;
    if (rename(g->part, g->path) < 0)
        return pl_ghost_system(g, -errno, err);
    g->part[0] = '\0';
    g->ret->bytes = (uint64_t)st.st_size;
    g->ret->disk_bytes = (uint64_t)st.st_blocks * PL_DISK_BLOCK;
    g->ret->weight_bytes = pl_model_tensor_bytes(g->m);
    g->ret->n_tensor = g->m->n_tensor;
    g->ret->no_holes = g->o->fill == PL_FILL_ZERO && g->data_bytes > PL_GHOST_SLACK &&
                       g->ret->disk_bytes > g->data_at + PL_GHOST_SLACK;
    const char *slash = strrchr(g->path, '/');
    (void)PL_FMT(dir, "%.*s", slash != NULL ? (int)(slash - g->path) + 1 : 1,
                 slash != NULL ? g->path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* the file is whole either way; only the name may be lost in a crash */
        (void)close(fd);
    }
    return 0;
}

static int pl_ghost_run(struct pl_ghost *g, struct pl_err *err)
{
    const struct pl_model *m = g->m;
    if (m->big_endian)
        return pl_fail(err, -ENOTSUP, "%s: big-endian files cannot be ghosted", m->path);
    int rc = pl_ghost_target(g, err);
    if (rc < 0)
        return rc;
    g->tensor = calloc((size_t)m->n_tensor + 1, sizeof(*g->tensor));
    g->chunk = malloc(PL_GHOST_CHUNK);
    if (g->tensor == NULL || g->chunk == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory for its tensor table", m->path);
    for (uint64_t i = 0; i < m->n_tensor; i++)
        g->tensor[i] = m->tensor[i];
    if (pl_ghost_whisper(g))
        g->data_bytes = pl_model_tensor_bytes(m);
    else
        rc = pl_gguf_lay_out(g->tensor, m->n_tensor, m->alignment, &g->data_bytes, err);
    if (rc == 0)
        rc = pl_ghost_create(g, err);
    if (rc == 0)
        rc = pl_ghost_content(g, err);
    return rc == 0 ? pl_ghost_finish(g, err) : rc;
}

int pl_ghost_write(const struct pl_model *m, const char *path, const struct pl_ghost_options *o,
                   struct pl_ghost_written *ret, struct pl_err *err)
{
    struct pl_ghost_written written = {0};
    struct pl_ghost *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return pl_fail(err, -ENOMEM, "%s: no memory", path);
    *g = (struct pl_ghost){.m = m, .o = o, .path = path, .fd = -1, .ret = &written};
    int rc = pl_ghost_run(g, err);
    if (g->fd >= 0)
        (void)close(g->fd);
    if (g->part[0] != '\0')
        (void)unlink(g->part);
    free(g->tensor);
    free(g->chunk);
    free(g);
    if (rc == 0 && ret != NULL)
        *ret = written;
    return rc;
}
