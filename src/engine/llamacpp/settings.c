#include "engine/llamacpp/settings.h"

#include "domain/tensor_type.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define PL_NUMBER_MAX 1000000000ull /* larger contexts, batches or slots are typing mistakes */
#define PL_LAYERS_ALL 999           /* more layers than any model has */

void pl_llamacpp_defaults(struct pl_settings *s)
{
    /* common/common.h, struct common_params, and tools/server (auto slots) */
    *s = (struct pl_settings){
        .n_parallel = -1,
        .kv_unified = PL_AUTO,
        .n_batch = 2048,
        .n_ubatch = 512,
        .type_k = 1, /* f16 */
        .type_v = 1,
        .flash_attn = PL_AUTO,
        .n_gpu_layers = -1,
        .n_threads = -1,
        .n_threads_batch = -1,
        .load_mode = PL_LOAD_AUTO,
        .repack = true,
        .kv_offload = true,
        .op_offload = true,
        .cache_ram_mib = PL_CACHE_RAM_UNSET,
    };
}

static const char *const pl_load_names[] = {
    [PL_LOAD_AUTO] = "auto",
    [PL_LOAD_NONE] = "none",
    [PL_LOAD_MMAP] = "mmap",
    [PL_LOAD_MLOCK] = "mlock",
    [PL_LOAD_MMAP_MLOCK] = "mmap+mlock",
    [PL_LOAD_DIO] = "dio",
};

/* common/arg.cpp, kv_cache_types */
static const char *const pl_cache_types[] = {"f32",  "f16",    "bf16", "q8_0", "q4_0",
                                             "q4_1", "iq4_nl", "q5_0", "q5_1"};

