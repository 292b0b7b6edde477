/* A whisper.cpp file, all of it hostile; then what the engine would need for it. */
#include "model/whisper.h"
#include "base/str.h"
#include "domain/whisper.h"
#include "engine/engine.h"
#include "model/describe.h"
#include "report/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_quantity(struct pl_quantity q)
{
    pl_fuzz_check(!pl_known(q) || (q.low <= q.likely && q.likely <= q.high));
}

/* On a machine with and without a device. */
static void pl_fuzz_footprint(const struct pl_model *m)
{
    static struct pl_machine machine;
    static struct pl_claim claim;
    static struct pl_setting_values values;
    const struct pl_engine *e = pl_engine_named(PL_WHISPER_FORMAT);
    for (int devices = 0; devices < 2; devices++) {
        struct pl_err err = {0};
        machine = (struct pl_machine){0};
        struct pl_pool *ram = pl_machine_add_pool(&machine, "ram", PL_POOL_HOST);
        ram->capacity = ram->available = pl_exact(64ull << 30, PL_SOURCE_MEASURED, NULL);
        struct pl_pool *gpu =
            devices > 0 ? pl_machine_add_pool(&machine, "gpu0", PL_POOL_DEDICATED) : NULL;
        if (gpu != NULL)
            gpu->capacity = gpu->available = pl_exact(24ull << 30, PL_SOURCE_MEASURED, NULL);
        pl_settings_start(&values, e->settings);
        if (e->footprint(m, &values, &machine, &claim, &err) < 0) {
            pl_fuzz_check(err.what[0] != '\0');
            continue;
        }
        for (uint32_t i = 0; i < claim.footprint.n_pool; i++) {
            for (int k = 0; k < PL_PARTS; k++)
                pl_fuzz_quantity(claim.footprint.pool[i].part[k]);
            pl_fuzz_quantity(claim.footprint.pool[i].steady);
        }
    }
}

/* The file may hold fewer tensors than its numbers ask for: then those, as if they were there. */
static void pl_fuzz_whole(const struct pl_model *m)
{
    struct pl_whisper w;
    struct pl_arena arena;
    struct pl_model all = *m;
    pl_fuzz_check(pl_whisper_of(m, &w));
    uint64_t n = pl_whisper_tensor_count(&w);
    bool sized = n <= 600;
    pl_arena_init(&arena, 1u << 20);
    all.tensor = sized ? pl_arena_alloc(&arena, (size_t)n, sizeof(*all.tensor)) : NULL;
    for (uint64_t i = 0; i < n && sized && all.tensor != NULL; i++) {
        char name[PL_WHISPER_NAME_MAX];
        sized = pl_whisper_tensor(&w, i, &all.tensor[i], name);
        all.tensor[i].name = pl_arena_strdup(&arena, name);
        sized = sized && all.tensor[i].name != NULL;
    }
    all.n_tensor = n;
    if (sized && all.tensor != NULL)
        pl_fuzz_footprint(&all);
    pl_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_input in;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    struct pl_description d;
    struct pl_str out;
    pl_input_memory(data, n, &in);
    bool match = pl_whisper_match(data, n < 64 ? n : 64);
    if (pl_whisper_read_input(&in, "fuzz.bin", &m, &err) < 0) {
        pl_fuzz_check(m == NULL && err.what[0] != '\0');
        return 0;
    }
    pl_fuzz_check(match);
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        pl_fuzz_check(m->tensor[i].offset <= n && m->tensor[i].bytes <= n - m->tensor[i].offset);
        pl_fuzz_check(m->tensor[i].n_dims >= 1 && m->tensor[i].n_dims <= PL_TENSOR_DIMS_MAX);
    }
    pl_model_describe(m, &d);
    pl_str_init(&out, 8u << 20);
    struct pl_model_view view = {.tensors = true, .keys = true};
    pl_report_model_text(&out, m, &d, &view);
    pl_str_done(&out);
    pl_fuzz_footprint(m);
    pl_fuzz_whole(m);
    (void)pl_model_free(m);
    return 0;
}
