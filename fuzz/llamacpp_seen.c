/* The engine's list of devices: any bytes give names that can be shown and sizes within their
 * bounds; joined with a machine, each has a pool. The same bytes as a pattern of tensor names are
 * compiled or refused. */
#include "engine/llamacpp/seen.h"

#include "engine/llamacpp/pattern.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_machine machine;
    static struct pl_seen seen;
    struct pl_used_devices used;
    struct pl_name_pattern *pattern = NULL;
    char text[8192];
    size_t len = n < sizeof(text) - 1 ? n : sizeof(text) - 1;
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    pl_llamacpp_seen_parse(text, &seen);
    for (uint32_t i = 0; i < seen.n; i++) {
        pl_fuzz_check(seen.one[i].name[0] != '\0');
        pl_fuzz_check(strpbrk(seen.one[i].name, "\n\033") == NULL);
        pl_fuzz_check(strpbrk(seen.one[i].about, "\n\033") == NULL);
    }
    memset(&machine, 0, sizeof(machine));
    (void)pl_machine_add_pool(&machine, "ram", PL_POOL_HOST);
    pl_llamacpp_seen_join(&seen, &machine, &used);
    pl_fuzz_check(used.n == seen.n);
    for (uint32_t i = 0; i < used.n; i++)
        pl_fuzz_check(pl_machine_pool(&machine, used.one[i].pool) != NULL);
    /* short: the expression compiler's time grows with nested counts */
    if (pl_pattern_new(text, strnlen(text, 24), &pattern, NULL) == 0)
        (void)pl_pattern_found(pattern, "blk.0.ffn_up_exps.weight");
    pattern = pl_pattern_free(pattern);
    return 0;
}
