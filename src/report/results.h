/* Results: many runs, each with only what a table or a plot of them says. */
#ifndef PL_REPORT_RESULTS_H
#define PL_REPORT_RESULTS_H

#include "base/err.h"
#include "base/json.h"
#include "domain/run.h"

/* One run. Quantities and rates keep no `why`: it lives shorter than this. Unknown speeds are 0. */
struct pl_result {
    int64_t id, started_unix; /* 0 = not stored, never started */
    enum pl_run_status status;
    char error[PL_RUN_TEXT_MAX]; /* why it failed, or was not started */
    char model[PL_RUN_TEXT_MAX], quant[32], arch[48], flags[PL_RUN_TEXT_MAX];
    char engine_version[64], backend[64], machine_id[40], machine_text[PL_RUN_TEXT_MAX];
    bool ghost, on_devices; /* on_devices: a pool beside the host's is used */
    bool hollow;            /* a ghost of zeros: its speeds are no model's */
    bool disturbed; /* others computed meanwhile: its speeds are shown, and compared with nothing */
    uint64_t n_ctx, n_seq;
    uint64_t depth; /* tokens before the middle of the answer; 0 = nothing was answered */
    struct pl_quantity host_predicted, host_measured;     /* steady; of ram */
    struct pl_quantity device_predicted, device_measured; /* of all devices together */
    struct pl_rate prefill_predicted, decode_predicted;
    double prefill, decode, prefill_spread, decode_spread;
    /* the prediction with what other runs teach, never the run itself; 0 = they teach nothing */
    double host_calibrated, decode_calibrated;
};

#define PL_RESULTS_MAX 2048

/* A growing list. Start with a zeroed one. */
struct pl_results {
    struct pl_result *one;
    uint32_t n, room;
};

void pl_result_of(const struct pl_run *run, struct pl_result *ret);

/* Adds a copy of the run's result, or an empty one (run NULL), and gives it; NULL with err when
 * PL_RESULTS_MAX is reached or there is no memory. The pointer lives until the next one is added.
 */
struct pl_result *pl_results_add(struct pl_results *r, const struct pl_run *run,
                                 struct pl_err *err);
void pl_results_done(struct pl_results *r);

/* How far predictions were off: median and greatest |predicted - measured| / measured. */
struct pl_results_error {
    uint32_t n;      /* compared runs; 0 = none, and the shares are unknown */
    uint32_t inside; /* of them measured inside the predicted interval */
    double median, worst;
    uint32_t n_calibrated;                      /* of them with a calibrated figure */
    double calibrated_median, calibrated_worst; /* of all n, those that are calibrated so */
};
enum pl_results_what { PL_RESULTS_MEMORY = 0, PL_RESULTS_DEVICES, PL_RESULTS_DECODE };

/* Both sides known (and measured > 0), of a run that ended well: false otherwise. */
bool pl_result_pair(const struct pl_result *one, enum pl_results_what what, double *ret_predicted,
                    double *ret_low, double *ret_high, double *ret_measured);
/* machine: of one alone (pl_result_machine), or NULL. */
int pl_results_error(const struct pl_results *r, enum pl_results_what what, const char *machine,
                     struct pl_results_error *ret, struct pl_err *err);
/* What tells machines apart: the id, or the text where there is none. */
const char *pl_result_machine(const struct pl_result *one);

/* Members of an object: "runs", "inside_interval", "median_error" ... */
void pl_results_error_json(struct pl_json *j, const struct pl_results_error *e);
/* A cell of a Markdown table with its closing bar: bars and what begins markup are escaped. */
void pl_results_markdown_cell(struct pl_str *out, const char *text);

/* A table for people; for Markdown; comma-separated values as RFC 4180 has them (CRLF, a first line
 * of names, unknown is empty); the members of a JSON object ("results": [...], "accuracy": ...). */
void pl_results_text(const struct pl_results *r, struct pl_str *out, bool colour);
void pl_results_markdown(const struct pl_results *r, struct pl_str *out);
void pl_results_csv(const struct pl_results *r, struct pl_str *out);
void pl_results_json(const struct pl_results *r, struct pl_json *j);

/* One page with plots and the table, for a browser: complete in itself, no script. title and about
 * (one sentence: which runs these are) are plain text. */
void pl_results_html(const struct pl_results *r, const char *title, const char *about,
                     struct pl_str *out);
#define PL_RESULTS_HTML_MAX (500u * 1000u) /* more rows than fit below this are left to the CSV */

/* "not started", "ok", "failed" ...: in tables and files. */
const char *pl_result_status(const struct pl_result *one);

#endif
