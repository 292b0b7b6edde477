#include "engine/llamacpp/find.h"

#include "base/clock.h"
#include "machine/cpu.h"
#include "machine/cpu_cpuid.h"
#include "sys/spawn.h"
#include "sys/xdg.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PL_SERVER "llama-server"
#define PL_VERSION_NS (20 * PL_S_NS) /* a cold start from a slow disk; it takes 15 ms warm */
#define PL_VERSION_TEXT 65536
#define PL_UP_MAX 4 /* folders above the program in which "engines" is looked for */
#define PL_GET_HINT "run 'make engines', install llama.cpp-tools, or give --engine PATH"

static bool pl_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool pl_is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The first file matching root + pattern; characters of root stand for themselves. */
static bool pl_glob_first(const char *root, const char *pattern, char ret_path[PL_INSTALL_PATH_MAX])
{
    char full[2 * PL_INSTALL_PATH_MAX];
    size_t n = 0;
    for (const char *p = root; *p != '\0' && n < sizeof(full) - 2; p++) {
        if (strchr("*?[]\\", *p) != NULL)
            full[n++] = '\\';
        full[n++] = *p;
    }
    if (!pl_fmt(full + n, sizeof(full) - n, "%s", pattern))
        return false;
    glob_t g = {0};
    bool found = glob(full, 0, NULL, &g) == 0 && g.gl_pathc > 0 &&
                 pl_fmt(ret_path, PL_INSTALL_PATH_MAX, "%s", g.gl_pathv[0]);
    globfree(&g);
    return found;
}

/* Cuts the last part of a path off: "/a/b" becomes "/a". */
static void pl_parent(char path[PL_INSTALL_PATH_MAX])
{
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
}

#if defined(__x86_64__)
/* What this processor can do; asked once. */
static const struct pl_cpu *pl_cpu_here(void)
{
    static struct pl_cpu here;
    static struct pl_cpuid ask;
    if (here.isa[0] == '\0' && pl_cpuid_live(&ask))
        pl_cpu_isa_cpuid(&ask, here.isa, sizeof(here.isa));
    return &here;
}
#endif

/* Which of the CPU backends built for one machine family this CPU runs best. The engine chooses for
 * itself when they lie beside its loader; this is for a folder where nobody linked them. Names and
 * what they need: ggml/src/CMakeLists.txt, ggml_add_cpu_backend_variant. */
static const char *pl_cpu_backend(size_t i)
{
#if defined(__x86_64__)
    /* not __builtin_cpu_supports: it would ask the processor at every start of the program */
    const struct pl_cpu *c = pl_cpu_here();
    bool avx512 = pl_cpu_has(c, "avx512f") && pl_cpu_has(c, "avx512bw") &&
                  pl_cpu_has(c, "avx512dq") && pl_cpu_has(c, "avx512vl") &&
                  pl_cpu_has(c, "avx512cd");
    bool vnni = avx512 && pl_cpu_has(c, "avx512_vnni");
    bool vbmi = vnni && pl_cpu_has(c, "avx512vbmi");
    bool bf16 = vbmi && pl_cpu_has(c, "avx512_bf16");
    bool avx2 = pl_cpu_has(c, "avx2") && pl_cpu_has(c, "fma") && pl_cpu_has(c, "bmi2");
    const struct {
        const char *name;
        bool runs;
    } backends[] = {
        {"zen4",        bf16        },
        {"icelake",     vbmi        },
        {"cascadelake", vnni        },
        {"skylakex",    avx512      },
        {"haswell",     avx2        },
        {"sandybridge", pl_cpu_has(c, "avx")},
        {"sse42",             pl_cpu_has(c,                   "sse4_2")},
        {"x64",    true},
    };
#else
    const struct {
        const char *name;
        bool runs;
    } backends[] = {
        {"armv8.0_1", true}
    };
#endif
    if (i >= sizeof(backends) / sizeof(backends[0]))
        return NULL;
    return backends[i].runs ? backends[i].name : "";
}

