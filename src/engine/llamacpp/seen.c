#include "engine/llamacpp/seen.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/find.h"

#include <errno.h>
#include <string.h>

#define PL_SEEN_TIMEOUT_NS (60 * PL_S_NS) /* a driver may start up */
#define PL_SEEN_TEXT_MAX (64u * 1024u)
#define PL_SEEN_MIB_MAX (1ull << 30) /* a pebibyte: more is nonsense */

/* The number at *s, which moves behind it and behind `after`. */
static bool pl_seen_number(const char **s, const char *after, uint64_t *ret)
{
    char digits[12];
    size_t n = strspn(*s, "0123456789");
    if (n == 0 || n >= sizeof(digits) || !pl_starts(*s + n, after))
        return false;
    (void)PL_FMT(digits, "%.*s", (int)n, *s);
    *s += n + strlen(after);
    return pl_parse_u64(digits, ret) && *ret <= PL_SEEN_MIB_MAX;
}

/* "  Vulkan0: llvmpipe (LLVM) (24105 MiB, 23401 MiB free)", len bytes of it */
static bool pl_seen_line(const char *line, size_t len, struct pl_seen_device *ret)
{
    char text[256];
    if (len >= sizeof(text) || !PL_FMT(text, "%.*s", (int)len, line) || !pl_starts(text, "  "))
        return false;
    pl_text_clean(text);
    const char *name = text + 2, *colon = strstr(name, ": ");
    const char *open = strrchr(text, '(');
    if (colon == NULL || open == NULL || open < colon + 2)
        return false;
    const char *s = open + 1;
    *ret = (struct pl_seen_device){0};
    if (!pl_seen_number(&s, " MiB, ", &ret->total_mib) ||
        !pl_seen_number(&s, " MiB free)", &ret->free_mib) ||
        !PL_FMT(ret->name, "%.*s", (int)(colon - name), name) || ret->name[0] == '\0')
        return false;
    const char *about = colon + 2;
    int n = (int)(open - about);
    while (n > 0 && about[n - 1] == ' ')
        n--;
    (void)PL_FMT(ret->about, "%.*s", n < (int)sizeof(ret->about) ? n : (int)sizeof(ret->about) - 1,
                 about);
    return true;
}

void pl_llamacpp_seen_parse(const char *text, struct pl_seen *ret)
{
    *ret = (struct pl_seen){0};
    while (text != NULL && *text != '\0' && ret->n < PL_USED_DEVICES_MAX) {
        size_t len = strcspn(text, "\n");
        if (pl_seen_line(text, len, &ret->one[ret->n]))
            ret->n++;
        text += len;
        text += *text == '\n' ? 1 : 0;
    }
}

int pl_llamacpp_seen(const struct pl_install *in, struct pl_seen *ret, struct pl_err *err)
{
    static const char *const args[] = {"--list-devices", NULL};
    struct pl_str out;
    int status = 0;
    *ret = (struct pl_seen){0};
    pl_str_init(&out, PL_SEEN_TEXT_MAX);
    int rc = pl_llamacpp_run(in, "llama-server", args, PL_SEEN_TIMEOUT_NS, PL_SEEN_TEXT_MAX, &out,
                             &status, err);
    if (rc == 0 && status == 0)
        pl_llamacpp_seen_parse(pl_str_get(&out), ret);
    else if (rc ==
             0) /* versions before --list-devices end with an error: what they see is unknown */
        rc = pl_exit_as(
            err, pl_fail(err, -EPROTO, "the engine does not list its devices (status %d)", status),
            PL_EXIT_ENVIRONMENT);
    pl_str_done(&out);
    return rc;
}

static bool pl_seen_software(const char *about)
{
    static const char *const names[] = {"llvmpipe", "lavapipe", "SwiftShader"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strstr(about, names[i]) != NULL)
            return true;
    }
    return false;
}

/* The machine's device that a line means: by name (one contains the other), each only once. */
static const struct pl_used_device *pl_seen_own(const struct pl_seen_device *s,
                                                const struct pl_machine *m,
                                                const struct pl_used_devices *own, bool *taken)
{
    for (uint32_t i = 0; i < own->n; i++) {
        for (uint32_t k = 0; k < m->n_device && !taken[i]; k++) {
            const struct pl_device *d = &m->device[k];
            if (!pl_streq(d->pool, own->one[i].pool) || d->name[0] == '\0' ||
                (strstr(s->about, d->name) == NULL && strstr(d->name, s->about) == NULL))
                continue;
            taken[i] = true;
            return &own->one[i];
        }
    }
    for (uint32_t i = 0; i < own->n && !pl_seen_software(s->about); i++) {
        if (!taken[i]) { /* drivers and engines name some devices differently */
            taken[i] = true;
            return &own->one[i];
        }
    }
    return NULL;
}

/* A pool and a device for what only the engine knows. */
static void pl_seen_add(const struct pl_seen_device *s, struct pl_machine *m, char pool[32])
{
    uint32_t n = 0;
    do {
        (void)pl_fmt(pool, 32, "gpu%u", n++);
    } while (n < PL_POOLS_MAX && pl_machine_pool(m, pool) != NULL);
    bool software = pl_seen_software(s->about);
    struct pl_pool *p =
        pl_machine_add_pool(m, pool, software ? PL_POOL_UNIFIED : PL_POOL_DEDICATED);
    struct pl_device *d = pl_machine_add_device(m, pool);
    if (p != NULL) {
        p->capacity = pl_exact(s->total_mib * PL_MIB, PL_SOURCE_MEASURED, "as the engine sees it");
        p->available = pl_exact(s->free_mib * PL_MIB, PL_SOURCE_MEASURED, "as the engine sees it");
        if (software)
            (void)PL_FMT(p->parent, "ram");
    }
    if (d != NULL) {
        (void)PL_FMT(d->pool, "%s", pool);
        (void)PL_FMT(d->name, "%s", s->about);
        d->kind = PL_DEVICE_DISCRETE; /* the engine takes a software device for one */
    }
}

void pl_llamacpp_seen_join(const struct pl_seen *seen, struct pl_machine *m,
                           struct pl_used_devices *ret)
{
    struct pl_used_devices own;
    bool taken[PL_USED_DEVICES_MAX] = {0};
    char pool[PL_USED_DEVICES_MAX][32];
    pl_llamacpp_devices(m, NULL, &own);
    for (uint32_t i = 0; i < seen->n; i++) {
        const struct pl_used_device *d = pl_seen_own(&seen->one[i], m, &own, taken);
        if (d != NULL)
            (void)PL_FMT(pool[i], "%s", d->pool);
        else
            pl_seen_add(&seen->one[i], m, pool[i]);
    }
    pl_llamacpp_devices(m, seen->n > 0 ? seen->one[0].name : NULL, &own);
    *ret = (struct pl_used_devices){0};
    for (uint32_t i = 0; i < seen->n; i++) {
        const struct pl_used_device *d = pl_used_device(&own, pool[i]);
        if (d == NULL || ret->n >= PL_USED_DEVICES_MAX)
            continue; /* the tables were full */
        struct pl_used_device *u = &ret->one[ret->n++];
        *u = *d;
        (void)PL_FMT(u->name, "%s", seen->one[i].name);
        u->total =
            pl_exact(seen->one[i].total_mib * PL_MIB, PL_SOURCE_MEASURED, "as the engine sees it");
        u->free =
            pl_exact(seen->one[i].free_mib * PL_MIB, PL_SOURCE_MEASURED, "as the engine sees it");
    }
}
