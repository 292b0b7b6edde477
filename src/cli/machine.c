#include "cli/machine.h"

#include "base/clock.h"
#include "base/str.h"
#include "cli/sample.h"
#include "cli/verb.h"
#include "engine/llamacpp/rpc.h"
#include "ledger/ledger.h"
#include "machine/assess.h"
#include "machine/capture.h"
#include "machine/compute.h"
#include "machine/device_data.h"
#include "machine/device_machine.h"
#include "machine/machine_file.h"
#include "machine/registry.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool pl_cli_model_dir_own(char out[PL_PATH_TEXT_MAX])
{
    const char *dir = getenv("PLIMSOLL_MODELS");
    const char *home = getenv("HOME");
    if (dir != NULL && dir[0] != '\0' && pl_fmt(out, PL_PATH_TEXT_MAX, "%s", dir))
        return true;
    return home != NULL && home[0] == '/' && pl_fmt(out, PL_PATH_TEXT_MAX, "%s/models", home) &&
           access(out, F_OK) == 0;
}

const char *pl_cli_model_dir(char out[PL_PATH_TEXT_MAX])
{
    char real[PATH_MAX];
    if (!pl_cli_model_dir_own(out))
        (void)pl_fmt(out, PL_PATH_TEXT_MAX, "%s", realpath(".", real) != NULL ? real : ".");
    return out;
}

int pl_cli_bandwidth_remembered(const void *ctx, char *out, size_t size)
{
    struct pl_ledger *ledger = NULL;
    struct pl_rate one = {0}, all = {0}, int8 = {0}, fma = {0};
    struct pl_err err = {0};
    int64_t when = 0;
    int rc = pl_ledger_open(NULL, PL_LEDGER_READ, &ledger, &err);
    if (rc == 0)
        rc = pl_ledger_bandwidth_get(ledger, ctx, &one, &all, &when, &err);
    if (rc == 0)
        rc = pl_ledger_compute_get(ledger, ctx, &int8, &fma, &err);
    uint32_t kind = 0; /* the ledger's own text ends with its handle */
    while (kind + 1 < PL_COMPUTE_KINDS && int8.why != NULL &&
           !pl_streq(pl_compute_why(false, kind), int8.why))
        kind++;
    ledger = pl_ledger_close(ledger);
    if (rc < 0) {
        (void)pl_fmt(out, size, "failed %.110s", err.what);
        return 0;
    }
    if (when == 0)
        return -ENODATA;
    bool fits = pl_fmt(out, size, "%.17g %.17g %.17g %.17g %.17g %.17g %lld", one.low, one.likely,
                       one.high, all.low, all.likely, all.high, (long long)when);
    size_t n = strlen(out);
    if (fits && int8.source == PL_SOURCE_MEASURED && fma.source == PL_SOURCE_MEASURED)
        fits = pl_fmt(out + n, size - n, " %.17g %.17g %.17g %.17g %.17g %.17g %u", int8.low,
                      int8.likely, int8.high, fma.low, fma.likely, fma.high, kind);
    return fits ? 0 : -E2BIG;
}

void pl_cli_bandwidth_keep(struct pl_machine *m)
{
    const struct pl_pool *ram = pl_machine_pool(m, "ram");
    struct pl_ledger *ledger = NULL;
    struct pl_err err = {0};
    if (ram == NULL || ram->bandwidth.source != PL_SOURCE_MEASURED || !m->this_system)
        return;
    if (m->id[0] == '\0') {
        pl_machine_note(m, "bandwidth is not remembered: this machine has no identity");
        return;
    }
    int rc = pl_ledger_open(NULL, PL_LEDGER_WRITE, &ledger, &err);
    if (rc == 0)
        rc = pl_ledger_bandwidth_put(ledger, m->id, ram->bandwidth_one, ram->bandwidth,
                                     pl_utc_now(), &err);
    if (rc == 0 && m->cpu.int8.source == PL_SOURCE_MEASURED)
        rc = pl_ledger_compute_put(ledger, m->id, m->cpu.int8, m->cpu.fma, pl_utc_now(), &err);
    if (rc < 0)
        pl_machine_note(m, "bandwidth is not remembered: %.120s", err.what);
    ledger = pl_ledger_close(ledger);
}

static int pl_cli_assess(const char *file, bool brief, struct pl_machine *ret, struct pl_err *err)
{
    char dir[PL_PATH_TEXT_MAX];
    if (file != NULL && !pl_is_capture(file))
        return pl_machine_load(file, ret, err);
    struct pl_assess_options options = {.root = file,
                                        .model_dir = pl_cli_model_dir(dir),
                                        .sampler = PL_CLI_SELF,
                                        .remembered = pl_cli_bandwidth_remembered,
                                        .brief = brief};
    return pl_assess(&options, ret, err);
}

int pl_cli_machine(const char *file, struct pl_machine *ret, struct pl_err *err)
{
    return pl_cli_assess(file, false, ret, err);
}

int pl_cli_machine_brief(struct pl_machine *ret, struct pl_err *err)
{
    return pl_cli_assess(NULL, true, ret, err);
}

/* What a name that is no file may have meant. */
static int pl_cli_machine_hint(const char *name, int rc, struct pl_err *err)
{
    if (name == NULL || rc != -ENOENT || strchr(name, '/') != NULL)
        return rc;
    if (pl_device_row(name, NULL) != NULL)
        pl_hint(err, "a device of the data is --device %s", name);
    else
        pl_hint(err,
                "'plimsoll machines' lists the registered ones, 'plimsoll assess --json' writes "
                "a file");
    return rc;
}

int pl_cli_machine_asked(const struct pl_cli *cli, struct pl_machine *ret, struct pl_err *err)
{
    const struct pl_opt_value *file = pl_cli_opt(cli, "machine");
    const struct pl_opt_value *device = pl_cli_opt(cli, "device"), *ram = pl_cli_opt(cli, "ram");
    int rc = 0;
    if (file->given && device->given)
        rc = pl_fail(err, -EINVAL, "--machine and --device exclude each other");
    else if (ram->given && !device->given)
        rc = pl_fail(err, -EINVAL, "--ram says what a machine of --device has; there is none");
    else if (ram->given && ram->u == 0)
        rc = pl_fail(err, -EINVAL, "--ram: a machine without main memory runs nothing");
    if (rc < 0)
        return pl_exit_as(err, rc, PL_EXIT_USAGE);
    /* a file of that name wins; then a registered machine; else the error is that of a file */
    if (file->given && !pl_streq(file->text, "-") && access(file->text, F_OK) < 0 &&
        pl_registry_has(file->text)) {
        char path[PL_PATH_TEXT_MAX];
        rc = pl_registry_path(file->text, path, err);
        if (rc == 0)
            rc = pl_cli_machine(path, ret, err);
    } else {
        rc = device->given ? pl_device_machine(device->text, ram->u, ret, err)
                           : pl_cli_assess(file->text, file->text == NULL, ret, err);
        rc = pl_cli_machine_hint(device->given ? NULL : file->text, rc, err);
    }
    return rc == 0 && cli->settings.rpc != NULL ? pl_llamacpp_rpc(cli->settings.rpc, ret, err) : rc;
}
