#include "test.h"

#include "base/str.h"
#include "base/units.h"
#include "machine/device_data.h"
#include "machine/device_machine.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

static struct pl_machine m; /* large */

/* Every row's own name, each of its PCI ids and its memory match that row and no other. */
static void every_row_matches_itself(void **state)
{
    (void)state;
    uint32_t n = 0, devices = 0, named = 0;
    const struct pl_device_row *row = pl_device_rows(&n), *other = NULL;
    assert_true(n >= 400);
    for (uint32_t i = 0; i < n; i++) {
        const struct pl_device_row *r = &row[i];
        char gib[16] = "", subject[256];
        if (pl_streq(r->class, "cpu") || r->match[0] == '\0')
            continue;
        if (r->memory_gib > 0)
            (void)PL_FMT(gib, "%.0f", ceil(r->memory_gib));
        devices++;
        const char *ids = r->pci_ids;
        const char *pci = pl_starts(ids, "dt:") ? ids + 3 : ids;
        (void)PL_FMT(subject, "%s;%.*s;%s", r->name, (int)strcspn(pci, ","), pci, gib);
        const struct pl_device_row *found = pl_device_match(subject, &other);
        if (found != r)
            fail_msg("%s: '%s' matches %s%s%s", r->id, subject, found != NULL ? found->id : "none",
                     other != NULL ? " or " : "", other != NULL ? other->id : "");
        named++;
    }
    assert_int_equal(devices, named);
    assert_true(devices >= 350);
}

static void captured_names(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *id;
    } want[] = {
        {"NVIDIA GeForce RTX 3060;10de:2504;12",       "rtx3060-12g"  },
        {"NVIDIA GeForce RTX 3090;10de:2204;24",       "rtx3090"      },
        {"NVIDIA GeForce RTX 2080 SUPER;10de:1e81;8",  "rtx2080super" },
        {"NVIDIA GeForce RTX 4080 SUPER;10de:2702;16", "rtx4080super" },
        {"NVIDIA GeForce RTX 5060 Ti;10de:2d04;16",    "rtx5060ti-16g"},
        {"NVIDIA GB10;;",                              "gb10"         },
        {"GeForce GTX 1660 Ti;10de:2182;6",            "gtx1660ti"    },
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        const struct pl_device_row *r = pl_device_match(want[i].subject, NULL);
        assert_non_null(r);
        assert_string_equal(r->id, want[i].id);
    }
    assert_null(pl_device_match(";;", NULL));
    assert_null(pl_device_match("Graphics Device;;", NULL));
    assert_string_equal(pl_device_match_cpu("AMD EPYC 9654 96-Core Processor")->id,
                        "cpu-epyc-genoa");
    assert_null(pl_device_match_cpu("AMD EPYC"));
    assert_null(pl_device_match_cpu(""));
}

static void nearest_id(void **state)
{
    (void)state;
    const char *near = NULL;
    assert_non_null(pl_device_row("rtx4090", &near));
    assert_null(pl_device_row("rtx409", &near));
    assert_non_null(near);
    assert_null(pl_device_row("zzzzzzzzzzzz", &near));
    assert_null(near);
}

static struct pl_device *card(const char *name, const char *pci, uint64_t mib)
{
    m = (struct pl_machine){0};
    struct pl_device *d = pl_machine_add_device(&m, "gpu0");
    (void)PL_FMT(d->name, "%s", name);
    (void)PL_FMT(d->pci_id, "%s", pci);
    if (mib > 0)
        d->total = pl_exact(mib * PL_MIB, PL_SOURCE_MEASURED, "driver");
    return d;
}

