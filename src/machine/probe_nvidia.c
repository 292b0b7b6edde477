/* NVIDIA's devices: what the kernel lists, and what NVML answers in a child of its own. A sleeping
 * device is not woken. */
#include "base/str.h"
#include "machine/nvidia.h"
#include "machine/probes.h"
#include "sys/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_NVIDIA_SLOW_MS 1000

/* Why a device that NVML was not asked of has no numbers. */
struct pl_nvidia_unread {
    enum pl_state state;
    const char *why;
    bool useless; /* nor could programs started here use it */
};

/* A card NVML did not speak of. One that programs could use through NVIDIA's driver gets a pool, of
 * which nothing is known; another driver's has none, nor one whose library is not here: CUDA comes
 * with it. */
static void pl_nvidia_unasked(const struct pl_nvidia_card *c, struct pl_nvidia_unread all,
                              const char *version, struct pl_machine *m)
{
    struct pl_device *d = pl_nvidia_add(m);
    if (d == NULL)
        return;
    bool ours = pl_streq(c->driver, "nvidia");
    struct pl_nvidia_unread u = all;
    if (c->suspended)
        u = (struct pl_nvidia_unread){PL_STATE_ASLEEP, "asleep: asking would wake it", false};
    else if (!ours)
        u = (struct pl_nvidia_unread){PL_STATE_UNSUPPORTED, "not with NVIDIA's driver", true};
    d->vendor = PL_VENDOR_NVIDIA;
    d->power = c->suspended ? PL_POWER_ASLEEP : PL_POWER_UNKNOWN;
    (void)PL_FMT(d->pci, "%s", c->pci);
    (void)PL_FMT(d->pci_id, "%s", c->pci_id);
    (void)PL_FMT(d->name, "%s", c->name);
    (void)PL_FMT(d->uuid, "%s", c->uuid);
    (void)PL_FMT(d->driver, "%s", c->driver);
    if (ours)
        (void)PL_FMT(d->driver_version, "%s", version);
    d->total = d->reserved = d->used = d->available = PL_UNREAD(u.state, u.why);
    d->visible = PL_UNREAD(PL_STATE_NOT_ASKED, "needs a CUDA context");
    d->nominal = PL_QUANTITY_UNKNOWN("not looked up in the device data");
    d->bandwidth = (struct pl_rate){.state = u.state, .why = u.why};
    d->fp16 = d->int8 = (struct pl_rate){.why = "not looked up in the device data"};
    for (int i = 0; i < PL_SENSORS; i++)
        d->sensor[i].state = u.state;
    if (!ours) {
        pl_machine_note(m, "%s (%s): driver %s, not NVIDIA's: memory unknown, and no CUDA", d->id,
                        d->pci, c->driver[0] != '\0' ? c->driver : "none");
        return;
    }
    struct pl_pool *p = u.useless ? NULL : pl_machine_add_pool(m, d->id, PL_POOL_DEDICATED);
    if (p == NULL)
        return;
    (void)PL_FMT(d->pool, "%s", d->id);
    p->capacity = p->reserved = p->used = p->available = d->total;
    p->reclaimable = pl_exact(0, PL_SOURCE_DERIVED, "a device has no page cache");
    p->largest_allocation = PL_QUANTITY_UNKNOWN("not tried");
    p->bandwidth = p->bandwidth_one = d->bandwidth;
}

static void pl_nvidia_rest(const struct pl_nvidia_cards *cards, struct pl_nvidia_unread why,
                           struct pl_machine *m)
{
    for (uint32_t i = 0; i < cards->n_card; i++) {
        if (!cards->card[i].taken)
            pl_nvidia_unasked(&cards->card[i], why, cards->driver_version, m);
    }
}

/* What is wrong with the library as a whole. True when it does not work at all. */
static bool pl_nvidia_answers_note(const struct pl_nvml_answers *a, struct pl_machine *m)
{
    const struct pl_nvml_answer *init = &a->system[PL_NVML_INIT];
    const struct pl_nvml_answer *count = &a->system[PL_NVML_COUNT];
    bool missing = a->library[0] == '\0' && a->failure[0] != '\0';
    bool broken = init->asked && init->code != PL_NVML_SUCCESS;
    if (missing)
        pl_machine_note(m, "NVIDIA driver without NVML, its library: %.100s", a->failure);
    else if (broken)
        pl_machine_note(m, "NVML does not start: %s", pl_nvml_code_text(init->code));
    else if (count->asked && count->code == PL_NVML_SUCCESS &&
             count->value[0] > PL_NVML_DEVICES_MAX)
        pl_machine_note(m, "of %llu NVIDIA devices only the first %d were asked",
                        (unsigned long long)count->value[0], PL_NVML_DEVICES_MAX);
    if (a->skipped > 0)
        pl_machine_note(m, "%u lines of NVML's answers could not be read", a->skipped);
    return missing || broken;
}

/* Answers there are: devices from them, then the cards they do not speak of. */
static void pl_nvidia_answered(const char *text, size_t len, struct pl_nvidia_cards *cards,
                               struct pl_machine *m)
{
    struct pl_nvml_answers *a = malloc(sizeof(*a));
    struct pl_nvidia_unread why = {.why = "NVML said nothing of it"};
    if (a == NULL || !pl_nvml_parse(text, len, a)) {
        pl_machine_note(m, "NVML's answers cannot be read: NVIDIA devices are unknown");
    } else {
        if (pl_nvidia_answers_note(a, m))
            why = (struct pl_nvidia_unread){.why = "NVML does not work here", .useless = true};
        pl_nvidia_from_answers(a, cards, m);
    }
    free(a);
    pl_nvidia_rest(cards, why, m);
}

