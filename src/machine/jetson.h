/* NVIDIA's boards with one memory for all (Jetson): what the files of the probe "jetson" share. */
#ifndef PL_MACHINE_JETSON_H
#define PL_MACHINE_JETSON_H

#include "domain/machine.h"
#include "machine/tegrastats.h"
#include "sys/root.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_jetson {
    char model[96];   /* "NVIDIA Jetson Orin NX Engineering Reference Developer Kit" */
    char part[24];    /* "p3767-0000": the module, from device-tree's compatible; "" = not said */
    char chip[24];    /* "tegra234" */
    char release[64]; /* "L4T 36.4.7"; "" = unknown */
    char mode[64];    /* power mode, "MAXN_SUPER"; "" = unknown */
};

/* Which board it is, from the device tree and the system's files. False when it is none. */
bool pl_jetson_read(const struct pl_root *root, struct pl_jetson *ret);

/* The parts of it that are text alone. data holds strings, each ended by NUL. */
void pl_jetson_compatible(const char *data, size_t len, struct pl_jetson *ret);
/* "# R36 (release), REVISION: 4.7, GCID: ..." gives "L4T 36.4.7". */
bool pl_jetson_release(const char *line, char *out, size_t size);
/* "< POWER_MODEL ID=2 NAME=15W >" with that id: its name. */
bool pl_jetson_mode_line(const char *line, uint64_t id, char *out, size_t size);

/* Sensors: clocks and load of the GPU, the memory's clock, temperature with its trip points, power
 * of the board. What cannot be read stays unknown, with its state. */
void pl_jetson_clocks(const struct pl_root *root, struct pl_device *d);
void pl_jetson_heat(const struct pl_root *root, struct pl_device *d);
void pl_jetson_power(const struct pl_root *root, struct pl_device *d);
/* What is still unknown, from a line of tegrastats. */
void pl_jetson_from_tegrastats(const struct pl_tegrastats *t, struct pl_device *d);

/* The largest free block of physical memory and how many of that size there are, over all zones of
 * /proc/buddyinfo: what tegrastats calls lfb. -ENOENT and the like; -EBADMSG. */
#define PL_BUDDY_ORDERS_MAX 24
int pl_buddyinfo_largest(const struct pl_root *root, uint64_t *ret_bytes, uint64_t *ret_blocks);
/* Adds the free blocks of one line, which is written to; other lines add nothing. */
void pl_buddyinfo_line(char *line, uint64_t count[PL_BUDDY_ORDERS_MAX]);

#endif
