/* The CUDA driver's part, by name: neither its headers nor its library are needed to build.
 * Signatures and numbers: NVIDIA, CUDA Driver API, "Device Management", "Context Management",
 * "Memory Management". */
#include "machine/alloc_child.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PL_CU_INTEGRATED 18 /* CU_DEVICE_ATTRIBUTE_INTEGRATED */
#define PL_CU_TRIES_MAX 32

struct pl_cuda {
    int (*init)(unsigned);
    int (*device_get)(int *, int);
    int (*attribute)(int *, int, int);
    int (*context)(void **, unsigned, int);
    int (*context_end)(void *);
    int (*info)(size_t *, size_t *);
    int (*alloc)(unsigned long long *, size_t);
    int (*release)(unsigned long long);
};

/* ISO C has no conversion from dlsym's pointer to a function's; POSIX says the bits are the same.
 */
static bool pl_cuda_symbol(void *library, const char *name, void *ret, size_t size)
{
    void *symbol = dlsym(library, name);
    memcpy(ret, &symbol, size);
    return symbol != NULL;
}

static bool pl_cuda_load(struct pl_cuda *cu)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const struct {
        const char *name;
        void *ret;
    } symbol[] = {
        {"cuInit",               &cu->init       },
        {"cuDeviceGet",          &cu->device_get },
        {"cuDeviceGetAttribute", &cu->attribute  },
        {"cuCtxCreate_v2",       &cu->context    },
        {"cuCtxDestroy_v2",      &cu->context_end},
        {"cuMemGetInfo_v2",      &cu->info       },
        {"cuMemAlloc_v2",        &cu->alloc      },
        {"cuMemFree_v2",         &cu->release    },
    };
    bool all = library != NULL;
    for (size_t i = 0; all && i < sizeof(symbol) / sizeof(symbol[0]); i++)
        all = pl_cuda_symbol(library, symbol[i].name, symbol[i].ret, sizeof(cu->init));
    return all;
}

/* One block, given back at once. */
static bool pl_cuda_try(const struct pl_cuda *cu, uint64_t n)
{
    unsigned long long p = 0;
    pl_alloc_say("try", n);
    bool given = cu->alloc(&p, (size_t)n) == 0 && p != 0;
    if (given)
        (void)cu->release(p);
    pl_alloc_say(given ? "ok" : "refused", n);
    return given;
}

static enum pl_alloc_stop pl_cuda_search(const struct pl_cuda *cu, uint64_t most, bool shared,
                                         uint64_t (*room)(void))
{
    uint64_t low = 0, high = most;
    if (high < PL_ALLOC_GRAIN)
        return PL_ALLOC_STOP_RESERVE;
    if (pl_cuda_try(cu, high))
        return PL_ALLOC_STOP_CAP;
    for (int i = 0; i < PL_CU_TRIES_MAX && high - low > PL_ALLOC_GRAIN; i++) {
        uint64_t middle = low + (high - low) / 2;
        if (shared && room() < middle)
            high = middle; /* others have taken memory meanwhile */
        else if (pl_cuda_try(cu, middle))
            low = middle;
        else
            high = middle;
    }
    return PL_ALLOC_STOP_REFUSED;
}

int pl_alloc_cuda(unsigned ordinal, uint64_t cap, uint64_t (*room)(void))
{
    struct pl_cuda cu = {0};
    int device = 0, integrated = 0;
    void *context = NULL;
    size_t free_bytes = 0, total = 0;
    if (!pl_cuda_load(&cu)) {
        pl_alloc_say("stop", PL_ALLOC_STOP_LIBRARY);
        return 0;
    }
    if (cu.init(0) != 0 || cu.device_get(&device, (int)ordinal) != 0 ||
        cu.attribute(&integrated, PL_CU_INTEGRATED, device) != 0 ||
        cu.context(&context, 0, device) != 0 || cu.info(&free_bytes, &total) != 0) {
        pl_alloc_say("stop", PL_ALLOC_STOP_DEVICE);
        return 0;
    }
    pl_alloc_say("integrated", integrated != 0 ? 1 : 0);
    pl_alloc_say("total", total);
    pl_alloc_say("free", free_bytes);
    uint64_t most = free_bytes < cap ? free_bytes : cap, left = integrated != 0 ? room() : most;
    enum pl_alloc_stop stop = pl_cuda_search(&cu, most < left ? most : left, integrated != 0, room);
    if (stop == PL_ALLOC_STOP_CAP && left < most)
        stop = PL_ALLOC_STOP_RESERVE; /* what could be given without harm was given */
    pl_alloc_say("stop", (uint64_t)stop);
    (void)cu.context_end(context);
    return 0;
}
