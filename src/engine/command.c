#include "engine/command.h"

#include "base/str.h"
#include "base/units.h"
#include "engine/engine.h"
#include "engine/llamacpp/environment.h"
#include "engine/llamacpp/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Ollama's own default, by the memory of all devices (docs/context-length.mdx of revision 948f6933;
 * server/routes.go takes a GiB off the limits, for cards that have a little less).
 * $OLLAMA_CONTEXT_LENGTH of its server, which is not known here, sets another. */
#define PL_OLLAMA_CONTEXT 4096
#define PL_OLLAMA_CONTEXT_24G 32768
#define PL_OLLAMA_CONTEXT_48G 262144
#define PL_COMMAND_BEFORE 16 /* words before the program, at most */

static const struct pl_command_row pl_command_rows[] = {
#include "commands.inc"
};

static const char *pl_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const struct pl_command_row *pl_command_row(const char *word)
{
    for (size_t i = 0; i < sizeof(pl_command_rows) / sizeof(pl_command_rows[0]); i++)
        if (pl_streq(pl_command_rows[i].program, pl_base_name(word)))
            return &pl_command_rows[i];
    return NULL;
}

/* The last of the first words that names a program we know: behind "env A=b nice", and behind the
 * --argv0 of a dynamic loader. A word after an option of the program itself is none. */
static void pl_command_program(int argc, char *const *argv, struct pl_command *c)
{
    for (int i = 0; i < argc && i < PL_COMMAND_BEFORE; i++) {
        const struct pl_command_row *row = pl_command_row(argv[i]);
        if (row == NULL && c->row != NULL)
            break;
        if (row != NULL) {
            c->row = row;
            c->program = i;
            c->first = i + 1;
        }
    }
}

/* Is name one of the words of a list with blanks between? */
static bool pl_word_of(const char *list, const char *name, size_t n)
{
    for (const char *p = list; p != NULL && *p != '\0'; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (len == n && memcmp(p, name, n) == 0)
            return true;
        p += len;
    }
    return false;
}

/* "-m PATH", "--model PATH", "--model=PATH": words taken, 0 when it is none. */
static int pl_command_model(struct pl_command *c, int argc, char *const *argv, int i)
{
    const char *equals = strchr(argv[i], '=');
    size_t n = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
    if (!pl_word_of(c->row->model_flags, argv[i], n))
        return 0;
    c->model_inside = equals != NULL;
    c->model_word = equals != NULL ? i : i + 1;
    if (equals == NULL && i + 1 >= argc)
        return 0;
    c->model = equals != NULL ? equals + 1 : argv[i + 1];
    return equals != NULL ? 1 : 2;
}

/* The words from .. to set variables: env's before the program, -e of a container, which has none
 * of ours. */
static int pl_command_llamacpp(struct pl_command *c, int argc, char *const *argv, int from, int to,
                               struct pl_err *err)
{
    pl_llamacpp_defaults(&c->settings);
    int rc = from == 0 ? pl_llamacpp_environment(&c->settings, err) : 0;
    for (int i = from; rc >= 0 && i < to; i++) {
        const char *w = argv[i];
        w += pl_starts(w, "--env=") ? strlen("--env=") : pl_starts(w, "-e") ? strlen("-e") : 0;
        rc = pl_llamacpp_variable(&c->settings, w, err);
    }
    for (int i = c->first; rc >= 0 && i < argc;) {
        int used = pl_command_model(c, argc, argv, i);
        struct pl_err soft = {0};
        if (used == 0)
            used = pl_llamacpp_flag(&c->settings, argc - i, argv + i, &soft);
        if (used <= 0) { /* a flag of this program alone, or a word of its own */
            if (argv[i][0] == '-' && c->n_unknown < PL_COMMAND_UNKNOWN_MAX)
                c->unknown[c->n_unknown++] = argv[i];
            used = 1;
        }
        i += used;
    }
    return rc < 0 ? rc : 0;
}

/* The first word that is no option: "vllm serve MODEL", "ollama run NAME". Options of `valued`
 * (NULL: all) take the next word. */
static void pl_command_named(struct pl_command *c, int argc, char *const *argv, const char *verb,
                             const char *valued)
{
    if (c->first >= argc || !pl_streq(argv[c->first], verb))
        return;
    for (int i = c->first + 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            c->model = argv[i];
            c->model_word = i;
            return;
        }
        if (strchr(argv[i], '=') == NULL &&
            (valued == NULL || pl_word_of(valued, argv[i], strlen(argv[i]))))
            i++; /* its value */
    }
}

