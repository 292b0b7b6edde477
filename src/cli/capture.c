#include "cli/capture.h"

#include "base/clock.h"
#include "base/units.h"
#include "report/machine.h"
#include "sys/newfile.h"

#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

static void pl_capture_told(const struct pl_capture_order *o, size_t bytes, uint32_t files,
                            const struct pl_redact *redact, struct pl_str *out)
{
    char text[PL_SIZE_TEXT_MAX];
    pl_str_addf(out, "%s: %s, %u files; ", o->file, pl_size_text(bytes, text), files);
    if (redact == NULL) {
        pl_str_add(out, "nothing was taken out: it names this machine and its users\n");
        return;
    }
    pl_str_add(out, "taken out: ");
    pl_redact_report(redact, out);
    pl_str_add(out, "\n");
}

int pl_capture_save(const struct pl_capture_order *o, struct pl_str *ret_told, struct pl_err *err)
{
    struct pl_capture_extra extra[PL_CAPTURE_EXTRA_MAX + 1] = {{0}};
    struct pl_str json, archive;
    struct utsname un;
    uint32_t files = 0;
    struct pl_redact *redact = o->redact ? pl_redact_new() : NULL;
    if (o->redact && redact == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the capture");
    if (redact != NULL && uname(&un) == 0)
        pl_redact_host(redact, un.nodename);
    if (redact != NULL)
        pl_redact_literal(redact, o->machine->id);
    pl_str_init(&json, PL_TAPE_FILE_BYTES_MAX);
    pl_str_init(&archive, PL_CAPTURE_BYTES_MAX);
    pl_machine_json(o->machine, &json);
    extra[0] = (struct pl_capture_extra){"plimsoll/assess.json", pl_str_get(&json)};
    for (size_t i = 0; o->extra != NULL && o->extra[i].name != NULL && i + 1 < PL_CAPTURE_EXTRA_MAX;
         i++)
        extra[i + 1] = o->extra[i];
    const struct pl_capture c = {o->tape, redact, extra, pl_utc_now()};
    int rc = pl_capture_build(&c, &archive, &files, err);
    if (rc == 0) /* not for others to read before its owner has looked at it */
        rc = pl_newfile_write(o->file, pl_str_get(&archive), archive.len, 0600, o->force, err);
    if (rc == 0)
        pl_capture_told(o, archive.len, files, redact, ret_told);
    redact = pl_redact_free(redact);
    pl_str_done(&json);
    pl_str_done(&archive);
    return rc;
}

int pl_cli_capture(struct pl_cli *cli, const struct pl_assess_options *options,
                   struct pl_machine *ret, struct pl_err *err)
{
    struct pl_str told;
    struct pl_assess_options with = *options;
    with.tape = pl_tape_new();
    if (with.tape == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the capture");
    const struct pl_capture_order order = {
        .file = pl_cli_opt(cli, "capture")->text,
        .redact = !pl_cli_opt(cli, "no-redact")->given,
        .force = pl_cli_opt(cli, "force")->given,
        .tape = with.tape,
        .machine = ret,
    };
    pl_str_init(&told, 4096);
    int rc = pl_assess(&with, ret, err);
    if (rc == 0)
        rc = pl_capture_save(&order, &told, err);
    if (rc == 0)
        (void)fputs(pl_str_get(&told), stderr);
    pl_str_done(&told);
    with.tape = pl_tape_free(with.tape);
    return rc;
}
