/* The devices of a machine as llama.cpp sees them: its names and its order. Pure. */
#ifndef PL_ENGINE_LLAMACPP_DEVICES_H
#define PL_ENGINE_LLAMACPP_DEVICES_H

#include "base/err.h"
#include "domain/machine.h"
#include "domain/settings.h"

#define PL_USED_DEVICES_MAX 16 /* src/llama.cpp, llama_max_devices */

enum pl_backend {
    PL_BACKEND_UNKNOWN = 0,
    PL_BACKEND_CUDA,
    PL_BACKEND_ROCM,
    PL_BACKEND_VULKAN,
    PL_BACKEND_SYCL,
    PL_BACKEND_METAL,
    PL_BACKEND_RPC,
};

struct pl_used_device {
    char pool[PL_POOL_NAME_MAX]; /* where its memory is taken from: "gpu0" */
    char name[32];               /* as the engine calls it: "CUDA0" */
    enum pl_backend backend;
    enum pl_pool_kind kind;
    bool integrated; /* shares the machine's memory: used only when no other device is there */
    struct pl_quantity total, free; /* as the engine will read them; may be unknown */
    uint64_t reserved;              /* left free by fitting, beside its margin: a projector's */
    uint64_t alignment;             /* of tensors in a buffer */
    uint64_t buffer_max; /* a model's buffer is cut into pieces of this; UINT64_MAX = one piece */
    uint64_t range_max;  /* a product whose operand or result is larger stays on the host */
};

struct pl_used_devices {
    struct pl_used_device one[PL_USED_DEVICES_MAX];
    uint32_t n;
};

/* All devices of the machine that models can use, in the order in which the engine counts them.
 * backend: what the engine was built with, as its install or its report names it
 * ("cpu-zen4+vulkan"); "" or NULL = not known: the vendor's own. */
void pl_llamacpp_devices(const struct pl_machine *m, const char *backend,
                         struct pl_used_devices *ret);

/* Those a model is spread over, in order: -dev, -sm none with -mg, integrated ones only when alone.
 * wanted: the text of -dev; NULL = not given. -EINVAL (exit 2) names what is not there. */
int pl_llamacpp_devices_pick(const struct pl_used_devices *all, const struct pl_settings *s,
                             const char *wanted, struct pl_used_devices *ret, struct pl_err *err);

/* By the engine's name or the pool's; where the backend is not known, "CUDA1" and "Vulkan1" name
 * the second device alike. NULL when there is none. */
const struct pl_used_device *pl_used_device(const struct pl_used_devices *all, const char *name);

/* "CUDA", "Vulkan" ... */
const char *pl_backend_name(enum pl_backend backend);

#endif
