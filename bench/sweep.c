/* Times the sweep of the whole catalogue (measure/sweep.h) beside the same answers one by one: a
 * model built for each row and quantisation, its caches computed for each context. Both in turns;
 * what they say is compared, every answer. Prints the rows of a table in Markdown. */
#include "measure/sweep.h"
#include "domain/model.h"
#include "engine/llamacpp/cache.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/resolve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define PL_TURNS_MAX 64

struct pl_turn {
    double wall, cpu; /* ms */
};

static double pl_ms(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct pl_turn pl_since(struct pl_turn start)
{
    return (struct pl_turn){pl_ms(CLOCK_MONOTONIC) - start.wall,
                            pl_ms(CLOCK_PROCESS_CPUTIME_ID) - start.cpu};
}

static struct pl_turn pl_start(void)
{
    return (struct pl_turn){pl_ms(CLOCK_MONOTONIC), pl_ms(CLOCK_PROCESS_CPUTIME_ID)};
}

/* All answers of the sweep; how many rows could be told. */
static size_t pl_fast(const struct pl_sweep *s, struct pl_sweep_row *out)
{
    size_t n = 0, told = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    for (size_t i = 0; i < n; i++)
        told += pl_sweep_row(s, &row[i], &out[i], NULL) == 0 ? 1 : 0;
    return told;
}

/* One row, the long way. */
static void pl_slow_row(const struct pl_sweep *s, const struct pl_catalogue_row *row,
                        struct pl_sweep_row *out)
{
    *out = (struct pl_sweep_row){0};
    for (uint32_t k = 0; k < s->n_mix; k++) {
        struct pl_model *m = NULL;
        struct pl_net net = {0};
        if (pl_catalogue_model(row, s->mix[k]->name, &m, NULL) < 0)
            continue;
        out->tensors[k] = pl_model_tensor_bytes(m);
        int rc = pl_llamacpp_net(m, &net, NULL);
        for (uint32_t c = 0; c < s->n_context && rc == 0; c++) {
            struct pl_settings settings = s->settings;
            struct pl_resolved r;
            settings.n_ctx = s->context[c];
            if (pl_llamacpp_resolve(&settings, &net, &r, NULL) < 0)
                break;
            struct pl_layer_cache cache = pl_llamacpp_cache(&net, &r);
            out->kv[c] = cache.global + cache.window;
            out->recurrent[c] = cache.recurrent;
        }
        pl_net_done(&net);
        (void)pl_model_free(m);
    }
}

static void pl_slow(const struct pl_sweep *s, struct pl_sweep_row *out)
{
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    for (size_t i = 0; i < n; i++)
        pl_slow_row(s, &row[i], &out[i]);
}

/* What the sweep leaves out: the whole footprint of each row, one quantisation and context. */
static size_t pl_whole(const struct pl_sweep *s)
{
    static struct pl_footprint f;
    size_t n = 0, told = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    for (size_t i = 0; i < n; i++) {
        struct pl_model *m = NULL;
        struct pl_resolved r;
        struct pl_settings settings = s->settings;
        struct pl_llamacpp_host host = {0};
        settings.n_ctx = 8192;
        if (pl_catalogue_model(&row[i], NULL, &m, NULL) < 0)
            continue;
        told += pl_llamacpp_footprint(m, &settings, &host, &f, &r, NULL) == 0 ? 1 : 0;
        (void)pl_model_free(m);
    }
    return told;
}

static int pl_by_wall(const void *a, const void *b)
{
    const struct pl_turn *x = a, *y = b;
    return (x->wall > y->wall) - (x->wall < y->wall);
}

static void pl_say(const char *what, struct pl_turn *t, size_t n, double answers)
{
    qsort(t, n, sizeof(*t), pl_by_wall);
    printf("| %s | %.1f (%.1f .. %.1f) | %.1f | %.2f |\n", what, t[n / 2].wall, t[0].wall,
           t[n - 1].wall, t[n / 2].cpu, t[n / 2].wall * 1e3 / answers);
}

/* Numbers that differ between the two ways. */
static uint64_t pl_differences(const struct pl_sweep *s, const struct pl_sweep_row *a,
                               const struct pl_sweep_row *b, size_t n)
{
    uint64_t d = 0;
    for (size_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < s->n_mix; k++)
            d += a[i].tensors[k] != b[i].tensors[k] ? 1 : 0;
        for (uint32_t c = 0; c < s->n_context; c++)
            d += a[i].kv[c] != b[i].kv[c] || a[i].recurrent[c] != b[i].recurrent[c] ? 1 : 0;
    }
    return d;
}

int main(int argc, char **argv)
{
    static struct pl_turn fast[PL_TURNS_MAX], slow[PL_TURNS_MAX], whole[PL_TURNS_MAX];
    struct pl_sweep s;
    size_t n = 0, told = 0, forecast = 0;
    size_t turns = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 5;
    (void)pl_catalogue(&n);
    struct pl_sweep_row *a = calloc(n, sizeof(*a)), *b = calloc(n, sizeof(*b));
    if (a == NULL || b == NULL || turns < 1 || turns > PL_TURNS_MAX)
        return 2;
    pl_sweep_usual(&s);
    for (size_t t = 0; t < turns; t++) {
        struct pl_turn start = pl_start();
        told = pl_fast(&s, a);
        fast[t] = pl_since(start);
        start = pl_start();
        pl_slow(&s, b);
        slow[t] = pl_since(start);
        start = pl_start();
        forecast = pl_whole(&s);
        whole[t] = pl_since(start);
    }
    double answers = (double)n * s.n_mix * s.n_context;
    printf("%zu rows x %u quantisations x %u contexts = %.0f answers (%zu rows have a table of "
           "tensors), one thread; median (min .. max) of %zu turns.\n\n",
           n, s.n_mix, s.n_context, answers, told, turns);
    printf("| | wall, ms | CPU, ms | us an answer |\n| --- | --- | --- | --- |\n");
    pl_say("the sweep: weights, KV, recurrent state", fast, turns, answers);
    pl_say("the same, a model built for each", slow, turns, answers);
    pl_say("the whole footprint with its graph, one for each row", whole, turns, (double)forecast);
    printf("\n- numbers that differ between the first two: %" PRIu64 "\n",
           pl_differences(&s, a, b, n));
    printf("- at most 100 ms wanted: %s by the clock, %s by CPU time\n",
           fast[turns / 2].wall < 100 ? "reached" : "not reached",
           fast[turns / 2].cpu < 100 ? "reached" : "not reached");
    free(a);
    free(b);
    return 0;
}
