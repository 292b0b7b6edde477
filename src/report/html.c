/* Results as one page: plots, tables beside them, no script and nothing from elsewhere. Written as
 * XML too, so that any XML reader may check it. */
#include "base/clock.h"
#include "base/units.h"
#include "report/fleet.h"
#include "report/plots.h"
#include "report/quantity.h"
#include "report/results.h"
#include "report/run.h"

#include <inttypes.h>

static const char pl_html_head[] =
    "<!DOCTYPE html>\n"
    "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\" xml:lang=\"en\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\""
    " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
    "<link rel=\"icon\" href=\"data:,\"/>\n";

static const char pl_html_style[] =
    ":root{--paper:#fff;--ink:#1c2430;--line:#d9dee5;--soft:#f3f5f8;--bad:#b3261e}\n"
    "@media (prefers-color-scheme:dark){"
    ":root{--paper:#14181d;--ink:#e4e8ee;--line:#38414c;--soft:#1d232a;--bad:#ff8a80}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);"
    "margin:0 auto;max-width:1100px;padding:24px}\n"
    "h1{font-size:1.5em;margin:0 0 .2em}h2{font-size:1.15em;margin:2em 0 .3em}\n"
    "figure{margin:1em 0;max-width:860px}svg{display:block;width:100%;height:auto}\n"
    "figcaption{font-size:.9em}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.87em}\n"
    "th,td{padding:4px 9px;border-bottom:1px solid var(--line);text-align:left;"
    "vertical-align:top}\n"
    "th{background:var(--soft)}td.n,th.n{text-align:right;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}\n"
    "td.f{font-family:ui-monospace,monospace;overflow-wrap:anywhere;min-width:11em}\n"
    ".bad{color:var(--bad)}\n"
    "@media print{figure{break-inside:avoid}}\n";

static void pl_html_element(struct pl_str *out, const char *open, const char *text,
                            const char *close)
{
    pl_str_add(out, open);
    pl_xml_text(text, out);
    pl_str_add(out, close);
}

/* Median and worst error, and how often the interval held the truth. */
static void pl_html_errors(const struct pl_results *r, struct pl_str *out)
{
    static const char *const names[] = {"host memory", "device memory", "speed of answers"};
    bool begun = false;
    for (int what = PL_RESULTS_MEMORY; what <= PL_RESULTS_DECODE; what++) {
        struct pl_results_error e;
        if (pl_results_error(r, (enum pl_results_what)what, NULL, &e, NULL) < 0) {
            out->failed = true;
            return;
        }
        if (e.n == 0)
            continue;
        if (!begun)
            pl_str_add(out, "<h2>How far off the predictions were</h2>\n<div class=\"wide\"><table>"
                            "\n<thead><tr><th scope=\"col\">of</th><th class=\"n\" scope=\"col\">"
                            "runs</th><th class=\"n\" scope=\"col\">median error</th><th "
                            "class=\"n\" scope=\"col\">worst</th><th class=\"n\" scope=\"col\">"
                            "measured inside the interval</th><th class=\"n\" scope=\"col\">"
                            "calibrated: runs</th><th class=\"n\" scope=\"col\">median error</th>"
                            "<th class=\"n\" scope=\"col\">worst</th></tr></thead>\n<tbody>\n");
        begun = true;
        pl_str_addf(out,
                    "<tr><th scope=\"row\">%s</th><td class=\"n\">%u</td><td class=\"n\">%.1f %%"
                    "</td><td class=\"n\">%.1f %%</td><td class=\"n\">%u of %u</td>"
                    "<td class=\"n\">%u</td>",
                    names[what], e.n, e.median * 100, e.worst * 100, e.inside, e.n, e.n_calibrated);
        if (e.n_calibrated > 0)
            pl_str_addf(out, "<td class=\"n\">%.1f %%</td><td class=\"n\">%.1f %%</td></tr>\n",
                        e.calibrated_median * 100, e.calibrated_worst * 100);
        else
            pl_str_add(out, "<td class=\"n\">unknown</td><td class=\"n\">unknown</td></tr>\n");
    }
    if (begun)
        pl_str_add(out,
                   "</tbody></table></div>\n<p>Calibrated: with what the other runs of the same "
                   "engine version teach, never the run itself.</p>\n");
}

