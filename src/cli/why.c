/* plimsoll why [LOG]: a failure read from a log, explained. */
#include "report/why.h"
#include "base/json.h"
#include "base/table.h"
#include "cli/failed_log.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/verbs.h"
#include "cli/why_source.h"
#include "measure/forecast.h"
#include "measure/relief.h"
#include "measure/resemble.h"
#include "model/names.h"
#include "sys/spawn.h"
#include "why/log.h"
#include "why/log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_WHY_READ_MAX (1ull << 30) /* bytes taken from a pipe that does not end */
#define PL_WHY_HEAD (16ull << 20)    /* of a longer file: its beginning ... */
#define PL_WHY_TAIL (240ull << 20)   /* ... and its end */
#define PL_WHY_CHUNK (256u << 10)
#define PL_WHY_LOOK_MS 250 /* between two looks whether somebody wants the answer */
#define PL_WHY_TAIL_KEPT 512u

struct pl_why {
    struct pl_whylog *log;
    char tail[PL_WHY_TAIL_KEPT + 1]; /* what was read last, for a source that fails */
    size_t tail_n;
    const volatile sig_atomic_t *stop;
    const char *name;
    bool skipped;
    struct pl_oom oom; /* the failure, and what the object adds to it */
    struct pl_oom_object object[PL_OOM_OBJECTS_MAX];
    uint32_t n_object;
    char resembles[PL_OOM_OBJECT_TEXT_MAX];
    struct pl_reliefs reliefs;
    bool has_forecast;
};

static void pl_why_tail_keep(struct pl_why *w, const char *bytes, size_t n)
{
    if (n >= PL_WHY_TAIL_KEPT) {
        memcpy(w->tail, bytes + n - PL_WHY_TAIL_KEPT, PL_WHY_TAIL_KEPT);
        w->tail_n = PL_WHY_TAIL_KEPT;
        return;
    }
    size_t old = w->tail_n + n > PL_WHY_TAIL_KEPT ? w->tail_n + n - PL_WHY_TAIL_KEPT : 0;
    memmove(w->tail, w->tail + old, w->tail_n - old);
    w->tail_n -= old;
    memcpy(w->tail + w->tail_n, bytes, n);
    w->tail_n += n;
}

/* Waits for more, at most until somebody wants the answer: then only what is there is taken. */
static bool pl_why_more(const struct pl_why *w, int fd, bool *last)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        bool stop = *w->stop != 0;
        int n = *last ? 0 : poll(&p, 1, stop ? 0 : PL_WHY_LOOK_MS);
        *last = stop;
        if (n > 0 || (n < 0 && errno != EINTR))
            return true; /* read says what is wrong */
        if (stop)
            return false;
    }
}

/* Feeds up to n bytes; *ret_end at the end of the input. */
static int pl_why_read(struct pl_why *w, int fd, uint64_t n, bool *ret_end, struct pl_err *err)
{
    static char chunk[PL_WHY_CHUNK];
    bool last = false;
    *ret_end = false;
    while (n > 0 && !*ret_end) {
        size_t want = n < sizeof(chunk) ? (size_t)n : sizeof(chunk);
        if (!pl_why_more(w, fd, &last)) {
            *ret_end = w->skipped = true; /* what came so far is answered */
            break;
        }
        ssize_t got = read(fd, chunk, want);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return pl_fail(err, -errno, "%s: %s", w->name, strerror(errno));
        pl_whylog_feed(w->log, chunk, (size_t)got);
        pl_why_tail_keep(w, chunk, (size_t)got);
        n -= (uint64_t)got;
        *ret_end = *ret_end || got == 0;
    }
    return 0;
}

