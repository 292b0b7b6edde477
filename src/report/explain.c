#include "report/explain.h"

#include "base/clock.h"
#include "base/units.h"
#include "machine/assess.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_EXPLAIN_DEPTH 10
#define PL_EXPLAIN_FIELDS_MAX 20000

static const struct pl_field_row pl_fields[] = {
#include "fields.inc"
};

#define PL_FIELDS (sizeof(pl_fields) / sizeof(pl_fields[0]))

const struct pl_field_row *pl_field_row(const char *path)
{
    for (size_t i = 0; i < PL_FIELDS; i++) {
        if (pl_streq(pl_fields[i].path, path))
            return &pl_fields[i];
    }
    return NULL;
}

/* One value found in the document. */
struct pl_explained {
    const struct pl_field_row *row;
    char path[160];   /* "pools[0].available" */
    char subject[64]; /* "ram": the name of the list's member it belongs to; "" = none */
    pl_jval value;    /* borrowed from the document */
};

struct pl_explain {
    struct pl_explained *field;
    size_t n, size;
};

struct pl_explain_frame {
    pl_jval value;
    const char *key; /* the member being walked; NULL before the first */
    size_t index;
    size_t path, pattern; /* lengths of the texts at this depth */
    bool array;
};

struct pl_explain_walk {
    struct pl_explain_frame frame[PL_EXPLAIN_DEPTH];
    size_t depth;
    char path[160], pattern[160], subject[64];
    struct pl_explain *out;
};

/* A quantity, a rate or a sensor is one field. */
static bool pl_explain_is_leaf(pl_jval v)
{
    if (pl_jis_array(v))
        return pl_jlen(v) == 0 || (!pl_jis_object(pl_jat(v, 0)) && !pl_jis_array(pl_jat(v, 0)));
    if (!pl_jis_object(v))
        return true;
    return pl_jnext(v, NULL) == NULL || !pl_jis_null(pl_jget(v, "source")) ||
           pl_streq(pl_jnext(v, NULL), "value") || pl_streq(pl_jnext(v, NULL), "state");
}

static int pl_explain_keep(struct pl_explain_walk *w, pl_jval v)
{
    struct pl_explain *e = w->out;
    if (e->n >= PL_EXPLAIN_FIELDS_MAX)
        return -E2BIG;
    if (e->n == e->size) {
        size_t size = e->size > 0 ? e->size * 2 : 128;
        struct pl_explained *more = reallocarray(e->field, size, sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        e->field = more;
        e->size = size;
    }
    struct pl_explained *f = &e->field[e->n++];
    *f = (struct pl_explained){.row = pl_field_row(w->pattern), .value = v};
    (void)PL_FMT(f->path, "%s", w->path);
    (void)PL_FMT(f->subject, "%s", w->subject);
    return 0;
}

/* What a member of a list is called: its first text. */
static void pl_explain_subject(struct pl_explain_walk *w, pl_jval v)
{
    static const char *const name[] = {"pool", "id", "name", "path", "slot", "url", "kind"};
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        const char *s = pl_jstr(pl_jget(v, name[i]), NULL);
        if (s != NULL) {
            (void)pl_text_cut(w->subject, sizeof(w->subject), s);
            return;
        }
    }
}

/* Goes to the next member of the innermost frame; false at its end. Sets the texts. */
static bool pl_explain_step(struct pl_explain_walk *w, pl_jval *ret)
{
    struct pl_explain_frame *f = &w->frame[w->depth - 1];
    w->path[f->path] = w->pattern[f->pattern] = '\0';
    if (f->array) {
        if (f->index >= pl_jlen(f->value))
            return false;
        *ret = pl_jat(f->value, f->index);
        (void)pl_fmt(w->path + f->path, sizeof(w->path) - f->path, "[%zu]", f->index++);
        (void)pl_fmt(w->pattern + f->pattern, sizeof(w->pattern) - f->pattern, "[]");
        w->subject[0] = '\0';
        pl_explain_subject(w, *ret);
        return true;
    }
    f->key = pl_jnext(f->value, f->key);
    if (f->key == NULL)
        return false;
    *ret = pl_jget(f->value, f->key);
    const char *dot = f->path > 0 ? "." : "";
    (void)pl_fmt(w->path + f->path, sizeof(w->path) - f->path, "%s%s", dot, f->key);
    (void)pl_fmt(w->pattern + f->pattern, sizeof(w->pattern) - f->pattern, "%s%s", dot, f->key);
    if (w->depth == 1)
        w->subject[0] = '\0';
    return true;
}

