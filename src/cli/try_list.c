#include "cli/try_list.h"

#include "base/clock.h"
#include "cli/combos.h"
#include "cli/interrupt.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/results_out.h"
#include "cli/try.h"
#include "cli/try_done.h"
#include "cli/try_jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool pl_try_is_list(const struct pl_cli *cli)
{
    static const char *const of_a_list[] = {"sweep", "all-that-fit", "csv",
                                            "html",  "resume",       "fresh"};
    for (size_t i = 0; i < sizeof(of_a_list) / sizeof(of_a_list[0]); i++) {
        if (pl_cli_opt(cli, of_a_list[i])->given)
            return true;
    }
    return cli->n_arg > 1;
}

/* Behind --sweep, words like "ctk=f16,q8_0" are its values too, unless a file has that name. */
static int pl_list_words(struct pl_jobs *l, struct pl_err *err)
{
    const struct pl_cli *cli = l->t.cli;
    const struct pl_opt_value *sweep = pl_cli_opt(cli, "sweep");
    for (uint32_t i = 0; i < sweep->n_list; i++) {
        int rc = pl_combos_add(&l->combos, sweep->list[i], err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; i < cli->n_arg; i++) {
        const char *word = cli->arg[i];
        if (!sweep->given || !pl_combos_is(word) || access(word, F_OK) == 0) {
            l->spec[l->n_spec++] = word;
            continue;
        }
        int rc = pl_combos_add(&l->combos, word, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int pl_list_check(struct pl_jobs *l, struct pl_err *err)
{
    const struct pl_cli *cli = l->t.cli;
    bool all = pl_cli_opt(cli, "all-that-fit")->given;
    uint32_t n = 0;
    int rc = pl_try_check(&l->t, err);
    if (rc == 0)
        rc = pl_combos_count(&l->combos, &n, err);
    if (rc < 0)
        return rc;
    if (pl_cli_opt(cli, "auto")->given)
        (void)pl_fail(err, -EINVAL, "--auto tries one model: leave the list out");
    else if (all && l->n_spec > 0)
        (void)pl_fail(err, -EINVAL, "--all-that-fit chooses the models: leave '%.60s' out",
                      l->spec[0]);
    else if (!all && l->n_spec == 0)
        (void)pl_fail(err, -EINVAL, "try: missing argument MODEL (or --all-that-fit)");
    else if (pl_cli_opt(cli, "log")->given)
        (void)pl_fail(err, -EINVAL, "--log is for one model, not for a list");
    else if (pl_cli_opt(cli, "resume")->given && pl_cli_opt(cli, "no-ledger")->given)
        (void)pl_fail(err, -EINVAL, "--resume needs the ledger: leave --no-ledger out");
    else
        return pl_results_check(cli, err);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* Opens the file of what is done, and says so when there is something. */
static int pl_list_resume(struct pl_jobs *l, struct pl_err *err)
{
    const struct pl_cli *cli = l->t.cli;
    const struct pl_opt_value *resume = pl_cli_opt(cli, "resume");
    char path[PL_DONE_PATH_MAX], id[PL_SHA256_TEXT_MAX];
    uint32_t n = 0;
    if (l->t.ledger == NULL || (!resume->given && !pl_done_path(pl_jobs_id(l, id), path)))
        return 0;
    int rc = pl_done_open(resume->given ? resume->text : path, pl_cli_opt(cli, "fresh")->given,
                          &l->done, err);
    for (uint32_t i = 0; rc == 0 && i < l->n; i++) {
        int got = pl_jobs_recall(l, i, err);
        rc = got < 0 ? got : 0;
        n += got > 0 ? 1 : 0;
    }
    if (rc == 0 && n > 0 && !cli->json)
        (void)fprintf(stderr, "plimsoll: %u of %u are done already; --fresh runs them again\n", n,
                      l->n);
    return rc;
}

static void pl_list_say(struct pl_jobs *l, uint32_t i)
{
    char left[PL_JOBS_LEFT_MAX];
    struct pl_try *t = &l->t;
    const char *model = l->spec[l->job[i].spec];
    pl_jobs_left(l, left);
    (void)PL_FMT(t->before, "[%u of %u%s%s] ", i + 1, l->n, left[0] != '\0' ? ", " : "", left);
    if (isatty(STDERR_FILENO) != 1 && !t->cli->json)
        (void)fprintf(stderr, "plimsoll: %s%s %s\n", t->before, model, l->job[i].text);
    else
        pl_progress("%s%s %s", t->before, model, l->job[i].text);
}

/* One trial. What goes wrong with it alone is its result; negative: nothing more can be done. */
static int pl_list_one(struct pl_jobs *l, uint32_t i, struct pl_err *err)
{
    struct pl_try *t = &l->t;
    struct pl_err why = {0};
    uint64_t from = pl_now_ns(pl_clock_real());
    pl_list_say(l, i);
    pl_jobs_look_again(l);
    int rc = pl_jobs_ready(l, i, &why);
    if (rc < 0) {
        pl_jobs_refused(l, i, &why);
        return 0;
    }
    t->run = (struct pl_run){0};
    rc = pl_try_ghost(t, &why);
    if (rc == 0)
        rc = pl_try_measure(t, &why);
    if (rc < 0 && *t->stop != 0)
        return 0; /* told by the flag */
    pl_jobs_ended(l, i, rc < 0 ? &why : NULL, pl_now_ns(pl_clock_real()) - from);
    /* a failure before the engine began is not in the ledger: it is tried again */
    return t->run.id > 0 ? pl_done_add(&l->done, l->job[i].key, t->run.id, err) : 0;
}

static int pl_list_all(struct pl_jobs *l, struct pl_err *err)
{
    for (uint32_t i = 0; i < l->n && *l->t.stop == 0; i++) {
        int rc = l->job[i].state == PL_JOB_TODO ? pl_list_one(l, i, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What came of it, in words and as the exit status. */
static int pl_list_write(struct pl_jobs *l, struct pl_err *err)
{
    struct pl_cli *cli = l->t.cli;
    char about[256];
    uint32_t n[PL_JOB_STATES] = {0};
    for (uint32_t i = 0; i < l->n; i++)
        n[l->job[i].state]++;
    struct pl_results finished = l->results;
    pl_jobs_finished(l, &finished);
    (void)PL_FMT(about, "%u of %u combinations: %u ran, %u failed, %u not started.",
                 l->n - n[PL_JOB_TODO], l->n, n[PL_JOB_RAN], n[PL_JOB_FAILED], n[PL_JOB_REFUSED]);
    int rc = pl_results_write(cli, &finished, "plimsoll.trials/1", "Plimsoll: trials", about, err);
    bool text = !cli->json && !pl_results_piped(cli);
    if (text)
        pl_str_addf(&cli->out, "\n%s\n", about);
    if (text && l->unfit > 0)
        pl_str_addf(&cli->out, "%u other models of the catalogue do not fit here.\n", l->unfit);
    if (rc < 0)
        return rc;
    return n[PL_JOB_FAILED] > 0 || n[PL_JOB_RAN] == 0 ? PL_EXIT_NO : PL_EXIT_YES;
}

static int pl_list_stopped(struct pl_jobs *l, struct pl_err *err)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < l->n; i++)
        left += l->job[i].state == PL_JOB_TODO ? 1 : 0;
    (void)pl_fail(err, -EINTR, "stopped; the engine is gone, %u of %u are left", left, l->n);
    if (l->done.fd >= 0)
        (void)pl_hint(err, "the same command goes on with them");
    return pl_exit_as(err, -EINTR, (enum pl_exit)(128 + *l->t.stop));
}

int pl_try_list(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_jobs l;
    struct pl_err why = {0};
    l.done.fd = -1;
    l.t.cli = cli;
    l.t.listed = true;
    l.t.stop = pl_interrupt_flag();
    pl_try_settings(&l.t);
    int rc = pl_list_words(&l, err);
    if (rc == 0)
        rc = pl_list_check(&l, err);
    if (rc == 0)
        rc = pl_jobs_make(&l, err);
    if (rc == 0)
        rc = pl_list_resume(&l, err);
    bool begun = rc == 0;
    if (rc == 0)
        rc = pl_list_all(&l, err);
    pl_progress_done();
    if (begun) { /* even when it was broken off: what is there is shown */
        int written = pl_list_write(&l, rc == 0 ? err : &why);
        rc = rc == 0 ? written : rc;
    }
    bool whole = rc >= 0 && *l.t.stop == 0;
    if (*l.t.stop != 0 && begun)
        rc = pl_list_stopped(&l, err);
    pl_done_close(&l.done, whole && !pl_cli_opt(cli, "resume")->given);
    pl_jobs_done(&l);
    return rc;
}
