/* plimsoll calibration: what the ledger teaches, out of it and into it. */
#include "base/json.h"
#include "base/table.h"
#include "cli/verbs.h"
#include "ledger/ledger.h"
#include "ledger/observe.h"
#include "sys/file.h"
#include "sys/newfile.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define PL_CALIBRATION_TEXT_MAX (1024u * 1024u)
#define PL_CALIBRATION_SCHEMA "plimsoll.calibration/1"

/* Every key that was seen, with what it teaches: borrowed from the observations. */
struct pl_known_correction {
    struct pl_correction_key key;
    struct pl_learned learned;
};

struct pl_known_corrections {
    struct pl_known_correction *one;
    uint32_t n;
    struct pl_known_correction *own; /* of one model and its settings */
    uint32_t n_own;
};

static bool pl_same_key(const struct pl_correction_key *a, const struct pl_correction_key *b)
{
    return a->target == b->target && a->on_device == b->on_device &&
           pl_streq(a->version, b->version) && pl_streq(a->backend, b->backend) &&
           pl_streq(a->arch, b->arch) && pl_streq(a->machine, b->machine);
}

static int pl_known_add(const struct pl_observations *o, struct pl_known_corrections *k,
                        struct pl_correction_key key)
{
    struct pl_known_correction one = {.key = key};
    for (uint32_t i = 0; i < k->n; i++) {
        if (pl_same_key(&k->one[i].key, &key))
            return 0;
    }
    int rc = pl_learn(o, &key, 0, &one.learned);
    /* what is borrowed from other architectures is theirs */
    if (rc < 0 || k->n >= PL_IMPORTED_MAX || (one.learned.any_arch && !one.learned.imported))
        return rc;
    k->one[k->n++] = one;
    return 0;
}

/* What a model's own runs teach for itself. */
static int pl_known_own(const struct pl_observations *o, struct pl_known_corrections *k,
                        struct pl_correction_key key)
{
    struct pl_known_correction one = {.key = key};
    for (uint32_t i = 0; i < k->n_own; i++) {
        const struct pl_correction_key *had = &k->own[i].key;
        if (pl_same_key(had, &key) && pl_streq(had->model, key.model) &&
            pl_streq(had->quant, key.quant) && pl_streq(had->alike, key.alike))
            return 0;
    }
    int rc = k->n_own < PL_IMPORTED_MAX ? pl_learn(o, &key, 0, &one.learned) : 0;
    if (rc == 0 && one.learned.own)
        k->own[k->n_own++] = one;
    return rc;
}

static int pl_known_corrections(const struct pl_observations *o, struct pl_known_corrections *k)
{
    int rc = 0;
    k->n = k->n_own = 0;
    k->one = calloc(PL_IMPORTED_MAX, sizeof(*k->one));
    k->own = calloc(PL_IMPORTED_MAX, sizeof(*k->own));
    if (k->one == NULL || k->own == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < o->n; i++) {
        const struct pl_observed *one = &o->one[i];
        const struct pl_observed_run *r = &o->run[one->run];
        bool speed = pl_target_is_speed(one->target);
        if (!one->soft || !(speed ? r->learns : r->memory))
            continue;
        struct pl_correction_key key = {.version = r->version,
                                        .backend = r->backend,
                                        .arch = r->arch,
                                        .machine = speed ? r->machine : "",
                                        .target = one->target,
                                        .on_device = one->on_device};
        rc = pl_known_add(o, k, key);
        key.machine = r->machine;
        key.model = r->model;
        key.quant = r->quant;
        key.alike = r->alike;
        rc = rc == 0 ? pl_known_own(o, k, key) : rc;
    }
    for (uint32_t i = 0; rc == 0 && i < o->n_imported; i++) {
        const struct pl_imported *m = &o->imported[i];
        rc = pl_known_add(o, k,
                          (struct pl_correction_key){.version = m->version,
                                                     .backend = m->backend,
                                                     .arch = m->arch,
                                                     .machine = m->machine,
                                                     .target = m->target,
                                                     .on_device = m->on_device});
    }
    return rc;
}

static void pl_calibration_clean(struct pl_table *t, const char *text)
{
    char shown[128];
    (void)PL_FMT(shown, "%s", text[0] != '\0' ? text : "any");
    pl_text_clean(shown);
    pl_table_cell(t, "%s", shown);
}

static void pl_calibration_figures(struct pl_table *t, const struct pl_known_correction *k)
{
    const struct pl_correction *c = &k->learned.c;
    pl_table_cell(t, "%s%s", k->key.on_device ? "device " : "", pl_target_name(k->key.target));
    if (c->known) {
        pl_table_cell(t, "%.3f%s", c->factor, c->bounded ? " (bound)" : "");
        pl_table_cell(t, "%.1f %%%s", 100 * expm1(c->spread), c->few ? ", assumed" : "");
    } else {
        pl_table_cell(t, c->disagree ? "none: runs disagree" : "none yet");
        pl_table_cell(t, "-");
    }
    pl_table_cell(t, "%u", c->n);
    pl_table_cell(t, "%u", c->odd);
    pl_calibration_clean(t, c->known || k->learned.from[0] != '\0' ? k->learned.from : "-");
}

