/* The table, and finding a row in it. */
#include "base/str.h"
#include "machine/device_data.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static const struct pl_device_row pl_rows[] = {
#include "devices.inc"
};

#define PL_ROWS ((uint32_t)(sizeof(pl_rows) / sizeof(pl_rows[0])))

const struct pl_device_row *pl_device_rows(uint32_t *ret_n)
{
    *ret_n = PL_ROWS;
    return pl_rows;
}

const struct pl_device_row *pl_device_row(const char *id, const char **ret_near)
{
    const char *names[PL_ROWS + 1];
    for (uint32_t i = 0; i < PL_ROWS; i++) {
        if (pl_streq(pl_rows[i].id, id))
            return &pl_rows[i];
        names[i] = pl_rows[i].id;
    }
    names[PL_ROWS] = NULL;
    if (ret_near != NULL)
        *ret_near = pl_nearest(id, names);
    return NULL;
}

static bool pl_row_is_cpu(const struct pl_device_row *r)
{
    return pl_streq(r->class, "cpu");
}

/* Compiled here and now: expressions of 440 rows are compiled only when a device asks. */
static bool pl_row_matches(const struct pl_device_row *r, const char *subject)
{
    regex_t re;
    if (r->match[0] == '\0' || regcomp(&re, r->match, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool yes = regexec(&re, subject, 0, NULL, 0) == 0;
    regfree(&re);
    return yes;
}

static const struct pl_device_row *pl_row_only(const char *subject, bool cpu,
                                               const struct pl_device_row **ret_other)
{
    const struct pl_device_row *found = NULL;
    for (uint32_t i = 0; i < PL_ROWS; i++) {
        const struct pl_device_row *r = &pl_rows[i];
        if (pl_row_is_cpu(r) != cpu || !pl_row_matches(r, subject))
            continue;
        if (found != NULL) {
            if (ret_other != NULL)
                *ret_other = r;
            return NULL;
        }
        found = r;
    }
    return found;
}

const struct pl_device_row *pl_device_match(const char *subject,
                                            const struct pl_device_row **ret_other)
{
    if (ret_other != NULL)
        *ret_other = NULL;
    return pl_row_only(subject, false, ret_other);
}

const struct pl_device_row *pl_device_match_cpu(const char *model)
{
    return model[0] != '\0' ? pl_row_only(model, true, NULL) : NULL;
}
