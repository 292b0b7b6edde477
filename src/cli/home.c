/* plimsoll without a command: this machine, what fits, what to do next. One screen. */
#include "base/table.h"
#include "base/units.h"
#include "cli/choose.h"
#include "cli/machine.h"
#include "cli/model.h"
#include "cli/verbs.h"
#include "report/machine.h"
#include "report/quantity.h"

#include <unistd.h>

#define PL_HOME_ROWS 6
#define PL_HOME_LISTED 12 /* with --json */
#define PL_HOME_BAR 40

static void pl_home_bar(const struct pl_machine *m, struct pl_str *out)
{
    char used[PL_SIZE_TEXT_MAX], left[PL_SIZE_TEXT_MAX];
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    struct pl_quantity room = pl_machine_available(m, "ram");
    if (ram == NULL || !pl_known(ram->capacity) || !pl_known(room) || ram->capacity.likely == 0)
        return;
    uint64_t total = ram->capacity.likely;
    uint64_t taken = total > room.likely ? total - room.likely : 0;
    pl_str_add(out, "\nram ");
    pl_bar(out, PL_HOME_BAR, taken, 0, total, total);
    pl_str_addf(out, " %s used, %s left\n", pl_size_text(taken, used),
                pl_size_text(room.likely, left));
}

static void pl_home_table(const struct pl_choice *c, int n, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"fits", ">context", ">memory", ">tokens/s", "licence", 0};
    char text[PL_SIZE_TEXT_MAX];
    struct pl_table *t = pl_table_new(titles);
    for (int i = 0; i < n && i < PL_HOME_ROWS; i++) {
        pl_table_row(t);
        pl_table_cell(t, "%s:%s", c[i].row->id, pl_catalogue_quant(c[i].row));
        pl_table_cell(t, "%llu", (unsigned long long)c[i].n_ctx);
        pl_table_cell(t, "%s", pl_size_text(c[i].steady.likely, text));
        if (c[i].decode.source == PL_SOURCE_UNKNOWN)
            pl_table_cell(t, "unknown");
        else
            pl_table_cell(t, "%.1f .. %.1f", c[i].decode.low, c[i].decode.high);
        pl_table_cell(t, "%s", c[i].row->licence);
    }
    pl_str_addc(out, '\n', 1);
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

static bool pl_home_has_device(const struct pl_machine *m)
{
    for (uint32_t i = 0; i < m->n_pool; i++) {
        if (m->pool[i].kind == PL_POOL_DEDICATED || m->pool[i].kind == PL_POOL_UNIFIED)
            return true;
    }
    return false;
}

static void pl_home_next(const struct pl_machine *m, const struct pl_choice *c, int n,
                         struct pl_str *out)
{
    if (n == 0) {
        pl_str_addf(out, "\n%s\n\nnext:  plimsoll estimate MODEL -c 2048\n",
                    pl_known(pl_machine_available(m, "ram"))
                        ? "No model of the catalogue fits into what is available now."
                        : "What fits cannot be told: the available memory is unknown.");
        return;
    }
    bool device = pl_home_has_device(m);
    if (device)
        pl_str_add(out, "(on the CPU alone; plimsoll estimate -ngl N predicts layers on a GPU)\n");
    if (m->this_system && c[0].decode.source == PL_SOURCE_UNKNOWN)
        pl_str_add(out, "(speed: plimsoll assess --bandwidth measures what it needs)\n");
    pl_str_add(out, "\nnext:  ");
    if (m->this_system)
        pl_str_add(out, "plimsoll try --auto   run one here and measure: two minutes\n       ");
    /* the settings of the table: others may not fit */
    pl_str_addf(out, "plimsoll estimate %s -c %llu -np 1%s%s   its memory, part by part\n",
                c[0].row->id, (unsigned long long)c[0].n_ctx, device ? " -ngl 0" : "",
                m->this_system ? "" : " --machine FILE");
}

static void pl_home_json(struct pl_cli *cli, const struct pl_machine *m, const struct pl_choice *c,
                         int n)
{
    struct pl_json j;
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.home/1");
    pl_json_bool(&j, "this_system", m->this_system);
    pl_json_quantity(&j, "available", pl_machine_available(m, "ram"));
    pl_json_array(&j, "fits");
    for (int i = 0; i < n; i++) {
        pl_json_object(&j, NULL);
        pl_json_str(&j, "model", c[i].row->id);
        pl_json_str(&j, "quant", pl_catalogue_quant(c[i].row));
        pl_json_u64(&j, "n_ctx", c[i].n_ctx);
        pl_json_quantity(&j, "steady", c[i].steady);
        pl_json_rate(&j, "decode_tokens_per_second", c[i].decode);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_end(&j);
}

static int pl_home_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine machine;
    static struct pl_choice choice[PL_CHOICES_MAX];
    struct pl_ledger *ledger = NULL;
    int rc = pl_cli_catalogue(cli, err);
    if (rc == 0)
        rc = pl_cli_machine_asked(cli, &machine, err);
    if (rc < 0)
        return rc;
    (void)pl_ledger_open(NULL, PL_LEDGER_READ, &ledger, NULL);
    int n = pl_choose_all(&machine, ledger, NULL, NULL, PL_HOME_LISTED, choice, err);
    (void)pl_ledger_close(ledger);
    if (n < 0)
        return n;
    /* no room known is not no room */
    int status =
        pl_known(pl_machine_available(&machine, "ram")) ? PL_EXIT_YES : PL_EXIT_CANNOT_TELL;
    if (cli->json) {
        pl_home_json(cli, &machine, choice, n);
        return status;
    }
    pl_machine_summary(&machine, &cli->out);
    pl_home_bar(&machine, &cli->out);
    if (n > 0)
        pl_home_table(choice, n, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    pl_home_next(&machine, choice, n, &cli->out);
    return status;
}

static const struct pl_opt pl_home_opts[] = {
    PL_CLI_MACHINE_OPTS,
    PL_CLI_CATALOGUE_OPT,
    {0},
};

static const char *const pl_home_examples[] = {"plimsoll", "plimsoll --json", 0};

const struct pl_verb pl_verb_home = {
    .name = "",
    .args = "",
    .summary = "this machine, what fits, what to do next",
    .examples = pl_home_examples,
    .opts = pl_home_opts,
    .run = pl_home_run,
};
