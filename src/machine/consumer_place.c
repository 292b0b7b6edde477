#include "machine/consumer_place.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define PL_ID_LEN 64    /* docker, podman, containerd and CRI-O name containers by SHA-256 */
#define PL_PART_MAX 300 /* a folder name has at most 255 bytes */
#define PL_DEPTH_MAX 64

const char *pl_runtime_name(enum pl_runtime runtime)
{
    static const char *const names[] = {"",    "docker",  "podman", "kubernetes", "container",
                                        "lxc", "machine", "job",    "service"};
    return names[runtime];
}

bool pl_runtime_by_id(enum pl_runtime runtime)
{
    return runtime >= PL_RUNTIME_DOCKER && runtime <= PL_RUNTIME_CONTAINER;
}

/* Cuts the ending off; false, and s as it was, when it is not there or nothing would be left. */
static bool pl_part_end(char *s, const char *ending)
{
    size_t n = strlen(s), m = strlen(ending);
    if (n <= m || !pl_ends(s, ending))
        return false;
    s[n - m] = '\0';
    return true;
}

static bool pl_part_id(const char *s)
{
    size_t n = 0;
    while (isxdigit((unsigned char)s[n]))
        n++;
    return n == PL_ID_LEN && s[n] == '\0';
}

/* systemd writes what may not stand in a unit's name as \xNN, "-" too. */
static void pl_part_unescape(char *s)
{
    char *to = s;
    while (*s != '\0') {
        if (s[0] == '\\' && s[1] == 'x' && isxdigit((unsigned char)s[2]) &&
            isxdigit((unsigned char)s[3])) {
            int a = tolower((unsigned char)s[2]), b = tolower((unsigned char)s[3]);
            int high = a <= '9' ? a - '0' : a - 'a' + 10, low = b <= '9' ? b - '0' : b - 'a' + 10;
            *to++ = (char)(high * 16 + low != 0 ? high * 16 + low : '?');
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

static bool pl_place_set(struct pl_place *ret, enum pl_runtime runtime, const char *name)
{
    if (name[0] == '\0')
        return false;
    ret->runtime = runtime;
    (void)pl_text_cut(ret->name, sizeof(ret->name), name);
    return true;
}

/* "machine-qemu\x2d3\x2dweb.scope" is libvirt's third start of "web". */
static bool pl_place_machine(char *part, struct pl_place *ret)
{
    pl_part_unescape(part);
    const char *s = part + strlen("machine-");
    if (pl_starts(s, "qemu-") || pl_starts(s, "lxc-")) {
        const char *n = strchr(s, '-') + 1;
        size_t digits = strspn(n, "0123456789");
        if (digits > 0 && n[digits] == '-' && n[digits + 1] != '\0')
            s = n + digits + 1;
    }
    return pl_place_set(ret, PL_RUNTIME_MACHINE, s);
}

/* One folder of the path, and the one above it ("" = none); pods: kubepods is among those above. */
static bool pl_place_container(char *part, const char *above, bool pods, struct pl_place *ret)
{
    static const struct {
        const char *prefix;
        enum pl_runtime runtime;
    } scopes[] = {
        {"docker-",         PL_RUNTIME_DOCKER    },
        {"libpod-",         PL_RUNTIME_PODMAN    },
        {"cri-containerd-", PL_RUNTIME_KUBERNETES},
        {"crio-",           PL_RUNTIME_KUBERNETES},
        {"nerdctl-",        PL_RUNTIME_CONTAINER },
    };
    bool scope = pl_part_end(part, ".scope");
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        const char *id = part + strlen(scopes[i].prefix);
        if (pl_starts(part, scopes[i].prefix) && pl_part_id(id))
            return pl_place_set(ret, pods && i == 0 ? PL_RUNTIME_KUBERNETES : scopes[i].runtime,
                                id);
    }
    if (pl_part_id(part))
        return pl_place_set(ret,
                            pods                         ? PL_RUNTIME_KUBERNETES
                            : pl_streq(above, "docker")  ? PL_RUNTIME_DOCKER
                            : pl_starts(above, "libpod") ? PL_RUNTIME_PODMAN
                                                         : PL_RUNTIME_CONTAINER,
                            part);
    if (scope && pl_starts(part, "machine-") && part[strlen("machine-")] != '\0')
        return pl_place_machine(part, ret);
    if (pl_starts(part, "lxc.payload."))
        return pl_place_set(ret, PL_RUNTIME_LXC, part + strlen("lxc.payload."));
    if (pl_streq(above, "lxc"))
        return pl_place_set(ret, PL_RUNTIME_LXC, part);
    if (pl_starts(part, "systemd-nspawn@") && pl_part_end(part, ".service")) {
        pl_part_unescape(part);
        return pl_place_set(ret, PL_RUNTIME_MACHINE, part + strlen("systemd-nspawn@"));
    }
    if (pl_starts(part, "job_") && isdigit((unsigned char)part[4]))
        return pl_place_set(ret, PL_RUNTIME_JOB, part + 4);
    return false;
}

/* NAME.service, but not user@1000.service, which holds all of a user's session. */
static bool pl_place_service(char *part, struct pl_place *ret)
{
    if (pl_starts(part, "user@") || !pl_part_end(part, ".service"))
        return false;
    pl_part_unescape(part);
    return pl_place_set(ret, PL_RUNTIME_SERVICE, part);
}

struct pl_path_part {
    const char *s;
    size_t n;
};

static uint32_t pl_path_split(const char *path, size_t len, struct pl_path_part *part)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len && n < PL_DEPTH_MAX;) {
        size_t end = i;
        while (end < len && path[end] != '/')
            end++;
        if (end > i)
            part[n++] = (struct pl_path_part){path + i, end - i};
        i = end + 1;
    }
    return n;
}

