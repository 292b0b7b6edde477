#include "report/consumers.h"

#include "base/table.h"
#include "base/units.h"
#include "report/json_unknown.h"
#include "report/quantity.h"

#include <inttypes.h>
#include <string.h>

#define PL_KINDS (PL_CONSUMER_SYSTEM + 1)

/* The sum over the consumers of a kind. A pool is summed where at least one holds of it. */
struct pl_kind_total {
    uint32_t processes;
    struct pl_quantity host;
    struct {
        char pool[PL_POOL_NAME_MAX];
        struct pl_quantity held;
    } device[PL_CONSUMER_POOLS_MAX];
    uint32_t n_device;
};

static void pl_total_hold(struct pl_kind_total *t, const char *pool, struct pl_quantity held)
{
    for (uint32_t i = 0; i < t->n_device; i++) {
        if (pl_streq(t->device[i].pool, pool)) {
            t->device[i].held = pl_plus(t->device[i].held, held);
            return;
        }
    }
    if (t->n_device == PL_CONSUMER_POOLS_MAX)
        return;
    (void)PL_FMT(t->device[t->n_device].pool, "%s", pool);
    t->device[t->n_device++].held = held;
}

static void pl_totals(const struct pl_machine *m, struct pl_kind_total total[PL_KINDS])
{
    for (int k = 0; k < PL_KINDS; k++)
        total[k] = (struct pl_kind_total){.host = pl_exact(0, PL_SOURCE_DERIVED, "the sum")};
    for (uint32_t i = 0; i < m->n_consumer; i++) {
        const struct pl_consumer *c = &m->consumer[i];
        struct pl_kind_total *t = &total[c->kind];
        t->processes += c->processes;
        /* of a process seen only by a driver the host part is not ours to sum */
        if (pl_known(c->host))
            t->host = pl_plus(t->host, c->host);
        for (uint32_t k = 0; k < c->n_device; k++)
            pl_total_hold(t, c->device[k].pool, c->device[k].held);
    }
}

/* "gpu0 130 MiB, gpu1 unknown", or "-" */
static void pl_held_cell(struct pl_table *t, const char *const *pool,
                         const struct pl_quantity *held, uint32_t n)
{
    char cell[PL_TABLE_CELL_MAX] = "", text[PL_SIZE_TEXT_MAX];
    for (uint32_t i = 0; i < n; i++) {
        size_t at = strlen(cell);
        (void)pl_fmt(cell + at, sizeof(cell) - at, "%s%s %s", at > 0 ? ", " : "", pool[i],
                     pl_known(held[i]) ? pl_size_text(held[i].likely, text) : "unknown");
    }
    pl_table_cell(t, "%s", cell[0] != '\0' ? cell : "-");
}

static void pl_consumer_row(struct pl_table *t, const struct pl_consumer *c)
{
    const char *pool[PL_CONSUMER_POOLS_MAX];
    struct pl_quantity held[PL_CONSUMER_POOLS_MAX];
    char text[PL_SIZE_TEXT_MAX];
    for (uint32_t i = 0; i < c->n_device; i++) {
        pool[i] = c->device[i].pool;
        held[i] = c->device[i].held;
    }
    pl_table_row(t);
    if (c->pid > 0)
        pl_table_cell(t, "%" PRId64, c->pid);
    else
        pl_table_cell(t, "-");
    pl_table_cell(t, "%u", c->processes);
    pl_table_cell(t, "%s", c->name);
    pl_table_cell(t, "%s%s%.60s", c->runtime, c->runtime[0] != '\0' ? " " : "",
                  c->container[0] != '\0' ? c->container : "-");
    pl_table_cell(t, "%s", pl_consumer_kind_name(c->kind));
    pl_table_cell(t, "%s", pl_known(c->host) ? pl_size_text(c->host.likely, text) : "unknown");
    pl_table_cell(t, "%s", pl_known(c->mapped) ? pl_size_text(c->mapped.likely, text) : "unknown");
    pl_held_cell(t, pool, held, c->n_device);
    pl_table_cell(t, "%s", c->advice[0] != '\0' ? c->advice : "-");
}

