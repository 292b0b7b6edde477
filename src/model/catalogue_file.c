#include "model/catalogue_file.h"

#include "base/str.h"
#include "model/tokenizer.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PL_FILE_COLUMNS_MAX 64u
#define PL_FILE_CELL_MAX 1024u
/* Far above any model; sums and products of them stay within 64 bits. */
#define PL_FILE_PARAMETERS_MAX 1000000000000000ull
#define PL_FILE_SHAPE_MAX (1ull << 31)
#define PL_FILE_VOCAB_MAX (1ull << 24)
#define PL_FILE_LAYERS_MAX 512ull /* llama.cpp: LLAMA_MAX_LAYERS */

enum pl_column_kind {
    PL_COLUMN_TEXT = 0,
    PL_COLUMN_ID,
    PL_COLUMN_NAME, /* letters, digits, - _ . */
    PL_COLUMN_KIND, /* llm, vlm ... */
    PL_COLUMN_SWA,  /* letters s, f, c */
    PL_COLUMN_TOKENIZER,
    PL_COLUMN_NUMBER,
    PL_COLUMN_LIST, /* "a/b" or "v*k,v*k": the number is its first */
    PL_COLUMN_REAL,
    PL_COLUMN_UNUSED,
};

struct pl_column {
    const char *name;
    enum pl_column_kind kind;
    size_t at, list; /* offsets in the row */
    uint64_t max;
};

#define AT(member) offsetof(struct pl_catalogue_row, member)
#define TEXT(member, kind)                                                                         \
    {                                                                                              \
#member, kind, AT(member), 0, 0                                                            \
    }
#define NUMBER(member, max)                                                                        \
    {                                                                                              \
#member, PL_COLUMN_NUMBER, AT(member), 0, max                                              \
    }
#define LIST(member, max)                                                                          \
    {                                                                                              \
#member, PL_COLUMN_LIST, AT(member), AT(member##_list), max                                \
    }
static const struct pl_column pl_columns[] = {
    TEXT(id, PL_COLUMN_ID),
    TEXT(display_name, PL_COLUMN_TEXT),
    TEXT(aliases, PL_COLUMN_TEXT),
    TEXT(hf_repo, PL_COLUMN_TEXT),
    TEXT(family, PL_COLUMN_TEXT),
    TEXT(released, PL_COLUMN_TEXT),
    TEXT(licence, PL_COLUMN_TEXT),
    TEXT(kind, PL_COLUMN_KIND),
    TEXT(gguf_arch, PL_COLUMN_NAME),
    NUMBER(params_total, PL_FILE_PARAMETERS_MAX),
    NUMBER(params_active, PL_FILE_PARAMETERS_MAX),
    NUMBER(params_text, PL_FILE_PARAMETERS_MAX),
    LIST(n_layer, PL_FILE_LAYERS_MAX),
    NUMBER(n_embd, PL_FILE_SHAPE_MAX),
    LIST(n_ff, PL_FILE_SHAPE_MAX),
    LIST(n_head, PL_FILE_SHAPE_MAX),
    LIST(n_head_kv, PL_FILE_SHAPE_MAX),
    LIST(head_dim_k, PL_FILE_SHAPE_MAX),
    LIST(head_dim_v, PL_FILE_SHAPE_MAX),
    NUMBER(n_vocab, PL_FILE_VOCAB_MAX),
    NUMBER(tied_embeddings, 1),
    NUMBER(ctx_train, PL_FILE_SHAPE_MAX),
    NUMBER(swa_window, PL_FILE_SHAPE_MAX),
    TEXT(swa_pattern, PL_COLUMN_SWA),
    NUMBER(n_expert, 1u << 16),
    NUMBER(n_expert_used, 1u << 16),
    NUMBER(n_expert_shared, 1u << 16),
    NUMBER(moe_n_ff, PL_FILE_SHAPE_MAX),
    NUMBER(shared_n_ff, PL_FILE_SHAPE_MAX),
    NUMBER(leading_dense_layers, PL_FILE_LAYERS_MAX),
    NUMBER(mla_kv_lora_rank, PL_FILE_SHAPE_MAX),
    NUMBER(mla_rope_dim, PL_FILE_SHAPE_MAX),
    TEXT(ssm, PL_COLUMN_TEXT),
    TEXT(arch_extra, PL_COLUMN_TEXT),
    NUMBER(mtp_layers, PL_FILE_LAYERS_MAX),
    NUMBER(mmproj_bytes_f16, PL_FILE_PARAMETERS_MAX),
    {"rope_base", PL_COLUMN_REAL,   AT(rope_base), 0, 0},
    {"rms_eps",   PL_COLUMN_REAL,   AT(rms_eps),   0, 0},
    TEXT(tokenizer, PL_COLUMN_TOKENIZER),
    NUMBER(checked, 1),
    NUMBER(offered, 1),
    TEXT(source, PL_COLUMN_TEXT),
    TEXT(note, PL_COLUMN_TEXT),
    {"tower",     PL_COLUMN_UNUSED, 0,             0, 0},
    {"hf_extra",  PL_COLUMN_UNUSED, 0,             0, 0},
};
#undef AT
#undef TEXT
#undef NUMBER
#undef LIST
#define PL_COLUMNS (sizeof(pl_columns) / sizeof(pl_columns[0]))

