/* One line of NVIDIA's tegrastats, as every release of a Jetson's system writes it (R28 to R39):
 *
 *     RAM 3456/15388MB (lfb 20x4MB) SWAP 0/7694MB (cached 0MB) CPU [12%@1420,off] EMC_FREQ 24%@2133
 *     GR3D_FREQ 0%@[306] cpu@52.5C PMIC@100C VDD_IN 5000mW/5000mW
 *
 * Any field may be missing: users without root get no EMC, Thor neither EMC nor SWAP, the load of
 * GR3D or the whole field depend on the release. MB are MiB. */
#ifndef PL_MACHINE_TEGRASTATS_H
#define PL_MACHINE_TEGRASTATS_H

#include <stdbool.h>
#include <stdint.h>

#define PL_TEGRA_CPUS_MAX 32
#define PL_TEGRA_TEMPS_MAX 24
#define PL_TEGRA_RAILS_MAX 16
#define PL_TEGRA_CLOCKS_MAX 8

struct pl_tegra_number {
    bool known;
    int64_t value;
};

struct pl_tegra_cpu {
    bool online;
    struct pl_tegra_number load, mhz; /* per cent */
};

struct pl_tegra_temp {
    char name[16];
    double celsius;
};

struct pl_tegra_rail {
    char name[24];
    int64_t now_mw; /* may be negative: sensors have an offset */
    struct pl_tegra_number average_mw;
};

struct pl_tegrastats {
    struct pl_tegra_number ram_used, ram_total;   /* bytes */
    struct pl_tegra_number lfb_blocks, lfb_bytes; /* largest free block: how many, of what size */
    struct pl_tegra_number swap_used, swap_total, swap_cached;
    struct pl_tegra_cpu cpu[PL_TEGRA_CPUS_MAX];
    uint32_t n_cpu;
    struct pl_tegra_number emc_load, emc_mhz;
    struct pl_tegra_number gpu_load;      /* per cent */
    int64_t gpu_mhz[PL_TEGRA_CLOCKS_MAX]; /* one per cluster */
    uint32_t n_gpu_mhz;
    struct pl_tegra_temp temp[PL_TEGRA_TEMPS_MAX]; /* without dead sensors and the fake one */
    uint32_t n_temp;
    struct pl_tegra_rail rail[PL_TEGRA_RAILS_MAX];
    uint32_t n_rail;
};

/* Reads the fields it knows and passes over the others. False when it knows none. */
bool pl_tegrastats_parse(const char *line, struct pl_tegrastats *ret);

/* The temperature of that name whatever its case, or NULL. */
const struct pl_tegra_temp *pl_tegrastats_temp(const struct pl_tegrastats *t, const char *name);

#endif
