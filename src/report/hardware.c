#include "report/hardware.h"

#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"

#define PL_LABEL "%-10s"
#define PL_SLOTS_LINE_MAX 4 /* more slots than this are a table */

static void pl_numa_text(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {
        "Node", ">CPUs", "Memory", ">Total", ">Free", "Distance to each", NULL};
    char text[PL_QUANTITY_TEXT_MAX];
    struct pl_table *t = m->n_numa > 1 ? pl_table_new(titles) : NULL;
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < m->n_numa; i++) {
        const struct pl_numa_node *node = &m->numa[i];
        struct pl_str row;
        pl_str_init(&row, PL_TABLE_CELL_MAX);
        for (uint32_t k = 0; k < m->n_numa && k < 24; k++) {
            if (node->distance[k] == 0)
                pl_str_addf(&row, "%s-", k > 0 ? " " : "");
            else
                pl_str_addf(&row, "%s%u", k > 0 ? " " : "", node->distance[k]);
        }
        pl_table_row(t);
        pl_table_cell(t, "%u", node->id);
        pl_table_cell(t, "%u", node->cpus);
        pl_table_cell(t, "%s",
                      !node->memory_only      ? "ram"
                      : node->what[0] != '\0' ? node->what
                                              : "no CPUs");
        pl_table_cell(t, "%s", pl_quantity_text(node->total, text));
        pl_table_cell(t, "%s", pl_quantity_text(node->free, text));
        pl_table_cell(t, "%s", pl_str_get(&row));
        pl_str_done(&row);
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

static const char *pl_dimm_size(const struct pl_dimm *d, char text[PL_QUANTITY_TEXT_MAX])
{
    return pl_known(d->bytes) && d->bytes.likely == 0 ? "empty" : pl_quantity_text(d->bytes, text);
}

static void pl_dimm_table(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Slot", ">Size", "Kind", ">Speed", NULL};
    char text[PL_QUANTITY_TEXT_MAX];
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    pl_str_add(out, "\n");
    for (uint32_t i = 0; i < m->n_dimm; i++) {
        const struct pl_dimm *d = &m->dimm[i];
        pl_table_row(t);
        pl_table_cell(t, "%s", d->slot[0] != '\0' ? d->slot : "?");
        pl_table_cell(t, "%s", pl_dimm_size(d, text));
        pl_table_cell(t, "%s", d->kind[0] != '\0' ? d->kind : "-");
        if (d->mt_per_s > 0)
            pl_table_cell(t, "%u MT/s", d->mt_per_s);
        else
            pl_table_cell(t, "-");
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

/* "2 of 4 used, 32.00 GiB: DIMM_A1 16.00 GiB DDR5 4800 MT/s, DIMM_A2 empty ..." */
static void pl_dimm_text(const struct pl_machine *m, struct pl_str *out)
{
    char text[PL_QUANTITY_TEXT_MAX];
    uint32_t used = 0;
    if (m->n_dimm == 0) {
        if (m->dimm_total.state == PL_STATE_NO_PERMISSION)
            pl_str_addf(out, PL_LABEL "unknown (needs root)\n", "Slots");
        return;
    }
    for (uint32_t i = 0; i < m->n_dimm; i++)
        used += pl_known(m->dimm[i].bytes) && m->dimm[i].bytes.likely == 0 ? 0 : 1;
    pl_str_addf(out, PL_LABEL "%u of %u used, %s", "Slots", used, m->n_dimm,
                pl_quantity_text(m->dimm_total, text));
    for (uint32_t i = 0; m->n_dimm <= PL_SLOTS_LINE_MAX && i < m->n_dimm; i++) {
        const struct pl_dimm *d = &m->dimm[i];
        pl_str_addf(out, "%s%s%s%s", i == 0 ? ": " : "; ", d->slot, d->slot[0] != '\0' ? " " : "",
                    pl_dimm_size(d, text));
        if (d->kind[0] != '\0')
            pl_str_addf(out, " %s", d->kind);
        if (d->mt_per_s > 0)
            pl_str_addf(out, " %u MT/s", d->mt_per_s);
    }
    pl_str_add(out, "\n");
}

static void pl_limits_text(const struct pl_limits *l, struct pl_str *out)
{
    char text[PL_QUANTITY_TEXT_MAX];
    if (!pl_known(l->memlock))
        return;
    if (l->memlock.likely == UINT64_MAX)
        pl_str_addf(out, PL_LABEL "no limit on locked memory", "Limits");
    else
        pl_str_addf(out, PL_LABEL "locked memory %s (ulimit -l)", "Limits",
                    pl_quantity_text(l->memlock, text));
    if (pl_known(l->hugepages) && l->hugepages.likely > 0)
        pl_str_addf(out, "; free huge pages %s", pl_quantity_text(l->hugepages, text));
    if (pl_known(l->arc) && l->arc.likely > 0)
        pl_str_addf(out, "; ZFS cache over its minimum %s", pl_quantity_text(l->arc, text));
    pl_str_add(out, "\n");
}

static void pl_disk_text(const struct pl_machine *m, struct pl_str *out)
{
    for (uint32_t i = 0; i < m->n_storage; i++) {
        const struct pl_storage *s = &m->storage[i];
        bool known = s->read.source != PL_SOURCE_UNKNOWN;
        if (s->device[0] == '\0' && !known)
            continue;
        pl_str_addf(out, PL_LABEL "%s", "Disk", s->device[0] != '\0' ? s->device : "unknown");
        if (s->device_model[0] != '\0')
            pl_str_addf(out, " (%s)", s->device_model);
        if (s->rotates)
            pl_str_add(out, ", rotating");
        if (known)
            pl_str_addf(out, ", reads %.2f GB/s (%.2f .. %.2f): %s", s->read.likely / 1e9,
                        s->read.low / 1e9, s->read.high / 1e9,
                        s->read.why != NULL ? s->read.why : pl_source_name(s->read.source));
        else
            pl_str_add(out, ", read speed not measured (--storage)");
        pl_str_add(out, "\n");
    }
}

static void pl_endpoints_text(const struct pl_machine *m, struct pl_str *out)
{
    for (uint32_t i = 0; i < m->n_endpoint; i++) {
        const struct pl_endpoint *e = &m->endpoint[i];
        pl_str_addf(out, PL_LABEL "%s ", i == 0 ? "Network" : "", e->url);
        if (e->state != PL_STATE_PLAIN)
            pl_str_addf(out, "%s\n", pl_state_name(e->state));
        else if (e->reachable)
            pl_str_addf(out, "connects in %.1f ms\n", e->milliseconds);
        else
            pl_str_addf(out, "not reachable: %s\n", e->why);
    }
}

void pl_hardware_tables(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    pl_numa_text(m, colour, out);
    if (m->n_dimm > PL_SLOTS_LINE_MAX)
        pl_dimm_table(m, colour, out);
}

void pl_hardware_lines(const struct pl_machine *m, struct pl_str *out)
{
    if (m->board[0] != '\0')
        pl_str_addf(out, PL_LABEL "%s\n", "Board", m->board);
    if (m->around[0] != '\0')
        pl_str_addf(out, PL_LABEL "%s\n", "Inside", m->around);
    pl_dimm_text(m, out);
    pl_disk_text(m, out);
    pl_limits_text(&m->limits, out);
    pl_endpoints_text(m, out);
}
