#include "machine/capture.h"

#include "base/clock.h"
#include "sys/ustar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pl_capture_work {
    const struct pl_capture *c;
    struct pl_tape *made; /* the same, without secrets, and with what was listed only */
    struct pl_str *out;
    uint32_t files;
};

/* path and data without secrets. */
static void pl_capture_copy(struct pl_capture_work *w, const struct pl_tape_entry *e)
{
    struct pl_redact *r = w->c->redact;
    struct pl_str path, data;
    pl_str_init(&path, 4096);
    pl_str_init(&data, PL_TAPE_FILE_BYTES_MAX);
    if (r != NULL) {
        pl_redact_text(r, "", e->path, strlen(e->path), &path);
        pl_redact_text(r, e->kind == PL_TAPE_DIR ? "" : e->path, e->data, e->len, &data);
    }
    bool as_is = r == NULL;
    pl_tape_put(w->made, e->kind, as_is ? e->path : pl_str_get(&path), e->error,
                as_is ? e->data : pl_str_get(&data), as_is ? e->len : data.len);
    if (path.failed || data.failed)
        w->made->failed = -E2BIG;
    pl_str_done(&path);
    pl_str_done(&data);
}

/* A file that was only listed: in the archive an empty one, and in the table of what cannot be
 * read, so that nobody takes it for empty. */
static void pl_capture_listed(struct pl_capture_work *w, const char *folder, const char *line)
{
    char path[1024];
    size_t n = strcspn(line, "\n");
    if (n < 3 || !PL_FMT(path, "%s/%.*s", folder, (int)(n - 2), line + 2))
        return;
    if (line[0] == 'd') {
        (void)pl_ustar_add_dir(w->out, path, w->c->time);
    } else if (pl_tape_find(w->made, PL_TAPE_FILE, path) == NULL) {
        pl_tape_put(w->made, PL_TAPE_FILE, path, -ENODATA, NULL, 0);
    }
}

static void pl_capture_folder(struct pl_capture_work *w, const char *path, const char *list)
{
    (void)pl_ustar_add_dir(w->out, path, w->c->time);
    for (const char *line = list; *line != '\0'; line += strcspn(line, "\n") + 1) {
        pl_capture_listed(w, path, line);
        if (strchr(line, '\n') == NULL)
            break;
    }
}

/* A file that is there but could not be read stands in its folder, empty. */
static bool pl_capture_in_archive(const struct pl_tape_entry *e)
{
    return e->kind == PL_TAPE_FILE &&
           (e->error == 0 || (e->error != -ENOENT && e->error != -ENOTDIR && e->error != -ESRCH));
}

static int pl_capture_file(struct pl_capture_work *w, const char *name, const char *data,
                           size_t len)
{
    int rc = pl_ustar_add_file(w->out, name, data, len, w->c->time);
    w->files += rc == 0 ? 1 : 0;
    return rc;
}

static void pl_capture_tables(struct pl_capture_work *w)
{
    static const struct {
        const char *name;
        int kind;
    } table[] = {
        {"plimsoll/errors.tsv", -1          },
        {"plimsoll/links.tsv",  PL_TAPE_LINK},
        {"plimsoll/live.tsv",   PL_TAPE_LIVE},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct pl_str text;
        pl_str_init(&text, PL_TAPE_FILE_BYTES_MAX);
        if (table[i].kind < 0)
            pl_tape_errors_text(w->made, &text);
        else
            pl_tape_pairs_text(w->made, (enum pl_tape_kind)table[i].kind, &text);
        w->made->failed = text.failed ? -E2BIG : w->made->failed;
        (void)pl_capture_file(w, table[i].name, pl_str_get(&text), text.len);
        pl_str_done(&text);
    }
}

