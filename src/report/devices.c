#include "report/devices.h"

#include "base/table.h"
#include "report/json_unknown.h"
#include "report/quantity.h"

static const char *pl_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

/* Name, what it is to programs, and its memory as six numbers that are not the same. */
static void pl_devices_memory(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Device",     "Name",       "Kind",    ">Nominal",
                                         ">Driver",    ">Reserved",  ">Used",   ">Visible",
                                         ">Available", ">Bandwidth", "In pool", NULL};
    char text[PL_QUANTITY_TEXT_MAX];
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        const struct pl_quantity amount[] = {d->nominal, d->total,   d->reserved,
                                             d->used,    d->visible, d->available};
        pl_table_row(t);
        pl_table_cell(t, "%s", d->id);
        pl_table_cell(t, "%s", d->name[0] != '\0' ? d->name : pl_dash(d->pci_id));
        pl_table_cell(t, "%s", pl_device_kind_name(d->kind));
        for (size_t k = 0; k < sizeof(amount) / sizeof(amount[0]); k++)
            pl_table_cell(t, "%s", pl_quantity_text(amount[k], text));
        if (d->bandwidth.source == PL_SOURCE_UNKNOWN)
            pl_table_cell(t, "unknown");
        else
            pl_table_cell(t, "%.1f GB/s", d->bandwidth.likely / 1e9);
        pl_table_cell(t, "%s", pl_dash(d->pool));
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

/* "1800 MHz", or why there is no number; "-" where the device does not have one. */
static void pl_sensor_text(const struct pl_device *d, enum pl_sensor_id id, const char *unit,
                           struct pl_str *out)
{
    const struct pl_sensor *s = &d->sensor[id];
    if (s->known)
        pl_str_addf(out, "%.*f%s",
                    s->value < 100 && id >= PL_SENSOR_POWER && id <= PL_SENSOR_POWER_MAX ? 1 : 0,
                    s->value, s->declared ? " (declared)" : unit);
    else
        pl_str_add(out, s->state == PL_STATE_PLAIN         ? "unknown"
                        : s->state == PL_STATE_UNSUPPORTED ? "-"
                                                           : pl_state_name(s->state));
}

/* Two readings of one kind, "210 of 2100 MHz". */
static void pl_sensor_of(struct pl_table *t, const struct pl_device *d, enum pl_sensor_id now,
                         enum pl_sensor_id most, const char *unit)
{
    struct pl_str s;
    pl_str_init(&s, PL_TABLE_CELL_MAX);
    bool both = d->sensor[now].known && d->sensor[most].known;
    pl_sensor_text(d, now, both ? "" : unit, &s);
    if (d->sensor[most].known) {
        pl_str_add(&s, " of ");
        pl_sensor_text(d, most, unit, &s);
    }
    pl_table_cell(t, "%s", pl_str_get(&s));
    pl_str_done(&s);
}

static void pl_sensor_cell(struct pl_table *t, const struct pl_device *d, enum pl_sensor_id id,
                           const char *unit)
{
    struct pl_str s;
    pl_str_init(&s, PL_TABLE_CELL_MAX);
    pl_sensor_text(d, id, unit, &s);
    pl_table_cell(t, "%s", pl_str_get(&s));
    pl_str_done(&s);
}

/* "gen 4 x16" */
static void pl_link_cell(struct pl_table *t, const struct pl_device *d)
{
    const struct pl_sensor *generation = &d->sensor[PL_SENSOR_PCIE_GENERATION];
    const struct pl_sensor *width = &d->sensor[PL_SENSOR_PCIE_WIDTH];
    if (generation->known && width->known)
        pl_table_cell(t, "gen %.0f x%.0f", generation->value, width->value);
    else
        pl_sensor_cell(t, d, PL_SENSOR_PCIE_GENERATION, "");
}

static void pl_devices_state(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Device",        "State",  ">Load",     ">Clock",
                                         ">Memory clock", ">Power", "P-state",   ">Temperature",
                                         ">Margin",       "Link",   "Slowed by", NULL};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        pl_table_row(t);
        pl_table_cell(t, "%s", d->id);
        pl_table_cell(t, "%s%s", pl_device_power_name(d->power),
                      d->display_known && d->display ? ", draws a screen" : "");
        pl_sensor_cell(t, d, PL_SENSOR_LOAD, " %");
        pl_sensor_of(t, d, PL_SENSOR_CLOCK, PL_SENSOR_CLOCK_MAX, " MHz");
        pl_sensor_of(t, d, PL_SENSOR_CLOCK_MEMORY, PL_SENSOR_CLOCK_MEMORY_MAX, " MHz");
        pl_sensor_of(t, d, PL_SENSOR_POWER, PL_SENSOR_POWER_LIMIT, " W");
        pl_table_cell(t, "%s", pl_dash(d->pstate));
        pl_sensor_of(t, d, PL_SENSOR_TEMPERATURE, PL_SENSOR_SLOWDOWN, " C");
        pl_sensor_cell(t, d, PL_SENSOR_MARGIN, " C");
        pl_link_cell(t, d);
        pl_table_cell(t, "%s", pl_dash(d->throttle));
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

