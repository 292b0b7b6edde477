/* Names: GGML_CUDA_NAME and the like in ggml/src/ggml-*; order and the rule for integrated ones:
 * src/llama.cpp, llama_prepare_model_devices. */
#include "engine/llamacpp/devices.h"

#include "base/str.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* ggml-vulkan.cpp: suballocation_block_size; maxStorageBufferRange of the drivers, of which Mesa's
 * software one has far less. */
#define PL_VULKAN_BLOCK PL_GIB
#define PL_VULKAN_RANGE UINT32_MAX
#define PL_LLVMPIPE_RANGE (128 * PL_MIB)
#define PL_LLVMPIPE_ALIGN 16 /* its minStorageBufferOffsetAlignment */

static const struct {
    const char *name;
    uint64_t alignment;
} pl_backends[] = {
    [PL_BACKEND_UNKNOWN] = {"GPU",    128},
    [PL_BACKEND_CUDA] = {"CUDA",   128}, /* ggml-cuda.cu, buffer_type_get_alignment */
    [PL_BACKEND_ROCM] = {"ROCm",   128},
    [PL_BACKEND_VULKAN] = {"Vulkan", 64 }, /* minStorageBufferOffsetAlignment, 16 to 256 */
    [PL_BACKEND_SYCL] = {"SYCL",   128},
    [PL_BACKEND_METAL] = {"MTL",    32 },
    [PL_BACKEND_RPC] = {"RPC",    128},
};

const char *pl_backend_name(enum pl_backend backend)
{
    return pl_backends[backend].name;
}

static bool pl_text_has(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (; text != NULL && *text != '\0'; text++) {
        if (strncasecmp(text, word, n) == 0)
            return true;
    }
    return false;
}

static bool pl_device_is_software(const struct pl_device *d)
{
    return d != NULL && pl_text_has(d->name, "llvmpipe");
}

/* "RPC0": behind a server (rpc.h), whatever it is there. */
static bool pl_pool_is_rpc(const char *pool)
{
    uint64_t n = 0;
    return pl_starts(pool, "RPC") && pl_parse_u64(pool + 3, &n);
}

static enum pl_backend pl_backend_of(const char *built, const struct pl_device *d)
{
    if (d != NULL && pl_pool_is_rpc(d->pool))
        return PL_BACKEND_RPC;
    enum pl_vendor vendor = d != NULL ? d->vendor : PL_VENDOR_UNKNOWN;
    if (pl_text_has(built, "vulkan") || pl_device_is_software(d))
        return PL_BACKEND_VULKAN;
    if (pl_text_has(built, "sycl"))
        return PL_BACKEND_SYCL;
    if (vendor == PL_VENDOR_NVIDIA)
        return PL_BACKEND_CUDA;
    if (vendor == PL_VENDOR_AMD)
        return PL_BACKEND_ROCM;
    return vendor == PL_VENDOR_INTEL ? PL_BACKEND_SYCL : PL_BACKEND_UNKNOWN;
}

static const struct pl_device *pl_device_of_pool(const struct pl_machine *m, const char *pool)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (pl_streq(m->device[i].pool, pool))
            return &m->device[i];
    }
    return NULL;
}

static void pl_devices_add(struct pl_used_devices *all, const struct pl_machine *m,
                           const struct pl_pool *p, const char *built)
{
    const struct pl_device *d = pl_device_of_pool(m, p->name);
    uint32_t same = 0;
    if (all->n >= PL_USED_DEVICES_MAX)
        return;
    struct pl_used_device *u = &all->one[all->n];
    *u = (struct pl_used_device){
        .backend = pl_backend_of(built, d),
        .kind = p->kind,
        .integrated = d != NULL ? d->kind == PL_DEVICE_INTEGRATED : p->kind == PL_POOL_UNIFIED,
        .total = p->capacity,
        .free = pl_machine_available(m, p->name),
        .buffer_max = UINT64_MAX,
        .range_max = UINT64_MAX,
    };
    if (u->backend == PL_BACKEND_VULKAN) {
        u->buffer_max = PL_VULKAN_BLOCK;
        u->range_max =
            d != NULL && pl_text_has(d->name, "llvmpipe") ? PL_LLVMPIPE_RANGE : PL_VULKAN_RANGE;
    }
    if (pl_pool_is_rpc(p->name)) /* of a machine file that declares the pool alone */
        u->backend = PL_BACKEND_RPC;
    for (uint32_t i = 0; i < all->n; i++)
        same += all->one[i].backend == u->backend;
    u->alignment = pl_backends[u->backend].alignment;
    if (u->backend == PL_BACKEND_VULKAN && u->range_max == PL_LLVMPIPE_RANGE)
        u->alignment = PL_LLVMPIPE_ALIGN;
    (void)PL_FMT(u->pool, "%s", p->name);
    (void)PL_FMT(u->name, "%s%u", pl_backends[u->backend].name, same);
    all->n++;
}