static void readings_and_data(void **state)
{
    (void)state;
    /* 7.77 of 8 GiB is usual, and nothing is said */
    struct pl_device *d = card("NVIDIA GeForce RTX 3070", "10de:2484", 7957);
    pl_device_data_apply(&m, true);
    assert_string_equal(d->row, "rtx3070");
    assert_int_equal(d->nominal.likely, 8 * PL_GIB);
    assert_int_equal(d->nominal.source, PL_SOURCE_DECLARED);
    assert_true(d->bandwidth.likely > 447e9 && d->bandwidth.likely < 449e9);
    assert_true(d->bf16_known && d->bf16);
    assert_string_equal(d->compute_capability, "8.6");
    for (uint32_t i = 0; i < m.n_note; i++)
        assert_null(strstr(m.note[i], "both are kept"));
    /* a card that claims twice what was sold */
    d = card("NVIDIA GeForce RTX 3070", "10de:2484", 16179);
    pl_device_data_apply(&m, true);
    bool said = false;
    for (uint32_t i = 0; i < m.n_note; i++)
        said = said ||
               (strstr(m.note[i], "both are kept") != NULL &&
                strstr(m.note[i], "8.00 GiB") != NULL && strstr(m.note[i], "15.80 GiB") != NULL);
    assert_true(said);
    assert_int_equal(d->total.likely, 16179 * PL_MIB);
    /* a clock that says otherwise stays, and both are told */
    d = card("NVIDIA GeForce RTX 4070 Laptop GPU", "10de:2820", 8188);
    d->bandwidth = (struct pl_rate){1e12, 1e12, 1e12, PL_SOURCE_DERIVED, PL_STATE_PLAIN, "clock"};
    pl_device_data_apply(&m, true);
    assert_true(d->row[0] != '\0');
    assert_true(d->bandwidth.likely > 0.99e12);
    said = false;
    for (uint32_t i = 0; i < m.n_note; i++)
        said = said || strstr(m.note[i], "1000 GB/s by clock") != NULL;
    assert_true(said);
    d = card("Something else", "1234:5678", 100);
    pl_device_data_apply(&m, true);
    assert_string_equal(d->row, "");
    assert_false(pl_known(d->nominal));
}

static void machines_of_data(void **state)
{
    (void)state;
    struct pl_err err = {0};
    assert_int_equal(pl_device_machine("rtx3090,rtx3090", 64 * PL_GIB, &m, &err), 0);
    assert_int_equal(m.n_device, 2);
    assert_string_equal(m.device[1].pool, "gpu1");
    assert_false(m.this_system);
    const struct pl_pool *p = pl_machine_pool_const(&m, "gpu1");
    assert_non_null(p);
    assert_int_equal(p->capacity.likely, 24 * PL_GIB);
    assert_true(p->available.low < p->available.likely && p->available.likely < p->available.high);
    assert_true(p->available.likely > 23 * PL_GIB && p->available.high < 24 * PL_GIB);
    assert_true(p->bandwidth.likely > 935e9);
    assert_int_equal(pl_machine_pool_const(&m, "ram")->capacity.likely, 64 * PL_GIB);
    assert_int_equal(pl_device_machine("rtx4090", 0, &m, &err), 0);
    assert_false(pl_known(pl_machine_pool_const(&m, "ram")->capacity));
    /* shared memory is one pool */
    assert_int_equal(pl_device_machine("jetson-orin-nx-16g", 0, &m, &err), 0);
    assert_int_equal(pl_machine_pool_const(&m, "unified")->capacity.likely, 16 * PL_GIB);
    assert_string_equal(pl_machine_pool_const(&m, "ram")->parent, "unified");
    assert_string_equal(pl_machine_pool_const(&m, "gpu0")->parent, "unified");
    assert_int_equal(pl_device_machine("apple-m4-max-40c", 64 * PL_GIB, &m, &err), 0);
    assert_int_equal(pl_machine_pool_const(&m, "gpu0")->capacity.likely, 48 * PL_GIB);
    assert_int_equal(pl_device_machine("rtx409", 0, &m, &err), -EINVAL);
    assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    assert_non_null(strstr(err.hint, "did you mean"));
    assert_true(pl_device_machine("", 0, &m, &err) < 0);
    assert_int_equal(pl_device_machine("cpu-epyc-genoa", 0, &m, &err),
                     0); /* its memory's bandwidth */
    assert_int_equal(m.n_device, 0);
    assert_true(pl_machine_pool(&m, "ram")->bandwidth.likely > 460e9);
    assert_int_equal(pl_machine_pool(&m, "ram")->bandwidth.source, PL_SOURCE_DECLARED);
    assert_true(pl_device_machine("cpu-epyc-genoa,cpu-rpi5", 0, &m, &err) < 0);
}

