/* Devices in text and JSON, and read back from a machine file. */
#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "machine/machine_file.h"
#include "report/machine.h"

#include <errno.h>
#include <string.h>

static struct pl_machine m, back;

static struct pl_device *device(const char *id, const char *parent)
{
    struct pl_device *d = pl_machine_add_device(&m, id);
    struct pl_pool *p = pl_machine_add_pool(&m, id, PL_POOL_DEDICATED);
    assert_non_null(d);
    assert_non_null(p);
    (void)PL_FMT(d->pool, "%s", id);
    (void)PL_FMT(d->parent, "%s", parent);
    (void)PL_FMT(p->parent, "%s", parent);
    return d;
}

static void make(void)
{
    memset(&m, 0, sizeof(m));
    (void)pl_machine_add_pool(&m, "ram", PL_POOL_HOST);
    struct pl_device *d = device("gpu0", "");
    d->vendor = PL_VENDOR_NVIDIA;
    d->power = PL_POWER_AWAKE;
    (void)PL_FMT(d->name, "NVIDIA GeForce RTX 3080");
    (void)PL_FMT(d->pci, "0000:0c:00.0");
    (void)PL_FMT(d->pci_id, "10de:2216");
    (void)PL_FMT(d->throttle, "idle");
    (void)PL_FMT(d->pstate, "P8");
    d->display_known = d->display = true;
    d->total = pl_exact(10240 * PL_MIB, PL_SOURCE_MEASURED, "NVML");
    d->reserved = PL_UNREAD(PL_STATE_UNSUPPORTED, "version 1");
    d->used = PL_UNREAD(PL_STATE_NO_PERMISSION, "root only");
    d->bandwidth = (struct pl_rate){760e9, 760e9, 760e9, PL_SOURCE_DERIVED, PL_STATE_PLAIN, "x"};
    d->fp16 = (struct pl_rate){1e12, 2e12, 3e12, PL_SOURCE_DECLARED, PL_STATE_PLAIN, "x"};
    d->sensor[PL_SENSOR_POWER] = (struct pl_sensor){22.5, true, PL_STATE_PLAIN, false};
    d->sensor[PL_SENSOR_LOAD] = (struct pl_sensor){0, true, PL_STATE_PLAIN, false};
    d->sensor[PL_SENSOR_CLOCK] = (struct pl_sensor){0, false, PL_STATE_UNSUPPORTED, false};
    d = device("gpu1", "");
    d->vendor = PL_VENDOR_AMD;
    d->power = PL_POWER_ASLEEP;
    for (int i = 0; i < PL_SENSORS; i++)
        d->sensor[i].state = PL_STATE_ASLEEP;
    d = device("gpu0.1", "gpu0");
    d->kind = PL_DEVICE_SLICE;
    d->wddm = true;
}

static void a_round_trip(void **state)
{
    (void)state;
    struct pl_str text, again;
    make();
    pl_str_init(&text, PL_MIB);
    pl_str_init(&again, PL_MIB);
    pl_machine_json(&m, &text);
    struct pl_err err = {0};
    assert_int_equal(pl_machine_parse(pl_str_get(&text), text.len, "text", &back, &err), 0);
    assert_int_equal(back.n_device, 3);
    const struct pl_device *d = &back.device[0];
    assert_string_equal(d->name, "NVIDIA GeForce RTX 3080");
    assert_string_equal(d->pool, "gpu0");
    assert_int_equal(d->total.likely, 10240 * PL_MIB);
    assert_int_equal(d->total.source, PL_SOURCE_MEASURED);
    assert_int_equal(d->reserved.state, PL_STATE_UNSUPPORTED);
    assert_int_equal(d->used.state, PL_STATE_NO_PERMISSION);
    assert_false(pl_known(d->used));
    assert_int_equal((uint64_t)d->bandwidth.likely, 760000000000);
    assert_int_equal((uint64_t)d->fp16.high, 3000000000000);
    assert_true(d->display_known && d->display && !d->bf16_known);
    assert_true(d->sensor[PL_SENSOR_LOAD].known);
    assert_false(d->sensor[PL_SENSOR_CLOCK].known);
    assert_int_equal(d->sensor[PL_SENSOR_CLOCK].state, PL_STATE_UNSUPPORTED);
    assert_int_equal(back.device[1].power, PL_POWER_ASLEEP);
    assert_int_equal(back.device[2].kind, PL_DEVICE_SLICE);
    assert_string_equal(back.device[2].parent, "gpu0");
    assert_true(back.device[2].wddm);
    /* once read, nothing more changes */
    pl_machine_json(&back, &again);
    pl_str_clear(&text);
    assert_int_equal(pl_machine_parse(pl_str_get(&again), again.len, "text", &m, &err), 0);
    pl_machine_json(&m, &text);
    assert_string_equal(pl_str_get(&text), pl_str_get(&again));
    pl_str_done(&text);
    pl_str_done(&again);
}

