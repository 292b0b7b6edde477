#include "model/catalogue.h"

#include "base/str.h"
#include "model/catalogue_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Generated from data/models.tsv; see tools/gen-data. */
static const struct pl_catalogue_row pl_rows[] = {
#include "models.inc"
};
#define PL_ROWS (sizeof(pl_rows) / sizeof(pl_rows[0]))

#define PL_ADDED_MEMORY_MAX (64ull << 20)

/* All rows once a user's are among them. What a later file replaces stays in the arena, so that a
 * row that was found stays valid. */
static struct {
    struct pl_arena arena;
    struct pl_catalogue_row *row; /* NULL: none was added */
    size_t n;
} pl_added;

const struct pl_catalogue_row *pl_catalogue(size_t *ret_n)
{
    *ret_n = pl_added.row != NULL ? pl_added.n : PL_ROWS;
    return pl_added.row != NULL ? pl_added.row : pl_rows;
}

int pl_catalogue_add(const char *text, size_t n, const char *name, struct pl_err *err)
{
    struct pl_catalogue_row *own = NULL;
    size_t n_own = 0, n_all = 0;
    const struct pl_catalogue_row *before = pl_catalogue(&n_all);
    if (pl_added.row == NULL)
        pl_arena_init(&pl_added.arena, PL_ADDED_MEMORY_MAX);
    int rc = pl_catalogue_file_parse(text, n, name, &pl_added.arena, &own, &n_own, err);
    if (rc < 0)
        return rc;
    struct pl_catalogue_row *all =
        pl_arena_alloc(&pl_added.arena, n_all + n_own, sizeof(struct pl_catalogue_row));
    if (all == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the rows of %s", name);
    memcpy(all, before, n_all * sizeof(*all));
    for (size_t i = 0; i < n_own; i++) {
        size_t k = 0;
        while (k < n_all && strcasecmp(all[k].id, own[i].id) != 0)
            k++;
        all[k] = own[i];
        n_all += k == n_all ? 1 : 0;
    }
    pl_added.row = all;
    pl_added.n = n_all;
    return 0;
}

void pl_catalogue_forget(void)
{
    pl_arena_done(&pl_added.arena);
    pl_added.row = NULL;
    pl_added.n = 0;
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
    size_t n = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n), *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(row[i].id, id) != 0 && !pl_alias_has(row[i].aliases, id))
            continue;
        if (row[i].file != NULL)
            return &row[i];
        found = found == NULL ? &row[i] : found;
    }
    return found;
}

/* "qwen3-9b" is near "qwen3-8b", but so is everything of the family: up to three are named. */
#define PL_NEAREST_MAX 3

void pl_catalogue_nearest(const char *id, char *out, size_t size)
{
    char lower[64];
    size_t n = 0, n_row = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    const char **names = calloc(n_row + 1, sizeof(*names));
    out[0] = '\0';
    if (names == NULL)
        return;
    for (; id[n] != '\0' && n + 1 < sizeof(lower); n++)
        lower[n] = (char)(id[n] >= 'A' && id[n] <= 'Z' ? id[n] - 'A' + 'a' : id[n]);
    lower[n] = '\0';
    for (size_t i = 0; i < n_row; i++)
        names[i] = row[i].id;
    for (int k = 0; k < PL_NEAREST_MAX; k++) {
        const char *near = pl_nearest(lower, names);
        if (near == NULL)
            break;
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
    free(names);
}
