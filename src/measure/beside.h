/* What else ran beside a measurement: pressure on the processors, by the kernel. */
#ifndef PL_MEASURE_BESIDE_H
#define PL_MEASURE_BESIDE_H

#include "domain/run.h"
#include "sys/root.h"

/* More of the time than this in which some task waited for a processor, and a speed is not valid.
 * With another job on a machine of two processors a third of the time was seen, and a latency of
 * 3.6 times its own; alone a few percent. */
#define PL_BESIDE_WAITED 0.10
/* Where the kernel keeps no pressure: tasks that run or want to, for each processor. */
#define PL_BESIDE_LOAD 0.5

struct pl_beside_window {
    bool known;
    uint64_t waited_us, began_ns;
};

/* Looks before the engine starts: what waits now is not ours. */
void pl_beside_before(const struct pl_root *root, struct pl_beside *ret);
/* Around the timed requests. Unknown where the kernel does not say. */
void pl_beside_begin(const struct pl_root *root, struct pl_beside_window *w);
void pl_beside_end(const struct pl_root *root, const struct pl_beside_window *w,
                   struct pl_beside *ret);
/* Decides. An engine with more threads than there are processors waits for itself: then only what
 * was there before counts. 0 = not known. */
void pl_beside_judge(struct pl_beside *b, uint64_t threads, uint64_t processors);

#endif