static void unknown_is_never_zero(void **state)
{
    (void)state;
    struct pl_str out;
    make();
    pl_str_init(&out, PL_MIB);
    pl_machine_text(&m, false, &out);
    const char *s = pl_str_get(&out);
    assert_non_null(strstr(s, "no permission"));
    assert_non_null(strstr(s, "asleep"));
    assert_non_null(strstr(s, "22.5 W"));
    assert_non_null(strstr(s, "760.0 GB/s"));
    assert_null(strstr(s, " 0 MHz"));
    assert_null(strstr(s, "0 B "));
    pl_str_done(&out);
    pl_str_init(&out, PL_MIB);
    pl_machine_json(&m, &out);
    assert_null(strstr(pl_str_get(&out), "\"state\": \"\""));
    pl_str_done(&out);
}

/* The state outlives the file, and with it the reason that a verdict gives. */
static void a_file_keeps_why(void **state)
{
    (void)state;
    static struct pl_machine from;
    static const char text[] =
        "{\"schema\": \"plimsoll.assess/1\", \"pools\": [{\"pool\": \"gpu0\", \"capacity\": 8,"
        "\"available\": {\"bytes\": null, \"source\": \"unknown\", \"state\": \"asleep\"}}]}";
    assert_int_equal(pl_machine_parse(text, sizeof(text) - 1, "x", &from, NULL), 0);
    struct pl_quantity q = pl_machine_available(&from, "gpu0");
    assert_int_equal(q.state, PL_STATE_ASLEEP);
    assert_non_null(strstr(q.why, "asleep"));
    q = pl_plus(pl_exact(1, PL_SOURCE_MEASURED, "x"), q);
    assert_int_equal(q.state, PL_STATE_ASLEEP);
}

static void bad_devices(void **state)
{
    (void)state;
    static const struct {
        const char *device, *message;
    } bad[] = {
        {"{}",                                                    "devices[0].id"     },
        {"{\"id\": \"a b\"}",                                     "devices[0].id"     },
        {"{\"id\": \"g\", \"pool\": \"x\"}",                      "devices[0].pool"   },
        {"{\"id\": \"g\", \"parent\": \"x\"}",                    "devices[0].parent" },
        {"{\"id\": \"g\", \"vendor\": \"x\"}",                    "devices[0].vendor" },
        {"{\"id\": \"g\", \"kind\": \"x\"}",                      "devices[0].kind"   },
        {"{\"id\": \"g\", \"power\": \"x\"}",                     "devices[0].power"  },
        {"{\"id\": \"g\", \"total\": -1}",                        "devices[0].total"  },
        {"{\"id\": \"g\", \"fp16_operations_per_second\": -1}",   "devices[0].fp16"   },
        {"{\"id\": \"g\"}, {\"id\": \"g\"}",                      "is described twice"},
        {"{\"id\": \"g\", \"used\": {\"bytes\": 1, \"low\": 2}}", "not in order"      },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[512];
        struct pl_err err = {0};
        (void)PL_FMT(text,
                     "{\"schema\": \"plimsoll.assess/1\", \"pools\": [{\"pool\": \"ram\"}], "
                     "\"devices\": [%s]}",
                     bad[i].device);
        assert_int_equal(pl_machine_parse(text, strlen(text), "text", &back, &err), -EINVAL);
        if (strstr(err.what, bad[i].message) == NULL)
            fail_msg("%s: %s", bad[i].device, err.what);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_trip),
        cmocka_unit_test(unknown_is_never_zero),
        cmocka_unit_test(bad_devices),
        cmocka_unit_test(a_file_keeps_why),
    };
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
