#include "measure/accuracy.h"

#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int pl_score_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void pl_score_sizes(double *v, uint32_t n, double *ret_bias, double *ret_median,
                           double *ret_p95)
{
    *ret_bias = pl_middle(v, n);
    for (uint32_t i = 0; i < n; i++)
        v[i] = fabs(v[i]);
    *ret_median = pl_middle(v, n);
    qsort(v, n, sizeof(*v), pl_score_order);
    *ret_p95 = pl_rank(v, n, 0.95);
}

void pl_score_of(double *error, double *corrected, double *width, uint32_t n, struct pl_score *ret)
{
    ret->n = n;
    ret->width = pl_middle(width, n);
    pl_score_sizes(error, n, &ret->bias, &ret->median, &ret->p95);
    pl_score_sizes(corrected, n, &ret->c_bias, &ret->c_median, &ret->c_p95);
}

static struct pl_correction_key pl_accuracy_key(const struct pl_observations *o,
                                                const struct pl_observed *one)
{
    const struct pl_observed_run *r = &o->run[one->run];
    return (struct pl_correction_key){.version = r->version,
                                      .backend = r->backend,
                                      .arch = r->arch,
                                      .machine = r->machine,
                                      .model = r->model,
                                      .quant = r->quant,
                                      .alike = r->alike,
                                      .target = one->target,
                                      .on_device = one->on_device};
}

/* The predicted value with what all other runs teach; *ret_is: something was taught. */
static int pl_accuracy_corrected(const struct pl_observations *o, const struct pl_observed *one,
                                 double *ret, bool *ret_is)
{
    const struct pl_observed_run *r = &o->run[one->run];
    struct pl_learned learned;
    int rc = 0;
    *ret = one->likely;
    *ret_is = false;
    for (uint32_t i = r->first; one->target == PL_TARGET_STEADY && i < r->first + r->n; i++) {
        const struct pl_observed *part = &o->one[i];
        if (part->target >= PL_PARTS || !part->soft || part->on_device != one->on_device)
            continue;
        struct pl_correction_key key = pl_accuracy_key(o, part);
        rc = pl_learn(o, &key, r->id, &learned);
        if (rc < 0)
            return rc;
        *ret += learned.c.known ? part->likely * (learned.c.factor - 1) : 0;
        *ret_is = *ret_is || learned.c.known;
    }
    if (*ret_is || !one->soft)
        return 0;
    struct pl_correction_key key = pl_accuracy_key(o, one);
    rc = pl_learn(o, &key, r->id, &learned);
    *ret_is = rc == 0 && learned.c.known;
    *ret *= *ret_is ? learned.c.factor : 1;
    return rc;
}

int pl_accuracy_calibrated(const struct pl_observations *o, int64_t id, int target, double *ret)
{
    *ret = 0;
    for (uint32_t i = 0; i < o->n_run; i++) {
        const struct pl_observed_run *r = &o->run[i];
        for (uint32_t k = r->first; r->id == id && k < r->first + r->n; k++) {
            const struct pl_observed *one = &o->one[k];
            bool is = false;
            double value = 0;
            if (one->target != target || one->on_device)
                continue;
            int rc = pl_accuracy_corrected(o, one, &value, &is);
            *ret = rc == 0 && is ? value : 0;
            return rc;
        }
    }
    return 0;
}

static const char *pl_accuracy_group(const struct pl_observations *o, const struct pl_observed *one,
                                     enum pl_accuracy_by by)
{
    const struct pl_observed_run *r = &o->run[one->run];
    return by == PL_BY_ARCH      ? r->arch
           : by == PL_BY_MACHINE ? (r->machine_text[0] != '\0' ? r->machine_text : r->machine)
                                 : "";
}

static int pl_accuracy_order(const void *a, const void *b)
{
    const struct pl_accuracy_row *x = a, *y = b;
    for (size_t i = 0; i < sizeof(x->group); i++) {
        if (x->group[i] != y->group[i] || x->group[i] == '\0') {
            if (x->group[i] != y->group[i])
                return x->group[i] < y->group[i] ? -1 : 1;
            break;
        }
    }
    if (x->on_device != y->on_device)
        return x->on_device ? 1 : -1;
    return x->target - y->target;
}

/* The rows that there are: every group with every target that was seen in it. */
static uint32_t pl_accuracy_rows(const struct pl_observations *o, enum pl_accuracy_by by,
                                 struct pl_accuracy_row *rows, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct pl_observed *one = &o->one[i];
        if (by != PL_BY_PART && one->target < PL_PARTS)
            continue;
        struct pl_accuracy_row row = {.target = one->target, .on_device = one->on_device};
        (void)PL_FMT(row.group, "%s", pl_accuracy_group(o, one, by));
        uint32_t k = 0;
        while (k < n && (rows[k].target != row.target || rows[k].on_device != row.on_device ||
                         !pl_streq(rows[k].group, row.group)))
            k++;
        if (k == n && n < max)
            rows[n++] = row;
    }
    qsort(rows, n, sizeof(*rows), pl_accuracy_order);
    return n;
}

struct pl_accuracy_room {
    double *error, *corrected, *width;
};

static int pl_accuracy_fill(const struct pl_observations *o, enum pl_accuracy_by by,
                            struct pl_accuracy_row *row, struct pl_accuracy_room *room)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct pl_observed *one = &o->one[i];
        char group[sizeof(row->group)];
        (void)PL_FMT(group, "%s", pl_accuracy_group(o, one, by));
        if (one->target != row->target || one->on_device != row->on_device ||
            !pl_streq(group, row->group))
            continue;
        double value = 0;
        bool is = false;
        int rc = pl_accuracy_corrected(o, one, &value, &is);
        if (rc < 0)
            return rc;
        room->error[n] = (one->likely - one->measured) / one->measured;
        room->corrected[n] = (value - one->measured) / one->measured;
        room->width[n++] = (one->high - one->low) / one->likely;
        row->s.held += one->low <= one->measured && one->measured <= one->high;
        row->s.n_corrected += is;
    }
    pl_score_of(room->error, room->corrected, room->width, n, &row->s);
    return 0;
}

int pl_accuracy(const struct pl_observations *o, enum pl_accuracy_by by,
                struct pl_accuracy_row *rows, uint32_t max)
{
    uint32_t n = pl_accuracy_rows(o, by, rows, max);
    struct pl_accuracy_room room = {.error = calloc(o->n + 1, sizeof(double)),
                                    .corrected = calloc(o->n + 1, sizeof(double)),
                                    .width = calloc(o->n + 1, sizeof(double))};
    int rc = room.error == NULL || room.corrected == NULL || room.width == NULL ? -ENOMEM : 0;
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        rc = pl_accuracy_fill(o, by, &rows[i], &room);
    free(room.error);
    free(room.corrected);
    free(room.width);
    return rc < 0 ? rc : (int)n;
}
