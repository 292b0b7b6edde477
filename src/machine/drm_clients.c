/* Who holds memory of the cards: a sweep over the open files of all processes. A descriptor whose
 * link leads to /dev/dri is looked at, no other; a client with many descriptors, or handed from one
 * process to another, is counted once. */
#include "base/str.h"
#include "machine/drm.h"
#include "machine/drm_fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_SWEEP_PIDS_MAX 65536   /* /proc/sys/kernel/pid_max is 32768 to 4194304 */
#define PL_SWEEP_FDS_MAX 16384    /* of one process */
#define PL_SWEEP_CLIENTS_MAX 1024 /* of all cards */
#define PL_SWEEP_FDINFO_MAX 8192  /* bytes of one fdinfo */

struct pl_sweep_client {
    uint32_t card;
    bool id_known;
    uint64_t id;
    int64_t pid;
};

struct pl_sweep {
    const struct pl_root *root;
    const struct pl_drm_card *card;
    uint32_t n_card;
    struct pl_machine *m;
    struct pl_sweep_client client[PL_SWEEP_CLIENTS_MAX];
    uint32_t n_client, denied, nameless, left_out;
    uint32_t pid[PL_SWEEP_PIDS_MAX];
    uint32_t n_pid;
};

static int pl_sweep_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The pids, ascending: a client is the oldest process' that has it. */
static void pl_sweep_pids(struct pl_sweep *s)
{
    DIR *dir = NULL;
    const struct dirent *e = NULL;
    if (pl_root_open_dir(s->root, "proc", &dir, NULL) < 0)
        return;
    while (s->n_pid < PL_SWEEP_PIDS_MAX && (e = readdir(dir)) != NULL) {
        uint64_t pid = 0;
        if (pl_parse_u64(e->d_name, &pid) && pid > 0 && pid <= INT32_MAX)
            s->pid[s->n_pid++] = (uint32_t)pid;
    }
    (void)closedir(dir);
    qsort(s->pid, s->n_pid, sizeof(s->pid[0]), pl_sweep_order);
}

/* The card a client is of: by address, or the only one with that driver when no address is said. */
static bool pl_sweep_card(const struct pl_sweep *s, const struct pl_drm_client *c, uint32_t *ret)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < s->n_card; i++) {
        bool it = c->pdev[0] != '\0' && s->card[i].pci[0] != '\0'
                      ? pl_pci_same(c->pdev, s->card[i].pci)
                      : pl_streq(c->driver, s->card[i].driver);
        if (!it || s->card[i].device_id[0] == '\0')
            continue;
        *ret = i;
        found++;
    }
    return found == 1;
}

/* False when this client was counted already. */
static bool pl_sweep_new(struct pl_sweep *s, const struct pl_drm_client *c, uint32_t card,
                         int64_t pid)
{
    for (uint32_t i = 0; i < s->n_client; i++) {
        const struct pl_sweep_client *k = &s->client[i];
        if (k->card == card && k->id_known && c->id_known && k->id == c->id)
            return false;
    }
    s->nameless += c->id_known ? 0 : 1;
    if (s->n_client >= PL_SWEEP_CLIENTS_MAX) {
        s->left_out++;
        return false;
    }
    s->client[s->n_client++] = (struct pl_sweep_client){card, c->id_known, c->id, pid};
    return true;
}

/* Sums of one process over its clients of one card; without ids the largest, for it may be one
 * client on several descriptors. */
struct pl_sweep_sum {
    struct pl_quantity held[PL_DRM_PLACES];
    bool graphics;
};

static void pl_sweep_add(struct pl_sweep_sum *sum, const struct pl_drm_client *c)
{
    for (int p = 0; p < PL_DRM_PLACES; p++) {
        struct pl_quantity *q = &sum->held[p];
        if (!pl_known(c->held[p]))
            continue;
        if (!pl_known(*q) || (!c->id_known && c->held[p].likely > q->likely))
            *q = c->held[p];
        else if (c->id_known)
            *q = pl_plus(*q, c->held[p]);
    }
    sum->graphics |= c->draws;
}

/* On this system the link is looked at beside the root first: what else a process has open is not
 * ours to record. A capture then holds the graphics devices' links and no others. */
static bool pl_sweep_is_dri(const struct pl_root *root, uint32_t pid, int dir_fd, const char *fd)
{
    char path[320], target[64];
    if (pl_root_is_this_system(root)) {
        ssize_t n = readlinkat(dir_fd, fd, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        if (!pl_starts(target, "/dev/dri/"))
            return false;
    }
    return PL_FMT(path, "proc/%u/fd/%s", pid, fd) &&
           pl_root_read_link(root, path, target, sizeof(target), NULL) == 0 &&
           pl_starts(target, "/dev/dri/");
}

/* The same for the list of descriptors: false when a process of this system has no graphics device
 * open, so that its list need not be read through the root. */
static bool pl_sweep_worth(const struct pl_root *root, uint32_t pid)
{
    char path[64], target[64];
    const struct dirent *e = NULL;
    bool found = false;
    if (!pl_root_is_this_system(root))
        return true;
    (void)PL_FMT(path, "proc/%u/fd", pid);
    int fd = openat(root->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return errno == EACCES; /* so that the refusal is seen, and recorded */
    }
    for (uint32_t i = 0; !found && i < PL_SWEEP_FDS_MAX && (e = readdir(dir)) != NULL; i++) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        found = pl_starts(target, "/dev/dri/");
    }
    (void)closedir(dir);
    return found;
}

