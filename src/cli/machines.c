/* plimsoll machines: the machines of a fleet, by name. */
#include "base/clock.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"
#include "machine/machine_file.h"
#include "machine/registry.h"
#include "report/json_unknown.h"
#include "report/machine.h"
#include "report/quantity.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* As the machine file's own limit. */
#define PL_MACHINE_TEXT_MAX (4u * 1024u * 1024u)
/* What a vendor calls 8 GB and a driver 7.8 GiB is one size; see machine/device_data.c. */
#define PL_TYPED_LESS 0.88
#define PL_TYPED_MORE 1.08

/* One machine as a row. */
struct pl_member {
    char name[PL_REGISTRY_NAME_MAX];
    char id[40], gpu[200], compute_capability[16], flags[400], error[200];
    struct pl_registry_about about;
    struct pl_quantity vram, ram; /* vram: the largest device */
    int64_t profiled_unix;        /* 0 = pending */
    bool most_constrained;
};

static void pl_flag(struct pl_member *b, const char *what, const char *typed, const char *read)
{
    size_t n = strlen(b->flags);
    (void)pl_fmt(b->flags + n, sizeof(b->flags) - n, "%s%s: %s typed, %s read", n > 0 ? "; " : "",
                 what, typed, read);
}

static void pl_member_devices(const struct pl_machine *m, struct pl_member *b)
{
    b->vram = PL_QUANTITY_UNKNOWN("no device");
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        struct pl_quantity q = pl_known(d->total) ? d->total : d->nominal;
        size_t n = strlen(b->gpu);
        (void)pl_fmt(b->gpu + n, sizeof(b->gpu) - n, "%s%s", n > 0 ? ", " : "", d->name);
        if (pl_known(q) && (!pl_known(b->vram) || q.likely > b->vram.likely)) {
            b->vram = q;
            (void)PL_FMT(b->compute_capability, "%s", d->compute_capability);
        }
    }
    for (uint32_t i = 0; m->n_device == 0 && i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        if (p->kind == PL_POOL_DEDICATED && pl_known(p->capacity) &&
            (!pl_known(b->vram) || p->capacity.likely > b->vram.likely))
            b->vram = p->capacity;
    }
}

/* What was typed and what was read, both shown where they disagree. */
static void pl_member_compare(struct pl_member *b)
{
    char typed[PL_SIZE_TEXT_MAX], read[PL_SIZE_TEXT_MAX];
    const struct pl_registry_about *a = &b->about;
    if (pl_known(a->vram)) {
        double part = pl_known(b->vram) && a->vram.likely > 0
                          ? (double)b->vram.likely / (double)a->vram.likely
                          : 0;
        if (part < PL_TYPED_LESS || part > PL_TYPED_MORE)
            pl_flag(b, "memory of the device", pl_gb_text(a->vram.likely, typed),
                    pl_known(b->vram) ? pl_size_text(b->vram.likely, read) : "none");
    }
    if (a->gpu[0] != '\0' && strcasestr(b->gpu, a->gpu) == NULL)
        pl_flag(b, "device", a->gpu, b->gpu[0] != '\0' ? b->gpu : "none");
    if (a->compute_capability[0] != '\0' &&
        strcasecmp(a->compute_capability, b->compute_capability) != 0)
        pl_flag(b, "compute capability", a->compute_capability,
                b->compute_capability[0] != '\0' ? b->compute_capability : "unknown");
}

static int pl_member_run(void *ctx, const struct pl_run *run)
{
    struct pl_member *b = ctx;
    b->profiled_unix = run->started_unix;
    return 1;
}