static int pl_explain_walk(pl_jval root, struct pl_explain *out)
{
    struct pl_explain_walk w = {.depth = 1, .out = out};
    int rc = 0;
    w.frame[0] = (struct pl_explain_frame){.value = root};
    while (rc == 0 && w.depth > 0) {
        pl_jval v = NULL;
        if (!pl_explain_step(&w, &v)) {
            w.depth--;
            continue;
        }
        if (pl_explain_is_leaf(v) || w.depth == PL_EXPLAIN_DEPTH) {
            rc = pl_explain_keep(&w, v);
            continue;
        }
        w.frame[w.depth++] = (struct pl_explain_frame){.value = v,
                                                       .path = strlen(w.path),
                                                       .pattern = strlen(w.pattern),
                                                       .array = pl_jis_array(v)};
    }
    return rc;
}

/* "value", "none", "unknown", or the state a reading has. */
static const char *pl_explain_state(const struct pl_field_row *row, pl_jval v)
{
    const char *state = pl_jstr(pl_jget(v, "state"), NULL);
    bool known = !pl_jis_null(v);
    if (pl_jis_object(v))
        known = !pl_jis_null(pl_jget(v, "bytes")) || !pl_jis_null(pl_jget(v, "value"));
    if (state != NULL)
        return state;
    if (known)
        return "value";
    return row != NULL && row->absent != NULL ? row->absent : "unknown";
}

static void pl_explain_scalar(pl_jval v, struct pl_str *out)
{
    uint64_t u = 0;
    double d = 0;
    const char *s = pl_jstr(v, NULL);
    if (s != NULL)
        pl_str_add(out, s);
    else if (pl_ju64(v, &u))
        pl_str_addf(out, "%llu", (unsigned long long)u);
    else if (pl_jnum(v, &d))
        pl_str_addf(out, "%.6g", d);
    else
        pl_str_add(out, pl_jbool(v, false) ? "yes" : "no");
}

/* Amount and how it was found. rate: bytes a second. */
static void pl_explain_amount(pl_jval v, bool rate, struct pl_str *out)
{
    char text[PL_SIZE_TEXT_MAX];
    uint64_t bytes = 0;
    const char *why = pl_jstr(pl_jget(v, "why"), NULL);
    const char *source = pl_jstr(pl_jget(v, "source"), NULL);
    if (pl_ju64(pl_jget(v, "bytes"), &bytes) && rate)
        pl_str_addf(out, "%.1f GB/s", (double)bytes / 1e9);
    else if (pl_ju64(pl_jget(v, "bytes"), &bytes))
        pl_str_add(out, pl_size_text(bytes, text));
    else if (!pl_jis_null(pl_jget(v, "value")))
        pl_explain_scalar(pl_jget(v, "value"), out);
    else
        pl_str_add(out, pl_explain_state(NULL, v));
    if (source != NULL && !pl_streq(source, "unknown"))
        pl_str_addf(out, ", %s", source);
    if (why != NULL)
        pl_str_addf(out, ": %s", why);
}

static void pl_explain_value(const struct pl_explained *f, struct pl_str *out)
{
    if (pl_jis_object(f->value)) {
        pl_explain_amount(f->value, pl_ends(f->path, "_per_second"), out);
        return;
    }
    if (!pl_jis_array(f->value)) {
        if (pl_jis_null(f->value))
            pl_str_add(out, pl_explain_state(f->row, f->value));
        else
            pl_explain_scalar(f->value, out);
        return;
    }
    if (pl_jlen(f->value) == 0)
        pl_str_add(out, "none");
    for (size_t i = 0; i < pl_jlen(f->value); i++) {
        pl_str_add(out, i == 0 ? "" : pl_ends(f->path, "notes") ? "; " : " ");
        pl_explain_scalar(pl_jat(f->value, i), out);
    }
}