static void pl_folder_backend(struct pl_install *in, const char *lib)
{
    char path[PL_INSTALL_PATH_MAX];
    if (pl_glob_first(lib, "/libggml-cpu*.so", path))
        return; /* linked beside the loader: the engine finds the best one by itself */
    const char *name;
    for (size_t i = 0; (name = pl_cpu_backend(i)) != NULL; i++) {
        if (name[0] != '\0' &&
            pl_fmt(path, sizeof(path), "%s/ggml/backends0/libggml-cpu-%s.so", lib, name) &&
            access(path, R_OK) == 0) {
            (void)pl_fmt(in->backend_path, sizeof(in->backend_path), "%s", path);
            (void)pl_fmt(in->backend, sizeof(in->backend), "cpu-%s", name);
            return;
        }
    }
}

/* The absolute path without links; false when there is none or it is too long. */
static bool pl_real(const char *path, char ret_path[PL_INSTALL_PATH_MAX])
{
    char *real = realpath(path, NULL);
    bool fits = real != NULL && pl_fmt(ret_path, PL_INSTALL_PATH_MAX, "%s", real);
    free(real);
    return fits;
}

/* A Debian userland extracted into dir, with llama-server in it? */
static bool pl_take_folder(struct pl_install *in, const char *dir)
{
    char root[PL_INSTALL_PATH_MAX], lib[PL_INSTALL_PATH_MAX];
    if (!pl_real(dir, root) || strchr(root, ':') != NULL || pl_streq(root, "/"))
        return false; /* ':' separates the loader's search path; / is the machine itself */
    if (!pl_fmt(in->server, sizeof(in->server), "%s/usr/bin/" PL_SERVER, root) ||
        !pl_is_program(in->server) || !pl_glob_first(root, "/usr/lib/*/ld-linux*.so.*", in->loader))
        return false;
    (void)pl_fmt(lib, sizeof(lib), "%s", in->loader);
    pl_parent(lib);
    if (!pl_fmt(in->libs, sizeof(in->libs), "%s:%s/llama:%s/ggml", lib, lib, lib))
        return false;
    in->folder = true;
    (void)pl_fmt(in->dir, sizeof(in->dir), "%s", root);
    pl_folder_backend(in, lib);
    return true;
}

static bool pl_take_program(struct pl_install *in, const char *path)
{
    if (!pl_is_program(path) || !pl_real(path, in->server))
        return false;
    /* One inside an extracted userland does not run on the machine's own libc. */
    char root[PL_INSTALL_PATH_MAX];
    (void)pl_fmt(root, sizeof(root), "%s", in->server);
    if (pl_ends(root, "/usr/bin/" PL_SERVER)) {
        root[strlen(root) - strlen("/usr/bin/" PL_SERVER)] = '\0';
        struct pl_install folder = {0};
        if (root[0] != '\0' && pl_take_folder(&folder, root))
            *in = folder;
    }
    return true;
}

/* A folder a user may name: a userland, an unpacked release, a build tree, or a folder of those. */
static bool pl_take_dir(struct pl_install *in, const char *dir)
{
    static const char *const inside[] = {"/" PL_SERVER, "/bin/" PL_SERVER, "/build/bin/" PL_SERVER,
                                         "/*/usr/bin/" PL_SERVER, "/*/" PL_SERVER};
    char path[PL_INSTALL_PATH_MAX];
    if (pl_take_folder(in, dir))
        return true;
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        if (pl_glob_first(dir, inside[i], path) && pl_take_program(in, path))
            return true;
    }
    return false;
}

static bool pl_take(struct pl_install *in, const char *path)
{
    *in = (struct pl_install){0};
    return pl_is_dir(path) ? pl_take_dir(in, path) : pl_take_program(in, path);
}

/* What somebody named: it must be there. */
static int pl_take_named(struct pl_install *in, const char *name, const char *whence,
                         struct pl_err *err)
{
    char path[PATH_MAX];
    if (pl_take(in, name))
        return 0;
    if (strchr(name, '/') == NULL && pl_program_find(name, path, NULL) == 0 && pl_take(in, path))
        return 0;
    (void)pl_fail(err, -ENOENT, "%s %s: no llama-server there", whence, name);
    (void)pl_hint(err, "a llama-server program, or a folder that holds one");
    return pl_exit_as(err, -ENOENT, PL_EXIT_ENVIRONMENT);
}

