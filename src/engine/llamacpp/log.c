#include "engine/llamacpp/log.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define PL_LOG_MIB_MAX (1u << 30) /* larger figures are nonsense: 1 PiB */

void pl_log_init(struct pl_log *l)
{
    memset(l, 0, sizeof(*l));
}

/* Words of an error, in the order of the enum; the first match decides. */
static const struct {
    const char *text;
    enum pl_log_cause cause;
} pl_log_causes[] = {
    {"insufficient memory",            PL_CAUSE_MEMORY},
    {"failed to allocate",             PL_CAUSE_MEMORY},
    {"unable to allocate",             PL_CAUSE_MEMORY},
    {"out of memory",                  PL_CAUSE_MEMORY},
    {"cudaMalloc failed",              PL_CAUSE_MEMORY},
    {"OutOfDeviceMemory",              PL_CAUSE_MEMORY},
    {"OutOfHostMemory",                PL_CAUSE_MEMORY},
    {"Cannot allocate memory",         PL_CAUSE_MEMORY},
    {"std::bad_alloc",                 PL_CAUSE_MEMORY},
    {"couldn't bind",                  PL_CAUSE_PORT  },
    {"Address already in use",         PL_CAUSE_PORT  },
    {"invalid argument:",              PL_CAUSE_FLAG  },
    {"unknown argument",               PL_CAUSE_FLAG  },
    {"error while handling argument",  PL_CAUSE_FLAG  },
    {"expected value for argument",    PL_CAUSE_FLAG  },
    {"requires flash_attn",            PL_CAUSE_FLAG  },
    {"invalid magic",                  PL_CAUSE_MODEL },
    {"failed to open GGUF",            PL_CAUSE_MODEL },
    {"unknown model architecture",     PL_CAUSE_MODEL },
    {"error loading model",            PL_CAUSE_MODEL },
    {"failed to load model",           PL_CAUSE_MODEL },
    {"terminate called",               PL_CAUSE_OTHER },
    {"GGML_ASSERT",                    PL_CAUSE_OTHER },
    {"error while loading shared lib", PL_CAUSE_OTHER },
};

/* Skips "0.00.014.082 I "; *ret_level is the letter, or 0 when the line has no such start. */
static const char *pl_log_text(const char *line, char *ret_level)
{
    *ret_level = 0;
    size_t n = strspn(line, "0123456789.");
    if (n >= 5 && line[n] == ' ' && strchr("DIWE", line[n + 1]) != NULL && line[n + 1] != '\0' &&
        line[n + 2] == ' ') {
        *ret_level = line[n + 1];
        return line + n + 3;
    }
    return line;
}

static void pl_log_error(struct pl_log *l, const char *text, char level)
{
    /* Keys of the model's own and a lock that was refused (it goes on without) prove nothing. */
    if ((level != 0 && level != 'E') || strstr(text, " - kv ") != NULL ||
        strstr(text, "mlock") != NULL)
        return;
    enum pl_log_cause cause = PL_CAUSE_NONE;
    for (size_t i = 0; i < sizeof(pl_log_causes) / sizeof(pl_log_causes[0]); i++) {
        if (strstr(text, pl_log_causes[i].text) != NULL) {
            cause = pl_log_causes[i].cause;
            break;
        }
    }
    if (cause == PL_CAUSE_NONE && (level == 'E' || pl_starts(text, "error:")))
        cause = PL_CAUSE_OTHER;
    if (cause == PL_CAUSE_NONE || (l->cause != PL_CAUSE_NONE && l->cause <= cause))
        return;
    l->cause = cause;
    (void)pl_fmt(l->error, sizeof(l->error), "%s", text);
}

/* The number after "= " in text, or false. */
static bool pl_log_number(const char *text, uint64_t *ret)
{
    const char *eq = strstr(text, "= ");
    char digits[24];
    if (eq == NULL)
        return false;
    eq += 2;
    eq += strspn(eq, " ");
    size_t n = strspn(eq, "0123456789");
    if (n == 0 || n >= sizeof(digits))
        return false;
    memcpy(digits, eq, n);
    digits[n] = '\0';
    return pl_parse_u64(digits, ret);
}

