/* Starting the child that asks NVML, and ending it. */
#include "machine/nvml.h"

#include "base/clock.h"
#include "sys/spawn.h"

#include <errno.h>
#include <stdlib.h>

/* A card without persistence mode is initialised by the first call: up to a second each. */
static uint64_t pl_nvml_timeout_ns(void)
{
    uint64_t ms = 0;
    const char *text = getenv("PLIMSOLL_NVML_TIMEOUT_MS");
    if (text == NULL || !pl_parse_u64(text, &ms) || ms == 0 || ms > 600000)
        ms = PL_NVML_TIMEOUT_MS;
    return ms * PL_MS_NS;
}

int pl_nvml_sample(const char *program, struct pl_str *out, uint64_t *ret_ms, struct pl_err *err)
{
    const char *const argv[] = {program, "_sample", "nvml", NULL};
    const struct pl_spawn how = {.argv = argv};
    const struct pl_clock *clock = pl_clock_real();
    uint64_t start = pl_now_ns(clock);
    int status = 0;
    int rc = pl_spawn_run(&how, pl_nvml_timeout_ns(), PL_NVML_TEXT_MAX, out, &status, err);
    *ret_ms = (pl_now_ns(clock) - start) / PL_MS_NS;
    if (rc == 0 && status != 0) {
        char text[PL_STATUS_TEXT_MAX];
        rc = pl_fail(err, -EIO, "NVIDIA's library: its process ended with %s",
                     pl_status_text(status, text));
    }
    return rc;
}
