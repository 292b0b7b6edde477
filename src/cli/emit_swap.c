/* A configuration of llama-swap, and models of Ollama. */
#include "cli/emit.h"
#include "cli/plan_found.h"

#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_SWAP_TTL_S 600u /* one on demand that nobody asks for is ended */

static int pl_swap_command(const struct pl_emit_process *p, struct pl_str *s, struct pl_err *err)
{
    struct pl_str command;
    pl_str_init(&command, PL_EMIT_TEXT_MAX);
    for (uint32_t i = 0; i < p->n_word; i++) {
        pl_str_add(&command, i > 0 ? " " : "");
        if (pl_emit_swap_word(&command, &p->word[i]))
            continue;
        pl_str_done(&command);
        (void)pl_fail(err, -EINVAL, "%.60s: llama-swap has no way to say the word '%.80s'", p->name,
                      p->word[i].text);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    pl_str_add(s, "    cmd: ");
    pl_emit_yaml(s, pl_str_get(&command));
    pl_str_add(s, "\n");
    s->failed |= command.failed;
    pl_str_done(&command);
    return 0;
}

static int pl_swap_model(const struct pl_emit *e, uint32_t at, struct pl_str *s, struct pl_err *err)
{
    const struct pl_emit_process *p = &e->process[at];
    uint32_t n = 0;
    pl_str_add(s, "  ");
    pl_emit_yaml(s, p->name);
    pl_str_add(s, ":\n");
    pl_emit_get(p, "    ", s);
    int rc = pl_swap_command(p, s, err);
    pl_str_addf(s, "    env: [\"" PL_STACK_VARIABLE "=%s\", \"" PL_COMPONENT_VARIABLE "=%s\"]\n",
                e->id, p->name);
    pl_str_addf(s, "    proxy: \"http://127.0.0.1:%u\"\n    checkEndpoint: /health\n    ttl: %u\n",
                p->port, at < e->n_hot ? 0 : PL_SWAP_TTL_S);
    for (uint32_t i = 0; i < e->plan->n_component; i++) {
        const struct pl_plan_component *c = &e->plan->component[i];
        if (!pl_emit_serves(p, c))
            continue;
        pl_str_add(s, n++ == 0 ? "    aliases: [" : ", ");
        pl_emit_yaml(s, c->name);
    }
    pl_str_add(s, n > 0 ? "]\n" : "");
    return rc;
}

/* Of those on demand the groups; each is written with its first member. */
static void pl_swap_group(const struct pl_emit *e, uint32_t at, struct pl_str *s)
{
    const char *group = e->process[at].stack->group;
    for (uint32_t i = e->n_hot; i < at; i++) {
        if (pl_streq(e->process[i].stack->group, group))
            return;
    }
    pl_str_add(s, "  ");
    pl_emit_yaml(s, group);
    pl_str_add(s, ":\n    swap: true\n    exclusive: false\n    members: [");
    for (uint32_t i = at, n = 0; i < e->n; i++) {
        if (!pl_streq(e->process[i].stack->group, group))
            continue;
        pl_str_add(s, n++ > 0 ? ", " : "");
        pl_emit_yaml(s, e->process[i].name);
    }
    pl_str_add(s, "]\n");
}

static void pl_swap_resident(const struct pl_emit *e, const char *before, struct pl_str *s)
{
    pl_str_add(s, before);
    for (uint32_t i = 0; i < e->n_hot; i++) {
        pl_str_add(s, i > 0 ? ", " : "");
        pl_emit_yaml(s, e->process[i].name);
    }
    pl_str_add(s, "]\n");
}

int pl_emit_swap(struct pl_emit *e, struct pl_err *err)
{
    struct pl_str s;
    int rc = 0;
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_emit_top(e, &s);
    pl_str_add(&s, "healthCheckTimeout: 900\nmodels:\n");
    for (uint32_t i = 0; rc == 0 && i < e->n; i++)
        rc = pl_swap_model(e, i, &s, err);
    if (rc < 0) {
        pl_str_done(&s);
        return rc;
    }
    pl_str_add(&s, "groups:\n");
    if (e->n_hot > 0)
        pl_swap_resident(e,
                         "  \"resident\":\n    swap: false\n    exclusive: false\n"
                         "    persistent: true\n    members: [",
                         &s);
    for (uint32_t i = e->n_hot; i < e->n; i++)
        pl_swap_group(e, i, &s);
    if (e->n_hot > 0)
        pl_swap_resident(e, "hooks:\n  on_startup:\n    preload: [", &s);
    return pl_emit_add_yaml(e, "llama-swap.yaml", &s, err);
}

/* What Ollama takes a model from; NULL when it cannot. */
static const char *pl_ollama_from(struct pl_emit *e, const struct pl_emit_process *p)
{
    const char *model = p->plan->option->model, *quant = p->candidate->quant;
    char text[700];
    if (model == NULL || !p->llama)
        return NULL;
    if (pl_starts(model, "ollama:"))
        return model + strlen("ollama:");
    if (!pl_starts(model, "hf:"))
        return p->model;
    (void)PL_FMT(text, "hf.co/%.500s%s%.60s", model + 3, quant != NULL ? ":" : "",
                 quant != NULL ? quant : "");
    return pl_arena_strdup(e->arena, text);
}

/* The value of a flag among the words; NULL. */
static const char *pl_value_of(const struct pl_emit_process *p, const char *flag)
{
    for (uint32_t i = 0; i + 1 < p->n_word; i++) {
        if (pl_streq(p->word[i].text, flag))
            return p->word[i + 1].text;
    }
    return NULL;
}

static int pl_modelfile(struct pl_emit *e, const struct pl_emit_process *p, const char *from,
                        struct pl_err *err)
{
    struct pl_str s;
    char name[200];
    const char *layers = pl_value_of(p, "-ngl"), *batch = pl_value_of(p, "-b");
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    if (strpbrk(from, "\n\r") != NULL)
        return pl_exit_as(err,
                          pl_fail(err, -EINVAL,
                                  "%.60s: Ollama has no way to say the name of its "
                                  "file",
                                  p->name),
                          PL_EXIT_USAGE);
    for (uint32_t i = 1; i < p->n_word; i++) {
        if (p->word[i].file && !pl_streq(p->word[i - 1].text, "-m"))
            return pl_exit_as(err,
                              pl_fail(err, -EINVAL, "%.60s: '%.40s' is not said to Ollama by this",
                                      p->name, p->word[i - 1].text),
                              PL_EXIT_USAGE);
    }
    pl_emit_get(p, "", &s);
    pl_str_addf(&s, "FROM %s\n", from);
    if (p->plan->option->context > 0)
        pl_str_addf(&s, "PARAMETER num_ctx %llu\n", (unsigned long long)p->plan->option->context);
    if (layers != NULL)
        pl_str_addf(&s, "PARAMETER num_gpu %lld\n", (long long)strtoll(layers, NULL, 10));
    if (batch != NULL)
        pl_str_addf(&s, "PARAMETER num_batch %lld\n", (long long)strtoll(batch, NULL, 10));
    (void)PL_FMT(name, "Modelfile.%.100s", p->name);
    return pl_emit_add(e, name, false, &s, err);
}

/* Ollama multiplies its context by the slots by itself, and has them once for all models. */
static uint64_t pl_most_slots(const struct pl_emit *e)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->process[i].llama && e->process[i].plan->option->slots > n)
            n = e->process[i].plan->option->slots;
    }
    return n;
}

