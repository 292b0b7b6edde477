#include "model/gguf_in.h"

#include "base/checked.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PL_GGUF_BLOCK_SLACK (32u * 1024u) /* what the arena adds to a small request, and more */

void pl_gguf_in_start(struct pl_gguf_in *in, struct pl_input *input, uint8_t *window)
{
    *in = (struct pl_gguf_in){.input = input, .window = window, .where = {.what = "header"}};
}

int pl_gguf_bad(struct pl_err *err, const char *fmt, ...)
{
    char text[PL_ERR_WHAT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)pl_fail(err, -EBADMSG, "%s", text);
    return pl_exit_as(err, -EBADMSG, PL_EXIT_USAGE);
}

int pl_gguf_no_memory(const struct pl_arena *a, uint64_t n, size_t size, struct pl_err *err)
{
    uint64_t want = pl_add_sat(pl_mul_sat(n, size), PL_GGUF_BLOCK_SLACK);
    if (want > a->cap - a->taken)
        return pl_gguf_bad(err, "header: it needs more than the %u MiB allowed for one model",
                           (unsigned)(PL_GGUF_MEMORY_MAX >> 20));
    return pl_fail(err, -ENOMEM, "no memory for the header");
}

const char *pl_gguf_where_text(const struct pl_gguf_in *in, char out[PL_GGUF_WHERE_MAX])
{
    const struct pl_gguf_where *w = &in->where;
    if (w->name != NULL)
        (void)pl_fmt(out, PL_GGUF_WHERE_MAX, "%s '%.80s'", w->what, w->name);
    else if (pl_streq(w->what, "header"))
        (void)pl_fmt(out, PL_GGUF_WHERE_MAX, "header");
    else
        (void)pl_fmt(out, PL_GGUF_WHERE_MAX, "%s %llu", w->what, (unsigned long long)w->index);
    return out;
}

int pl_gguf_cut(uint64_t count, uint64_t limit, struct pl_err *err)
{
    if (count <= limit)
        (void)pl_hint(err, "the download may be unfinished");
    return -EBADMSG;
}

static int pl_gguf_short(const struct pl_gguf_in *in, uint64_t wanted, struct pl_err *err)
{
    char where[PL_GGUF_WHERE_MAX];
    (void)pl_gguf_bad(err, "%s: truncated: %llu bytes wanted at byte %llu, the file has %llu",
                      pl_gguf_where_text(in, where), (unsigned long long)wanted,
                      (unsigned long long)pl_gguf_at(in), (unsigned long long)in->input->bytes);
    (void)pl_hint(err, "the download may be unfinished");
    return -EBADMSG;
}

int pl_gguf_need(struct pl_gguf_in *in, size_t n, struct pl_err *err)
{
    if (in->len - in->pos >= n)
        return 0;
    uint64_t at = pl_gguf_at(in), left = pl_gguf_left(in);
    if (left < n)
        return pl_gguf_short(in, n, err);
    if (at + n > PL_GGUF_HEADER_MAX)
        return pl_gguf_bad(err, "header: longer than %u MiB", (unsigned)(PL_GGUF_HEADER_MAX >> 20));
    size_t len = left < PL_GGUF_WINDOW ? (size_t)left : PL_GGUF_WINDOW;
    in->window_at = at;
    in->pos = in->len = 0;
    int rc = in->input->read(in->input, at, in->window, len, err);
    if (rc == 0)
        in->len = len;
    return rc;
}

int pl_gguf_skip(struct pl_gguf_in *in, uint64_t n, struct pl_err *err)
{
    if (n <= in->len - in->pos) {
        in->pos += (size_t)n;
        return 0;
    }
    if (n > pl_gguf_left(in))
        return pl_gguf_short(in, n, err);
    in->window_at = pl_gguf_at(in) + n;
    in->pos = in->len = 0;
    return 0;
}

int pl_gguf_copy(struct pl_gguf_in *in, void *buf, size_t n, struct pl_err *err)
{
    uint8_t *to = buf;
    while (n > 0) {
        size_t step = n < PL_GGUF_WINDOW ? n : PL_GGUF_WINDOW;
        int rc = pl_gguf_need(in, step, err);
        if (rc < 0)
            return rc;
        memcpy(to, in->window + in->pos, step);
        in->pos += step;
        to += step;
        n -= step;
    }
    return 0;
}

int pl_gguf_u32(struct pl_gguf_in *in, uint32_t *ret, struct pl_err *err)
{
    int rc = pl_gguf_need(in, sizeof(*ret), err);
    if (rc < 0)
        return rc;
    *ret = (uint32_t)pl_gguf_load(in->window + in->pos, sizeof(*ret), in->swap);
    in->pos += sizeof(*ret);
    return 0;
}

int pl_gguf_u64(struct pl_gguf_in *in, uint64_t *ret, struct pl_err *err)
{
    int rc = pl_gguf_need(in, sizeof(*ret), err);
    if (rc < 0)
        return rc;
    *ret = pl_gguf_load(in->window + in->pos, sizeof(*ret), in->swap);
    in->pos += sizeof(*ret);
    return 0;
}

int pl_gguf_name(struct pl_gguf_in *in, struct pl_arena *a, uint64_t max, const char **ret,
                 struct pl_err *err)
{
    uint64_t n = 0;
    char where[PL_GGUF_WHERE_MAX];
    int rc = pl_gguf_u64(in, &n, err);
    if (rc < 0)
        return rc;
    if (n == 0 || n > max)
        return pl_gguf_bad(err, "%s: a name of %llu bytes (1 to %llu allowed)",
                           pl_gguf_where_text(in, where), (unsigned long long)n,
                           (unsigned long long)max);
    if (n > pl_gguf_left(in))
        return pl_gguf_short(in, n, err);
    char *s = pl_arena_alloc(a, (size_t)n + 1, 1);
    if (s == NULL)
        return pl_gguf_no_memory(a, n + 1, 1, err);
    rc = pl_gguf_copy(in, s, (size_t)n, err);
    if (rc < 0)
        return rc;
    if (strlen(s) != n)
        return pl_gguf_bad(err, "%s: its name contains a NUL byte", pl_gguf_where_text(in, where));
    *ret = s;
    return 0;
}
