#include "measure/accelerate.h"

#include "base/str.h"
#include "engine/llamacpp/footprint.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/speed_experts.h"
#include "measure/forecast.h"
#include "model/catalogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* common/speculative.cpp, SPEC_VOCAB_MAX_SIZE_DIFFERENCE */
#define PL_DRAFT_VOCABULARY 128u
#define PL_DRAFT_SHARE 6  /* a draft of more than a sixth of the model costs what it brings */
#define PL_DRAFT_BITS 8.5 /* q8_0: a small draft loses its use with its words */

struct pl_accelerating {
    const struct pl_forecast *f;
    struct pl_ledger *ledger;
    struct pl_forecast *other; /* room for one */
    struct pl_err *err;
};

/* The smallest model of the catalogue of the same family and tokenizer: it drafts fastest. */
static const struct pl_catalogue_row *pl_draft_for(const struct pl_forecast *f)
{
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n), *best = NULL;
    const struct pl_catalogue_row *own = pl_catalogue_find(f->name);
    uint64_t vocabulary = pl_llamacpp_vocab(f->model), all = pl_model_parameters(f->model);
    for (size_t i = 0; own != NULL && own->tokenizer != NULL && i < n; i++) {
        const struct pl_catalogue_row *r = &row[i];
        uint64_t apart =
            r->n_vocab > vocabulary ? r->n_vocab - vocabulary : vocabulary - r->n_vocab;
        if (r->tokenizer == NULL || !pl_streq(r->tokenizer, own->tokenizer) || r->checked != 1 ||
            r->kind == NULL || !pl_streq(r->kind, "llm") || apart > PL_DRAFT_VOCABULARY ||
            r->n_expert > 0 || r->params_total >= PL_CATALOGUE_UNKNOWN ||
            r->params_total > all / PL_DRAFT_SHARE || r->family == NULL || own->family == NULL ||
            !pl_streq(r->family, own->family))
            continue;
        best = best == NULL || r->params_total < best->params_total ? r : best;
    }
    return best;
}

/* The forecast of the same with other settings; its rate, or why there is none. */
static int pl_accelerate_try(struct pl_accelerating *a, const struct pl_settings *s,
                             bool speculative, struct pl_rate *ret)
{
    struct pl_err why = {0};
    int rc = pl_forecast_make(a->f->model, s, a->f->machine, NULL, a->f->engine_version, a->ledger,
                              a->other, &why);
    if (rc == -ENOMEM)
        return pl_fail(a->err, rc, "no memory for another forecast");
    if (rc < 0)
        *ret = (struct pl_rate){.why = "the engine does not do it with these settings"};
    else
        *ret = speculative ? a->other->speed.speculative : a->other->speed.decode;
    return 0;
}

/* With a draft of so many bytes a token beside: the range is that of the n-grams' tables, less what
 * reading the draft takes. */
static void pl_accelerate_draft_cost(const struct pl_forecast *f, double bytes, struct pl_rate *r)
{
    double rate = 0;
    for (uint32_t i = 0; i < f->machine->n_device && f->footprint.n_pool > 1; i++)
        rate = rate > 0 ? rate : f->machine->device[i].bandwidth.likely;
    const struct pl_pool *ram = pl_machine_pool_const(f->machine, "ram");
    if (!(rate > 0) && ram != NULL)
        rate = ram->bandwidth.likely;
    double n = (double)f->settings.draft.n_max;
    if (r->source == PL_SOURCE_UNKNOWN)
        return;
    if (!(rate > 0) || n < 1) {
        *r = (struct pl_rate){.why =
                                  "memory bandwidth is not measured: plimsoll assess --bandwidth"};
        return;
    }
    r->low = 1 / (1 / r->low + n * bytes / rate);
    r->high = 1 / (1 / r->high + n / (n + 1) * bytes / rate);
    r->likely = r->low;
}

static int pl_accelerate_draft(struct pl_accelerating *a, struct pl_acceleration *ret)
{
    const struct pl_forecast *f = a->f;
    const struct pl_catalogue_row *row = pl_draft_for(f);
    struct pl_settings s = f->settings;
    if (row == NULL) {
        (void)PL_FMT(ret->why,
                     "needs a model of the same vocabulary and at most a sixth of its size: the "
                     "catalogue has none for it");
        return 0;
    }
    ret->offered = true;
    (void)PL_FMT(ret->why, "%s has the same vocabulary", row->id);
    (void)PL_FMT(ret->flags, "--spec-type draft-simple -md %s.gguf", row->id);
    /* as many tokens checked at once, drafted by tables: then the draft's own reading */
    s.draft.types = "ngram-simple";
    s.draft.model = NULL;
    s.draft.ngram_simple = f->settings.draft.n_max;
    int rc = pl_accelerate_try(a, &s, true, &ret->projected);
    pl_accelerate_draft_cost(f, (double)row->params_total * PL_DRAFT_BITS / 8, &ret->projected);
    return rc;
}

static int pl_accelerate_own(struct pl_accelerating *a, struct pl_acceleration *ret)
{
    struct pl_settings s = a->f->settings;
    uint64_t layers = pl_model_arch_u64(a->f->model, "nextn_predict_layers", 0);
    if (layers == 0) {
        (void)PL_FMT(ret->why, "needs layers that predict several tokens: it has none");
        return 0;
    }
    ret->offered = true;
    (void)PL_FMT(ret->why, "it has %llu such layer%s", (unsigned long long)layers,
                 layers == 1 ? "" : "s");
    (void)PL_FMT(ret->flags, "--spec-type draft-mtp");
    s.draft.types = "draft-mtp";
    s.draft.model = NULL;
    return pl_accelerate_try(a, &s, true, &ret->projected);
}

