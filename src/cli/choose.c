#include "cli/choose.h"

#include "engine/llamacpp/settings.h"
#include "measure/forecast.h"

#include <errno.h>
#include <stdlib.h>

/* Reading a prompt is bound by arithmetic: about 2 operations per parameter and token. 20 billion a
 * second and thread is what 4-bit kernels of llama.cpp reach with AVX2; AVX-512 is twice as fast.
 * Only used to choose a model that finishes in time. */
#define PL_CHOOSE_OPS_PER_THREAD 20e9
/* Reading and converting weights at load, bytes per second: ghosts are read from holes, at memory
 * speed; converting runs on one thread. */
#define PL_CHOOSE_LOAD_BYTES 0.7e9

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
    uint64_t best = 0, top = PL_CHOICE_CTX_MIN;
    while (top * 2 <= ctx_train)
        top *= 2;
    for (uint64_t n = top; n >= PL_CHOICE_CTX_MIN && best == 0; n /= 2) {
        s.n_ctx = n;
        if (pl_forecast_make(m, &s, machine, "", ledger, f, NULL) < 0)
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
        if (pl_catalogue_model(&row[i], NULL, &m, NULL) < 0)
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

double pl_choose_seconds(const struct pl_catalogue_row *row, struct pl_rate decode,
                         uint32_t threads, uint32_t requests, uint64_t prompt, uint64_t answer)
{
    if (decode.source == PL_SOURCE_UNKNOWN || decode.likely <= 0)
        return 0;
    double parameters = (double)row->params_total;
    double prefill = PL_CHOOSE_OPS_PER_THREAD * (threads > 0 ? threads : 1) / (2 * parameters);
    double load = parameters * 0.6 / PL_CHOOSE_LOAD_BYTES; /* 4.9 bits a parameter */
    double request = (double)prompt / prefill + (double)answer / decode.likely;
    return load + request * requests;
}