static void pl_total_row(struct pl_table *t, const char *name, const struct pl_kind_total *k)
{
    const char *pool[PL_CONSUMER_POOLS_MAX];
    struct pl_quantity held[PL_CONSUMER_POOLS_MAX];
    char text[PL_SIZE_TEXT_MAX];
    for (uint32_t i = 0; i < k->n_device; i++) {
        pool[i] = k->device[i].pool;
        held[i] = k->device[i].held;
    }
    pl_table_row(t);
    pl_table_cell(t, "-");
    pl_table_cell(t, "%u", k->processes);
    pl_table_cell(t, "%s", name);
    pl_table_cell(t, "-");
    pl_table_cell(t, "sum");
    pl_table_cell(t, "%s", pl_size_text(k->host.likely, text));
    pl_table_cell(t, "-");
    pl_held_cell(t, pool, held, k->n_device);
    pl_table_cell(t, "-");
}

static void pl_consumers_table(const struct pl_machine *m, uint32_t n, bool colour,
                               struct pl_str *out)
{
    static const char *const titles[] = {">Pid",   ">Processes", "Program",    "Runs in", "Kind",
                                         ">Holds", ">Files",     "Of devices", "Advice",  NULL};
    struct pl_kind_total total[PL_KINDS];
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < n; i++)
        pl_consumer_row(t, &m->consumer[i]);
    pl_totals(m, total);
    if (total[PL_CONSUMER_DESKTOP].processes + total[PL_CONSUMER_BROWSER].processes > 0) {
        pl_table_rule(t);
        pl_total_row(t, "desktop", &total[PL_CONSUMER_DESKTOP]);
        pl_total_row(t, "browsers and programs", &total[PL_CONSUMER_BROWSER]);
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

void pl_consumers_text(const struct pl_machine *m, uint32_t most, bool colour, struct pl_str *out)
{
    uint32_t n = most > 0 ? most : PL_CONSUMERS_SHOWN;
    if (n > m->n_consumer)
        n = m->n_consumer;
    if (n > 0) {
        pl_str_add(out, "\n");
        pl_consumers_table(m, n, colour, out);
        if (n < m->n_consumer)
            pl_str_addf(out, "%u more programs: --all shows them\n", m->n_consumer - n);
        pl_str_add(out, "\n");
    }
    if (m->desktop[0] != '\0' || n > 0)
        pl_str_addf(out, "%-10s%s\n", "Desktop",
                    m->desktop[0] != '\0' ? m->desktop : "unknown: not all processes are seen");
}

static void pl_consumer_json(struct pl_json *j, const struct pl_consumer *c)
{
    pl_json_object(j, NULL);
    if (c->pid > 0)
        pl_json_i64(j, "pid", c->pid);
    else
        pl_json_null(j, "pid");
    pl_json_u64(j, "processes", c->processes);
    pl_json_str(j, "name", c->name);
    pl_json_word(j, "container", c->container);
    pl_json_word(j, "runtime", c->runtime);
    pl_json_str(j, "kind", pl_consumer_kind_name(c->kind));
    pl_json_quantity(j, "host", c->host);
    pl_json_quantity(j, "mapped", c->mapped);
    pl_json_array(j, "devices");
    for (uint32_t i = 0; i < c->n_device; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "pool", c->device[i].pool);
        pl_json_quantity(j, "held", c->device[i].held);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_word(j, "advice", c->advice);
    pl_json_end(j);
}

void pl_consumers_json(const struct pl_machine *m, struct pl_json *j)
{
    struct pl_kind_total total[PL_KINDS];
    pl_json_word(j, "desktop", m->desktop);
    pl_json_array(j, "consumers");
    for (uint32_t i = 0; i < m->n_consumer; i++)
        pl_consumer_json(j, &m->consumer[i]);
    pl_json_end(j);
    pl_totals(m, total);
    pl_json_array(j, "consumer_totals");
    for (int k = 0; k < PL_KINDS; k++) {
        if (total[k].processes == 0)
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "kind", pl_consumer_kind_name((enum pl_consumer_kind)k));
        pl_json_u64(j, "processes", total[k].processes);
        pl_json_quantity(j, "host", total[k].host);
        pl_json_array(j, "devices");
        for (uint32_t i = 0; i < total[k].n_device; i++) {
            pl_json_object(j, NULL);
            pl_json_str(j, "pool", total[k].device[i].pool);
            pl_json_quantity(j, "held", total[k].device[i].held);
            pl_json_end(j);
        }
        pl_json_end(j);
        pl_json_end(j);
    }
    pl_json_end(j);
}