/* Bytes of "... = 12.34 MiB". */
static bool pl_log_mib(const char *text, uint64_t *ret)
{
    char number[24];
    double mib;
    const char *eq = strstr(text, "= ");
    if (eq == NULL)
        return false;
    eq += 2;
    eq += strspn(eq, " ");
    size_t n = strspn(eq, "0123456789.");
    if (n == 0 || n >= sizeof(number) || !pl_starts(eq + n, " MiB"))
        return false;
    memcpy(number, eq, n);
    number[n] = '\0';
    if (!pl_parse_double(number, &mib) || !(mib >= 0 && mib <= PL_LOG_MIB_MAX))
        return false;
    *ret = (uint64_t)llround(mib * (double)PL_MIB);
    return true;
}

static void pl_log_add(struct pl_engine_bytes *b, uint64_t bytes)
{
    b->known = true;
    b->bytes = pl_add_sat(b->bytes, bytes);
}

/* The buffer's name stands before its kind: "  CPU_REPACK model buffer size". */
static struct pl_engine_bytes *pl_log_weights(struct pl_engine_report *r, const char *text,
                                              const char *kind)
{
    const char *name = kind;
    while (name > text && name[-1] != ' ')
        name--;
    size_t n = (size_t)(kind - name);
    if (memmem(name, n, "_Mapped", 7) != NULL)
        return &r->weights_mapped;
    static const char *const extra[] = {"REPACK", "AMX", "KLEIDIAI", "RISCV64"};
    for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
        if (memmem(name, n, extra[i], strlen(extra[i])) != NULL)
            return &r->weights_repack;
    }
    return &r->weights_other;
}

/* The name before a buffer's kind: "Vulkan0" in "   Vulkan0 KV buffer size". */
static bool pl_log_name(const char *text, const char *kind, char *out, size_t size)
{
    const char *name = kind;
    while (name > text && name[-1] != ' ')
        name--;
    return pl_fmt(out, size, "%.*s", (int)(kind - name), name) && out[0] != '\0';
}

/* The device of that name, added when new; NULL for memory of the host: the CPU's buffers and what
 * devices pin there ("CUDA_Host"). */
static struct pl_engine_device *pl_log_device(struct pl_engine_report *r, const char *name)
{
    static const char *const host[] = {"CPU", "BLAS", "AMX"};
    for (size_t i = 0; i < sizeof(host) / sizeof(host[0]); i++) {
        if (pl_starts(name, host[i]))
            return NULL;
    }
    if (strstr(name, "_Host") != NULL)
        return NULL;
    for (uint32_t i = 0; i < r->n_device; i++) {
        if (pl_streq(r->device[i].name, name))
            return &r->device[i];
    }
    if (r->n_device >= PL_REPORT_DEVICES_MAX)
        return NULL;
    struct pl_engine_device *d = &r->device[r->n_device++];
    *d = (struct pl_engine_device){0};
    (void)pl_fmt(d->name, sizeof(d->name), "%s", name);
    return d;
}

/* A buffer of a device; false when it is the host's. */
static bool pl_log_device_buffer(struct pl_engine_report *r, const char *text, uint64_t bytes)
{
    const struct {
        const char *kind;
        size_t field;
    } kinds[] = {
        {" model buffer size",   offsetof(struct pl_engine_device, weights)  },
        {" KV buffer size",      offsetof(struct pl_engine_device, kv)       },
        {" RS buffer size",      offsetof(struct pl_engine_device, recurrent)},
        {" compute buffer size", offsetof(struct pl_engine_device, compute)  },
    };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *kind = strstr(text, kinds[i].kind);
        char name[32];
        if (kind == NULL || !pl_log_name(text, kind, name, sizeof(name)))
            continue;
        struct pl_engine_device *d = pl_log_device(r, name);
        if (d == NULL)
            return false;
        pl_log_add((struct pl_engine_bytes *)(void *)((char *)d + kinds[i].field), bytes);
        return true;
    }
    return false;
}