struct pl_rows_file {
    const char *name, *at, *end;
    uint32_t line;
    struct pl_arena *arena;
    struct pl_err *err;
    const struct pl_column *column[PL_FILE_COLUMNS_MAX];
    uint32_t n_column;
    const char *from, *cell_at; /* the line; the cell being read */
    struct pl_catalogue_row *row;
    size_t n;
};

/* Ends an error that pl_fail began: where it is, and that it is the input's. */
static int pl_rows_bad(const struct pl_rows_file *f)
{
    pl_err_at(f->err, f->name, f->line, (uint32_t)(f->cell_at - f->from) + 1);
    return pl_exit_as(f->err, -EINVAL, PL_EXIT_USAGE);
}

/* The next cell of the line, copied; false at the end of the line. */
static bool pl_rows_cell(struct pl_rows_file *f, const char **at, const char *end,
                         char out[PL_FILE_CELL_MAX], bool *ret_long)
{
    if (*at == NULL)
        return false;
    const char *tab = memchr(*at, '\t', (size_t)(end - *at));
    size_t n = (size_t)((tab != NULL ? tab : end) - *at);
    *ret_long = n >= PL_FILE_CELL_MAX;
    if (!*ret_long) {
        if (n > 0)
            memcpy(out, *at, n);
        out[n] = '\0';
    }
    f->cell_at = *at;
    *at = tab != NULL ? tab + 1 : NULL;
    return true;
}

static int pl_rows_unknown_column(const struct pl_rows_file *f, char *cell)
{
    const char *names[PL_COLUMNS + 1];
    char shown[64];
    for (size_t i = 0; i < PL_COLUMNS; i++)
        names[i] = pl_columns[i].name;
    names[PL_COLUMNS] = NULL;
    (void)pl_fail(f->err, -EINVAL, "unknown column '%s'", pl_text_cut(shown, sizeof(shown), cell));
    const char *near = pl_nearest(cell, names);
    if (near != NULL)
        (void)pl_hint(f->err, "did you mean %s?", near);
    else
        (void)pl_hint(f->err, "the first line names columns, with a tab between: id, gguf_arch, "
                              "n_layer, n_embd ...");
    return pl_rows_bad(f);
}

