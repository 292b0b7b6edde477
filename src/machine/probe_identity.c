/* Which machine this is: operating system, kernel, and an identity that is stable and cannot be
 * turned back into what it was made from. */
#include "base/sha256.h"
#include "base/str.h"
#include "machine/probes.h"

#include <string.h>

#define PL_ID_DIGITS 32 /* 128 bits: no two machines share one by chance */

/* The value of KEY= in an os-release file (os-release(5)), without its quotes. */
static bool pl_os_release(const struct pl_root *root, const char *path, char *out, size_t size)
{
    static const char key[] = "PRETTY_NAME=";
    struct pl_lines lines;
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return false;
    bool found = false;
    for (char *line; !found && (line = pl_lines_next(&lines)) != NULL;) {
        if (!pl_starts(line, key))
            continue;
        char *s = line + sizeof(key) - 1;
        size_t n = strlen(s);
        if (n >= 2 && (s[0] == '"' || s[0] == '\'') && s[n - 1] == s[0]) {
            s[n - 1] = '\0';
            s++;
        }
        (void)pl_fmt(out, size, "%s", s);
        pl_text_clean(out);
        found = true;
    }
    (void)pl_lines_close(&lines);
    return found;
}

/* "Linux version 6.18.44 (builder@host) ..." to "Linux 6.18.44": the rest names its builder. */
static void pl_kernel_text(const struct pl_root *root, char *out, size_t size)
{
    char line[512];
    char *save = NULL;
    if (pl_read_line(root, "proc/version", line, sizeof(line), NULL) < 0)
        return;
    const char *name = strtok_r(line, " ", &save);
    const char *word = strtok_r(NULL, " ", &save);
    const char *release = strtok_r(NULL, " ", &save);
    if (name != NULL && word != NULL && release != NULL && pl_streq(word, "version"))
        (void)pl_fmt(out, size, "%s %s", name, release);
}

/* As machine-id(5) asks: never the id itself, but a hash that also holds the program's name. */
static void pl_id_hash(const char *kind, const char *secret, char out[40])
{
    char text[256], sum[PL_SHA256_TEXT_MAX];
    (void)PL_FMT(text, "plimsoll %s %s\n", kind, secret);
    (void)pl_sha256_text(text, strlen(text), sum);
    memcpy(out, sum, PL_ID_DIGITS);
    out[PL_ID_DIGITS] = '\0';
}

static void pl_identity_id(const struct pl_root *root, struct pl_machine *m)
{
    static const char *const file[] = {"etc/machine-id", "var/lib/dbus/machine-id",
                                       "sys/class/dmi/id/product_uuid"};
    char secret[128];
    for (size_t i = 0; i < sizeof(file) / sizeof(file[0]); i++) {
        /* machine-id is 32 digits; images keep "uninitialized" or nothing there until first boot */
        if (pl_read_line(root, file[i], secret, sizeof(secret), NULL) == 0 &&
            strlen(secret) >= 32) {
            pl_id_hash(i < 2 ? "machine-id" : "dmi", secret, m->id);
            return;
        }
    }
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    if (m->cpu.model[0] == '\0' || ram == NULL || !pl_known(ram->capacity))
        return;
    (void)PL_FMT(secret, "%.60s %u %u %llu", m->cpu.model, m->cpu.packages, m->cpu.cores_physical,
                 (unsigned long long)ram->capacity.likely);
    pl_id_hash("parts", secret, m->id);
    pl_machine_note(m, "no machine id: identified by CPU and memory, as equal machines are");
}

static int pl_identity_run(const struct pl_probe_input *in, struct pl_machine *m,
                           struct pl_err *err)
{
    (void)err;
    if (!pl_os_release(in->root, "etc/os-release", m->os, sizeof(m->os)))
        (void)pl_os_release(in->root, "usr/lib/os-release", m->os, sizeof(m->os));
    pl_kernel_text(in->root, m->kernel, sizeof(m->kernel));
    pl_identity_id(in->root, m);
    return 0;
}

const struct pl_probe pl_probe_identity = {
    .name = "identity",
    .reads = "/etc/os-release, /proc/version, /etc/machine-id (or DMI), hashed",
    .matters = "measurements are remembered for this machine and no other",
    .run = pl_identity_run,
};
