/* A checkpoint, all of it hostile: config.json, the index of its shards and the shards' bytes,
 * separated by lines of "%%"; then what the engines that load it would need. */
#include "model/safetensors.h"
#include "base/json.h"
#include "base/str.h"
#include "domain/checkpoint.h"
#include "engine/engine.h"
#include "model/describe.h"
#include "report/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

struct pl_fuzz_text {
    const uint8_t *data;
    size_t n;
};
struct pl_fuzz_files {
    struct pl_fuzz_text config, index, shard;
};

static struct pl_fuzz_text pl_fuzz_next(const uint8_t **data, size_t *n)
{
    const uint8_t *mark = *n > 0 ? memmem(*data, *n, "%%\n", 3) : NULL;
    struct pl_fuzz_text t = {*data, mark != NULL ? (size_t)(mark - *data) : *n};
    *data += mark != NULL ? t.n + 3 : t.n;
    *n -= mark != NULL ? t.n + 3 : t.n;
    return t;
}

/* An empty text is a file that is not there. */
static int pl_fuzz_open(void *ctx, const char *path, struct pl_input *ret, struct pl_err *err)
{
    const struct pl_fuzz_files *f = ctx;
    const struct pl_fuzz_text *t = pl_ends(path, "config.json")  ? &f->config
                                   : pl_ends(path, "index.json") ? &f->index
                                                                 : &f->shard;
    if (t->n == 0)
        return pl_fail(err, -ENOENT, "not there");
    pl_input_memory(t->data, t->n, ret);
    return 0;
}

static void pl_fuzz_quantity(struct pl_quantity q)
{
    pl_fuzz_check(!pl_known(q) || (q.low <= q.likely && q.likely <= q.high));
}

static void pl_fuzz_claim(const struct pl_claim *c)
{
    for (uint32_t i = 0; i < c->footprint.n_pool; i++) {
        const struct pl_pool_footprint *p = &c->footprint.pool[i];
        for (int k = 0; k < PL_PARTS; k++)
            pl_fuzz_quantity(p->part[k]);
        pl_fuzz_quantity(p->steady);
        pl_fuzz_quantity(p->peak);
        pl_fuzz_quantity(p->load_peak);
    }
    pl_fuzz_check(c->footprint.n_pool > 0 && c->formulas != NULL);
}

/* Every engine by its defaults, on a machine with and without a device. */
static void pl_fuzz_engines(const struct pl_model *m)
{
    static struct pl_machine machine;
    static struct pl_claim claim;
    static struct pl_setting_values values;
    for (int devices = 0; devices < 2; devices++) {
        machine = (struct pl_machine){0};
        struct pl_pool *ram = pl_machine_add_pool(&machine, "ram", PL_POOL_HOST);
        ram->capacity = ram->available = pl_exact(64ull << 30, PL_SOURCE_MEASURED, NULL);
        struct pl_pool *gpu =
            devices > 0 ? pl_machine_add_pool(&machine, "gpu0", PL_POOL_DEDICATED) : NULL;
        if (gpu != NULL)
            gpu->capacity = gpu->available = pl_exact(24ull << 30, PL_SOURCE_MEASURED, NULL);
        for (size_t i = 0; pl_engines[i] != NULL; i++) {
            struct pl_err err = {0};
            if (pl_engines[i]->footprint == NULL)
                continue;
            pl_settings_start(&values, pl_engines[i]->settings);
            if (pl_engines[i]->footprint(m, &values, &machine, &claim, &err) == 0)
                pl_fuzz_claim(&claim);
            else
                pl_fuzz_check(err.what[0] != '\0');
        }
    }
}

static void pl_fuzz_model(const struct pl_model *m)
{
    static struct pl_checkpoint c;
    struct pl_description d;
    struct pl_str out;
    uint64_t low = 0, likely = 0, high = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        const struct pl_model_file *f = &m->file[t->split];
        pl_fuzz_check(t->offset + t->bytes <= f->bytes - f->data_offset);
        pl_fuzz_check(pl_tensor_type(t->type) != NULL);
    }
    pl_model_describe(m, &d);
    pl_str_init(&out, 8u << 20);
    struct pl_model_view view = {.tensors = true, .keys = true};
    pl_report_model_text(&out, m, &d, &view);
    pl_str_done(&out);
    if (pl_checkpoint_read(m, &c, NULL) == 0) {
        pl_checkpoint_kv(&c, 4096, 2, &low, &likely, &high);
        pl_fuzz_check(low <= likely && likely <= high);
    }
    pl_fuzz_engines(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_fuzz_files f;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    f.config = pl_fuzz_next(&data, &n);
    f.index = pl_fuzz_next(&data, &n);
    f.shard = (struct pl_fuzz_text){data, n}; /* binary: may hold the mark */
    const struct pl_opener opener = {.open = pl_fuzz_open, .ctx = &f};
    if (pl_safetensors_read_with(&opener, "d/config.json", &m, &err) == 0)
        pl_fuzz_model(m);
    else
        pl_fuzz_check(err.what[0] != '\0' && err.code < 0);
    (void)pl_model_free(m);
    return 0;
}
