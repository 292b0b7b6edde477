/* plimsoll: finds the verb, parses its options, prints what it returns. */
#include "base/table.h"
#include "cli/probe_alloc.h"
#include "cli/sample.h"
#include "cli/verbs.h"
#include "sys/write.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PL_OUT_MAX (64u * 1024u * 1024u)

static bool pl_progress_shown;

void pl_progress(const char *fmt, ...)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)fputs("\r\033[K", stderr);
    (void)vfprintf(stderr, fmt, ap);
    (void)fflush(stderr);
    va_end(ap);
    pl_progress_shown = true;
}

void pl_progress_done(void)
{
    if (pl_progress_shown)
        (void)fputs("\r\033[K", stderr);
    pl_progress_shown = false;
}

int pl_cli_flush(struct pl_cli *cli, struct pl_err *err)
{
    if (cli->out.failed)
        return pl_fail(err, -ENOMEM, "the output does not fit in memory");
    int code = pl_write_all(STDOUT_FILENO, pl_str_get(&cli->out), cli->out.len);
    if (code < 0) {
        (void)pl_fail(err, code, "cannot write the output: %s", strerror(-code));
        return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    }
    pl_str_clear(&cli->out);
    return 0;
}

static void pl_report_error(const struct pl_err *err)
{
    (void)fputs("plimsoll: ", stderr);
    if (err->file[0] != '\0')
        (void)fprintf(stderr, "%s:", err->file);
    if (err->line > 0)
        (void)fprintf(stderr, "%u:%u:", err->line, err->col);
    (void)fprintf(stderr, "%s%s\n", err->file[0] != '\0' ? " " : "", err->what);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "hint: %s\n", err->hint);
}

/* The exit status of an error: the one asked for, else by its kind. */
static int pl_exit_of(const struct pl_err *err)
{
    if (err->exit_code != 0)
        return err->exit_code;
    switch (err->code) {
    case -EINVAL:
    case -E2BIG:
    case -ERANGE:
    case -ENOENT:
    case -EISDIR:
    case -EBADMSG:
        return PL_EXIT_USAGE;
    default:
        return PL_EXIT_ENVIRONMENT;
    }
}

static const struct pl_verb *pl_verb_find(const char *name, struct pl_err *err)
{
    const char *names[64] = {0};
    for (size_t i = 0; pl_verbs[i] != NULL; i++) {
        if (pl_streq(pl_verbs[i]->name, name))
            return pl_verbs[i];
        if (i + 1 < sizeof(names) / sizeof(names[0]))
            names[i] = pl_verbs[i]->name;
    }
    (void)pl_fail(err, -EINVAL, "unknown command '%.60s'", name);
    const char *near = pl_nearest(name, names);
    if (near != NULL)
        (void)pl_hint(err, "did you mean 'plimsoll %s'?", near);
    else
        (void)pl_hint(err, "'plimsoll --help' lists the commands");
    return NULL;
}

static int pl_run_verb(const struct pl_verb *verb, int argc, char **argv)
{
    static struct pl_cli cli;
    struct pl_err err = {0};
    bool help = false;
    cli.verb = verb;
    pl_str_init(&cli.out, PL_OUT_MAX);
    int status = pl_cli_parse(&cli, argc, argv, &help, &err);
    if (status == 0 && help)
        pl_help_verb(verb, cli.engine, &cli.out);
    else if (status == 0)
        status = verb->run(&cli, &err);
    pl_progress_done();
    struct pl_err out_err = {0};
    /* a reader that has seen enough (`| head`) is no error */
    if (pl_cli_flush(&cli, &out_err) < 0 && status >= 0 && out_err.code != -EPIPE) {
        status = -1;
        err = out_err;
    }
    if (status < 0) {
        pl_report_error(&err);
        status = pl_exit_of(&err);
    }
    pl_str_done(&cli.out);
    return status;
}

/* A closed 0, 1 or 2 would be the number of the next file that is opened, and be read from or
 * written to. It stays as good as closed: /dev/null opened the wrong way round, and not handed on.
 */
static void pl_main_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    pl_main_descriptors();
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, the status of a child would be lost */
    (void)signal(SIGPIPE, SIG_IGN);
    pl_table_within(pl_terminal_columns(STDOUT_FILENO));
    (void)signal(SIGXFSZ, SIG_IGN); /* a file limit is an error of write(), not a death */
    struct pl_err err = {0};
    const char *word = argc > 1 ? argv[1] : "";
    if (pl_streq(word, "_probe-alloc"))
        return pl_cli_probe_alloc(argc - 2, argv + 2);
    if (pl_streq(word, "_sample"))
        return pl_cli_sample(argc - 2, argv + 2);
    if (pl_streq(word, "--help") || pl_streq(word, "-h") || pl_streq(word, "help")) {
        if (argc > 2) {
            char *help[] = {(char[]){"--help"}, NULL};
            const struct pl_verb *verb = pl_verb_find(argv[2], &err);
            if (verb != NULL)
                return pl_run_verb(verb, 1, help);
        } else {
            static struct pl_cli cli;
            pl_str_init(&cli.out, PL_OUT_MAX);
            pl_help_overview(&cli.out);
            int status = pl_cli_flush(&cli, &err);
            pl_str_done(&cli.out);
            if (status == 0 || err.code == -EPIPE)
                return PL_EXIT_YES;
        }
    } else {
        const struct pl_verb *verb = NULL;
        int skip = 1;
        if (pl_streq(word, "--version")) {
            verb = &pl_verb_version;
            skip = 2;
        } else if (word[0] == '\0' || word[0] == '-') {
            verb = &pl_verb_home;
        } else {
            verb = pl_verb_find(word, &err);
            skip = 2;
        }
        if (verb != NULL)
            return pl_run_verb(verb, argc - skip, argv + skip);
    }
    pl_report_error(&err);
    return pl_exit_of(&err);
}
