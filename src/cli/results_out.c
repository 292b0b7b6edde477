#include "cli/results_out.h"

#include "base/table.h"
#include "report/fleet.h"
#include "sys/newfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_RESULTS_FILE_MAX (16u * 1024u * 1024u)
#define PL_RESULTS_PATH_MAX 4096

static bool pl_results_stdout(const struct pl_opt_value *v)
{
    return v->given && pl_streq(v->text, "-");
}

/* A file that is there can be replaced, or its folder can take a new one. */
static int pl_results_place(const struct pl_opt_value *v, struct pl_err *err)
{
    char folder[PL_RESULTS_PATH_MAX];
    struct stat info;
    if (!v->given || pl_results_stdout(v))
        return 0;
    const char *slash = strrchr(v->text, '/');
    bool fits = slash == NULL      ? PL_FMT(folder, ".")
                : slash == v->text ? PL_FMT(folder, "/")
                                   : PL_FMT(folder, "%.*s", (int)(slash - v->text), v->text);
    int code = fits ? 0 : -ENAMETOOLONG;
    if (code == 0 && (v->text[0] == '\0' || (slash != NULL && slash[1] == '\0')))
        code = -EISDIR;
    if (code == 0 && stat(v->text, &info) == 0 && S_ISDIR(info.st_mode))
        code = -EISDIR;
    if (code == 0 && access(folder, W_OK | X_OK) < 0)
        code = -errno;
    if (code == 0)
        return 0;
    (void)pl_fail(err, code, "cannot be written: %s", strerror(-code));
    pl_err_at(err, v->text, 0, 0);
    return pl_exit_as(err, code,
                      code == -EISDIR || code == -ENOENT ? PL_EXIT_USAGE : PL_EXIT_ENVIRONMENT);
}

int pl_results_check(const struct pl_cli *cli, struct pl_err *err)
{
    const struct pl_opt_value *csv = pl_cli_opt(cli, "csv"), *html = pl_cli_opt(cli, "html");
    int n = pl_results_stdout(csv) + pl_results_stdout(html) + cli->json +
            pl_cli_opt(cli, "markdown")->given;
    if (n > 1) {
        (void)pl_fail(err, -EINVAL,
                      "only one of --json, --markdown, --csv - and --html - can go to "
                      "standard output");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc = pl_results_place(csv, err);
    return rc == 0 ? pl_results_place(html, err) : rc;
}

bool pl_results_piped(const struct pl_cli *cli)
{
    return pl_results_stdout(pl_cli_opt(cli, "csv")) || pl_results_stdout(pl_cli_opt(cli, "html"));
}

static int pl_results_put(struct pl_cli *cli, const struct pl_opt_value *v, const struct pl_str *s,
                          struct pl_err *err)
{
    if (s->failed)
        return pl_fail(err, -ENOMEM, "no memory for %s", v->text);
    if (!pl_results_stdout(v))
        return pl_newfile_write(v->text, pl_str_get(s), s->len, 0644, true, err);
    pl_str_addn(&cli->out, pl_str_get(s), s->len);
    return 0;
}

/* Of several machines: each summed up. */
static void pl_results_fleet(struct pl_cli *cli, const struct pl_results *r, bool markdown)
{
    struct pl_fleet fleet;
    if (pl_fleet_of(r, &fleet, NULL) < 0)
        cli->out.failed = true;
    else if (fleet.n > 1 && markdown)
        pl_fleet_markdown(&fleet, r, &cli->out);
    else if (fleet.n > 1)
        pl_fleet_text(&fleet, r, pl_colour_wanted(STDOUT_FILENO), &cli->out);
}

static void pl_results_print(struct pl_cli *cli, const struct pl_results *r, const char *schema)
{
    struct pl_json j;
    if (pl_cli_opt(cli, "markdown")->given) {
        pl_results_markdown(r, &cli->out);
        pl_results_fleet(cli, r, true);
    } else if (!cli->json) {
        pl_results_text(r, &cli->out, pl_colour_wanted(STDOUT_FILENO));
        pl_results_fleet(cli, r, false);
    } else {
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", schema);
        pl_results_json(r, &j);
        pl_json_end(&j);
    }
}

int pl_results_write(struct pl_cli *cli, const struct pl_results *r, const char *schema,
                     const char *title, const char *about, struct pl_err *err)
{
    const struct pl_opt_value *csv = pl_cli_opt(cli, "csv"), *html = pl_cli_opt(cli, "html");
    struct pl_str s;
    int rc = 0;
    pl_str_init(&s, PL_RESULTS_FILE_MAX);
    if (csv->given) {
        pl_results_csv(r, &s);
        rc = pl_results_put(cli, csv, &s, err);
        pl_str_clear(&s);
    }
    if (rc == 0 && html->given) {
        pl_results_html(r, title, about, &s);
        rc = pl_results_put(cli, html, &s, err);
    }
    pl_str_done(&s);
    if (!pl_results_piped(cli))
        pl_results_print(cli, r, schema); /* what was measured is not lost with a file */
    return rc;
}
