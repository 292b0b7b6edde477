/* Machine files: whatever parses is a machine that planning can walk, and prints as one that parses
 * again to the same. */
#include "machine/machine_file.h"
#include "base/str.h"
#include "report/machine.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_quantity(struct pl_quantity q)
{
    pl_fuzz_check(!pl_known(q) || (q.low <= q.likely && q.likely <= q.high));
}

static void pl_fuzz_machine(const struct pl_machine *m)
{
    pl_fuzz_check(!m->this_system);
    pl_fuzz_check(m->n_pool > 0 && m->n_pool <= PL_POOLS_MAX);
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        pl_fuzz_check(p->name[0] != '\0' && pl_machine_pool_const(m, p->name) == p);
        pl_fuzz_check(p->parent[0] == '\0' || pl_machine_pool_const(m, p->parent) != NULL);
        pl_fuzz_quantity(p->capacity);
        pl_fuzz_quantity(p->available);
        pl_fuzz_quantity(pl_machine_available(m, p->name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_machine m;
    struct pl_err err = {0};
    const char *text = n > 0 ? (const char *)data : "";
    if (pl_machine_parse(text, n, "fuzz", &m, &err) < 0) {
        pl_fuzz_check(err.what[0] != '\0' && strpbrk(err.what, "\n\033") == NULL);
        return 0;
    }
    pl_fuzz_machine(&m);
    struct pl_str one, two;
    pl_str_init(&one, 4u * 1024 * 1024);
    pl_str_init(&two, 4u * 1024 * 1024);
    pl_machine_text(&m, false, &one);
    pl_fuzz_check(!one.failed && strchr(pl_str_get(&one), '\033') == NULL);
    pl_str_clear(&one);
    pl_machine_json(&m, &one);
    pl_fuzz_check(pl_machine_parse(pl_str_get(&one), one.len, "again", &m, &err) == 0);
    pl_machine_json(&m, &two);
    pl_fuzz_check(strcmp(pl_str_get(&one), pl_str_get(&two)) == 0);
    pl_str_done(&one);
    pl_str_done(&two);
    return 0;
}
