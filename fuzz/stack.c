/* Stack files: whatever parses can be planned on a small machine, and every text of it is a text.
 */
#include "base/str.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#define PL_FUZZ_OPTIONS 256u
#define PL_FUZZ_ASKS 40u /* looks at the clock before the search ends */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static const char *pl_fuzz_variable(void *ctx, const char *name)
{
    (void)ctx;
    return name[0] == 'A' ? "1GiB" : NULL;
}

static bool pl_fuzz_expired(void *ctx)
{
    uint32_t *asks = ctx;
    return ++*asks > PL_FUZZ_ASKS;
}

static void pl_fuzz_machine(struct pl_machine *m)
{
    static const char *const names[] = {"unified", "ram", "gpu0"};
    for (size_t i = 0; i < 3; i++) {
        struct pl_pool *p =
            pl_machine_add_pool(m, names[i], i == 0 ? PL_POOL_UNIFIED : PL_POOL_HOST);
        p->capacity = pl_exact(8ull << 30, PL_SOURCE_DECLARED, NULL);
        p->available = pl_exact(7ull << 30, PL_SOURCE_DECLARED, NULL);
        if (i > 0)
            (void)PL_FMT(p->parent, "unified");
    }
}

static void pl_fuzz_plan(const struct pl_stack *s, struct pl_arena *arena)
{
    static struct pl_machine m;
    static struct pl_option option[PL_FUZZ_OPTIONS];
    struct pl_plan plan;
    struct pl_err err = {0};
    uint32_t asks = 0;
    const struct pl_plan_options options = {
        .limits = {.expired = pl_fuzz_expired, .ctx = &asks}
    };
    m.n_pool = 0;
    pl_fuzz_machine(&m);
    uint32_t n = pl_stack_declared(s, option, PL_FUZZ_OPTIONS);
    int rc = pl_plan_make(s, &m, option, n, &options, arena, &plan, &err);
    pl_fuzz_check(rc == 0 || err.what[0] != '\0');
    if (rc < 0)
        return;
    pl_fuzz_check(plan.n_component == s->n_component && plan.n_load <= plan.n_component);
    for (uint32_t i = 0; i < plan.n_pool && plan.feasible; i++)
        pl_fuzz_check(!plan.pool[i].known ||
                      plan.pool[i].planned + plan.pool[i].reserve <= plan.pool[i].ceiling);
    pl_fuzz_check(plan.feasible || plan.n_conflict > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_arena arena;
    struct pl_stack *s = NULL;
    struct pl_err err = {0};
    const struct pl_stack_options options = {.variable = pl_fuzz_variable};
    pl_arena_init(&arena, 64u * 1024 * 1024);
    if (pl_stack_parse(n > 0 ? (const char *)data : "", n, "fuzz", &options, &arena, &s, &err) < 0)
        pl_fuzz_check(err.what[0] != '\0' && strpbrk(err.what, "\n\033") == NULL);
    else
        pl_fuzz_plan(s, &arena);
    pl_arena_done(&arena);
    return 0;
}
