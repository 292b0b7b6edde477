/* /proc/PID/fdinfo/FD of an open graphics device: what one client of a driver holds.
 *
 *     drm-driver:   amdgpu
 *     drm-pdev:     0000:03:00.0      absent on some drivers and on devices not on PCI
 *     drm-client-id: 42               the same on every descriptor of one client
 *     drm-total-vram:     10485760 KiB
 *     drm-resident-vram:   8388608 KiB   what is there now; includes what is shared
 *     drm-shared-vram:       19808 KiB
 *     drm-memory-vram:     8388608 KiB   the older name of resident
 *
 * A value without a unit is bytes. Regions are vram, vram0, local0, memory (the device's own),
 * gtt, gtt0, system, system0, cpu (the machine's); stolen-REGION counts with its region. Keys after
 * the kernel's Documentation/gpu/drm-usage-stats.rst; the region names after the drivers. */
#ifndef PL_MACHINE_DRM_FDINFO_H
#define PL_MACHINE_DRM_FDINFO_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

enum pl_drm_place {
    PL_DRM_LOCAL = 0, /* the device's own memory, or its carve-out */
    PL_DRM_HOST,      /* memory of the machine, mapped for the device */
    PL_DRM_PLACES,
};

struct pl_drm_client {
    char driver[24];
    char pdev[24]; /* "" = not said */
    bool id_known;
    uint64_t id;
    struct pl_quantity held[PL_DRM_PLACES]; /* bytes; unknown when no region of it is named. Low
                                               leaves out what is shared */
    bool draws, computes;                   /* time on such engines was counted */
    uint32_t damaged;                       /* values that could not be believed: left out */
};

/* Parses the text of one fdinfo. False when no drm-driver is named: not a graphics device. */
bool pl_drm_fdinfo_parse(const char *text, struct pl_drm_client *ret);

#endif