/* The carve-out of a chip whose programs get their memory elsewhere (GTT). */
static bool pl_pool_is_idle(const struct pl_machine *m, const struct pl_pool *p)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        if (pl_streq(d->id, p->name))
            return d->pool[0] != '\0' && !pl_streq(d->pool, p->name);
    }
    return false;
}

/* A pool that devices take memory from: their own, or the one they share with the CPU. The host's
 * child of a shared pool is "ram". */
static bool pl_pool_is_device(const struct pl_machine *m, const struct pl_pool *p)
{
    if (pl_device_of_pool(m, p->name) != NULL)
        return true;
    if (p->kind == PL_POOL_DEDICATED)
        return !pl_pool_is_idle(m, p);
    if (p->kind != PL_POOL_UNIFIED || pl_streq(p->name, "ram"))
        return false;
    for (uint32_t i = 0; i < m->n_pool; i++) { /* the parent of others is no device itself */
        if (pl_streq(m->pool[i].parent, p->name))
            return false;
    }
    return true;
}

void pl_llamacpp_devices(const struct pl_machine *m, const char *backend,
                         struct pl_used_devices *ret)
{
    *ret = (struct pl_used_devices){0};
    for (uint32_t i = 0; i < m->n_pool; i++) {
        if (pl_pool_is_device(m, &m->pool[i]))
            pl_devices_add(ret, m, &m->pool[i], backend);
    }
}

const struct pl_used_device *pl_used_device(const struct pl_used_devices *all, const char *name)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < all->n; i++) {
        if (pl_streq(all->one[i].name, name) || pl_streq(all->one[i].pool, name))
            return &all->one[i];
    }
    for (size_t i = PL_BACKEND_CUDA; i <= PL_BACKEND_RPC; i++) {
        size_t n = strlen(pl_backends[i].name);
        if (strncmp(name, pl_backends[i].name, n) == 0 && pl_parse_u64(name + n, &at) &&
            at < all->n && all->one[at].backend == PL_BACKEND_UNKNOWN)
            return &all->one[at];
    }
    return NULL;
}

static int pl_devices_named(const struct pl_used_devices *all, const char *wanted,
                            struct pl_used_devices *ret, struct pl_err *err)
{
    if (pl_streq(wanted, "none"))
        return 0;
    for (const char *p = wanted; p != NULL;) {
        char name[32];
        size_t n = strcspn(p, ",");
        const struct pl_used_device *d = NULL;
        if (PL_FMT(name, "%.*s", n < sizeof(name) ? (int)n : 0, p))
            d = pl_used_device(all, name);
        if (d == NULL || ret->n >= PL_USED_DEVICES_MAX) {
            (void)pl_fail(err, -EINVAL, "-dev: no device '%.*s' here", n < 60 ? (int)n : 60, p);
            (void)pl_hint(err, all->n > 0 ? "there is %s (%s)%s" : "this machine has none",
                          all->one[0].name, all->one[0].pool, all->n > 1 ? " and others" : "");
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        ret->one[ret->n++] = *d;
        p = p[n] == ',' ? p + n + 1 : NULL;
    }
    return 0;
}

/* llama_prepare_model_devices: those behind servers first, when they were asked for; then local
 * ones, an integrated one only where there is no other local one. */
static void pl_devices_usual(const struct pl_used_devices *all, bool rpc,
                             struct pl_used_devices *ret)
{
    uint32_t local = 0;
    for (uint32_t i = 0; i < all->n && rpc; i++) {
        if (all->one[i].backend == PL_BACKEND_RPC)
            ret->one[ret->n++] = all->one[i];
    }
    for (uint32_t i = 0; i < all->n; i++) {
        if (all->one[i].integrated || all->one[i].backend == PL_BACKEND_RPC)
            continue;
        ret->one[ret->n++] = all->one[i];
        local++;
    }
    for (uint32_t i = 0; i < all->n && local == 0; i++) {
        if (all->one[i].backend == PL_BACKEND_RPC)
            continue;
        ret->one[ret->n++] = all->one[i]; /* one of them: igpus.empty() */
        break;
    }
}

int pl_llamacpp_devices_pick(const struct pl_used_devices *all, const struct pl_settings *s,
                             const char *wanted, struct pl_used_devices *ret, struct pl_err *err)
{
    *ret = (struct pl_used_devices){0};
    if (wanted != NULL) {
        int rc = pl_devices_named(all, wanted, ret, err);
        if (rc < 0)
            return rc;
    } else {
        pl_devices_usual(all, s->rpc != NULL, ret);
    }
    if (s->split_mode != PL_SPLIT_NONE || ret->n == 0)
        return 0;
    if (s->main_gpu >= ret->n) {
        (void)pl_fail(err, -EINVAL, "-mg %llu: there are %u devices",
                      (unsigned long long)s->main_gpu, ret->n);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    ret->one[0] = ret->one[s->main_gpu];
    ret->n = 1;
    return 0;
}
