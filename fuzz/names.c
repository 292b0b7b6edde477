/* Names of models as people write them: any text is one row, several, or none. */
#include "model/names.h"

#include "base/str.h"
#include "model/mix.h"
#include "model/quants.h"

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
    const struct pl_catalogue_row *row = NULL;
    struct pl_err err = {0};
    char quant[PL_NAME_QUANT_MAX], near[100];
    size_t n_row = 0;
    char *text = calloc(n + 1, 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    int rc = pl_name_resolve(text, &row, quant, &err);
    pl_fuzz_check(rc == 0 || rc == -ENOENT || rc == -EINVAL);
    if (rc == -EINVAL)
        pl_fuzz_check(err.what[0] != '\0' && err.hint[0] != '\0');
    if (rc == 0) {
        const struct pl_catalogue_row *first = pl_catalogue(&n_row);
        pl_fuzz_check(row >= first && row < first + n_row);
        pl_fuzz_check(quant[0] == '\0' || pl_mix_named(quant) != NULL);
    }
    pl_catalogue_nearest(text, near, sizeof(near));
    pl_fuzz_check(strlen(near) < sizeof(near));
    struct pl_name_size size = pl_name_size(text);
    pl_fuzz_check(size.total >= 0 && size.active >= 0 && !(size.active > 0 && !(size.total > 0)));
    const struct pl_mix *mix = pl_mix_named(text);
    pl_fuzz_check(mix == NULL || pl_mix_nearest(text) != NULL);
    free(text);
    return 0;
}
