/* Large neighbourhoods: what a stage has found is improved a few components at a time, each few
 * solved exactly with all others held. Which few is drawn by a generator that starts the same in
 * every run. */
#include "plan/search.h"

#include <math.h>
#include <string.h>

#define PL_ROUND_NODES 4000u /* of one neighbourhood */
#define PL_ROUND_LEAST 3u    /* components of the smallest */
#define PL_ROUND_START 7u
#define PL_FULL_POWER 16

static uint32_t pl_draw(struct pl_search *s, uint32_t n)
{
    /* xorshift64* (Vigna 2014) */
    s->random ^= s->random >> 12;
    s->random ^= s->random << 25;
    s->random ^= s->random >> 27;
    return (uint32_t)((s->random * 0x2545F4914F6CDD1Dull) >> 33) % n;
}

/* What the component could still gain in this stage. */
static int64_t pl_gain(const struct pl_search *s, const bool *keep, uint32_t c)
{
    const int64_t *value = s->stage[s->now].value;
    int64_t most = 0;
    for (uint32_t i = s->p->first[c]; value != NULL && i < s->p->first[c + 1]; i++) {
        int64_t gain = keep[i] ? 0 : value[i] - value[s->best->choice[c]];
        most = gain > most ? gain : most;
    }
    return most;
}

/* Components in a drawn order, the first one that can gain in front. */
static void pl_shuffle(struct pl_search *s, const bool *keep)
{
    uint32_t n = s->p->n_component, *list = s->trial;
    for (uint32_t c = 0; c < n; c++)
        list[c] = c;
    for (uint32_t a = n; a > 1; a--) {
        uint32_t b = pl_draw(s, a), c = list[a - 1];
        list[a - 1] = list[b];
        list[b] = c;
    }
    for (uint32_t a = 0; a < n; a++) {
        uint32_t c = list[a];
        if (pl_gain(s, keep, c) <= 0)
            continue;
        list[a] = list[0];
        list[0] = c;
        return;
    }
}

/* Leaves out all items but those at hand, except of the first `few` components of the list. */
static void pl_hold(struct pl_search *s, const bool *keep, uint32_t few)
{
    const struct pl_problem *p = s->p;
    for (uint32_t a = 0; a < p->n_component; a++) {
        uint32_t c = s->trial[a];
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++)
            s->off[i] = a < few ? keep[i] : i != s->best->choice[c];
    }
}

/* How full the lines are, the fuller the more it counts: smooth, where the least headroom alone is
 * the same for most choices. */
static double pl_fullness(struct pl_search *s, const uint32_t *choice, struct pl_engines *e,
                          uint64_t load[PL_LINES_MAX])
{
    double sum = 0;
    pl_engines_of(s->p, choice, s->p->n_component, e);
    pl_engines_load(s->p, e, load);
    for (uint32_t l = 0; l < s->p->n_line; l++) {
        const struct pl_line *x = &s->p->line[l];
        if (load[l] > s->room[l])
            return HUGE_VAL;
        if (x->policy < 0 && !x->missing && x->ceiling != PL_NO_LIMIT && x->ceiling > 0)
            sum += pow((double)(load[l] + x->reserve) / (double)x->ceiling, PL_FULL_POWER);
    }
    return sum;
}

/* Is the item worth as much as another in all terms already won? */
static bool pl_worth(const struct pl_search *s, uint32_t item, uint32_t other)
{
    for (uint32_t k = 0; k < s->now; k++) {
        if (s->stage[k].kind == PL_STAGE_SUM && s->stage[k].value[item] < s->stage[k].value[other])
            return false;
    }
    return true;
}

/* Exchanges single items for ones worth the same as long as that empties the fullest lines. */
static void pl_climb(struct pl_search *s, const bool *keep)
{
    const struct pl_problem *p = s->p;
    struct pl_engines e;
    uint64_t load[PL_LINES_MAX], head, line;
    uint32_t *choice = s->trial;
    memcpy(choice, s->best->choice, p->n_component * sizeof(*choice));
    double now = pl_fullness(s, choice, &e, load);
    for (uint32_t c = 0, since = 0; since < p->n_component; c = (c + 1) % p->n_component, since++) {
        for (uint32_t i = p->first[c]; i < p->first[c + 1]; i++) {
            uint32_t was = choice[c];
            if (keep[i] || i == was || !pl_worth(s, i, was))
                continue;
            choice[c] = i;
            double v = pl_fullness(s, choice, &e, load);
            if (v < now * (1 - 1e-9) && pl_engines_order(p, &e, s->full, NULL, NULL)) {
                now = v;
                since = 0;
            } else {
                choice[c] = was;
            }
        }
    }
    (void)pl_fullness(s, choice, &e, load);
    pl_least_headroom(p, load, &head, &line);
    if (line == 0 || !pl_ratio_more(head, line, s->best->head, s->best->line))
        return;
    memcpy(s->best->choice, choice, p->n_component * sizeof(*choice));
    s->best->head = head;
    s->best->line = line;
}

bool pl_improve(struct pl_search *s, const bool *keep)
{
    uint32_t n = s->p->n_component, few = n < PL_ROUND_START ? n : PL_ROUND_START;
    uint64_t room[PL_LINES_MAX];
    bool proved = false;
    memcpy(room, s->room, sizeof(room));
    if (s->stage[s->now].kind == PL_STAGE_HEADROOM)
        pl_climb(s, keep);
    uint64_t most = 2 * n + s->cap / 256;
    for (uint64_t idle = 0; idle < most && !s->expired && !proved; idle++) {
        pl_shuffle(s, keep);
        pl_hold(s, keep, few);
        s->held = few < n;
        s->found = false;
        memcpy(s->room, room, sizeof(room));
        bool ended = s->stage[s->now].kind == PL_STAGE_HEADROOM &&
                     !pl_headroom_room(s, s->best->head, s->best->line, true);
        ended = ended || pl_stage_look(s, PL_ROUND_NODES);
        if (s->found)
            idle = 0;
        bool all = ended && few == n; /* a headroom ends its search at the first better one */
        proved = (all && (!s->found || s->stage[s->now].kind == PL_STAGE_SUM)) ||
                 (s->stage[s->now].kind == PL_STAGE_SUM && s->best->best[s->now] >= s->bound);
        if (ended && few < n)
            few++;
        else if (!ended && few > PL_ROUND_LEAST)
            few--;
    }
    s->held = false;
    memcpy(s->room, room, sizeof(room));
    return proved;
}
