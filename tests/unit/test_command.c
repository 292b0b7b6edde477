/* Commands of other programs, as `run --` reads them. */
#include "base/units.h"
#include "engine/command.h"
#include "test.h"

static void ollama_context(void **state)
{
    static const struct {
        uint64_t devices, trained, n_ctx;
    } known[] = {
        {0,           131072, 4096  },
        {22 * PL_GIB, 131072, 4096  },
        {23 * PL_GIB, 131072, 32768 }, /* a card of 24 GB has a little less than 24 GiB */
        {47 * PL_GIB, 131072, 131072},
        {80 * PL_GIB, 0,      262144},
        {24 * PL_GIB, 2048,   2048  },
    };
    char ollama[] = "ollama", run[] = "run", model[] = "qwen3:8b";
    char *const argv[] = {ollama, run, model, NULL};
    static struct pl_command c;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(pl_command_read(3, argv, &c, &err), 0);
    assert_true(c.elsewhere);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        pl_command_on(&c, known[i].devices, known[i].trained);
        assert_int_equal(c.settings.n_ctx, known[i].n_ctx);
    }
}

/* Another engine's context is its own business. */
static void others_keep_theirs(void **state)
{
    char server[] = "llama-server", flag[] = "-c", value[] = "512";
    char *const argv[] = {server, flag, value, NULL};
    static struct pl_command c;
    struct pl_err err = {0};
    (void)state;
    assert_int_equal(pl_command_read(3, argv, &c, &err), 0);
    pl_command_on(&c, 48 * PL_GIB, 0);
    assert_int_equal(c.settings.n_ctx, 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ollama_context),
        cmocka_unit_test(others_keep_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
