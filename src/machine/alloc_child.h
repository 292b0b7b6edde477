/* The largest single block that memory or a device gives, tried out. What tries it is a child that
 * lives for seconds: it may be refused, hang in a driver, crash, or be killed for memory, and then
 * what it had been given last still stands.
 *
 * It prints one line for each thing it learns, "KEY NUMBER" in decimal:
 *
 *     total N, free N, integrated 0|1   of a device
 *     try N, ok N, refused N            a block of so many bytes
 *     stop N                            why it stopped short, an enum pl_alloc_stop
 *     done 0 */
#ifndef PL_MACHINE_ALLOC_CHILD_H
#define PL_MACHINE_ALLOC_CHILD_H

#include <stdint.h>

#define PL_ALLOC_KEEP (1ull << 30)   /* left for everybody else, always */
#define PL_ALLOC_STEP (64ull << 20)  /* between two looks at what is left */
#define PL_ALLOC_GRAIN (16ull << 20) /* blocks are told apart no finer than this */

enum pl_alloc_stop {
    PL_ALLOC_STOP_NONE = 0,
    PL_ALLOC_STOP_CAP,     /* the block asked for at most was given */
    PL_ALLOC_STOP_RESERVE, /* less would be left than must be */
    PL_ALLOC_STOP_REFUSED, /* the kernel or the driver said no */
    PL_ALLOC_STOP_LIBRARY, /* no CUDA driver library */
    PL_ALLOC_STOP_DEVICE,  /* no such device, or it does not answer */
    PL_ALLOC_STOP_SWAP,    /* memory began to be swapped out */
};

/* Runs in the child and writes to standard output. kind is "host", "locked" or "cuda:N". Returns an
 * exit status. */
int pl_alloc_child(const char *kind, uint64_t cap);

/* The part of "cuda:N" (alloc_cuda.c). room tells how much may be taken now. */
int pl_alloc_cuda(unsigned ordinal, uint64_t cap, uint64_t (*room)(void));

/* One line of the protocol, at once. */
void pl_alloc_say(const char *key, uint64_t n);

#endif
