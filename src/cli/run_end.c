/* After a command: what it took, and if it died, why. The kernel's word comes before the program's.
 */
#include "base/clock.h"
#include "base/str.h"
#include "cli/failed_log.h"
#include "cli/run.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PL_KLOG_MAX (256u << 10)
#define PL_KLOG_SLACK_NS PL_S_NS
#define PL_KLOG_READ_ALL 3 /* klogctl(2), SYSLOG_ACTION_READ_ALL */

static void pl_run_blank(struct pl_oom *o)
{
    *o = (struct pl_oom){.device = -1, .fatal = true};
    for (int i = 0; i < PL_OOM_NUMBERS; i++)
        o->n[i] = PL_QUANTITY_UNKNOWN("not said");
}

/* The kernel counted a kill in our own group: nothing is surer. */
static bool pl_run_group_word(struct pl_running *r)
{
    if (!r->events.known || r->events.oom_kills == 0 || (r->events.met_known && r->events.met == 0))
        return false;
    if (!r->has_oom)
        pl_run_blank(&r->oom);
    struct pl_oom *o = &r->oom;
    if (o->engine[0] == '\0')
        (void)PL_FMT(o->engine, "kernel");
    o->class = PL_OOM_CGROUP;
    o->is_short = PL_OOM_SHORT_NO;
    o->confidence = PL_OOM_HIGH;
    o->fatal = true;
    (void)PL_FMT(o->group, "%s", "the control group of --ceiling");
    o->n[PL_OOM_LIMIT] = pl_exact(pl_run_ceiling_of(r, "ram"), PL_SOURCE_DECLARED, "--ceiling");
    if (r->events.peak > 0)
        o->n[PL_OOM_USED] = pl_exact(r->events.peak, PL_SOURCE_MEASURED, "the group's own peak");
    (void)PL_FMT(o->why, "the kernel killed %llu of its processes for the ceiling",
                 (unsigned long long)r->events.oom_kills);
    return true;
}

/* We stopped it above its ceiling. */
static bool pl_run_own_word(struct pl_running *r)
{
    if (!r->wrapped.over_ceiling)
        return false;
    pl_run_blank(&r->oom);
    r->oom.class = PL_OOM_PROCESS_LIMIT;
    r->oom.is_short = PL_OOM_SHORT_NO;
    r->oom.confidence = PL_OOM_HIGH;
    (void)PL_FMT(r->oom.engine, "plimsoll");
    bool host = r->over_pool[0] == '\0';
    r->oom.n[PL_OOM_LIMIT] = pl_exact(pl_run_ceiling_of(r, host ? "ram" : r->over_pool),
                                      PL_SOURCE_DECLARED, "--ceiling");
    r->oom.n[PL_OOM_USED] = host ? pl_exact(r->wrapped.peak_memory, PL_SOURCE_MEASURED,
                                            "RssAnon + RssShmem of its processes")
                                 : pl_exact(r->over_bytes, PL_SOURCE_MEASURED,
                                            "what the driver counted for its processes");
    (void)PL_FMT(r->oom.group, "%s", r->over_pool);
    (void)PL_FMT(r->oom.why,
                 "stopped above the ceiling, which is watched where the kernel cannot hold it");
    return true;
}

/* The last line that holds the words; NULL when none does. */
static const char *pl_run_newest(const char *text, const char *words)
{
    const char *line = NULL;
    for (const char *at = strstr(text, words); at != NULL; at = strstr(at + 1, words))
        line = at;
    while (line != NULL && line > text && line[-1] != '\n')
        line--;
    return line;
}

/* "<4>[12345.678901] ...": since the start of the machine, as our clock counts; far ahead when the
 * line does not say. */
static uint64_t pl_run_kernel_ns(const char *line)
{
    const char *at = line + (line[0] == '<' ? strcspn(line, ">") + 1 : 0);
    uint64_t seconds, micro;
    if (*at++ != '[')
        return UINT64_MAX / 2;
    at += strspn(at, " ");
    if (!pl_take_u64(&at, &seconds) || *at++ != '.' || !pl_take_u64(&at, &micro) ||
        seconds > UINT32_MAX)
        return UINT64_MAX / 2;
    return seconds * PL_S_NS + micro * 1000;
}

/* Kernel messages of the last moments, where they may be read: another program's kill, the global
 * OOM. */
