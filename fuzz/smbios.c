/* The firmware's table of memory slots: any bytes give slots with clean text and whole sizes. */
#include "machine/smbios.h"

#include "base/str.h"

#include <errno.h>
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
    static struct pl_slots s;
    struct pl_err err = {0};
    s.n = s.seen = 0;
    int rc = pl_smbios_slots(data, n, &s, &err);
    pl_fuzz_check(rc == 0 || (rc == -EBADMSG && err.what[0] != '\0'));
    pl_fuzz_check(s.n <= PL_DIMMS_MAX && s.n <= s.seen);
    for (uint32_t i = 0; i < s.n; i++) {
        const struct pl_dimm *d = &s.dimm[i];
        char slot[sizeof(d->slot)];
        (void)PL_FMT(slot, "%s", d->slot);
        pl_text_clean(slot);
        pl_fuzz_check(strlen(d->slot) < sizeof(d->slot) && strcmp(slot, d->slot) == 0);
        pl_fuzz_check(!pl_known(d->bytes) || d->bytes.likely % 1024 == 0);
    }
    return 0;
}
