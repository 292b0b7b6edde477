#include "model/catalogue.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

/* Generated from data/models.tsv; see tools/gen-data. */
static const struct pl_catalogue_row pl_rows[] = {
#include "models.inc"
};
#define PL_ROWS (sizeof(pl_rows) / sizeof(pl_rows[0]))

const struct pl_catalogue_row *pl_catalogue(size_t *ret_n)
{
    *ret_n = PL_ROWS;
    return pl_rows;
}

/* Is id, in any case, one of the names between commas? */
static bool pl_alias_has(const char *aliases, const char *id)
{
    size_t n = strlen(id);
    while (aliases != NULL && n > 0) {
        const char *end = strchr(aliases, ',');
        size_t len = end != NULL ? (size_t)(end - aliases) : strlen(aliases);
        if (len == n && strncasecmp(aliases, id, n) == 0)
            return true;
        aliases = end != NULL ? end + 1 : NULL;
    }
    return false;
}

const struct pl_catalogue_row *pl_catalogue_find(const char *id)
{
    for (size_t i = 0; i < PL_ROWS; i++) {
        if (strcasecmp(pl_rows[i].id, id) == 0 || pl_alias_has(pl_rows[i].aliases, id))
            return &pl_rows[i];
    }
    return NULL;
}

/* "qwen3-9b" is near "qwen3-8b", but so is everything of the family: up to three are named. */
#define PL_NEAREST_MAX 3

void pl_catalogue_nearest(const char *id, char *out, size_t size)
{
    const char *names[PL_ROWS + 1];
    char lower[64];
    size_t n = 0;
    out[0] = '\0';
    for (; id[n] != '\0' && n + 1 < sizeof(lower); n++)
        lower[n] = (char)(id[n] >= 'A' && id[n] <= 'Z' ? id[n] - 'A' + 'a' : id[n]);
    lower[n] = '\0';
    for (size_t i = 0; i < PL_ROWS; i++)
        names[i] = pl_rows[i].id;
    names[PL_ROWS] = NULL;
    for (int k = 0; k < PL_NEAREST_MAX; k++) {
        const char *near = pl_nearest(lower, names);
        if (near == NULL)
            return;
        size_t used = strlen(out);
        (void)pl_fmt(out + used, size - used, "%s%s", k > 0 ? ", " : "", near);
        size_t last = 0;
        while (names[last] != NULL)
            last++;
        for (size_t i = 0; i < last; i++) {
            if (names[i] == near)
                names[i] = names[last - 1];
        }
        names[last - 1] = NULL;
    }
}
