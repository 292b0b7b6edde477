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
        .fit = true,
        .fit_ctx = 4096,
        .n_ctx_checkpoints = 32,
        .checkpoint_min_step = 8192,
        .cache_idle_slots = true,
        .lazy = PL_AUTO,
        .draft = {.n_gpu_layers = -1,
                  .type_k = 1,
                  .type_v = 1,
                  .n_max = 3,
                  .ngram_mod = 64,
                  .ngram_simple = 48,
                  .ngram_map = 48,
                  .ngram_map4 = 48},
        .mmproj_offload = true,
        .mtmd_batch_tokens = 1024,
    };
}

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

static int pl_flag_layers(int64_t *field, const char *name, const char *value, struct pl_err *err)
{
    if (pl_streq(value, "auto"))
        *field = -1;
    else if (pl_streq(value, "all"))
        *field = PL_LAYERS_ALL;
    else
        return pl_flag_number(field, true, name, value, err);
    return 0;
}

/* The place of value among "a|b|c", or -1. */
static int pl_flag_word_at(const char *words, const char *value)
{
    size_t n = strlen(value);
    int at = 0;
    for (const char *w = words; w != NULL; at++) {
        if (n > 0 && strncmp(w, value, n) == 0 && (w[n] == '|' || w[n] == '\0'))
            return at;
        w = strchr(w, '|');
        w = w != NULL ? w + 1 : NULL;
    }
    return -1;
}

static int pl_flag_word(int *field, const struct pl_flag *flag, const char *name, const char *value,
                        struct pl_err *err)
{
    char want[200] = "one of ";
    int at = pl_flag_word_at(flag->words, value);
    if (at >= 0) {
        *field = at;
        return 0;
    }
    for (size_t i = 0, n = strlen(want); flag->words[i] != '\0' && n + 3 < sizeof(want); i++) {
        if (flag->words[i] == '|')
            want[n++] = ',';
        want[n++] = flag->words[i] == '|' ? ' ' : flag->words[i];
        want[n] = '\0';
    }
    return pl_flag_bad(name, value, want, err);
}

static int pl_flag_too_many(const char *name, int max, struct pl_err *err)
{
    (void)pl_fail(err, -E2BIG, "%s: more than %d of them", name, max);
    return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
}

static int pl_flag_pass(struct pl_settings *s, const char *name, const char *value,
                        struct pl_err *err)
{
    if (s->n_pass + 2 > PL_PASS_MAX)
        return pl_flag_too_many("flags to hand on", PL_PASS_MAX, err);
    s->pass[s->n_pass++] = name;
    if (value != NULL)
        s->pass[s->n_pass++] = value;
    return 0;
}

int pl_llamacpp_numbers(const char *text, double ret[PL_PROPORTIONS_MAX])
{
    int n = 0;
    for (const char *p = text;;) {
        char one[32];
        size_t len = strcspn(p, ",/");
        if (n >= PL_PROPORTIONS_MAX || len == 0 || len >= sizeof(one) ||
            !PL_FMT(one, "%.*s", (int)len, p) || !pl_parse_double(one, &ret[n]) ||
            !(ret[n] >= 0 && ret[n] <= (double)PL_NUMBER_MAX))
            return -EINVAL;
        n++;
        if (p[len] == '\0')
            return n;
        p += len + 1;
    }
}

/* "regex=buffer,regex=buffer": the engine splits at commas, then at the first '=' (common/arg.cpp,
 * parse_tensor_buffer_overrides). */
static bool pl_flag_buffers_good(const char *text)
{
    for (const char *p = text;;) {
        size_t len = strcspn(p, ",");
        const char *eq = memchr(p, '=', len);
        if (eq == NULL || eq == p || eq + 1 == p + len)
            return false;
        if (p[len] == '\0')
            return true;
        p += len + 1;
    }
}

