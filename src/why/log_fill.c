/* Filling a failure with what its lines say. */
#include "base/mask.h"
#include "base/str.h"
#include "why/log_impl.h"
#include "why/size.h"

#include <string.h>

#define PL_DEVICE_MAX 1024 /* a higher number is none of a device */

void pl_set_text(char *out, size_t size, const char *text, size_t len)
{
    len = len < size ? len : size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
    pl_text_clean(out);
}

void pl_incident_start(struct pl_incident *i, uint64_t line)
{
    *i = (struct pl_incident){.first = line, .last = line};
    i->oom.device = -1;
    for (int n = 0; n < PL_OOM_NUMBERS; n++)
        i->oom.n[n] = PL_QUANTITY_UNKNOWN("the log does not say");
}

int pl_engine_rank(const char *name)
{
    static const char *const runs[] = {"vllm",         "sglang",      "ollama",
                                       "bitsandbytes", "whisper.cpp", NULL};
    static const char *const system[] = {"kernel", "systemd",       "systemd-oomd",
                                         "docker", "kubernetes",    "shell",
                                         "system", "nvidia-driver", NULL};
    for (size_t i = 0; runs[i] != NULL; i++)
        if (pl_streq(runs[i], name))
            return 3;
    for (size_t i = 0; system[i] != NULL; i++)
        if (pl_streq(system[i], name))
            return 1;
    return name[0] == '\0' ? 0 : 2;
}

/* Does b say the same as a, only more exactly, or less? */
static bool pl_same_amount(struct pl_quantity a, struct pl_quantity b)
{
    return (b.likely >= a.low && b.likely <= a.high) || (a.likely >= b.low && a.likely <= b.high);
}

static void pl_take_request(struct pl_oom *o, struct pl_quantity q)
{
    for (uint32_t i = 0; i < o->n_request; i++) {
        if (pl_same_amount(o->request[i], q)) {
            if (q.high - q.low < o->request[i].high - o->request[i].low)
                o->request[i] = q;
            o->n[PL_OOM_REQUESTED] = o->request[0];
            return;
        }
    }
    if (o->n_request < PL_OOM_REQUESTS_MAX)
        o->request[o->n_request++] = q;
    o->n[PL_OOM_REQUESTED] = o->request[0];
}

static void pl_take_other(struct pl_oom *o, struct pl_quantity q)
{
    o->n[PL_OOM_OTHER] = pl_known(o->n[PL_OOM_OTHER]) ? pl_plus(o->n[PL_OOM_OTHER], q) : q;
    if (o->n_other < PL_OOM_OTHERS_MAX) {
        o->other[o->n_other].bytes = q;
        o->n_other++;
    }
}

static void pl_take_number(struct pl_oom *o, enum pl_oom_number n, struct pl_quantity q)
{
    if (!pl_known(q))
        return;
    if (n < PL_OOM_FIRST_COUNT && q.likely > PL_WHY_IMPOSSIBLE) {
        o->impossible = q.likely;
        if (n != PL_OOM_REQUESTED)
            return; /* "no limit", written as a number */
    }
    if (n == PL_OOM_REQUESTED)
        pl_take_request(o, q);
    else if (n == PL_OOM_OTHER)
        pl_take_other(o, q);
    else if (!pl_known(o->n[n]))
        o->n[n] = q;
}

/* CUDA0, ROCm1, Vulkan0, SYCL0, Metal, CPU, CPU_Mapped: the backend and the device's number. */
static void pl_take_buffer(struct pl_oom *o, const struct pl_capture *c)
{
    static const struct {
        const char *prefix, *backend;
    } of[] = {
        {"CUDA",   "cuda"  },
        {"ROCm",   "rocm"  },
        {"Vulkan", "vulkan"},
        {"SYCL",   "sycl"  },
        {"Metal",  "metal" },
        {"MTL",    "metal" },
        {"CANN",   "cann"  },
        {"CPU",    "cpu"   },
        {"RPC",    "rpc"   },
    };
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        size_t n = strlen(of[i].prefix);
        if (c->len < n || memcmp(c->text, of[i].prefix, n) != 0)
            continue;
        bool host = c->len >= n + 5 && memcmp(c->text + n, "_Host", 5) == 0;
        pl_set_text(o->backend, sizeof(o->backend), of[i].backend, strlen(of[i].backend));
        if (!host && o->device < 0 && c->len == n + 1 && c->text[n] >= '0' && c->text[n] <= '9')
            o->device = c->text[n] - '0';
        return;
    }
}

void pl_set_named(char *out, size_t size, const char *text, size_t len)
{
    char said[PL_WHYLOG_LINE_MAX];
    (void)PL_FMT(said, "%.*s", (int)len, text);
    (void)pl_mask_text(NULL, said, out, size);
}

/* The first text of its kind stays; of models the latest. */
static void pl_take_text(struct pl_oom *o, const struct pl_capture *c)
{
    char *out = c->field == PL_FIELD_PROCESS ? o->process
                : c->field == PL_FIELD_GROUP ? o->group
                : c->field == PL_FIELD_MODEL ? o->model
                : c->field == PL_FIELD_NODE  ? o->node
                                             : NULL;
    if (c->field == PL_FIELD_NODE && c->kind == PL_KIND_BUFFER)
        pl_take_buffer(o, c);
    if (out != NULL && (out[0] == '\0' || c->field == PL_FIELD_MODEL))
        pl_set_named(out, PL_OOM_TEXT_MAX, c->text, c->len);
}

static void pl_take(struct pl_incident *i, const struct pl_capture *c)
{
    struct pl_oom *o = &i->oom;
    uint64_t v;
    if (c->field == PL_FIELD_NUMBER) {
        pl_take_number(o, c->number, pl_why_size(c));
    } else if (c->field == PL_FIELD_DEVICE) {
        v = pl_why_size(c).likely;
        if (o->device < 0 && v < PL_DEVICE_MAX)
            o->device = (int32_t)v;
    } else if (c->field == PL_FIELD_OTHER_PID) {
        if (o->n_other < PL_OOM_OTHERS_MAX)
            o->other[o->n_other].pid = pl_why_size(c).likely;
    } else {
        pl_take_text(o, c);
    }
}

void pl_incident_take(struct pl_incident *i, const struct pl_match *m)
{
    for (uint32_t c = 0; c < m->n_capture; c++)
        pl_take(i, &m->capture[c]);
}

void pl_incident_evidence(struct pl_incident *i, uint64_t line, const char *text)
{
    struct pl_oom *o = &i->oom;
    i->last = line;
    if (o->n_evidence > 0 && o->line[o->n_evidence - 1] == line)
        return;
    if (o->n_evidence == PL_OOM_LINES_MAX)
        return;
    o->line[o->n_evidence] = line;
    (void)pl_mask_text(NULL, text, o->evidence[o->n_evidence++], PL_OOM_LINE_MAX);
}

void pl_incident_merge(struct pl_incident *into, const struct pl_incident *from)
{
    struct pl_oom *o = &into->oom;
    const struct pl_oom *f = &from->oom;
    for (uint32_t r = 0; r < f->n_request; r++)
        pl_take_request(o, f->request[r]);
    for (int n = 0; n < PL_OOM_NUMBERS; n++)
        if (n != PL_OOM_REQUESTED && !pl_known(o->n[n]))
            o->n[n] = f->n[n];
    o->device = o->device < 0 ? f->device : o->device;
    if (o->node[0] == '\0')
        pl_set_text(o->node, sizeof(o->node), f->node, strlen(f->node));
    into->first = from->first < into->first ? from->first : into->first;
}
