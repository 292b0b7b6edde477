/* fdinfo of graphics clients, and places on the bus: any bytes give values within their bounds. */
#include "machine/drm.h"
#include "machine/drm_fdinfo.h"

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
    char *text = malloc(n + 1);
    struct pl_drm_client c;
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    if (pl_drm_fdinfo_parse(text, &c))
        pl_fuzz_check(c.driver[0] != '\0');
    pl_fuzz_check(memchr(c.driver, '\0', sizeof(c.driver)) != NULL);
    pl_fuzz_check(memchr(c.pdev, '\0', sizeof(c.pdev)) != NULL);
    for (int p = 0; p < PL_DRM_PLACES; p++) {
        const struct pl_quantity *q = &c.held[p];
        pl_fuzz_check(q->why != NULL);
        if (pl_known(*q))
            pl_fuzz_check(q->low <= q->likely && q->likely <= q->high && q->high <= 1ull << 56);
    }
    for (const char *s = c.pdev; *s != '\0'; s++)
        pl_fuzz_check((unsigned char)*s >= 0x20 && *s != 0x7f);
    pl_fuzz_check(!pl_pci_same(c.pdev, "0000:03:00.0") || pl_pci_same("0000:03:00.0", c.pdev));
    free(text);
    return 0;
}
