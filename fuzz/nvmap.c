/* nvmap's list of clients and /proc/buddyinfo: any bytes give clients within their bounds, fit for
 * a terminal, and counts. */
#include "machine/nvmap.h"
#include "machine/jetson.h"

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
    static struct pl_nvmap map;
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    pl_nvmap_parse(text, &map);
    pl_fuzz_check(map.n <= PL_NVMAP_MAX);
    for (uint32_t i = 0; i < map.n; i++) {
        const struct pl_nvmap_client *c = &map.client[i];
        pl_fuzz_check(c->pid >= 0 && pl_known(c->held));
        pl_fuzz_check(c->held.low <= c->held.likely && c->held.high <= 1ull << 52);
        pl_fuzz_check(memchr(c->name, '\0', sizeof(c->name)) != NULL);
        for (const char *s = c->name; *s != '\0'; s++)
            pl_fuzz_check((unsigned char)*s >= 0x20 && *s != 0x7f);
    }
    uint64_t count[PL_BUDDY_ORDERS_MAX] = {0};
    pl_buddyinfo_line(text, count);
    free(text);
    return 0;
}