static void pl_log_buffer(struct pl_log *l, const char *text)
{
    uint64_t bytes;
    struct pl_engine_report *r = &l->report;
    const char *size = strstr(text, " buffer size = ");
    if (size == NULL || l->fitting || l->no_alloc || !pl_log_mib(size, &bytes) ||
        strstr(text, "alloc_compute_meta") != NULL) /* the image projector's own */
        return;
    if (pl_log_device_buffer(r, text, bytes))
        return;
    const char *kind = strstr(text, " model buffer size");
    if (kind != NULL) {
        pl_log_add(pl_log_weights(r, text, kind), bytes);
    } else if (strstr(text, " KV buffer size") != NULL) {
        pl_log_add(&r->kv, bytes);
    } else if (strstr(text, " RS buffer size") != NULL) {
        pl_log_add(&r->recurrent, bytes);
    } else if (strstr(text, " compute buffer size") != NULL) {
        pl_log_add(&r->compute, bytes);
    } else if (strstr(text, " output buffer size") != NULL) {
        pl_log_add(&r->output, bytes);
    }
}

/* What a new load forgets. */
static void pl_log_reset(struct pl_log *l)
{
    struct pl_engine_report fresh = {0};
    (void)pl_fmt(fresh.version, sizeof(fresh.version), "%s", l->report.version);
    (void)pl_fmt(fresh.backend, sizeof(fresh.backend), "%s", l->report.backend);
    l->report = fresh;
    l->contexts = 0;
    l->compute_before = 0;
    l->listening = false;
    l->fitting = l->no_alloc = false;
}

/* Where in its loading the engine is. */
static void pl_log_phase(struct pl_log *l, const char *text)
{
    if (strstr(text, "load_model: loading model '") != NULL) {
        pl_log_reset(l);
    } else if (strstr(text, ": fitting params to ") != NULL) {
        l->fitting = strstr(text, " took ") == NULL;
    } else if (strstr(text, "print_info: no_alloc ") != NULL) {
        l->no_alloc = strstr(text, "= 1") != NULL;
    } else if (strstr(text, ": constructing llama_context") != NULL) {
        if (!l->fitting && !l->no_alloc) {
            l->contexts++;
            l->compute_before = l->report.compute.bytes;
            for (uint32_t i = 0; i < l->report.n_device; i++)
                l->report.device[i].compute_before = l->report.device[i].compute.bytes;
        }
    } else if (strstr(text, "sched_reserve: reserving") != NULL) {
        if (!l->fitting && !l->no_alloc) {
            l->report.compute.bytes = l->compute_before;
            for (uint32_t i = 0; i < l->report.n_device; i++)
                l->report.device[i].compute.bytes = l->report.device[i].compute_before;
        }
    } else if (strstr(text, "listening on http") != NULL ||
               strstr(text, "HTTP server is listening") != NULL ||
               strstr(text, "HTTP server listening") != NULL) {
        l->listening = true;
    }
}

/* "llama_context: n_ctx                 = 4096", and what older versions called it. */
static void pl_log_context(struct pl_log *l, const char *text)
{
    static const char *const makers[] = {
        "llama_context: ", "llama_init_from_model: ", "llama_new_context_with_model: "};
    struct pl_engine_report *r = &l->report;
    if (l->fitting || l->no_alloc || l->contexts > 1)
        return; /* a dry run, or the draft model's context */
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (!pl_starts(text, makers[i]))
            continue;
        const char *key = text + strlen(makers[i]);
        if (pl_starts(key, "n_ctx "))
            (void)pl_log_number(key, &r->n_ctx);
        else if (pl_starts(key, "n_ctx_seq ") || pl_starts(key, "n_ctx_per_seq "))
            (void)pl_log_number(key, &r->n_ctx_seq);
        else if (pl_starts(key, "n_seq_max "))
            (void)pl_log_number(key, &r->n_slots);
        else if (pl_starts(key, "kv_unified ")) {
            r->kv_unified_known = true;
            r->kv_unified = strstr(key, "= true") != NULL;
        }
    }
}