static int pl_flag_override(struct pl_overrides *o, const struct pl_flag *flag, const char *name,
                            const char *value, struct pl_err *err)
{
    struct pl_override one = {.n = UINT64_MAX};
    int64_t n = 0;
    if (o->n >= PL_OVERRIDES_MAX)
        return pl_flag_too_many(name, PL_OVERRIDES_MAX, err);
    if (flag->kind == PL_FLAG_BUFFERS) {
        if (!pl_flag_buffers_good(value))
            return pl_flag_bad(name, value, "PATTERN=BUFFER,...", err);
        one.text = value;
    } else {
        one.kind = flag->kind == PL_FLAG_EXPERTS ? PL_OVERRIDE_EXPERTS : PL_OVERRIDE_FFN;
        if (value != NULL && flag->arg != NULL) {
            int rc = pl_flag_number(&n, false, name, value, err);
            if (rc < 0)
                return rc;
            one.n = (uint64_t)n;
        }
    }
    o->one[o->n++] = one;
    return 0;
}

/* Spellings of versions before --load-mode; there a lock and the lack of a mapping combined. */
static void pl_flag_old(struct pl_settings *s, const char *name)
{
    bool locked = s->load_mode == PL_LOAD_MMAP_MLOCK || s->load_mode == PL_LOAD_MLOCK;
    bool unmapped = s->load_mode == PL_LOAD_NONE || s->load_mode == PL_LOAD_MLOCK;
    if (pl_streq(name, "--mlock"))
        s->load_mode = unmapped ? PL_LOAD_MLOCK : PL_LOAD_MMAP_MLOCK;
    else if (pl_streq(name, "--no-mmap"))
        s->load_mode = locked ? PL_LOAD_MLOCK : PL_LOAD_NONE;
    else if (pl_streq(name, "--mmap"))
        s->load_mode = locked ? PL_LOAD_MMAP_MLOCK : PL_LOAD_MMAP;
    else
        s->load_mode = PL_LOAD_DIO;
}

