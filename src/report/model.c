#include "report/model.h"

#include "base/table.h"
#include "base/units.h"
#include "report/projector.h"
#include "report/quants.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PL_VALUE_TEXT_MAX 72 /* a key's value in the listing */
#define PL_LABEL_WIDTH 16
#define PL_GB_SHOWN 100000000u /* bytes from which decimal GB say something */

const char *pl_count_text(uint64_t n, char out[PL_COUNT_TEXT_MAX])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {
        {1e12, "trillion"},
        {1e9,  "billion" },
        {1e6,  "million" }
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        double v = (double)n / units[i].unit;
        if (v < 0.9995)
            continue;
        (void)pl_fmt(out, PL_COUNT_TEXT_MAX,
                     v < 9.995   ? "%.2f %s"
                     : v < 99.95 ? "%.1f %s"
                                 : "%.0f %s",
                     v, units[i].name);
        return out;
    }
    if (n >= 1000)
        (void)pl_fmt(out, PL_COUNT_TEXT_MAX, "%" PRIu64 ",%03" PRIu64, n / 1000, n % 1000);
    else
        (void)pl_fmt(out, PL_COUNT_TEXT_MAX, "%" PRIu64, n);
    return out;
}

__attribute__((format(printf, 3, 4))) static void pl_line(struct pl_str *out, const char *label,
                                                          const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    pl_str_addf(out, "  %-*s  %s\n", PL_LABEL_WIDTH, label, text);
}

static void pl_text_head(struct pl_str *out, const struct pl_model *m,
                         const struct pl_description *d)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], n[PL_COUNT_TEXT_MAX], k[PL_COUNT_TEXT_MAX];
    char text[PL_VALUE_TEXT_MAX * 2];
    pl_str_addf(out, "%s\n", m->name);
    pl_line(out, "architecture", "%s%s%s", m->arch,
            d->kind == PL_MODEL_WHOLE ? "" : ", a file of kind ",
            d->kind == PL_MODEL_WHOLE ? "" : pl_model_kind_name(d->kind));
    if (d->parameters_active < d->parameters)
        pl_line(out, "parameters", "%s, %s active per token", pl_count_text(d->parameters, n),
                pl_count_text(d->parameters_active, k));
    else
        pl_line(out, "parameters", "%s", pl_count_text(d->parameters, n));
    pl_line(out, "file type", "%s", pl_model_file_type(m));
    pl_line(out, "tensor data", "%s in %" PRIu64 " tensors", pl_size_text(d->tensor_bytes, a),
            m->n_tensor);
    (void)pl_size_text(m->file_bytes, a);
    if (m->file_bytes >= PL_GB_SHOWN) /* as file listings count */
        (void)PL_FMT(text, "%s (%s)", a, pl_gb_text(m->file_bytes, b));
    else
        (void)PL_FMT(text, "%s", a);
    if (m->n_file == 0)
        pl_line(out, "size", "%s as a file; from the catalogue, no file was read", text);
    else
        pl_line(out, "size", "%s in %u file%s%s", text, m->n_file, m->n_file == 1 ? "" : "s",
                m->ghost ? ", a ghost without weights" : "");
    for (uint32_t i = 0; i < m->n_file; i++)
        pl_line(out, i == 0 ? "path" : "", "%s", pl_text_cut(text, sizeof(text), m->file[i].path));
    if (m->projector != NULL)
        pl_line(out, "projector", "%s (--mmproj)", pl_text_cut(text, sizeof(text), m->projector));
    if (m->format != NULL)
        pl_line(out, "container", "%s", m->format);
    else
        pl_line(out, "container", "GGUF %u, %s-endian, alignment %" PRIu64, m->version,
                m->big_endian ? "big" : "little", m->alignment);
}

static void pl_text_fact(struct pl_str *out, const char *label, const struct pl_fact *f)
{
    if (!f->known)
        pl_line(out, label, "unknown");
    else if (f->low == f->high)
        pl_line(out, label, "%" PRIu64, f->high);
    else
        pl_line(out, label, "%" PRIu64 " to %" PRIu64 ", by layer", f->low, f->high);
}

