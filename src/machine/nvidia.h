/* The parts of the NVIDIA probe. */
#ifndef PL_MACHINE_NVIDIA_H
#define PL_MACHINE_NVIDIA_H

#include "domain/machine.h"
#include "machine/nvml.h"
#include "sys/root.h"

#define PL_NVIDIA_CARDS_MAX PL_DEVICES_MAX

/* A display device of NVIDIA's on the PCI bus, as the kernel shows it without asking the device. */
struct pl_nvidia_card {
    char pci[24];            /* "0000:01:00.0" */
    char pci_id[24];         /* "10de:2684"; "" = unknown */
    char driver[32];         /* bound to it: "nvidia", "nouveau", "vfio-pci"; "" = none */
    bool suspended;          /* runtime power management has switched it off */
    bool taken;              /* NVML's answers speak of it */
    char name[96], uuid[80]; /* from /proc/driver/nvidia; "" = unknown */
};

struct pl_nvidia_cards {
    struct pl_nvidia_card card[PL_NVIDIA_CARDS_MAX]; /* in PCI order */
    uint32_t n_card;
    bool driver; /* NVIDIA's kernel driver is there, or its stand-in of WSL */
    bool wsl;
    char driver_version[64]; /* "" = unknown */
};

void pl_nvidia_cards_read(const struct pl_root *root, struct pl_nvidia_cards *ret);

/* Orders PCI addresses: domain, bus, device, function. */
int pl_nvidia_pci_order(const char *a, const char *b);

/* Devices, pools and holdings from the answers, in PCI order; marks the cards they speak of. */
void pl_nvidia_from_answers(const struct pl_nvml_answers *a, struct pl_nvidia_cards *cards,
                            struct pl_machine *m);

/* One device's facts from its answers; nothing of pools. */
void pl_nvidia_device(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u, bool wsl,
                      struct pl_device *d);

/* Takes what NVML says of a device's memory; false when it tells none because the device shares the
 * machine's (or must: Jetson, GB10). */
bool pl_nvidia_memory(const struct pl_nvml_unit *u, struct pl_device *d);

/* What the processes hold of pools, and notes where a list says less than it seems to. */
void pl_nvidia_holdings(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u,
                        const struct pl_device *d, struct pl_machine *m);

/* Bytes all known processes of the unit hold; unknown when there is none or one is not known. */
struct pl_quantity pl_nvidia_held(const struct pl_nvml_answers *a, const struct pl_nvml_unit *u);

/* A new device with the next free id "gpuN", or NULL. */
struct pl_device *pl_nvidia_add(struct pl_machine *m);

#endif
