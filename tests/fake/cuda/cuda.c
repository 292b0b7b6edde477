/* A CUDA driver library of which only the memory matters, for tests of the search for the largest
 * block: no device and no driver behind it. What it says comes from the environment, in bytes:
 *
 *     PLIMSOLL_FAKE_CUDA_TOTAL, _FREE     what cuMemGetInfo_v2 answers
 *     PLIMSOLL_FAKE_CUDA_LARGEST          no block above this is given
 *     PLIMSOLL_FAKE_CUDA_INTEGRATED       1: shares the machine's memory
 *     PLIMSOLL_FAKE_CUDA_HANG, _CRASH     a block above this hangs, or kills the process
 *     PLIMSOLL_FAKE_CUDA_REFUSE           1: there is no device */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

int cuInit(unsigned flags);
int cuDeviceGet(int *device, int ordinal);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuCtxCreate_v2(void **context, unsigned flags, int device);
int cuCtxDestroy_v2(void *context);
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total);
int cuMemAlloc_v2(unsigned long long *pointer, size_t bytes);
int cuMemFree_v2(unsigned long long pointer);

static uint64_t pl_fake(const char *name, uint64_t absent)
{
    const char *s = getenv(name);
    return s != NULL ? strtoull(s, NULL, 10) : absent;
}

static int held; /* blocks not given back */

int cuInit(unsigned flags)
{
    return flags == 0 && pl_fake("PLIMSOLL_FAKE_CUDA_REFUSE", 0) == 0 ? 0 : 100; /* NO_DEVICE */
}

int cuDeviceGet(int *device, int ordinal)
{
    *device = ordinal;
    return ordinal == 0 ? 0 : 101; /* INVALID_DEVICE */
}

int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    *value = attribute == 18 && device == 0 ? (int)pl_fake("PLIMSOLL_FAKE_CUDA_INTEGRATED", 0) : 0;
    return 0;
}

int cuCtxCreate_v2(void **context, unsigned flags, int device)
{
    *context = &held;
    return flags == 0 && device == 0 ? 0 : 1;
}

int cuCtxDestroy_v2(void *context)
{
    if (context != &held || held != 0)
        abort(); /* a block was never given back */
    return 0;
}

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    *total = (size_t)pl_fake("PLIMSOLL_FAKE_CUDA_TOTAL", 8ull << 30);
    *free_bytes = (size_t)pl_fake("PLIMSOLL_FAKE_CUDA_FREE", 6ull << 30);
    return 0;
}

int cuMemAlloc_v2(unsigned long long *pointer, size_t bytes)
{
    if (held != 0 || bytes == 0)
        abort(); /* one block at a time */
    if (bytes > pl_fake("PLIMSOLL_FAKE_CUDA_HANG", UINT64_MAX))
        for (;;)
            (void)pause();
    if (bytes > pl_fake("PLIMSOLL_FAKE_CUDA_CRASH", UINT64_MAX))
        (void)raise(SIGSEGV);
    if (bytes >
        pl_fake("PLIMSOLL_FAKE_CUDA_LARGEST", pl_fake("PLIMSOLL_FAKE_CUDA_FREE", 6ull << 30)))
        return 2; /* OUT_OF_MEMORY */
    held++;
    *pointer = 0x1000;
    return 0;
}

int cuMemFree_v2(unsigned long long pointer)
{
    held--;
    return pointer == 0x1000 ? 0 : 1;
}
