/* The devices of a machine file. What decides (memory, pool, kind) must be right; what only
 * describes is kept when it is there. */
#include "base/str.h"
#include "machine/machine_file_impl.h"

#include <errno.h>

static int pl_device_words_in(pl_jval v, struct pl_field *f, struct pl_device *d)
{
    const char *vendor = pl_jstr(pl_jget(v, "vendor"), "unknown");
    const char *kind = pl_jstr(pl_jget(v, "kind"), d->parent[0] != '\0' ? "slice" : "discrete");
    const char *power = pl_jstr(pl_jget(v, "power"), "unknown");
    f->name = "vendor";
    if (!pl_vendor_of(vendor, &d->vendor))
        return pl_field_bad(f, "not nvidia, amd, intel or unknown");
    f->name = "kind";
    if (!pl_device_kind_of(kind, &d->kind))
        return pl_field_bad(f, "not discrete, integrated or slice");
    f->name = "power";
    if (!pl_device_power_of(power, &d->power))
        return pl_field_bad(f, "not awake, asleep, lost or unknown");
    return 0;
}

static int pl_device_amounts_in(pl_jval v, struct pl_field *f, struct pl_device *d)
{
    const struct {
        const char *name;
        struct pl_quantity *q;
    } amount[] = {
        {"nominal",   &d->nominal  },
        {"total",     &d->total    },
        {"reserved",  &d->reserved },
        {"used",      &d->used     },
        {"visible",   &d->visible  },
        {"available", &d->available},
    };
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(amount) / sizeof(amount[0]); i++) {
        f->name = amount[i].name;
        rc = pl_quantity_in(pl_jget(v, f->name), f, amount[i].q);
    }
    f->name = "bandwidth_bytes_per_second";
    if (rc == 0)
        rc = pl_rate_in(pl_jget(v, f->name), f, &d->bandwidth);
    return rc;
}

/* Operations per second: a number (declared), or {"value", "low", "high", "source"}. */
static int pl_operations_in(pl_jval v, const struct pl_field *f, struct pl_rate *ret)
{
    double n = 0, low = 0, high = 0;
    bool object = pl_jis_object(v);
    *ret = (struct pl_rate){.why = pl_unknown_why(PL_STATE_PLAIN)};
    pl_jval value = object ? pl_jget(v, "value") : v;
    if (pl_jis_null(value)) {
        ret->state = pl_state_of(pl_jstr(pl_jget(v, "state"), ""));
        ret->why = pl_unknown_why(ret->state);
        return 0;
    }
    if (!pl_jnum(value, &n) || n < 0)
        return pl_field_bad(f, "not a rate of 0 or more");
    if (!object || !pl_jnum(pl_jget(v, "low"), &low))
        low = n;
    if (!object || !pl_jnum(pl_jget(v, "high"), &high))
        high = n;
    const char *word = object ? pl_jstr(pl_jget(v, "source"), "declared") : "declared";
    enum pl_source source = pl_source_of(word);
    if (source == PL_SOURCE_UNKNOWN || low < 0 || low > n || high < n)
        return pl_field_bad(f, "no source, or low, value and high are not in order");
    *ret = (struct pl_rate){low, n, high, source, PL_STATE_PLAIN, "as the machine file says"};
    return 0;
}

static void pl_sensors_in(pl_jval list, struct pl_device *d)
{
    for (int i = 0; i < PL_SENSORS; i++) {
        struct pl_sensor *s = &d->sensor[i];
        pl_jval v = pl_jget(list, pl_sensor_name((enum pl_sensor_id)i));
        s->known = pl_jnum(pl_jis_object(v) ? pl_jget(v, "value") : v, &s->value);
        s->state = pl_state_of(pl_jstr(pl_jget(v, "state"), ""));
        s->declared = pl_streq(pl_jstr(pl_jget(v, "source"), ""), "declared");
    }
}

/* true, false or neither: only a real boolean is the same whatever stands for an absent one. */
static void pl_tri_in(pl_jval v, bool *known, bool *ret)
{
    *known = !pl_jis_null(v) && pl_jbool(v, true) == pl_jbool(v, false);
    *ret = *known && pl_jbool(v, false);
}

static void pl_device_about_in(pl_jval v, struct pl_device *d)
{
    const struct {
        const char *name;
        char *text;
        size_t size;
    } text[] = {
        {"name",               d->name,               sizeof(d->name)              },
        {"row",                d->row,                sizeof(d->row)               },
        {"pci",                d->pci,                sizeof(d->pci)               },
        {"pci_id",             d->pci_id,             sizeof(d->pci_id)            },
        {"uuid",               d->uuid,               sizeof(d->uuid)              },
        {"driver",             d->driver,             sizeof(d->driver)            },
        {"driver_version",     d->driver_version,     sizeof(d->driver_version)    },
        {"runtime",            d->runtime,            sizeof(d->runtime)           },
        {"compute_capability", d->compute_capability, sizeof(d->compute_capability)},
        {"pstate",             d->pstate,             sizeof(d->pstate)            },
        {"mode",               d->mode,               sizeof(d->mode)              },
        {"throttle",           d->throttle,           sizeof(d->throttle)          },
    };
    for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
        pl_text_in(text[i].text, text[i].size, pl_jget(v, text[i].name));
    pl_tri_in(pl_jget(v, "display"), &d->display_known, &d->display);
    pl_tri_in(pl_jget(v, "bf16"), &d->bf16_known, &d->bf16);
    d->wddm = pl_jbool(pl_jget(v, "wddm"), false);
    pl_sensors_in(pl_jget(v, "sensors"), d);
}

static int pl_device_in(pl_jval v, struct pl_field *f, struct pl_machine *m)
{
    const char *id = pl_jstr(pl_jget(v, "id"), "");
    const char *pool = pl_jstr(pl_jget(v, "pool"), "");
    const char *parent = pl_jstr(pl_jget(v, "parent"), "");
    f->name = "id";
    if (!pl_pool_name_ok(id))
        return pl_field_bad(f, "not a name of letters, digits and _-.: (at most 31)");
    if (pl_machine_device(m, id) != NULL)
        return pl_field_bad(f, "this device is described twice");
    f->name = "pool";
    if (pool[0] != '\0' && pl_machine_pool(m, pool) == NULL)
        return pl_field_bad(f, "there is no such pool");
    f->name = "parent";
    if (parent[0] != '\0' && pl_machine_device(m, parent) == NULL)
        return pl_field_bad(f, "no device before this one has that id");
    f->name = "id";
    struct pl_device *d = pl_machine_add_device(m, id);
    if (d == NULL)
        return pl_field_bad(f, "more devices than a machine may have (32)");
    (void)PL_FMT(d->pool, "%s", pool);
    (void)PL_FMT(d->parent, "%s", parent);
    int rc = pl_device_words_in(v, f, d);
    if (rc == 0)
        rc = pl_device_amounts_in(v, f, d);
    f->name = "fp16_operations_per_second";
    if (rc == 0)
        rc = pl_operations_in(pl_jget(v, f->name), f, &d->fp16);
    f->name = "int8_operations_per_second";
    if (rc == 0)
        rc = pl_operations_in(pl_jget(v, f->name), f, &d->int8);
    if (rc == 0)
        pl_device_about_in(v, d);
    return rc;
}

int pl_devices_in(pl_jval list, struct pl_machine *m, struct pl_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pl_jlen(list); i++) {
        struct pl_field f = {"devices", i, "id", err};
        rc = pl_device_in(pl_jat(list, i), &f, m);
    }
    return rc;
}
