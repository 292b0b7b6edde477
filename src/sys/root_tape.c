#include "sys/root_tape.h"

#include "base/str.h"
#include "sys/ustar.h"
#include "sys/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_TABLE_TEXT_MAX (32u * 1024 * 1024)

void pl_root_record(const struct pl_root *root, enum pl_tape_kind kind, const char *path, int error,
                    const void *data, size_t len)
{
    if (root->tape != NULL)
        pl_tape_put(root->tape, kind, path, error, data, len);
}

/* A descriptor to read data from, at its start, or a negative errno. */
static int pl_root_memory_file(const char *data, size_t len)
{
    int fd = memfd_create("plimsoll", MFD_CLOEXEC);
    if (fd >= 0 && pl_write_all(fd, data, len) < 0) {
        (void)close(fd);
        return -EIO;
    }
    if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        int code = -errno;
        if (fd >= 0)
            (void)close(fd);
        return code;
    }
    return fd;
}

/* Everything from fd; 0 or the negative errno of the read that failed. */
static int pl_root_slurp(int fd, struct pl_str *out)
{
    char buf[16384];
    while (!out->failed) {
        ssize_t n = read(fd, buf, sizeof(buf));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        pl_str_addn(out, buf, (size_t)n);
    }
    return -E2BIG;
}

int pl_root_record_file(const struct pl_root *root, const char *path, int fd)
{
    struct stat st;
    struct pl_str text;
    if (root->tape == NULL)
        return fd;
    if (fd < 0) {
        pl_root_record(root, PL_TAPE_FILE, path, fd, NULL, 0);
        return fd;
    }
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        return fd; /* the caller refuses it */
    pl_str_init(&text, PL_TAPE_FILE_BYTES_MAX);
    int rc = pl_root_slurp(fd, &text);
    (void)close(fd);
    pl_root_record(root, PL_TAPE_FILE, path, rc, pl_str_get(&text), text.len);
    if (rc == 0)
        rc = pl_root_memory_file(pl_str_get(&text), text.len);
    pl_str_done(&text);
    return rc;
}

/* A link counts as what it leads to: in the capture it is a folder or a file. */
static bool pl_root_is_folder(DIR *dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_LNK && e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

void pl_root_record_dir(const struct pl_root *root, const char *path, DIR *dir)
{
    struct pl_str list;
    if (root->tape == NULL || pl_tape_find(root->tape, PL_TAPE_DIR, path) != NULL)
        return;
    pl_str_init(&list, PL_TAPE_FILE_BYTES_MAX);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (!pl_streq(e->d_name, ".") && !pl_streq(e->d_name, "..") &&
            strchr(e->d_name, '\n') == NULL)
            pl_str_addf(&list, "%c %s\n", pl_root_is_folder(dir, e) ? 'd' : 'f', e->d_name);
    }
    rewinddir(dir);
    if (list.failed)
        root->tape->failed = -E2BIG;
    pl_root_record(root, PL_TAPE_DIR, path, 0, pl_str_get(&list), list.len);
    pl_str_done(&list);
}

const struct pl_tape_entry *pl_root_taped_text(const struct pl_root *root, enum pl_tape_kind kind,
                                               const char *path)
{
    if (root->replay != NULL)
        return pl_tape_find(root->replay, kind, path);
    return root->tape != NULL ? pl_tape_find(root->tape, kind, path) : NULL;
}

bool pl_root_taped(const struct pl_root *root, enum pl_tape_kind kind, const char *path,
                   int *ret_fd)
{
    const struct pl_tape_entry *e = pl_root_taped_text(root, kind, path);
    if (e == NULL)
        return false;
    *ret_fd = e->error < 0 ? e->error : pl_root_memory_file(e->data, e->len);
    return true;
}

int pl_root_replay_code(const struct pl_root *root, int fd)
{
    if (root->replay != NULL && (fd == -ENOENT || fd == -ENOTDIR))
        return -ENODATA;
    return fd;
}

/* Reads DIR/plimsoll/NAME; *ret_there is false when there is none. */
static int pl_root_table(const struct pl_root *root, const char *path, struct pl_str *out,
                         bool *ret_there, struct pl_err *err)
{
    int fd = -1;
    int rc = pl_root_open_file(root, path, &fd, err);
    *ret_there = rc == 0;
    if (rc == -ENOENT || rc == -ENOTDIR)
        return 0;
    if (rc == 0) {
        rc = pl_root_slurp(fd, out);
        (void)close(fd);
    }
    if (rc < 0)
        return pl_fail(err, rc, "%.120s/%s: %s", root->path, path, strerror(-rc));
    return 0;
}

int pl_root_replay_open(struct pl_root *root, struct pl_err *err)
{
    static const char errors[] = "plimsoll/errors.tsv", links[] = "plimsoll/links.tsv",
                      live[] = "plimsoll/live.tsv";
    static const char *const path[] = {errors, links, live};
    struct pl_tape *tape = NULL;
    bool there = true;
    int rc = 0;
    for (size_t i = 0; rc == 0 && there && i < sizeof(path) / sizeof(path[0]); i++) {
        struct pl_str text;
        struct pl_err why = {0};
        pl_str_init(&text, PL_TABLE_TEXT_MAX);
        rc = pl_root_table(root, path[i], &text, &there, err);
        there = there || i > 0; /* only the first says whether this is a capture */
        if (tape == NULL && rc == 0 && there && (tape = pl_tape_new()) == NULL)
            rc = pl_fail(err, -ENOMEM, "no memory for the capture");
        if (rc == 0 && there && text.len > 0) {
            int bad = i == 0 ? pl_tape_errors_parse(tape, text.data, &why)
                             : pl_tape_pairs_parse(tape, i == 1 ? PL_TAPE_LINK : PL_TAPE_LIVE,
                                                   text.data, &why);
            if (bad < 0)
                rc = pl_fail(err, bad, "%.100s/%s: %.60s", root->path, path[i], why.what);
        }
        pl_str_done(&text);
    }
    if (rc < 0)
        tape = pl_tape_free(tape);
    root->replay = tape; /* not before: the tables themselves are ordinary files */
    return rc;
}

int pl_root_unpack(struct pl_root *root, const char *path, struct pl_err *err)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    return pl_ustar_unpack(path, &root->unpacked, err);
}

void pl_root_replay_done(struct pl_root *root)
{
    root->replay = pl_tape_free(root->replay);
    if (root->unpacked != NULL)
        pl_ustar_remove(root->unpacked);
    free(root->unpacked);
    root->unpacked = NULL;
}