static const char *pl_path_copy(const struct pl_path_part *part, char out[PL_PART_MAX])
{
    (void)pl_fmt(out, PL_PART_MAX, "%.*s", (int)(part->n < PL_PART_MAX ? part->n : 0), part->s);
    return out;
}

static void pl_place_path(const char *path, size_t len, struct pl_place *ret)
{
    struct pl_path_part part[PL_DEPTH_MAX];
    char own[PL_PART_MAX], above[PL_PART_MAX];
    uint32_t n = pl_path_split(path, len, part), pods = PL_DEPTH_MAX;
    for (uint32_t i = 0; i < n && pods == PL_DEPTH_MAX; i++)
        pods = pl_starts(pl_path_copy(&part[i], own), "kubepods") ? i : pods;
    for (uint32_t i = n; i > 0; i--) {
        (void)pl_path_copy(&part[i - 1], own);
        above[0] = '\0';
        if (i > 1)
            (void)pl_path_copy(&part[i - 2], above);
        if (pl_place_container(own, above, i - 1 > pods, ret))
            return;
    }
    for (uint32_t i = n; i > 0; i--) {
        (void)pl_path_copy(&part[i - 1], own);
        if (pl_place_service(own, ret))
            return;
    }
}

void pl_place_parse(const char *text, struct pl_place *ret)
{
    *ret = (struct pl_place){0};
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        const char *first = memchr(text, ':', n);
        const char *second =
            first != NULL ? memchr(first + 1, ':', n - (size_t)(first + 1 - text)) : NULL;
        if (second != NULL) {
            struct pl_place found = {0};
            pl_place_path(second + 1, n - (size_t)(second + 1 - text), &found);
            bool better =
                found.runtime != PL_RUNTIME_NONE &&
                (ret->runtime == PL_RUNTIME_NONE ||
                 (ret->runtime == PL_RUNTIME_SERVICE && found.runtime != PL_RUNTIME_SERVICE));
            if (better)
                *ret = found;
        }
        text += n + (text[n] == '\n' ? 1 : 0);
    }
}
