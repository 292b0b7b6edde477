#include "base/units.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    double factor;
} pl_units[] = {
    {"B",   1.0            },
    {"KiB", 1024.0         },
    {"MiB", 1048576.0      },
    {"GiB", 1073741824.0   },
    {"TiB", 1099511627776.0},
    {"kB",  1e3            },
    {"MB",  1e6            },
    {"GB",  1e9            },
    {"TB",  1e12           },
};

int pl_size_parse(const char *text, uint64_t *ret_bytes, struct pl_err *err)
{
    char number[40];
    size_t n = 0;
    while (n + 1 < sizeof(number) && (isdigit((unsigned char)text[n]) || text[n] == '.')) {
        number[n] = text[n];
        n++;
    }
    number[n] = '\0';
    const char *unit = text + n;
    while (*unit == ' ')
        unit++;
    uint64_t whole = 0;
    if (*unit == '\0' && pl_parse_u64(number, &whole)) {
        *ret_bytes = whole;
        return 0;
    }
    double value = 0;
    if (n == 0 || !pl_parse_double(number, &value))
        return pl_fail(err, -EINVAL, "size '%.40s': not a number with a unit", text);
    for (size_t i = 0; i < sizeof(pl_units) / sizeof(pl_units[0]); i++) {
        if (strcasecmp(unit, pl_units[i].name) != 0)
            continue;
        double bytes = value * pl_units[i].factor + 0.5;
        if (bytes >= 18446744073709551615.0)
            return pl_fail(err, -ERANGE, "size '%.40s': larger than 2^64 bytes", text);
        *ret_bytes = (uint64_t)bytes;
        return 0;
    }
    (void)pl_fail(err, -EINVAL, "size '%.40s': unknown unit '%.10s'", text, unit);
    if (strlen(unit) == 1 && strchr("kKmMgGtT", unit[0]) != NULL)
        (void)pl_hint(err, "say %ciB (binary) or %cB (decimal)", toupper((unsigned char)unit[0]),
                      toupper((unsigned char)unit[0]));
    else
        (void)pl_hint(err, "units are B, KiB, MiB, GiB, TiB (binary) and kB, MB, GB, TB (decimal)");
    return -EINVAL;
}

const char *pl_size_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX])
{
    double v = (double)bytes;
    if (bytes >= 1000 * PL_GIB)
        (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.2f TiB", v / (double)(1024 * PL_GIB));
    else if (bytes >= PL_GIB)
        (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.2f GiB", v / (double)PL_GIB);
    else if (bytes >= 100 * PL_MIB)
        (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.0f MiB", v / (double)PL_MIB);
    else if (bytes >= PL_MIB)
        (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.1f MiB", v / (double)PL_MIB);
    else if (bytes >= PL_KIB)
        (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.0f KiB", v / (double)PL_KIB);
    else
        (void)snprintf(out, PL_SIZE_TEXT_MAX, "%u B", (unsigned)bytes);
    return out;
}

const char *pl_mib_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX])
{
    (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.1f MiB", (double)bytes / (double)PL_MIB);
    return out;
}

const char *pl_gb_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX])
{
    (void)snprintf(out, PL_SIZE_TEXT_MAX, "%.2f GB", (double)bytes / 1e9);
    return out;
}
