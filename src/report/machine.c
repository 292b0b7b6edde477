#include "report/machine.h"

#include "base/table.h"
#include "base/units.h"
#include "domain/tier.h"
#include "report/consumers.h"
#include "report/devices.h"
#include "report/hardware.h"
#include "report/json_unknown.h"
#include "report/quantity.h"

#include <string.h>

#define PL_LABEL "%-10s"

static const char *pl_or(const char *text, const char *absent)
{
    return text[0] != '\0' ? text : absent;
}

/* "32 cores", or "cores unknown". */
static void pl_plural(struct pl_str *out, uint32_t n, const char *one, const char *many)
{
    if (n == 0)
        pl_str_addf(out, "%s unknown", many);
    else
        pl_str_addf(out, "%u %s", n, n == 1 ? one : many);
}

static void pl_cpu_line(const struct pl_cpu *c, struct pl_str *out)
{
    pl_str_addf(out, PL_LABEL "%s, ", "CPU", pl_or(c->model, "unknown model"));
    if (c->packages > 1)
        pl_str_addf(out, "%u packages, ", c->packages);
    pl_plural(out, c->cores_physical, "core", "cores");
    if (c->cores_fast > 0 && c->cores_slow > 0)
        pl_str_addf(out, " (%u fast, %u slow)", c->cores_fast, c->cores_slow);
    pl_str_add(out, ", ");
    pl_plural(out, c->threads_logical, "thread", "threads");
    if (c->threads_allowed > 0 && c->threads_allowed < c->threads_logical)
        pl_str_addf(out, " (%u for this process)", c->threads_allowed);
    if (c->quota_cpus > 0)
        pl_str_addf(out, ", quota %.2f CPUs", c->quota_cpus);
    pl_str_add(out, "\n");
}

static void pl_memory_line(const struct pl_machine *m, struct pl_str *out)
{
    char a[PL_QUANTITY_TEXT_MAX], b[PL_QUANTITY_TEXT_MAX];
    pl_str_addf(out, PL_LABEL, "Memory");
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        if (p->kind == PL_POOL_CAP && !pl_streq(p->name, "cgroup"))
            continue;
        pl_str_addf(out, "%s%s%s: %s, ", i > 0 ? "; " : "", p->name,
                    p->kind == PL_POOL_CAP ? " limit" : "", pl_quantity_text(p->capacity, a));
        if (pl_known(p->available))
            pl_str_addf(out, "%s available", pl_quantity_text(p->available, b));
        else
            pl_str_addf(out, "available: %s", pl_quantity_text(p->available, b));
    }
    pl_str_add(out, "\n");
}

static void pl_storage_line(const struct pl_machine *m, struct pl_str *out)
{
    char a[PL_QUANTITY_TEXT_MAX], b[PL_QUANTITY_TEXT_MAX];
    if (m->n_storage == 0) {
        pl_str_addf(out, PL_LABEL "not looked at\n", "Storage");
        return;
    }
    const struct pl_storage *s = &m->storage[0];
    if (pl_known(s->available) || pl_known(s->total))
        pl_str_addf(out, PL_LABEL "%s of %s free for %s", "Storage",
                    pl_quantity_text(s->available, a), pl_quantity_text(s->total, b), s->path);
    else
        pl_str_addf(out, PL_LABEL "%s for %s", "Storage", pl_quantity_text(s->available, a),
                    s->path);
    if (s->filesystem[0] != '\0')
        pl_str_addf(out, " (%s)", s->filesystem);
    pl_str_add(out, "\n");
}

void pl_machine_summary(const struct pl_machine *m, struct pl_str *out)
{
    pl_str_addf(out, PL_LABEL "%s, %s, %s%s\n", "Machine", pl_or(m->os, "unknown system"),
                pl_or(m->kernel, "unknown kernel"), pl_or(m->cpu.arch, "unknown architecture"),
                m->this_system ? "" : " (replayed: not this machine)");
    pl_cpu_line(&m->cpu, out);
    pl_memory_line(m, out);
    pl_storage_line(m, out);
    pl_str_addf(out, PL_LABEL "%s\n", "Tier", pl_or(m->tier, "unknown: the RAM is not known"));
}

static void pl_rate_cell(struct pl_table *t, struct pl_rate r)
{
    if (r.source == PL_SOURCE_UNKNOWN)
        pl_table_cell(t, "unknown");
    else
        pl_table_cell(t, "%.1f GB/s", r.likely / 1e9);
}

