/* Fits the coefficients of speed on data/speed_rows.tsv, and says how far off they are for a device
 * that had no part in them (leave one device out). Prediction is the product's own function.
 *
 *     speed-fit ROWS fit      ->  data/speed_fit.tsv on standard output
 *     speed-fit ROWS table    ->  the tables of docs/speed.md
 *
 * What is fitted: eight numbers of decoding together, by Nelder and Mead on the mean of
 * |log(predicted / measured)|, every device of the weight 1; then, those given, one median each:
 * mixtures of experts, the cache at depth, prefill per architecture of devices. */
#include "speed_rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COEFS_MAX 96
#define SHAPE                                                                                      \
    8 /* bytes, ops, ops of Intel before and from Xe2 on, step of CUDA, Metal, ROCm, Vulkan */
#define STEPS 400

static struct rows rows;

struct fit {
    struct pl_speed_coef coef[COEFS_MAX];
    char name[COEFS_MAX][16]; /* architectures */
    struct pl_speed_fit as;
    double shape[SHAPE];
};

static void fit_set(struct fit *f, const char *what, const char *of, double value)
{
    uint32_t i = 0;
    while (i < f->as.n && (strcmp(f->coef[i].what, what) != 0 || strcmp(f->coef[i].of, of) != 0))
        i++;
    if (i == COEFS_MAX)
        abort();
    if (i == f->as.n) {
        (void)snprintf(f->name[i], sizeof(f->name[i]), "%.15s", of);
        f->coef[i] = (struct pl_speed_coef){.what = what, .of = f->name[i]};
        f->as.n++;
    }
    f->coef[i].value = value;
    f->as.coef = f->coef;
}

static struct pl_speed_coef *fit_at(struct fit *f, const char *what, const char *of)
{
    for (uint32_t i = 0; i < f->as.n; i++) {
        if (strcmp(f->coef[i].what, what) == 0 && strcmp(f->coef[i].of, of) == 0)
            return &f->coef[i];
    }
    abort();
}

static const char *const intel[] = {"xe-lp", "xe-lpg", "xe-hpg"}; /* before Xe2 */

static void fit_shape(struct fit *f, const double x[SHAPE])
{
    memcpy(f->shape, x, sizeof(f->shape));
    fit_set(f, "bytes", "all", exp(x[0]));
    fit_set(f, "ops", "all", exp(x[1]));
    for (size_t i = 0; i < sizeof(intel) / sizeof(intel[0]); i++)
        fit_set(f, "ops", intel[i], exp(x[2]));
    fit_set(f, "ops", "xe2", exp(x[3]));
    fit_set(f, "step_ms", "CUDA", exp(x[4]));
    fit_set(f, "step_ms", "Metal", exp(x[5]));
    fit_set(f, "step_ms", "ROCm", exp(x[6]));
    fit_set(f, "step_ms", "Vulkan", exp(x[7]));
    fit_set(f, "step_ms", "SYCL", exp(x[7]));
    fit_set(f, "step_ms", "all", exp(x[7]));
}

static bool of_fit(const struct row *r)
{
    return r->usable && r->gpu && r->tier[0] == 'A' && r->depth <= 0 && !r->moe;
}

/* Is the row left out for this device? NULL: none is. */
static bool left_out(const struct row *r, const char *device)
{
    return device != NULL && strcmp(r->device, device) == 0;
}

static double decode_ratio(const struct fit *f, const struct row *r)
{
    struct pl_speed_work w = row_work(r, 1);
    return 1 / pl_speed_device_step(&f->as, &r->as, &w) / r->decode; /* predicted / measured */
}

static double loss(struct fit *f, const double x[SHAPE], const char *device)
{
    static int weight[ROWS_MAX];
    static bool counted;
    double sum = 0;
    for (int i = 0; !counted && i < rows.n; i++) { /* rows of each row's device */
        for (int k = 0; of_fit(&rows.row[i]) && k < rows.n; k++)
            weight[i] +=
                of_fit(&rows.row[k]) && strcmp(rows.row[k].device, rows.row[i].device) == 0;
    }
    counted = true;
    fit_shape(f, x);
    for (int i = 0; i < rows.n; i++) {
        if (weight[i] > 0 && !left_out(&rows.row[i], device))
            sum += fabs(log(decode_ratio(f, &rows.row[i]))) / weight[i];
    }
    return sum;
}

