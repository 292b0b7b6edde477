/* plimsoll doctor: what is missing, what that costs and how to get it. */
#include "cli/doctor.h"
#include "base/json.h"
#include "cli/doctor_bundle.h"
#include "cli/machine.h"
#include "cli/verbs.h"
#include "machine/assess.h"
#include "machine/capture.h"
#include "machine/machine_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const struct pl_check *const pl_doctor_topics[] = {
    pl_checks_engines, pl_checks_devices, pl_checks_memory,
    pl_checks_cpu,     pl_checks_storage, pl_checks_place,
};
#define PL_TOPICS (sizeof(pl_doctor_topics) / sizeof(pl_doctor_topics[0]))

const char *pl_level_name(enum pl_level level)
{
    static const char *const name[] = {"cannot tell", "ok", "note", "warning", "error"};
    return name[level];
}

void pl_find(struct pl_finding *ret, enum pl_level level, const char *costs, const char *get,
             const char *fmt, ...)
{
    va_list ap;
    ret->level = level;
    (void)PL_FMT(ret->costs, "%s", costs != NULL ? costs : "");
    (void)PL_FMT(ret->get, "%s", get != NULL ? get : "");
    va_start(ap, fmt);
    (void)vsnprintf(ret->found, sizeof(ret->found), fmt, ap);
    va_end(ap);
    pl_text_clean(ret->found);
}

bool pl_patient_u64(const struct pl_patient *p, const char *path, uint64_t *ret)
{
    return p->root != NULL && pl_read_u64(p->root, path, ret, NULL) == 0;
}

static void pl_doctor_one(const struct pl_check *c, const struct pl_finding *f, bool all,
                          struct pl_str *out)
{
    if (f->level == PL_LEVEL_UNKNOWN) {
        if (all)
            pl_str_addf(out, "%-8s %s\n", "-", c->about);
        return;
    }
    pl_str_addf(out, "%-8s %s\n", pl_level_name(f->level), f->found);
    if (f->costs[0] != '\0')
        pl_str_addf(out, "%-8s   costs  %s\n", "", f->costs);
    if (f->get[0] != '\0')
        pl_str_addf(out, "%-8s   get it %s\n", "", f->get);
}

static void pl_doctor_json_one(struct pl_json *j, const struct pl_check *c,
                               const struct pl_finding *f)
{
    bool known = f->level != PL_LEVEL_UNKNOWN;
    pl_json_object(j, NULL);
    pl_json_str(j, "check", c->id);
    pl_json_str(j, "topic", c->topic);
    pl_json_str(j, "about", c->about);
    pl_json_str(j, "level", pl_level_name(f->level));
    pl_json_str(j, "found", known ? f->found : NULL);
    pl_json_str(j, "costs", f->costs[0] != '\0' ? f->costs : NULL);
    pl_json_str(j, "get", f->get[0] != '\0' ? f->get : NULL);
    pl_json_end(j);
}

/* Runs every check; text or JSON. Returns how bad the worst is. */
static enum pl_level pl_doctor_all(const struct pl_patient *p, bool json, struct pl_str *out)
{
    enum pl_level worst = PL_LEVEL_UNKNOWN;
    unsigned count[PL_LEVEL_ERROR + 1] = {0};
    struct pl_json j;
    pl_json_start(&j, out, true);
    if (json) {
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.doctor/1");
        pl_json_bool(&j, "this_system", p->m->this_system);
        pl_json_array(&j, "checks");
    }
    for (size_t t = 0; t < PL_TOPICS; t++) {
        const struct pl_check *c = pl_doctor_topics[t];
        if (!json)
            pl_str_addf(out, "%s%s\n", t > 0 ? "\n" : "", c->topic);
        for (; c->id != NULL; c++) {
            struct pl_finding f = {0};
            c->run(p, &f);
            count[f.level]++;
            worst = f.level > worst ? f.level : worst;
            if (json)
                pl_doctor_json_one(&j, c, &f);
            else
                pl_doctor_one(c, &f, true, out);
        }
    }
    if (json) {
        pl_json_end(&j);
        pl_json_bool(&j, "can_run", worst < PL_LEVEL_ERROR);
        pl_json_end(&j);
    } else {
        pl_str_addf(
            out,
            "\n%u errors, %u warnings, %u notes, %u ok, %u that do not apply or cannot be told\n",
            count[PL_LEVEL_ERROR], count[PL_LEVEL_WARNING], count[PL_LEVEL_NOTE],
            count[PL_LEVEL_OK], count[PL_LEVEL_UNKNOWN]);
    }
    return worst;
}