/* "engines" beside our own program and above it, as in a build tree. */
static bool pl_take_beside(struct pl_install *in)
{
    char self[PL_INSTALL_PATH_MAX] = "", path[PL_INSTALL_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return false;
    self[n] = '\0';
    for (int up = 0; up <= PL_UP_MAX; up++) {
        pl_parent(self);
        if (self[0] == '\0')
            return false;
        if (pl_fmt(path, sizeof(path), "%s/engines", self) && pl_is_dir(path) && pl_take(in, path))
            return true;
    }
    return false;
}

static bool pl_take_data(struct pl_install *in)
{
    char path[PL_INSTALL_PATH_MAX];
    if (pl_xdg_path(path, sizeof(path), PL_XDG_DATA, "plimsoll/engines") == 0 && pl_take(in, path))
        return true;
    return pl_take(in, "/usr/local/share/plimsoll/engines");
}

static int pl_choose(const char *hint, struct pl_install *in, struct pl_err *err)
{
    if (hint != NULL && hint[0] != '\0' && pl_engine_named(hint) == NULL)
        return pl_take_named(in, hint, "--engine", err);
    const char *env = getenv("PLIMSOLL_ENGINE");
    if (env != NULL && env[0] != '\0' && pl_engine_named(env) == NULL)
        return pl_take_named(in, env, "$PLIMSOLL_ENGINE", err);
    char path[PATH_MAX];
    if (pl_program_find(PL_SERVER, path, NULL) == 0 && pl_take(in, path))
        return 0;
    env = getenv("PLIMSOLL_ENGINES");
    if (env != NULL && env[0] != '\0')
        return pl_take_named(in, env, "$PLIMSOLL_ENGINES", err);
    if ((pl_is_dir("engines") && pl_take(in, "engines")) || pl_take_beside(in) || pl_take_data(in))
        return 0;
    (void)pl_fail(err, -ENOENT,
                  "no engine found: llama-server is neither on PATH nor in a folder "
                  "of ours");
    (void)pl_hint(err, PL_GET_HINT);
    return pl_exit_as(err, -ENOENT, PL_EXIT_ENVIRONMENT);
}

/* "version: 0.7.0 (build 11669, commit X)", before that "version: 4589 (abcdef)", of any length and
 * content: it comes from a program. */
static bool pl_version_read(struct pl_install *in, const char *text)
{
    const char *v = strstr(text, "version: ");
    if (v == NULL)
        return false;
    v += strlen("version: ");
    size_t n = strspn(v, "0123456789.");
    if (n == 0 || n > 20)
        return false;
    char number[24];
    (void)pl_fmt(number, sizeof(number), "%.*s", (int)n, v);
    const char *build = strstr(v, "(build ");
    const char *line_end = strchrnul(v, '\n');
    if (build != NULL && build < line_end) {
        char digits[24];
        build += strlen("(build ");
        (void)pl_fmt(digits, sizeof(digits), "%.*s", (int)strspn(build, "0123456789") % 20, build);
        if (pl_parse_u64(digits, &in->build))
            return pl_fmt(in->version, sizeof(in->version), "%s build %s", number, digits);
    }
    if (pl_parse_u64(number, &in->build))
        return pl_fmt(in->version, sizeof(in->version), "b%s", number);
    return pl_fmt(in->version, sizeof(in->version), "%s", number);
}

static int pl_version(struct pl_install *in, struct pl_err *err)
{
    static const char *const args[] = {"--version", NULL};
    struct pl_str out;
    int status = 0;
    int code =
        pl_llamacpp_run(in, PL_SERVER, args, PL_VERSION_NS, PL_VERSION_TEXT, &out, &status, err);
    if (code == 0 && !pl_version_read(in, pl_str_get(&out))) {
        char how[PL_STATUS_TEXT_MAX];
        int len = (int)strcspn(pl_str_get(&out), "\n");
        code = pl_fail(err, -ENOEXEC, "%.100s does not say its version: %.*s (%s)", in->server,
                       len < 100 ? len : 100, pl_str_get(&out), pl_status_text(status, how));
    }
    pl_str_done(&out);
    return code < 0 ? pl_exit_as(err, code, PL_EXIT_ENVIRONMENT) : 0;
}

int pl_llamacpp_find(const char *hint, struct pl_install *ret, struct pl_err *err)
{
    struct pl_install in;
    int code = pl_choose(hint, &in, err);
    if (code < 0)
        return code;
    (void)pl_fmt(in.engine, sizeof(in.engine), "llama.cpp");
    code = pl_version(&in, err);
    if (code == 0)
        *ret = in;
    return code;
}

int pl_llamacpp_tool(const struct pl_install *in, const char *name,
                     char ret_path[PL_INSTALL_PATH_MAX], struct pl_err *err)
{
    static const char *const folders[] = {"", "/../libexec/*/llama.cpp-tests",
                                          "/../libexec/*/llama/bin", "/../libexec/*/llama.cpp",
                                          "/../lib/llama.cpp"};
    char bin[PL_INSTALL_PATH_MAX], pattern[PL_INSTALL_PATH_MAX];
    if (pl_streq(name, PL_SERVER)) { /* whatever its file is called */
        (void)pl_fmt(ret_path, PL_INSTALL_PATH_MAX, "%s", in->server);
        return 0;
    }
    (void)pl_fmt(bin, sizeof(bin), "%s", in->server);
    pl_parent(bin);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (pl_fmt(pattern, sizeof(pattern), "%s/%s", folders[i], name) &&
            pl_glob_first(bin, pattern, ret_path) && pl_is_program(ret_path))
            return 0;
    }
    char path[PATH_MAX];
    if (!in->folder && pl_program_find(name, path, NULL) == 0 &&
        pl_fmt(ret_path, PL_INSTALL_PATH_MAX, "%s", path))
        return 0;
    (void)pl_fail(err, -ENOENT, "%s: not installed beside %.120s", name, in->server);
    return pl_exit_as(err, -ENOENT, PL_EXIT_ENVIRONMENT);
}

