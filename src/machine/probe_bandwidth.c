/* Bandwidth of "ram", when asked for. */
#include "machine/bandwidth.h"
#include "machine/probes.h"

static int pl_bandwidth_run(const struct pl_probe_input *in, struct pl_machine *m,
                            struct pl_err *err)
{
    (void)err;
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    struct pl_err why = {0};
    if (!in->options->bandwidth || ram == NULL)
        return 0;
    if (!pl_root_is_this_system(in->root)) {
        pl_machine_note(m, "bandwidth is unknown: it cannot be measured on a dump");
        return 0;
    }
    struct pl_quantity available = pl_machine_available(m, "ram");
    if (!pl_known(available)) {
        pl_machine_note(m, "bandwidth is unknown: no memory is known to be free for measuring it");
        return 0;
    }
    struct pl_rate one, all;
    if (pl_bandwidth_measure(m, available.likely, &one, &all, &why) < 0) {
        pl_machine_note(m, "%.150s", why.what);
        return 0;
    }
    ram->bandwidth_one = one;
    ram->bandwidth = all;
    return 0;
}

const struct pl_probe pl_probe_bandwidth = {
    .name = "bandwidth",
    .reads = "a timed read of memory larger than the caches, one core and all",
    .matters = "generating a token reads all active weights once: bandwidth is its speed limit",
    .run = pl_bandwidth_run,
};
