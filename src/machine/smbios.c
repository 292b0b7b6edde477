#include "machine/smbios.h"

#include "base/str.h"
#include "base/units.h"

#include <errno.h>
#include <string.h>

#define PL_ARRAYS_MAX 32

enum { PL_SMBIOS_ARRAY = 16, PL_SMBIOS_SLOT = 17, PL_SMBIOS_END = 127 };

/* One structure: its fields, and behind them its strings. */
struct pl_smbios {
    const uint8_t *at;
    size_t len;     /* of the fields */
    size_t strings; /* bytes of strings, without the NUL that ends them */
};

/* Arrays that hold something else than system memory: video, flash, cache. */
struct pl_smbios_arrays {
    uint32_t handle[PL_ARRAYS_MAX];
    uint32_t n;
};

/* A little-endian number; 0 where the structure is too old to have the field, which is what the
 * fields read here hold when the value is unknown. */
static uint32_t pl_smbios_number(const struct pl_smbios *s, size_t offset, size_t bytes)
{
    uint32_t n = 0;
    if (offset + bytes > s->len)
        return 0;
    for (size_t i = bytes; i > 0; i--)
        n = n << 8 | s->at[offset + i - 1];
    return n;
}

/* The string that a field names; "" for none. */
static void pl_smbios_text(const struct pl_smbios *s, size_t offset, char *out, size_t size)
{
    uint32_t number = pl_smbios_number(s, offset, 1);
    const char *text = (const char *)s->at + s->len;
    const char *end = text + s->strings;
    out[0] = '\0';
    for (uint32_t i = 1; number > 0 && text < end; i++) {
        size_t n = strnlen(text, (size_t)(end - text));
        if (i == number) {
            while (n > 0 && text[n - 1] == ' ')
                n--;
            (void)pl_fmt(out, size, "%.*s", (int)(n < size ? n : size), text);
            pl_text_clean(out);
            return;
        }
        text += n + 1;
    }
}

/* Memory Type, DSP0134 table "Memory Device: Type". */
static const char *pl_smbios_kind(uint32_t type)
{
    static const struct {
        uint8_t type;
        const char *name;
    } kind[] = {
        {0x03, "DRAM"        },
        {0x07, "RAM"         },
        {0x0f, "SDRAM"       },
        {0x12, "DDR"         },
        {0x13, "DDR2"        },
        {0x14, "DDR2 FB-DIMM"},
        {0x18, "DDR3"        },
        {0x1a, "DDR4"        },
        {0x1b, "LPDDR"       },
        {0x1c, "LPDDR2"      },
        {0x1d, "LPDDR3"      },
        {0x1e, "LPDDR4"      },
        {0x1f, "non-volatile"},
        {0x20, "HBM"         },
        {0x21, "HBM2"        },
        {0x22, "DDR5"        },
        {0x23, "LPDDR5"      },
        {0x24, "HBM3"        },
    };
    for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        if (kind[i].type == type)
            return kind[i].name;
    }
    return "";
}

/* Size: 0 is an empty slot, 0xffff unknown, 0x7fff says to look at the extended field (MB); bit 15
 * makes it KB. */
static struct pl_quantity pl_smbios_size(const struct pl_smbios *s)
{
    static const char why[] = "the firmware's SMBIOS table";
    uint32_t n = pl_smbios_number(s, 0x0c, 2);
    if (s->len < 0x0e || n == 0xffff)
        return PL_QUANTITY_UNKNOWN("the firmware does not know the size of the module");
    if (n == 0)
        return pl_exact(0, PL_SOURCE_DECLARED, "the firmware's SMBIOS table: an empty slot");
    if (n == 0x7fff)
        return pl_exact((pl_smbios_number(s, 0x1c, 4) & 0x7fffffffu) * PL_MIB, PL_SOURCE_DECLARED,
                        why);
    return pl_exact((n & 0x7fffu) * ((n & 0x8000u) != 0 ? PL_KIB : PL_MIB), PL_SOURCE_DECLARED,
                    why);
}

/* Configured speed, else the rated one; 0xffff says to look at the extended field. */
static uint32_t pl_smbios_speed(const struct pl_smbios *s)
{
    uint32_t n = pl_smbios_number(s, 0x20, 2);
    if (n == 0xffff)
        n = pl_smbios_number(s, 0x58, 4) & 0x7fffffffu;
    if (n == 0)
        n = pl_smbios_number(s, 0x15, 2);
    if (n == 0xffff)
        n = pl_smbios_number(s, 0x54, 4) & 0x7fffffffu;
    return n;
}

static void pl_smbios_slot(const struct pl_smbios *s, struct pl_dimm *ret)
{
    char slot[48], bank[48];
    *ret = (struct pl_dimm){.bytes = pl_smbios_size(s)};
    pl_smbios_text(s, 0x10, slot, sizeof(slot));
    pl_smbios_text(s, 0x11, bank, sizeof(bank));
    bool both = slot[0] != '\0' && bank[0] != '\0' && !pl_streq(slot, bank);
    (void)PL_FMT(ret->slot, "%s%s%s", slot, both ? ", " : "", both || slot[0] == '\0' ? bank : "");
    pl_text_clean(ret->slot); /* it may have been cut within a character */
    if (pl_known(ret->bytes) && ret->bytes.likely == 0)
        return;
    (void)PL_FMT(ret->kind, "%s", pl_smbios_kind(pl_smbios_number(s, 0x12, 1)));
    ret->mt_per_s = pl_smbios_speed(s);
}

/* The structure at table; false when it does not end within len. */
static bool pl_smbios_next(const uint8_t *table, size_t len, struct pl_smbios *ret, size_t *ret_all)
{
    if (len < 4 || table[1] < 4 || table[1] > len)
        return false;
    *ret = (struct pl_smbios){.at = table, .len = table[1]};
    for (size_t i = ret->len; i + 1 < len; i++) {
        if (table[i] == 0 && table[i + 1] == 0) {
            ret->strings = i - ret->len;
            *ret_all = i + 2;
            return true;
        }
    }
    return false;
}

static bool pl_smbios_other(const struct pl_smbios_arrays *a, uint32_t handle)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->handle[i] == handle)
            return true;
    }
    return false;
}

int pl_smbios_slots(const uint8_t *table, size_t len, struct pl_slots *ret, struct pl_err *err)
{
    enum { PL_USE_SYSTEM = 3 };
    struct pl_smbios_arrays other = {.n = 0};
    size_t all = 0;
    for (size_t at = 0; at < len; at += all) {
        struct pl_smbios s;
        if (!pl_smbios_next(table + at, len - at, &s, &all))
            return pl_fail(err, -EBADMSG, "SMBIOS table: damaged at byte %zu of %zu", at, len);
        uint8_t type = s.at[0];
        if (type == PL_SMBIOS_END)
            break;
        if (type == PL_SMBIOS_ARRAY && pl_smbios_number(&s, 5, 1) != PL_USE_SYSTEM &&
            other.n < PL_ARRAYS_MAX)
            other.handle[other.n++] = pl_smbios_number(&s, 2, 2);
        if (type != PL_SMBIOS_SLOT || pl_smbios_other(&other, pl_smbios_number(&s, 4, 2)))
            continue;
        ret->seen++;
        if (ret->n < PL_DIMMS_MAX)
            pl_smbios_slot(&s, &ret->dimm[ret->n++]);
    }
    return 0;
}