/* One command of a source: its output is the log. */
static int pl_why_step(struct pl_why *w, const char *const *argv, bool may_fail, struct pl_err *err)
{
    const struct pl_spawn how = {.argv = argv, .out = PL_OUT_PIPE};
    struct pl_child child = PL_CHILD_NONE;
    char status[PL_STATUS_TEXT_MAX], said[160];
    bool end = false;
    w->tail_n = 0;
    int rc = pl_spawn(&how, &child, err);
    if (rc < 0) {
        (void)pl_hint(err, "its log can come from a file or a pipe as well: plimsoll why -");
        return pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    rc = pl_why_read(w, child.out, PL_WHY_READ_MAX, &end, err);
    pl_whylog_feed(w->log, "\n", 1);
    if (rc == 0 && end && *w->stop == 0)
        rc = pl_child_wait(&child, UINT64_MAX, err);
    if (rc == 0 && child.ended && child.status != 0 && !may_fail) {
        w->tail[w->tail_n] = '\0';
        char *line = w->tail;
        for (char *p = line; *p != '\0'; p++) /* its last line says why */
            if (*p == '\n' && p[1] != '\0')
                line = p + 1;
        line[strcspn(line, "\n")] = '\0';
        rc = pl_fail(err, -EIO, "%s %s: %s: %s", argv[0], argv[1],
                     pl_status_text(child.status, status), pl_text_cut(said, sizeof(said), line));
        (void)pl_exit_as(err, rc, PL_EXIT_ENVIRONMENT);
    }
    pl_child_done(&child);
    return rc;
}

static int pl_why_read_source(struct pl_why *w, const struct pl_why_source *s, struct pl_err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < PL_SOURCE_STEPS_MAX && s->word[i][0] != NULL; i++)
        rc = pl_why_step(w, s->word[i], s->may_fail[i], err);
    return rc;
}

/* A file too long to read whole: its beginning says what runs, its end what failed. */
static int pl_why_read_all(struct pl_why *w, int fd, struct pl_err *err)
{
    struct stat st;
    bool end = false;
    bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (file && (uint64_t)st.st_size > PL_WHY_HEAD + PL_WHY_TAIL) {
        int rc = pl_why_read(w, fd, PL_WHY_HEAD, &end, err);
        w->skipped = true;
        if (rc < 0 || lseek(fd, st.st_size - (off_t)PL_WHY_TAIL, SEEK_SET) < 0)
            return rc < 0 ? rc : pl_fail(err, -errno, "%s: %s", w->name, strerror(errno));
        pl_whylog_feed(w->log, "\n", 1);
        return pl_why_read(w, fd, PL_WHY_TAIL, &end, err);
    }
    int rc = pl_why_read(w, fd, PL_WHY_READ_MAX, &end, err);
    w->skipped = w->skipped || (rc == 0 && !end);
    return rc;
}

static int pl_why_open(const struct pl_cli *cli, struct pl_why *w, int *ret_fd, struct pl_err *err)
{
    static char last[PL_PATH_TEXT_MAX];
    const char *name = cli->n_arg > 0 ? cli->arg[0] : NULL;
    *ret_fd = STDIN_FILENO;
    w->name = name != NULL ? name : "-";
    if (pl_streq(w->name, "-") && (name != NULL || !isatty(STDIN_FILENO)))
        return 0;
    if (name == NULL) {
        if (!pl_failed_log_path(last, sizeof(last)) || access(last, R_OK) != 0) {
            (void)pl_fail(err, -EINVAL, "no log given, and no failed run is remembered");
            (void)pl_hint(err, "give a file, or - and a pipe: journalctl -k | plimsoll why -");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        w->name = name = last;
    }
    *ret_fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*ret_fd < 0) {
        int code = -errno;
        (void)pl_fail(err, code, "%s: %s", name, strerror(-code));
        return pl_exit_as(err, code,
                          code == -EACCES || code == -EPERM ? PL_EXIT_ENVIRONMENT : PL_EXIT_USAGE);
    }
    return 0;
}

/* The model a log names. It is foreign text: only a row of the catalogue or a file that is here is
 * taken, never an address. */
