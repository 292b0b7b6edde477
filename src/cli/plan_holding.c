#include "cli/plan_holding.h"

#include "base/str.h"
#include "base/units.h"
#include "cli/machine.h"

#include <errno.h>
#include <string.h>

#define PL_HOLDINGS_ASKED_MAX 256u

struct pl_held_list {
    struct pl_stack_holding one[PL_HOLDINGS_ASKED_MAX];
    uint32_t n;
};

static int pl_held_add(struct pl_held_list *l, const char *pool, uint64_t bytes, struct pl_err *err)
{
    if (l->n >= PL_HOLDINGS_ASKED_MAX)
        return pl_fail(err, -E2BIG, "--holding: more than %u", PL_HOLDINGS_ASKED_MAX);
    l->one[l->n++] = (struct pl_stack_holding){pool, bytes};
    return 0;
}

/* All that the machine knows of a process: its own memory, and what it holds of devices. */
static int pl_held_process(const struct pl_machine *m, const char *word, struct pl_held_list *l,
                           struct pl_err *err)
{
    static struct pl_machine full; /* a forecast's look leaves consumers out */
    uint64_t pid;
    const struct pl_consumer *c = NULL;
    if (!pl_parse_u64(word, &pid))
        return pl_fail(err, -EINVAL, "--holding: '%.60s' is neither POOL=SIZE nor a process", word);
    if (m->this_system && m->n_consumer == 0) {
        int rc = full.n_consumer == 0 ? pl_cli_machine(NULL, &full, err) : 0;
        if (rc < 0)
            return rc;
        m = &full;
    }
    for (uint32_t i = 0; i < m->n_consumer && c == NULL; i++)
        c = m->consumer[i].pid > 0 && (uint64_t)m->consumer[i].pid == pid ? &m->consumer[i] : NULL;
    if (c == NULL) {
        (void)pl_fail(err, -EINVAL, "--holding: what process %llu holds is not known",
                      (unsigned long long)pid);
        return pl_hint(err, "give its bytes by pool: --holding ram=2GiB,gpu0=5GiB");
    }
    int rc = pl_known(c->host) ? pl_held_add(l, "ram", c->host.low, err) : 0;
    for (uint32_t d = 0; rc == 0 && d < c->n_device; d++) {
        if (pl_known(c->device[d].held))
            rc = pl_held_add(l, c->device[d].pool, c->device[d].held.low, err);
    }
    return rc;
}

static int pl_held_word(const struct pl_machine *m, char *word, struct pl_held_list *l,
                        struct pl_err *err)
{
    char *size = strchr(word, '=');
    uint64_t bytes;
    if (size == NULL)
        return pl_held_process(m, word, l, err);
    *size++ = '\0';
    const struct pl_pool *p = pl_machine_pool_const(m, word);
    if (p == NULL)
        return pl_fail(err, -EINVAL, "--holding: this machine has no pool '%.60s'", word);
    int rc = pl_size_parse(size, &bytes, err);
    return rc < 0 ? rc : pl_held_add(l, p->name, bytes, err);
}

int pl_plan_holding(const struct pl_cli *cli, const struct pl_machine *machine,
                    struct pl_arena *arena, struct pl_stack *stack, struct pl_err *err)
{
    const struct pl_opt_value *asked = pl_cli_opt(cli, "holding");
    struct pl_held_list list = {.n = 0};
    for (const char *s = asked->given ? asked->text : ""; *s != '\0';) {
        char word[160];
        size_t n = strcspn(s, ",");
        int rc = -EINVAL;
        if (n == 0 || n >= sizeof(word)) {
            (void)pl_fail(err, rc, "--holding: '%.60s' is neither POOL=SIZE nor a process", s);
        } else {
            (void)PL_FMT(word, "%.*s", (int)n, s);
            rc = pl_held_word(machine, word, &list, err);
        }
        if (rc < 0)
            return pl_exit_as(err, rc, PL_EXIT_USAGE);
        s += n + (s[n] == ',');
    }
    struct pl_stack_holding *kept = pl_arena_alloc(arena, (size_t)list.n + 1, sizeof(*kept));
    if (kept == NULL)
        return pl_fail(err, -ENOMEM, "no memory for what is held");
    memcpy(kept, list.one, list.n * sizeof(*kept));
    stack->holding = kept;
    stack->n_holding = list.n;
    return 0;
}
