/* Before any byte of the body: does it fit this machine, does it fit the disk, and what would. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/machine.h"
#include "cli/pull.h"
#include "measure/forecast.h"
#include "model/mix.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PL_PULL_CTX 4096u                 /* as `try`: enough for a conversation */
#define PL_PULL_MARGIN_MAX (512ull << 20) /* left free on the disk, or */
#define PL_PULL_MARGIN_PART 50u           /* one part in so many of a small one */
#define PL_PULL_TEST_PROMPT 64.0
#define PL_PULL_TEST_PREDICT 16.0
#define PL_STAT_BLOCK 512u /* stat(2): the unit of st_blocks */

/* The folder, or the nearest above it that exists. */
static bool pl_plan_existing(const char *path, struct statvfs *ret)
{
    char folder[PATH_MAX];
    if (!PL_FMT(folder, "%s", path))
        return false;
    while (statvfs(folder, ret) < 0) {
        char *slash = strrchr(folder, '/');
        if (errno != ENOENT && errno != ENOTDIR)
            return false;
        if (slash == NULL)
            return statvfs(".", ret) == 0;
        if (slash == folder)
            return statvfs("/", ret) == 0;
        *slash = '\0';
    }
    return true;
}

static void pl_plan_disk(struct pl_pulling *t)
{
    struct statvfs fs;
    char part[PATH_MAX];
    struct stat st;
    t->disk_wanted = pl_pull_bytes(t->p);
    for (uint32_t i = 0; i < t->p->n; i++) {
        const struct pl_pull_file *f = &t->p->file[i];
        /* what an earlier one left is on the disk already */
        if (f->here == NULL && PL_FMT(part, "%s.part", f->path) && stat(part, &st) == 0)
            t->disk_wanted = pl_sub_floor(t->disk_wanted, (uint64_t)st.st_blocks * PL_STAT_BLOCK);
    }
    if (!pl_plan_existing(t->p->folder, &fs))
        return;
    t->disk_known = true;
    t->disk_free = pl_mul_sat(fs.f_bavail, fs.f_frsize);
    uint64_t small = pl_mul_sat(fs.f_blocks, fs.f_frsize) / PL_PULL_MARGIN_PART;
    t->disk_margin = small < PL_PULL_MARGIN_MAX ? small : PL_PULL_MARGIN_MAX;
}

/* Length of the model of which f is the first file. */
static uint64_t pl_plan_length(struct pl_pulling *t, const struct pl_hub_file *f)
{
    uint64_t bytes = 0;
    size_t n = strlen(f->path);
    bool split = n > 20 && strncmp(f->path + n - 20, "-00001-of-", 10) == 0;
    if (!split)
        return f->bytes;
    for (uint32_t i = 0; i < t->p->list.n; i++) {
        const struct pl_hub_file *g = &t->p->list.file[i];
        if (strlen(g->path) == n && strncmp(g->path, f->path, n - 19) == 0)
            bytes = pl_add_sat(bytes, g->bytes);
    }
    return bytes;
}

/* The same model by the rules of another mix. The header stays, so the cache and the rest do. */
static int pl_plan_as(const struct pl_pulling *t, const struct pl_mix *mix, uint64_t bytes,
                      struct pl_forecast *f)
{
    const struct pl_model *m = t->model;
    const struct pl_mix_facts facts = {
        .arch = m->arch,
        .n_layer = pl_model_arch_u64(m, "block_count", 0),
        .n_head = pl_model_layer_u64(m, "attention.head_count", 0, 0),
        .n_head_kv = pl_model_layer_u64(m, "attention.head_count_kv", 0, 0),
        .n_expert = pl_model_arch_u64(m, "expert_count", 0),
        .imatrix = true,
    };
    struct pl_model other = *m;
    other.tensor = calloc((size_t)m->n_tensor + 1, sizeof(*other.tensor));
    if (other.tensor == NULL)
        return -ENOMEM;
    memcpy(other.tensor, m->tensor, (size_t)m->n_tensor * sizeof(*other.tensor));
    other.file_bytes = bytes;
    int rc = pl_mix_apply(mix, &facts, other.tensor, other.n_tensor, NULL);
    if (rc == 0)
        rc = pl_forecast_make(&other, &t->cli->settings, &t->machine, NULL, NULL, NULL, f, NULL);
    free(other.tensor);
    return rc;
}

