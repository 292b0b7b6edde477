#include "sys/psi.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "some avg10=0.12 avg60=0.00 avg300=0.00 total=12345" */
static bool pl_psi_line(const char *line, const char *kind, double *ret_avg10, uint64_t *ret_us)
{
    size_t n = strlen(kind);
    if (strncmp(line, kind, n) != 0 || line[n] != ' ')
        return false;
    char avg[32], total[32];
    if (sscanf(line + n, " avg10=%31[0-9.] avg60=%*[0-9.] avg300=%*[0-9.] total=%31[0-9]", avg,
               total) != 2)
        return false;
    return pl_parse_double(avg, ret_avg10) && pl_parse_u64(total, ret_us);
}

int pl_psi_read(const struct pl_root *root, const char *what, struct pl_pressure *ret,
                struct pl_err *err)
{
    char path[64], text[512];
    *ret = (struct pl_pressure){0};
    (void)PL_FMT(path, "proc/pressure/%s", what);
    int rc = pl_read_text(root, path, text, sizeof(text), NULL, err);
    if (rc < 0)
        return rc;
    struct pl_pressure p = {0};
    bool some = pl_psi_line(text, "some", &p.some_avg10, &p.some_total_us);
    const char *second = strchr(text, '\n');
    bool full = second != NULL && pl_psi_line(second + 1, "full", &p.full_avg10, &p.full_total_us);
    if (!some || (!full && !pl_streq(what, "cpu")))
        return pl_fail(err, -EBADMSG, "%s/%s: not in the kernel's format", root->path, path);
    p.known = true;
    *ret = p;
    return 0;
}