struct point {
    double x[SHAPE], loss;
};

static int by_loss(const void *a, const void *b)
{
    double x = ((const struct point *)a)->loss, y = ((const struct point *)b)->loss;
    return (x > y) - (x < y);
}

static struct point along(struct fit *f, const struct point *from, const double to[SHAPE],
                          double by, const char *device)
{
    struct point p;
    for (int i = 0; i < SHAPE; i++)
        p.x[i] = to[i] + by * (to[i] - from->x[i]);
    p.loss = loss(f, p.x, device);
    return p;
}

static void minimise(struct fit *f, double step, int steps, const char *device)
{
    struct point p[SHAPE + 1];
    for (int i = 0; i <= SHAPE; i++) {
        memcpy(p[i].x, f->shape, sizeof(f->shape));
        if (i > 0)
            p[i].x[i - 1] += step;
    }
    for (int i = 0; i <= SHAPE; i++)
        p[i].loss = loss(f, p[i].x, device);
    for (int n = 0; n < steps; n++) {
        qsort(p, SHAPE + 1, sizeof(p[0]), by_loss);
        double middle[SHAPE] = {0};
        for (int i = 0; i < SHAPE; i++) {
            for (int k = 0; k < SHAPE; k++)
                middle[i] += p[k].x[i] / SHAPE;
        }
        struct point *worst = &p[SHAPE], over = along(f, worst, middle, 1, device);
        if (over.loss < p[0].loss) {
            struct point far = along(f, worst, middle, 2, device);
            *worst = far.loss < over.loss ? far : over;
        } else if (over.loss < p[SHAPE - 1].loss) {
            *worst = over;
        } else {
            struct point in = along(f, worst, middle, -0.5, device);
            bool better = in.loss < worst->loss;
            if (better)
                *worst = in;
            for (int k = 1; !better && k <= SHAPE; k++)
                p[k] = along(f, &p[k], p[0].x, -0.5, device);
        }
    }
    qsort(p, SHAPE + 1, sizeof(p[0]), by_loss);
    fit_shape(f, p[0].x);
}

static bool match(const char *of, const char *name)
{
    return strcmp(of, "all") == 0 || strcmp(of, name) == 0;
}

/* The median of `each` over the rows, as a coefficient; none with fewer than `least` devices. */
static void fit_median(struct fit *f, const char *what, const char *of, int least,
                       const char *device, double (*each)(const struct fit *, const struct row *))
{
    static struct samples s;
    s.n = 0;
    for (int i = 0; i < rows.n; i++) {
        const struct row *r = &rows.row[i];
        double v = r->usable && r->gpu && r->tier[0] == 'A' && !left_out(r, device) &&
                           (match(of, r->arch) || match(of, r->backend))
                       ? each(f, r)
                       : 0;
        if (v > 0)
            samples_add(&s, v, r->device);
    }
    if (samples_devices(&s) < least)
        return;
    fit_set(f, what, of, samples_quantile(&s, 0.5));
    struct pl_speed_coef *c = fit_at(f, what, of);
    c->rows = (uint32_t)s.n;
    c->devices = (uint32_t)samples_devices(&s);
}

static double of_moe(const struct fit *f, const struct row *r)
{
    return r->moe && r->depth <= 0 ? decode_ratio(f, r) : 0;
}

/* Bandwidths' worth of time that the cache costs, from a row without and one with depth. */
static double of_kv(const struct fit *f, const struct row *r)
{
    (void)f;
    for (int i = 0; r->depth > 0 && r->kv_bytes > 0 && i < rows.n; i++) {
        const struct row *o = &rows.row[i];
        if (o->depth > 0 || strcmp(o->device, r->device) != 0 ||
            strcmp(o->backend, r->backend) != 0 || strcmp(o->model, r->model) != 0 ||
            strcmp(o->flags, r->flags) != 0)
            continue;
        return (1 / r->decode - 1 / o->decode) * r->bandwidth / r->kv_bytes;
    }
    return 0;
}

