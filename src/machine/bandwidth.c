#include "machine/bandwidth.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/units.h"
#include "machine/team.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const char *const pl_bandwidth_why[PL_BANDWIDTH_WHYS] = {
    "read probe, one core, best of several passes over memory larger than its cache",
    ("read probe, all cores this process may use, best of several passes over memory larger than "
     "the caches"),
    "read probe with too little memory: caches may have helped",
};

#define PL_BW_TOTAL_MAX PL_GIB
#define PL_BW_TOTAL_MIN (32 * PL_MIB)   /* less says nothing: it may fit a cache we do not see */
#define PL_BW_TOTAL_WANT (256 * PL_MIB) /* where the caches are small or unknown */
#define PL_BW_CACHES 4                  /* buffers are this many times the last-level caches */
#define PL_BW_PASSES_MIN 3
#define PL_BW_PASSES_MAX 64
#define PL_BW_TIME_NS (150 * PL_MS_NS) /* of passes; touching the memory comes on top */
#define PL_BW_SLICE 4096               /* buffers per thread are multiples of this */

/* Four independent 16-byte sums: every x86-64 and Arm core does this as fast as its memory. */
typedef uint64_t pl_lane __attribute__((vector_size(16)));

/* All threads of one measurement. */
struct pl_bw_team {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    enum { PL_GATE_SHUT = 0, PL_GATE_OPEN, PL_GATE_ABORT } gate;
    pthread_barrier_t barrier; /* valid once the gate is open */
    size_t slice;              /* bytes per thread */
    bool stop;                 /* written by the first thread between two barriers */
    uint32_t n_pass;
    uint64_t pass_ns[PL_BW_PASSES_MAX];
};

struct pl_bw_worker {
    struct pl_bw_team *team;
    pthread_t thread;
    uint32_t cpu;
    bool first;
    const pl_lane *data; /* mapped by this thread */
    pl_lane sum;         /* so that the reads cannot be left out */
};

static pl_lane pl_bw_read(const pl_lane *p, size_t bytes)
{
    pl_lane a = {0}, b = {0}, c = {0}, d = {0};
    for (const pl_lane *end = p + bytes / sizeof(*p); p < end; p += 8) {
        a += p[0];
        b += p[1];
        c += p[2];
        d += p[3];
        a += p[4];
        b += p[5];
        c += p[6];
        d += p[7];
    }
    return a + b + c + d;
}

/* Memory of the thread's own node, present before the first pass. */
static const pl_lane *pl_bw_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    (void)madvise(p, bytes, MADV_HUGEPAGE);
    memset(p, 1, bytes);
    return p;
}

/* The first thread times a pass of all, and decides whether another follows. */
static void pl_bw_passes(struct pl_bw_worker *w)
{
    struct pl_bw_team *t = w->team;
    const struct pl_clock *clock = pl_clock_real();
    uint64_t spent = 0;
    while (true) {
        (void)pthread_barrier_wait(&t->barrier);
        uint64_t start = pl_now_ns(clock);
        if (w->data != NULL)
            w->sum += pl_bw_read(w->data, t->slice);
        (void)pthread_barrier_wait(&t->barrier);
        if (w->first) {
            uint64_t ns = pl_now_ns(clock) - start;
            t->pass_ns[t->n_pass++] = ns;
            spent += ns;
            t->stop = t->n_pass == PL_BW_PASSES_MAX ||
                      (t->n_pass >= PL_BW_PASSES_MIN && spent >= PL_BW_TIME_NS);
        }
        (void)pthread_barrier_wait(&t->barrier);
        if (t->stop)
            return;
    }
}

static void *pl_bw_thread(void *arg)
{
    struct pl_bw_worker *w = arg;
    struct pl_bw_team *t = w->team;
    (void)pthread_mutex_lock(&t->lock);
    while (t->gate == PL_GATE_SHUT)
        (void)pthread_cond_wait(&t->opened, &t->lock);
    bool go = t->gate == PL_GATE_OPEN;
    (void)pthread_mutex_unlock(&t->lock);
    if (!go)
        return NULL;
    pl_team_pin(w->cpu);
    w->data = pl_bw_map(t->slice);
    pl_bw_passes(w);
    return NULL;
}

/* Starts, runs and ends the threads. 0 or negative errno. */
static int pl_bw_run(struct pl_bw_team *t, struct pl_bw_worker *w, uint32_t n)
{
    uint32_t started = 0;
    int rc = -pthread_barrier_init(&t->barrier, NULL, n);
    if (rc < 0)
        return rc;
    for (; rc == 0 && started < n; started += rc == 0 ? 1 : 0)
        rc = -pthread_create(&w[started].thread, NULL, pl_bw_thread, &w[started]);
    (void)pthread_mutex_lock(&t->lock);
    t->gate = rc == 0 ? PL_GATE_OPEN : PL_GATE_ABORT;
    (void)pthread_cond_broadcast(&t->opened);
    (void)pthread_mutex_unlock(&t->lock);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(w[i].thread, NULL);
    (void)pthread_barrier_destroy(&t->barrier);
    for (uint32_t i = 0; i < started; i++) {
        if (w[i].data == NULL)
            rc = rc == 0 ? -ENOMEM : rc;
        else
            (void)munmap((void *)(uintptr_t)w[i].data, t->slice);
    }
    return rc;
}

