#include "sys/tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const pl_tape_kinds[] = {"file", "dir", "link", "live"};

const char *pl_tape_kind_name(enum pl_tape_kind kind)
{
    return pl_tape_kinds[kind];
}

struct pl_tape *pl_tape_new(void)
{
    struct pl_tape *tape = calloc(1, sizeof(*tape));
    if (tape != NULL)
        tape->sorted = true;
    return tape;
}

struct pl_tape *pl_tape_free(struct pl_tape *tape)
{
    for (size_t i = 0; tape != NULL && i < tape->n; i++) {
        free(tape->entry[i].path);
        free(tape->entry[i].data);
    }
    if (tape != NULL)
        free(tape->entry);
    free(tape);
    return NULL;
}

static int pl_tape_compare(const void *a, const void *b)
{
    const struct pl_tape_entry *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* Where the entry is, or would be put. */
static size_t pl_tape_at(const struct pl_tape *tape, enum pl_tape_kind kind, const char *path,
                         bool *ret_found)
{
    size_t low = 0, high = tape->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct pl_tape_entry *e = &tape->entry[mid];
        int order = e->kind != kind ? (e->kind < kind ? -1 : 1) : strcmp(e->path, path);
        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = false;
    return low;
}

const struct pl_tape_entry *pl_tape_find(struct pl_tape *tape, enum pl_tape_kind kind,
                                         const char *path)
{
    bool found = false;
    if (!tape->sorted && tape->n > 0)
        qsort(tape->entry, tape->n, sizeof(*tape->entry), pl_tape_compare);
    tape->sorted = true;
    size_t at = pl_tape_at(tape, kind, path, &found);
    return found ? &tape->entry[at] : NULL;
}

static char *pl_tape_copy(const void *data, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

/* Room for one more; false marks the tape as not whole. */
static bool pl_tape_room(struct pl_tape *tape, size_t len)
{
    if (tape->n >= PL_TAPE_ENTRIES_MAX || len > PL_TAPE_FILE_BYTES_MAX ||
        tape->bytes + len > PL_TAPE_BYTES_MAX) {
        tape->failed = -E2BIG;
        return false;
    }
    if (tape->n < tape->size)
        return true;
    size_t size = tape->size > 0 ? tape->size * 2 : 256;
    struct pl_tape_entry *more = reallocarray(tape->entry, size, sizeof(*more));
    if (more == NULL) {
        tape->failed = -ENOMEM;
        return false;
    }
    tape->entry = more;
    tape->size = size;
    return true;
}

/* Puts it at `at`, or at the end, unsorted, when at is past it. */
static void pl_tape_insert(struct pl_tape *tape, size_t at, enum pl_tape_kind kind,
                           const char *path, int error, const void *data, size_t len)
{
    if (error < 0)
        len = 0;
    if (!pl_tape_room(tape, len))
        return;
    struct pl_tape_entry e = {.kind = kind, .error = error < 0 ? error : 0, .len = len};
    e.path = pl_tape_copy(path, strlen(path));
    e.data = pl_tape_copy(data, len);
    if (e.path == NULL || e.data == NULL) {
        free(e.path);
        free(e.data);
        tape->failed = -ENOMEM;
        return;
    }
    if (at > tape->n) {
        at = tape->n;
        tape->sorted = false;
    }
    memmove(tape->entry + at + 1, tape->entry + at, (tape->n - at) * sizeof(*tape->entry));
    tape->entry[at] = e;
    tape->n++;
    tape->bytes += len;
}

void pl_tape_put(struct pl_tape *tape, enum pl_tape_kind kind, const char *path, int error,
                 const void *data, size_t len)
{
    bool found = false;
    if (pl_tape_find(tape, kind, path) != NULL)
        return;
    size_t at = pl_tape_at(tape, kind, path, &found);
    pl_tape_insert(tape, at, kind, path, error, data, len);
}

static void pl_tape_escape(struct pl_str *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\\' || *s == '\t' || *s == '\n')
            pl_str_addc(out, '\\', 1);
        pl_str_addc(out, *s == '\t' ? 't' : *s == '\n' ? 'n' : *s, 1);
    }
}

/* In place. */
static void pl_tape_unescape(char *s)
{
    char *to = s;
    for (; *s != '\0'; s++) {
        if (*s == '\\' && s[1] != '\0') {
            s++;
            *to++ = (char)(*s == 't' ? '\t' : *s == 'n' ? '\n' : *s);
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

void pl_tape_errors_text(struct pl_tape *tape, struct pl_str *out)
{
    for (size_t i = 0; i < tape->n; i++) {
        const struct pl_tape_entry *e = &tape->entry[i];
        const char *name = e->error < 0 ? strerrorname_np(-e->error) : NULL;
        if (e->error == 0)
            continue;
        pl_str_addf(out, "%s\t", pl_tape_kind_name(e->kind));
        pl_tape_escape(out, e->path);
        pl_str_addf(out, "\t%s\n", name != NULL ? name : "EIO");
    }
}

void pl_tape_pairs_text(struct pl_tape *tape, enum pl_tape_kind kind, struct pl_str *out)
{
    for (size_t i = 0; i < tape->n; i++) {
        const struct pl_tape_entry *e = &tape->entry[i];
        if (e->kind != kind || e->error < 0)
            continue;
        pl_tape_escape(out, e->path);
        pl_str_add(out, "\t");
        pl_tape_escape(out, e->data);
        pl_str_add(out, "\n");
    }
}

/* Cuts the next line off *text; NULL at the end. */
static char *pl_tape_line(char **text)
{
    char *line = *text;
    if (line[0] == '\0')
        return NULL;
    size_t n = strcspn(line, "\n");
    *text = line + n + (line[n] == '\n' ? 1 : 0);
    line[n] = '\0';
    return line;
}

/* Cuts a line at its tabs into exactly n columns, and unescapes them. */
static bool pl_tape_columns(char *line, char *column[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *tab = strchr(line, '\t');
        if ((tab == NULL) != (i + 1 == n))
            return false;
        if (tab != NULL)
            *tab = '\0';
        column[i] = line;
        line = tab != NULL ? tab + 1 : line;
    }
    for (size_t i = 0; i < n; i++)
        pl_tape_unescape(column[i]);
    return true;
}

/* The errno of a name; 0 when there is none. Linux numbers end below 134. */
static int pl_tape_errno(const char *name)
{
    for (int i = 1; i < 134; i++) {
        const char *one = strerrorname_np(i);
        if (one != NULL && pl_streq(one, name))
            return i;
    }
    return 0;
}

int pl_tape_pairs_parse(struct pl_tape *tape, enum pl_tape_kind kind, char *text,
                        struct pl_err *err)
{
    uint32_t number = 0;
    for (char *line; (line = pl_tape_line(&text)) != NULL;) {
        char *column[2];
        number++;
        if (!pl_tape_columns(line, column, 2))
            return pl_fail(err, -EBADMSG, "line %u is not two columns", number);
        pl_tape_insert(tape, SIZE_MAX, kind, column[0], 0, column[1], strlen(column[1]));
    }
    return tape->failed < 0 ? pl_fail(err, tape->failed, "the table is too large") : 0;
}

int pl_tape_errors_parse(struct pl_tape *tape, char *text, struct pl_err *err)
{
    uint32_t number = 0;
    for (char *line; (line = pl_tape_line(&text)) != NULL;) {
        char *column[3];
        int kind = PL_TAPE_FILE;
        number++;
        if (!pl_tape_columns(line, column, 3))
            return pl_fail(err, -EBADMSG, "line %u is not three columns", number);
        while (kind <= PL_TAPE_LIVE && !pl_streq(column[0], pl_tape_kinds[kind]))
            kind++;
        int code = pl_tape_errno(column[2]);
        if (kind > PL_TAPE_LIVE || code == 0)
            return pl_fail(err, -EBADMSG, "line %u: unknown kind or error", number);
        pl_tape_insert(tape, SIZE_MAX, (enum pl_tape_kind)kind, column[1], -code, NULL, 0);
    }
    return tape->failed < 0 ? pl_fail(err, tape->failed, "the table is too large") : 0;
}
