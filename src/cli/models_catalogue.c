#include "cli/models_catalogue.h"

#include "base/checked.h"
#include "base/json.h"
#include "base/table.h"
#include "base/units.h"
#include "model/catalogue.h"
#include "model/mix.h"
#include "model/quality.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A row and the length of its file; 0 = cannot be told. */
struct pl_models_row {
    const struct pl_catalogue_row *row;
    uint64_t bytes;
    const char *quant;
};

const char *pl_models_from(const struct pl_catalogue_row *r)
{
    return r->file != NULL ? "yours" : "catalogue";
}

static bool pl_models_said(const char *asked, const char *has)
{
    return asked == NULL || (has != NULL && strcasestr(has, asked) != NULL);
}

bool pl_models_wanted(const struct pl_models_ask *a, const struct pl_catalogue_row *r)
{
    if (a->kind != NULL && !pl_streq(a->kind, r->kind))
        return false;
    if (!pl_models_said(a->licence, r->licence) || !pl_models_said(a->family, r->family))
        return false;
    if (a->min_context > 0 &&
        (r->ctx_train == PL_CATALOGUE_UNKNOWN || r->ctx_train < a->min_context))
        return false;
    double score = 0;
    if (a->min_quality > 0 && (pl_quality_common(r->id, &score) == NULL || score < a->min_quality))
        return false;
    for (uint32_t i = 0; i < a->cli->n_arg; i++) {
        if (!pl_models_said(a->cli->arg[i], r->id) &&
            !pl_models_said(a->cli->arg[i], r->display_name))
            return false;
    }
    return true;
}

static uint64_t pl_models_bytes(const struct pl_catalogue_row *r, const char *quant)
{
    struct pl_model *m = NULL;
    if (pl_catalogue_model(r, quant, &m, NULL) < 0)
        return 0;
    uint64_t n = m->file_bytes;
    (void)pl_model_free(m);
    return n;
}

/* "8.19B", "494M". */
static void pl_models_count(uint64_t n, char out[24])
{
    if (n == 0 || n == PL_CATALOGUE_UNKNOWN)
        (void)pl_fmt(out, 24, "unknown");
    else if (n >= 1000000000)
        (void)pl_fmt(out, 24, "%.3gB", (double)n / 1e9);
    else
        (void)pl_fmt(out, 24, "%.3gM", (double)n / 1e6);
}

static const struct pl_quality *pl_models_quality(const struct pl_catalogue_row *c);

static void pl_models_text(struct pl_table *t, const struct pl_models_row *r)
{
    char total[24], active[24], size[PL_SIZE_TEXT_MAX] = "unknown";
    const struct pl_catalogue_row *c = r->row;
    const struct pl_quality *q = pl_models_quality(c);
    pl_models_count(c->params_total, total);
    pl_models_count(c->params_active, active);
    if (r->bytes > 0)
        (void)pl_size_text(r->bytes, size);
    pl_table_row(t);
    pl_table_cell(t, "%s", c->id);
    if (c->n_expert > 0)
        pl_table_cell(t, "%s (%s)", total, active);
    else
        pl_table_cell(t, "%s", total);
    pl_table_cell(t, "%s", c->kind);
    pl_table_cell(t, "%s", c->licence != NULL ? c->licence : "unknown");
    if (c->ctx_train == PL_CATALOGUE_UNKNOWN || c->ctx_train == 0)
        pl_table_cell(t, "unknown");
    else
        pl_table_cell(t, "%llu", (unsigned long long)c->ctx_train);
    pl_table_cell(t, "%s", size);
    if (q != NULL)
        pl_table_cell(t, "%s %s", q->score, q->benchmark);
    else
        pl_table_cell(t, "unknown");
    pl_table_cell(t, "%s", pl_models_from(c));
}

static void pl_models_number(struct pl_json *j, const char *key, uint64_t n, bool zero_is_unknown)
{
    if (n == PL_CATALOGUE_UNKNOWN || (n == 0 && zero_is_unknown))
        pl_json_null(j, key);
    else
        pl_json_u64(j, key, n);
}

static const struct pl_quality *pl_models_quality(const struct pl_catalogue_row *c)
{
    double score = 0;
    const struct pl_quality *q = pl_quality_common(c->id, &score);
    return q != NULL ? q : pl_quality_of(c->id);
}

void pl_models_quality_json(struct pl_json *j, const struct pl_catalogue_row *r)
{
    const struct pl_quality *q = pl_models_quality(r);
    if (q == NULL) {
        pl_json_null(j, "quality");
        return;
    }
    pl_json_object(j, "quality");
    pl_json_str(j, "benchmark", q->benchmark);
    pl_json_str(j, "score", q->score);
    pl_json_str(j, "source", q->source);
    pl_json_end(j);
}