/* The share of the FP32 peak at which the operations of a prompt run, the rest of the step taken
 * off; f has none for it yet. */
static double of_prefill(const struct fit *f, const struct row *r)
{
    struct pl_speed_work first = row_work(r, 1);
    if (r->moe || r->depth > 0 || r->prefill <= 0)
        return 0;
    double tokens = r->prompt > 512 ? 512 : r->prompt; /* a physical batch of llama-bench */
    double t = tokens / r->prefill - pl_speed_device_step(&f->as, &r->as, &first);
    return t > 0 ? 2 * r->active * (tokens - 1) / t / r->fp32 : 0;
}

static double of_prefill_moe(const struct fit *f, const struct row *r)
{
    if (!r->moe || r->depth > 0 || r->prefill <= 0)
        return 0;
    struct fit plain = *f;
    plain.as.coef = plain.coef;
    fit_set(&plain, "prefill_moe", "all", 1);
    struct pl_speed_work w = row_work(r, 512), first = row_work(r, 1);
    first.bytes = w.bytes;
    double rest = pl_speed_device_step(&plain.as, &r->as, &first);
    double rate = pl_speed_device_step(&plain.as, &r->as, &w) - rest;
    return rate > 0 ? (512 / r->prefill - rest) / rate : 0;
}

static const char *const backends[] = {"CUDA", "Metal", "ROCm", "Vulkan", "SYCL"};

static void fit_rest(struct fit *f, const char *device)
{
    fit_set(f, "moe", "all", 1);
    fit_median(f, "moe", "all", 1, device, of_moe);
    fit_set(f, "kv", "all", 1);
    fit_median(f, "kv", "all", 1, device, of_kv);
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        fit_median(f, "kv", backends[i], 1, device, of_kv);
    fit_set(f, "prefill", "all", 1);
    fit_median(f, "prefill", "all", 1, device, of_prefill);
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        fit_median(f, "prefill", backends[i], 1, device, of_prefill);
    for (int i = 0; i < rows.n; i++) {
        bool before = false;
        for (int k = 0; k < i && !before; k++)
            before = strcmp(rows.row[k].arch, rows.row[i].arch) == 0;
        if (!before && strcmp(rows.row[i].arch, "?") != 0)
            fit_median(f, "prefill", rows.row[i].arch, 1, device, of_prefill);
    }
    fit_set(f, "prefill_moe", "all", 1);
    fit_median(f, "prefill_moe", "all", 1, device, of_prefill_moe);
}

static void fit_all(struct fit *f, const char *device, const double *from)
{
    static const double start[SHAPE] = {0.08, 1, 2.4, 1.4, 0.1, 0.9, 1, 0.5};
    f->as.n = 0;
    fit_shape(f, from != NULL ? from : start);
    minimise(f, from != NULL ? 0.1 : 0.4, from != NULL ? STEPS / 3 : STEPS, device);
    fit_rest(f, device);
}

/* Each row as the fit without its device has it: predicted / measured; 0 = not predicted. */
static double out_decode[ROWS_MAX], out_prefill[ROWS_MAX], in_decode[ROWS_MAX];

static double prefill_ratio(const struct fit *f, const struct row *r)
{
    double tokens = r->prompt > 512 ? 512 : r->prompt;
    struct pl_speed_work w = row_work(r, tokens);
    return r->prefill > 0 && r->depth <= 0
               ? tokens / pl_speed_device_step(&f->as, &r->as, &w) / r->prefill
               : 0;
}