static int pl_rows_header(struct pl_rows_file *f, const char *at, const char *end)
{
    char cell[PL_FILE_CELL_MAX] = "";
    bool too_long = false, id = false;
    while (pl_rows_cell(f, &at, end, cell, &too_long)) {
        const struct pl_column *c = NULL;
        for (size_t i = 0; i < PL_COLUMNS && !too_long; i++)
            c = pl_streq(pl_columns[i].name, cell) ? &pl_columns[i] : c;
        if (c == NULL)
            return pl_rows_unknown_column(f, cell);
        for (uint32_t i = 0; i < f->n_column; i++) {
            if (f->column[i] == c) {
                (void)pl_fail(f->err, -EINVAL, "column '%s' twice", c->name);
                return pl_rows_bad(f);
            }
        }
        f->column[f->n_column++] = c; /* no more than there are columns */
        id |= c->kind == PL_COLUMN_ID;
    }
    if (!id) {
        f->cell_at = f->from;
        (void)pl_fail(f->err, -EINVAL, "no column 'id'");
        return pl_rows_bad(f);
    }
    return 0;
}

static int pl_rows_number(const struct pl_rows_file *f, const struct pl_column *c, const char *cell,
                          uint64_t *ret)
{
    if (!pl_parse_u64(cell, ret))
        (void)pl_fail(f->err, -EINVAL, "%s: '%.40s' is not a number", c->name, cell);
    else if (*ret > c->max)
        (void)pl_fail(f->err, -EINVAL, "%s: %.40s is more than %llu", c->name, cell,
                      (unsigned long long)c->max);
    else
        return 0;
    return pl_rows_bad(f);
}

/* "a/b" or "v*k,v*k": every number within the limit. */
static int pl_rows_list(struct pl_rows_file *f, const struct pl_column *c, const char *cell,
                        char *row)
{
    const char *at = cell;
    uint64_t v = 0, first = 0;
    char word[24];
    for (bool more = true; more;) {
        size_t n = strspn(at, "0123456789");
        if (n >= sizeof(word) || !pl_fmt(word, sizeof(word), "%.*s", (int)n, at))
            n = 0;
        int rc = n > 0 ? pl_rows_number(f, c, word, &v) : -EINVAL;
        if (n == 0 || (at[n] != '\0' && strchr("/*,", at[n]) == NULL)) {
            (void)pl_fail(f->err, -EINVAL, "%s: '%.40s' is neither a number nor a list", c->name,
                          cell);
            (void)pl_hint(f->err, "WINDOW/FULL layers, or VALUE*LAYERS,VALUE*LAYERS");
            return pl_rows_bad(f);
        }
        if (rc < 0)
            return rc;
        first = at == cell ? v : first;
        more = at[n] != '\0';
        at += n + (more ? 1 : 0);
    }
    memcpy(row + c->at, &first, sizeof(first));
    const char *list = strpbrk(cell, "/*,") != NULL ? pl_arena_strdup(f->arena, cell) : NULL;
    if (strpbrk(cell, "/*,") != NULL && list == NULL)
        return pl_fail(f->err, -ENOMEM, "no memory for the rows of %s", f->name);
    memcpy(row + c->list, &list, sizeof(list));
    return 0;
}

/* What a text must be to be of its kind; NULL when it is. */
static const char *pl_rows_wrong(const struct pl_column *c, const char *cell)
{
    static const char *const kinds[] = {"llm", "vlm", "embed", "rerank", "stt", "tts", "vision"};
    char copy[PL_FILE_CELL_MAX];
    (void)PL_FMT(copy, "%s", cell);
    pl_text_clean(copy);
    if (!pl_streq(copy, cell))
        return "has characters that cannot be shown";
    if ((c->kind == PL_COLUMN_ID || c->kind == PL_COLUMN_NAME) &&
        !pl_take_name(copy, 64, cell, strlen(cell)))
        return "is not a name: up to 63 letters, digits, '-', '_' and '.'";
    if (c->kind == PL_COLUMN_SWA && cell[strspn(cell, "sfc")] != '\0')
        return "is no pattern: s, f or c for each layer of a period";
    if (c->kind == PL_COLUMN_TOKENIZER && pl_tokenizer_row(cell) == NULL)
        return "is no known tokenizer: bpe or spm where none fits";
    if (c->kind != PL_COLUMN_KIND)
        return NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (pl_streq(kinds[i], cell))
            return NULL;
    }
    return "is not one of llm, vlm, embed, rerank, stt, tts, vision";
}

