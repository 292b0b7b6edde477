/* Graphics devices that the kernel's DRM knows: AMD, Intel, and NVIDIA's where the vendor's library
 * said nothing. Runs after the probe of NVIDIA and goes on counting: gpu0, gpu1 ... */
#include "base/str.h"
#include "machine/drm.h"
#include "machine/probes.h"

#include <errno.h>
#include <unistd.h>

/* Found already by the vendor's own library, at the same place or at an unknown one. */
static bool pl_drm_known(const struct pl_machine *m, const struct pl_drm_card *card)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        if (pl_pci_same(d->pci, card->pci))
            return true;
        if (card->vendor == PL_PCI_NVIDIA && d->vendor == PL_VENDOR_NVIDIA && d->pci[0] == '\0')
            return true;
    }
    return false;
}

/* NVIDIA's card without the vendor's library. */
static void pl_drm_nvidia(struct pl_drm_card *card, struct pl_machine *m)
{
    struct pl_device *d = pl_drm_device(m, card);
    if (d == NULL)
        return;
    bool nouveau = pl_streq(card->driver, "nouveau");
    (void)PL_FMT(d->name, "NVIDIA %s", card->pci_id);
    d->total = d->used = d->reserved = d->available =
        PL_UNREAD(PL_STATE_UNSUPPORTED,
                  nouveau ? "nouveau does not say" : "the driver's library, NVML, did not say");
    if (card->asleep)
        pl_drm_sensors_asleep(d);
    if (nouveau)
        pl_machine_note(m,
                        "%s (%s) runs with nouveau: engines cannot compute on it; install "
                        "NVIDIA's driver",
                        d->id, d->pci_id);
    else
        pl_machine_note(m, "%s (%s): NVIDIA's library did not list it; its memory is unknown",
                        d->id, d->pci_id);
}

static void pl_drm_card_probe(const struct pl_root *root, struct pl_drm_card *card,
                              struct pl_machine *m)
{
    if (pl_drm_known(m, card))
        return;
    if (card->vendor == PL_PCI_AMD)
        pl_drm_amd(root, card, m);
    else if (card->vendor == PL_PCI_INTEL)
        pl_drm_intel(root, card, m);
    else if (card->vendor == PL_PCI_NVIDIA)
        pl_drm_nvidia(card, m);
    else
        return; /* a server's console, a virtual display: runs no models */
    if (card->asleep)
        pl_machine_note(m, "%s sleeps and was not woken: what is used of it is unknown",
                        card->device_id);
}

/* Windows' own device inside WSL 2: graphics are there, DRM is not. */
static void pl_drm_wsl(const struct pl_root *root, struct pl_machine *m)
{
    int fd = -1;
    int rc = pl_root_open_file(root, "dev/dxg", &fd, NULL);
    if (rc == 0)
        (void)close(fd);
    if (m->n_device == 0 && (rc == 0 || rc == -EINVAL || rc == -EACCES))
        pl_machine_note(m, "/dev/dxg: Windows has a graphics device for this system, but only "
                           "NVIDIA's library (/usr/lib/wsl/lib) tells about it");
}

static int pl_drm_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    struct pl_drm_card card[PL_DRM_CARDS_MAX];
    uint32_t n = pl_drm_scan(in->root, card), ours = 0;
    (void)err;
    for (uint32_t i = 0; i < n; i++) {
        pl_drm_card_probe(in->root, &card[i], m);
        ours += card[i].device_id[0] != '\0' ? 1 : 0;
    }
    if (n == 0)
        pl_drm_wsl(in->root, m);
    if (ours == 0)
        return 0;
    pl_drm_holdings(in->root, card, n, m);
    pl_kfd_holdings(in->root, card, n, m);
    return 0;
}

const struct pl_probe pl_probe_drm = {
    .name = "drm",
    .reads = "/sys/class/drm/cardN, its device's mem_info_*, hwmon, power/runtime_status; "
             "/sys/class/kfd; /sys/module/ttm; /proc/PID/fdinfo of what has /dev/dri open",
    .matters = "memory that a chip's graphics share with the processor is counted once, and a "
               "sleeping card is not woken",
    .run = pl_drm_run,
};
