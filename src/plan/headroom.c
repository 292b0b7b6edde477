/* The stage of the largest least headroom. */
#include "plan/search.h"

#include <string.h>

#define PL_RATIO_ENOUGH 9u
#define PL_RATIO_LOOKS 7u

/* A ratio that no choice reaches, as far as prices alone tell: halved a few times. */
static uint64_t pl_headroom_most(struct pl_search *s, const bool *keep, const uint64_t *room)
{
    const uint64_t one = 1ull << PL_RATIO_BITS;
    uint64_t low = (uint64_t)((pl_uwide)s->best->head * one / s->best->line), high = one;
    memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
    pl_stage_arrange(s);
    for (uint32_t n = 0; n < PL_RATIO_LOOKS && high > low; n++) {
        uint64_t middle = low + (high - low) / 2;
        bool open = pl_headroom_room(s, middle, one, false) && pl_prices(s, -1, &s->test[0]);
        memcpy(s->room, room, sizeof(s->room));
        if (open)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* The largest least headroom: the ratio is enclosed by halving, any choice above the middle raising
 * the lower end to its own ratio; then nothing strictly above the incumbent is proved, exactly. */
bool pl_stage_headroom(struct pl_search *s, const bool *keep)
{
    const uint64_t one = 1ull << PL_RATIO_BITS;
    uint64_t room[PL_LINES_MAX], high = one;
    bool ended = true;
    memcpy(room, s->room, sizeof(room));
    if (s->p->n_component >= PL_IMPROVE_FROM && s->best->line > 0) {
        high = pl_headroom_most(s, keep, room);
        s->bound = (int64_t)high;
        (void)pl_improve(s, keep);
    }
    while (!s->expired && ended && s->best->line > 0) {
        uint64_t low = (uint64_t)((pl_uwide)s->best->head * one / s->best->line);
        bool last = high <= low || high - low < one >> PL_RATIO_ENOUGH;
        memcpy(s->room, room, sizeof(room));
        memcpy(s->off, keep, s->p->n_item * sizeof(*keep));
        bool open = last ? pl_headroom_room(s, s->best->head, s->best->line, true)
                         : pl_headroom_room(s, low + (high - low) / 2, one, false);
        s->found = false;
        ended = !open ||
                (s->cap <= s->pass ? pl_stage_look(s, s->cap) : pl_stage_split(s, s->cap)) ||
                s->found;
        if (!s->found && last)
            break;
        if (!s->found && ended)
            high = low + (high - low) / 2;
        s->bound = high < (uint64_t)s->bound ? (int64_t)high : s->bound;
    }
    memcpy(s->room, room, sizeof(room));
    return ended && !s->expired;
}
