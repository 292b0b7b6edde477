#include "cli/plan_holding.h"

#include "base/str.h"
#include "base/units.h"
#include "cli/plan_found.h"
#include "sys/proc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PL_HOLDINGS_ASKED_MAX 512u
#define PL_HELD_BY_MAX 2048u
/* The number of the first process namespace is fixed: PROC_PID_INIT_INO of the kernel. */
#define PL_FIRST_PID_NAMESPACE "pid:[4026531836]"

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

/* May a driver's number of a process be one of ours? In a namespace of processes the numbers are
 * others, unless it gives the name too. */
static bool pl_held_trusted(const struct pl_root *root, const struct pl_holding *h)
{
    char text[64] = "", path[48], name[64] = "";
    if (pl_root_read_link(root, "proc/self/ns/pid", text, sizeof(text), NULL) == 0 &&
        pl_streq(text, PL_FIRST_PID_NAMESPACE))
        return true;
    (void)PL_FMT(path, "/proc/%lld/comm", (long long)h->pid);
    FILE *f = fopen(path, "re");
    bool got = f != NULL && fgets(name, sizeof(name), f) != NULL;
    if (f != NULL)
        (void)fclose(f);
    name[strcspn(name, "\n")] = '\0';
    const char *slash = strrchr(h->name, '/'), *base = slash != NULL ? slash + 1 : h->name;
    return got && base[0] != '\0' && strncmp(base, name, 15) == 0; /* as the kernel cuts it */
}

/* The least that drivers say the process holds of a pool whose memory is not main memory: what is,
 * the process' own memory counts. Several lists of a driver may name it: the largest. */
static int pl_held_devices(const struct pl_machine *m, const struct pl_root *root, pid_t pid,
                           struct pl_held_list *l, struct pl_err *err)
{
    for (uint32_t i = 0; i < m->n_holding; i++) {
        const struct pl_holding *h = &m->holding[i];
        const struct pl_pool *p = pl_machine_pool_const(m, h->pool);
        uint64_t most = pl_known(h->held) ? h->held.low : 0;
        bool before = false;
        for (uint32_t k = 0; k < m->n_holding; k++) {
            const struct pl_holding *o = &m->holding[k];
            if (k == i || o->pid != h->pid || !pl_streq(o->pool, h->pool))
                continue;
            before = before || k < i;
            most = pl_known(o->held) && o->held.low > most ? o->held.low : most;
        }
        if (h->pid != pid || before || p == NULL || pl_streq(p->parent, "ram") ||
            !pl_held_trusted(root, h))
            continue;
        int rc = pl_held_add(l, p->name, most, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What a process holds: its own memory, and that of devices. False in *ret when it is not there. */
static int pl_held_pid(const struct pl_machine *m, pid_t pid, struct pl_held_list *l, bool *ret,
                       struct pl_err *err)
{
    struct pl_root root;
    struct pl_sample now = {0};
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    int rc = pl_root_open(NULL, &root, err);
    if (rc < 0)
        return rc;
    *ret = pl_proc_sample(&root, pid, &now, NULL) == 0;
    if (*ret && ram != NULL)
        rc = pl_held_add(l, ram->name, now.rss_anon + now.rss_shmem, err);
    if (*ret && rc == 0)
        rc = pl_held_devices(m, &root, pid, l, err);
    pl_root_done(&root);
    return rc;
}

/* A process of this system, or of a machine file as its list of consumers has it. */
static int pl_held_process(const struct pl_machine *m, const char *word, struct pl_held_list *l,
                           struct pl_err *err)
{
    uint64_t pid;
    bool there = false;
    int rc = 0;
    if (!pl_parse_u64(word, &pid))
        return pl_fail(err, -EINVAL, "--holding: '%.60s' is neither POOL=SIZE nor a process", word);
    if (m->this_system && pid > 0 && pid <= INT32_MAX)
        rc = pl_held_pid(m, (pid_t)pid, l, &there, err);
    for (uint32_t i = 0; rc == 0 && !m->this_system && i < m->n_consumer && !there; i++) {
        const struct pl_consumer *c = &m->consumer[i];
        there = c->pid > 0 && (uint64_t)c->pid == pid;
        if (there && pl_known(c->host))
            rc = pl_held_add(l, "ram", c->host.low, err);
        for (uint32_t d = 0; rc == 0 && there && d < c->n_device; d++) {
            if (pl_known(c->device[d].held))
                rc = pl_held_add(l, c->device[d].pool, c->device[d].held.low, err);
        }
    }
    if (rc < 0 || there)
        return rc;
    (void)pl_fail(err, -EINVAL, "--holding: what process %llu holds is not known",
                  (unsigned long long)pid);
    return pl_hint(err, "give its bytes by pool: --holding ram=2GiB,gpu0=5GiB");
}

/* Nothing was said: what is found running. */
static int pl_held_found(const struct pl_machine *m, struct pl_arena *arena, struct pl_stack *stack,
                         struct pl_held_list *l, struct pl_err *err)
{
    struct pl_found found[PL_FOUND_MAX];
    struct pl_str by;
    int rc = 0;
    uint32_t n = m->this_system ? pl_stack_found(stack, arena, found) : 0;
    pl_str_init(&by, PL_HELD_BY_MAX);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        bool there = false;
        rc = pl_held_pid(m, found[i].pid, l, &there, err);
        if (there)
            pl_str_addf(&by, "%sprocess %d (%s)", by.len > 0 ? ", " : "", (int)found[i].pid,
                        found[i].component);
    }
    if (rc == 0 && by.len > 0)
        stack->held_by = pl_arena_strdup(arena, pl_str_get(&by));
    pl_str_done(&by);
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
    bool none = asked->given && pl_streq(asked->text, "none");
    int found = asked->given ? 0 : pl_held_found(machine, arena, stack, &list, err);
    if (found < 0)
        return found;
    for (const char *s = asked->given && !none ? asked->text : ""; *s != '\0';) {
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