/* What may change its speed: limits of power, mode of the board. */
static void pl_device_line(const struct pl_device *d, struct pl_str *out)
{
    pl_str_addf(out, "%-10s%s", d->id, d->pci[0] != '\0' ? d->pci : "not on the PCI bus");
    if (d->pci_id[0] != '\0')
        pl_str_addf(out, " (%s)", d->pci_id);
    if (d->driver[0] != '\0')
        pl_str_addf(out, ", driver %s%s%s", d->driver, d->driver_version[0] != '\0' ? " " : "",
                    d->driver_version);
    if (d->runtime[0] != '\0')
        pl_str_addf(out, ", up to %s", d->runtime);
    if (d->compute_capability[0] != '\0')
        pl_str_addf(out, ", compute capability %s", d->compute_capability);
    if (d->mode[0] != '\0')
        pl_str_addf(out, ", power mode %s", d->mode);
    const struct pl_sensor *usual = &d->sensor[PL_SENSOR_POWER_DEFAULT];
    const struct pl_sensor *most = &d->sensor[PL_SENSOR_POWER_MAX];
    if (usual->known && most->known)
        pl_str_addf(out, ", %.0f W as shipped, %.0f W at most", usual->value, most->value);
    if (d->sensor[PL_SENSOR_SHUTDOWN].known)
        pl_str_addf(out, ", switches off at %.0f C", d->sensor[PL_SENSOR_SHUTDOWN].value);
    if (d->wddm)
        pl_str_add(out, ", memory managed by Windows");
    pl_str_add(out, "\n");
}

void pl_devices_text(const struct pl_machine *m, bool colour, struct pl_str *out)
{
    if (m->n_device == 0)
        return;
    pl_devices_memory(m, colour, out);
    pl_devices_state(m, colour, out);
    pl_str_add(out, "\n");
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (m->device[i].parent[0] == '\0')
            pl_device_line(&m->device[i], out);
    }
}

static void pl_json_tri(struct pl_json *j, const char *key, bool known, bool value)
{
    if (known)
        pl_json_bool(j, key, value);
    else
        pl_json_null(j, key);
}

static void pl_json_sensors(struct pl_json *j, const struct pl_device *d)
{
    pl_json_object(j, "sensors");
    for (int i = 0; i < PL_SENSORS; i++) {
        const struct pl_sensor *s = &d->sensor[i];
        pl_json_object(j, pl_sensor_name((enum pl_sensor_id)i));
        if (s->known)
            pl_json_num(j, "value", s->value);
        else
            pl_json_null(j, "value");
        if (s->declared)
            pl_json_str(j, "source", pl_source_name(PL_SOURCE_DECLARED));
        if (s->state != PL_STATE_PLAIN)
            pl_json_str(j, "state", pl_state_name(s->state));
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_device(struct pl_json *j, const struct pl_device *d)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "id", d->id);
    pl_json_word(j, "pool", d->pool);
    pl_json_word(j, "parent", d->parent);
    pl_json_str(j, "vendor", pl_vendor_name(d->vendor));
    pl_json_str(j, "kind", pl_device_kind_name(d->kind));
    pl_json_str(j, "power", pl_device_power_name(d->power));
    pl_json_word(j, "name", d->name);
    pl_json_word(j, "row", d->row);
    pl_json_word(j, "pci", d->pci);
    pl_json_word(j, "pci_id", d->pci_id);
    pl_json_word(j, "uuid", d->uuid);
    pl_json_word(j, "driver", d->driver);
    pl_json_word(j, "driver_version", d->driver_version);
    pl_json_word(j, "runtime", d->runtime);
    pl_json_word(j, "compute_capability", d->compute_capability);
    pl_json_word(j, "pstate", d->pstate);
    pl_json_word(j, "mode", d->mode);
    pl_json_word(j, "throttle", d->throttle);
    pl_json_tri(j, "display", d->display_known, d->display);
    pl_json_bool(j, "wddm", d->wddm);
    pl_json_quantity(j, "nominal", d->nominal);
    pl_json_quantity(j, "total", d->total);
    pl_json_quantity(j, "reserved", d->reserved);
    pl_json_quantity(j, "used", d->used);
    pl_json_quantity(j, "visible", d->visible);
    pl_json_quantity(j, "available", d->available);
    pl_json_bytes_rate(j, "bandwidth_bytes_per_second", d->bandwidth);
    pl_json_rate(j, "fp16_operations_per_second", d->fp16);
    pl_json_rate(j, "int8_operations_per_second", d->int8);
    pl_json_tri(j, "bf16", d->bf16_known, d->bf16);
    pl_json_sensors(j, d);
    pl_json_end(j);
}

void pl_devices_json(struct pl_json *j, const struct pl_machine *m)
{
    pl_json_array(j, "devices");
    for (uint32_t i = 0; i < m->n_device; i++)
        pl_json_device(j, &m->device[i]);
    pl_json_end(j);
}