/* A machine file has no root: only what it says can be looked at. */
static int pl_doctor_read(const char *file, struct pl_tape *tape, struct pl_machine *m,
                          struct pl_root *root, bool *ret_rooted, struct pl_err *err)
{
    char dir[PL_PATH_TEXT_MAX];
    *ret_rooted = file == NULL || pl_is_capture(file);
    if (!*ret_rooted)
        return pl_machine_load(file, m, err);
    struct pl_assess_options options = {.root = file,
                                        .model_dir = pl_cli_model_dir(dir),
                                        .remembered = pl_cli_bandwidth_remembered,
                                        .tape = tape};
    int rc = pl_assess(&options, m, err);
    if (rc == 0)
        rc = pl_root_open(file, root, err);
    if (rc == 0)
        root->tape = tape;
    return rc;
}

static int pl_doctor_options(struct pl_cli *cli, const char **ret_file, struct pl_err *err)
{
    const char *root = pl_cli_opt(cli, "root")->text;
    const char *machine = pl_cli_opt(cli, "machine")->text;
    const char *bundle = pl_cli_opt(cli, "bundle")->text;
    const char *why = NULL;
    if (root != NULL && machine != NULL)
        why = "doctor: --root and --machine exclude each other";
    else if (bundle != NULL && (root != NULL || machine != NULL))
        why = "doctor: --bundle is of this machine";
    else if (root != NULL && !pl_is_capture(root))
        why = "doctor: --root takes a folder with proc and sys, or a capture";
    if (why != NULL)
        return pl_exit_as(err, pl_fail(err, -EINVAL, "%s", why), PL_EXIT_USAGE);
    *ret_file = root != NULL ? root : machine;
    return 0;
}

static int pl_doctor_run(struct pl_cli *cli, struct pl_err *err)
{
    static struct pl_machine m;
    struct pl_root root = {.fd = -1};
    const char *file = NULL, *bundle = pl_cli_opt(cli, "bundle")->text;
    bool rooted = false;
    enum pl_level worst = PL_LEVEL_UNKNOWN;
    int rc = pl_doctor_options(cli, &file, err);
    if (rc < 0)
        return rc;
    struct pl_tape *tape = bundle != NULL ? pl_tape_new() : NULL;
    if (bundle != NULL && tape == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the bundle");
    rc = pl_doctor_read(file, tape, &m, &root, &rooted, err);
    if (rc == 0) {
        const struct pl_patient p = {&m, rooted ? &root : NULL};
        worst = pl_doctor_all(&p, cli->json, &cli->out);
        if (bundle != NULL)
            rc = pl_doctor_bundle(cli, tape, &m, err);
    }
    pl_root_done(&root);
    tape = pl_tape_free(tape);
    if (rc < 0)
        return rc;
    return worst == PL_LEVEL_ERROR ? PL_EXIT_NO : PL_EXIT_YES;
}

static const struct pl_opt pl_doctor_opts[] = {
    {"root",                                                              '\0', PL_OPT_PATH, "DIR",
     "examine another machine: a folder with proc and sys, or a capture"},
    {"machine",                                                        'M', PL_OPT_PATH, "FILE", "the machine of this file (assess --json), or a capture"},
    {"bundle", '\0', PL_OPT_PATH, "FILE",
     "write a bug report to FILE: capture, findings, versions, last runs"},
    {"runs",                                                           '\0', PL_OPT_NUMBER, "N", "with --bundle: the last N runs of the ledger (10)"},
    {"no-redact",                                                        '\0', PL_OPT_FLAG, NULL,
     "with --bundle: leave names, addresses and serial numbers in"},
    {"force",           '\0', PL_OPT_FLAG, NULL, "with --bundle: replace FILE"},
    {0                                                           },
};

static const char *const pl_doctor_examples[] = {
    "plimsoll doctor  # before anything else on a new machine",
    "plimsoll doctor --bundle report.tar  # everything a bug report needs, without names",
    "plimsoll doctor --root report.tar  # somebody else's machine",
    0,
};

const struct pl_verb pl_verb_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "what is missing for running models, what that costs, how to get it",
    .details = "Looks at engines, drivers, permissions, limits and settings; changes nothing. Ends "
               "with status 1 when something keeps every model from running.",
    .examples = pl_doctor_examples,
    .opts = pl_doctor_opts,
    .run = pl_doctor_run,
};