/* Residents, and of those on demand one for each group. */
static uint32_t pl_loaded_at_once(const struct pl_emit *e)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->n; i++) {
        const struct pl_emit_process *p = &e->process[i];
        bool counts = p->llama;
        for (uint32_t k = e->n_hot; i >= e->n_hot && k < i; k++)
            counts = counts && !(e->process[k].llama &&
                                 pl_streq(e->process[k].stack->group, p->stack->group));
        n += counts ? 1 : 0;
    }
    return n;
}

/* Its server has one type of cache for all of its models. */
static int pl_ollama_cache(const struct pl_emit *e, const char **ret, struct pl_err *err)
{
    *ret = NULL;
    for (uint32_t i = 0; i < e->n; i++) {
        const struct pl_emit_process *p = &e->process[i];
        const char *k = pl_value_of(p, "-ctk"), *v = pl_value_of(p, "-ctv");
        k = k != NULL ? k : "f16";
        v = v != NULL ? v : "f16";
        if (!p->llama)
            continue;
        if (!pl_streq(k, v) || (*ret != NULL && !pl_streq(*ret, k)))
            return pl_exit_as(err,
                              pl_fail(err, -EINVAL,
                                      "--emit ollama: its server has one type of cache for all "
                                      "models, the plan has several"),
                              PL_EXIT_USAGE);
        *ret = k;
    }
    *ret = *ret != NULL ? *ret : "f16";
    return 0;
}

int pl_emit_ollama(struct pl_emit *e, struct pl_err *err)
{
    struct pl_str s;
    uint32_t n = 0;
    const char *cache = NULL;
    int rc = pl_ollama_cache(e, &cache, err);
    if (rc < 0)
        return rc;
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_str_add(&s, "#!/bin/sh\n");
    pl_emit_top(e, &s);
    pl_str_addf(&s,
                "# The server needs, before it starts:\n"
                "#   OLLAMA_MAX_LOADED_MODELS=%u OLLAMA_NUM_PARALLEL=%llu%s%s\n"
                "set -eu\ncd \"$(dirname \"$0\")\"\n",
                pl_loaded_at_once(e), (unsigned long long)pl_most_slots(e),
                pl_streq(cache, "f16") ? "" : " OLLAMA_FLASH_ATTENTION=1 OLLAMA_KV_CACHE_TYPE=",
                pl_streq(cache, "f16") ? "" : cache);
    for (uint32_t i = 0; rc == 0 && i < e->n; i++) {
        const struct pl_emit_process *p = &e->process[i];
        const char *from = pl_ollama_from(e, p);
        if (from == NULL) {
            pl_str_addf(&s, "# %s is not for Ollama\n", p->name);
            continue;
        }
        rc = pl_modelfile(e, p, from, err);
        pl_str_addf(&s, "ollama create '%s-%s' -f './Modelfile.%s'\n", e->id, p->name, p->name);
        if (i < e->n_hot)
            pl_str_addf(&s, "ollama run --keepalive -1m '%s-%s' '' >/dev/null # resident\n", e->id,
                        p->name);
        n++;
    }
    if (rc == 0 && n == 0)
        rc = pl_exit_as(err, pl_fail(err, -EINVAL, "--emit ollama: no component is a model for it"),
                        PL_EXIT_USAGE);
    if (rc < 0) {
        pl_str_done(&s);
        return rc;
    }
    return pl_emit_add(e, "up.sh", true, &s, err);
}
