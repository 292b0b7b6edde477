/* From NVML's answers to devices and pools, in PCI order. */
#include "base/checked.h"
#include "base/str.h"
#include "machine/nvidia.h"
#include "machine/unified.h"

#include <stdlib.h>
#include <string.h>

struct pl_device *pl_nvidia_add(struct pl_machine *m)
{
    char id[16];
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_device; i++)
        n += m->device[i].parent[0] == '\0' ? 1 : 0;
    (void)PL_FMT(id, "gpu%u", n);
    return pl_machine_add_device(m, id);
}

/* The pool of a device with memory of its own. */
static struct pl_pool *pl_nvidia_pool(const struct pl_device *d, struct pl_machine *m)
{
    struct pl_pool *p = pl_machine_add_pool(m, d->id, PL_POOL_DEDICATED);
    if (p == NULL)
        return NULL;
    (void)PL_FMT(p->parent, "%s", d->parent);
    p->capacity = d->total;
    p->reserved = d->reserved;
    p->used = d->used;
    p->reclaimable = pl_exact(0, PL_SOURCE_DERIVED, "a device has no page cache");
    p->available = d->available;
    p->largest_allocation = PL_QUANTITY_UNKNOWN("not tried");
    p->bandwidth = d->bandwidth;
    p->bandwidth_one = (struct pl_rate){.why = "that of the device"};
    return p;
}

/* The device of an earlier slice with the same GPU instance: compute instances share its memory. */
static const struct pl_device *pl_nvidia_sibling(const struct pl_nvml_answers *a,
                                                 const struct pl_nvml_unit *u,
                                                 const struct pl_device *parent,
                                                 struct pl_machine *m)
{
    const struct pl_nvml_answer *own = &u->answer[PL_NVML_GPU_INSTANCE];
    for (uint32_t i = 0; own->asked && own->code == PL_NVML_SUCCESS && i < a->n_unit; i++) {
        const struct pl_nvml_unit *v = &a->unit[i];
        const struct pl_nvml_answer *other = &v->answer[PL_NVML_GPU_INSTANCE];
        char id[48];
        if (v->device != u->device || v->slice < 0 || v->slice >= u->slice || !other->asked ||
            other->code != PL_NVML_SUCCESS || other->value[0] != own->value[0])
            continue;
        (void)PL_FMT(id, "%s.%d", parent->id, v->slice);
        const struct pl_device *d = pl_machine_device(m, id);
        if (d != NULL)
            return d;
    }
    return NULL;
}

static void pl_nvidia_slice(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u,
                            const struct pl_device *parent, bool wsl, struct pl_machine *m,
                            struct pl_quantity *sum)
{
    char id[48], parent_id[32];
    (void)PL_FMT(parent_id, "%s", parent->id);
    if (!PL_FMT(id, "%s.%d", parent_id, u->slice) || u->answer[PL_NVML_MIG_HANDLE].code != 0)
        return;
    const struct pl_device *shares = pl_nvidia_sibling(a, u, parent, m);
    struct pl_device *d = pl_machine_add_device(m, id);
    if (d == NULL) {
        pl_machine_note(m, "%s: more devices than can be told (%d)", id, PL_DEVICES_MAX);
        return;
    }
    pl_nvidia_device(a, u, wsl, d);
    (void)pl_nvidia_memory(u, d);
    (void)PL_FMT(d->parent, "%s", parent_id);
    if (d->name[0] == '\0')
        (void)PL_FMT(d->name, "%.80s, slice", parent->name);
    (void)PL_FMT(d->pci, "%s", parent->pci);
    (void)PL_FMT(d->pci_id, "%s", parent->pci_id);
    (void)PL_FMT(d->compute_capability, "%s", parent->compute_capability);
    d->bf16_known = parent->bf16_known;
    d->bf16 = parent->bf16;
    d->bandwidth = (struct pl_rate){.why = "a share of the device's, not told"};
    for (int i = 0; i < PL_SENSORS; i++) /* NVML tells these of whole devices */
        d->sensor[i] = (struct pl_sensor){.state = PL_STATE_UNSUPPORTED};
    (void)PL_FMT(d->pool, "%s", shares != NULL ? shares->pool : d->id);
    if (shares == NULL) {
        (void)pl_nvidia_pool(d, m);
        *sum = pl_plus(*sum, d->available);
    }
    pl_nvidia_holdings(a, u, d, m);
}

/* A device cut into MIG instances: programs get the instances' memory, none of its own. Its pool
 * stays above theirs as a cap, so that their sum never exceeds the device. */
static void pl_nvidia_slices(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u,
                             const struct pl_device *d, bool wsl, struct pl_machine *m)
{
    struct pl_quantity sum = pl_exact(0, PL_SOURCE_DERIVED, "sum over its MIG instances");
    uint32_t before = m->n_device;
    for (uint32_t i = 0; i < a->n_unit; i++) {
        if (a->unit[i].device == u->device && a->unit[i].slice >= 0)
            pl_nvidia_slice(a, &a->unit[i], d, wsl, m, &sum);
    }
    if (m->n_device == before)
        pl_machine_note(m, "%s: MIG is on and no instance is made: programs can use none of it",
                        d->id);
    struct pl_pool *p = pl_machine_pool(m, d->id);
    if (p == NULL)
        return;
    p->kind = PL_POOL_CAP;
    if (!pl_known(p->available) || (pl_known(sum) && sum.likely < p->available.likely))
        p->available = sum;
    if (!pl_known(p->capacity)) {
        p->capacity = PL_QUANTITY_UNKNOWN("no permission to ask the whole device");
        p->capacity.state = PL_STATE_NO_PERMISSION;
    }
}