static const char *pl_why_named(const char *said)
{
    static char name[PL_OOM_TEXT_MAX + PL_NAME_QUANT_MAX];
    const struct pl_catalogue_row *row = NULL;
    const char *base = strrchr(said, '/');
    char quant[PL_NAME_QUANT_MAX] = "";
    struct stat st;
    if (said[0] == '\0' || strstr(said, "://") != NULL)
        return NULL;
    if (pl_ends(said, ".gguf") && stat(said, &st) == 0 && S_ISREG(st.st_mode))
        return said;
    if (pl_name_resolve(base != NULL ? base + 1 : said, &row, quant, NULL) != 0)
        return NULL;
    return PL_FMT(name, quant[0] != '\0' ? "%s:%s" : "%s", row->id, quant) ? name : NULL;
}

/* The pool of the device the log names; NULL when it names none. */
static const char *pl_why_pool(const struct pl_oom *o)
{
    static char pool[PL_POOL_NAME_MAX];
    if (pl_streq(o->backend, "cpu") || o->class == PL_OOM_KERNEL || o->class == PL_OOM_CGROUP)
        return "ram";
    return o->backend[0] == '\0' && o->device < 0
               ? NULL
               : (PL_FMT(pool, "gpu%d", o->device < 0 ? 0 : o->device) ? pool : NULL);
}

/* Changes of llama.cpp's settings help where llama.cpp ran. */
static bool pl_why_settings_help(const struct pl_oom *o)
{
    return pl_oom_is_memory(o->class) &&
           (o->engine[0] == '\0' || pl_streq(o->engine, "llama.cpp") ||
            pl_streq(o->engine, "ollama") || pl_engine_rank(o->engine) == 1);
}

/* With the model: which object it was, and what each change of settings frees. */
static int pl_why_model(struct pl_cli *cli, struct pl_why *w, const struct pl_oom *o,
                        uint64_t missing, struct pl_forecast *forecast, struct pl_model **ret_model,
                        struct pl_err *err)
{
    static struct pl_machine machine;
    const char *spec = pl_cli_opt(cli, "model")->text;
    bool asked = spec != NULL;
    struct pl_err soft = {0};
    if (!asked)
        spec = pl_why_named(o->model);
    if (spec == NULL)
        return 0;
    int rc = pl_cli_model(cli, spec, NULL, ret_model, asked ? err : &soft);
    if (rc == 0)
        rc = pl_cli_machine_asked(cli, &machine, asked ? err : &soft);
    if (rc == 0 && pl_forecast_make(*ret_model, &cli->settings, &machine, NULL, NULL, NULL,
                                    forecast, &soft) == 0)
        w->has_forecast = true;
    if (rc < 0)
        return asked ? rc : 0;
    w->n_object =
        pl_oom_objects(o, *ret_model, w->has_forecast ? &forecast->footprint : NULL, w->object);
    if (w->has_forecast && pl_why_settings_help(o))
        return pl_relief_find(forecast, pl_why_pool(o), missing, &w->reliefs, err);
    return 0;
}

static void pl_why_print(struct pl_cli *cli, const struct pl_why_report *r)
{
    struct pl_json j;
    if (!cli->json) {
        pl_why_text(r, pl_colour_wanted(STDOUT_FILENO), &cli->out);
        return;
    }
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.why/1");
    pl_why_json(r, &j);
    pl_json_end(&j);
}

