/* /sys/kernel/debug/nvmap/iovmm/clients of a Jetson: who holds memory for the GPU, the camera, the
 * display. Two layouts:
 *
 *     CLIENT    PROCESS      PID        SIZE         CLIENT  PROCESS  PID    PSS     SIZE
 *     user         Xorg     1731      18140K         user       app  4678     0K      76K
 *     total                           141896K        total                   64K      76K
 *
 * Process names may hold blanks, so lines are read from their end. Sizes carry K, M or G (1024). */
#ifndef PL_MACHINE_NVMAP_H
#define PL_MACHINE_NVMAP_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_NVMAP_MAX 128

struct pl_nvmap_client {
    char name[32];
    int64_t pid;
    struct pl_quantity held; /* SIZE; with PSS as the low end where there is that column */
};

struct pl_nvmap {
    struct pl_nvmap_client client[PL_NVMAP_MAX];
    uint32_t n, left_out; /* left_out: more than fit, or damaged */
    struct pl_quantity total;
};

void pl_nvmap_parse(const char *text, struct pl_nvmap *ret);

#endif