static void pl_calibration_row(struct pl_table *t, const struct pl_known_correction *k)
{
    pl_table_row(t);
    pl_calibration_clean(t, k->key.version);
    pl_calibration_clean(t, k->key.backend);
    pl_calibration_clean(t, k->key.arch);
    pl_calibration_figures(t, k);
}

static int pl_calibration_own(const struct pl_known_corrections *k, struct pl_str *out)
{
    static const char *const titles[] = {"model",   ">quant", "settings", "of",   ">factor",
                                         ">spread", ">runs",  ">odd",     "from", 0};
    struct pl_table *t = k->n_own > 0 ? pl_table_new(titles) : NULL;
    if (t == NULL)
        return k->n_own > 0 ? -ENOMEM : 0;
    for (uint32_t i = 0; i < k->n_own; i++) {
        const struct pl_correction_key *key = &k->own[i].key;
        pl_table_row(t);
        pl_calibration_clean(t, key->model);
        pl_calibration_clean(t, key->quant);
        pl_calibration_clean(t, key->alike[0] != '\0' ? key->alike : "the engine's own");
        pl_calibration_figures(t, &k->own[i]);
    }
    pl_str_add(out, "\nof one model, settings and machine: comes before the above, from its first "
                    "run on\n");
    pl_table_print(t, out, pl_colour_wanted(STDOUT_FILENO));
    (void)pl_table_free(t);
    return 0;
}

static int pl_calibration_text(const struct pl_observations *o,
                               const struct pl_known_corrections *k, struct pl_str *out)
{
    static const char *const titles[] = {"engine",  "backend", "architecture", "of",   ">factor",
                                         ">spread", ">runs",   ">odd",         "from", 0};
    if (o->after_run > 0)
        pl_str_addf(out, "runs up to %lld teach nothing: calibration was reset after it\n",
                    (long long)o->after_run);
    if (k->n == 0) {
        pl_str_addf(out,
                    "nothing learned yet: a correction needs %d runs of an architecture with one "
                    "engine version\n",
                    PL_CORRECTION_RUNS);
        return 0;
    }
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < k->n; i++)
        pl_calibration_row(t, &k->one[i]);
    pl_table_print(t, out, pl_colour_wanted(STDOUT_FILENO));
    (void)pl_table_free(t);
    pl_str_addf(out,
                "factor: median of measured / predicted, applied beside the estimate; spread: how "
                "far runs lie from it.\nFrom %d runs on; weights and cache are exact and never "
                "corrected; speeds are of one machine.\n",
                PL_CORRECTION_RUNS);
    return pl_calibration_own(k, out);
}