static void pl_models_json(struct pl_json *j, const struct pl_models_row *r)
{
    const struct pl_catalogue_row *c = r->row;
    pl_json_object(j, NULL);
    pl_json_str(j, "id", c->id);
    pl_json_str(j, "name", c->display_name);
    pl_json_str(j, "family", c->family);
    pl_json_str(j, "kind", c->kind);
    pl_json_str(j, "architecture", c->gguf_arch);
    pl_json_str(j, "licence", c->licence);
    pl_json_str(j, "released", c->released);
    pl_json_str(j, "repository", c->hf_repo);
    pl_models_number(j, "parameters", c->params_total, true);
    pl_models_number(j, "parameters_active", c->params_active, true);
    pl_models_number(j, "context_length", c->ctx_train, true);
    pl_json_str(j, "quant", pl_mix_named(r->quant)->name);
    pl_models_number(j, "file_bytes", r->bytes, true);
    pl_json_bool(j, "checked", c->checked == 1);
    pl_json_str(j, "source", c->source);
    pl_json_str(j, "from", pl_models_from(c));
    pl_models_quality_json(j, c);
    pl_json_end(j);
}

int pl_models_asked(const struct pl_cli *cli, struct pl_models_ask *a, struct pl_err *err)
{
    const char *quant = pl_cli_opt(cli, "quant")->text;
    const char *quality = pl_cli_opt(cli, "min-quality")->text;
    *a = (struct pl_models_ask){.kind = pl_cli_opt(cli, "kind")->text,
                                .licence = pl_cli_opt(cli, "licence")->text,
                                .family = pl_cli_opt(cli, "family")->text,
                                .quant = quant != NULL ? quant : PL_CATALOGUE_QUANT,
                                .max_bytes = pl_cli_opt(cli, "max-size")->u,
                                .min_context = pl_cli_opt(cli, "min-context")->u,
                                .cli = cli};
    if (quality != NULL && (!pl_parse_double(quality, &a->min_quality) || a->min_quality < 0)) {
        (void)pl_fail(err, -EINVAL, "--min-quality: '%.40s' is not a number", quality);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    if (pl_mix_named(a->quant) != NULL)
        return 0;
    const char *near = pl_mix_nearest(a->quant);
    (void)pl_fail(err, -EINVAL, "unknown quantisation '%.40s'", a->quant);
    (void)pl_hint(err, "%s%s?", near != NULL ? "did you mean " : "for example ",
                  near != NULL ? near : "q4_k_m");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

int pl_models_catalogue(struct pl_cli *cli, struct pl_err *err)
{
    static const char *const titles[] = {
        "Id", "Parameters (active)", "Kind", "Licence", ">Context", ">File", "Quality", "From",
        NULL};
    struct pl_models_ask ask;
    struct pl_json j;
    size_t n = 0, shown = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n);
    bool own = !pl_cli_opt(cli, "quant")->given;
    int rc = pl_models_asked(cli, &ask, err);
    if (rc < 0)
        return rc;
    struct pl_table *t = cli->json ? NULL : pl_table_new(titles);
    if (!cli->json && t == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the list");
    if (cli->json) {
        pl_json_start(&j, &cli->out, true);
        pl_json_object(&j, NULL);
        pl_json_str(&j, "schema", "plimsoll.models/1");
        pl_json_str(&j, "quant", pl_mix_named(ask.quant)->name);
        pl_json_array(&j, "models");
    }
    for (size_t i = 0; i < n; i++) {
        if (!pl_models_wanted(&ask, &row[i]))
            continue;
        const char *quant = own ? pl_catalogue_quant(&row[i]) : ask.quant;
        const struct pl_models_row r = {&row[i], pl_models_bytes(&row[i], quant), quant};
        if (ask.max_bytes > 0 && (r.bytes == 0 || r.bytes > ask.max_bytes))
            continue;
        shown++;
        if (cli->json)
            pl_models_json(&j, &r);
        else
            pl_models_text(t, &r);
    }
    if (cli->json) {
        pl_json_end(&j);
        pl_json_end(&j);
    } else {
        if (shown > 0)
            pl_table_print(t, &cli->out, pl_colour_wanted(STDOUT_FILENO));
        pl_str_addf(&cli->out,
                    "%zu of %zu models; File: %s%s. Scores of different benchmarks are not on one "
                    "scale; sources: --json\n",
                    shown, n, pl_mix_named(ask.quant)->name, own ? ", or as it was published" : "");
    }
    (void)pl_table_free(t);
    return shown > 0 ? PL_EXIT_YES : PL_EXIT_NO;
}
