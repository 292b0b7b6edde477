/* The devices an engine sees here, as it lists them itself. What it sees decides what it uses: a
 * build without their backend sees none; the environment (CUDA_VISIBLE_DEVICES,
 * GGML_VK_VISIBLE_DEVICES, VK_DRIVER_FILES ...) hides some or shows others.
 *
 *   Available devices:
 *     Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (24105 MiB, 23401 MiB free) */
#ifndef PL_ENGINE_LLAMACPP_SEEN_H
#define PL_ENGINE_LLAMACPP_SEEN_H

#include "engine/engine.h"
#include "engine/llamacpp/devices.h"

/* One line of the list: name, what it is, total and free memory. */
struct pl_seen_device {
    char name[32], about[96];
    uint64_t total_mib, free_mib;
};
struct pl_seen {
    struct pl_seen_device one[PL_USED_DEVICES_MAX];
    uint32_t n;
};

/* Any bytes are accepted; what is no such line is passed by. */
void pl_llamacpp_seen_parse(const char *text, struct pl_seen *ret);

/* Asks the engine: llama-server --list-devices, in our own environment. -EPROTO (exit 4) when it
 * does not answer. */
int pl_llamacpp_seen(const struct pl_install *in, struct pl_seen *ret, struct pl_err *err);

/* Brings both together: ret holds what the engine sees, in its order and by its names, each with
 * the machine's pool. A device the machine does not know gets a pool of its own in m, with the
 * memory the engine reports; that of a software device is charged to "ram". */
void pl_llamacpp_seen_join(const struct pl_seen *seen, struct pl_machine *m,
                           struct pl_used_devices *ret);

#endif
