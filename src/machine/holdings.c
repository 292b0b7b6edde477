#include "machine/holdings.h"

#include "base/clock.h"
#include "base/str.h"
#include "machine/probes.h"
#include "sys/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_HOLDINGS_TEXT_MAX (1u << 20)
#define PL_HOLDINGS_REST_NS (200 * PL_MS_NS) /* between two looks, at least */
#define PL_HOLDINGS_SHARE 9                  /* and so many times what the look took */

bool pl_holdings_worth(void)
{
    static const char *const file[] = {"/proc/driver/nvidia/version", "/dev/dri", "/dev/kfd",
                                       "/dev/nvmap"};
    const char *library = getenv("PLIMSOLL_NVML_LIBRARY");
    bool worth = library != NULL && library[0] != '\0';
    for (size_t i = 0; i < sizeof(file) / sizeof(file[0]) && !worth; i++)
        worth = access(file[i], F_OK) == 0;
    return worth;
}

static void pl_holdings_number(struct pl_quantity q, struct pl_str *out)
{
    if (pl_known(q))
        pl_str_addf(out, " %llu", (unsigned long long)q.likely);
    else
        pl_str_add(out, " -");
}

static void pl_holdings_text(const struct pl_machine *m, struct pl_str *out)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        pl_str_addf(out, "device %s", d->pool[0] != '\0' ? d->pool : d->id);
        pl_holdings_number(d->used, out);
        pl_holdings_number(d->total, out);
        pl_str_addc(out, '\n', 1);
    }
    for (uint32_t i = 0; i < m->n_holding; i++) {
        pl_str_addf(out, "held %lld %s", (long long)m->holding[i].pid, m->holding[i].pool);
        pl_holdings_number(m->holding[i].held, out);
        pl_str_addc(out, '\n', 1);
    }
    pl_str_add(out, "end\n");
}

/* The probes that know of devices, and the one they need. */
static int pl_holdings_look(const struct pl_root *root, const char *program, struct pl_machine *m)
{
    static const struct pl_probe *const probe[] = {&pl_probe_memory, &pl_probe_nvidia,
                                                   &pl_probe_drm, &pl_probe_jetson};
    const struct pl_assess_options options = {.sampler = program, .brief = true};
    const struct pl_probe_input in = {.root = root, .options = &options};
    int rc = 0;
    *m = (struct pl_machine){0};
    m->this_system = true;
    for (size_t i = 0; rc == 0 && i < sizeof(probe) / sizeof(probe[0]); i++)
        rc = probe[i]->run(&in, m, NULL);
    return rc;
}

void pl_holdings_write(int fd, const char *program)
{
    static struct pl_machine m;
    struct pl_root root;
    struct pl_str out;
    const struct pl_clock *clock = pl_clock_real();
    if (pl_root_open(NULL, &root, NULL) < 0)
        return;
    pl_str_init(&out, PL_HOLDINGS_TEXT_MAX);
    for (bool read = true; read;) {
        uint64_t start = pl_now_ns(clock);
        pl_str_clear(&out);
        if (pl_holdings_look(&root, program, &m) == 0)
            pl_holdings_text(&m, &out);
        read = !out.failed && out.len > 0 && pl_write_all(fd, pl_str_get(&out), out.len) == 0;
        uint64_t took = pl_now_ns(clock) - start, rest = took * PL_HOLDINGS_SHARE;
        if (read)
            pl_sleep_ns(clock, rest > PL_HOLDINGS_REST_NS ? rest : PL_HOLDINGS_REST_NS);
    }
    pl_str_done(&out);
    pl_root_done(&root);
}
