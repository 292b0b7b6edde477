/* Who holds memory of NVIDIA's devices. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/nvidia.h"

/* Less than this in use by nobody is the driver's own doing. */
#define PL_NVIDIA_UNSEEN_MIN (256 * PL_MIB)

static struct pl_quantity pl_nvidia_process_bytes(const struct pl_nvml_process *p)
{
    if (p->used == PL_NVML_NOT_AVAILABLE)
        return PL_UNREAD(PL_STATE_UNSUPPORTED, "Windows manages the memory and does not tell");
    return pl_exact(p->used, PL_SOURCE_MEASURED, "NVML: memory of the process");
}

static struct pl_holding *pl_nvidia_holding(struct pl_machine *m, int64_t pid, const char *pool)
{
    for (uint32_t i = 0; i < m->n_holding; i++) {
        if (m->holding[i].pid == pid && pl_streq(m->holding[i].pool, pool))
            return &m->holding[i];
    }
    if (m->n_holding >= PL_HOLDINGS_MAX)
        return NULL;
    struct pl_holding *h = &m->holding[m->n_holding++];
    *h = (struct pl_holding){.pid = pid};
    (void)PL_FMT(h->pool, "%s", pool);
    return h;
}

/* A process that computes and draws is in both lists, each time with all it has: the larger of the
 * two is its memory, never the sum. */
static void pl_nvidia_hold(const struct pl_nvml_process *p, const char *pool, struct pl_machine *m)
{
    struct pl_holding *h = pl_nvidia_holding(m, p->pid, pool);
    if (h == NULL)
        return;
    struct pl_quantity bytes = pl_nvidia_process_bytes(p);
    h->graphics = h->graphics || p->graphics;
    if (h->name[0] == '\0')
        (void)PL_FMT(h->name, "%s", p->name);
    if (!pl_known(h->held) || (pl_known(bytes) && bytes.likely > h->held.likely))
        h->held = pl_known(bytes) || h->held.why == NULL ? bytes : h->held;
}

struct pl_quantity pl_nvidia_held(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u)
{
    uint64_t sum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_process; i++) {
        const struct pl_nvml_process *p = &a->process[i];
        uint64_t most = p->used;
        bool first = true;
        if (&a->unit[p->unit] != u)
            continue;
        for (uint32_t k = 0; k < a->n_process; k++) {
            const struct pl_nvml_process *q = &a->process[k];
            if (q->unit != p->unit || q->pid != p->pid)
                continue;
            first = first && k >= i;
            most = q->used > most ? q->used : most;
        }
        if (most == PL_NVML_NOT_AVAILABLE)
            return PL_UNREAD(PL_STATE_UNSUPPORTED, "the driver does not tell it per process");
        sum = first ? pl_add_sat(sum, most) : sum;
        n++;
    }
    if (n == 0)
        return PL_UNREAD(PL_STATE_UNSUPPORTED, "the driver lists no process");
    return pl_exact(sum, PL_SOURCE_DERIVED, "sum over the processes the driver lists");
}

void pl_nvidia_holdings(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u,
                        const struct pl_device *d, struct pl_machine *m)
{
    const char *pool = d->pool[0] != '\0' ? d->pool : d->id;
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_process; i++) {
        if (&a->unit[a->process[i].unit] != u)
            continue;
        pl_nvidia_hold(&a->process[i], pool, m);
        n++;
    }
    const struct pl_nvml_answer *list = &u->answer[PL_NVML_PROCESSES_COMPUTE];
    char size[PL_SIZE_TEXT_MAX];
    if (list->asked && list->code != PL_NVML_SUCCESS)
        pl_machine_note(m, "%s: who holds its memory is unknown: %s", d->id,
                        pl_nvml_code_text(list->code));
    else if (list->asked && n == 0 && pl_known(d->used) && d->used.likely >= PL_NVIDIA_UNSEEN_MIN)
        pl_machine_note(m,
                        "%s: %s in use by nobody listed: the driver does not show a container the "
                        "processes outside (run on the host, or with --pid=host)",
                        d->id, pl_size_text(d->used.likely, size));
}
