#include "measure/held.h"

#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A device's use goes up and down by itself: contexts of others, the display. */
#define PL_HELD_NOISE (16ull << 20)

bool pl_held_start(struct pl_held *h, const char *program)
{
    const char *const argv[] = {program, "_sample", "holdings", NULL};
    const struct pl_spawn how = {.argv = argv, .out = PL_OUT_PIPE};
    *h = (struct pl_held){.child = PL_CHILD_NONE};
    return pl_holdings_worth() && pl_spawn(&how, &h->child, NULL) == 0;
}

void pl_held_own(struct pl_held *h, const pid_t *pids, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = h->n_pid;
        while (k > 0 && h->pid[k - 1] != pids[i])
            k--;
        if (k > 0)
            continue;
        if (h->n_pid < PL_HELD_PIDS_MAX)
            h->pid[h->n_pid++] = pids[i];
        else /* the eldest goes; one that still lives comes back with the next look */
            h->pid[h->next_pid++ % PL_HELD_PIDS_MAX] = pids[i];
    }
}

static struct pl_held_pool *pl_held_pool(struct pl_held *h, const char *name)
{
    for (uint32_t i = 0; i < h->n_pool; i++)
        if (pl_streq(h->pool[i].pool, name))
            return &h->pool[i];
    if (h->n_pool == PL_HELD_POOLS_MAX)
        return NULL;
    struct pl_held_pool *p = &h->pool[h->n_pool++];
    *p = (struct pl_held_pool){0};
    (void)PL_FMT(p->pool, "%s", name);
    return p;
}

static void pl_held_device(struct pl_held *h, char *save)
{
    const char *name = strtok_r(NULL, " ", &save), *used = strtok_r(NULL, " ", &save);
    struct pl_held_pool *p = name != NULL ? pl_held_pool(h, name) : NULL;
    uint64_t n;
    if (p == NULL || used == NULL || !pl_parse_u64(used, &n))
        return;
    if (!p->used_known)
        p->used_first = p->used_most = n;
    p->used_known = true;
    p->used_now = n;
    p->used_most = n > p->used_most ? n : p->used_most;
}

static void pl_held_process(struct pl_held *h, char *save)
{
    const char *pid = strtok_r(NULL, " ", &save), *name = strtok_r(NULL, " ", &save),
               *bytes = strtok_r(NULL, " ", &save);
    uint64_t who, n;
    struct pl_held_pool *p = name != NULL ? pl_held_pool(h, name) : NULL;
    if (p == NULL || bytes == NULL || !pl_parse_u64(pid, &who))
        return;
    p->own_known = true;
    for (uint32_t i = 0; i < h->n_pid; i++) {
        if ((uint64_t)h->pid[i] != who)
            continue;
        p->own_told = true;
        if (pl_parse_u64(bytes, &n))
            p->own_sum += n;
        else
            p->own_untold = true;
        return;
    }
}

static void pl_held_line(struct pl_held *h)
{
    char *save = NULL;
    const char *word = strtok_r(h->line, " ", &save);
    if (word == NULL)
        return;
    if (pl_streq(word, "device"))
        pl_held_device(h, save);
    else if (pl_streq(word, "held"))
        pl_held_process(h, save);
    if (!pl_streq(word, "end"))
        return;
    h->looks++;
    for (uint32_t i = 0; i < h->n_pool; i++) {
        struct pl_held_pool *p = &h->pool[i];
        p->own_now = p->own_sum;
        p->own_sum = 0;
        p->own_most = p->own_now > p->own_most ? p->own_now : p->own_most;
    }
}

void pl_held_feed(struct pl_held *h, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '\n') {
            h->cut = h->cut || h->len + 1 >= sizeof(h->line);
            if (!h->cut)
                h->line[h->len++] = text[i];
            continue;
        }
        h->line[h->len] = '\0';
        if (!h->cut)
            pl_held_line(h);
        h->len = 0;
        h->cut = false;
    }
}

bool pl_held_take(struct pl_held *h)
{
    char text[8192];
    for (;;) {
        ssize_t n = read(h->child.out, text, sizeof(text));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return true;
        if (n <= 0)
            return false;
        pl_held_feed(h, text, (size_t)n);
    }
}

void pl_held_stop(struct pl_held *h)
{
    pl_child_done(&h->child);
}

struct pl_quantity pl_held_peak(const struct pl_held *h, const struct pl_held_pool *p)
{
    uint64_t rise = p->used_most - p->used_first;
    if (p->own_told && !p->own_untold)
        return pl_exact(p->own_most, PL_SOURCE_MEASURED,
                        "most that the driver counted for its processes");
    if (p->used_known && rise >= PL_HELD_NOISE)
        return pl_between(0, rise, p->used_most, PL_SOURCE_MEASURED,
                          "how much the device's use rose meanwhile: the driver does not say whose "
                          "it is");
    if (h->looks < 2) /* the first may have come before it held anything */
        return PL_QUANTITY_UNKNOWN("it ended before the devices were looked at twice");
    if (p->own_known && !p->own_told)
        return pl_exact(0, PL_SOURCE_MEASURED, "the driver lists none of its processes");
    return PL_QUANTITY_UNKNOWN(p->used_known ? "the driver does not say who holds the device's "
                                               "memory, and its use did not rise"
                                             : "the driver does not tell");
}

uint64_t pl_held_now(const struct pl_held *h, const char *pool)
{
    for (uint32_t i = 0; i < h->n_pool; i++)
        if (pl_streq(h->pool[i].pool, pool) && h->pool[i].own_told)
            return h->pool[i].own_now;
    return 0;
}

bool pl_held_tells(const struct pl_held *h, const char *pool)
{
    for (uint32_t i = 0; i < h->n_pool; i++)
        if (pl_streq(h->pool[i].pool, pool))
            return h->pool[i].own_known && !h->pool[i].own_untold;
    return false;
}
