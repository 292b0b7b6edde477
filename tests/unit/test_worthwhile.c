/* Options that no best plan holds are dropped: on random stacks, machines and options the plan is
 * the same with and without them; and it is the same when every stage is solved by parts. */
#include "plan/plan.h"
#include "plan/worthwhile.h"

#include "base/str.h"

#include <string.h>

#include "test.h"

#define STACKS 300u
#define OPTIONS_MAX 64u
#define POOLS 3u

static const char *const pools[POOLS] = {"ram", "gpu0", "gpu1"};

static uint32_t seed;

static uint32_t draw(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static struct pl_quantity bytes(uint64_t likely, uint64_t high)
{
    return (struct pl_quantity){
        .low = likely, .likely = likely, .high = high, .source = PL_SOURCE_DECLARED};
}

/* Three components; the first shares no file, all may be warm. */
static const char *stack_text(struct pl_str *s)
{
    static const char *const tiers[] = {"[hot]", "[hot, warm]", "[warm]", "[warm, hot]"};
    static const char *const kinds[] = {"balanced", "capability", "reliability", "speed", "voice"};
    pl_str_addf(s, "plimsoll: 1\nobjective: %s\ncomponents:\n", kinds[draw(5)]);
    for (uint32_t c = 0; c < 3; c++)
        pl_str_addf(s,
                    "  c%u:\n    tier: %s\n    required: %s\n    context: {min: 1, want: 8}\n"
                    "    slots: {min: 1, want: 4}\n    group: g%u\n    candidates:\n"
                    "      - {name: a, model: m}\n      - {name: b, model: n}\n",
                    c, tiers[draw(4)], draw(3) == 0 ? "true" : "false", draw(3) / 2);
    return pl_str_get(s);
}

static void make_machine(struct pl_machine *m)
{
    m->n_pool = POOLS;
    for (uint32_t p = 0; p < POOLS; p++) {
        uint64_t n = 20 + draw(40);
        m->pool[p] = (struct pl_pool){.kind = p == 0 ? PL_POOL_HOST : PL_POOL_DEDICATED};
        (void)PL_FMT(m->pool[p].name, "%s", pools[p]);
        m->pool[p].capacity = bytes(n, n);
        m->pool[p].available = bytes(n - draw(10), n);
        m->pool[p].available.low = m->pool[p].available.likely;
    }
}

static void make_option(struct pl_option *o, struct pl_option_pool *pool, uint32_t at)
{
    *o = (struct pl_option){.component = at / 18,
                            .candidate = at / 9 % 2,
                            .variant = at % 9,
                            .name = at / 9 % 2 == 0 ? "a" : "b",
                            .pool = pool,
                            .n_pool = 1 + draw(POOLS),
                            .file = draw(4) == 0 ? "shared" : NULL,
                            .quality = (int64_t)(at / 9 % 2),
                            .quality_known = true,
                            .context = 1u << draw(4),
                            .slots = 1u << draw(3),
                            .layers_wanted = 4,
                            .layers = draw(5),
                            .cache_wanted = 2,
                            .cache = 1 + draw(2),
                            .decode_milli = draw(3) * 8000u,
                            .first_token_us = draw(3) * 1000u,
                            .settings = "",
                            .why = "drawn"};
    for (uint32_t p = 0; p < o->n_pool; p++) {
        uint64_t n = 1 + draw(12), more = draw(3);
        pool[p] = (struct pl_option_pool){.pool = pools[p],
                                          .steady = bytes(n, n + more),
                                          .peak = bytes(n + 1, n + 1 + more),
                                          .load_peak = bytes(n + draw(4), n + 6),
                                          .file_hot = o->file != NULL ? 1 : 0};
    }
}

static void same_plan(const struct pl_plan *a, const struct pl_plan *b)
{
    assert_int_equal(a->feasible, b->feasible);
    if (!a->feasible)
        return;
    assert_true(a->optimal && b->optimal);
    assert_int_equal(a->n_term, b->n_term);
    for (uint32_t t = 0; t < a->n_term; t++) {
        for (uint32_t k = 0; k < a->term[t].n_value; k++)
            assert_int_equal(a->term[t].value[k], b->term[t].value[k]);
    }
    for (uint32_t c = 0; c < a->n_component; c++) {
        const struct pl_plan_component *x = &a->component[c], *y = &b->component[c];
        assert_int_equal(x->served, y->served);
        assert_int_equal(x->tier, y->tier);
        if (!x->served)
            continue;
        assert_int_equal(x->option->candidate, y->option->candidate);
        assert_int_equal(x->option->variant, y->option->variant);
    }
}

static void test_same_optimum(void **state)
{
    static struct pl_machine machine;
    static struct pl_option all[OPTIONS_MAX], few[OPTIONS_MAX];
    static struct pl_option_pool pool[OPTIONS_MAX][POOLS];
    const uint32_t n = 54;
    uint32_t dropped = 0, feasible = 0;
    (void)state;
    for (uint32_t i = 0; i < STACKS; i++) {
        struct pl_arena arena;
        struct pl_str text;
        struct pl_stack *stack = NULL;
        struct pl_stack_options none = {0};
        struct pl_plan_options options = {.allow_fragile = i % 3 == 0};
        struct pl_plan a, b;
        struct pl_err err = {0};
        seed = i;
        pl_arena_init(&arena, PL_STACK_ARENA_MAX);
        pl_str_init(&text, 4096);
        const char *yaml = stack_text(&text);
        assert_int_equal(pl_stack_parse(yaml, strlen(yaml), "t.yaml", &none, &arena, &stack, &err),
                         0);
        make_machine(&machine);
        for (uint32_t k = 0; k < n; k++)
            make_option(&all[k], pool[k], k);
        memcpy(few, all, sizeof(few));
        uint32_t left = pl_options_worthwhile(stack, few, n);
        dropped += n - left;
        assert_int_equal(pl_plan_make(stack, &machine, all, n, &options, &arena, &a, &err), 0);
        assert_int_equal(pl_plan_make(stack, &machine, few, left, &options, &arena, &b, &err), 0);
        same_plan(&a, &b);
        options.limits.pass_nodes = 4; /* by cuts and parts, as large stacks are */
        assert_int_equal(pl_plan_make(stack, &machine, few, left, &options, &arena, &b, &err), 0);
        same_plan(&a, &b);
        feasible += a.feasible;
        pl_str_done(&text);
        pl_arena_done(&arena);
    }
    print_message("# %u of %u options dropped, %u of %u stacks feasible\n", dropped, STACKS * n,
                  feasible, STACKS);
    assert_true(dropped > STACKS); /* else this shows nothing */
    assert_true(feasible > STACKS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_optimum)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
