/* Where the results of several runs go: the table, or the files that --csv, --markdown and --html
 * name. */
#ifndef PL_CLI_RESULTS_OUT_H
#define PL_CLI_RESULTS_OUT_H

#include "cli/verb.h"
#include "report/results.h"

/* The rows of a verb's option table; see pl_results_write. */
#define PL_CLI_RESULTS_OPTS                                                                        \
    {"csv", '\0', PL_OPT_PATH, "FILE", "all figures as comma-separated values (- = stdout)"},      \
    {                                                                                              \
        "html", '\0', PL_OPT_PATH, "FILE", "one page with plots, complete in itself (- = stdout)"  \
    }

/* Can those files be written, as far as can be told beforehand? Hours may lie between. -EINVAL
 * (exit 2) for two to standard output, and the error of a folder that is not there or not ours. */
int pl_results_check(const struct pl_cli *cli, struct pl_err *err);

/* Does one of the files go to standard output, so that nothing else may? */
bool pl_results_piped(const struct pl_cli *cli);

/* Writes the files; then, where none goes to standard output, JSON or the table to cli->out. schema
 * names the JSON object. title and about are the page's. -EIO and the like name the file. */
int pl_results_write(struct pl_cli *cli, const struct pl_results *r, const char *schema,
                     const char *title, const char *about, struct pl_err *err);

#endif