static void pl_run_kernel_word(struct pl_running *r)
{
    static char text[PL_KLOG_MAX];
    struct pl_whylog *l = NULL;
    char pid[32];
    int n = klogctl(PL_KLOG_READ_ALL, text, (int)sizeof(text) - 1);
    if (n <= 0 || pl_whylog_new(NULL, &l, NULL) < 0)
        return;
    text[n] = '\0';
    (void)PL_FMT(pid, "process %d (", (int)r->wrapped.pid);
    const char *mine = pl_run_newest(text, pid);
    if (mine != NULL && pl_run_kernel_ns(mine) + PL_KLOG_SLACK_NS < r->wrapped.started_ns)
        mine = NULL; /* of another process that had this number */
    if (mine != NULL) {
        pl_whylog_feed(l, mine, strcspn(mine, "\n"));
        pl_whylog_end(l);
        const struct pl_oom *o = pl_whylog_failure(l);
        if (o != NULL && (o->class == PL_OOM_KERNEL || o->class == PL_OOM_CGROUP)) {
            r->oom = *o;
            r->has_oom = true;
        }
    }
    l = pl_whylog_free(l);
}

/* The signal that ended it, also as a shell tells it; 0 when it was none, or one that somebody
 * sends to end a program: that is no fault of it. */
static int pl_run_fatal_signal(int status)
{
    static const int fault[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGSEGV, SIGSYS};
    int signo = WIFSIGNALED(status)         ? WTERMSIG(status)
                : WEXITSTATUS(status) > 128 ? WEXITSTATUS(status) - 128
                                            : 0;
    for (size_t i = 0; i < sizeof(fault) / sizeof(fault[0]); i++)
        if (fault[i] == signo)
            return signo;
    return 0;
}

/* The kernel killed in its group, and not for the ceiling. */
static bool pl_run_above_word(struct pl_running *r)
{
    if (!r->events.known || r->events.oom_kills == 0)
        return false;
    r->oom.class = PL_OOM_KERNEL;
    r->oom.confidence = PL_OOM_MEDIUM;
    r->oom.is_short = PL_OOM_SHORT_UNKNOWN;
    (void)PL_FMT(r->oom.engine, "kernel");
    (void)PL_FMT(r->oom.why,
                 "the kernel killed %llu of its processes for want of memory, and the ceiling was "
                 "not met: the machine's memory, or a control group above, was full",
                 (unsigned long long)r->events.oom_kills);
    return true;
}

/* Killed by signal 9 with nothing said: by whom is not known. */
static void pl_run_signal_word(struct pl_running *r)
{
    int signo = pl_run_fatal_signal(r->wrapped.status);
    if (r->has_oom || signo == 0 || r->wrapped.interrupted)
        return;
    pl_run_blank(&r->oom);
    r->has_oom = true;
    (void)PL_FMT(r->oom.engine, "%s", r->command.row != NULL ? r->command.row->engine : "");
    if (signo == SIGKILL && pl_run_above_word(r))
        return;
    r->oom.class = signo == SIGKILL ? PL_OOM_KILLED : PL_OOM_CRASH;
    r->oom.confidence = signo == SIGKILL ? PL_OOM_LOW : PL_OOM_MEDIUM;
    r->oom.is_short = signo == SIGKILL ? PL_OOM_SHORT_UNKNOWN : PL_OOM_SHORT_NO;
    (void)PL_FMT(r->oom.why, "ended by signal %d (%s)", signo,
                 sigdescr_np(signo) != NULL ? sigdescr_np(signo) : "?");
    uint64_t kills = 0;
    if (signo == SIGKILL && r->kills_known && pl_oom_kills(&kills) && kills == r->kills_before) {
        r->oom.class = PL_OOM_CRASH;
        r->oom.confidence = PL_OOM_MEDIUM;
        r->oom.is_short = PL_OOM_SHORT_NO;
        (void)PL_FMT(
            r->oom.why,
            "killed by signal 9, and not by the kernel for memory: it counted no such kill "
            "meanwhile. A person, a program or a daemon such as earlyoom did it");
    }
}

/* A limit on the address space we hand on, and host memory refused: the limit, not the RAM. */
static void pl_run_limit_word(struct pl_running *r)
{
    struct rlimit as;
    struct pl_oom *o = &r->oom;
    if (!r->has_oom || o->class != PL_OOM_CAPACITY ||
        (o->backend[0] != '\0' && !pl_streq(o->backend, "cpu")) || getrlimit(RLIMIT_AS, &as) < 0 ||
        as.rlim_cur == RLIM_INFINITY || !pl_run_machine(r))
        return;
    const struct pl_pool *ram = pl_machine_pool_const(&r->machine, "ram");
    if (ram != NULL && pl_known(ram->available) && pl_known(o->n[PL_OOM_REQUESTED]) &&
        o->n[PL_OOM_REQUESTED].likely > ram->available.likely)
        return;
    o->class = PL_OOM_ADDRESS_SPACE;
    o->is_short = PL_OOM_SHORT_NO;
    o->confidence = PL_OOM_MEDIUM;
    o->n[PL_OOM_LIMIT] = pl_exact(as.rlim_cur, PL_SOURCE_MEASURED, "RLIMIT_AS (ulimit -v)");
    (void)PL_FMT(o->why, "the address space is limited (ulimit -v), and the machine has more "
                         "memory than was asked for");
}

/* An engine that ends at once may lose its last lines: its model's file can be looked at all the
 * same. */