/* "2026-11-21T09:15:00.123Z", or NULL. */
static const char *pl_explain_when(const struct pl_field_row *row, const uint64_t *times,
                                   char out[PL_TIME_TEXT_MAX + 8])
{
    char text[PL_TIME_TEXT_MAX];
    uint64_t ms = times != NULL && pl_probes[0] != NULL ? times[0] : 0;
    for (size_t i = 0; times != NULL && row->probe != NULL && pl_probes[i] != NULL; i++) {
        if (pl_streq(pl_probes[i]->name, row->probe))
            ms = times[i];
    }
    if (ms == 0)
        return NULL;
    (void)pl_utc_text((int64_t)(ms / 1000), text);
    (void)pl_fmt(out, PL_TIME_TEXT_MAX + 8, "%.19s.%03uZ", text, (unsigned)(ms % 1000));
    return out;
}

static int pl_explain_read(const struct pl_str *machine_json, struct pl_jdoc **ret_doc,
                           struct pl_explain *out, struct pl_err *err)
{
    int rc = pl_jdoc_parse(pl_str_get(machine_json), machine_json->len, "assess", ret_doc, err);
    if (rc == 0 && pl_explain_walk(pl_jdoc_root(*ret_doc), out) < 0)
        rc = pl_fail(err, -ENOMEM, "the machine has too many fields to explain");
    return rc;
}

/* The first field of a row heads it; all of the row follow with what they are called. */
static void pl_explain_row(const struct pl_explain *e, size_t first, const uint64_t *times,
                           struct pl_str *out)
{
    const struct pl_field_row *row = e->field[first].row;
    char when[PL_TIME_TEXT_MAX + 8];
    pl_str_addf(out, "\n%s: %s\n", row->path, row->what);
    for (size_t i = first; i < e->n; i++) {
        const struct pl_explained *f = &e->field[i];
        if (f->row != row)
            continue;
        bool listed = strchr(f->path, '[') != NULL;
        pl_str_addf(out, "    %-9s  ",
                    f->subject[0] != '\0' ? f->subject
                    : listed              ? f->path
                                          : "is");
        pl_explain_value(f, out);
        pl_str_add(out, "\n");
    }
    const char *time = pl_explain_when(row, times, when);
    pl_str_addf(out, "    read from  %s\n    read at    %s\n    matters    %s\n", row->how,
                time != NULL ? time : "not known: a dump does not say", row->matters);
}

int pl_explain_text(const struct pl_str *machine_json, const uint64_t *times, struct pl_str *out,
                    struct pl_err *err)
{
    struct pl_explain e = {0};
    struct pl_jdoc *doc = NULL;
    int rc = pl_explain_read(machine_json, &doc, &e, err);
    for (size_t i = 0; rc == 0 && i < e.n; i++) {
        bool seen = e.field[i].row == NULL;
        for (size_t k = 0; k < i && !seen; k++)
            seen = e.field[k].row == e.field[i].row;
        if (!seen)
            pl_explain_row(&e, i, times, out);
    }
    free(e.field);
    doc = pl_jdoc_free(doc);
    return rc;
}

int pl_explain_json(const struct pl_str *machine_json, const uint64_t *times, struct pl_json *j,
                    struct pl_err *err)
{
    struct pl_explain e = {0};
    struct pl_jdoc *doc = NULL;
    int rc = pl_explain_read(machine_json, &doc, &e, err);
    pl_json_array(j, "explain");
    for (size_t i = 0; rc == 0 && i < e.n; i++) {
        const struct pl_explained *f = &e.field[i];
        char when[PL_TIME_TEXT_MAX + 8];
        if (f->row == NULL)
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "field", f->row->path);
        pl_json_str(j, "path", f->path);
        pl_json_str(j, "what", f->row->what);
        pl_json_str(j, "state", pl_explain_state(f->row, f->value));
        pl_json_str(j, "read_from", f->row->how);
        pl_json_str(j, "why", pl_jstr(pl_jget(f->value, "why"), NULL));
        pl_json_str(j, "read_at", pl_explain_when(f->row, times, when));
        pl_json_str(j, "matters", f->row->matters);
        pl_json_end(j);
    }
    pl_json_end(j);
    free(e.field);
    doc = pl_jdoc_free(doc);
    return rc;
}