static void pl_pools_text(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Pool",         "In",         "Kind",
                                         ">Capacity",    ">Reserved",  ">Used",
                                         ">Reclaimable", ">Available", ">Read, one core",
                                         ">Read, all",   "Source",     NULL};
    char text[PL_QUANTITY_TEXT_MAX];
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        pl_table_row(t);
        pl_table_cell(t, "%s", p->name);
        pl_table_cell(t, "%s", pl_or(p->parent, "-"));
        pl_table_cell(t, "%s", pl_pool_kind_name(p->kind));
        pl_table_cell(t, "%s", pl_quantity_text(p->capacity, text));
        pl_table_cell(t, "%s", pl_quantity_text(p->reserved, text));
        pl_table_cell(t, "%s", pl_quantity_text(p->used, text));
        pl_table_cell(t, "%s", pl_quantity_text(p->reclaimable, text));
        pl_table_cell(t, "%s", pl_quantity_text(p->available, text));
        pl_rate_cell(t, p->bandwidth_one);
        pl_rate_cell(t, p->bandwidth);
        pl_table_cell(t, "%s", pl_source_name(p->available.source));
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

/* Where it is known that a block cannot be as large as what is available. */
static void pl_largest_lines(const struct pl_machine *m, struct pl_str *out)
{
    char text[PL_QUANTITY_TEXT_MAX];
    const char *label = "Largest";
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_quantity *q = &m->pool[i].largest_allocation;
        if (!pl_known(*q) || m->pool[i].kind == PL_POOL_CAP)
            continue;
        pl_str_addf(out, "%s" PL_LABEL "%s of %s in one block: %s\n", label[0] != '\0' ? "\n" : "",
                    label, pl_quantity_text(*q, text), m->pool[i].name,
                    q->why != NULL ? q->why : pl_source_name(q->source));
        label = "";
    }
}

static const char *pl_cache_type(char type, bool json)
{
    if (type == 'd')
        return json ? "data" : "d";
    if (type == 'i')
        return json ? "instruction" : "i";
    return json ? "unified" : "";
}

static void pl_cpu_text(const struct pl_cpu *c, struct pl_str *out)
{
    char text[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "\n" PL_LABEL, "Caches");
    for (uint32_t i = 0; i < c->n_cache; i++) {
        const struct pl_cache *k = &c->cache[i];
        pl_str_addf(out, "%sL%u%s %s x %u", i > 0 ? ", " : "", k->level,
                    pl_cache_type(k->type, false), pl_size_text(k->bytes, text), k->instances);
    }
    pl_str_addf(out, "%s\n" PL_LABEL, c->n_cache == 0 ? "unknown" : "", "ISA");
    pl_isa_text(c, out);
}

void pl_machine_text(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    pl_machine_view_text(m, &(struct pl_machine_view){0}, colour, out);
}

void pl_machine_view_text(const struct pl_machine *m, const struct pl_machine_view *view,
                          bool colour, struct pl_str *out)
{
    const struct pl_pressure *p = &m->pressure;
    pl_machine_summary(m, out);
    pl_pools_text(m, colour, out);
    pl_largest_lines(m, out);
    pl_devices_text(m, colour, out);
    pl_hardware_tables(m, colour, out);
    pl_memory_tree_text(m, colour, out);
    pl_consumers_text(m, view->consumers, colour, out);
    pl_cpu_text(&m->cpu, out);
    pl_hardware_lines(m, out);
    if (p->known)
        pl_str_addf(out,
                    PL_LABEL "%.2f %% of the last 10 s some task waited for memory, %.2f %% all "
                             "did\n",
                    "Pressure", p->some_avg10, p->full_avg10);
    else
        pl_str_addf(out, PL_LABEL "unknown\n", "Pressure");
    pl_str_addf(out, PL_LABEL "%s\n", "Tiers", pl_tier_rule());
    pl_str_addf(out, PL_LABEL "%s\n", "Id", pl_or(m->id, "unknown"));
    for (uint32_t i = 0; i < m->n_note; i++)
        pl_str_addf(out, PL_LABEL "%s\n", i == 0 ? "Notes" : "", m->note[i]);
}

