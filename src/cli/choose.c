#include "cli/choose.h"

#include "base/checked.h"
#include "base/str.h"
#include "cli/rank.h"
#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"
#include "measure/sweep.h"

#include <errno.h>
#include <stdlib.h>

/* Reading a prompt is bound by arithmetic: 2 operations per parameter and token. What llama.cpp
 * 0.7.0 reaches with Q4_K_M, in operations a second and core: half of what was measured with
 * llama-bench on an AMD Zen 5 core (Llama 3.2 1B, one thread, its backends icelake 285e9, haswell
 * 153e9, sandybridge 48e9), since most cores are older. Arm was not measured: the least of them. */
#define PL_PACE_AVX512_VNNI 140e9
#define PL_PACE_AVX2 75e9
#define PL_PACE_OTHER 24e9
/* Runs this short say more of the start of a request than of arithmetic. */
#define PL_PACE_PROMPT_MIN 128u
#define PL_PACE_RUNS 32u
/* Reading and converting weights at load, bytes per second. Measured with ghosts, read from holes
 * at memory speed, so that converting, on one thread, is what counts: 0.4 GB 0.64 s, 0.9 GB 1.2 s.
 */
#define PL_CHOOSE_LOAD_BYTES 0.7e9
/* Bandwidth when it is not known: half of one DDR4-2666 channel. */
#define PL_CHOOSE_READ_BYTES 10e9
#define PL_CHOOSE_REACHED 0.6         /* of the bandwidth, as engine/llamacpp/speed.c */
#define PL_CHOOSE_PARAMETER_BYTES 0.6 /* PL_CATALOGUE_QUANT: 4.9 bits */

/* Longest safe context; 0 when not even the shortest is. The forecast of it is left in *f. */
static uint64_t pl_choose_context(const struct pl_model *m, const struct pl_machine *machine,
                                  struct pl_ledger *ledger, uint64_t ctx_train,
                                  struct pl_forecast *f)
{
    struct pl_settings s;
    pl_llamacpp_defaults(&s);
    s.n_parallel = 1;
    s.cache_ram_mib = 0;
    s.devices = "none"; /* the CPU alone: its speed is what is known */
    uint64_t best = 0, top = PL_CHOICE_CTX_MIN;
    if (ctx_train == PL_CATALOGUE_UNKNOWN)
        ctx_train = top;
    if (ctx_train < top)
        return 0;
    while (top * 2 <= ctx_train)
        top *= 2;
    for (uint64_t n = top; n >= PL_CHOICE_CTX_MIN && best == 0; n /= 2) {
        s.n_ctx = n;
        if (pl_forecast_make(m, &s, machine, NULL, "", ledger, f, NULL) < 0)
            return 0;
        if (f->judgement.verdict == PL_VERDICT_SAFE)
            best = n;
    }
    return best;
}

struct pl_choosing {
    const struct pl_machine *machine;
    struct pl_ledger *ledger;
    struct pl_forecast forecast;
    struct pl_sweep sweep;
    uint64_t room; /* nothing larger fits */
    struct pl_rank *rank;
    size_t n;
};

/* Bytes a token reads over the bandwidth: good enough to say who is out of the question. */
static struct pl_rate pl_choose_rough_decode(const struct pl_machine *m,
                                             const struct pl_catalogue_row *row)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    uint64_t active = row->params_active;
    if (ram == NULL || ram->bandwidth.source == PL_SOURCE_UNKNOWN || active == 0 ||
        active == PL_CATALOGUE_UNKNOWN)
        return (struct pl_rate){0};
    double rate =
        ram->bandwidth.likely * PL_CHOOSE_REACHED / ((double)active * PL_CHOOSE_PARAMETER_BYTES);
    return (struct pl_rate){.likely = rate, .source = PL_SOURCE_ASSUMED};
}

static bool pl_choose_writes(const struct pl_catalogue_row *row)
{
    return (pl_streq(row->kind, "llm") || pl_streq(row->kind, "vlm")) &&
           (row->checked == 1 || row->file != NULL);
}

static int pl_choose_compare(const void *a, const void *b)
{
    return pl_rank_compare(a, b);
}

static int pl_choose_rank(struct pl_choosing *c, pl_choose_wanted_fn *wanted, void *ctx,
                          struct pl_err *err)
{
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    c->rank = calloc(n > 0 ? n : 1, sizeof(*c->rank));
    if (c->rank == NULL)
        return pl_fail(err, -ENOMEM, "no memory to look through the catalogue");
    for (size_t i = 0; i < n; i++) {
        if (pl_choose_writes(&row[i]) && (wanted == NULL || wanted(ctx, &row[i])))
            c->rank[c->n++] = pl_rank_of(&row[i], pl_choose_rough_decode(c->machine, &row[i]));
    }
    qsort(c->rank, c->n, sizeof(*c->rank), pl_choose_compare);
    return 0;
}

