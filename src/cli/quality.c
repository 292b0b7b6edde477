#include "cli/quality.h"

#include "base/table.h"
#include "model/names.h"
#include "report/quants.h"

#include <string.h>
#include <unistd.h>

const char *pl_cli_catalogue_id(const char *name)
{
    const struct pl_catalogue_row *row = NULL;
    const char *base = strrchr(name, '/');
    char quant[PL_NAME_QUANT_MAX];
    return pl_name_resolve(base != NULL ? base + 1 : name, &row, quant, NULL) == 0 ? row->id : NULL;
}

const char *pl_cli_model_id(const struct pl_model *m)
{
    const char *id = pl_cli_catalogue_id(m->path);
    return id != NULL ? id : pl_cli_catalogue_id(m->name);
}

/* All pools together, as one figure to set beside a rule that knows of no pools. */
static struct pl_quantity pl_forecast_total(const struct pl_forecast *f)
{
    struct pl_quantity sum = f->footprint.pool[0].steady;
    for (uint32_t i = 1; i < f->footprint.n_pool; i++)
        sum = pl_plus(sum, f->footprint.pool[i].steady);
    return sum;
}

void pl_cli_forecast_quality(struct pl_cli *cli, const struct pl_forecast *f, struct pl_json *j)
{
    const struct pl_thumb thumb = {.model = f->model,
                                   .name = f->name,
                                   .quant = f->quant,
                                   .context = f->resolved.n_ctx,
                                   .steady = pl_forecast_total(f)};
    if (cli->engine != NULL)
        return; /* its quantisations are others */
    const char *id = pl_cli_model_id(f->model);
    bool rule = pl_cli_opt(cli, "rule-of-thumb")->given;
    if (j == NULL) {
        pl_quality_text(f->quant, id, &cli->out);
        if (rule)
            pl_thumb_text(&thumb, pl_colour_wanted(STDOUT_FILENO), &cli->out);
        return;
    }
    pl_quality_json(j, "quality", f->quant, id);
    if (rule)
        pl_thumb_json(&thumb, j, "rule_of_thumb");
}
