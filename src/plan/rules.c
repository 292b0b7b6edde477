/* Policies and floors: which options they leave. */
#include "plan/problem.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* Any case; '*' stands for any text. No recursion: the last star is where it goes on. */
static bool pl_pattern(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = text;
        } else if (tolower((unsigned char)*pattern) == tolower((unsigned char)*text)) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star + 1;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool pl_any(const char *const *patterns, const char *text)
{
    for (size_t i = 0; text != NULL && patterns != NULL && patterns[i] != NULL; i++) {
        if (pl_pattern(patterns[i], text))
            return true;
    }
    return false;
}

/* Precision of a quantisation's own name: f16, bf16, f32 are both. */
static bool pl_precision_any(const char *const *patterns, const struct pl_option *o)
{
    return pl_any(patterns, o->precision != NULL ? o->precision : o->quant);
}

static bool pl_policy_forbids(const struct pl_stack *s, const struct pl_stack_policy *p,
                              const struct pl_option *o)
{
    if (p->components != NULL && !pl_any(p->components, s->component[o->component].name))
        return false;
    if (pl_any(p->quants, o->quant) || pl_precision_any(p->precisions, o))
        return true;
    if (p->max_model_bytes != UINT64_MAX && o->model_bytes > p->max_model_bytes)
        return true;
    for (uint32_t i = 0; p->max_allocation != UINT64_MAX && i < o->n_pool; i++) {
        if (o->pool[i].largest.high > p->max_allocation)
            return true;
    }
    return false;
}

uint32_t pl_policies_against(const struct pl_stack *s, const struct pl_option *o)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < s->n_policy; i++) {
        if (pl_policy_forbids(s, &s->policy[i], o))
            bits |= 1u << i;
    }
    return bits;
}

/* Is word one of the words of a list "en,de"? */
static bool pl_listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = list; s != NULL; s = strchr(s, ','), s = s != NULL ? s + 1 : NULL) {
        if (strncmp(s, word, n) == 0 && (s[n] == ',' || s[n] == '\0'))
            return true;
    }
    return false;
}

uint32_t pl_floors_missed(const struct pl_stack_component *c, const struct pl_option *o)
{
    uint32_t bits = 0;
    /* what is not known is not below a floor; the plan says that it is not known */
    if (o->decode_milli > 0 && o->decode_milli < c->min_decode_milli)
        bits |= PL_FLOOR_DECODE;
    if (c->min_quality_given && o->quality_known && o->quality < c->min_quality)
        bits |= PL_FLOOR_QUALITY;
    if (c->language != NULL && o->language != NULL && !pl_listed(o->language, c->language))
        bits |= PL_FLOOR_LANGUAGE;
    if (c->max_first_token_us > 0 && o->first_token_us > c->max_first_token_us)
        bits |= PL_FLOOR_FIRST_TOKEN;
    return bits;
}

void pl_active_all(const struct pl_problem *p, struct pl_active *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (uint32_t i = 0; i < p->n_component; i++) {
        ret->required[i] = p->stack->component[i].required;
        ret->floors[i] = (1u << PL_FLOORS) - 1;
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        ret->ceiling[l] = p->line[l].ceiling != PL_NO_LIMIT && p->line[l].policy < 0;
        ret->available[l] = p->line[l].available != PL_NO_LIMIT && p->line[l].policy < 0;
        ret->largest[l] = p->line[l].largest != PL_NO_LIMIT;
    }
    for (uint32_t i = 0; i < p->stack->n_policy; i++)
        ret->policy[i] = true;
}

bool pl_item_allowed(const struct pl_problem *p, const struct pl_active *a, const struct pl_item *i)
{
    if (i->option == PL_NOTHING)
        return !a->required[i->component];
    if ((i->floors & a->floors[i->component]) != 0)
        return false;
    for (uint32_t n = 0; n < p->stack->n_policy; n++) {
        if (a->policy[n] && (i->policies & (1u << n)) != 0)
            return false;
    }
    for (uint32_t l = 0; l < p->n_line; l++) {
        if (a->largest[l] && (i->large & (1ull << l)) != 0)
            return false;
    }
    return true;
}

bool pl_line_room(const struct pl_problem *p, const struct pl_active *a, uint32_t line,
                  uint64_t *ret)
{
    const struct pl_line *l = &p->line[line];
    uint64_t limit = PL_NO_LIMIT;
    if (l->policy >= 0)
        limit = a->policy[l->policy] ? l->ceiling : PL_NO_LIMIT;
    if (a->ceiling[line])
        limit = l->ceiling;
    if (a->available[line] && l->available < limit)
        limit = l->available;
    if (limit == PL_NO_LIMIT) {
        *ret = PL_NO_LIMIT / 4; /* sums stay below 64 bits */
        return true;
    }
    if (l->reserve > limit)
        return false;
    *ret = limit - l->reserve;
    if (*ret > PL_NO_LIMIT / 4)
        *ret = PL_NO_LIMIT / 4;
    return true;
}