static void pl_capture_extras(struct pl_capture_work *w)
{
    struct pl_str about;
    char when[PL_TIME_TEXT_MAX];
    pl_str_init(&about, 4096);
    pl_str_addf(&about, "program\tplimsoll %s\ntime\t%s\nredacted\t%s\n", PL_VERSION,
                pl_utc_text(w->c->time, when), w->c->redact != NULL ? "yes" : "no");
    (void)pl_capture_file(w, "plimsoll/about.tsv", pl_str_get(&about), about.len);
    pl_str_done(&about);
    for (const struct pl_capture_extra *x = w->c->extra; x != NULL && x->name != NULL; x++) {
        struct pl_str text;
        pl_str_init(&text, PL_TAPE_FILE_BYTES_MAX);
        if (w->c->redact != NULL)
            pl_redact_text(w->c->redact, x->name, x->text, strlen(x->text), &text);
        else
            pl_str_add(&text, x->text);
        w->made->failed = text.failed ? -E2BIG : w->made->failed;
        (void)pl_capture_file(w, x->name, pl_str_get(&text), text.len);
        pl_str_done(&text);
    }
}

static void pl_capture_members(struct pl_capture_work *w)
{
    struct pl_tape *t = w->c->tape;
    for (size_t i = 0; w->c->redact != NULL && i < t->n; i++) {
        if (t->entry[i].error == 0 && t->entry[i].kind == PL_TAPE_FILE)
            pl_redact_learn(w->c->redact, t->entry[i].path, t->entry[i].data, t->entry[i].len);
    }
    for (size_t i = 0; i < t->n; i++)
        pl_capture_copy(w, &t->entry[i]);
    pl_capture_extras(w); /* first, so that `tar t` begins with what this is */
    for (size_t i = 0, n = w->made->n; i < n; i++) {
        const struct pl_tape_entry *e = &w->made->entry[i];
        if (e->kind != PL_TAPE_DIR || e->error < 0)
            continue;
        /* listing adds entries, which moves the table: copies of what is needed */
        char *path = strdup(e->path), *list = strdup(e->data);
        if (path != NULL && list != NULL)
            pl_capture_folder(w, path, list);
        else
            w->made->failed = -ENOMEM;
        free(path);
        free(list);
        i += w->made->n - n;
        n = w->made->n;
    }
    for (size_t i = 0; i < w->made->n; i++) {
        struct pl_tape_entry *e = &w->made->entry[i];
        if (pl_capture_in_archive(e) &&
            pl_capture_file(w, e->path, e->data, e->len) == -ENAMETOOLONG)
            e->error = -ENAMETOOLONG; /* told in the table, which comes last */
    }
    pl_capture_tables(w);
    pl_ustar_end(w->out);
}

int pl_capture_build(const struct pl_capture *c, struct pl_str *out, uint32_t *ret_files,
                     struct pl_err *err)
{
    struct pl_capture_work w = {.c = c, .made = pl_tape_new(), .out = out};
    if (w.made == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the capture");
    int failed = c->tape->failed;
    if (failed == 0) {
        pl_capture_members(&w);
        failed = out->failed ? -E2BIG : w.made->failed;
    }
    w.made = pl_tape_free(w.made);
    *ret_files = w.files;
    if (failed < 0)
        return pl_fail(err, failed, "the capture is too large or memory ran out: %s",
                       strerror(-failed));
    return 0;
}

bool pl_is_capture(const char *path)
{
    char head[263];
    struct stat st;
    if (pl_streq(path, "-") || stat(path, &st) < 0)
        return false;
    int fd = S_ISREG(st.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : 0;
    if (fd >= 0)
        (void)close(fd);
    /* the magic of a tar header, or of what could be one, packed */
    static const char *const packed[] = {"\x1f\x8b", "BZh", "\xfd\x37zXZ", "\x28\xb5\x2f\xfd"};
    for (size_t i = 0; n >= 5 && i < sizeof(packed) / sizeof(packed[0]); i++) {
        if (memcmp(head, packed[i], strlen(packed[i])) == 0)
            return true;
    }
    return S_ISDIR(st.st_mode) ||
           (n == (ssize_t)sizeof(head) && memcmp(head + 257, "ustar", 5) == 0);
}