/* An engine with a flag table: what it knows is taken, the rest is the server's own affair. */
static void pl_command_other(struct pl_command *c, int argc, char *const *argv)
{
    c->other = pl_engine_named(c->row->engine);
    if (c->other == NULL || c->other->settings == NULL) {
        c->other = NULL;
        return;
    }
    pl_settings_start(&c->values, c->other->settings);
    for (int i = c->first; i < argc;) {
        struct pl_err soft = {0};
        int used = argv[i][0] == '-' ? pl_settings_take(&c->values, argc - i, argv + i, &soft) : 0;
        if (used <= 0 && argv[i][0] == '-' && c->n_unknown < PL_COMMAND_UNKNOWN_MAX)
            c->unknown[c->n_unknown++] = argv[i];
        i += used > 0 ? used : 1;
    }
}

/* The word that names the image: the first that is neither an option of docker run nor its value.
 * Those below take none; all others do, behind "=" or as the next word. */
static int pl_container_image(int argc, char *const *argv, int first)
{
    static const char bare[] =
        "--detach --interactive --tty --rm --init --privileged --read-only "
        "--publish-all --no-healthcheck --oom-kill-disable --quiet "
        "--sig-proxy --disable-content-trust --tls --replace --rmi --no-hosts";
    for (int i = first; i < argc; i++) {
        const char *w = argv[i];
        size_t n = strlen(w);
        if (w[0] != '-' || n == 1)
            return i;
        if (pl_streq(w, "--"))
            return i + 1;
        bool alone = strchr(w, '=') != NULL || pl_word_of(bare, w, n) ||
                     (w[1] != '-' && strspn(w + 1, "ditqP") == n - 1) ||
                     (w[1] != '-' && strspn(w + 1, "ditqP") < n - 2); /* "-itp8080:80", "-v/a:/b" */
        i += alone ? 0 : 1;
    }
    return argc;
}

/* "docker run ... IMAGE words": of an image of llama.cpp the words are its server's own, and the
 * model lies where a volume says. */
static int pl_command_container(struct pl_command *c, int argc, char *const *argv,
                                struct pl_err *err)
{
    static const char server[] = "llama-server";
    int image;
    /* podman has no daemon: its containers are processes of the command */
    c->elsewhere = !pl_streq(c->row->program, "podman");
    if (c->first < argc && pl_streq(argv[c->first], "container"))
        c->first++;
    if (c->first >= argc || !pl_streq(argv[c->first], "run"))
        return 0;
    int options = c->first;
    image = pl_container_image(argc, argv, c->first + 1);
    if (image >= argc || strstr(argv[image], "llama.cpp") == NULL)
        return 0;
    c->row = pl_command_row(server);
    c->first = image + 1;
    int rc = pl_command_llamacpp(c, argc, argv, options, image, err);
    for (int i = options; rc == 0 && c->model != NULL && i < image; i++) {
        bool next = i + 1 < image && (pl_streq(argv[i], "-v") || pl_streq(argv[i], "--volume"));
        const char *from = next                              ? argv[i + 1]
                           : pl_starts(argv[i], "--volume=") ? argv[i] + strlen("--volume=")
                           : pl_starts(argv[i], "-v=")       ? argv[i] + strlen("-v=")
                           : pl_starts(argv[i], "-v")        ? argv[i] + strlen("-v")
                                                             : "";
        const char *to = strchr(from, ':');
        if (to == NULL)
            continue;
        size_t n = strcspn(to + 1, ":");
        if (strncmp(c->model, to + 1, n) == 0 && (c->model[n] == '/' || (n > 0 && to[n] == '/')) &&
            !pl_fmt(c->mounted, sizeof(c->mounted), "%.*s%s%s", (int)(to - from), from,
                    c->model[n] == '/' ? "" : "/", c->model + n))
            c->mounted[0] = '\0';
    }
    return rc;
}