static void pl_calibration_own_json(const struct pl_known_corrections *k, struct pl_json *j)
{
    pl_json_array(j, "models");
    for (uint32_t i = 0; i < k->n_own; i++) {
        const struct pl_known_correction *c = &k->own[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "engine_version", c->key.version);
        pl_json_str(j, "backend", c->key.backend);
        pl_json_str(j, "machine", c->key.machine);
        pl_json_str(j, "model", c->key.model);
        pl_json_str(j, "quant", c->key.quant);
        pl_json_str(j, "settings", c->key.alike);
        pl_json_str(j, "of", pl_target_name(c->key.target));
        pl_json_bool(j, "on_device", c->key.on_device);
        pl_json_num(j, "factor", c->learned.c.factor);
        pl_json_num(j, "spread", c->learned.c.spread);
        pl_json_u64(j, "runs", c->learned.c.n);
        pl_json_u64(j, "odd", c->learned.c.odd);
        pl_json_bool(j, "few", c->learned.c.few);
        pl_json_str(j, "from", c->learned.from);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_calibration_json(const struct pl_observations *o,
                                const struct pl_known_corrections *k, struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", PL_CALIBRATION_SCHEMA);
    pl_json_str(&j, "program", PL_VERSION);
    pl_json_i64(&j, "after_run", o->after_run);
    pl_json_array(&j, "corrections");
    for (uint32_t i = 0; i < k->n; i++) {
        const struct pl_known_correction *c = &k->one[i];
        if (!c->learned.c.known)
            continue;
        pl_json_object(&j, NULL);
        pl_json_str(&j, "engine_version", c->key.version);
        pl_json_str(&j, "backend", c->key.backend);
        pl_json_str(&j, "architecture", c->key.arch[0] != '\0' ? c->key.arch : NULL);
        pl_json_str(&j, "machine", c->key.machine[0] != '\0' ? c->key.machine : NULL);
        pl_json_str(&j, "of", pl_target_name(c->key.target));
        pl_json_bool(&j, "on_device", c->key.on_device);
        pl_json_num(&j, "factor", c->learned.c.factor);
        pl_json_num(&j, "spread", c->learned.c.spread);
        pl_json_u64(&j, "runs", c->learned.c.n);
        pl_json_u64(&j, "odd", c->learned.c.odd);
        pl_json_str(&j, "from", c->learned.from);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_calibration_own_json(k, &j);
    pl_json_end(&j);
}

static int pl_calibration_learned(struct pl_cli *cli, struct pl_ledger *l, struct pl_str *out,
                                  bool json, struct pl_err *err)
{
    struct pl_observations *o = NULL;
    struct pl_known_corrections k = {0};
    (void)cli;
    int rc = pl_observe(l, NULL, 0, &o, err);
    if (rc == 0)
        rc = pl_known_corrections(o, &k);
    if (rc == 0 && json)
        pl_calibration_json(o, &k, out);
    else if (rc == 0)
        rc = pl_calibration_text(o, &k, out);
    free(k.one);
    free(k.own);
    (void)pl_observations_free(o);
    return rc == -ENOMEM ? pl_fail(err, rc, "no memory for the corrections") : rc;
}

static int pl_calibration_export(struct pl_cli *cli, struct pl_ledger *l, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_CALIBRATION_TEXT_MAX);
    int rc = pl_calibration_learned(cli, l, &text, true, err);
    pl_str_add(&text, "\n");
    if (rc == 0 && text.failed)
        rc = pl_fail(err, -ENOMEM, "no memory for the corrections");
    if (rc == 0)
        rc = pl_newfile_write(cli->arg[1], text.data, text.len, 0644,
                              pl_cli_opt(cli, "force")->given, err);
    pl_str_done(&text);
    return rc;
}

/* One correction of a file; false for what cannot have been exported. */
static bool pl_calibration_take(pl_jval v, const char *origin, struct pl_imported *ret)
{
    uint64_t runs = 0;
    *ret = (struct pl_imported){.target = pl_target_of(pl_jstr(pl_jget(v, "of"), "")),
                                .on_device = pl_jbool(pl_jget(v, "on_device"), false)};
    bool text = PL_FMT(ret->version, "%s", pl_jstr(pl_jget(v, "engine_version"), "")) &&
                PL_FMT(ret->backend, "%s", pl_jstr(pl_jget(v, "backend"), "")) &&
                PL_FMT(ret->arch, "%s", pl_jstr(pl_jget(v, "architecture"), "")) &&
                PL_FMT(ret->machine, "%s", pl_jstr(pl_jget(v, "machine"), ""));
    (void)PL_FMT(ret->origin, "%s", origin);
    if (!text || ret->version[0] == '\0' || ret->target >= PL_TARGETS ||
        !pl_target_is_soft(ret->target) || !pl_jnum(pl_jget(v, "factor"), &ret->factor) ||
        !pl_jnum(pl_jget(v, "spread"), &ret->spread) || !pl_ju64(pl_jget(v, "runs"), &runs))
        return false;
    ret->n = runs > 1000000 ? 1000000 : (uint32_t)runs;
    /* the speed of a machine says nothing of others */
    return (ret->machine[0] != '\0' || !pl_target_is_speed(ret->target)) &&
           ret->n >= PL_CORRECTION_RUNS && ret->spread >= 0 && ret->spread <= PL_SPREAD_MOST &&
           ret->factor >= 1 / PL_CORRECTION_MOST && ret->factor <= PL_CORRECTION_MOST;
}

static int pl_calibration_rows(const char *path, pl_jval root, struct pl_imported *rows,
                               uint32_t *ret_n, struct pl_err *err)
{
    pl_jval list = pl_jget(root, "corrections");
    size_t n = pl_jlen(list);
    int rc = 0;
    if (!pl_streq(pl_jstr(pl_jget(root, "schema"), ""), PL_CALIBRATION_SCHEMA) ||
        !pl_jis_array(list))
        rc = pl_fail(err, -EINVAL, "no corrections: 'plimsoll calibration export' writes them");
    else if (!pl_streq(pl_jstr(pl_jget(root, "program"), ""), PL_VERSION))
        rc = pl_fail(err, -EINVAL,
                     "corrections of plimsoll %.20s; this is %s, with formulas of "
                     "its own",
                     pl_jstr(pl_jget(root, "program"), "(unknown)"), PL_VERSION);
    else if (n > PL_IMPORTED_MAX)
        rc = pl_fail(err, -E2BIG, "%zu corrections; at most %d are taken", n, PL_IMPORTED_MAX);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!pl_calibration_take(pl_jat(list, i), path, &rows[i]))
            rc = pl_fail(err, -EINVAL, "correction %zu is none: a field is missing or out of range",
                         i + 1);
    }
    *ret_n = (uint32_t)n;
    if (rc == 0)
        return 0;
    pl_err_at(err, path, 0, 0);
    return pl_exit_as(err, rc, PL_EXIT_USAGE);
}

