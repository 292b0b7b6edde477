/* The GGUF reader, what describes a model, and the report: any bytes give a model that keeps its
 * promises, or an error with words.
 *
 * An input is one file; or, when it begins with "PLSP", up to four parts of a split model:
 * "PLSP" n:u8 length:u32{n} bytes... (little-endian). */
#include "model/gguf.h"
#include "base/json.h"
#include "base/str.h"
#include "model/describe.h"
#include "report/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_FUZZ_PARTS 4

struct pl_fuzz_files {
    const uint8_t *data[PL_FUZZ_PARTS];
    size_t n[PL_FUZZ_PARTS];
    uint32_t count; /* 0: one file of any name */
};

static volatile int64_t pl_fuzz_sink;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_cut(struct pl_fuzz_files *f, const uint8_t *data, size_t n)
{
    *f = (struct pl_fuzz_files){.data = {data}, .n = {n}};
    if (n < 5 || memcmp(data, "PLSP", 4) != 0 || data[4] == 0 || data[4] > PL_FUZZ_PARTS)
        return;
    uint32_t count = data[4];
    size_t at = 5 + 4 * (size_t)count;
    for (uint32_t i = 0; i < count && at <= n; i++) {
        const uint8_t *p = data + 5 + 4 * (size_t)i;
        size_t len = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
        f->data[i] = data + at;
        f->n[i] = len < n - at ? len : n - at;
        at += f->n[i];
        f->count = i + 1;
    }
}

static int pl_fuzz_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct pl_fuzz_files *f = ctx;
    uint32_t i = 0;
    if (f->count > 0) {
        const char *dash = strrchr(path, '-'); /* x-00001-of-00003.gguf */
        uint64_t no = 0;
        char digits[6] = "";
        if (dash != NULL && dash - path >= 8)
            memcpy(digits, dash - 8, 5);
        if (!pl_parse_u64(digits, &no) || no == 0 || no > f->count)
            return pl_fail(err, -ENOENT, "cannot open: no such file");
        i = (uint32_t)no - 1;
    }
    pl_input_memory(f->data[i], f->n[i], ret);
    return 0;
}

static void pl_fuzz_text(const char *s)
{
    for (; *s != '\0'; s++)
        pl_fuzz_check((unsigned char)*s >= 0x20 && (unsigned char)*s != 0x7f);
}

static void pl_fuzz_promises(const struct pl_model *m)
{
    pl_fuzz_check(m->name != NULL && m->arch != NULL && m->path != NULL && m->n_file > 0);
    pl_fuzz_text(m->name);
    pl_fuzz_text(m->arch);
    for (uint64_t i = 0; i < m->n_kv; i++) {
        const struct pl_kv *kv = &m->kv[i];
        pl_fuzz_check(kv->key != NULL && kv->key[0] != '\0' && kv->type < PL_KV_TYPES);
        pl_fuzz_check(kv->type != PL_KV_STR || kv->str != NULL);
        pl_fuzz_check(pl_model_kv(m, kv->key) == kv);
        int64_t sum = 0; /* reads every kept element */
        for (uint64_t k = 0; kv->ints != NULL && k < kv->count; k++)
            sum ^= kv->ints[k];
        pl_fuzz_check(kv->ints == NULL || kv->count <= PL_KV_INTS_MAX);
        pl_fuzz_sink = sum;
    }
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        pl_fuzz_check(t->split < m->n_file && t->n_dims <= PL_TENSOR_DIMS_MAX);
        const struct pl_model_file *f = &m->file[t->split];
        pl_fuzz_check(f->data_offset <= f->bytes && t->offset <= f->bytes - f->data_offset);
        pl_fuzz_check(t->bytes <= f->bytes - f->data_offset - t->offset && t->bytes > 0);
        pl_fuzz_check(i > 100 || pl_model_tensor(m, t->name) == t);
    }
    pl_fuzz_check(pl_model_tensor_bytes(m) <= m->file_bytes);
    pl_fuzz_check(pl_model_parameters_active(m) <= pl_model_parameters(m));
}

static void pl_fuzz_report(const struct pl_model *m)
{
    static struct pl_description d;
    struct pl_str out;
    struct pl_json j;
    struct pl_jdoc *doc = NULL;
    struct pl_err err = {0};
    const struct pl_model_view all = {.tensors = true, .keys = true};
    pl_model_describe(m, &d);
    for (uint32_t i = 0; i < d.n_warning; i++)
        pl_fuzz_text(d.warning[i]);
    pl_str_init(&out, 16u << 20);
    pl_report_model_text(&out, m, &d, &all);
    pl_fuzz_check(!out.failed);
    for (const char *s = pl_str_get(&out); *s != '\0'; s++)
        pl_fuzz_check((unsigned char)*s >= 0x20 || *s == '\n');
    pl_str_clear(&out);
    pl_json_start(&j, &out, false);
    pl_report_model_json(&j, m, &d, &all);
    pl_fuzz_check(!out.failed && j.depth == 0);
    pl_fuzz_check(pl_jdoc_parse(pl_str_get(&out), out.len, "report", &doc, &err) == 0);
    (void)pl_jdoc_free(doc);
    pl_str_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_fuzz_files files;
    struct pl_opener opener = {pl_fuzz_open, &files};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    char path[40] = "x.gguf";
    pl_fuzz_cut(&files, data, n);
    if (files.count > 0)
        (void)PL_FMT(path, "x-00001-of-%05u.gguf", files.count);
    int rc = pl_gguf_read_with(&opener, path, &m, &err);
    if (rc == 0) {
        pl_fuzz_promises(m);
        pl_fuzz_report(m);
        (void)pl_model_free(m);
    } else {
        pl_fuzz_check(rc < 0 && err.code == rc && m == NULL);
        pl_fuzz_check(err.what[0] != '\0' && err.file[0] != '\0');
        pl_fuzz_text(err.what);
        pl_fuzz_text(err.hint);
    }
    return 0;
}