int pl_command_read(int argc, char *const *argv, struct pl_command *ret, struct pl_err *err)
{
    *ret = (struct pl_command){.model_word = -1};
    if (argc > PL_COMMAND_WORDS_MAX)
        return pl_exit_as(
            err, pl_fail(err, -E2BIG, "the command has more than %d words", PL_COMMAND_WORDS_MAX),
            PL_EXIT_USAGE);
    pl_command_program(argc, argv, ret);
    if (ret->row == NULL)
        return 0;
    if (pl_streq(ret->row->engine, "llama.cpp"))
        return pl_command_llamacpp(ret, argc, argv, 0, ret->program, err);
    if (pl_streq(ret->row->engine, "docker"))
        return pl_command_container(ret, argc, argv, err);
    pl_command_other(ret, argc, argv);
    for (int i = ret->first; ret->row->model_flags != NULL && i < argc; i++)
        (void)pl_command_model(ret, argc, argv, i);
    if (pl_streq(ret->row->engine, "vllm"))
        pl_command_named(ret, argc, argv, "serve", NULL);
    if (pl_streq(ret->row->engine, "ollama")) {
        pl_command_named(ret, argc, argv, "run", /* ollama cmd/cmd.go: all others are switches */
                         "--keepalive --format --dimensions --draft");
        pl_llamacpp_defaults(&ret->settings); /* its runners are of llama.cpp's kind */
        ret->settings.n_ctx = PL_OLLAMA_CONTEXT;
        ret->settings.n_parallel = 1;
    }
    ret->elsewhere = pl_streq(ret->row->engine, "ollama");
    return 0;
}

void pl_command_on(struct pl_command *c, uint64_t device_bytes, uint64_t n_ctx_train)
{
    if (c->row == NULL || !pl_streq(c->row->engine, "ollama"))
        return;
    uint64_t n = device_bytes >= 47 * PL_GIB   ? PL_OLLAMA_CONTEXT_48G
                 : device_bytes >= 23 * PL_GIB ? PL_OLLAMA_CONTEXT_24G
                                               : PL_OLLAMA_CONTEXT;
    c->settings.n_ctx = n_ctx_train > 0 && n_ctx_train < n ? n_ctx_train : n;
}

/* Do two words name the same flag of the engine ("-c", "--ctx-size")? */
static bool pl_same_flag(const char *a, size_t n, const char *b)
{
    if (strlen(b) == n && memcmp(a, b, n) == 0)
        return true;
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        bool has_a = false, has_b = false;
        for (int i = 0; i < PL_FLAG_NAMES_MAX && f->names[i] != NULL; i++) {
            has_a = has_a || (strlen(f->names[i]) == n && memcmp(f->names[i], a, n) == 0);
            has_b = has_b || pl_streq(f->names[i], b);
        }
        if (has_a || has_b)
            return has_a && has_b;
    }
    return false;
}

/* Splits "FLAG VALUE FLAG VALUE" in place. */
static int pl_change_words(char *text, const char **words, int max)
{
    int n = 0;
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w != NULL && n < max;
         w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    return n;
}

#define PL_CHANGE_WORDS 32

int pl_command_with(const struct pl_command *c, int argc, char *const *argv, const char *change,
                    const char *model, const char *out[PL_COMMAND_WORDS_MAX + 1], char *text,
                    size_t text_size)
{
    const char *words[PL_CHANGE_WORDS];
    bool used[PL_CHANGE_WORDS] = {false};
    int n = 0;
    if (argc + PL_CHANGE_WORDS > PL_COMMAND_WORDS_MAX ||
        !pl_fmt(text, text_size, "%s", change != NULL ? change : ""))
        return -E2BIG;
    size_t after = strlen(text) + 1;
    int n_words = pl_change_words(text, words, PL_CHANGE_WORDS);
    for (int i = 0; i < argc; i++) {
        int k = 0;
        size_t len = strcspn(argv[i], "=");
        while (k < n_words &&
               (i < c->first || argv[i][0] != '-' || !pl_same_flag(argv[i], len, words[k])))
            k += 2;
        if (i == c->model_word && model != NULL) {
            if (!pl_fmt(text + after, text_size - after, "%.*s%s",
                        c->model_inside ? (int)(c->model - argv[i]) : 0, argv[i], model))
                return -E2BIG;
            out[n++] = text + after;
        } else if (k + 1 < n_words) {
            out[n++] = words[k];
            out[n++] = words[k + 1];
            used[k] = true;
            i += argv[i][len] == '=' || i + 1 >= argc ? 0 : 1;
        } else {
            out[n++] = argv[i];
        }
    }
    for (int k = 0; k + 1 < n_words; k += 2) {
        if (!used[k]) {
            out[n++] = words[k];
            out[n++] = words[k + 1];
        }
    }
    out[n] = NULL;
    return n;
}
