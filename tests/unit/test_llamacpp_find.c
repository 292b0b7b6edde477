#include "test.h"

#include "base/clock.h"
#include "base/str.h"
#include "engine/llamacpp/find.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pl_tree tree;
static char path_before[4096];

/* A program that says text and its arguments, and ends with status. */
static void program(const char *name, const char *text, int status)
{
    char path[256], script[512];
    (void)PL_FMT(script, "#!/bin/sh\necho '%s' >&2\necho \"$@\"\nexit %d\n", text, status);
    pl_tree_put(&tree, name, script);
    (void)PL_FMT(path, "%s/%s", tree.dir, name);
    assert_int_equal(chmod(path, 0755), 0);
}

static const char *in_dir(const char *name, char out[256])
{
    (void)pl_fmt(out, 256, "%s/%s", tree.dir, name);
    return out;
}

static int set_up(void **state)
{
    (void)state;
    const char *path = getenv("PATH");
    (void)PL_FMT(path_before, "%s", path != NULL ? path : "/usr/bin:/bin");
    pl_tree_open(&tree);
    if (chdir(tree.dir) < 0)
        return -1;
    static const char *const variables[] = {"PLIMSOLL_ENGINE", "PLIMSOLL_ENGINES", "XDG_DATA_HOME"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        (void)unsetenv(variables[i]);
    (void)setenv("HOME", tree.dir, 1);
    return setenv("PATH", "/nonexistent", 1);
}

static int tear_down(void **state)
{
    (void)state;
    (void)setenv("PATH", path_before, 1);
    int code = chdir("/");
    pl_tree_done(&tree);
    return code;
}

static void found(const char *hint, const char *server)
{
    struct pl_install in;
    struct pl_err err = {0};
    char want[256], *real;
    if (pl_llamacpp_find(hint, &in, &err) < 0)
        fail_msg("%s", err.what);
    real = realpath(in_dir(server, want), NULL);
    assert_string_equal(in.server, real);
    assert_string_equal(in.engine, "llama.cpp");
    free(real);
}

static void not_found(const char *hint, int code, const char *words)
{
    struct pl_install in = {.build = 77};
    struct pl_err err = {0};
    assert_int_equal(pl_llamacpp_find(hint, &in, &err), code);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    assert_int_equal(in.build, 77);
    if (strstr(err.what, words) == NULL)
        fail_msg("'%s' is not in: %s", words, err.what);
}

/* Each new place is looked at before the ones that were there. */
static void the_order_of_places(void **state)
{
    (void)state;
    char a[256];
    const char *says = "version: 0.7.0 (build 11669, commit Debian)";
    /* The engines folder of the source tree is above this test's program: it comes before the two
     * folders of the user's data, which then cannot be seen. */
    struct pl_install in;
    bool beside = pl_llamacpp_find(NULL, &in, NULL) == 0;
    if (!beside)
        not_found(NULL, -ENOENT, "no engine found");
    program(".local/share/plimsoll/engines/llama-server", says, 0);
    if (!beside)
        found(NULL, ".local/share/plimsoll/engines/llama-server");
    program("data/plimsoll/engines/release/llama-server", says, 0);
    (void)setenv("XDG_DATA_HOME", in_dir("data", a), 1);
    if (!beside)
        found(NULL, "data/plimsoll/engines/release/llama-server");
    program("engines/bin/llama-server", says, 0);
    found(NULL, "engines/bin/llama-server");
    program("other/build/bin/llama-server", says, 0);
    (void)setenv("PLIMSOLL_ENGINES", in_dir("other", a), 1);
    found(NULL, "other/build/bin/llama-server");
    program("path/llama-server", says, 0);
    (void)setenv("PATH", in_dir("path", a), 1);
    found(NULL, "path/llama-server");
    program("mine", says, 0);
    (void)setenv("PLIMSOLL_ENGINE", in_dir("mine", a), 1);
    found(NULL, "mine");
    found("llama.cpp", "mine"); /* the engine's name asks for no place */
    found(in_dir("path", a), "path/llama-server");
    found("llama-server", "path/llama-server");
    not_found("/nonexistent", -ENOENT, "/nonexistent");
    (void)setenv("PLIMSOLL_ENGINE", "/nonexistent", 1);
    not_found(NULL, -ENOENT, "$PLIMSOLL_ENGINE");
    (void)unsetenv("PLIMSOLL_ENGINE");
    (void)setenv("PATH", "/nonexistent", 1);
    (void)setenv("PLIMSOLL_ENGINES", "/nonexistent", 1);
    not_found(NULL, -ENOENT, "$PLIMSOLL_ENGINES");
}

static void versions_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *says, *version;
        uint64_t build;
    } versions[] = {
        {"version: 0.7.0 (build 11669, commit Debian)", "0.7.0 build 11669", 11669},
        {"version: 4589 (eb7cf15a)",                    "b4589",             4589 },
        {"ggml: found\nversion: 1.2",                   "1.2",               0    },
    };
    char a[256];
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct pl_install in;
        program("versioned", versions[i].says, 0);
        assert_int_equal(pl_llamacpp_find(in_dir("versioned", a), &in, NULL), 0);
        assert_string_equal(in.version, versions[i].version);
        assert_true(in.build == versions[i].build);
    }
    program("broken", "error while loading shared libraries: libllama.so", 127);
    not_found(in_dir("broken", a), -ENOEXEC, "libllama.so");
    program("silent", "version: ", 0);
    not_found(in_dir("silent", a), -ENOEXEC, "does not say its version");
}

