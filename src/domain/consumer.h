/* Who holds memory now: a process, or a container with all its processes. Plain values. */
#ifndef PL_DOMAIN_CONSUMER_H
#define PL_DOMAIN_CONSUMER_H

#include "domain/quantity.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PL_CONSUMERS_MAX 96
#define PL_CONSUMER_POOLS_MAX 4

enum pl_consumer_kind {
    PL_CONSUMER_OTHER = 0,
    PL_CONSUMER_DESKTOP, /* display server, compositor, desktop shell */
    PL_CONSUMER_BROWSER, /* browsers, editors, chat: drawn with the device, can be closed */
    PL_CONSUMER_ENGINE,  /* runs models */
    PL_CONSUMER_SYSTEM,  /* services of the system */
};

struct pl_consumer {
    int64_t pid;        /* 0 = a container or a group, not one process */
    uint32_t processes; /* how many are summed here; at least 1 */
    char name[64];      /* command name, cleaned */
    char container[80]; /* container or service it runs in; "" = none */
    char runtime[16];   /* what that is: "docker", "podman", "service" ...; "" = none */
    enum pl_consumer_kind kind;
    struct pl_quantity host; /* RssAnon + RssShmem, and locked pages: what closing it gives back */
    struct pl_quantity mapped; /* RssFile: the kernel may drop it anyway */
    struct {
        char pool[32];
        struct pl_quantity
            held; /* of that pool, in addition to `host` unless the pool's root is ram */
    } device[PL_CONSUMER_POOLS_MAX];
    uint32_t n_device;
    char advice[96]; /* what closing it would give, or why not to; "" = none */
};

const char *pl_consumer_kind_name(enum pl_consumer_kind kind);          /* "other", "desktop" ... */
bool pl_consumer_kind_of(const char *name, enum pl_consumer_kind *ret); /* false: no such word */

/* Memory of a device that a process holds, as a driver's list says; the probes of devices leave
 * these, the probe of consumers joins them with what /proc says. */
struct pl_holding {
    int64_t pid; /* in the namespace of the driver, which is the host's */
    char pool[32];
    struct pl_quantity held;
    bool graphics; /* draws, beside or instead of computing */
    char name[64]; /* as the driver says; "" = not said */
};

#define PL_HOLDINGS_MAX 256

/* One line of the memory tree: kernel, containers, other processes, cache, free; they sum to the
 * total. */
struct pl_memory_row {
    char name[96];
    uint32_t depth; /* 0 = the total, 1 = its parts, 2 = members of a part */
    struct pl_quantity bytes;
};

#define PL_MEMORY_ROWS_MAX 160

struct pl_memory_tree {
    struct pl_memory_row row[PL_MEMORY_ROWS_MAX];
    uint32_t n_row;
};

#endif