static struct pl_rate pl_bw_rate(const struct pl_bw_team *t, uint32_t n, bool enough,
                                 const char *why)
{
    uint64_t best = UINT64_MAX, worst = 1;
    for (uint32_t i = 0; i < t->n_pass; i++) {
        best = t->pass_ns[i] < best ? t->pass_ns[i] : best;
        worst = t->pass_ns[i] > worst ? t->pass_ns[i] : worst;
    }
    double bytes = (double)t->slice * n * (double)PL_S_NS;
    double top = bytes / (double)(best > 0 ? best : 1);
    return (struct pl_rate){
        .low = bytes / (double)worst,
        .likely = top,
        .high = top,
        .source = enough ? PL_SOURCE_MEASURED : PL_SOURCE_ASSUMED,
        .why = enough ? why : pl_bandwidth_why[PL_BANDWIDTH_SMALL],
    };
}

/* Bandwidth of the first n CPUs of the list over `total` bytes. */
static int pl_bw_team(const uint32_t *cpu, uint32_t n, uint64_t total, bool enough, const char *why,
                      struct pl_rate *ret, struct pl_err *err)
{
    struct pl_bw_team t = {.gate = PL_GATE_SHUT};
    struct pl_bw_worker *w = calloc(n, sizeof(*w));
    if (w == NULL)
        return pl_fail(err, -ENOMEM, "no memory to measure memory bandwidth");
    t.slice = (size_t)(total / n / PL_BW_SLICE * PL_BW_SLICE);
    (void)pthread_mutex_init(&t.lock, NULL);
    (void)pthread_cond_init(&t.opened, NULL);
    for (uint32_t i = 0; i < n; i++) {
        w[i].team = &t;
        w[i].cpu = cpu[i];
        w[i].first = i == 0;
    }
    int rc = pl_bw_run(&t, w, n);
    (void)pthread_cond_destroy(&t.opened);
    (void)pthread_mutex_destroy(&t.lock);
    free(w);
    if (rc < 0)
        return pl_fail(err, rc, "cannot measure memory bandwidth: %s", strerror(-rc));
    *ret = pl_bw_rate(&t, n, enough, why);
    return 0;
}

/* Bytes of the highest cache level: of one instance, and of all. */
static void pl_bw_cache(const struct pl_cpu *c, uint64_t *ret_one, uint64_t *ret_all)
{
    uint32_t level = 0;
    *ret_one = *ret_all = 0;
    for (uint32_t i = 0; i < c->n_cache; i++) {
        if (c->cache[i].type == 'i' || c->cache[i].level < level)
            continue;
        if (c->cache[i].level > level)
            *ret_one = *ret_all = 0;
        level = c->cache[i].level;
        *ret_one = c->cache[i].bytes > *ret_one ? c->cache[i].bytes : *ret_one;
        *ret_all = pl_add_sat(*ret_all, pl_mul_sat(c->cache[i].bytes, c->cache[i].instances));
    }
}

/* How much to read when the caches hold `cache` bytes and at most `most` may be taken. */
static uint64_t pl_bw_size(uint64_t cache, uint64_t most, bool *ret_enough)
{
    uint64_t want = pl_mul_sat(cache, PL_BW_CACHES);
    want = want < PL_BW_TOTAL_WANT ? PL_BW_TOTAL_WANT : want;
    uint64_t n = want < most ? want : most;
    *ret_enough = n / 2 >= cache;
    return n;
}

int pl_bandwidth_measure(const struct pl_machine *m, uint64_t available, struct pl_rate *ret_one,
                         struct pl_rate *ret_all, struct pl_err *err)
{
    uint32_t cpu[PL_TEAM_MAX];
    uint64_t cache_one = 0, cache_all = 0;
    uint32_t n = pl_team_cpus(&m->cpu, cpu, PL_TEAM_MAX);
    uint64_t most = available / 8 < PL_BW_TOTAL_MAX ? available / 8 : PL_BW_TOTAL_MAX;
    if (n == 0)
        return pl_fail(err, -ENOTSUP, "cannot measure memory bandwidth: no CPU list");
    if (most < PL_BW_TOTAL_MIN)
        return pl_fail(err, -ENOMEM, "too little memory is available to measure its bandwidth");
    pl_bw_cache(&m->cpu, &cache_one, &cache_all);
    bool enough = false;
    uint64_t bytes = pl_bw_size(cache_one, most, &enough);
    int rc = pl_bw_team(cpu, 1, bytes, enough, pl_bandwidth_why[PL_BANDWIDTH_ONE], ret_one, err);
    if (rc < 0)
        return rc;
    bytes = pl_bw_size(cache_all, most, &enough);
    return pl_bw_team(cpu, n, bytes, enough, pl_bandwidth_why[PL_BANDWIDTH_ALL], ret_all, err);
}