static void pl_sweep_hold(struct pl_sweep *s, uint32_t pid, const struct pl_sweep_sum *sum,
                          const struct pl_drm_card *card)
{
    char path[64], name[64] = "", shared[PL_POOL_NAME_MAX];
    const struct pl_device *d = pl_machine_device(s->m, card->device_id);
    if (d == NULL)
        return;
    (void)PL_FMT(path, "proc/%u/comm", pid);
    (void)pl_read_line(s->root, path, name, sizeof(name), NULL);
    (void)PL_FMT(shared, "gtt%u", card->gpu);
    /* A card without a pool for it: its driver has no limit on the machine's memory. */
    const char *const pool[PL_DRM_PLACES] = {
        [PL_DRM_LOCAL] = d->id,
        [PL_DRM_HOST] = pl_machine_pool_const(s->m, shared) != NULL ? shared
                        : d->kind == PL_DEVICE_INTEGRATED           ? d->pool
                                                                    : "ram",
    };
    for (int p = 0; p < PL_DRM_PLACES; p++) {
        if (pl_known(sum->held[p]) && sum->held[p].likely > 0)
            pl_drm_hold(s->m, pid, pool[p], sum->held[p], sum->graphics, name);
    }
}

static void pl_sweep_fd(struct pl_sweep *s, uint32_t pid, const char *fd,
                        struct pl_sweep_sum sum[PL_DRM_CARDS_MAX])
{
    char path[320], text[PL_SWEEP_FDINFO_MAX];
    struct pl_drm_client c;
    uint32_t card = 0;
    if (!PL_FMT(path, "proc/%u/fdinfo/%s", pid, fd) ||
        pl_read_text(s->root, path, text, sizeof(text), NULL, NULL) < 0 ||
        !pl_drm_fdinfo_parse(text, &c) || !pl_sweep_card(s, &c, &card) ||
        !pl_sweep_new(s, &c, card, pid))
        return;
    pl_sweep_add(&sum[card], &c);
}

/* A thread of the kernel has no memory of its own and no graphics; it is not a refusal. */
static bool pl_sweep_kernel_thread(const struct pl_root *root, uint32_t pid)
{
    char path[64], text[128];
    (void)PL_FMT(path, "proc/%u/statm", pid);
    return pl_read_line(root, path, text, sizeof(text), NULL) == 0 && pl_starts(text, "0 ");
}

static void pl_sweep_process(struct pl_sweep *s, uint32_t pid)
{
    struct pl_sweep_sum sum[PL_DRM_CARDS_MAX] = {0};
    char path[64];
    DIR *dir = NULL;
    const struct dirent *e = NULL;
    if (!pl_sweep_worth(s->root, pid))
        return;
    (void)PL_FMT(path, "proc/%u/fd", pid);
    int rc = pl_root_open_dir(s->root, path, &dir, NULL);
    if (rc == -EACCES && !pl_sweep_kernel_thread(s->root, pid))
        s->denied++;
    if (rc < 0)
        return;
    for (uint32_t i = 0; i < PL_SWEEP_FDS_MAX && (e = readdir(dir)) != NULL; i++) {
        if (e->d_name[0] != '.' && pl_sweep_is_dri(s->root, pid, dirfd(dir), e->d_name))
            pl_sweep_fd(s, pid, e->d_name, sum);
    }
    (void)closedir(dir);
    for (uint32_t i = 0; i < s->n_card; i++)
        pl_sweep_hold(s, pid, &sum[i], &s->card[i]);
}

void pl_drm_holdings(const struct pl_root *root, const struct pl_drm_card *card, uint32_t n,
                     struct pl_machine *m)
{
    struct pl_sweep *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        pl_machine_note(m, "who holds memory of the graphics devices is unknown: no memory");
        return;
    }
    s->root = root;
    s->card = card;
    s->n_card = n;
    s->m = m;
    pl_sweep_pids(s);
    for (uint32_t i = 0; i < s->n_pid; i++)
        pl_sweep_process(s, s->pid[i]);
    if (s->denied > 0)
        pl_machine_note(m,
                        "%u processes of other users cannot be looked at: what they hold of the "
                        "graphics devices is unknown (root sees it)",
                        s->denied);
    if (s->nameless > 0)
        pl_machine_note(m,
                        "%u graphics clients have no id (old kernel): of those of one process "
                        "the largest is counted",
                        s->nameless);
    if (s->left_out > 0)
        pl_machine_note(m, "%u graphics clients above %d were left out", s->left_out,
                        PL_SWEEP_CLIENTS_MAX);
    free(s);
}

void pl_drm_hold(struct pl_machine *m, int64_t pid, const char *pool, struct pl_quantity held,
                 bool graphics, const char *name)
{
    struct pl_holding *h = NULL;
    for (uint32_t i = 0; h == NULL && i < m->n_holding; i++) {
        if (m->holding[i].pid == pid && pl_streq(m->holding[i].pool, pool))
            h = &m->holding[i];
    }
    if (h == NULL && m->n_holding >= PL_HOLDINGS_MAX)
        return;
    if (h == NULL) {
        h = &m->holding[m->n_holding++];
        *h = (struct pl_holding){.pid = pid, .held = held};
        (void)PL_FMT(h->pool, "%s", pool);
        (void)PL_FMT(h->name, "%s", name);
    }
    h->graphics |= graphics;
    if (held.likely > h->held.likely)
        h->held = held;
}
