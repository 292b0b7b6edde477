#include "speed_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number(const char *text)
{
    char *end = NULL;
    double v = strtod(text, &end);
    return end != text && *end == '\0' ? v : 0;
}

static enum pl_backend backend_of(const char *name)
{
    static const enum pl_backend all[] = {PL_BACKEND_CUDA, PL_BACKEND_ROCM, PL_BACKEND_VULKAN,
                                          PL_BACKEND_SYCL, PL_BACKEND_METAL};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strcmp(name, pl_speed_backend(all[i])) == 0)
            return all[i];
    }
    return PL_BACKEND_UNKNOWN;
}

/* Rows whose figure is not that of the device in its row, by their own flags: work split with the
 * host or over the network, a rate above the memory bus, a translation layer between the backend
 * and the device, a bandwidth nobody is sure of. */
static bool flagged(const char *flags)
{
    static const char *const out[] = {"offload_likely",    "partial_offload",      "multi_node",
                                      "moltenvk",          "exceeds_bandwidth",    "bw_uncertain",
                                      "issue_report_slow", "label_fp16_impossible"};
    for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        if (strstr(flags, out[i]) != NULL)
            return true;
    }
    return false;
}

static bool row_parse(struct row *r)
{
    char *f[ROW_COLUMNS];
    int n = 0;
    for (char *p = r->line; n < ROW_COLUMNS; n++) {
        f[n] = p;
        p += strcspn(p, "\t\n");
        char end = *p;
        *p++ = '\0';
        if (end != '\t') {
            n++;
            break;
        }
    }
    if (n != ROW_COLUMNS)
        return false;
    r->device = f[0], r->class = f[1], r->arch = f[2], r->backend = f[3], r->engine = f[4];
    r->model = f[5], r->quant = f[6], r->tier = f[18], r->flags = f[19];
    r->params = number(f[7]) * 1e9, r->active = number(f[8]) * 1e9;
    r->file_bytes = number(f[9]), r->read_bytes = number(f[10]), r->depth = number(f[11]);
    r->kv_bytes = strcmp(f[12], "?") == 0 ? -1 : number(f[12]);
    r->prompt = number(f[13]), r->prefill = number(f[14]), r->decode = number(f[15]);
    r->bandwidth = number(f[16]) * 1e9, r->fp32 = number(f[17]) * 1e12;
    r->gpu = backend_of(r->backend) != PL_BACKEND_UNKNOWN;
    r->moe = r->active < r->params * 0.95;
    r->usable = r->active > 0 && r->read_bytes > 0 && r->decode > 0 && r->bandwidth > 0 &&
                r->fp32 > 0 && !flagged(r->flags);
    r->as = (struct pl_speed_device){
        .backend = backend_of(r->backend), .bandwidth = r->bandwidth, .fp32 = r->fp32};
    (void)snprintf(r->as.arch, sizeof(r->as.arch), "%.15s", r->arch);
    return true;
}

void rows_read(const char *path, struct rows *ret)
{
    FILE *f = fopen(path, "r");
    ret->n = 0;
    char head[1024];
    if (f == NULL || fgets(head, sizeof(head), f) == NULL) {
        (void)fprintf(stderr, "speed-fit: cannot read %s\n", path);
        exit(4);
    }
    while (ret->n < ROWS_MAX && fgets(ret->row[ret->n].line, sizeof(ret->row[0].line), f) != NULL) {
        if (!row_parse(&ret->row[ret->n])) {
            (void)fprintf(stderr, "speed-fit: %s:%d: not %d columns\n", path, ret->n + 2,
                          ROW_COLUMNS);
            exit(2);
        }
        ret->n++;
    }
    (void)fclose(f);
}

struct pl_speed_work row_work(const struct row *r, double tokens)
{
    double kv = r->kv_bytes > 0 ? r->kv_bytes : 0;
    double bytes = tokens > 1 && r->moe ? r->file_bytes : r->read_bytes;
    return (struct pl_speed_work){.bytes = bytes,
                                  .ops = 2 * r->active * tokens,
                                  .kv_bytes = kv,
                                  .share = 1,
                                  .tokens = tokens,
                                  .experts = r->moe};
}

void samples_add(struct samples *s, double value, const char *device)
{
    if (s->n < ROWS_MAX)
        s->one[s->n++] = (struct sample){value, device};
}

static int by_device(const void *a, const void *b)
{
    return strcmp(((const struct sample *)a)->device, ((const struct sample *)b)->device);
}

struct weighted {
    double value, weight;
};

static int by_value(const void *a, const void *b)
{
    double x = ((const struct weighted *)a)->value, y = ((const struct weighted *)b)->value;
    return (x > y) - (x < y);
}

double samples_quantile(struct samples *s, double q)
{
    static struct weighted w[ROWS_MAX];
    double sum = 0, seen = 0;
    if (s->n == 0)
        return 0;
    qsort(s->one, (size_t)s->n, sizeof(s->one[0]), by_device);
    for (int i = 0; i < s->n;) {
        int end = i;
        while (end < s->n && strcmp(s->one[end].device, s->one[i].device) == 0)
            end++;
        for (int k = i; k < end; k++)
            w[k] = (struct weighted){s->one[k].value, 1.0 / (end - i)};
        i = end;
        sum += 1;
    }
    qsort(w, (size_t)s->n, sizeof(w[0]), by_value);
    for (int i = 0; i < s->n; i++) {
        seen += w[i].weight;
        if (seen >= q * sum - 1e-9)
            return w[i].value;
    }
    return w[s->n - 1].value;
}

int samples_devices(const struct samples *s)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        bool before = false;
        for (int k = 0; k < i && !before; k++)
            before = strcmp(s->one[k].device, s->one[i].device) == 0;
        n += before ? 0 : 1;
    }
    return n;
}