/* Every row that names a device makes a machine. */
static void every_row_is_a_machine(void **state)
{
    (void)state;
    uint32_t n = 0;
    const struct pl_device_row *row = pl_device_rows(&n);
    for (uint32_t i = 0; i < n; i++) {
        struct pl_err err = {0};
        if (pl_streq(row[i].class, "cpu"))
            continue;
        if (pl_device_machine(row[i].id, 32 * PL_GIB, &m, &err) < 0)
            fail_msg("%s: %s", row[i].id, err.what);
        for (uint32_t k = 0; k < m.n_pool; k++) {
            const struct pl_pool *p = &m.pool[k];
            assert_true(!pl_known(p->available) || p->available.high <= p->capacity.high);
        }
    }
}

/* Rows whose plain text is not in a name are not asked: with every expression asked of every name
 * the answers are the same. */
static void expressions_that_are_not_asked(void **state)
{
    (void)state;
    static const char *const more[] = {"AMD EPYC",
                                       "AMD EPYC 9654 96-Core Processor",
                                       "AMD Ryzen 9 7950X3D 16-Core Processor",
                                       "AMD Ryzen Threadripper PRO 5975WX 32-Cores",
                                       "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz",
                                       "INTEL(R) XEON(R) PLATINUM 8581C",
                                       "13th Gen Intel(R) Core(TM) i7-1370P",
                                       "Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz",
                                       ""};
    uint32_t n = 0, found_any = 0;
    const struct pl_device_row *row = pl_device_rows(&n);
    regex_t *re = calloc(n, sizeof(*re));
    assert_non_null(re);
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(regcomp(&re[i], row[i].match, REG_EXTENDED | REG_NOSUB), 0);
    for (uint32_t s = 0; s < n + sizeof(more) / sizeof(more[0]); s++) {
        const struct pl_device_row *want[2] = {NULL, NULL}; /* devices, processors */
        uint32_t count[2] = {0, 0};
        char subject[256];
        if (s < n)
            (void)PL_FMT(subject, "%s;%s;24", row[s].name, row[s].pci_ids);
        else
            (void)PL_FMT(subject, "%s", more[s - n]);
        for (uint32_t i = 0; i < n; i++) {
            bool cpu = pl_streq(row[i].class, "cpu");
            if (row[i].match[0] == '\0' || regexec(&re[i], subject, 0, NULL, 0) != 0)
                continue;
            want[cpu] = count[cpu]++ == 0 ? &row[i] : NULL;
        }
        assert_ptr_equal(pl_device_match(subject, NULL), want[0]);
        assert_ptr_equal(pl_device_match_cpu(subject), subject[0] != '\0' ? want[1] : NULL);
        found_any += want[0] != NULL || want[1] != NULL ? 1 : 0;
    }
    for (uint32_t i = 0; i < n; i++)
        regfree(&re[i]);
    free(re);
    assert_true(found_any > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_matches_itself),
        cmocka_unit_test(captured_names),
        cmocka_unit_test(expressions_that_are_not_asked),
        cmocka_unit_test(nearest_id),
        cmocka_unit_test(readings_and_data),
        cmocka_unit_test(machines_of_data),
        cmocka_unit_test(every_row_is_a_machine),
    };
    return cmocka_run_group_tests_name("device_data", tests, NULL, NULL);
}
