/* Graphics cards as the kernel's DRM lists them: what the files of the probe "drm" share. */
#ifndef PL_MACHINE_DRM_H
#define PL_MACHINE_DRM_H

#include "domain/machine.h"
#include "sys/root.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_DRM_CARDS_MAX 32
#define PL_DRM_PATH_MAX 128

/* Vendors on PCI. */
#define PL_PCI_AMD 0x1002
#define PL_PCI_INTEL 0x8086
#define PL_PCI_NVIDIA 0x10de

struct pl_drm_card {
    char path[PL_DRM_PATH_MAX]; /* "sys/class/drm/card0" */
    uint32_t number;            /* of the card: 0 */
    char pci[24];               /* "0000:03:00.0"; "" when the dump does not say */
    char pci_id[24];            /* "1002:687f:c1": vendor, device and on AMD the revision */
    uint32_t vendor;            /* PCI vendor */
    char driver[24];            /* "amdgpu"; "" = none or not known */
    bool asleep;                /* suspended: only files that do not wake it may be read */
    bool display_known, display;
    uint32_t gpu;       /* N of gpuN and gttN; valid once it is a device */
    char device_id[32]; /* "gpuN"; "" = is no device of the machine (yet) */
};

/* Every card with a PCI vendor, by PCI address. Returns how many; 0 without /sys/class/drm. */
uint32_t pl_drm_scan(const struct pl_root *root, struct pl_drm_card ret[PL_DRM_CARDS_MAX]);

/* Files of a card's device, "device/NAME" below its path. Each returns false when the file is not
 * there, cannot be read or says something else; none opens a file of a sleeping device but those
 * named in drm_scan.c. */
bool pl_drm_u64(const struct pl_root *root, const struct pl_drm_card *card, const char *name,
                uint64_t *ret);
bool pl_drm_line(const struct pl_root *root, const struct pl_drm_card *card, const char *name,
                 char *out, size_t size);

/* True when both name one place on the bus, however wide their domain is written. */
bool pl_pci_same(const char *a, const char *b);

/* Adds the card to the machine as the next gpuN, with what does not depend on its driver. NULL when
 * there are too many devices. */
struct pl_device *pl_drm_device(struct pl_machine *m, struct pl_drm_card *card);

/* The kernel's sensors below device/hwmon, and the link. Not for a sleeping device: those become
 * PL_STATE_ASLEEP. */
void pl_drm_sensors(const struct pl_root *root, const struct pl_drm_card *card,
                    struct pl_device *d);
void pl_drm_sensors_asleep(struct pl_device *d);
void pl_drm_sensor_set(struct pl_device *d, enum pl_sensor_id id, double value);

/* Limit of all memory that graphics drivers may take of the machine's: ttm.pages_limit. Unknown
 * when there is no such module parameter. */
struct pl_quantity pl_drm_ttm_limit(const struct pl_root *root);

/* A pool with a parent "ram": what the device may map of the machine's memory, at most `limit`,
 * never more than ram has. A limit that is unknown and of state plain is none at all; one that was
 * not told leaves the capacity unknown. NULL when there are too many pools. */
struct pl_pool *pl_drm_shared_pool(struct pl_machine *m, const char *name, struct pl_quantity limit,
                                   struct pl_quantity used);

void pl_drm_amd(const struct pl_root *root, struct pl_drm_card *card, struct pl_machine *m);
void pl_drm_intel(const struct pl_root *root, struct pl_drm_card *card, struct pl_machine *m);

/* A node of the compute driver (KFD) that is this card. */
struct pl_kfd_node {
    uint64_t gpu_id;
    char gfx[16];             /* "gfx1151"; "" = unknown */
    struct pl_quantity local; /* bytes of its own memory, from mem_banks */
};
bool pl_kfd_find(const struct pl_root *root, const struct pl_drm_card *card,
                 struct pl_kfd_node *ret);

/* What processes hold of the cards, from fdinfo and from KFD; where both know of one process the
 * larger is kept, for they are two ledgers of the same memory. */
void pl_drm_holdings(const struct pl_root *root, const struct pl_drm_card *card, uint32_t n,
                     struct pl_machine *m);
void pl_kfd_holdings(const struct pl_root *root, const struct pl_drm_card *card, uint32_t n,
                     struct pl_machine *m);
/* Adds to, or raises, what a process holds of a pool. graphics: it draws. name may be "". */
void pl_drm_hold(struct pl_machine *m, int64_t pid, const char *pool, struct pl_quantity held,
                 bool graphics, const char *name);

#endif