size_t pl_llamacpp_words(const struct pl_install *in, const char *program,
                         const char *argv[PL_INSTALL_WORDS])
{
    if (!in->folder) {
        argv[0] = program;
        return 1;
    }
    const char *slash = strrchr(program, '/');
    argv[0] = in->loader;
    argv[1] = "--library-path";
    argv[2] = in->libs;
    argv[3] = "--argv0";
    argv[4] = slash != NULL ? slash + 1 : program;
    argv[5] = program;
    return 6;
}

void pl_llamacpp_env(const struct pl_install *in, struct pl_install_env *ret)
{
    // MALLOC_PERTURB_ (mallopt(3), M_PERTURB) writes all that is allocated: what an engine only
    // reserves would count as held
    static const char *const own[] = {"LLAMA_ARG_", "LLAMA_LOG_",
                                      "LLAMA_API_KEY=", "MALLOC_PERTURB_=", NULL};
    static const char *const foreign[] = {
        "LLAMA_ARG_",  "LLAMA_LOG_", "LLAMA_API_KEY=", "MALLOC_PERTURB_=", "LD_LIBRARY_PATH=",
        "LD_PRELOAD=", NULL};
    ret->env[0] = ret->env[1] = NULL;
    ret->drop = in->folder ? foreign : own;
    if (in->backend_path[0] != '\0' &&
        pl_fmt(ret->text, sizeof(ret->text), "GGML_BACKEND_PATH=%s", in->backend_path))
        ret->env[0] = ret->text;
}

int pl_llamacpp_run(const struct pl_install *in, const char *tool, const char *const *args,
                    uint64_t timeout_ns, size_t cap_bytes, struct pl_str *out, int *ret_status,
                    struct pl_err *err)
{
    const char *argv[PL_SPAWN_ARGS_MAX + 1] = {0};
    char program[PL_INSTALL_PATH_MAX];
    struct pl_install_env env;
    pl_str_init(out, cap_bytes);
    int code = pl_llamacpp_tool(in, tool, program, err);
    if (code < 0)
        return code;
    size_t n = pl_llamacpp_words(in, program, argv);
    for (; *args != NULL; args++) {
        if (n == PL_SPAWN_ARGS_MAX)
            return pl_fail(err, -E2BIG, "%s: more than %d arguments", tool, PL_SPAWN_ARGS_MAX);
        argv[n++] = *args;
    }
    pl_llamacpp_env(in, &env);
    const struct pl_spawn how = {.argv = argv, .env = env.env, .env_drop = env.drop};
    return pl_spawn_run(&how, timeout_ns, cap_bytes, out, ret_status, err);
}