/* Rows that hold no field of struct pl_settings. */
static int pl_flag_fieldless(struct pl_settings *s, const struct pl_flag *flag, const char *name,
                             const char *value, struct pl_err *err)
{
    if (flag->kind == PL_FLAG_SERVE)
        return 0;
    if (flag->kind == PL_FLAG_PASS) /* a variable's name is no flag */
        return pl_flag_pass(s, name[0] == '-' ? name : flag->names[0], value, err);
    if (flag->kind == PL_FLAG_OLD) {
        pl_flag_old(s, flag->names[0]);
        return 0;
    }
    if (flag->kind == PL_FLAG_REFUSE) {
        (void)pl_fail(err, -EINVAL, "%s is no setting of a model to serve", name);
        (void)pl_hint(err, "%s", flag->words);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    (void)pl_fail(err, -ENOTSUP, "%s changes memory in a way that is not predicted yet", name);
    (void)pl_hint(err, "%s",
                  flag->words != NULL ? flag->words : "leave it out for an estimate without it");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

/* A list of texts, or one text. */
static int pl_flag_text(void *at, const struct pl_flag *flag, const char *name, const char *value,
                        struct pl_err *err)
{
    double numbers[PL_PROPORTIONS_MAX];
    if (flag->kind == PL_FLAG_TEXTS || flag->kind == PL_FLAG_FILES) {
        struct pl_texts *t = at;
        if (t->n >= PL_ADAPTERS_MAX)
            return pl_flag_too_many(name, PL_ADAPTERS_MAX, err);
        t->one[t->n++] = value;
        return 0;
    }
    if (flag->kind == PL_FLAG_NUMBERS && pl_llamacpp_numbers(value, numbers) < 0)
        return pl_flag_bad(name, value, "a list of at most 16 numbers from 0: 3,1", err);
    memcpy(at, &value, sizeof(value));
    return 0;
}

static int pl_flag_switch(void *at, enum pl_flag_kind kind, const char *name, const char *value,
                          struct pl_err *err)
{
    bool on = kind == PL_FLAG_YES || (value != NULL && pl_streq(value, "on"));
    enum pl_tri tri = kind == PL_FLAG_TRI_ON || (value != NULL && pl_streq(value, "on")) ? PL_ON
                      : value != NULL && pl_streq(value, "auto")                         ? PL_AUTO
                                                                                         : PL_OFF;
    if (kind == PL_FLAG_TRI && !pl_streq(value, "on") && !pl_streq(value, "off") &&
        !pl_streq(value, "auto"))
        return pl_flag_bad(name, value, "on, off or auto", err);
    if (kind == PL_FLAG_ONOFF && !pl_streq(value, "on") && !pl_streq(value, "off"))
        return pl_flag_bad(name, value, "on or off", err);
    if (kind == PL_FLAG_YES || kind == PL_FLAG_NO || kind == PL_FLAG_ONOFF)
        memcpy(at, &on, sizeof(on));
    else
        memcpy(at, &tri, sizeof(tri));
    return 0;
}

int pl_llamacpp_flag_set(struct pl_settings *s, const struct pl_flag *flag, const char *name,
                         const char *value, struct pl_err *err)
{
    void *at = (unsigned char *)s + flag->field;
    int64_t v = 0;
    int rc = 0;
    switch (flag->kind) {
    case PL_FLAG_YES:
    case PL_FLAG_NO:
    case PL_FLAG_TRI_ON:
    case PL_FLAG_TRI_OFF:
    case PL_FLAG_TRI:
    case PL_FLAG_ONOFF:
        return pl_flag_switch(at, flag->kind, name, value, err);
    case PL_FLAG_U64:
    case PL_FLAG_I64:
        rc = pl_flag_number(&v, flag->kind == PL_FLAG_I64, name, value, err);
        if (rc == 0)
            memcpy(at, &v, sizeof(v)); /* both kinds of field are 64 bits wide */
        return rc;
    case PL_FLAG_LAYERS:
        return pl_flag_layers(at, name, value, err);
    case PL_FLAG_TYPE:
        return pl_flag_type(at, name, value, err);
    case PL_FLAG_WORD:
        return pl_flag_word(at, flag, name, value, err);
    case PL_FLAG_PORT:
        if (!pl_parse_i64(value, &v) || v < 1 || v > UINT16_MAX)
            return pl_flag_bad(name, value, "a port: 1 to 65535", err);
        s->port = (uint16_t)v;
        return 0;
    case PL_FLAG_TEXT:
    case PL_FLAG_FILE:
    case PL_FLAG_TEXTS:
    case PL_FLAG_FILES:
    case PL_FLAG_NUMBERS:
        return pl_flag_text(at, flag, name, value, err);
    case PL_FLAG_BUFFERS:
    case PL_FLAG_EXPERTS:
    case PL_FLAG_FFN:
        return pl_flag_override(at, flag, name, value, err);
    case PL_FLAG_OLD:
    case PL_FLAG_PASS:
    case PL_FLAG_SERVE:
    case PL_FLAG_CANNOT:
    case PL_FLAG_REFUSE:
        break;
    }
    return pl_flag_fieldless(s, flag, name, value, err);
}

static bool pl_flag_is(const struct pl_flag *f, const char *word)
{
    for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++) {
        if (pl_streq(f->names[k], word))
            return true;
    }
    return false;
}

/* How many words follow the flag's name: "START END" is two. */
static int pl_flag_values(const struct pl_flag *f)
{
    return f->arg == NULL ? 0 : f->kind != PL_FLAG_BUFFERS && strchr(f->arg, ' ') != NULL ? 2 : 1;
}

const struct pl_flag *pl_llamacpp_flag_named(const char *word)
{
    const struct pl_flag *f = pl_llamacpp_flags();
    while (f->names[0] != NULL && !pl_flag_is(f, word))
        f++;
    return f->names[0] != NULL ? f : NULL;
}

int pl_llamacpp_flag(struct pl_settings *s, int argc, char *const *argv, struct pl_err *err)
{
    const struct pl_flag *f = pl_llamacpp_flag_named(argv[0]);
    if (f == NULL)
        return 0;
    int values = pl_flag_values(f);
    /* `-fa` alone meant "on" before it took a value; both spellings are in use. */
    bool bare = f->kind == PL_FLAG_TRI && f->field == offsetof(struct pl_settings, flash_attn);
    if (bare && (argc < 2 || argv[1][0] == '-')) {
        int rc = pl_llamacpp_flag_set(s, f, argv[0], "on", err);
        return rc < 0 ? rc : 1;
    }
    if (argc < 1 + values && f->kind != PL_FLAG_REFUSE) {
        (void)pl_fail(err, -EINVAL, "%s needs a value (%s)", argv[0], f->arg);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int rc = pl_llamacpp_flag_set(s, f, argv[0], values > 0 && argc > 1 ? argv[1] : NULL, err);
    if (rc == 0 && f->kind == PL_FLAG_PASS && values == 2)
        rc = pl_flag_pass(s, argv[2], NULL, err);
    return rc < 0 ? rc : 1 + values;
}
