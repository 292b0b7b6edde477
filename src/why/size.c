#include "why/size.h"

#include "base/units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PL_NUMBER_MAX 64 /* characters of a number */
#define PL_PAGE 4096ull

static const struct {
    const char *name;
    double factor;
} pl_units[] = {
    {"bytes", 1                 },
    {"byte",  1                 },
    {"B",     1                 },
    {"KiB",   1024              },
    {"MiB",   1048576           },
    {"GiB",   1073741824        },
    {"TiB",   1099511627776.0   },
    {"PiB",   1125899906842624.0},
    {"KB",    1024              },
    {"MB",    1048576           },
    {"GB",    1073741824        },
    {"TB",    1099511627776.0   },
    {"PB",    1125899906842624.0},
    {"Ki",    1024              }, /* Kubernetes */
    {"Mi",    1048576           },
    {"Gi",    1073741824        },
    {"Ti",    1099511627776.0   },
    {"K",     1024              },
    {"M",     1048576           },
    {"G",     1073741824        },
    {"T",     1099511627776.0   },
};

static bool pl_same_letters(const char *a, size_t n, const char *b)
{
    for (size_t i = 0; i < n; i++)
        if (b[i] == '\0' || tolower((unsigned char)a[i]) != tolower((unsigned char)b[i]))
            return false;
    return b[n] == '\0';
}

static double pl_unit(const char *unit, size_t n)
{
    for (size_t i = 0; i < sizeof(pl_units) / sizeof(pl_units[0]); i++)
        if (pl_same_letters(unit, n, pl_units[i].name))
            return pl_units[i].factor;
    return 0;
}

static uint64_t pl_bytes(double v)
{
    return v <= 0 ? 0 : v >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)(v + 0.5);
}

/* Digits, exactly; saturates. */
static uint64_t pl_whole(const char *text, size_t n, uint64_t base)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t d = isdigit((unsigned char)text[i])
                         ? (uint64_t)(text[i] - '0')
                         : (uint64_t)(tolower((unsigned char)text[i]) - 'a' + 10);
        if (v > (UINT64_MAX - d) / base)
            return UINT64_MAX;
        v = v * base + d;
    }
    return v;
}

static struct pl_quantity pl_scaled(const char *text, size_t len, double factor)
{
    char number[PL_NUMBER_MAX];
    if (factor <= 0 || len == 0 || len >= sizeof(number))
        return PL_QUANTITY_UNKNOWN("not a size");
    memcpy(number, text, len);
    number[len] = '\0';
    const char *dot = strchr(number, '.');
    if (dot == NULL && factor < 1.5)
        return pl_exact(pl_whole(text, len, 10), PL_SOURCE_MEASURED, "as the log says");
    double half = 0.5;
    for (const char *p = dot; p != NULL && p[1] != '\0'; p++)
        half /= 10;
    double v = strtod(number, NULL);
    /* whole kilobytes of a kernel are exact pages; a fraction was rounded */
    if (dot == NULL)
        half = 0;
    return pl_between(pl_bytes((v - half) * factor), pl_bytes(v * factor),
                      pl_bytes((v + half) * factor), PL_SOURCE_MEASURED, "as the log rounds it");
}

struct pl_quantity pl_why_size(const struct pl_capture *c)
{
    static const struct {
        uint64_t base;
        double factor;
    } of[PL_KINDS] = {
        [PL_KIND_INT] = {10, 0      },
          [PL_KIND_HEX] = {16, 0      },
          [PL_KIND_MIB] = {0,  PL_MIB },
        [PL_KIND_GIB] = {0,  PL_GIB },
          [PL_KIND_PAGES] = {0,  PL_PAGE},
          [PL_KIND_PERCENT] = {0,  100    },
    };
    if (of[c->kind].base != 0)
        return pl_exact(pl_whole(c->text, c->len, of[c->kind].base), PL_SOURCE_MEASURED,
                        "as the log says");
    if (c->unit != NULL)
        return pl_scaled(c->text, c->len, pl_unit(c->unit, c->unit_len));
    return pl_scaled(c->text, c->len, of[c->kind].factor);
}

size_t pl_why_find_size(const char *text, size_t len, size_t *ret_at, struct pl_quantity *ret)
{
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]) ||
            (i > 0 &&
             (isalnum((unsigned char)text[i - 1]) || text[i - 1] == '.' || text[i - 1] == '_')))
            continue;
        size_t end = i, unit;
        while (end < len && (isdigit((unsigned char)text[end]) || text[end] == '.'))
            end++;
        unit = end < len && (text[end] == ' ' || text[end] == '-') ? end + 1 : end;
        size_t stop = unit;
        while (stop < len && isalpha((unsigned char)text[stop]))
            stop++;
        double factor = pl_unit(text + unit, stop - unit);
        if (factor > 0) {
            *ret = pl_scaled(text + i, end - i, factor);
            *ret_at = i;
            if (pl_known(*ret))
                return stop - i;
        }
        i = end;
    }
    return 0;
}