/* Of several machines each summed up; gives whether there are several. */
static bool pl_html_fleet(const struct pl_results *r, struct pl_str *out)
{
    struct pl_fleet fleet;
    if (pl_fleet_of(r, &fleet, NULL) < 0)
        out->failed = true;
    else if (fleet.n > 1)
        pl_fleet_html(&fleet, r, out);
    return fleet.n > 1;
}

static void pl_html_plots(const struct pl_results *r, struct pl_str *out)
{
    for (int kind = 0; kind < PL_PLOTS; kind++) {
        struct pl_plots_one one;
        if (pl_plots_make(r, (enum pl_plots_kind)kind, &one, NULL) < 0) {
            out->failed = true;
            return;
        }
        if (one.plot.n_series > 0) {
            pl_html_element(out, "<h2>", one.plot.title, "</h2>\n<figure>\n");
            pl_svg_plot(&one.plot, out);
            pl_html_element(out, "<figcaption>", one.plot.description, "");
            if (one.left_out > 0)
                pl_str_addf(out, " %u more series are in the table only.", one.left_out);
            pl_str_add(out, "</figcaption>\n</figure>\n");
        }
        pl_plots_done(&one);
    }
}

static void pl_html_number(struct pl_str *out, double value, bool disturbed)
{
    if (value > 0)
        pl_str_addf(out, "<td class=\"n\">%.1f%s</td>", value, disturbed ? " (disturbed)" : "");
    else
        pl_str_add(out, "<td class=\"n\">unknown</td>");
}

static void pl_html_rate(struct pl_str *out, struct pl_rate r)
{
    if (r.source == PL_SOURCE_UNKNOWN)
        pl_str_add(out, "<td class=\"n\">unknown</td>");
    else
        pl_str_addf(out, "<td class=\"n\">%.1f (%.1f .. %.1f)</td>", r.likely, r.low, r.high);
}

static void pl_html_row(const struct pl_result *one, bool devices, bool machines,
                        struct pl_str *out)
{
    char when[PL_TIME_TEXT_MAX], text[PL_QUANTITY_TEXT_MAX], difference[PL_DIFFERENCE_TEXT_MAX];
    bool bad = one->status != PL_RUN_OK;
    pl_str_add(out, "<tr><td class=\"n\">");
    if (one->id > 0)
        pl_str_addf(out, "%" PRId64, one->id);
    pl_str_addf(out, "</td><td>%.10s</td>",
                one->started_unix > 0 ? pl_utc_text(one->started_unix, when) : "");
    if (machines)
        pl_html_element(out, "<td>", one->machine_text, "</td>");
    pl_html_element(out, "<td>", one->model, one->ghost ? " (ghost)</td>" : "</td>");
    pl_html_element(out, "<td>", one->quant, "</td>");
    pl_html_element(out, "<td class=\"f\">", one->flags, "</td>");
    pl_html_element(out, "<td>", one->engine_version, "</td>");
    pl_html_element(out, "<td class=\"n\">", pl_quantity_text(one->host_predicted, text), "</td>");
    pl_html_element(out, "<td class=\"n\">", pl_quantity_text(one->host_measured, text), "</td>");
    pl_html_element(out, "<td class=\"n\">",
                    pl_difference_text(one->host_predicted, one->host_measured, difference),
                    "</td>");
    if (devices && one->on_devices) {
        pl_html_element(out, "<td class=\"n\">", pl_quantity_text(one->device_predicted, text),
                        "</td>");
        pl_html_element(out, "<td class=\"n\">", pl_quantity_text(one->device_measured, text),
                        "</td>");
    } else if (devices) {
        pl_str_add(out, "<td class=\"n\">none</td><td class=\"n\">none</td>");
    }
    pl_html_rate(out, one->decode_predicted);
    if (one->decode_calibrated > 0)
        pl_str_addf(out, "<td class=\"n\">%.1f</td>", one->decode_calibrated);
    else
        pl_str_add(out, "<td class=\"n\">-</td>");
    pl_html_number(out, one->decode, one->disturbed);
    pl_html_number(out, one->prefill, one->disturbed);
    pl_str_addf(out, "<td%s>%s%s", bad ? " class=\"bad\"" : "", pl_result_status(one),
                one->error[0] != '\0' ? ": " : "");
    pl_html_element(out, "", one->error, "</td></tr>\n");
}