static void pl_text_shape(struct pl_str *out, const struct pl_description *d)
{
    static const struct {
        enum pl_shape shape;
        const char *label;
        bool always; /* say "unknown" too */
    } rows[] = {
        {PL_SHAPE_CONTEXT,        "context",        true },
        {PL_SHAPE_BLOCKS,         "blocks",         true },
        {PL_SHAPE_EMBEDDING,      "embedding",      true },
        {PL_SHAPE_FEED_FORWARD,   "feed forward",   false},
        {PL_SHAPE_HEADS,          "heads",          false},
        {PL_SHAPE_HEADS_KV,       "KV heads",       false},
        {PL_SHAPE_KEY_LENGTH,     "key length",     false},
        {PL_SHAPE_VALUE_LENGTH,   "value length",   false},
        {PL_SHAPE_SLIDING_WINDOW, "sliding window", false},
        {PL_SHAPE_EXPERTS,        "experts",        false},
        {PL_SHAPE_EXPERTS_USED,   "experts used",   false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct pl_fact *f = &d->shape[rows[i].shape];
        if (f->known ? rows[i].always || f->high > 0 : rows[i].always && d->kind == PL_MODEL_WHOLE)
            pl_text_fact(out, rows[i].label, f);
    }
    if (d->tied_output)
        pl_line(out, "output", "tied to the token embeddings");
}

static void pl_text_tokenizer(struct pl_str *out, const struct pl_tokenizer *t)
{
    char model[PL_VALUE_TEXT_MAX], pre[PL_VALUE_TEXT_MAX], count[48] = "of unknown size";
    if (!t->present)
        return;
    if (t->vocabulary.known)
        (void)PL_FMT(count, "%" PRIu64 " tokens", t->vocabulary.high);
    pl_line(out, "tokenizer", "%s%s%s, %s",
            pl_text_cut(model, sizeof(model), t->model != NULL ? t->model : "unnamed"),
            t->pre != NULL ? "/" : "", pl_text_cut(pre, sizeof(pre), t->pre != NULL ? t->pre : ""),
            count);
    if (t->chat_template)
        pl_line(out, "chat template", "%" PRIu64 " bytes", t->chat_template_bytes);
    else
        pl_line(out, "chat template", "none");
}

static void pl_text_types(struct pl_str *out, const struct pl_description *d, bool colour)
{
    static const char *const titles[] = {"  type",      ">tensors",   ">bytes",
                                         ">parameters", ">bits each", NULL};
    char a[PL_SIZE_TEXT_MAX], n[PL_COUNT_TEXT_MAX];
    if (d->n_type == 0)
        return;
    struct pl_table *t = pl_table_new(titles);
    for (uint32_t i = 0; i < d->n_type; i++) {
        const struct pl_type_total *x = &d->type[i];
        pl_table_row(t);
        pl_table_cell(t, "  %s", x->type->name);
        pl_table_cell(t, "%" PRIu64, x->count);
        pl_table_cell(t, "%s", pl_size_text(x->bytes, a));
        pl_table_cell(t, "%s", pl_count_text(x->parameters, n));
        pl_table_cell(t, "%.2f",
                      (double)x->type->block_bytes * 8 / (double)x->type->block_elements);
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

/* A key's value in a few words. */
static void pl_kv_text(const struct pl_kv *kv, char *out, size_t size)
{
    static const char *const names[PL_KV_TYPES] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                   "i32", "f32", "bool", "string", "array",
                                                   "u64", "i64", "f64"};
    switch (kv->type) {
    case PL_KV_STR:
        (void)pl_text_cut(out, size, kv->str != NULL ? kv->str : "(not kept)");
        break;
    case PL_KV_F32:
    case PL_KV_F64:
        (void)pl_fmt(out, size, "%g", kv->f);
        break;
    case PL_KV_BOOL:
        (void)pl_fmt(out, size, "%s", kv->u != 0 ? "true" : "false");
        break;
    case PL_KV_I8:
    case PL_KV_I16:
    case PL_KV_I32:
    case PL_KV_I64:
        (void)pl_fmt(out, size, "%" PRId64, (int64_t)kv->u);
        break;
    case PL_KV_ARRAY:
        if (kv->ints != NULL && kv->count > 0 && kv->count <= 8) {
            for (uint64_t i = 0, at = 0; i < kv->count && at < size; i++) {
                (void)pl_fmt(out + at, size - at, "%s%" PRId64, i > 0 ? ", " : "", kv->ints[i]);
                at = strlen(out);
            }
        } else {
            (void)pl_fmt(out, size, "%" PRIu64 " x %s", kv->count, names[kv->element]);
        }
        break;
    case PL_KV_U8:
    case PL_KV_U16:
    case PL_KV_U32:
    case PL_KV_U64:
    case PL_KV_TYPES:
        (void)pl_fmt(out, size, "%" PRIu64, kv->u);
        break;
    }
}

static void pl_text_keys(struct pl_str *out, const struct pl_model *m)
{
    char key[PL_VALUE_TEXT_MAX * 2], value[PL_VALUE_TEXT_MAX];
    pl_str_addf(out, "\n%" PRIu64 " keys\n", m->n_kv);
    for (uint64_t i = 0; i < m->n_kv; i++) {
        pl_kv_text(&m->kv[i], value, sizeof(value));
        pl_str_addf(out, "  %-44s  %s\n", pl_text_cut(key, sizeof(key), m->kv[i].key), value);
    }
}

static void pl_text_tensors(struct pl_str *out, const struct pl_model *m)
{
    char name[PL_VALUE_TEXT_MAX * 2], shape[96], size[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "\n%" PRIu64 " tensors\n", m->n_tensor);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        const struct pl_tensor_type *type = pl_tensor_type(t->type);
        size_t at = 0;
        shape[0] = '\0';
        for (uint32_t k = 0; k < t->n_dims; k++) {
            (void)pl_fmt(shape + at, sizeof(shape) - at, "%s%" PRIu64, k > 0 ? " x " : "",
                         t->ne[k]);
            at = strlen(shape);
        }
        pl_str_addf(out, "  %-36s  %-8s  %-24s  %12s\n", pl_text_cut(name, sizeof(name), t->name),
                    type != NULL ? type->name : "?", shape, pl_size_text(t->bytes, size));
    }
}

/* What the quality of a quantisation is looked up by; NULL for files of other engines, whose blocks
 * are the same and whose models are not. */
static const char *pl_rated_type(const struct pl_model *m)
{
    return m->format == NULL ? pl_model_file_type(m) : NULL;
}

void pl_report_model_text(struct pl_str *out, const struct pl_model *m,
                          const struct pl_description *d, const struct pl_model_view *view)
{
    pl_text_head(out, m, d);
    pl_text_shape(out, d);
    if (d->kind == PL_MODEL_PROJECTOR)
        pl_report_projector_text(out, m);
    pl_text_tokenizer(out, &d->tokenizer);
    pl_text_types(out, d, view->colour);
    if (d->kind == PL_MODEL_WHOLE) {
        pl_str_add(out, "\n");
        pl_quality_text(pl_rated_type(m), view->catalogue_id, out);
    }
    if (d->n_warning > 0)
        pl_str_add(out, "\n");
    for (uint32_t i = 0; i < d->n_warning; i++)
        pl_str_addf(out, "  ! %s\n", d->warning[i]);
    if (view->keys)
        pl_text_keys(out, m);
    if (view->tensors)
        pl_text_tensors(out, m);
}

/* --- JSON ----------------------------------------------------------------------------------- */

void pl_json_model_members(struct pl_json *j, const struct pl_model *m)
{
    const struct pl_file_type *type = pl_model_file_type_of(m);
    pl_json_str(j, "name", m->name);
    pl_json_str(j, "architecture", pl_model_str(m, "general.architecture", NULL));
    pl_json_u64(j, "parameters", pl_model_parameters(m));
    pl_json_u64(j, "parameters_active", pl_model_parameters_active(m));
    pl_json_u64(j, "file_bytes", m->file_bytes);
    pl_json_str(j, "file_type", type != NULL ? type->name : NULL);
    pl_json_bool(j, "ghost", m->ghost);
}

/* {"name": N}, plus "name_min" when layers differ; null when unknown. */
static void pl_json_fact(struct pl_json *j, const char *name, const struct pl_fact *f)
{
    char least[64];
    if (!f->known) {
        pl_json_null(j, name);
        return;
    }
    pl_json_u64(j, name, f->high);
    (void)PL_FMT(least, "%s_min", name);
    if (f->low != f->high)
        pl_json_u64(j, least, f->low);
}

static void pl_json_model_object(struct pl_json *j, const struct pl_model *m,
                                 const struct pl_description *d)
{
    char path[4096];
    pl_json_object(j, "model");
    pl_json_model_members(j, m);
    pl_json_str(j, "path", pl_text_cut(path, sizeof(path), m->path));
    pl_json_str(j, "kind", pl_model_kind_name(d->kind));
    pl_json_str(j, "projector",
                m->projector != NULL ? pl_text_cut(path, sizeof(path), m->projector) : NULL);
    pl_json_u64(j, "tensor_bytes", d->tensor_bytes);
    pl_json_u64(j, "tensor_count", m->n_tensor);
    for (int i = 0; i < PL_SHAPES; i++)
        pl_json_fact(j, pl_shape_name((enum pl_shape)i), &d->shape[i]);
    pl_json_bool(j, "tied_output", d->tied_output);
    pl_json_object(j, "container");
    pl_json_str(j, "format", m->format != NULL ? m->format : "gguf");
    pl_json_u64(j, "version", m->version);
    pl_json_bool(j, "big_endian", m->big_endian);
    pl_json_u64(j, "alignment", m->alignment);
    pl_json_end(j);
    pl_json_array(j, "files");
    for (uint32_t i = 0; i < m->n_file; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "path", pl_text_cut(path, sizeof(path), m->file[i].path));
        pl_json_u64(j, "bytes", m->file[i].bytes);
        pl_json_u64(j, "disk_bytes", m->file[i].disk_bytes);
        pl_json_u64(j, "data_offset", m->file[i].data_offset);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

static void pl_json_types(struct pl_json *j, const struct pl_description *d)
{
    pl_json_array(j, "tensors_by_type");
    for (uint32_t i = 0; i < d->n_type; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "type", d->type[i].type->name);
        pl_json_u64(j, "count", d->type[i].count);
        pl_json_u64(j, "bytes", d->type[i].bytes);
        pl_json_u64(j, "parameters", d->type[i].parameters);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_tokenizer(struct pl_json *j, const struct pl_tokenizer *t)
{
    if (!t->present) {
        pl_json_null(j, "tokenizer");
        return;
    }
    pl_json_object(j, "tokenizer");
    pl_json_str(j, "model", t->model);
    pl_json_str(j, "pre", t->pre);
    pl_json_fact(j, "vocabulary", &t->vocabulary);
    pl_json_fact(j, "merges", &t->merges);
    pl_json_bool(j, "chat_template", t->chat_template);
    pl_json_u64(j, "chat_template_bytes", t->chat_template_bytes);
    pl_json_u64(j, "chat_templates", t->chat_templates);
    pl_json_end(j);
}

static void pl_json_tensors(struct pl_json *j, const struct pl_model *m)
{
    pl_json_array(j, "tensors");
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        const struct pl_tensor_type *type = pl_tensor_type(t->type);
        pl_json_object(j, NULL);
        pl_json_str(j, "name", t->name);
        pl_json_str(j, "type", type != NULL ? type->name : NULL);
        pl_json_array(j, "shape");
        for (uint32_t k = 0; k < t->n_dims; k++)
            pl_json_u64(j, NULL, t->ne[k]);
        pl_json_end(j);
        pl_json_u64(j, "bytes", t->bytes);
        pl_json_u64(j, "offset", t->offset);
        pl_json_u64(j, "file", t->split);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_keys(struct pl_json *j, const struct pl_model *m)
{
    char value[PL_VALUE_TEXT_MAX];
    pl_json_array(j, "keys");
    for (uint64_t i = 0; i < m->n_kv; i++) {
        pl_kv_text(&m->kv[i], value, sizeof(value));
        pl_json_object(j, NULL);
        pl_json_str(j, "key", m->kv[i].key);
        pl_json_str(j, "value", value);
        pl_json_u64(j, "count", m->kv[i].count);
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_report_model_json(struct pl_json *j, const struct pl_model *m,
                          const struct pl_description *d, const struct pl_model_view *view)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "schema", "plimsoll.inspect/1");
    pl_json_model_object(j, m, d);
    pl_json_types(j, d);
    pl_json_tokenizer(j, &d->tokenizer);
    pl_json_array(j, "warnings");
    for (uint32_t i = 0; i < d->n_warning; i++)
        pl_json_str(j, NULL, d->warning[i]);
    pl_json_end(j);
    if (d->kind == PL_MODEL_WHOLE)
        pl_quality_json(j, "quality", pl_rated_type(m), view->catalogue_id);
    if (d->kind == PL_MODEL_PROJECTOR)
        pl_report_projector_json(j, "towers", m);
    if (view->keys)
        pl_json_keys(j, m);
    if (view->tensors)
        pl_json_tensors(j, m);
    pl_json_end(j);
}