static int pl_flag_bad(const char *name, const char *value, const char *want, struct pl_err *err)
{
    (void)pl_fail(err, -EINVAL, "%s: '%.60s' is not %s", name, value, want);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_flag_type(uint32_t *field, const char *name, const char *value, struct pl_err *err)
{
    for (size_t i = 0; i < sizeof(pl_cache_types) / sizeof(pl_cache_types[0]); i++) {
        if (strcasecmp(value, pl_cache_types[i]) == 0) {
            *field = pl_tensor_type_named(value)->id;
            return 0;
        }
    }
    return pl_flag_bad(name, value,
                       "a cache type: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl", err);
}

static int pl_flag_number(int64_t *ret, bool negative, const char *name, const char *value,
                          struct pl_err *err)
{
    int64_t v = 0;
    if (!pl_parse_i64(value, &v) || v < (negative ? -1 : 0) || v > (int64_t)PL_NUMBER_MAX)
        return pl_flag_bad(name, value,
                           negative ? "a whole number from -1" : "a whole number from 0", err);
    *ret = v;
    return 0;
}

static int pl_flag_load(enum pl_load_mode *field, const char *name, const char *value,
                        struct pl_err *err)
{
    for (size_t i = 0; i < sizeof(pl_load_names) / sizeof(pl_load_names[0]); i++) {
        if (pl_streq(value, pl_load_names[i])) {
            *field = (enum pl_load_mode)i;
            return 0;
        }
    }
    return pl_flag_bad(name, value, "a load mode: auto, none, mmap, mlock, mmap+mlock, dio", err);
}

static int pl_flag_pass(struct pl_settings *s, const char *name, const char *value,
                        struct pl_err *err)
{
    if (s->n_pass + 2 > PL_PASS_MAX) {
        (void)pl_fail(err, -E2BIG, "more than %d flags to hand on", PL_PASS_MAX);
        return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
    }
    s->pass[s->n_pass++] = name;
    if (value != NULL)
        s->pass[s->n_pass++] = value;
    return 0;
}

static void pl_flag_switch(struct pl_settings *s, const struct pl_flag *flag, bool on)
{
    unsigned char *at = (unsigned char *)s + flag->field;
    if (flag->field == offsetof(struct pl_settings, kv_unified))
        s->kv_unified = on ? PL_ON : PL_OFF;
    else
        memcpy(at, &on, sizeof(on));
}

int pl_llamacpp_flag_set(struct pl_settings *s, const struct pl_flag *flag, const char *name,
                         const char *value, struct pl_err *err)
{
    unsigned char *at = (unsigned char *)s + flag->field;
    int64_t v = 0;
    int rc = 0;
    switch (flag->kind) {
    case PL_FLAG_YES:
    case PL_FLAG_NO:
        pl_flag_switch(s, flag, flag->kind == PL_FLAG_YES);
        return 0;
    case PL_FLAG_U64:
    case PL_FLAG_I64:
        rc = pl_flag_number(&v, flag->kind == PL_FLAG_I64, name, value, err);
        if (rc == 0)
            memcpy(at, &v, sizeof(v)); /* both kinds of field are 64 bits wide */
        return rc;
    case PL_FLAG_LAYERS:
        if (pl_streq(value, "auto"))
            v = -1;
        else if (pl_streq(value, "all"))
            v = PL_LAYERS_ALL;
        else
            rc = pl_flag_number(&v, true, name, value, err);
        if (rc == 0)
            s->n_gpu_layers = v;
        return rc;
    case PL_FLAG_TRI:
        if (!pl_streq(value, "on") && !pl_streq(value, "off") && !pl_streq(value, "auto"))
            return pl_flag_bad(name, value, "on, off or auto", err);
        s->flash_attn = pl_streq(value, "on") ? PL_ON : pl_streq(value, "off") ? PL_OFF : PL_AUTO;
        return 0;
    case PL_FLAG_TYPE:
        return pl_flag_type(flag->field == offsetof(struct pl_settings, type_k) ? &s->type_k
                                                                                : &s->type_v,
                            name, value, err);
    case PL_FLAG_LOAD:
        return pl_flag_load(&s->load_mode, name, value, err);
    case PL_FLAG_PORT:
        if (!pl_parse_i64(value, &v) || v < 1 || v > UINT16_MAX)
            return pl_flag_bad(name, value, "a port: 1 to 65535", err);
        s->port = (uint16_t)v;
        return 0;
    case PL_FLAG_PASS:
        return pl_flag_pass(s, name, value, err);
    case PL_FLAG_CANNOT:
        break;
    }
    (void)pl_fail(err, -ENOTSUP, "%s changes memory in a way that is not predicted yet", name);
    (void)pl_hint(err, "leave it out for an estimate without it");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

static bool pl_flag_is(const struct pl_flag *f, const char *word)
{
    for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++) {
        if (pl_streq(f->names[k], word))
            return true;
    }
    return false;
}

int pl_llamacpp_flag(struct pl_settings *s, int argc, char *const *argv, struct pl_err *err)
{
    const struct pl_flag *f = pl_llamacpp_flags();
    while (f->names[0] != NULL && !pl_flag_is(f, argv[0]))
        f++;
    if (f->names[0] == NULL)
        return 0;
    if (f->arg == NULL) {
        int rc = pl_llamacpp_flag_set(s, f, argv[0], NULL, err);
        return rc < 0 ? rc : 1;
    }
    /* `-fa` alone meant "on" before it took a value; both spellings are in use. */
    bool missing = argc < 2;
    if (f->kind == PL_FLAG_TRI && (missing || argv[1][0] == '-')) {
        int rc = pl_llamacpp_flag_set(s, f, argv[0], "on", err);
        return rc < 0 ? rc : 1;
    }
    if (missing) {
        (void)pl_fail(err, -EINVAL, "%s needs a value (%s)", argv[0], f->arg);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc = pl_llamacpp_flag_set(s, f, argv[0], argv[1], err);
    return rc < 0 ? rc : 2;
}

/* Collects the words; stops counting room when the table is full or memory is out. */
struct pl_words {
    struct pl_arena *a;
    const char **argv;
    int n;
    bool failed;
};

static void pl_word(struct pl_words *w, const char *word)
{
    char *copy = w->n + 1 < PL_FLAG_ARGV_MAX ? pl_arena_strdup(w->a, word) : NULL;
    if (copy == NULL)
        w->failed = true;
    else
        w->argv[w->n++] = copy;
}

static void pl_word_number(struct pl_words *w, const char *flag, int64_t v)
{
    char text[24];
    (void)PL_FMT(text, "%lld", (long long)v);
    pl_word(w, flag);
    pl_word(w, text);
}

static void pl_word_pair(struct pl_words *w, const char *flag, const char *value)
{
    pl_word(w, flag);
    pl_word(w, value);
}

static const char *pl_cache_name(uint32_t type)
{
    for (size_t i = 0; i < sizeof(pl_cache_types) / sizeof(pl_cache_types[0]); i++) {
        if (pl_tensor_type_named(pl_cache_types[i])->id == type)
            return pl_cache_types[i];
    }
    return "f16";
}

static void pl_words_memory(struct pl_words *w, const struct pl_settings *s,
                            const struct pl_settings *d)
{
    if (s->n_ctx != d->n_ctx)
        pl_word_number(w, "-c", (int64_t)s->n_ctx);
    if (s->n_parallel != d->n_parallel)
        pl_word_number(w, "-np", s->n_parallel);
    if (s->kv_unified != d->kv_unified)
        pl_word(w, s->kv_unified == PL_ON ? "-kvu" : "-no-kvu");
    if (s->n_batch != d->n_batch)
        pl_word_number(w, "-b", (int64_t)s->n_batch);
    if (s->n_ubatch != d->n_ubatch)
        pl_word_number(w, "-ub", (int64_t)s->n_ubatch);
    if (s->type_k != d->type_k)
        pl_word_pair(w, "-ctk", pl_cache_name(s->type_k));
    if (s->type_v != d->type_v)
        pl_word_pair(w, "-ctv", pl_cache_name(s->type_v));
    if (s->flash_attn != d->flash_attn)
        pl_word_pair(w, "-fa", s->flash_attn == PL_ON ? "on" : "off");
    if (s->n_gpu_layers != d->n_gpu_layers)
        pl_word_number(w, "-ngl", s->n_gpu_layers);
}

static void pl_words_rest(struct pl_words *w, const struct pl_settings *s,
                          const struct pl_settings *d)
{
    if (s->load_mode != d->load_mode)
        pl_word_pair(w, "-lm", pl_load_names[s->load_mode]);
    if (!s->repack)
        pl_word(w, "-nr");
    if (s->no_host)
        pl_word(w, "--no-host");
    if (s->cache_ram_mib != d->cache_ram_mib)
        pl_word_number(w, "-cram", s->cache_ram_mib);
    if (s->n_threads != d->n_threads)
        pl_word_number(w, "-t", s->n_threads);
    if (s->n_threads_batch != d->n_threads_batch)
        pl_word_number(w, "-tb", s->n_threads_batch);
    if (s->swa_full)
        pl_word(w, "--swa-full");
    if (!s->kv_offload)
        pl_word(w, "-nkvo");
    if (!s->op_offload)
        pl_word(w, "--no-op-offload");
    for (uint32_t i = 0; i < s->n_pass; i++)
        pl_word(w, s->pass[i]);
}

int pl_llamacpp_argv(const struct pl_settings *s, struct pl_arena *a,
                     const char *argv[PL_FLAG_ARGV_MAX], struct pl_err *err)
{
    struct pl_settings d;
    pl_llamacpp_defaults(&d);
    struct pl_words w = {.a = a, .argv = argv};
    pl_words_memory(&w, s, &d);
    pl_words_rest(&w, s, &d);
    if (w.failed)
        return pl_fail(err, -ENOMEM, "the engine's flags do not fit in memory");
    return w.n;
}

void pl_llamacpp_flags_text(const struct pl_settings *s, struct pl_str *out)
{
    const char *argv[PL_FLAG_ARGV_MAX];
    struct pl_arena a;
    pl_arena_init(&a, 64 * 1024);
    int n = pl_llamacpp_argv(s, &a, argv, NULL);
    if (n < 0)
        out->failed = true;
    for (int i = 0; i < n; i++)
        pl_str_addf(out, "%s%s", i > 0 ? " " : "", argv[i]);
    pl_arena_done(&a);
}