static int pl_rows_text(struct pl_rows_file *f, const struct pl_column *c, const char *cell,
                        char *row)
{
    char shown[64];
    const char *wrong = pl_rows_wrong(c, cell);
    if (wrong != NULL) {
        (void)pl_fail(f->err, -EINVAL, "%s: '%s' %s", c->name,
                      pl_text_cut(shown, sizeof(shown), cell), wrong);
        return pl_rows_bad(f);
    }
    const char *text = pl_arena_strdup(f->arena, cell);
    if (text == NULL)
        return pl_fail(f->err, -ENOMEM, "no memory for the rows of %s", f->name);
    memcpy(row + c->at, &text, sizeof(text));
    return 0;
}

static int pl_rows_value(struct pl_rows_file *f, const struct pl_column *c, const char *cell,
                         struct pl_catalogue_row *out)
{
    char *row = (char *)out;
    const uint64_t unknown = PL_CATALOGUE_UNKNOWN;
    double real = 0;
    uint64_t v = 0;
    bool number = c->kind == PL_COLUMN_NUMBER || c->kind == PL_COLUMN_LIST;
    if (c->kind == PL_COLUMN_UNUSED || pl_streq(cell, "-") || cell[0] == '\0')
        return 0;
    if (pl_streq(cell, "?")) {
        if (number)
            memcpy(row + c->at, &unknown, sizeof(unknown));
        return 0;
    }
    if (c->kind == PL_COLUMN_LIST)
        return pl_rows_list(f, c, cell, row);
    if (c->kind == PL_COLUMN_NUMBER) {
        int rc = pl_rows_number(f, c, cell, &v);
        if (rc == 0)
            memcpy(row + c->at, &v, sizeof(v));
        return rc;
    }
    if (c->kind != PL_COLUMN_REAL)
        return pl_rows_text(f, c, cell, row);
    if (!pl_parse_double(cell, &real) || !(real >= 0) || real > 1e15) {
        (void)pl_fail(f->err, -EINVAL, "%s: '%.40s' is not a number", c->name, cell);
        return pl_rows_bad(f);
    }
    memcpy(row + c->at, &real, sizeof(real));
    return 0;
}

/* What a row leaves out and others follow from. */
static int pl_rows_fill(struct pl_rows_file *f, struct pl_catalogue_row *r)
{
    char where[PL_FILE_CELL_MAX];
    const char *ropes = r->arch_extra != NULL ? strstr(r->arch_extra, "rope_freqs=") : NULL;
    (void)PL_FMT(where, "%s:%u", f->name, f->line);
    r->file = f->name;
    r->line = f->line;
    r->display_name = r->display_name != NULL ? r->display_name : r->id;
    r->kind = r->kind != NULL ? r->kind : "llm";
    r->tokenizer = r->tokenizer != NULL ? r->tokenizer : "bpe";
    r->params_text = r->params_text > 0 ? r->params_text : r->params_total;
    r->params_active = r->params_active > 0 ? r->params_active : r->params_total;
    if (r->head_dim_k == 0 && r->n_head > 0 && r->n_head != PL_CATALOGUE_UNKNOWN &&
        r->n_embd != PL_CATALOGUE_UNKNOWN)
        r->head_dim_k = r->n_embd / r->n_head;
    r->head_dim_v = r->head_dim_v > 0 ? r->head_dim_v : r->head_dim_k;
    if (ropes != NULL) {
        ropes += strlen("rope_freqs=");
        if (!pl_take_u64(&ropes, &r->rope_freqs) || r->rope_freqs > PL_FILE_SHAPE_MAX)
            r->rope_freqs = 0;
    }
    r->source = r->source != NULL ? r->source : pl_arena_strdup(f->arena, where);
    return r->source != NULL ? 0
                             : pl_fail(f->err, -ENOMEM, "no memory for the rows of %s", f->name);
}