static void pl_run_file_word(struct pl_running *r)
{
    const struct pl_command *c = &r->command;
    struct pl_err err = {0};
    struct pl_model *m = NULL;
    if (r->has_oom || c->row == NULL || !pl_streq(c->row->engine, "llama.cpp") ||
        c->model == NULL || c->elsewhere)
        return;
    bool missing = access(c->model, F_OK) != 0;
    if (!missing && (access(c->model, R_OK) != 0 || pl_model_open(c->model, &m, &err) == 0)) {
        (void)pl_model_free(m);
        return;
    }
    pl_run_blank(&r->oom);
    (void)PL_FMT(r->oom.engine, "llama.cpp");
    (void)PL_FMT(r->oom.node, "%.200s", c->model);
    (void)PL_FMT(r->oom.why, "%.200s", err.what);
    r->oom.class = missing ? PL_OOM_MISSING_FILE : PL_OOM_BAD_FILE;
    r->oom.is_short = PL_OOM_SHORT_NO;
    r->oom.confidence = missing ? PL_OOM_HIGH : PL_OOM_MEDIUM;
    r->has_oom = true;
}

void pl_run_explain(struct pl_running *r)
{
    const struct pl_oom *o = r->log != NULL ? pl_whylog_failure(r->log) : NULL;
    r->has_oom = false;
    if (o != NULL && o->class != PL_OOM_UNKNOWN && o->fatal) {
        r->oom = *o;
        r->has_oom = true;
    }
    if (pl_run_own_word(r) || pl_run_group_word(r)) {
        r->has_oom = true;
        return;
    }
    if (!r->has_oom || r->oom.class == PL_OOM_KILLED || r->oom.class == PL_OOM_CRASH)
        pl_run_kernel_word(r);
    pl_run_limit_word(r);
    pl_run_file_word(r);
    pl_run_signal_word(r);
}

/* Beside the pools of the forecast. */
static void pl_run_remember_devices(const struct pl_running *r, struct pl_run *run)
{
    struct pl_run_row row[PL_RUN_ROWS_MAX];
    uint32_t n = pl_run_rows(r, row);
    for (uint32_t i = 1; i < run->predicted.n_pool && i < PL_FOOTPRINT_POOLS_MAX; i++)
        for (uint32_t k = 0; k < n; k++)
            if (pl_streq(row[k].pool, run->predicted.pool[i].pool))
                run->on_device[i].total = row[k].measured;
}

void pl_run_remember(struct pl_running *r)
{
    static struct pl_run run;
    struct pl_ledger *l = NULL;
    const struct pl_wrapped *w = &r->wrapped;
    if (pl_cli_opt(r->cli, "no-ledger")->given ||
        pl_ledger_open(pl_cli_opt(r->cli, "ledger")->text, PL_LEDGER_WRITE, &l, NULL) < 0)
        return;
    (void)pl_run_machine(r); /* whose run it was */
    bool ok = WIFEXITED(w->status) && WEXITSTATUS(w->status) == 0;
    run = (struct pl_run){.started_unix =
                              pl_utc_now() - (int64_t)((w->ended_ns - w->started_ns) / PL_S_NS),
                          .status = ok               ? PL_RUN_OK
                                    : w->interrupted ? PL_RUN_INTERRUPTED
                                                     : PL_RUN_FAILED};
    (void)PL_FMT(run.engine, "command");
    if (r->rung > 0) /* another command ran than the one asked for */
        (void)PL_FMT(run.model, "rung %u (%.100s): %s", r->rung, r->rung_text, r->signature);
    else
        (void)PL_FMT(run.model, "%s", r->signature);
    (void)PL_FMT(run.machine_id, "%s", r->machine.id);
    (void)PL_FMT(run.machine_text, "%s, %u threads", r->machine.cpu.model,
                 r->machine.cpu.threads_allowed);
    if (r->has_oom)
        (void)PL_FMT(run.error, "%s", pl_oom_class_name(r->oom.class));
    for (int i = 0; i < PL_PARTS; i++)
        run.measured[i] = PL_QUANTITY_UNKNOWN("not told apart");
    /* what ended early is no measure of a forecast, nor is what another process did */
    if (r->has_forecast && ok && r->rung == 0 && r->elsewhere.kind == PL_ELSEWHERE_NOT) {
        run.predicted = r->forecast.footprint;
        (void)PL_FMT(run.flags, "%s", r->forecast.flags);
        (void)PL_FMT(run.arch, "%s", r->model->arch);
        (void)PL_FMT(run.quant, "%s", r->forecast.quant);
        run.settings = r->forecast.resolved;
        pl_run_remember_devices(r, &run);
    }
    run.peak = w->peak;
    run.steady = w->peak;
    run.measured_total = pl_run_measured(r);
    (void)pl_ledger_add_run(l, &run, NULL);
    l = pl_ledger_close(l);
}
