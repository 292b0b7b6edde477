/* plimsoll accuracy: our own error, from what the ledger remembers. */
#include "measure/accuracy.h"
#include "base/json.h"
#include "base/table.h"
#include "cli/accuracy_peers.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PL_ACCURACY_ROWS_MAX 256

static const char *const pl_accuracy_titles[PL_BYS] = {"by part", "by architecture", "by machine"};
static const char *const pl_accuracy_keys[PL_BYS] = {"by_part", "by_architecture", "by_machine"};

static void pl_accuracy_cells(struct pl_table *t, const struct pl_score *s)
{
    pl_table_cell(t, "%u", s->n);
    pl_table_cell(t, "%.1f %%", 100 * s->median);
    pl_table_cell(t, "%.1f %%", 100 * s->p95);
    pl_table_cell(t, "%+.1f %%", 100 * s->bias);
    pl_table_cell(t, "%.0f %%", 100.0 * s->held / s->n);
    pl_table_cell(t, "%.1f %%", 100 * s->width);
    pl_table_cell(t, "%u", s->n_corrected);
    if (s->n_corrected == 0) {
        pl_table_cell(t, "-");
        pl_table_cell(t, "-");
        return;
    }
    pl_table_cell(t, "%.1f %%", 100 * s->c_median);
    pl_table_cell(t, "%.1f %%", 100 * s->c_p95);
}

