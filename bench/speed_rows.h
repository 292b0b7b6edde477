/* The rows of data/speed_rows.tsv, and statistics over them in which every device counts alike. */
#ifndef BENCH_SPEED_ROWS_H
#define BENCH_SPEED_ROWS_H

#include "engine/llamacpp/speed_fit.h"

#include <stdbool.h>

#define ROWS_MAX 4096
#define ROW_COLUMNS 21

struct row {
    char line[1024]; /* the texts below point into it */
    const char *device, *class, *arch, *backend, *engine, *model, *quant, *tier, *flags;
    double params, active, file_bytes, read_bytes, depth, kv_bytes, prompt, prefill, decode,
        bandwidth, fp32; /* 0 = unknown; kv_bytes below 0 = unknown */
    struct pl_speed_device as;
    bool gpu, moe, usable;
};

struct rows {
    struct row row[ROWS_MAX];
    int n;
};

/* Reads the file; ends the program with a line on stderr when it cannot. */
void rows_read(const char *path, struct rows *ret);

/* What a step over `tokens` tokens asks of the row's device. */
struct pl_speed_work row_work(const struct row *r, double tokens);

/* A set of values, each from a device. */
struct sample {
    double value;
    const char *device;
};
struct samples {
    struct sample one[ROWS_MAX];
    int n;
};
void samples_add(struct samples *s, double value, const char *device);
/* The value below which the share q of the weight lies; a device's values share the weight 1. */
double samples_quantile(struct samples *s, double q);
int samples_devices(const struct samples *s);

#endif