static void pl_html_table(const struct pl_results *r, size_t most, bool machines,
                          struct pl_str *out)
{
    bool devices = false, disturbed = false;
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        devices = devices || r->one[i].on_devices;
        disturbed = disturbed || (r->one[i].disturbed && r->one[i].decode > 0);
    }
    pl_str_addf(
        out,
        "<h2>All runs</h2>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"All runs\"><table>\n<thead><tr><th class=\"n\" scope=\"col\">run</th>"
        "<th scope=\"col\">date</th>%s<th scope=\"col\">model</th><th scope=\"col\">quant</th>"
        "<th scope=\"col\">flags</th><th scope=\"col\">engine</th>"
        "<th class=\"n\" scope=\"col\">memory, predicted</th>"
        "<th class=\"n\" scope=\"col\">measured</th>"
        "<th class=\"n\" scope=\"col\">difference</th>%s"
        "<th class=\"n\" scope=\"col\">tokens/s, predicted</th>"
        "<th class=\"n\" scope=\"col\">calibrated</th>"
        "<th class=\"n\" scope=\"col\">measured</th>"
        "<th class=\"n\" scope=\"col\">prompt tokens/s</th>"
        "<th scope=\"col\">status</th></tr></thead>\n<tbody>\n",
        machines ? "<th scope=\"col\">machine</th>" : "",
        devices ? "<th class=\"n\" scope=\"col\">on devices, predicted</th>"
                  "<th class=\"n\" scope=\"col\">measured</th>"
                : "");
    while (n < r->n && out->len < most && !out->failed)
        pl_html_row(&r->one[n++], devices, machines, out);
    pl_str_add(out, "</tbody></table></div>\n");
    if (disturbed)
        pl_str_add(
            out, "<p>Disturbed: measured while other programs computed. Such a speed says little "
                 "of the machine; it is in no plot and no figure above. Memory stays valid.</p>\n");
    if (n < r->n)
        pl_str_addf(out, "<p>%u more runs are left out of this table; the CSV has all.</p>\n",
                    r->n - n);
}

void pl_results_html(const struct pl_results *r, const char *title, const char *about,
                     struct pl_str *out)
{
    char when[PL_TIME_TEXT_MAX];
    size_t from = out->len;
    pl_str_add(out, pl_html_head);
    pl_html_element(out, "<title>", title, "</title>\n<style>\n");
    pl_str_add(out, pl_html_style);
    pl_svg_style(out);
    pl_str_add(out, "</style>\n</head>\n<body>\n<main>\n");
    pl_html_element(out, "<h1>", title, "</h1>\n");
    pl_html_element(out, "<p>", about, "");
    pl_str_addf(out, " Written by plimsoll " PL_VERSION " at %s.</p>\n",
                pl_utc_text(pl_utc_now(), when));
    if (r->n == 0)
        pl_str_add(out, "<p>There are no runs to show.</p>\n");
    pl_html_errors(r, out);
    bool machines = pl_html_fleet(r, out);
    pl_html_plots(r, out);
    if (r->n > 0) /* 8 kB: the longest row and the end of the page */
        pl_html_table(r, from + PL_RESULTS_HTML_MAX - 8000, machines, out);
    pl_str_add(out, "</main>\n</body>\n</html>\n");
}