static void pl_member_read(const char *name, struct pl_ledger *ledger, struct pl_member *b)
{
    static struct pl_machine m;
    char path[PL_PATH_TEXT_MAX];
    struct pl_err err = {0};
    *b = (struct pl_member){.vram = PL_QUANTITY_UNKNOWN("not read"),
                            .ram = PL_QUANTITY_UNKNOWN("not read")};
    (void)PL_FMT(b->name, "%s", name);
    int rc = pl_registry_about(name, &b->about, &err);
    if (rc == 0)
        rc = pl_registry_path(name, path, &err);
    if (rc == 0)
        rc = pl_machine_load(path, &m, &err);
    if (rc < 0) {
        (void)PL_FMT(b->error, "%.190s", err.what);
        return;
    }
    const struct pl_pool *ram = pl_machine_pool_const(&m, "ram");
    (void)PL_FMT(b->id, "%s", m.id);
    if (ram != NULL)
        b->ram = ram->capacity;
    pl_member_devices(&m, b);
    pl_member_compare(b);
    struct pl_ledger_filter filter = {.machine_id = m.id, .ok_only = true, .limit = 1};
    if (ledger != NULL && m.id[0] != '\0')
        (void)pl_ledger_runs(ledger, &filter, pl_member_run, b, NULL);
}

/* The least memory of a device; among equals, and among machines without one, the least RAM. A
 * machine without a device is left out where others have one: it is another kind, not less. */
static void pl_members_constrained(struct pl_member *b, uint32_t n)
{
    struct pl_member *least = NULL;
    for (uint32_t i = 0; i < n; i++) {
        bool device = pl_known(b[i].vram);
        if (b[i].error[0] != '\0' || (!device && !pl_known(b[i].ram)))
            continue;
        uint64_t vram = device ? b[i].vram.likely : UINT64_MAX;
        uint64_t best = least != NULL && pl_known(least->vram) ? least->vram.likely : UINT64_MAX;
        uint64_t ram = pl_known(b[i].ram) ? b[i].ram.likely : UINT64_MAX;
        uint64_t most = least != NULL && pl_known(least->ram) ? least->ram.likely : UINT64_MAX;
        if (least == NULL || vram < best || (vram == best && ram < most))
            least = &b[i];
    }
    if (least != NULL && n > 1)
        least->most_constrained = true;
}

static void pl_members_text(const struct pl_member *b, uint32_t n, struct pl_str *out)
{
    static const char *const titles[] = {"Name", "Id",  "GPU",     ">VRAM", "Compute",
                                         ">RAM", "Use", "Profile", "",      NULL};
    char a[PL_QUANTITY_TEXT_MAX], c[PL_QUANTITY_TEXT_MAX], when[PL_TIME_TEXT_MAX];
    struct pl_table *t = pl_table_new(titles);
    for (uint32_t i = 0; i < n; i++) {
        pl_table_row(t);
        pl_table_cell(t, "%s", b[i].name);
        pl_table_cell(t, "%.8s", b[i].id[0] != '\0' ? b[i].id : "unknown");
        pl_table_cell(t, "%s", b[i].gpu[0] != '\0' ? b[i].gpu : "none");
        pl_table_cell(t, "%s", pl_known(b[i].vram) ? pl_quantity_text(b[i].vram, a) : "none");
        pl_table_cell(t, "%s", b[i].compute_capability[0] != '\0' ? b[i].compute_capability : "-");
        pl_table_cell(t, "%s", pl_quantity_text(b[i].ram, c));
        pl_table_cell(t, "%s", b[i].about.use[0] != '\0' ? b[i].about.use : "-");
        pl_table_cell(t, "%.16s%.10s", b[i].profiled_unix > 0 ? "profiled " : "pending",
                      b[i].profiled_unix > 0 ? pl_utc_text(b[i].profiled_unix, when) : "");
        pl_table_cell(t, "%s",
                      b[i].error[0] != '\0'   ? b[i].error
                      : b[i].most_constrained ? "most constrained"
                                              : "");
    }
    pl_table_print(t, out, pl_colour_wanted(STDOUT_FILENO));
    (void)pl_table_free(t);
    for (uint32_t i = 0; i < n; i++) {
        if (b[i].flags[0] != '\0')
            pl_str_addf(out, "%s: %s: both are kept\n", b[i].name, b[i].flags);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (b[i].profiled_unix == 0 && b[i].error[0] == '\0') {
            pl_str_addf(out, "pending: run 'plimsoll try MODEL' there, with this ledger\n");
            break;
        }
    }
}

