#include "report/consumers.h"

#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"

#include <string.h>

/* What a kind of allocation can use, and why that and not another figure. */
struct pl_memory_use {
    const char *kind, *limit, *why;
    struct pl_quantity bytes;
};

#define PL_USES_MAX 5

static struct pl_quantity pl_tree_free(const struct pl_machine *m)
{
    for (uint32_t i = 0; i < m->memory.n_row; i++) {
        if (m->memory.row[i].depth == 1 && pl_streq(m->memory.row[i].name, "free"))
            return m->memory.row[i].bytes;
    }
    return PL_QUANTITY_UNKNOWN("no memory tree");
}

static bool pl_shares_memory(const struct pl_machine *m)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (m->device[i].kind == PL_DEVICE_INTEGRATED)
            return true;
    }
    return pl_machine_pool_const(m, "unified") != NULL;
}

static struct pl_quantity pl_least_of(struct pl_quantity a, struct pl_quantity b)
{
    return pl_known(a) && pl_known(b) && b.likely < a.likely ? b : a;
}

static uint32_t pl_memory_uses(const struct pl_machine *m, struct pl_memory_use use[PL_USES_MAX])
{
    struct pl_quantity here = pl_machine_available(m, "ram");
    uint32_t n = 0;
    use[n++] = (struct pl_memory_use){
        "weights and caches of a program (malloc)", "available",
        "the kernel gives up page cache for it; a limit of the control group counts", here};
    use[n++] = (struct pl_memory_use){
        "weights mapped from a file", "available",
        "they are page cache themselves: what does not stay is read again for every token", here};
    use[n++] = (struct pl_memory_use){
        "locked memory (mlock, pinned)", "RLIMIT_MEMLOCK", "available, and what this user may lock",
        pl_known(m->limits.memlock) ? pl_least_of(here, m->limits.memlock)
                                    : PL_QUANTITY_UNKNOWN("the limit was not read")};
    use[n++] = (struct pl_memory_use){"huge pages", "set aside and free",
                                      "only what was set aside, and nothing else may use it",
                                      m->limits.hugepages};
    if (pl_shares_memory(m))
        use[n++] = (struct pl_memory_use){
            "CUDA or HIP on the integrated device", "available",
            "the driver shows MemFree as free; the kernel still gives up page cache for it", here};
    return n;
}

void pl_memory_tree_text(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Memory", ">Bytes", ">Share", "Source", "From", NULL};
    static const char *const uses[] = {"Can be used by", ">Bytes", "Why", NULL};
    struct pl_memory_use use[PL_USES_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    char a[PL_QUANTITY_TEXT_MAX], b[PL_QUANTITY_TEXT_MAX], c[PL_QUANTITY_TEXT_MAX];
    struct pl_table *t = m->memory.n_row > 0 && ram != NULL ? pl_table_new(titles) : NULL;
    if (t == NULL)
        return;
    double total = (double)m->memory.row[0].bytes.likely;
    for (uint32_t i = 0; i < m->memory.n_row; i++) {
        const struct pl_memory_row *r = &m->memory.row[i];
        pl_table_row(t);
        pl_table_cell(t, "%*s%s", (int)(r->depth * 2), "", r->name);
        pl_table_cell(t, "%s", pl_size_text(r->bytes.likely, a));
        pl_table_cell(t, "%.1f %%", total > 0 ? (double)r->bytes.likely * 100.0 / total : 0.0);
        pl_table_cell(t, "%s", pl_source_name(r->bytes.source));
        pl_table_cell(t, "%s", r->bytes.why != NULL ? r->bytes.why : "-");
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    pl_str_addf(out, "\nfree %s (nobody uses it), ", pl_quantity_text(pl_tree_free(m), a));
    pl_str_addf(out, "reclaimable %s (the kernel gives it up), truly available %s\n\n",
                pl_quantity_text(ram->reclaimable, b), pl_quantity_text(ram->available, c));
    t = pl_table_new(uses);
    uint32_t n = t != NULL ? pl_memory_uses(m, use) : 0;
    for (uint32_t i = 0; i < n; i++) {
        pl_table_row(t);
        pl_table_cell(t, "%s", use[i].kind);
        pl_table_cell(t, "%s", pl_quantity_text(use[i].bytes, a));
        pl_table_cell(t, "%s", use[i].why);
    }
    if (t != NULL)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

void pl_memory_tree_json(const struct pl_machine *m, struct pl_json *j)
{
    struct pl_memory_use use[PL_USES_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    if (m->memory.n_row == 0 || ram == NULL) {
        pl_json_null(j, "memory");
        return;
    }
    pl_json_object(j, "memory");
    pl_json_array(j, "rows");
    for (uint32_t i = 0; i < m->memory.n_row; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "name", m->memory.row[i].name);
        pl_json_u64(j, "depth", m->memory.row[i].depth);
        pl_json_quantity(j, "bytes", m->memory.row[i].bytes);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_quantity(j, "free", pl_tree_free(m));
    pl_json_quantity(j, "reclaimable", ram->reclaimable);
    pl_json_quantity(j, "available", ram->available);
    pl_json_array(j, "allocations");
    uint32_t n = pl_memory_uses(m, use);
    for (uint32_t i = 0; i < n; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "kind", use[i].kind);
        pl_json_str(j, "limit", use[i].limit);
        pl_json_quantity(j, "bytes", use[i].bytes);
        pl_json_str(j, "why", use[i].why);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}
