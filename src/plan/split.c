/* A stage solved by parts: where a search does not end soon, one component is held to each of its
 * items in turn, and prices are made anew for what is left. */
#include "plan/search.h"

#include <string.h>

#define PL_SPLIT_NODES 3000u /* of the search in one part */
#define PL_SPLIT_COST 400u   /* nodes that making prices counts for */

/* The component with the fewest items left, of several the one searched first; PL_NOTHING when none
 * has a choice. */
static uint32_t pl_split_on(const struct pl_search *s)
{
    uint32_t least = UINT32_MAX, at = PL_NOTHING;
    for (uint32_t d = 0; d < s->p->n_component; d++) {
        uint32_t c = s->order[d], left = 0;
        for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++)
            left += !s->off[i];
        if (left > 1 && left < least) {
            least = left;
            at = c;
        }
    }
    return at;
}

/* The best item that is left by the leading test. */
static uint32_t pl_split_item(const struct pl_search *s, uint32_t c)
{
    uint32_t at = PL_NOTHING;
    for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++) {
        if (!s->off[i] && (at == PL_NOTHING || s->test[0].price[i] > s->test[0].price[at]))
            at = i;
    }
    return at;
}

/* Looks into the part that s->off leaves. True: done with it. */
static bool pl_split_part(struct pl_search *s, bool whole)
{
    s->held = !whole;
    s->best->nodes += PL_SPLIT_COST;
    bool done = pl_stage_look(s, PL_SPLIT_NODES);
    s->held = false;
    return done;
}

bool pl_stage_split(struct pl_search *s, uint64_t nodes)
{
    uint32_t n = s->p->n_item, level = 0;
    uint64_t end = s->best->nodes + nodes;
    bool first = s->stage[s->now].kind == PL_STAGE_HEADROOM;
    for (bool down = true;;) {
        bool *off = s->level[level];
        if (down && level == 0)
            memcpy(off, s->off, n * sizeof(*off));
        memcpy(s->off, off, n * sizeof(*off));
        bool done = pl_split_part(s, level == 0);
        if ((first && s->found) || (done && level == 0))
            return true;
        bool over =
            s->limits != NULL && s->limits->expired != NULL && s->limits->expired(s->limits->ctx);
        s->expired = s->expired || over;
        if (s->expired || s->best->nodes >= end)
            return false;
        uint32_t c = done ? PL_NOTHING : pl_split_on(s);
        if (!done && c != PL_NOTHING && level < s->p->n_component) {
            /* what the tests left out here stays out: better ones are not among them */
            uint32_t item = pl_split_item(s, c);
            memcpy(off, s->off, n * sizeof(*off));
            memcpy(s->level[level + 1], off, n * sizeof(*off));
            for (uint32_t i = s->p->first[c]; i < s->p->first[c + 1]; i++)
                s->level[level + 1][i] = i != item;
            s->level_item[++level] = item;
            down = true;
            continue;
        }
        if (!done)
            return false; /* one choice left, and the search of it did not end */
        /* this part is done: without its item, the part above again */
        s->level[level - 1][s->level_item[level]] = true;
        level--;
        down = false;
    }
}
