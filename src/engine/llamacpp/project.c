#include "engine/llamacpp/project.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "engine/llamacpp/find.h"
#include "engine/llamacpp/log.h"
#include "engine/llamacpp/settings.h"
#include "sys/spawn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PL_PROJECT_ARENA_MAX (256u * 1024u)
#define PL_PROJECT_WORDS_MAX 192

/* A whole number after blanks; moves *s behind it. */
static bool pl_projection_number(const char **s, uint64_t *ret)
{
    *s += strspn(*s, " ");
    return pl_take_u64(s, ret);
}

static bool pl_projection_sign(const char **s, char sign)
{
    *s += strspn(*s, " ");
    if (**s != sign)
        return false;
    (*s)++;
    return true;
}

/* "self = model + context + compute" */
static bool pl_projection_sum(const char *s, struct pl_projection_row *r)
{
    uint64_t self = 0;
    return pl_projection_number(&s, &self) && pl_projection_sign(&s, '=') &&
           pl_projection_number(&s, &r->model_mib) && pl_projection_sign(&s, '+') &&
           pl_projection_number(&s, &r->context_mib) && pl_projection_sign(&s, '+') &&
           pl_projection_number(&s, &r->compute_mib);
}

/* common/fit.cpp, common_memory_breakdown_print:
 *   NAME: |   - Vulkan0 (what it is) | 24105 = 22999 + (1000 = 900 + 50 + 50) + 106 |
 *   NAME: |   - Host                 |                  1162 = 1013 + 87 + 62        | */
bool pl_projection_line(struct pl_projection *p, const char *line)
{
    struct pl_projection_row r = {0};
    const char *s = strstr(line, "memory_breakdown_print: |");
    if (s == NULL || p->n_row >= PL_PROJECTION_ROWS_MAX)
        return false;
    s += strlen("memory_breakdown_print: |");
    s += strspn(s, " ");
    if (!pl_starts(s, "- "))
        return false;
    s += 2;
    const char *bar = strchr(s, '|');
    size_t n = strcspn(s, " |");
    if (bar == NULL || n == 0 || n >= sizeof(r.device))
        return false;
    memcpy(r.device, s, n);
    pl_text_clean(r.device);
    const char *open = strchr(bar, '(');
    if (!pl_projection_sum(open != NULL ? open + 1 : bar + 1, &r))
        return false;
    p->row[p->n_row++] = r;
    return true;
}

struct pl_project {
    struct pl_projection *to;
    struct pl_child child;
    struct pl_log log; /* for its words when it fails */
    char line[PL_LOG_LINE_MAX];
    size_t len;
    bool begun, done;
};

/* The table stands together: the first other line after it ends it. */
static void pl_project_line(struct pl_project *j)
{
    j->line[j->len] = '\0';
    j->len = 0;
    if (pl_projection_line(j->to, j->line))
        j->begun = true;
    else if (j->begun)
        j->done = true;
}

static void pl_project_take(struct pl_project *j, const char *data, size_t n)
{
    pl_log_feed(&j->log, data, n);
    for (size_t i = 0; i < n && !j->done; i++) {
        if (data[i] == '\n')
            pl_project_line(j);
        else if (j->len + 1 < sizeof(j->line))
            j->line[j->len++] = data[i];
    }
}

/* Reads until the table is whole, the engine ends, or the time is over. */
static int pl_project_read(struct pl_project *j, uint64_t timeout_ns)
{
    const struct pl_clock *clock = pl_clock_real();
    uint64_t end = pl_now_ns(clock) + timeout_ns;
    char buf[16384];
    while (!j->done) {
        uint64_t now = pl_now_ns(clock);
        struct pollfd p = {.fd = j->child.out, .events = POLLIN};
        if (now >= end)
            return -ETIMEDOUT;
        int got = poll(&p, 1, (int)((end - now) / PL_MS_NS) + 1);
        if (got < 0 && errno != EINTR)
            return -errno;
        ssize_t n = got > 0 ? read(j->child.out, buf, sizeof(buf)) : -1;
        if (n == 0)
            return 0;
        if (n > 0)
            pl_project_take(j, buf, (size_t)n);
    }
    return 0;
}

static int pl_project_start(struct pl_project *j, const struct pl_install *in, const char *model,
                            const struct pl_settings *s, struct pl_arena *a, struct pl_err *err)
{
    static const char *const fixed[] = {"--host", "127.0.0.1", "--port", "0", "-lv", "5", "-m"};
    const char *own[PL_FLAG_ARGV_MAX], *argv[PL_PROJECT_WORDS_MAX + 1];
    struct pl_install_env env;
    int n_own = pl_llamacpp_argv(s, a, own, err);
    if (n_own < 0)
        return n_own;
    size_t n = pl_llamacpp_words(in, in->server, argv);
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        argv[n++] = fixed[i];
    argv[n++] = model;
    for (int i = 0; i < n_own && n < PL_PROJECT_WORDS_MAX; i++)
        argv[n++] = own[i];
    argv[n] = NULL;
    pl_llamacpp_env(in, &env);
    const struct pl_spawn how = {
        .argv = argv, .env = env.env, .env_drop = env.drop, .out = PL_OUT_PIPE};
    return pl_spawn(&how, &j->child, err);
}

static int pl_project_failed(const struct pl_project *j, int rc, struct pl_err *err)
{
    if (rc == -ETIMEDOUT)
        (void)pl_fail(err, rc, "the engine said no projection in time");
    else if (j->log.error[0] != '\0')
        (void)pl_fail(err, -EPROTO, "the engine refused: %.180s", j->log.error);
    else
        (void)pl_fail(err, rc < 0 ? rc : -EPROTO, "the engine said no projection");
    (void)pl_hint(err, "llama-server prints one since 0.6; -fit off or -lv hide it");
    return pl_exit_as(err, rc < 0 ? rc : -EPROTO, PL_EXIT_ENVIRONMENT);
}

int pl_llamacpp_project(const struct pl_install *in, const char *model_path,
                        const struct pl_settings *s, uint64_t timeout_ns, struct pl_projection *ret,
                        struct pl_err *err)
{
    static struct pl_project j;
    struct pl_arena arena;
    *ret = (struct pl_projection){0};
    j = (struct pl_project){.to = ret, .child = PL_CHILD_NONE};
    pl_log_init(&j.log);
    pl_arena_init(&arena, PL_PROJECT_ARENA_MAX);
    int rc = pl_project_start(&j, in, model_path, s, &arena, err);
    if (rc == 0) {
        rc = pl_project_read(&j, timeout_ns);
        pl_log_end(&j.log);
        if (rc == 0 && ret->n_row == 0)
            rc = -EPROTO;
        if (rc < 0)
            rc = pl_project_failed(&j, rc, err);
        (void)pl_child_stop(&j.child, 0, NULL);
    }
    pl_child_done(&j.child);
    pl_arena_done(&arena);
    return rc;
}