/* "initializing, n_slots = 4, n_ctx_slot = 256, kv_unified = 'true'" */
static void pl_log_slots(struct pl_log *l, const char *text)
{
    const char *p = strstr(text, "initializing");
    if (p == NULL || strstr(p, "n_slots = ") == NULL)
        return;
    (void)pl_log_number(strstr(p, "n_slots = "), &l->report.n_slots);
    const char *slot = strstr(p, "n_ctx_slot = ");
    if (slot != NULL)
        (void)pl_log_number(slot, &l->report.n_ctx_slot);
}

/* "load_backend: loaded CPU backend from .../libggml-cpu-zen4.so" becomes "cpu-zen4". */
static void pl_log_backend(struct pl_log *l, const char *text)
{
    char *all = l->report.backend;
    char name[64];
    const char *from = strstr(text, "libggml-");
    const char *end = from != NULL ? strstr(from, ".so") : NULL;
    if (!pl_starts(text, "load_backend: loaded ") || end == NULL)
        return;
    from += strlen("libggml-");
    if (end < from || !pl_fmt(name, sizeof(name), "%.*s", (int)(end - from), from))
        return;
    size_t n = strlen(all);
    if (strstr(all, name) == NULL)
        (void)pl_fmt(all + n, sizeof(l->report.backend) - n, "%s%s", n > 0 ? "+" : "", name);
}

/* "build 11669 (Debian) with GNU ..." and, older, "build: 4589 (abcdef) with ..." */
static void pl_log_version(struct pl_log *l, const char *text)
{
    const char *b = strstr(text, "build");
    if (l->report.version[0] != '\0' || b == NULL || strstr(b, ") with ") == NULL)
        return;
    b += strlen("build");
    b += strspn(b, ": ");
    int n = (int)strspn(b, "0123456789");
    if (n > 0 && n < 12)
        (void)pl_fmt(l->report.version, sizeof(l->report.version), "b%.*s", n, b);
}

/* "|   - Host  |  13 =  3 +  2 +  8  |": for a device "total = free + (self = m + c + k) + rest" */
static void pl_log_breakdown(struct pl_log *l, const char *text)
{
    unsigned long long m, c, k;
    if (strstr(text, "memory_breakdown_print: |") == NULL)
        return;
    if (strstr(text, "| memory breakdown [MiB]") != NULL) {
        l->breakdown = (struct pl_log_breakdown){.known = true};
        return;
    }
    const char *eq = strrchr(text, '=');
    if (eq == NULL || sscanf(eq, "= %9llu + %9llu + %9llu", &m, &c, &k) != 3)
        return;
    l->breakdown.rows++;
    l->breakdown.model_mib = pl_add_sat(l->breakdown.model_mib, m);
    l->breakdown.context_mib = pl_add_sat(l->breakdown.context_mib, c);
    l->breakdown.compute_mib = pl_add_sat(l->breakdown.compute_mib, k);
}

static void pl_log_line(struct pl_log *l)
{
    char level;
    l->line[l->len] = '\0';
    l->len = 0;
    l->escape = false;
    const char *text = pl_log_text(l->line, &level);
    pl_log_phase(l, text);
    pl_log_buffer(l, text);
    pl_log_context(l, text);
    pl_log_slots(l, text);
    pl_log_backend(l, text);
    pl_log_version(l, text);
    pl_log_breakdown(l, text);
    if (pl_starts(text, "print_info: n_vocab ") && !l->fitting && l->contexts == 0)
        (void)pl_log_number(text, &l->n_vocab);
    pl_log_error(l, text, level);
}

void pl_log_feed(struct pl_log *l, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (c == '\n') {
            pl_log_line(l);
        } else if (c == '\033') {
            l->escape = true;
        } else if (l->escape) {
            l->escape = c != 'm';
        } else if (l->len < PL_LOG_LINE_MAX - 1) {
            l->line[l->len++] = c == '\0' ? '?' : c;
        }
    }
}

void pl_log_end(struct pl_log *l)
{
    if (l->len > 0)
        pl_log_line(l);
}