/* One row, if its weights and shortest caches alone leave room. */
static bool pl_choose_row(struct pl_choosing *c, const struct pl_catalogue_row *row,
                          struct pl_choice *ret)
{
    struct pl_model *m = NULL;
    struct pl_sweep_row size;
    c->sweep.mix[0] = pl_mix_named(pl_catalogue_quant(row));
    if (pl_sweep_row(&c->sweep, row, &size, NULL) < 0 || size.tensors[0] == 0 ||
        pl_add_sat(size.tensors[0], pl_add_sat(size.kv[0], size.recurrent[0])) > c->room ||
        pl_catalogue_model(row, NULL, &m, NULL) < 0)
        return false;
    uint64_t ctx = pl_choose_context(m, c->machine, c->ledger, row->ctx_train, &c->forecast);
    *ret = (struct pl_choice){.row = row,
                              .n_ctx = ctx,
                              .steady = c->forecast.footprint.pool[0].steady,
                              .decode = c->forecast.decode};
    (void)pl_model_free(m);
    return ctx > 0;
}

int pl_choose_all(const struct pl_machine *machine, struct pl_ledger *ledger,
                  pl_choose_wanted_fn *wanted, void *ctx, uint32_t limit,
                  struct pl_choice out[PL_CHOICES_MAX], struct pl_err *err)
{
    struct pl_choosing *c = calloc(1, sizeof(*c));
    uint32_t n = 0;
    if (c == NULL)
        return pl_fail(err, -ENOMEM, "no memory to look through the catalogue");
    struct pl_quantity room = pl_machine_available(machine, "ram");
    c->machine = machine;
    c->ledger = ledger;
    c->room = pl_known(room) ? room.high : 0; /* unknown: nothing is safe */
    pl_sweep_usual(&c->sweep);
    c->sweep.context[0] = PL_CHOICE_CTX_MIN;
    c->sweep.n_mix = c->sweep.n_context = 1;
    int rc = pl_choose_rank(c, wanted, ctx, err);
    limit = limit < PL_CHOICES_MAX ? limit : PL_CHOICES_MAX;
    for (size_t i = 0; rc == 0 && i < c->n && n < limit; i++)
        n += pl_choose_row(c, c->rank[i].row, &out[n]) ? 1 : 0;
    free(c->rank);
    free(c);
    return rc < 0 ? rc : (int)n;
}

/* Cores the engine computes with: one thread each, as far as it is let. */
static double pl_pace_cores(const struct pl_cpu *cpu)
{
    double n = cpu->threads_allowed > 0 ? cpu->threads_allowed : 1;
    if (cpu->cores_physical > 0 && cpu->cores_physical < n)
        n = cpu->cores_physical;
    return cpu->quota_cpus > 0 && cpu->quota_cpus < n ? cpu->quota_cpus : n;
}

/* Parameters that work on a token. */
static double pl_choose_active(const struct pl_catalogue_row *row)
{
    bool known = row->params_active > 0 && row->params_active < row->params_total;
    return (double)(known ? row->params_active : row->params_total);
}

struct pl_pace_seen {
    uint64_t parameters;
    double ops;
};

/* Of the remembered runs the largest model counts: it is the most like what is looked for, and
 * small ones have odd shapes for which there are only slow kernels. Catalogue models only: how many
 * of their parameters work on a token is known. */
static int pl_pace_see(void *ctx, const struct pl_run *run)
{
    struct pl_pace_seen *seen = ctx;
    const struct pl_catalogue_row *row = pl_catalogue_find(run->model);
    if (run->parameters > seen->parameters && run->timing.prompt_tokens >= PL_PACE_PROMPT_MIN &&
        run->timing.prompt_tokens_per_second > 0 && row != NULL) {
        double part = pl_choose_active(row) / (double)row->params_total;
        seen->parameters = run->parameters;
        seen->ops = 2 * (double)run->parameters * part * run->timing.prompt_tokens_per_second;
    }
    return 0;
}

double pl_choose_pace(const struct pl_machine *machine, struct pl_ledger *ledger)
{
    const struct pl_cpu *cpu = &machine->cpu;
    struct pl_pace_seen seen = {0};
    struct pl_ledger_filter filter = {
        .engine = "llama.cpp", .machine_id = machine->id, .ok_only = true, .limit = PL_PACE_RUNS};
    if (ledger != NULL && machine->id[0] != '\0')
        (void)pl_ledger_runs(ledger, &filter, pl_pace_see, &seen, NULL);
    if (seen.ops > 0)
        return seen.ops;
    double core = pl_cpu_has(cpu, "avx512_vnni") ? PL_PACE_AVX512_VNNI
                  : pl_cpu_has(cpu, "avx2")      ? PL_PACE_AVX2
                                                 : PL_PACE_OTHER;
    return core * pl_pace_cores(cpu);
}

double pl_choose_seconds(const struct pl_choice *choice, double pace, uint32_t requests,
                         uint64_t prompt, uint64_t answer)
{
    double parameters = (double)choice->row->params_total;
    double bytes = parameters * PL_CHOOSE_PARAMETER_BYTES;
    bool known = choice->decode.source != PL_SOURCE_UNKNOWN && choice->decode.low > 0;
    double decode =
        known ? choice->decode.low
              : PL_CHOOSE_READ_BYTES / (pl_choose_active(choice->row) * PL_CHOOSE_PARAMETER_BYTES);
    double prefill = pace / (2 * pl_choose_active(choice->row));
    double request = (double)prompt / prefill + (double)answer / decode;
    return bytes / PL_CHOOSE_LOAD_BYTES + request * requests;
}