static void pl_nvidia_unit(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u, bool wsl,
                           const struct pl_nvidia_card *card, struct pl_machine *m)
{
    const struct pl_nvml_answer *mig = &u->answer[PL_NVML_MIG_MODE];
    bool cut = mig->asked && mig->code == PL_NVML_SUCCESS && mig->value[0] == 1;
    struct pl_device *d = pl_nvidia_add(m);
    if (d == NULL)
        return;
    pl_nvidia_device(a, u, wsl, d);
    if (card != NULL) {
        (void)PL_FMT(d->pci, "%s", card->pci);
        if (d->pci_id[0] == '\0')
            (void)PL_FMT(d->pci_id, "%s", card->pci_id);
        if (d->name[0] == '\0')
            (void)PL_FMT(d->name, "%s", card->name);
    }
    if (d->power == PL_POWER_LOST)
        pl_machine_note(m, "%s: %s", d->id, pl_nvml_code_text(PL_NVML_GPU_IS_LOST));
    else if (u->answer[PL_NVML_HANDLE].asked && u->answer[PL_NVML_HANDLE].code != 0)
        pl_machine_note(m, "%s: the driver does not open it: %s", d->id,
                        pl_nvml_code_text(u->answer[PL_NVML_HANDLE].code));
    if (!pl_nvidia_memory(u, d)) {
        d->used = pl_nvidia_held(a, u);
        if (pl_unified_make(m, d, NULL) < 0)
            pl_machine_note(m, "%s: shares memory of which nothing is known", d->id);
    } else {
        (void)pl_nvidia_pool(d, m);
        if (!cut)
            (void)PL_FMT(d->pool, "%s", d->id);
    }
    if (cut)
        pl_nvidia_slices(a, u, d, wsl, m);
    else
        pl_nvidia_holdings(a, u, d, m);
    if (mig->asked && mig->code == PL_NVML_SUCCESS && mig->value[0] != mig->value[1])
        pl_machine_note(m, "%s: MIG will be %s after the next reset", d->id,
                        mig->value[1] == 1 ? "on" : "off");
}

/* What the sorting needs of a unit. */
struct pl_nvidia_place {
    const struct pl_nvml_unit *unit;
    char pci[24];
};

static int pl_nvidia_place_order(const void *a, const void *b)
{
    const struct pl_nvidia_place *x = a, *y = b;
    int order = pl_nvidia_pci_order(x->pci, y->pci);
    return order != 0 ? order : x->unit->device - y->unit->device;
}

/* The card at that address; for a device that cannot be opened, and so tells none, the first of the
 * driver's that nobody spoke of. */
static struct pl_nvidia_card *pl_nvidia_card_of(struct pl_nvidia_cards *cards, const char *pci)
{
    for (uint32_t i = 0; i < cards->n_card; i++) {
        struct pl_nvidia_card *c = &cards->card[i];
        if (!c->taken && (pci[0] != '\0' ? pl_nvidia_pci_order(c->pci, pci) == 0
                                         : pl_streq(c->driver, "nvidia")))
            return c;
    }
    return NULL;
}

void pl_nvidia_from_answers(const struct pl_nvml_answers *a, struct pl_nvidia_cards *cards,
                            struct pl_machine *m)
{
    struct pl_nvidia_place place[PL_NVML_DEVICES_MAX] = {0};
    uint32_t n = 0;
    bool wsl = cards->wsl || strstr(a->library, "/wsl/") != NULL;
    for (uint32_t i = 0; i < a->n_unit && n < PL_NVML_DEVICES_MAX; i++) {
        const struct pl_nvml_answer *pci = &a->unit[i].answer[PL_NVML_PCI];
        if (a->unit[i].slice >= 0)
            continue;
        place[n].unit = &a->unit[i];
        if (pci->asked && pci->code == PL_NVML_SUCCESS)
            (void)PL_FMT(place[n].pci, "%04x:%02x:%02x.0", (unsigned)(pci->value[0] & 0xffffffff),
                         (unsigned)(pci->value[1] & 0xff), (unsigned)(pci->value[2] & 0x1f));
        n++;
    }
    qsort(place, n, sizeof(place[0]), pl_nvidia_place_order);
    for (int pass = 0; pass < 2; pass++) { /* those that tell their address choose first */
        for (uint32_t i = 0; i < n; i++) {
            if ((place[i].pci[0] != '\0') != (pass == 0))
                continue;
            struct pl_nvidia_card *card = pl_nvidia_card_of(cards, place[i].pci);
            if (card != NULL)
                card->taken = true;
            if (card != NULL && place[i].pci[0] == '\0')
                (void)PL_FMT(place[i].pci, "%s", card->pci);
        }
    }
    qsort(place, n, sizeof(place[0]), pl_nvidia_place_order);
    for (uint32_t i = 0; i < n; i++) {
        const struct pl_nvidia_card *card = NULL;
        for (uint32_t k = 0; k < cards->n_card; k++) {
            if (place[i].pci[0] != '\0' &&
                pl_nvidia_pci_order(cards->card[k].pci, place[i].pci) == 0)
                card = &cards->card[k];
        }
        pl_nvidia_unit(a, place[i].unit, wsl, card, m);
    }
}
