/* Commands of other programs, as `run --` reads them. */
#include "base/units.h"
#include "engine/command.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The words of text, parted by blanks. */
static void read_words(const char *text, struct pl_command *ret)
{
    static char words[400];
    static char *argv[20];
    struct pl_err err = {0};
    char *save = NULL;
    int n = 0;
    (void)snprintf(words, sizeof(words), "%s", text);
    for (char *w = strtok_r(words, " ", &save); w != NULL && n < 19; w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    argv[n] = NULL;
    assert_int_equal(pl_command_read(n, argv, ret, &err), 0);
}

/* What a command sets for the engine itself: env's words, -e of a container, which has none of
 * ours. */
static void variables_of_the_command(void **state)
{
    static struct pl_command c;
    (void)state;
    read_words("env LLAMA_ARG_CTX_SIZE=1024 llama-server -m m.gguf", &c);
    assert_int_equal(c.settings.n_ctx, 1024);
    read_words("docker run -e LLAMA_ARG_CTX_SIZE=2048 -v/models:/m --init "
               "ghcr.io/ggml-org/llama.cpp:server -m /m/a.gguf",
               &c);
    assert_int_equal(c.settings.n_ctx, 2048);
    assert_string_equal(c.mounted, "/models/a.gguf");
    assert_int_equal(setenv("LLAMA_ARG_CTX_SIZE", "512", 1), 0);
    read_words("podman run --no-hosts ghcr.io/ggml-org/llama.cpp:server -m /m/a.gguf", &c);
    assert_string_equal(c.model, "/m/a.gguf");
    assert_int_equal(c.settings.n_ctx, 0);
    assert_int_equal(unsetenv("LLAMA_ARG_CTX_SIZE"), 0);
}

static void ollama_switches_take_no_word(void **state)
{
    static struct pl_command c;
    (void)state;
    read_words("ollama run --verbose qwen3:0.6b hi", &c);
    assert_string_equal(c.model, "qwen3:0.6b");
    read_words("ollama run --format json qwen3:0.6b", &c);
    assert_string_equal(c.model, "qwen3:0.6b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ollama_context),
        cmocka_unit_test(others_keep_theirs),
        cmocka_unit_test(variables_of_the_command),
        cmocka_unit_test(ollama_switches_take_no_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
