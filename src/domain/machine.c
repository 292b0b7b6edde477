#include "domain/machine.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct pl_pool *pl_machine_pool_const(const struct pl_machine *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_pool; i++) {
        if (pl_streq(m->pool[i].name, name))
            return &m->pool[i];
    }
    return NULL;
}

struct pl_pool *pl_machine_pool(struct pl_machine *m, const char *name)
{
    for (uint32_t i = 0; i < m->n_pool; i++) {
        if (pl_streq(m->pool[i].name, name))
            return &m->pool[i];
    }
    return NULL;
}

struct pl_pool *pl_machine_add_pool(struct pl_machine *m, const char *name, enum pl_pool_kind kind)
{
    if (m->n_pool >= PL_POOLS_MAX)
        return NULL;
    struct pl_pool *p = &m->pool[m->n_pool++];
    *p = (struct pl_pool){.kind = kind};
    (void)PL_FMT(p->name, "%s", name);
    return p;
}

struct pl_device *pl_machine_device(struct pl_machine *m, const char *id)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (pl_streq(m->device[i].id, id))
            return &m->device[i];
    }
    return NULL;
}

struct pl_device *pl_machine_add_device(struct pl_machine *m, const char *id)
{
    if (m->n_device >= PL_DEVICES_MAX)
        return NULL;
    struct pl_device *d = &m->device[m->n_device++];
    *d = (struct pl_device){0};
    (void)PL_FMT(d->id, "%s", id);
    return d;
}

void pl_machine_note(struct pl_machine *m, const char *fmt, ...)
{
    if (m->n_note >= PL_NOTES_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(m->note[m->n_note++], PL_NOTE_TEXT_MAX, fmt, ap);
    va_end(ap);
}

static struct pl_quantity pl_least(struct pl_quantity a, struct pl_quantity b)
{
    if (!pl_known(a))
        return a;
    if (!pl_known(b))
        return b;
    return b.likely < a.likely ? b : a;
}

struct pl_quantity pl_machine_available(const struct pl_machine *m, const char *name)
{
    const struct pl_pool *p = pl_machine_pool_const(m, name);
    if (p == NULL)
        return PL_QUANTITY_UNKNOWN("no such pool");
    struct pl_quantity q = p->available;
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *child = &m->pool[i];
        if (child->kind == PL_POOL_CAP && pl_starts(child->name, "cgroup") &&
            pl_streq(child->parent, name))
            q = pl_least(q, child->available);
    }
    /* Bounded by the table size, so a cycle in a hostile machine file ends. */
    for (uint32_t depth = 0; depth < PL_POOLS_MAX && p->parent[0] != '\0'; depth++) {
        p = pl_machine_pool_const(m, p->parent);
        if (p == NULL)
            return PL_QUANTITY_UNKNOWN("its parent pool is not described");
        q = pl_least(q, p->available);
    }
    return q;
}

bool pl_cpu_has(const struct pl_cpu *cpu, const char *feature)
{
    size_t n = strlen(feature);
    for (const char *s = cpu->isa; (s = strstr(s, feature)) != NULL; s += n) {
        bool starts = s == cpu->isa || s[-1] == ' ';
        if (starts && (s[n] == ' ' || s[n] == '\0'))
            return true;
    }
    return false;
}

const char *pl_pool_kind_name(enum pl_pool_kind kind)
{
    static const char *const names[] = {"host", "dedicated", "unified", "cap"};
    return names[kind];
}