static void pl_members_json(const struct pl_member *b, uint32_t n, struct pl_str *out)
{
    struct pl_json j;
    char when[PL_TIME_TEXT_MAX];
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.machines/1");
    pl_json_array(&j, "machines");
    for (uint32_t i = 0; i < n; i++) {
        pl_json_object(&j, NULL);
        pl_json_str(&j, "name", b[i].name);
        pl_json_word(&j, "id", b[i].id);
        pl_json_word(&j, "gpu", b[i].gpu);
        pl_json_quantity(&j, "vram", b[i].vram);
        pl_json_word(&j, "compute_capability", b[i].compute_capability);
        pl_json_quantity(&j, "ram", b[i].ram);
        pl_json_word(&j, "use", b[i].about.use);
        pl_json_str(&j, "profile", b[i].profiled_unix > 0 ? "profiled" : "pending");
        pl_json_str(&j, "profiled",
                    b[i].profiled_unix > 0 ? pl_utc_text(b[i].profiled_unix, when) : NULL);
        pl_json_bool(&j, "most_constrained", b[i].most_constrained);
        pl_json_word(&j, "disagrees", b[i].flags);
        pl_json_word(&j, "error", b[i].error);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_end(&j);
}

static int pl_machines_list(struct pl_cli *cli, struct pl_err *err)
{
    static char name[PL_REGISTRY_MAX][PL_REGISTRY_NAME_MAX];
    struct pl_ledger *ledger = NULL;
    uint32_t n = 0;
    int rc = pl_registry_list(name, &n, err);
    if (rc < 0)
        return rc;
    struct pl_member *b = calloc((size_t)n + 1, sizeof(*b));
    if (b == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list of machines");
    (void)pl_ledger_open(pl_cli_opt(cli, "ledger")->text, PL_LEDGER_READ, &ledger, NULL);
    for (uint32_t i = 0; i < n; i++)
        pl_member_read(name[i], ledger, &b[i]);
    (void)pl_ledger_close(ledger);
    pl_members_constrained(b, n);
    if (cli->json)
        pl_members_json(b, n, &cli->out);
    else if (n > 0)
        pl_members_text(b, n, &cli->out);
    else
        pl_str_add(&cli->out, "no machines yet; 'plimsoll machines add FILE' keeps one\n");
    free(b);
    return PL_EXIT_YES;
}

/* FILE without its folder and its ending. */
static void pl_machines_name(const char *file, char *out, size_t size)
{
    const char *base = strrchr(file, '/');
    (void)pl_fmt(out, size, "%s", base != NULL ? base + 1 : file);
    if (pl_ends(out, ".json"))
        out[strlen(out) - 5] = '\0';
}

static int pl_machines_add(struct pl_cli *cli, const char *file, struct pl_err *err)
{
    static struct pl_machine m;
    struct pl_registry_about about = {.vram = PL_QUANTITY_UNKNOWN("nobody said"),
                                      .added_unix = pl_utc_now()};
    const struct pl_opt_value *vram = pl_cli_opt(cli, "vram"), *name = pl_cli_opt(cli, "name");
    char own[256];
    struct pl_str text;
    if (name->given)
        (void)PL_FMT(own, "%s", name->text);
    else
        pl_machines_name(file, own, sizeof(own));
    const struct {
        const char *opt;
        char *out;
        size_t size;
    } word[] = {
        {"use", about.use,                sizeof(about.use)               },
        {"gpu", about.gpu,                sizeof(about.gpu)               },
        {"cc",  about.compute_capability, sizeof(about.compute_capability)}
    };
    for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
        if (pl_cli_opt(cli, word[i].opt)->given)
            (void)pl_text_cut(word[i].out, word[i].size, pl_cli_opt(cli, word[i].opt)->text);
    }
    if (vram->given)
        about.vram = pl_exact(vram->u, PL_SOURCE_DECLARED, "typed when it was added");
    pl_str_init(&text, PL_MACHINE_TEXT_MAX);
    int rc = pl_file_text(file, &text, err);
    if (rc == 0)
        rc = pl_machine_parse(pl_str_get(&text), text.len, file, &m, err);
    if (rc == 0)
        rc = pl_registry_add(own, pl_str_get(&text), text.len, &about,
                             pl_cli_opt(cli, "force")->given, err);
    pl_str_done(&text);
    return rc < 0 ? rc : pl_machines_list(cli, err);
}

static int pl_machines_show(struct pl_cli *cli, const char *name, struct pl_err *err)
{
    static struct pl_machine m;
    char path[PL_PATH_TEXT_MAX];
    int rc = pl_registry_path(name, path, err);
    if (rc == 0 && access(path, F_OK) < 0) {
        rc = pl_fail(err, -ENOENT, "no machine '%s' is registered", name);
        (void)pl_hint(err, "'plimsoll machines list' lists them");
        return pl_exit_as(err, rc, PL_EXIT_USAGE);
    }
    if (rc == 0)
        rc = pl_machine_load(path, &m, err);
    if (rc < 0)
        return rc;
    if (cli->json)
        pl_machine_json(&m, &cli->out);
    else
        pl_machine_text(&m, pl_colour_wanted(STDOUT_FILENO), &cli->out);
    return PL_EXIT_YES;
}

static int pl_machines_run(struct pl_cli *cli, struct pl_err *err)
{
    const char *what = cli->n_arg > 0 ? cli->arg[0] : "list";
    const char *name = cli->n_arg > 1 ? cli->arg[1] : NULL;
    if (pl_streq(what, "list") && name == NULL)
        return pl_machines_list(cli, err);
    if (pl_streq(what, "add") && name != NULL)
        return pl_machines_add(cli, name, err);
    if (pl_streq(what, "show") && name != NULL)
        return pl_machines_show(cli, name, err);
    if (pl_streq(what, "remove") && name != NULL) {
        int rc = pl_registry_remove(name, err);
        return rc < 0 ? rc : pl_machines_list(cli, err);
    }
    (void)pl_fail(err, -EINVAL, "machines: '%.40s' is not list, add FILE, show NAME or remove NAME",
                  what);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static const struct pl_opt pl_machines_opts[] = {
    {"name",                                '\0', PL_OPT_TEXT, "NAME", "add: the name it gets (the file's)"},
    {"use",                          '\0', PL_OPT_TEXT, "TEXT", "add: what it is for"},
    {"vram", '\0', PL_OPT_SIZE, "SIZE",
     "add: memory of its device as you know it, compared with the reading"},
    {"gpu",                                 '\0', PL_OPT_TEXT, "TEXT", "add: its device as you know it, compared too"},
    {"cc",                          '\0', PL_OPT_TEXT, "X.Y", "add: its compute capability as you know it, compared too"},
    {"force",                '\0', PL_OPT_FLAG, NULL, "add: replace a machine of that name"},
    {"ledger",                                '\0', PL_OPT_PATH, "FILE", "the ledger that says which were profiled"},
    {0                         },
};

static const char *const pl_machines_examples[] = {
    "plimsoll machines add laptop.json --use 'voice at home'  # from: plimsoll assess --json",
    "plimsoll machines list",
    "plimsoll estimate qwen3-8b --machine laptop",
    0,
};

const struct pl_verb pl_verb_machines = {
    .name = "machines",
    .args = "[list | add FILE | show NAME | remove NAME]",
    .summary = "machines kept by name: devices, memory, use, profiled or pending",
    .details = "FILE is what 'plimsoll assess --json' wrote on that machine. A registered name\n"
               "stands for it wherever --machine is asked for; a file of that name wins.",
    .examples = pl_machines_examples,
    .opts = pl_machines_opts,
    .args_max = 2,
    .run = pl_machines_run,
};