static int pl_plan_order(const void *a, const void *b)
{
    const struct pl_pull_fit *x = a, *y = b;
    return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

/* Smaller quantisations of the same repository that would fit, the largest first. */
static void pl_plan_smaller(struct pl_pulling *t)
{
    static struct pl_forecast f;
    static struct pl_pull_fit all[64];
    uint32_t n = 0;
    const struct pl_pull *p = t->p;
    uint64_t mine = p->chosen != NULL ? pl_plan_length(t, p->chosen) : 0;
    for (uint32_t i = 0; p->chosen != NULL && i < p->list.n; i++) {
        const struct pl_hub_file *h = &p->list.file[i];
        struct pl_pull_fit fit = {0};
        if (n >= sizeof(all) / sizeof(all[0]) || !pl_hub_is_model(h->path) ||
            pl_hub_later_part(h->path) || !pl_hub_tag(h->path, fit.quant))
            continue;
        const struct pl_mix *mix = pl_mix_named(fit.quant);
        fit.bytes = pl_plan_length(t, h);
        if (mix == NULL || fit.bytes >= mine || fit.bytes == 0)
            continue;
        if (pl_plan_as(t, mix, fit.bytes, &f) < 0)
            continue;
        fit.verdict = f.judgement.verdict;
        if (fit.verdict != PL_VERDICT_DOES_NOT_FIT && fit.verdict != PL_VERDICT_CANNOT_TELL)
            all[n++] = fit;
    }
    qsort(all, n, sizeof(all[0]), pl_plan_order);
    t->n_fit = n < PL_PULL_FITS_MAX ? n : PL_PULL_FITS_MAX;
    memcpy(t->fit, all, t->n_fit * sizeof(all[0]));
}

/* How long loading and the test will take, from what the ledger and the storage say. */
static void pl_plan_times(struct pl_pulling *t)
{
    const struct pl_forecast *f = &t->forecast;
    t->load_s = t->test_s = -1.0;
    if (!t->has_forecast)
        return;
    const struct pl_run *r = &f->cited;
    const struct pl_storage *s = t->machine.n_storage > 0 ? &t->machine.storage[0] : NULL;
    double bytes = (double)t->model->file_bytes;
    if (f->cited_as != NULL && r->report.load_ms > 0 && r->file_bytes > 0 && !r->ghost)
        t->load_s = (double)r->report.load_ms / 1e3 * bytes / (double)r->file_bytes;
    else if (s != NULL && s->read.source != PL_SOURCE_UNKNOWN && s->read.likely > 0.0)
        t->load_s = bytes / s->read.likely;
    if (f->prefill.source != PL_SOURCE_UNKNOWN && f->decode.source != PL_SOURCE_UNKNOWN &&
        f->prefill.likely > 0.0 && f->decode.likely > 0.0)
        t->test_s =
            PL_PULL_TEST_PROMPT / f->prefill.likely + PL_PULL_TEST_PREDICT / f->decode.likely;
}

int pl_pulling_plan(struct pl_pulling *t, struct pl_err *err)
{
    struct pl_settings *s = &t->cli->settings;
    if (s->n_ctx == 0)
        s->n_ctx = PL_PULL_CTX;
    if (s->cache_ram_mib == PL_CACHE_RAM_UNSET)
        s->cache_ram_mib = 0; /* as `try`, which tests it with these settings */
    int rc = pl_cli_machine_brief(&t->machine, err);
    if (rc < 0)
        return rc;
    (void)pl_ledger_open(NULL, PL_LEDGER_READ, &t->ledger, NULL);
    t->has_forecast = pl_forecast_make(t->model, s, &t->machine, NULL, NULL, t->ledger,
                                       &t->forecast, &t->no_forecast) == 0;
    if (t->has_forecast && t->forecast.judgement.verdict == PL_VERDICT_DOES_NOT_FIT)
        pl_plan_smaller(t);
    pl_plan_disk(t);
    pl_plan_times(t);
    return 0;
}

/* "Q4_K_M (4.68 GiB), Q3_K_S (3.4 GiB)" */
static void pl_plan_fits(const struct pl_pulling *t, char *out, size_t size)
{
    char bytes[PL_SIZE_TEXT_MAX];
    out[0] = '\0';
    for (uint32_t i = 0; i < t->n_fit; i++) {
        size_t used = strlen(out);
        if (!pl_fmt(out + used, size - used, "%s%s (%s, %s)", used > 0 ? "; " : "", t->fit[i].quant,
                    pl_size_text(t->fit[i].bytes, bytes), pl_verdict_name(t->fit[i].verdict))) {
            out[used] = '\0';
            return;
        }
    }
}

int pl_pulling_admit(const struct pl_pulling *t, struct pl_err *err)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX], fits[PL_ERR_HINT_MAX - 60];
    const struct pl_judgement *j = &t->forecast.judgement;
    if (pl_cli_opt(t->cli, "force")->given)
        return 0;
    if (t->has_forecast && j->verdict == PL_VERDICT_DOES_NOT_FIT) {
        pl_plan_fits(t, fits, sizeof(fits));
        (void)pl_fail(err, -ENOMEM, "not fetched: %s",
                      j->n_reason > 0 ? j->reason[0] : "it does not fit here");
        if (fits[0] != '\0')
            (void)pl_hint(err, "these would: %s; --force fetches it anyway", fits);
        else
            (void)pl_hint(err, "--force fetches it anyway; 'plimsoll estimate %.60s' shows why",
                          t->p->model);
        return pl_exit_as(err, -ENOMEM, PL_EXIT_NO);
    }
    if (t->disk_known && pl_add_sat(t->disk_wanted, t->disk_margin) > t->disk_free) {
        (void)pl_fail(err, -ENOSPC, "not fetched: the disk has %s free, and %s are to come",
                      pl_size_text(t->disk_free, a), pl_size_text(t->disk_wanted, b));
        pl_err_at(err, t->p->folder, 0, 0);
        (void)pl_hint(err, "free some space (%s stay free), or name another place with --dir",
                      pl_size_text(t->disk_margin, a));
        return pl_exit_as(err, -ENOSPC, PL_EXIT_NO);
    }
    return 0;
}
