#include "cli/why_source.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Of a long log the end: what failed stands there. */
#define PL_SOURCE_TAIL "20000"

/* A name of theirs begins with no dash, so that it is taken for no option; a path is one of a file.
 */
static bool pl_source_name_ok(const char *s, bool path)
{
    if (path)
        return s[0] == '/';
    for (const char *p = s; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("-_.@:\\", *p) == NULL)
            return false;
    return s[0] != '-' && s[0] != '\0';
}

static void pl_source_step(struct pl_why_source *s, int step, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL && i + 1 < PL_SOURCE_WORDS_MAX; i++)
        s->word[step][i] = words[i];
}

static int pl_source_journal(struct pl_why_source *s)
{
    const char *n = s->name;
    if (n[0] == '\0')
        pl_source_step(
            s, 0,
            (const char *const[]){"journalctl", "--no-pager", "-b", "-n", PL_SOURCE_TAIL, NULL});
    else if (pl_streq(n, "kernel"))
        pl_source_step(s, 0, (const char *const[]){"journalctl", "--no-pager", "-b", "-k", NULL});
    else if (n[0] == '/')
        pl_source_step(s, 0,
                       (const char *const[]){"journalctl", "--no-pager", "--file", n, "-n",
                                             PL_SOURCE_TAIL, NULL});
    else
        pl_source_step(s, 0,
                       (const char *const[]){"journalctl", "--no-pager", "-b", "-u", n, "-n",
                                             PL_SOURCE_TAIL, NULL});
    return 1;
}

static int pl_source_container(struct pl_why_source *s, const char *program)
{
    pl_source_step(s, 0,
                   (const char *const[]){program, "logs", "--tail", PL_SOURCE_TAIL, s->name, NULL});
    pl_source_step(s, 1,
                   (const char *const[]){
                       program, "inspect", "--format",
                       "OOMKilled: {{.State.OOMKilled}}, exited with code {{.State.ExitCode}}",
                       s->name, NULL});
    return 1;
}

/* The container before the one that runs now is the one that was killed. */
static int pl_source_pod(struct pl_why_source *s)
{
    pl_source_step(s, 0,
                   (const char *const[]){"kubectl", "logs", "--tail=" PL_SOURCE_TAIL, "--previous",
                                         s->name, NULL});
    pl_source_step(
        s, 1, (const char *const[]){"kubectl", "logs", "--tail=" PL_SOURCE_TAIL, s->name, NULL});
    pl_source_step(s, 2, (const char *const[]){"kubectl", "describe", "pod", s->name, NULL});
    s->may_fail[0] = s->may_fail[1] = true;
    return 1;
}

int pl_why_source_read(const char *text, struct pl_why_source *ret, struct pl_err *err)
{
    static const char *const kinds[] = {"journal", "docker", "podman", "kubectl", NULL};
    const char *colon = strchr(text, ':');
    size_t kind = 0, n = colon != NULL ? (size_t)(colon - text) : 0;
    *ret = (struct pl_why_source){0};
    while (kinds[kind] != NULL && (strlen(kinds[kind]) != n || memcmp(kinds[kind], text, n) != 0))
        kind++;
    if (colon == NULL || kinds[kind] == NULL)
        return 0;
    bool journal = kind == 0;
    if (!PL_FMT(ret->name, "%s", colon + 1) ||
        (!(journal && colon[1] == '\0') &&
         !pl_source_name_ok(colon + 1, journal && colon[1] == '/'))) {
        (void)pl_fail(err, -EINVAL, "%.60s: no name of a log of %s", text, kinds[kind]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return journal     ? pl_source_journal(ret)
           : kind == 3 ? pl_source_pod(ret)
                       : pl_source_container(ret, kinds[kind]);
}