static int pl_accelerate_lookup(struct pl_accelerating *a, struct pl_acceleration *ret)
{
    struct pl_settings s = a->f->settings;
    ret->offered = true;
    (void)PL_FMT(ret->why, "where answers repeat what stands in the prompt: edits, extracts, code; "
                           "elsewhere it brings nothing");
    (void)PL_FMT(ret->flags, "--spec-type ngram-simple");
    s.draft.types = "ngram-simple";
    s.draft.model = NULL;
    return pl_accelerate_try(a, &s, true, &ret->projected);
}

static int pl_accelerate_experts(struct pl_accelerating *a, struct pl_acceleration *ret)
{
    const struct pl_model *m = a->f->model;
    const struct pl_expert_floor *floor = pl_llamacpp_expert_floor(m);
    uint64_t own = pl_model_arch_u64(m, "expert_used_count", 0);
    struct pl_settings s = a->f->settings;
    char key[96];
    if (own == 0 || floor == NULL) {
        (void)PL_FMT(ret->why, own == 0 ? "needs a mixture of experts: it is none"
                                        : "no number below its own is recorded as safe");
        return 0;
    }
    if (s.override_kv.n >= sizeof(s.override_kv.one) / sizeof(s.override_kv.one[0])) {
        (void)PL_FMT(ret->why, "too many --override-kv already");
        return 0;
    }
    ret->offered = true;
    (void)PL_FMT(key, "%s.expert_used_count=int:%llu", m->arch, (unsigned long long)floor->least);
    (void)PL_FMT(ret->why,
                 "%llu instead of %llu experts a token, the least recorded as safe (%s); "
                 "what it costs in quality is not known",
                 (unsigned long long)floor->least, (unsigned long long)own, floor->why);
    (void)PL_FMT(ret->flags, "--override-kv %s", key);
    s.override_kv.one[s.override_kv.n++] = key;
    return pl_accelerate_try(a, &s, false, &ret->projected);
}

/* Are they among a run's flags? The draft's file may be called anything that begins with its id,
 * and stands elsewhere. */
static bool pl_accelerate_has(const char *run, const char *flags)
{
    char type[128], draft[128];
    const char *md = strstr(flags, " -md ");
    if (md == NULL)
        return strstr(run, flags) != NULL;
    size_t n = strlen(md + 1), end = strlen(".gguf");
    return n > end && PL_FMT(type, "%.*s", (int)(md - flags), flags) &&
           PL_FMT(draft, "%.*s", (int)(n - end), md + 1) && strstr(run, type) != NULL &&
           strstr(run, draft) != NULL;
}

/* The newest valid run of the same model here whose flags have these among them. */
static int pl_accelerate_run(void *ctx, const struct pl_run *run)
{
    struct pl_acceleration *a = ctx;
    if (!pl_accelerate_has(run->flags, a->flags) ||
        !(run->timing.predicted_tokens_per_second > 0) ||
        (run->beside.judged && run->beside.disturbed) ||
        (run->ghost && !pl_streq(run->fill, "random")))
        return 0;
    a->measured = run->timing.predicted_tokens_per_second;
    a->run = run->id;
    return 1;
}

static int pl_accelerate_measured(struct pl_accelerating *a, struct pl_acceleration *one)
{
    const struct pl_ledger_filter filter = {.model = a->f->name,
                                            .quant = a->f->quant,
                                            .engine = "llama.cpp",
                                            .machine_id = a->f->machine->id,
                                            .ok_only = true,
                                            .limit = 200};
    if (!one->offered || a->ledger == NULL || a->f->machine->id[0] == '\0')
        return 0;
    int rc = pl_ledger_runs(a->ledger, &filter, pl_accelerate_run, one, NULL);
    return rc < 0 ? 0 : rc; /* an unreadable ledger remembers nothing */
}

int pl_accelerate(const struct pl_forecast *f, struct pl_ledger *ledger,
                  struct pl_acceleration ret[PL_ACCELERATIONS], struct pl_err *err)
{
    static const char *const names[PL_ACCELERATIONS] = {"draft model", "own draft layers",
                                                        "prompt lookup", "fewer experts"};
    static int (*const each[PL_ACCELERATIONS])(struct pl_accelerating *,
                                               struct pl_acceleration *) = {
        pl_accelerate_draft, pl_accelerate_own, pl_accelerate_lookup, pl_accelerate_experts};
    struct pl_accelerating a = {
        .f = f, .ledger = ledger, .other = calloc(1, sizeof(*a.other)), .err = err};
    int rc = a.other == NULL ? pl_fail(err, -ENOMEM, "no memory for another forecast") : 0;
    for (int i = 0; rc == 0 && i < PL_ACCELERATIONS; i++) {
        ret[i] = (struct pl_acceleration){.name = names[i], .projected = {.why = "not offered"}};
        rc = each[i](&a, &ret[i]);
        if (rc == 0)
            (void)pl_accelerate_measured(&a, &ret[i]);
    }
    free(a.other);
    return rc;
}