static void leave_one_out(const struct fit *all)
{
    static struct fit f;
    for (int i = 0; i < rows.n; i++) {
        const struct row *r = &rows.row[i];
        if (!r->usable || !r->gpu || out_decode[i] > 0)
            continue;
        bool part = false; /* did the device have a part in the fit? */
        for (int k = 0; k < rows.n && !part; k++)
            part = rows.row[k].tier[0] == 'A' && strcmp(rows.row[k].device, r->device) == 0;
        if (part)
            fit_all(&f, r->device, all->shape);
        else
            f = *all, f.as.coef = f.coef;
        for (int k = i; k < rows.n; k++) {
            const struct row *o = &rows.row[k];
            if (strcmp(o->device, r->device) != 0 || !o->usable || !o->gpu)
                continue;
            out_decode[k] = o->depth > 0 && o->kv_bytes < 0 ? 0 : decode_ratio(&f, o);
            out_prefill[k] = prefill_ratio(&f, o);
            in_decode[k] = decode_ratio(all, o);
        }
    }
}

struct pick {
    const char *title, *backend, *class;
    char tier;
    int moe, deep; /* -1 = either */
};

static bool picked(const struct pick *p, const struct row *r)
{
    return match(p->backend, r->backend) && match(p->class, r->class) && r->tier[0] == p->tier &&
           (p->moe < 0 || p->moe == (r->moe ? 1 : 0)) &&
           (p->deep < 0 || p->deep == (r->depth > 0 ? 1 : 0));
}

static void line(const struct pick *p, const double *ratio)
{
    static struct samples error, bias;
    error.n = bias.n = 0;
    for (int i = 0; i < rows.n; i++) {
        if (ratio[i] > 0 && picked(p, &rows.row[i])) {
            samples_add(&error, fabs(ratio[i] - 1), rows.row[i].device);
            samples_add(&bias, ratio[i], rows.row[i].device);
        }
    }
    if (error.n == 0)
        return;
    (void)printf("| %s | %d | %d | %.1f %% | %.1f %% | %.2f | %.2f .. %.2f |\n", p->title, error.n,
                 samples_devices(&error), 100 * samples_quantile(&error, 0.5),
                 100 * samples_quantile(&error, 0.9), samples_quantile(&bias, 0.5),
                 samples_quantile(&bias, 0.05), samples_quantile(&bias, 0.95));
}

