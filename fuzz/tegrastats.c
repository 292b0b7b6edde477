/* A line of tegrastats, the device tree's compatible, release and power mode of a Jetson. */
#include "machine/tegrastats.h"
#include "machine/jetson.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_number(struct pl_tegra_number n)
{
    pl_fuzz_check(n.known ? n.value >= 0 && n.value <= 1000000000ll << 20 : n.value == 0);
}

static void pl_fuzz_line(const char *text)
{
    static struct pl_tegrastats t;
    bool some = pl_tegrastats_parse(text, &t);
    pl_fuzz_check(some || (t.n_cpu == 0 && t.n_temp == 0 && t.n_rail == 0));
    pl_fuzz_check(t.n_cpu <= PL_TEGRA_CPUS_MAX && t.n_temp <= PL_TEGRA_TEMPS_MAX &&
                  t.n_rail <= PL_TEGRA_RAILS_MAX && t.n_gpu_mhz <= PL_TEGRA_CLOCKS_MAX);
    pl_fuzz_number(t.ram_used);
    pl_fuzz_number(t.ram_total);
    pl_fuzz_number(t.lfb_bytes);
    pl_fuzz_number(t.swap_cached);
    pl_fuzz_number(t.emc_mhz);
    pl_fuzz_check(!t.gpu_load.known || t.gpu_load.value <= 100);
    for (uint32_t i = 0; i < t.n_temp; i++)
        pl_fuzz_check(t.temp[i].celsius > -100 && pl_tegrastats_temp(&t, t.temp[i].name) != NULL);
    for (uint32_t i = 0; i < t.n_cpu; i++)
        pl_fuzz_check(t.cpu[i].online || !t.cpu[i].mhz.known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = malloc(n + 1), out[64];
    struct pl_jetson j = {.model = ""};
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    pl_fuzz_line(text);
    pl_jetson_compatible(text, n, &j);
    pl_fuzz_check(j.part[0] == '\0' || strlen(j.part) == 10);
    if (pl_jetson_release(text, out, sizeof(out)))
        pl_fuzz_check(strncmp(out, "L4T ", 4) == 0);
    (void)pl_jetson_mode_line(text, 2, out, sizeof(out));
    free(text);
    return 0;
}
