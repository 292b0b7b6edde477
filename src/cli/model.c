#include "cli/model.h"

#include "domain/whisper.h"
#include "model/catalogue_file.h"
#include "model/open.h"
#include "sys/file.h"
#include "sys/xdg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_ROWS_PATH_MAX 1024
#define PL_ROWS_PATHS_MAX (8 * PL_ROWS_PATH_MAX)

bool pl_cli_offline(const struct pl_cli *cli)
{
    static const char *const names[] = {"PLIMSOLL_OFFLINE", "HF_HUB_OFFLINE"};
    bool offline = pl_cli_opt(cli, "offline")->given;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !offline; i++) {
        const char *value = getenv(names[i]);
        offline = value != NULL && value[0] != '\0' && !pl_streq(value, "0");
    }
    return offline;
}

static int pl_cli_rows(const char *path, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_CATALOGUE_FILE_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_catalogue_add(pl_str_get(&text), text.len, path, err);
    else
        rc = pl_exit_as(err, rc, PL_EXIT_USAGE);
    pl_str_done(&text);
    return rc;
}

/* The file that needs no naming. */
static int pl_cli_rows_of_home(struct pl_err *err)
{
    char path[PL_ROWS_PATH_MAX];
    bool whole = pl_xdg_path(path, sizeof(path), PL_XDG_CONFIG, "plimsoll/models.tsv") == 0;
    return whole && access(path, F_OK) == 0 ? pl_cli_rows(path, err) : 0;
}

/* Paths with colons between. */
static int pl_cli_rows_of_environment(struct pl_err *err)
{
    char paths[PL_ROWS_PATHS_MAX];
    const char *value = getenv("PLIMSOLL_CATALOGUE");
    int rc = 0;
    if (value == NULL)
        return 0;
    if (!PL_FMT(paths, "%s", value)) {
        (void)pl_fail(err, -ENAMETOOLONG, "PLIMSOLL_CATALOGUE is too long");
        return pl_exit_as(err, -ENAMETOOLONG, PL_EXIT_USAGE);
    }
    for (char *at = paths; at != NULL && rc == 0;) {
        char *colon = strchr(at, ':');
        if (colon != NULL)
            *colon = '\0';
        if (at[0] != '\0')
            rc = pl_cli_rows(at, err);
        at = colon != NULL ? colon + 1 : NULL;
    }
    return rc;
}

int pl_cli_catalogue(const struct pl_cli *cli, struct pl_err *err)
{
    static bool done;
    const struct pl_opt_value *o = pl_cli_opt(cli, "catalogue");
    if (done)
        return 0;
    int rc = pl_cli_rows_of_home(err);
    if (rc == 0)
        rc = pl_cli_rows_of_environment(err);
    for (uint32_t i = 0; i < o->n_list && rc == 0; i++)
        rc = pl_cli_rows(o->list[i], err);
    done = rc == 0;
    return rc;
}

int pl_cli_model_any(const struct pl_cli *cli, const char *spec, const char *quant,
                     struct pl_model **ret, struct pl_err *err)
{
    const struct pl_open_options o = {
        .offline = pl_cli_offline(cli), .checkpoints = true, .quant = quant};
    int rc = pl_cli_catalogue(cli, err);
    return rc < 0 ? rc : pl_model_open_with(spec, &o, ret, err);
}

int pl_cli_model(const struct pl_cli *cli, const char *spec, const volatile sig_atomic_t *stop,
                 struct pl_model **ret, struct pl_err *err)
{
    const struct pl_open_options o = {.offline = pl_cli_offline(cli), .stop = stop};
    int rc = pl_cli_catalogue(cli, err);
    if (rc == 0)
        rc = pl_model_open_with(spec, &o, ret, err);
    if (rc < 0 || (*ret)->format == NULL)
        return rc;
    (void)pl_fail(err, -ENOTSUP, "%.120s: is a %s model, which llama.cpp does not load", spec,
                  (*ret)->format);
    if (pl_streq((*ret)->format, PL_WHISPER_FORMAT))
        (void)pl_hint(
            err, "whisper-server of whisper.cpp loads it: 'plimsoll estimate' tells its needs");
    else
        (void)pl_hint(err, "estimate it with --engine transformers or vllm, or name its GGUF file");
    *ret = pl_model_free(*ret);
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_USAGE);
}