static int pl_why_answer(struct pl_cli *cli, struct pl_why *w, struct pl_err *err)
{
    static struct pl_forecast forecast;
    struct pl_model *model = NULL;
    struct pl_why_report r = {
        .log = w->name,
        .lines = pl_whylog_lines(w->log),
        .bytes = pl_whylog_bytes(w->log),
        .failures = pl_whylog_count(w->log),
        .cut = pl_whylog_cut(w->log) || w->skipped,
    };
    const struct pl_oom *found = pl_whylog_failure(w->log);
    int rc = 0;
    if (found != NULL && found->class != PL_OOM_UNKNOWN) {
        w->oom = *found;
        r.oom = &w->oom;
        struct pl_quantity asked = r.oom->n[PL_OOM_REQUESTED], had = r.oom->n[PL_OOM_FREE];
        if (pl_known(asked) && pl_known(had) && asked.likely > had.likely)
            r.missing = asked.likely - had.likely;
        rc = pl_why_model(cli, w, r.oom, r.missing, &forecast, &model, err);
    }
    if (rc == 0) {
        r.object = w->object;
        r.n_object = w->n_object;
        if (r.n_object > 0 && r.object[0].confidence == PL_OOM_HIGH &&
            w->oom.phase == PL_OOM_PHASE_UNKNOWN)
            w->oom.phase = r.object[0].phase;
        if (r.oom != NULL && model == NULL)
            (void)pl_oom_resembles(r.oom, w->resembles, sizeof(w->resembles));
        r.resembles = w->resembles[0] != '\0' ? w->resembles : NULL;
        r.forecast = w->has_forecast ? &forecast : NULL;
        r.reliefs = &w->reliefs;
        pl_why_print(cli, &r);
        rc = r.oom == NULL ? PL_EXIT_CANNOT_TELL : PL_EXIT_YES;
    }
    (void)pl_model_free(model);
    return rc;
}

static int pl_why_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_why w;
    int fd = -1;
    static struct pl_why_source from;
    int rc = pl_whylog_new(NULL, &w.log, err);
    w.stop = pl_interrupt_flag();
    bool source = false;
    if (rc == 0 && cli->n_arg > 0 && access(cli->arg[0], F_OK) != 0) {
        rc = pl_why_source_read(cli->arg[0], &from, err);
        source = rc == 1;
        rc = source ? 0 : rc;
        w.name = cli->arg[0];
    }
    if (rc == 0 && !source)
        rc = pl_why_open(cli, &w, &fd, err);
    if (rc == 0)
        rc = source ? pl_why_read_source(&w, &from, err) : pl_why_read_all(&w, fd, err);
    if (rc == 0) {
        pl_whylog_end(w.log);
        rc = pl_why_answer(cli, &w, err);
    }
    if (fd > STDERR_FILENO)
        (void)close(fd);
    w.log = pl_whylog_free(w.log);
    return rc;
}

static const struct pl_opt pl_why_opts[] = {
    {"model",      'm', PL_OPT_TEXT, "MODEL",
     "the model that ran: which of its objects failed, what each setting frees"},
    PL_CLI_MACHINE_OPTS,
    PL_CLI_MODEL_OPTS,
    {0},
};

static const char *const pl_why_examples[] = {
    "plimsoll why server.log",
    "plimsoll why journal:ollama.service  # what the service said since the machine started",
    "journalctl -k -b | plimsoll why -   # was it the kernel?",
    "plimsoll why docker:NAME --json",
    "plimsoll why crash.txt --model mistral-7b-v0.3 -c 8192  # which matrix, and what would free "
    "enough",
    0,
};

const struct pl_verb pl_verb_why = {
    .name = "why",
    .args = "[LOG|-|SOURCE] [engine flags]",
    .summary = "explain an out-of-memory failure: which memory, which object, what helps",
    .details =
        "Reads the log of any engine, of the kernel or of a container, from a file or a pipe.\n"
        "Without LOG: standard input, or on a terminal the log of the last failed run. "
        "SOURCE: " PL_WHY_SOURCES ",\n"
        "journal:kernel, journal:/FILE.journal: asked of journalctl, docker, podman or kubectl.\n"
        "Exit 0 when a failure was recognised, 3 when not.",
    .examples = pl_why_examples,
    .opts = pl_why_opts,
    .engine_flags = true,
    .args_min = 0,
    .args_max = 1,
    .run = pl_why_run,
};
