#include "machine/drm_fdinfo.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

/* More than any machine addresses (2^52 on x86-64 and arm64) is damage. */
#define PL_DRM_BYTES_MAX (1ull << 52)
#define PL_DRM_REGIONS_MAX 16

enum pl_drm_field {
    PL_DRM_TOTAL = 0,
    PL_DRM_SHARED,
    PL_DRM_RESIDENT,
    PL_DRM_MEMORY,
    PL_DRM_FIELDS
};

struct pl_drm_region {
    char name[32];
    bool known[PL_DRM_FIELDS];
    uint64_t bytes[PL_DRM_FIELDS];
};

struct pl_drm_regions {
    struct pl_drm_region region[PL_DRM_REGIONS_MAX];
    uint32_t n;
};

static const char *const pl_drm_prefix[PL_DRM_FIELDS] = {
    [PL_DRM_TOTAL] = "drm-total-",
    [PL_DRM_SHARED] = "drm-shared-",
    [PL_DRM_RESIDENT] = "drm-resident-",
    [PL_DRM_MEMORY] = "drm-memory-",
};

/* Digits at the start of s into *ret; returns what follows, or NULL. */
static const char *pl_drm_digits(const char *s, uint64_t *ret)
{
    uint64_t n = 0;
    if (!isdigit((unsigned char)*s))
        return NULL;
    for (; isdigit((unsigned char)*s); s++) {
        if (!pl_mul_u64(n, 10, &n) || !pl_add_u64(n, (uint64_t)(*s - '0'), &n))
            return NULL;
    }
    *ret = n;
    return s;
}

/* "35916 KiB", "32 MiB", "8589934592 B", "0" into bytes. */
static bool pl_drm_bytes(const char *s, uint64_t *ret)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {
        {"",    1         },
        {"B",   1         },
        {"KiB", 1ull << 10},
        {"kB",  1ull << 10},
        {"MiB", 1ull << 20},
        {"GiB", 1ull << 30},
    };
    uint64_t n = 0;
    s = pl_drm_digits(s, &n);
    if (s == NULL)
        return false;
    while (*s == ' ' || *s == '\t')
        s++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (!pl_streq(s, units[i].unit))
            continue;
        if (!pl_mul_u64(n, units[i].bytes, &n) || n > PL_DRM_BYTES_MAX)
            return false;
        *ret = n;
        return true;
    }
    return false;
}

static struct pl_drm_region *pl_drm_region(struct pl_drm_regions *r, const char *name)
{
    for (uint32_t i = 0; i < r->n; i++) {
        if (pl_streq(r->region[i].name, name))
            return &r->region[i];
    }
    if (r->n >= PL_DRM_REGIONS_MAX || strlen(name) >= sizeof(r->region[0].name))
        return NULL;
    struct pl_drm_region *one = &r->region[r->n++];
    *one = (struct pl_drm_region){0};
    (void)PL_FMT(one->name, "%s", name);
    return one;
}

/* drm-total-cycles-rcs is no region: its value has no unit and its name begins with "cycles-". */
static void pl_drm_memory_line(const char *key, const char *value, struct pl_drm_regions *r,
                               struct pl_drm_client *c)
{
    for (int f = 0; f < PL_DRM_FIELDS; f++) {
        if (!pl_starts(key, pl_drm_prefix[f]))
            continue;
        const char *name = key + strlen(pl_drm_prefix[f]);
        if (name[0] == '\0' || pl_starts(name, "cycles-"))
            return;
        struct pl_drm_region *one = pl_drm_region(r, name);
        if (one == NULL || one->known[f] || !pl_drm_bytes(value, &one->bytes[f]))
            c->damaged++;
        else
            one->known[f] = true;
        return;
    }
}

/* "drm-engine-gfx: 5 ns" and "drm-cycles-rcs: 744": has it ever run there? */
static void pl_drm_engine_line(const char *key, const char *value, struct pl_drm_client *c)
{
    static const char *const draws[] = {"drm-engine-gfx", "drm-engine-render", "drm-cycles-rcs"};
    static const char *const computes[] = {"drm-engine-compute", "drm-cycles-ccs"};
    uint64_t n = 0;
    if (pl_drm_digits(value, &n) == NULL || n == 0)
        return;
    for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0]); i++)
        c->draws |= pl_streq(key, draws[i]);
    for (size_t i = 0; i < sizeof(computes) / sizeof(computes[0]); i++)
        c->computes |= pl_streq(key, computes[i]);
}