static int pl_accuracy_section(const struct pl_observations *o, enum pl_accuracy_by by, bool colour,
                               struct pl_str *out)
{
    static struct pl_accuracy_row rows[PL_ACCURACY_ROWS_MAX];
    static const char *const titles[] = {"of",       ">n",    ">|error|", ">95th",
                                         ">bias",    ">held", ">width",   ">corrected",
                                         ">|error|", ">95th", 0};
    memset(rows, 0, sizeof(rows));
    int n = pl_accuracy(o, by, rows, PL_ACCURACY_ROWS_MAX);
    struct pl_table *t = n > 0 ? pl_table_new(titles) : NULL;
    if (t == NULL)
        return n;
    pl_str_addf(out, "\n%s\n", pl_accuracy_titles[by]);
    for (int i = 0; i < n; i++) {
        char group[sizeof(rows[i].group)];
        (void)PL_FMT(group, "%s", rows[i].group[0] != '\0' ? rows[i].group : "unknown");
        pl_text_clean(group);
        pl_table_row(t);
        pl_table_cell(t, "%s%s%s%s", by == PL_BY_PART ? "" : group, by == PL_BY_PART ? "" : ", ",
                      rows[i].on_device ? "device " : "", pl_target_name(rows[i].target));
        pl_accuracy_cells(t, &rows[i].s);
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    return 0;
}

static int pl_accuracy_text(const struct pl_cli *cli, const struct pl_ledger *l,
                            const struct pl_observations *o, struct pl_str *out)
{
    int rc = 0;
    pl_str_addf(out, "%u runs of llama.cpp, predicted by this plimsoll (%s)", o->n_run, PL_VERSION);
    if (pl_ledger_path(l)[0] != '\0')
        pl_str_addf(out, ", in %s", pl_ledger_path(l));
    pl_str_add(out, "\n");
    if (o->other_programs > 0)
        pl_str_addf(out, "not counted: %llu runs that other versions of plimsoll predicted\n",
                    (unsigned long long)o->other_programs);
    if (o->disturbed > 0)
        pl_str_addf(out, "speeds not counted: of %llu runs, measured while others computed\n",
                    (unsigned long long)o->disturbed);
    if (o->zero > 0)
        pl_str_addf(out, "speeds not counted: of %llu ghosts, whose weights are all zero\n",
                    (unsigned long long)o->zero);
    for (int by = 0; rc == 0 && by < PL_BYS; by++)
        rc = pl_accuracy_section(o, (enum pl_accuracy_by)by, pl_colour_wanted(STDOUT_FILENO), out);
    if (rc < 0)
        return rc;
    if (o->n == 0)
        pl_str_add(out, "nothing to compare yet; 'plimsoll try MODEL' makes a run\n");
    else
        pl_str_add(out,
                   "\n|error|: median of |predicted - measured| / measured, as predicted; held: "
                   "intervals that hold\nwhat was measured. corrected: runs that others (never "
                   "itself) teach a correction, then the same\nerrors with it; see 'plimsoll "
                   "calibration'\n");
    (void)cli;
    return 0;
}

static int pl_accuracy_section_json(const struct pl_observations *o, enum pl_accuracy_by by,
                                    struct pl_json *j)
{
    static struct pl_accuracy_row rows[PL_ACCURACY_ROWS_MAX];
    memset(rows, 0, sizeof(rows));
    int n = pl_accuracy(o, by, rows, PL_ACCURACY_ROWS_MAX);
    pl_json_array(j, pl_accuracy_keys[by]);
    for (int i = 0; i < n; i++) {
        const struct pl_score *s = &rows[i].s;
        pl_json_object(j, NULL);
        pl_json_str(j, "group", by == PL_BY_PART ? NULL : rows[i].group);
        pl_json_str(j, "of", pl_target_name(rows[i].target));
        pl_json_bool(j, "on_device", rows[i].on_device);
        pl_json_u64(j, "n", s->n);
        pl_json_num(j, "median_error", s->median);
        pl_json_num(j, "p95_error", s->p95);
        pl_json_num(j, "bias", s->bias);
        pl_json_num(j, "intervals_that_held", (double)s->held / s->n);
        pl_json_num(j, "median_width", s->width);
        pl_json_object(j, "calibrated");
        pl_json_u64(j, "n", s->n_corrected);
        pl_json_num(j, "median_error", s->c_median);
        pl_json_num(j, "p95_error", s->c_p95);
        pl_json_num(j, "bias", s->c_bias);
        pl_json_end(j);
        pl_json_end(j);
    }
    pl_json_end(j);
    return n < 0 ? n : 0;
}

static int pl_accuracy_json(const struct pl_ledger *l, const struct pl_observations *o,
                            const struct pl_peers *peers, struct pl_str *out)
{
    struct pl_json j;
    int rc = 0;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.accuracy/1");
    pl_json_str(&j, "ledger", pl_ledger_path(l)[0] != '\0' ? pl_ledger_path(l) : NULL);
    pl_json_u64(&j, "runs", o->n_run);
    pl_json_u64(&j, "runs_of_other_versions", o->other_programs);
    pl_json_u64(&j, "speeds_disturbed", o->disturbed);
    pl_json_u64(&j, "speeds_of_zero_ghosts", o->zero);
    for (int by = 0; rc == 0 && by < PL_BYS; by++)
        rc = pl_accuracy_section_json(o, (enum pl_accuracy_by)by, &j);
    if (peers != NULL)
        pl_peers_json(peers, &j, "peers");
    pl_json_end(&j);
    return rc;
}

static int pl_accuracy_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_peers peers;
    struct pl_observations *o = NULL;
    struct pl_ledger *l = NULL;
    const char *path = pl_cli_opt(cli, "peers")->text;
    int rc = path != NULL ? pl_peers_read(path, &peers, err) : 0;
    if (rc == 0)
        rc = pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &l, err);
    if (rc == 0)
        rc = pl_observe(l, NULL, pl_cli_opt(cli, "limit")->u, &o, err);
    if (rc == 0 && cli->json)
        rc = pl_accuracy_json(l, o, path != NULL ? &peers : NULL, &cli->out);
    else if (rc == 0)
        rc = pl_accuracy_text(cli, l, o, &cli->out);
    if (rc == 0 && !cli->json && path != NULL)
        pl_peers_text(&peers, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    if (rc == -ENOMEM)
        rc = pl_fail(err, rc, "no memory to count the errors");
    (void)pl_observations_free(o);
    (void)pl_ledger_close(l);
    return rc;
}

static const struct pl_opt pl_accuracy_opts[] = {
    {"peers",                                                                     '\0', PL_OPT_PATH, "FILE",
     "other estimators beside it, as 'bench/accuracy --keep FILE' measured them"},
    {"limit",                                                                'n', PL_OPT_NUMBER, "N", "count the newest N runs (default and most: 1000)"},
    {"ledger", '\0', PL_OPT_PATH, "FILE", "the ledger to read (default: $PLIMSOLL_LEDGER)"},
    {0                                                                    },
};

static const char *const pl_accuracy_examples[] = {
    "plimsoll accuracy  # how far off this program was, on this machine",
    "plimsoll accuracy --peers rows.tsv --json",
    0,
};

const struct pl_verb pl_verb_accuracy = {
    .name = "accuracy",
    .args = "",
    .summary = "how far off the predictions were: our own error, from the ledger",
    .details =
        "Per part, architecture and machine: the error as predicted first, then with what the "
        "other runs\nteach (see calibration). No run predicts itself. A speed counts only "
        "where nothing else computed.",
    .examples = pl_accuracy_examples,
    .opts = pl_accuracy_opts,
    .run = pl_accuracy_run,
};
