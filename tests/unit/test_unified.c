#include "test.h"

#include "base/units.h"
#include "machine/unified.h"

#include <errno.h>
#include <string.h>

static struct pl_machine m;

static void with_ram(void)
{
    memset(&m, 0, sizeof(m));
    struct pl_pool *ram = pl_machine_add_pool(&m, "ram", PL_POOL_HOST);
    ram->capacity = pl_exact(120 * PL_GIB, PL_SOURCE_MEASURED, "MemTotal");
    ram->available = pl_exact(116 * PL_GIB, PL_SOURCE_MEASURED, "MemAvailable");
    ram->reserved = pl_exact(0, PL_SOURCE_DERIVED, "none");
}

static void two_children_of_one_memory(void **state)
{
    (void)state;
    with_ram();
    struct pl_device *d = pl_machine_add_device(&m, "gpu0");
    assert_int_equal(pl_unified_make(&m, d, NULL), 0);
    assert_int_equal(d->kind, PL_DEVICE_INTEGRATED);
    assert_string_equal(d->pool, "gpu0");
    assert_int_equal(d->available.likely, 116 * PL_GIB);
    assert_int_equal(m.n_pool, 3);
    const struct pl_pool *ram = pl_machine_pool(&m, "ram"), *gpu = pl_machine_pool(&m, "gpu0");
    const struct pl_pool *all = pl_machine_pool(&m, PL_UNIFIED_POOL);
    assert_string_equal(ram->parent, PL_UNIFIED_POOL);
    assert_string_equal(gpu->parent, PL_UNIFIED_POOL);
    assert_string_equal(all->parent, "");
    assert_int_equal(all->kind, PL_POOL_UNIFIED);
    assert_int_equal(all->capacity.likely, 120 * PL_GIB);
    assert_int_equal(gpu->capacity.likely, 120 * PL_GIB);
    assert_int_equal(pl_machine_available(&m, "gpu0").likely, 116 * PL_GIB);
    assert_int_equal(pl_unified_make(&m, d, NULL), -EEXIST);
}

static void a_container_caps_ram_alone(void **state)
{
    (void)state;
    with_ram();
    struct pl_pool *cap = pl_machine_add_pool(&m, "cgroup", PL_POOL_CAP);
    cap->available = pl_exact(8 * PL_GIB, PL_SOURCE_MEASURED, "room");
    (void)strcpy(cap->parent, "ram");
    struct pl_device *d = pl_machine_add_device(&m, "gpu0");
    assert_int_equal(pl_unified_make(&m, d, NULL), 0);
    assert_int_equal(pl_machine_available(&m, "ram").likely, 8 * PL_GIB);
    /* what CUDA takes of shared memory is not charged to a control group */
    assert_int_equal(pl_machine_available(&m, "gpu0").likely, 116 * PL_GIB);
}

static void a_second_device_and_less_than_all(void **state)
{
    (void)state;
    with_ram();
    struct pl_device *a = pl_machine_add_device(&m, "gpu0");
    struct pl_device *b = pl_machine_add_device(&m, "gpu1");
    b->total = pl_exact(60 * PL_GIB, PL_SOURCE_MEASURED, "driver");
    assert_int_equal(pl_unified_make(&m, a, NULL), 0);
    assert_int_equal(pl_unified_make(&m, b, NULL), 0);
    assert_int_equal(m.n_pool, 4);
    assert_int_equal(pl_machine_pool(&m, "gpu1")->capacity.likely, 60 * PL_GIB);
    assert_int_equal(b->available.likely, 60 * PL_GIB);
    assert_int_equal(a->available.likely, 116 * PL_GIB);
}

static void unknown_memory_stays_unknown(void **state)
{
    (void)state;
    with_ram();
    m.pool[0].available = PL_QUANTITY_UNKNOWN("no MemAvailable");
    struct pl_device *d = pl_machine_add_device(&m, "gpu0");
    d->total = pl_exact(60 * PL_GIB, PL_SOURCE_MEASURED, "driver");
    assert_int_equal(pl_unified_make(&m, d, NULL), 0);
    assert_false(pl_known(d->available));
    assert_false(pl_known(pl_machine_available(&m, "gpu0")));
    memset(&m, 0, sizeof(m));
    d = pl_machine_add_device(&m, "gpu0");
    assert_int_equal(pl_unified_make(&m, d, NULL), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_children_of_one_memory),
        cmocka_unit_test(a_container_caps_ram_alone),
        cmocka_unit_test(a_second_device_and_less_than_all),
        cmocka_unit_test(unknown_memory_stays_unknown),
    };
    return cmocka_run_group_tests_name("unified", tests, NULL, NULL);
}