static void head(const char *title)
{
    (void)printf(
        "\n## %s\n\n| rows | n | devices | median error | p90 | predicted/measured, median | "
        "p5 .. p95 |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        title);
}

static void table(void)
{
    static const struct pick decode[] =
        {
            {"**all GPUs**",     "all",    "all",         'A', 0, 0},
            {"CUDA",             "CUDA",   "all",         'A', 0, 0},
            {"CUDA desktop",     "CUDA",   "desktop",     'A', 0, 0},
            {"CUDA workstation", "CUDA",   "workstation", 'A', 0, 0},
            {"CUDA datacenter",  "CUDA",   "datacenter",  'A', 0, 0},
            {"CUDA laptop",      "CUDA",   "laptop",      'A', 0, 0},
            {"CUDA soc",         "CUDA",   "soc",         'A', 0, 0},
            {"Metal",            "Metal",  "all",         'A', 0, 0},
            {"ROCm",             "ROCm",   "all",         'A', 0, 0},
            {"ROCm desktop",     "ROCm",   "desktop",     'A', 0, 0},
            {"ROCm soc",         "ROCm",   "soc",         'A', 0, 0},
            {"Vulkan",           "Vulkan", "all",         'A', 0, 0},
            {"Vulkan desktop",   "Vulkan", "desktop",     'A', 0, 0},
            {"Vulkan soc",       "Vulkan", "soc",         'A', 0, 0},
            {"SYCL",             "SYCL",   "all",         'A', 0, 0},
    },
                             other[] =
                                 {
                                     {"mixtures of experts", "all", "all", 'A', 1, 0},
                                     {"mixtures, CUDA", "CUDA", "all", 'A', 1, 0},
                                     {"mixtures, Metal", "Metal", "all", 'A', 1, 0},
                                     {"mixtures, ROCm", "ROCm", "all", 'A', 1, 0},
                                     {"mixtures, Vulkan", "Vulkan", "all", 'A', 1, 0},
                                     {"at depth 4k .. 64k, dense", "all", "all", 'A', 0, 1},
                                     {"at depth 4k .. 64k, mixture", "all", "all", 'A', 1, 1},
                                     {"tier B (bytes estimated)", "all", "all", 'B', -1, 0},
                                     {"tier C (users' reports)", "all", "all", 'C', -1, 0},
                                 },
                             prefill[] = {
                                 {"**all GPUs**", "all", "all", 'A', 0, 0},
                                 {"CUDA", "CUDA", "all", 'A', 0, 0},
                                 {"Metal", "Metal", "all", 'A', 0, 0},
                                 {"ROCm", "ROCm", "all", 'A', 0, 0},
                                 {"Vulkan", "Vulkan", "all", 'A', 0, 0},
                                 {"mixtures", "all", "all", 'A', 1, 0},
                             };
    head("Decode, dense models, device left out");
    for (size_t i = 0; i < sizeof(decode) / sizeof(decode[0]); i++)
        line(&decode[i], out_decode);
    head("The same rows, device not left out: what the fit itself has");
    line(&decode[0], in_decode);
    head("Decode beyond the rows of the main fit, device left out");
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        line(&other[i], out_decode);
    head("Prefill, device left out");
    for (size_t i = 0; i < sizeof(prefill) / sizeof(prefill[0]); i++)
        line(&prefill[i], out_prefill);
}

/* Measured over predicted, with the device left out: the interval that goes with a figure. */
static void interval(struct fit *f, const char *what, const struct pick *p, const double *ratio)
{
    static struct samples s;
    s.n = 0;
    for (int i = 0; i < rows.n; i++) {
        if (ratio[i] > 0 && picked(p, &rows.row[i]))
            samples_add(&s, 1 / ratio[i], rows.row[i].device);
    }
    if (samples_devices(&s) < 5 && strcmp(p->backend, "all") != 0)
        return;
    fit_set(f, what, p->backend, 1);
    struct pl_speed_coef *c = fit_at(f, what, p->backend);
    c->low = samples_quantile(&s, 0.05);
    c->high = samples_quantile(&s, 0.95);
    c->rows = (uint32_t)s.n;
    c->devices = (uint32_t)samples_devices(&s);
}

static void print_fit(struct fit *f)
{
    static const char *const of[] = {"all", "CUDA", "Metal", "ROCm", "Vulkan"};
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        struct pick p = {NULL, of[i], "all", 'A', 0, 0};
        interval(f, "interval", &p, out_decode);
        interval(f, "interval_prefill", &p, out_prefill);
        p.moe = 1;
        interval(f, "interval_moe", &p, out_decode);
        interval(f, "interval_prefill_moe", &p, out_prefill);
    }
    (void)printf("what\tof\tvalue\tlow\thigh\trows\tdevices\tsource\n");
    for (uint32_t i = 0; i < f->as.n; i++) {
        const struct pl_speed_coef *c = &f->coef[i];
        (void)printf("%s\t%s\t%.4g\t%.4g\t%.4g\t%u\t%u\t%s\n", c->what, c->of, c->value, c->low,
                     c->high, c->rows, c->devices, "data/speed_rows.tsv by bench/speed_fit.c");
    }
}

int main(int argc, char **argv)
{
    static struct fit f;
    if (argc != 3 || (strcmp(argv[2], "fit") != 0 && strcmp(argv[2], "table") != 0)) {
        (void)fprintf(stderr, "usage: speed-fit ROWS fit|table\n");
        return 2;
    }
    rows_read(argv[1], &rows);
    fit_all(&f, NULL, NULL);
    minimise(&f, 0.1, STEPS, NULL);
    fit_rest(&f, NULL);
    leave_one_out(&f);
    if (strcmp(argv[2], "fit") == 0)
        print_fit(&f);
    else
        table();
    return ferror(stdout) != 0 || fflush(stdout) != 0;
}