static void pl_drm_line(char *line, struct pl_drm_regions *r, struct pl_drm_client *c)
{
    char *value = strchr(line, ':');
    if (value == NULL || !pl_starts(line, "drm-"))
        return;
    *value++ = '\0';
    while (*value == ' ' || *value == '\t')
        value++;
    size_t n = strlen(value);
    while (n > 0 && isspace((unsigned char)value[n - 1]))
        value[--n] = '\0';
    if (pl_streq(line, "drm-driver")) {
        (void)PL_FMT(c->driver, "%s", value);
        pl_text_clean(c->driver);
    } else if (pl_streq(line, "drm-pdev")) {
        (void)PL_FMT(c->pdev, "%s", value);
        pl_text_clean(c->pdev);
    } else if (pl_streq(line, "drm-client-id")) {
        c->id_known = pl_parse_u64(value, &c->id);
    } else {
        pl_drm_memory_line(line, value, r, c);
        pl_drm_engine_line(line, value, c);
    }
}

/* Which memory a region is: "stolen-local0" is the part of local0 set aside at boot. */
static bool pl_drm_place_of(const char *name, enum pl_drm_place *ret)
{
    static const struct {
        const char *stem;
        enum pl_drm_place place;
    } stems[] = {
        {"vram",   PL_DRM_LOCAL}, /* amdgpu, xe */
        {"local",  PL_DRM_LOCAL}, /* i915 */
        {"memory", PL_DRM_LOCAL}, /* nouveau */
        {"gtt",    PL_DRM_HOST }, /* amdgpu, xe */
        {"system", PL_DRM_HOST }, /* i915, xe */
        {"cpu",    PL_DRM_HOST }, /* amdgpu: pushed out of the device's reach */
    };
    if (pl_starts(name, "stolen-"))
        name += strlen("stolen-");
    for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); i++) {
        size_t n = strlen(stems[i].stem);
        if (strncmp(name, stems[i].stem, n) != 0 ||
            name[n + strspn(name + n, "0123456789")] != '\0')
            continue;
        *ret = stems[i].place;
        return true;
    }
    return false;
}

static struct pl_quantity pl_drm_region_held(const struct pl_drm_region *r)
{
    uint64_t shared = r->known[PL_DRM_SHARED] ? r->bytes[PL_DRM_SHARED] : 0;
    enum pl_drm_field f = r->known[PL_DRM_RESIDENT] ? PL_DRM_RESIDENT : PL_DRM_MEMORY;
    if (r->known[f])
        return pl_between(pl_sub_floor(r->bytes[f], shared), r->bytes[f], r->bytes[f],
                          PL_SOURCE_MEASURED, "resident, from the driver's fdinfo");
    if (!r->known[PL_DRM_TOTAL])
        return PL_QUANTITY_UNKNOWN("the driver does not say");
    /* The total counts what was pushed out as well, so it bounds from above only. */
    return pl_between(0, r->bytes[PL_DRM_TOTAL], r->bytes[PL_DRM_TOTAL], PL_SOURCE_DERIVED,
                      "total, from the driver's fdinfo: what is resident is not said");
}

bool pl_drm_fdinfo_parse(const char *text, struct pl_drm_client *ret)
{
    struct pl_drm_regions regions = {.n = 0};
    *ret = (struct pl_drm_client){0};
    for (int p = 0; p < PL_DRM_PLACES; p++)
        ret->held[p] = PL_QUANTITY_UNKNOWN("the driver's fdinfo names no such memory");
    while (*text != '\0') {
        char line[256]; /* longer lines are not of this file */
        size_t n = strcspn(text, "\n");
        if (n < sizeof(line)) {
            memcpy(line, text, n);
            line[n] = '\0';
            pl_drm_line(line, &regions, ret);
        }
        text += n + (text[n] == '\n' ? 1 : 0);
    }
    for (uint32_t i = 0; i < regions.n; i++) {
        enum pl_drm_place place;
        struct pl_quantity q = pl_drm_region_held(&regions.region[i]);
        if (!pl_known(q) || !pl_drm_place_of(regions.region[i].name, &place))
            continue;
        ret->held[place] = pl_known(ret->held[place]) ? pl_plus(ret->held[place], q) : q;
    }
    return ret->driver[0] != '\0';
}