static int pl_calibration_import(struct pl_cli *cli, struct pl_ledger *l, struct pl_err *err)
{
    const char *path = cli->arg[1];
    struct pl_jdoc *doc = NULL;
    struct pl_str text;
    uint32_t n = 0;
    struct pl_imported *rows = calloc(PL_IMPORTED_MAX, sizeof(*rows));
    if (rows == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the corrections");
    pl_str_init(&text, PL_CALIBRATION_TEXT_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_jdoc_parse(pl_str_get(&text), text.len, path, &doc, err);
    if (rc == 0)
        rc = pl_calibration_rows(path, pl_jdoc_root(doc), rows, &n, err);
    if (rc == 0)
        rc = pl_corrections_put(l, rows, n, err);
    if (rc == 0 && !cli->json)
        pl_str_addf(&cli->out,
                    "%u corrections taken; what this ledger's own runs teach comes "
                    "before them\n",
                    n);
    (void)pl_jdoc_free(doc);
    pl_str_done(&text);
    free(rows);
    return rc;
}

static int pl_calibration_reset(struct pl_cli *cli, struct pl_ledger *l, struct pl_err *err)
{
    int64_t after = 0;
    int rc = pl_corrections_reset(l, &after, err);
    if (rc == 0 && !cli->json)
        pl_str_addf(&cli->out,
                    "forgotten; what is learned from now on comes from runs after %lld."
                    " The runs stay\n",
                    (long long)after);
    return rc;
}

static int pl_calibration_run(struct pl_cli *cli, struct pl_err *err)
{
    static const char *const words[] = {"show", "export", "import", "reset", 0};
    const char *word = cli->n_arg > 0 ? cli->arg[0] : "show";
    bool file = pl_streq(word, "export") || pl_streq(word, "import");
    bool writes = pl_streq(word, "import") || pl_streq(word, "reset");
    struct pl_ledger *l = NULL;
    if ((!file && !pl_streq(word, "show") && !pl_streq(word, "reset")) ||
        cli->n_arg > (file ? 2u : 1u) || (file && cli->n_arg < 2)) {
        (void)pl_fail(err, -EINVAL,
                      "calibration: '%.40s' is not show, export FILE, import FILE or reset", word);
        const char *near = pl_nearest(word, words);
        if (near != NULL && !pl_streq(near, word))
            (void)pl_hint(err, "did you mean '%s'?", near);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc = pl_ledger_open(pl_cli_opt(cli, "ledger")->text,
                            writes ? PL_LEDGER_WRITE : PL_LEDGER_READ, &l, err);
    if (rc == 0 && pl_streq(word, "export"))
        rc = pl_calibration_export(cli, l, err);
    else if (rc == 0 && pl_streq(word, "import"))
        rc = pl_calibration_import(cli, l, err);
    else if (rc == 0 && pl_streq(word, "reset"))
        rc = pl_calibration_reset(cli, l, err);
    if (rc == 0 && (pl_streq(word, "show") || cli->json))
        rc = pl_calibration_learned(cli, l, &cli->out, cli->json, err);
    (void)pl_ledger_close(l);
    return rc;
}

static const struct pl_opt pl_calibration_opts[] = {
    {"force",                             '\0', PL_OPT_FLAG, NULL, "export: replace an existing file"},
    {"ledger",                        '\0', PL_OPT_PATH, "FILE", "the ledger to use (default: $PLIMSOLL_LEDGER)"},
    {0},
};

static const char *const pl_calibration_examples[] = {
    "plimsoll calibration  # what earlier runs teach",
    "plimsoll calibration export fleet.json",
    "plimsoll calibration import fleet.json",
    "plimsoll calibration reset  # learn anew, from later runs only",
    0,
};

const struct pl_verb pl_verb_calibration = {
    .name = "calibration",
    .args = "[show | export FILE | import FILE | reset]",
    .summary = "corrections that earlier runs teach, by engine version, backend and architecture",
    .details =
        "A correction is the median of measured / predicted over at least three runs with the "
        "same\nengine version, backend and architecture. Of one model, with the same settings on "
        "the "
        "same\nmachine, the first run counts already, with an assumed spread. It is shown beside "
        "the "
        "estimate\nand never replaces it; odd runs are left out, and so are speeds measured while "
        "others computed.",
    .examples = pl_calibration_examples,
    .opts = pl_calibration_opts,
    .args_max = 2,
    .run = pl_calibration_run,
};
