#include "measure/beside.h"

#include "base/clock.h"
#include "base/str.h"
#include "sys/psi.h"

#include <string.h>

void pl_beside_before(const struct pl_root *root, struct pl_beside *ret)
{
    struct pl_pressure p;
    char text[128];
    *ret = (struct pl_beside){0};
    if (pl_psi_read(root, "cpu", &p, NULL) == 0) {
        ret->pressure_known = true;
        ret->pressure_before = p.some_avg10 / 100;
    }
    if (pl_read_text(root, "proc/loadavg", text, sizeof(text), NULL, NULL) < 0)
        return;
    text[strcspn(text, " ")] = '\0';
    ret->load_known = pl_parse_double(text, &ret->load_before) && ret->load_before >= 0;
}

void pl_beside_begin(const struct pl_root *root, struct pl_beside_window *w)
{
    struct pl_pressure p;
    *w = (struct pl_beside_window){.began_ns = pl_now_ns(pl_clock_real())};
    w->known = pl_psi_read(root, "cpu", &p, NULL) == 0;
    w->waited_us = w->known ? p.some_total_us : 0;
}

void pl_beside_end(const struct pl_root *root, const struct pl_beside_window *w,
                   struct pl_beside *ret)
{
    struct pl_pressure p;
    uint64_t now = pl_now_ns(pl_clock_real());
    if (!w->known || now <= w->began_ns || pl_psi_read(root, "cpu", &p, NULL) < 0 ||
        p.some_total_us < w->waited_us) {
        ret->pressure_known = false;
        return;
    }
    double share = (double)(p.some_total_us - w->waited_us) * 1e3 / (double)(now - w->began_ns);
    ret->pressure_during = share < 1 ? share : 1;
}

void pl_beside_judge(struct pl_beside *b, uint64_t threads, uint64_t processors)
{
    b->judged = b->pressure_known || (b->load_known && processors > 0);
    if (b->pressure_known) {
        bool ours = processors > 0 && threads > processors;
        b->disturbed = b->pressure_before > PL_BESIDE_WAITED ||
                       (!ours && b->pressure_during > PL_BESIDE_WAITED);
        return;
    }
    b->disturbed = b->judged && b->load_before > PL_BESIDE_LOAD * (double)processors;
}