static void pl_nvidia_sample(const struct pl_probe_input *in, struct pl_nvidia_cards *cards,
                             struct pl_machine *m)
{
    struct pl_str text;
    struct pl_err err = {0};
    uint64_t ms = 0;
    int rc = pl_nvml_sample(in->options->sampler, &text, &ms, &err);
    if (rc == -ETIMEDOUT)
        pl_machine_note(m,
                        "NVML did not answer within %llu ms and was stopped: not all is known "
                        "(PLIMSOLL_NVML_TIMEOUT_MS gives it more)",
                        (unsigned long long)ms);
    else if (rc < 0)
        pl_machine_note(m, "%.100s: what it had not said is unknown", err.what);
    else if (ms >= PL_NVIDIA_SLOW_MS)
        pl_machine_note(m, "NVML took %llu ms: nvidia-persistenced keeps the driver ready",
                        (unsigned long long)ms);
    pl_root_keep(in->root, PL_NVML_FILE, pl_str_get(&text), text.len);
    if (text.len > 0)
        pl_nvidia_answered(pl_str_get(&text), text.len, cards, m);
    else
        pl_nvidia_rest(cards, (struct pl_nvidia_unread){.why = "NVML could not be asked"}, m);
    pl_str_done(&text);
}

/* The answers a capture holds. */
static bool pl_nvidia_replay(const struct pl_probe_input *in, struct pl_nvidia_cards *cards,
                             struct pl_machine *m)
{
    char *text = malloc(PL_NVML_TEXT_MAX + 1);
    size_t len = 0;
    bool there = text != NULL &&
                 pl_read_text(in->root, PL_NVML_FILE, text, PL_NVML_TEXT_MAX + 1, &len, NULL) == 0;
    if (there)
        pl_nvidia_answered(text, len, cards, m);
    free(text);
    return there;
}

static bool pl_nvidia_asleep(const struct pl_nvidia_cards *cards)
{
    for (uint32_t i = 0; i < cards->n_card; i++) {
        if (cards->card[i].suspended)
            return true;
    }
    return false;
}

/* CUDA counts by speed unless it is told to count by bus. */
static void pl_nvidia_order_note(struct pl_machine *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n_device; i++)
        n += m->device[i].vendor == PL_VENDOR_NVIDIA && m->device[i].parent[0] == '\0' ? 1 : 0;
    if (n > 1)
        pl_machine_note(m, "NVIDIA devices are numbered along the PCI bus; CUDA does so with "
                           "CUDA_DEVICE_ORDER=PCI_BUS_ID");
}

static int pl_nvidia_ask_visible(const void *ctx, char *out, size_t size)
{
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    (void)ctx;
    if (list == NULL)
        return -ENOENT;
    return pl_fmt(out, size, "%s", list) ? 0 : -E2BIG;
}

/* NVML shows all devices, whatever CUDA was told to leave out. */
static void pl_nvidia_visible_note(const struct pl_root *root, struct pl_machine *m)
{
    char list[64];
    bool any = false;
    for (uint32_t i = 0; i < m->n_device; i++)
        any = any || m->device[i].vendor == PL_VENDOR_NVIDIA;
    if (!any || pl_live(root, "environment.cuda-visible-devices", pl_nvidia_ask_visible, NULL, list,
                        sizeof(list)) < 0)
        return;
    pl_text_clean(list);
    pl_machine_note(m, "CUDA_VISIBLE_DEVICES=%s hides devices from programs started from here",
                    list);
}

static int pl_nvidia_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    static const struct pl_nvidia_unread unasked = {PL_STATE_NOT_ASKED, "NVML was not asked",
                                                    false};
    const char *library = getenv("PLIMSOLL_NVML_LIBRARY");
    struct pl_nvidia_cards *cards = malloc(sizeof(*cards));
    if (cards == NULL)
        return pl_fail(err, -ENOMEM, "no memory to assess devices");
    pl_nvidia_cards_read(in->root, cards);
    bool here = pl_root_is_this_system(in->root);
    bool asked = here && library != NULL && library[0] != '\0';
    if (!here) {
        if (!pl_nvidia_replay(in, cards, m))
            pl_nvidia_rest(cards, unasked, m);
    } else if ((cards->driver || asked) && pl_nvidia_asleep(cards) && !in->options->wake) {
        pl_nvidia_rest(cards, unasked, m);
        pl_machine_note(m,
                        "a sleeping NVIDIA device was not woken, and NVML would wake all: --wake "
                        "asks it");
    } else if ((cards->driver || asked) && in->options->sampler != NULL) {
        pl_nvidia_sample(in, cards, m);
    } else {
        pl_nvidia_rest(cards, unasked, m);
    }
    pl_nvidia_order_note(m);
    pl_nvidia_visible_note(in->root, m);
    free(cards);
    return 0;
}

const struct pl_probe pl_probe_nvidia = {
    .name = "nvidia",
    .reads = "/sys/bus/pci/devices/*/uevent and power/runtime_status, /proc/driver/nvidia; where "
             "NVIDIA's driver is and no device of it sleeps, libnvidia-ml.so.1 in a child process: "
             "memory, processes, MIG instances, clocks, power, temperatures, link",
    .matters = "what a device has free, not what is printed on its box, decides what it can load; "
               "clocks, power and heat decide how fast it stays",
    .run = pl_nvidia_run,
};
