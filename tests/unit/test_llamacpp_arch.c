#include "test.h"

#include "base/str.h"
#include "engine/llamacpp/arch.h"

#include <string.h>

static void names_are_sorted_and_told_apart(void **state)
{
    (void)state;
    assert_true(pl_arch_count() > 150);
    for (uint32_t i = 0; i < pl_arch_count(); i++) {
        const struct pl_arch *a = pl_arch_at(i);
        assert_ptr_equal(pl_arch(a->name), a);
        assert_true(i == 0 || strcmp(pl_arch_at(i - 1)->name, a->name) < 0);
        assert_true(a->source[0] != '\0');
        assert_true((a->window == PL_WINDOW_NONE) == (a->window_when == PL_WINDOW_WHEN_NEVER));
        assert_true((a->window == PL_WINDOW_NONE) == (a->pattern == PL_PATTERN_NONE));
        assert_true((a->recurrent == PL_RECURRENT_NONE) ==
                    (a->recurrent_layers == PL_RECURRENT_LAYERS_NONE));
    }
}

static void a_mistyped_name_has_a_neighbour(void **state)
{
    (void)state;
    assert_null(pl_arch("lama"));
    assert_string_equal(pl_arch_nearest("lama"), "llama");
    assert_string_equal(pl_arch_nearest("qwen36moe"), "qwen35moe");
    assert_null(pl_arch_nearest("wholly-different-thing"));
    assert_null(pl_arch_nearest("a-name-longer-than-any-architecture-has"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_and_told_apart),
        cmocka_unit_test(a_mistyped_name_has_a_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