static void tools_are_found_beside_it(void **state)
{
    (void)state;
    struct pl_install in;
    struct pl_str out;
    struct pl_err err = {0};
    char a[256], path[PL_INSTALL_PATH_MAX];
    int status = -1;
    program("set/bin/llama-server", "version: 1 (x)", 0);
    program("set/bin/llama-bench", "", 3);
    program("set/libexec/cpu-x/llama.cpp-tests/test-llama-archs", "", 0);
    assert_int_equal(pl_llamacpp_find(in_dir("set", a), &in, NULL), 0);
    assert_int_equal(pl_llamacpp_tool(&in, "test-llama-archs", path, NULL), 0);
    assert_int_equal(pl_llamacpp_tool(&in, "llama-quantize", path, &err), -ENOENT);
    assert_int_equal(err.exit_code, PL_EXIT_ENVIRONMENT);
    const char *const args[] = {"-o", "json; touch never", NULL};
    assert_int_equal(
        pl_llamacpp_run(&in, "llama-bench", args, 60 * PL_S_NS, 4096, &out, &status, NULL), 0);
    assert_int_equal(status >> 8, 3);
    assert_string_equal(pl_str_get(&out), "\n-o json; touch never\n");
    pl_str_done(&out);
}

/* A folder that looks like an extracted userland: run through its own loader. */
static void a_userland_in_a_folder(void **state)
{
    (void)state;
    const char *words[PL_INSTALL_WORDS];
    struct pl_install in;
    char a[256];
    struct pl_install_env env;
    program("land/usr/bin/llama-server", "", 0);
    program("land/usr/lib/cpu-linux-gnu/ld-linux-cpu.so.2", "version: 9 (x)", 0);
    program("land/usr/lib/cpu-linux-gnu/libggml-cpu.so", "", 0);
    assert_int_equal(pl_llamacpp_find(in_dir("land", a), &in, NULL), 0);
    assert_true(in.folder);
    assert_true(in.build == 9);
    assert_true(pl_ends(in.dir, "/land"));
    assert_int_equal(pl_llamacpp_words(&in, in.server, words), 6);
    assert_string_equal(words[0], in.loader);
    assert_string_equal(words[1], "--library-path");
    assert_non_null(strstr(words[2], "/cpu-linux-gnu/llama:"));
    assert_string_equal(words[4], "llama-server");
    pl_llamacpp_env(&in, &env);
    assert_null(env.env[0]); /* its backends lie beside the loader */
    /* the program inside it, named by itself, is the same folder */
    assert_int_equal(pl_llamacpp_find(in_dir("land/usr/bin/llama-server", a), &in, NULL), 0);
    assert_true(in.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_order_of_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(versions_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tools_are_found_beside_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_userland_in_a_folder, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("llamacpp_find", tests, NULL, NULL);
}
