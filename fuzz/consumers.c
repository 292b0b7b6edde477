/* Processes and containers, all hostile: three texts separated by lines of "%%": /proc/PID/status,
 * /proc/PID/cgroup, and a container manager's JSON. */
#include "base/str.h"
#include "machine/consumer_name.h"
#include "machine/consumer_sweep.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static bool pl_fuzz_clean(const char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < ' ' || *s == 127)
            return false;
    }
    return true;
}

/* The next text as a string of its own, freed by the caller. */
static char *pl_fuzz_next(const char **data, size_t *n)
{
    const char *mark = *n > 0 ? memmem(*data, *n, "%%\n", 3) : NULL;
    size_t len = mark != NULL ? (size_t)(mark - *data) : *n;
    char *s = calloc(len + 1, 1);
    pl_fuzz_check(s != NULL);
    if (len > 0)
        memcpy(s, *data, len);
    *data += mark != NULL ? len + 3 : len;
    *n -= mark != NULL ? len + 3 : len;
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *at = n > 0 ? (const char *)data : "";
    char name[80] = "";
    struct pl_process p = {.pid = 1};
    char *status = pl_fuzz_next(&at, &n), *cgroup = pl_fuzz_next(&at, &n);
    char *json = pl_fuzz_next(&at, &n);
    (void)pl_process_parse(status, cgroup, &p);
    pl_fuzz_check(pl_fuzz_clean(p.name) && pl_fuzz_clean(p.place.name));
    pl_fuzz_check((p.place.runtime == PL_RUNTIME_NONE) == (p.place.name[0] == '\0'));
    pl_fuzz_check(!pl_runtime_by_id(p.place.runtime) || strlen(p.place.name) == 64);
    const struct pl_program *program = pl_program_known(p.name, status, strlen(status) + 1);
    pl_fuzz_check(program == NULL || program->program[0] != '\0');
    if (pl_container_docker(json, strlen(json), name, sizeof(name)) == 0)
        pl_fuzz_check(name[0] != '\0' && pl_fuzz_clean(name));
    if (pl_container_podman(json, strlen(json), "0123456789ab", name, sizeof(name)) == 0)
        pl_fuzz_check(name[0] != '\0' && pl_fuzz_clean(name));
    free(status);
    free(cgroup);
    free(json);
    return 0;
}
