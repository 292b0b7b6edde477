/* A run with a value in every field, for the tests of the ledger and of the reports. */
#ifndef PL_TESTS_UNIT_RUN_FIXTURE_H
#define PL_TESTS_UNIT_RUN_FIXTURE_H

#include "base/str.h"
#include "domain/run.h"

#include <string.h>

/* Deterministic, different for every call, small enough for sums. */
static inline uint64_t fixture_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (*seed >> 33) + 1;
}

static inline struct pl_quantity fixture_quantity(uint64_t *seed, const char *why)
{
    uint64_t low = fixture_next(seed), likely = low + fixture_next(seed);
    enum pl_source source = (enum pl_source)(1 + fixture_next(seed) % 4);
    return pl_between(low, likely, likely + fixture_next(seed), source, why);
}

static inline struct pl_sample fixture_sample(uint64_t *seed)
{
    return (struct pl_sample){
        .at_ns = fixture_next(seed),
        .rss_anon = fixture_next(seed),
        .rss_shmem = fixture_next(seed),
        .rss_file = fixture_next(seed),
        .swap = fixture_next(seed),
        .locked = fixture_next(seed),
    };
}

static inline void fixture_pool(struct pl_pool_footprint *p, const char *name,
                                enum pl_pool_kind kind, uint64_t *seed)
{
    (void)PL_FMT(p->pool, "%s", name);
    p->kind = kind;
    for (int i = 0; i < PL_PARTS; i++)
        p->part[i] = fixture_quantity(seed, "sum of the tensors");
    for (int i = 0; i < PL_HOLDS; i++)
        p->hold[i] = fixture_quantity(seed, NULL);
    p->steady = fixture_quantity(seed, "sum of the parts");
    p->peak = fixture_quantity(seed, "steady + prompt cache");
    p->load_peak = fixture_quantity(seed, "while \"loading\"");
    p->largest_allocation = fixture_quantity(seed, NULL);
}

static inline struct pl_engine_bytes fixture_bytes(uint64_t *seed)
{
    return (struct pl_engine_bytes){true, fixture_next(seed)};
}

static inline void fixture_report(struct pl_engine_report *r, uint64_t *seed)
{
    (void)PL_FMT(r->version, "9550 (abc)");
    r->n_ctx = fixture_next(seed);
    r->n_ctx_seq = fixture_next(seed);
    r->n_slots = fixture_next(seed);
    r->kv_unified = true;
    r->kv_unified_known = true;
    r->weights_mapped = fixture_bytes(seed);
    r->weights_repack = fixture_bytes(seed);
    r->weights_other = fixture_bytes(seed);
    r->kv = fixture_bytes(seed);
    r->compute = fixture_bytes(seed);
    r->output = fixture_bytes(seed);
    r->recurrent = fixture_bytes(seed);
    r->load_ms = fixture_next(seed);
}

static inline void fixture_settings(struct pl_resolved *s, uint64_t *seed)
{
    s->n_ctx = fixture_next(seed);
    s->n_ctx_seq = fixture_next(seed);
    s->n_seq = fixture_next(seed);
    s->n_stream = fixture_next(seed);
    s->kv_unified = true;
    s->n_batch = fixture_next(seed);
    s->n_ubatch = fixture_next(seed);
    s->n_outputs = fixture_next(seed);
    s->type_k = 8;
    s->type_v = 1;
    s->flash_attn = true;
    s->n_gpu_layers = fixture_next(seed);
    s->load_mode = PL_LOAD_MMAP_MLOCK;
    s->repack = true;
    s->prompt_cache_bytes = fixture_next(seed);
    s->prompt_cache_unlimited = true;
    s->n_threads = fixture_next(seed);
}

static inline void fixture_run(struct pl_run *run, uint64_t seed)
{
    memset(run, 0, sizeof(*run));
    run->started_unix = 1795253700;
    run->status = PL_RUN_OK;
    (void)PL_FMT(run->error, "none, but 'quoted'");
    (void)PL_FMT(run->machine_id, "m-%llu", (unsigned long long)seed);
    (void)PL_FMT(run->machine_text, "2 cores, 24 GiB");
    (void)PL_FMT(run->engine, "llama.cpp");
    (void)PL_FMT(run->engine_version, "b9550");
    (void)PL_FMT(run->backend, "CPU");
    (void)PL_FMT(run->model, "Qwen3 8B");
    (void)PL_FMT(run->arch, "qwen3");
    (void)PL_FMT(run->quant, "Q4_K_M");
    run->ghost = true;
    run->parameters = fixture_next(&seed);
    run->file_bytes = fixture_next(&seed);
    (void)PL_FMT(run->flags, "-c 8192 -np 4");
    fixture_settings(&run->settings, &seed);
    run->predicted.n_pool = 2;
    fixture_pool(&run->predicted.pool[0], "ram", PL_POOL_HOST, &seed);
    fixture_pool(&run->predicted.pool[1], "gpu0", PL_POOL_DEDICATED, &seed);
    fixture_report(&run->report, &seed);
    run->steady = fixture_sample(&seed);
    run->peak = fixture_sample(&seed);
    run->baseline = fixture_sample(&seed);
    for (int i = 0; i < PL_PARTS; i++)
        run->measured[i] = fixture_quantity(&seed, "RssAnon");
    run->measured_total = fixture_quantity(&seed, "RssAnon + RssShmem + file_hot");
    for (int i = 0; i < PL_PARTS; i++)
        run->on_device[1].part[i] = fixture_quantity(&seed, "the engine's buffer");
    run->on_device[1].total = fixture_quantity(&seed, "the engine's buffers");
    run->cgroup_peak = fixture_next(&seed);
    run->memory_returned = true;
    run->repeats = 3;
    run->timing = (struct pl_timing){512, 128, 812.25, 23.5, 640.125};
    run->prompt_spread = 0.03125;
    run->predicted_spread = 0.0625;
    run->predicted_prefill =
        (struct pl_rate){700, 800.5, 900, PL_SOURCE_ASSUMED, PL_STATE_PLAIN, "table"};
    run->predicted_decode =
        (struct pl_rate){20, 22.5, 25, PL_SOURCE_DERIVED, PL_STATE_PLAIN, "bandwidth"};
    run->beside.pressure_known = run->beside.load_known = run->beside.judged = true;
    run->beside.pressure_before = 0.01; /* by field: gaps stay 0 */
    run->beside.pressure_during = 0.0625;
    run->beside.load_before = 0.75;
    (void)PL_FMT(run->fill, "random");
    (void)PL_FMT(run->driver, "nvidia 580.65.06");
    run->golden = true;
}

#endif
