#include "cli/choose.h"

#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"

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
#define PL_CHOOSE_PARAMETER_BYTES 0.6 /* PL_CATALOGUE_QUANT: 4.9 bits */

static int pl_choice_larger(const void *a, const void *b)
{
    const struct pl_choice *x = a, *y = b;
    return (x->row->params_total < y->row->params_total) -
           (x->row->params_total > y->row->params_total);
}

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

int pl_choose_all(const struct pl_machine *machine, struct pl_ledger *ledger,
                  struct pl_choice out[PL_CHOICES_MAX], struct pl_err *err)
{
    size_t n_row = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    struct pl_forecast *f = calloc(1, sizeof(*f));
    int n = 0;
    if (f == NULL)
        return pl_fail(err, -ENOMEM, "no memory to look through the catalogue");
    for (size_t i = 0; i < n_row && n < PL_CHOICES_MAX; i++) {
        struct pl_model *m = NULL;
        if (row[i].offered == 0 || pl_catalogue_model(&row[i], NULL, &m, NULL) < 0)
            continue;
        uint64_t ctx = pl_choose_context(m, machine, ledger, row[i].ctx_train, f);
        if (ctx > 0)
            out[n++] = (struct pl_choice){.row = &row[i],
                                          .n_ctx = ctx,
                                          .steady = f->footprint.pool[0].steady,
                                          .decode = f->decode};
        (void)pl_model_free(m);
    }
    free(f);
    qsort(out, (size_t)n, sizeof(*out), pl_choice_larger);
    return n;
}

/* Cores the engine computes with: one thread each, as far as it is let. */
static double pl_pace_cores(const struct pl_cpu *cpu)
{
    double n = cpu->threads_allowed > 0 ? cpu->threads_allowed : 1;
    if (cpu->cores_physical > 0 && cpu->cores_physical < n)
        n = cpu->cores_physical;
    return cpu->quota_cpus > 0 && cpu->quota_cpus < n ? cpu->quota_cpus : n;
}

struct pl_pace_seen {
    uint64_t parameters;
    double ops;
};

/* Of the remembered runs the largest model counts: it is the most like what is looked for, and
 * small ones have odd shapes for which there are only slow kernels. Catalogue models only: they use
 * all their parameters for every token. */
static int pl_pace_see(void *ctx, const struct pl_run *run)
{
    struct pl_pace_seen *seen = ctx;
    if (run->parameters > seen->parameters && run->timing.prompt_tokens >= PL_PACE_PROMPT_MIN &&
        run->timing.prompt_tokens_per_second > 0 && pl_catalogue_find(run->model) != NULL) {
        seen->parameters = run->parameters;
        seen->ops = 2 * (double)run->parameters * run->timing.prompt_tokens_per_second;
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
    double decode = known ? choice->decode.low : PL_CHOOSE_READ_BYTES / bytes;
    double prefill = pace / (2 * parameters);
    double request = (double)prompt / prefill + (double)answer / decode;
    return bytes / PL_CHOOSE_LOAD_BYTES + request * requests;
}
