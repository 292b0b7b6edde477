/* Memory set aside as huge pages: it serves nothing else, used or not. */
#ifndef PL_MACHINE_HUGEPAGES_H
#define PL_MACHINE_HUGEPAGES_H

#include "sys/root.h"

#define PL_HUGE_SIZES_MAX 8

struct pl_huge_size {
    uint64_t page;        /* bytes of one page */
    uint64_t pages, free; /* set aside; of these not in use */
};

struct pl_hugepages {
    struct pl_huge_size size[PL_HUGE_SIZES_MAX]; /* smallest page first */
    uint32_t n_size;
    uint64_t bytes, free_bytes; /* over all sizes */
};

/* Reads DIR/hugepages-NkB/{nr,free}_hugepages: "sys/kernel/mm/hugepages" for the machine,
 * ".../node/nodeN/hugepages" for a node. False when the folder or one of its numbers cannot be
 * read: nothing is known then. */
bool pl_hugepages_read(const struct pl_root *root, const char *dir, struct pl_hugepages *ret);

#endif
