#include "cli/fit.h"
#include "domain/tensor_type.h"
#include "report/quantity.h"
#include "report/quants.h"

#include <ctype.h>

static void pl_fit_reached(struct pl_json *j, const char *key, struct pl_reached r, bool asked)
{
    if (!asked) {
        pl_json_null(j, key);
        return;
    }
    pl_json_object(j, key);
    pl_json_u64(j, "value", r.value);
    if (r.over > 0)
        pl_json_u64(j, "does_not_fit", r.over);
    else
        pl_json_null(j, "does_not_fit");
    pl_json_end(j);
}

static void pl_fit_point_json(struct pl_json *j, const struct pl_fit_ask *ask,
                              const struct pl_fit_answer *a, uint32_t i)
{
    const struct pl_fit_point *p = &a->point[i];
    char type[16];
    size_t n = 0;
    for (const char *s = pl_tensor_type(p->type)->name; s[n] != '\0' && n + 1 < sizeof(type); n++)
        type[n] = (char)tolower((unsigned char)s[n]);
    type[n] = '\0';
    pl_json_object(j, NULL);
    pl_json_str(j, "quant", p->quant);
    pl_json_u64(j, "file_bytes", p->file_bytes);
    if (p->rated)
        pl_json_num(j, "kl_divergence", p->kld);
    else
        pl_json_null(j, "kl_divergence");
    pl_json_str(j, "type_kv", type);
    pl_json_str(j, "where", pl_fit_place_name(p->place));
    if (p->place == PL_FIT_SPLIT)
        pl_json_u64(j, "n_gpu_layers", p->layers);
    else
        pl_json_null(j, "n_gpu_layers");
    if (p->place == PL_FIT_SOME)
        pl_json_u64(j, "n_cpu_moe", p->experts);
    else
        pl_json_null(j, "n_cpu_moe");
    pl_json_bool(j, "fits", p->wanted);
    pl_json_str(j, "verdict", pl_verdict_name(p->verdict));
    pl_json_str(j, "reason", p->reason[0] != '\0' ? p->reason : NULL);
    pl_fit_reached(j, "max_ctx", p->context,
                   ask->question == PL_FIT_ALL || ask->question == PL_FIT_MAX_CTX);
    pl_fit_reached(j, "max_slots", p->slots, ask->question == PL_FIT_MAX_SLOTS);
    pl_json_quantity(j, "steady", p->steady);
    pl_json_rate(j, "decode_tokens_per_second", p->decode);
    pl_json_bool(j, "slow", p->slow);
    pl_json_bool(j, "front", p->front);
    pl_json_str(j, "flags", p->flags[0] != '\0' ? p->flags : NULL);
    pl_json_str(j, "command", p->command[0] != '\0' ? p->command : NULL);
    pl_json_end(j);
}

void pl_fit_json(const struct pl_fit_ask *ask, const struct pl_fit_answer *a, struct pl_json *j)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "model", a->name);
    pl_json_u64(j, "slots", ask->slots);
    pl_json_u64(j, "n_ctx_slot", a->context);
    pl_json_u64(j, "n_ctx_limit", a->limit);
    pl_json_num(j, "min_decode", ask->floor);
    if (a->best >= 0) {
        pl_json_u64(j, "best", (uint64_t)a->best);
        pl_quality_json(j, "quality", a->point[a->best].quant, a->id);
    } else {
        pl_json_null(j, "best");
        pl_json_null(j, "quality");
    }
    if (a->better >= 0)
        pl_json_u64(j, "better", (uint64_t)a->better);
    else
        pl_json_null(j, "better");
    pl_json_object(j, "presets");
    for (enum pl_fit_preset i = PL_FIT_QUALITY; i < PL_FIT_PRESETS; i++) {
        if (a->preset[i] >= 0)
            pl_json_u64(j, pl_fit_preset_name(i), (uint64_t)a->preset[i]);
        else
            pl_json_null(j, pl_fit_preset_name(i));
    }
    pl_json_end(j);
    pl_json_u64(j, "forecasts", a->asked);
    pl_json_array(j, "options");
    for (uint32_t i = 0; i < a->n; i++)
        pl_fit_point_json(j, ask, a, i);
    pl_json_end(j);
    pl_json_end(j);
}
