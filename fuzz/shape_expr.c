/* Shape expressions: any text has a value or an error with words, and is read no further than it
 * goes. */
#include "model/shape_expr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

/* Values of all sizes; a name that begins with "u" is not known. */
static bool pl_fuzz_value(void *ctx, const char *name, uint64_t n, int64_t *ret)
{
    (void)ctx;
    *ret = n > 3 ? INT64_MAX : (int64_t)n * (name[0] - 'm');
    return name[0] != 'u';
}

static void pl_fuzz_eval(const char *text, bool spaces)
{
    struct pl_err err = {0};
    const char *end = NULL;
    int64_t v = 0, again = 1;
    int rc = pl_shape_eval(text, spaces, pl_fuzz_value, NULL, &v, &end, &err);
    pl_fuzz_check(rc == 0 || rc == -EINVAL || rc == -ENODATA || rc == -ERANGE);
    pl_fuzz_check(rc == 0 || err.what[0] != '\0');
    if (rc < 0)
        return;
    pl_fuzz_check(end > text && end <= text + strlen(text));
    pl_fuzz_check(pl_shape_eval(text, spaces, pl_fuzz_value, NULL, &again, NULL, NULL) == 0);
    pl_fuzz_check(v == again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *text = calloc(n + 1, 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    pl_fuzz_eval(text, false);
    pl_fuzz_eval(text, true);
    free(text);
    return 0;
}