static int pl_rows_row(struct pl_rows_file *f, const char *at, const char *end)
{
    struct pl_catalogue_row *r = &f->row[f->n];
    char cell[PL_FILE_CELL_MAX] = "";
    bool too_long = false;
    uint32_t i = 0;
    *r = (struct pl_catalogue_row){0};
    for (; pl_rows_cell(f, &at, end, cell, &too_long); i++) {
        if (too_long)
            (void)pl_fail(f->err, -EINVAL, "a cell of more than %u bytes", PL_FILE_CELL_MAX - 1);
        else if (i >= f->n_column)
            (void)pl_fail(f->err, -EINVAL, "more than %u cells", f->n_column);
        if (too_long || i >= f->n_column)
            return pl_rows_bad(f);
        int rc = pl_rows_value(f, f->column[i], cell, r);
        if (rc < 0)
            return rc;
    }
    if (i != f->n_column || r->id == NULL) {
        f->cell_at = f->from;
        if (i != f->n_column)
            (void)pl_fail(f->err, -EINVAL, "%u cells, not %u as in the first line", i, f->n_column);
        else
            (void)pl_fail(f->err, -EINVAL, "a row without an id");
        return pl_rows_bad(f);
    }
    for (size_t k = 0; k < f->n; k++) {
        if (pl_streq(f->row[k].id, r->id)) {
            f->cell_at = f->from;
            (void)pl_fail(f->err, -EINVAL, "%s twice, first in line %u", r->id, f->row[k].line);
            return pl_rows_bad(f);
        }
    }
    int rc = pl_rows_fill(f, r);
    f->n += rc == 0 ? 1 : 0;
    return rc;
}

static size_t pl_rows_lines(const char *text, size_t n)
{
    size_t lines = 1;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n' ? 1 : 0;
    return lines;
}

static int pl_rows_run(struct pl_rows_file *f)
{
    int rc = 0;
    while (f->at < f->end && rc == 0) {
        const char *newline = memchr(f->at, '\n', (size_t)(f->end - f->at));
        const char *end = newline != NULL ? newline : f->end;
        f->line++;
        f->from = f->cell_at = f->at;
        f->at = newline != NULL ? newline + 1 : f->end;
        if (memchr(f->from, '\0', (size_t)(end - f->from)) != NULL) {
            (void)pl_fail(f->err, -EINVAL, "a byte of zero");
            return pl_rows_bad(f);
        }
        end -= end > f->from && end[-1] == '\r' ? 1 : 0;
        if (end == f->from || *f->from == '#')
            continue;
        rc = f->n_column == 0 ? pl_rows_header(f, f->from, end) : pl_rows_row(f, f->from, end);
    }
    return rc;
}

int pl_catalogue_file_parse(const char *text, size_t n, const char *name, struct pl_arena *arena,
                            struct pl_catalogue_row **ret, size_t *ret_n, struct pl_err *err)
{
    struct pl_rows_file f = {.at = text, .end = text + n, .arena = arena, .err = err};
    size_t lines = n <= PL_CATALOGUE_FILE_MAX ? pl_rows_lines(text, n) : SIZE_MAX;
    f.name = pl_arena_strdup(arena, name);
    f.from = f.cell_at = text;
    if (f.name == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the rows of %s", name);
    if (lines > PL_CATALOGUE_FILE_ROWS_MAX) {
        (void)pl_fail(err, -EINVAL, "more than %u lines", PL_CATALOGUE_FILE_ROWS_MAX);
        return pl_rows_bad(&f);
    }
    f.row = pl_arena_alloc(arena, lines, sizeof(*f.row));
    if (f.row == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the rows of %s", name);
    int rc = pl_rows_run(&f);
    if (rc < 0)
        return rc;
    *ret = f.row;
    *ret_n = f.n;
    return 0;
}