static void pl_json_cpu(struct pl_json *j, const struct pl_cpu *c)
{
    pl_json_object(j, "cpu");
    pl_json_word(j, "model", c->model);
    pl_json_word(j, "arch", c->arch);
    pl_json_count(j, "packages", c->packages);
    pl_json_count(j, "cores_physical", c->cores_physical);
    pl_json_count(j, "cores_fast", c->cores_fast);
    pl_json_count(j, "cores_slow", c->cores_slow);
    pl_json_count(j, "threads_logical", c->threads_logical);
    pl_json_count(j, "threads_allowed", c->threads_allowed);
    if (c->quota_cpus > 0)
        pl_json_num(j, "quota_cpus", c->quota_cpus);
    else
        pl_json_null(j, "quota_cpus");
    pl_json_rate(j, "int8_operations_per_second", c->int8);
    pl_json_rate(j, "float_operations_per_second", c->fma);
    pl_json_array(j, "isa");
    for (const char *s = c->isa; *s != '\0';) {
        char word[64];
        size_t n = strcspn(s, " ");
        (void)PL_FMT(word, "%.*s", (int)n, s);
        pl_json_str(j, NULL, word);
        s += n + strspn(s + n, " ");
    }
    pl_json_end(j);
    pl_json_array(j, "caches");
    for (uint32_t i = 0; i < c->n_cache; i++) {
        pl_json_object(j, NULL);
        pl_json_u64(j, "level", c->cache[i].level);
        pl_json_str(j, "type", pl_cache_type(c->cache[i].type, true));
        pl_json_u64(j, "bytes", c->cache[i].bytes);
        pl_json_u64(j, "instances", c->cache[i].instances);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

static void pl_json_pool(struct pl_json *j, const struct pl_pool *p)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "pool", p->name);
    pl_json_word(j, "parent", p->parent);
    pl_json_str(j, "kind", pl_pool_kind_name(p->kind));
    pl_json_quantity(j, "capacity", p->capacity);
    pl_json_quantity(j, "reserved", p->reserved);
    pl_json_quantity(j, "used", p->used);
    pl_json_quantity(j, "reclaimable", p->reclaimable);
    pl_json_quantity(j, "available", p->available);
    pl_json_quantity(j, "largest_allocation", p->largest_allocation);
    pl_json_bytes_rate(j, "bandwidth_bytes_per_second", p->bandwidth);
    pl_json_bytes_rate(j, "bandwidth_one_core_bytes_per_second", p->bandwidth_one);
    pl_json_end(j);
}

static void pl_json_storage(struct pl_json *j, const struct pl_machine *m)
{
    pl_json_array(j, "storage");
    for (uint32_t i = 0; i < m->n_storage; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "path", m->storage[i].path);
        pl_json_word(j, "filesystem", m->storage[i].filesystem);
        pl_json_quantity(j, "total", m->storage[i].total);
        pl_json_quantity(j, "available", m->storage[i].available);
        pl_json_word(j, "device", m->storage[i].device);
        pl_json_word(j, "device_model", m->storage[i].device_model);
        if (m->storage[i].rotates_known)
            pl_json_bool(j, "rotates", m->storage[i].rotates);
        else
            pl_json_null(j, "rotates");
        pl_json_bytes_rate(j, "read_bytes_per_second", m->storage[i].read);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_pressure(struct pl_json *j, const struct pl_pressure *p)
{
    if (!p->known) {
        pl_json_null(j, "pressure");
        return;
    }
    pl_json_object(j, "pressure");
    pl_json_num(j, "some_avg10", p->some_avg10);
    pl_json_num(j, "full_avg10", p->full_avg10);
    pl_json_u64(j, "some_total_us", p->some_total_us);
    pl_json_u64(j, "full_total_us", p->full_total_us);
    pl_json_end(j);
}

void pl_machine_json(const struct pl_machine *m, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_machine_json_members(&j, m);
    pl_json_end(&j);
}

void pl_machine_json_members(struct pl_json *json, const struct pl_machine *m)
{
    struct pl_json j = *json;
    pl_json_str(&j, "schema", "plimsoll.assess/1");
    pl_json_bool(&j, "this_system", m->this_system);
    pl_json_word(&j, "id", m->id);
    pl_json_word(&j, "os", m->os);
    pl_json_word(&j, "kernel", m->kernel);
    pl_json_cpu(&j, &m->cpu);
    pl_json_array(&j, "pools");
    for (uint32_t i = 0; i < m->n_pool; i++)
        pl_json_pool(&j, &m->pool[i]);
    pl_json_end(&j);
    pl_devices_json(&j, m);
    pl_consumers_json(m, &j);
    pl_memory_tree_json(m, &j);
    pl_json_storage(&j, m);
    pl_hardware_json(&j, m);
    pl_json_word(&j, "tier", m->tier);
    pl_json_pressure(&j, &m->pressure);
    pl_json_array(&j, "notes");
    for (uint32_t i = 0; i < m->n_note; i++)
        pl_json_str(&j, NULL, m->note[i]);
    pl_json_end(&j);
    *json = j;
}
