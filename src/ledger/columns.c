#include "ledger/columns.h"

#include <stddef.h>
#include <string.h>

enum pl_column_kind {
    PL_COL_TEXT = 0, /* char array; "" is unknown */
    PL_COL_U64,      /* 0 is a value */
    PL_COL_COUNT,    /* uint64_t or int64_t; 0 is unknown */
    PL_COL_U32,      /* 0 is a value */
    PL_COL_BOOL,
    PL_COL_BOOL_IF, /* known only while the bool at `extra` says so */
    PL_COL_REAL,    /* 0 is a value */
    PL_COL_REAL_IF, /* known only while the bool at `extra` says so */
    PL_COL_SPEED,   /* double; 0 is unknown */
    PL_COL_BYTES,   /* struct pl_engine_bytes */
    PL_COL_RATE,    /* struct pl_rate: five columns */
    PL_COL_SAMPLE,  /* struct pl_sample: six columns, NULL when never taken */
    PL_COL_STATUS,
    PL_COL_LOAD_MODE,
};

struct pl_column {
    const char *name;
    enum pl_column_kind kind;
    size_t at;    /* offset in struct pl_run */
    size_t extra; /* PL_COL_TEXT: size of the array; PL_COL_*_IF: offset of the known flag */
};

#define PL_TEXT(field)                                                                             \
    {                                                                                              \
#field, PL_COL_TEXT, offsetof(struct pl_run, field), sizeof(((struct pl_run *)0)->field)   \
    }
#define PL_FIELD(name, kind, field)                                                                \
    {                                                                                              \
        name, kind, offsetof(struct pl_run, field), 0                                              \
    }

#define PL_FIELD_IF(name, kind, field, known)                                                      \
    {                                                                                              \
        name, kind, offsetof(struct pl_run, field), offsetof(struct pl_run, known)                 \
    }

static const struct pl_column pl_columns[] = {
    PL_FIELD("started_unix", PL_COL_COUNT, started_unix),
    PL_FIELD("status", PL_COL_STATUS, status),
    PL_TEXT(error),
    PL_TEXT(machine_id),
    PL_TEXT(machine_text),
    PL_TEXT(engine),
    PL_TEXT(engine_version),
    PL_TEXT(backend),
    PL_TEXT(model),
    PL_TEXT(arch),
    PL_TEXT(quant),
    PL_FIELD("ghost", PL_COL_BOOL, ghost),
    PL_FIELD("parameters", PL_COL_COUNT, parameters),
    PL_FIELD("file_bytes", PL_COL_COUNT, file_bytes),
    PL_TEXT(flags),
    PL_FIELD("n_ctx", PL_COL_COUNT, settings.n_ctx),
    PL_FIELD("n_ctx_seq", PL_COL_COUNT, settings.n_ctx_seq),
    PL_FIELD("n_seq", PL_COL_COUNT, settings.n_seq),
    PL_FIELD("n_stream", PL_COL_COUNT, settings.n_stream),
    PL_FIELD("kv_unified", PL_COL_BOOL, settings.kv_unified),
    PL_FIELD("n_batch", PL_COL_COUNT, settings.n_batch),
    PL_FIELD("n_ubatch", PL_COL_COUNT, settings.n_ubatch),
    PL_FIELD("n_outputs", PL_COL_COUNT, settings.n_outputs),
    PL_FIELD("type_k", PL_COL_U32, settings.type_k),
    PL_FIELD("type_v", PL_COL_U32, settings.type_v),
    PL_FIELD("flash_attn", PL_COL_BOOL, settings.flash_attn),
    PL_FIELD("n_gpu_layers", PL_COL_U64, settings.n_gpu_layers),
    PL_FIELD("load_mode", PL_COL_LOAD_MODE, settings.load_mode),
    PL_FIELD("repack", PL_COL_BOOL, settings.repack),
    PL_FIELD("prompt_cache_bytes", PL_COL_U64, settings.prompt_cache_bytes),
    PL_FIELD("prompt_cache_unlimited", PL_COL_BOOL, settings.prompt_cache_unlimited),
    PL_FIELD("n_threads", PL_COL_COUNT, settings.n_threads),
    PL_FIELD("prefill", PL_COL_RATE, predicted_prefill),
    PL_FIELD("decode", PL_COL_RATE, predicted_decode),
    {"report_version", PL_COL_TEXT,            offsetof(struct pl_run, report.version),
                                               sizeof(((struct pl_run *)0)->report.version)    },
    PL_FIELD("report_n_ctx", PL_COL_COUNT, report.n_ctx),
    PL_FIELD("report_n_ctx_seq", PL_COL_COUNT, report.n_ctx_seq),
    PL_FIELD("report_n_slots", PL_COL_COUNT, report.n_slots),
    { "report_kv_unified",  PL_COL_BOOL_IF, offsetof(struct pl_run,     report.kv_unified),
                                               offsetof(struct pl_run, report.kv_unified_known)},
    PL_FIELD("report_weights_mapped", PL_COL_BYTES, report.weights_mapped),
    PL_FIELD("report_weights_repack", PL_COL_BYTES, report.weights_repack),
    PL_FIELD("report_weights_other", PL_COL_BYTES, report.weights_other),
    PL_FIELD("report_kv", PL_COL_BYTES, report.kv),
    PL_FIELD("report_compute", PL_COL_BYTES, report.compute),
    PL_FIELD("report_output", PL_COL_BYTES, report.output),
    PL_FIELD("report_recurrent", PL_COL_BYTES, report.recurrent),
    PL_FIELD("report_load_ms", PL_COL_COUNT, report.load_ms),
    PL_FIELD("steady", PL_COL_SAMPLE, steady),
    PL_FIELD("peak", PL_COL_SAMPLE, peak),
    PL_FIELD("baseline", PL_COL_SAMPLE, baseline),
    PL_FIELD("cgroup_peak", PL_COL_COUNT, cgroup_peak),
    PL_FIELD("memory_returned", PL_COL_BOOL, memory_returned),
    PL_FIELD("repeats", PL_COL_U32, repeats),
    PL_FIELD("prompt_tokens", PL_COL_COUNT, timing.prompt_tokens),
    PL_FIELD("predicted_tokens", PL_COL_COUNT, timing.predicted_tokens),
    PL_FIELD("prompt_tokens_per_second", PL_COL_SPEED, timing.prompt_tokens_per_second),
    PL_FIELD("predicted_tokens_per_second", PL_COL_SPEED, timing.predicted_tokens_per_second),
    PL_FIELD("first_token_ms", PL_COL_SPEED, timing.first_token_ms),
    PL_FIELD("prompt_spread", PL_COL_REAL, prompt_spread),
    PL_FIELD("predicted_spread", PL_COL_REAL, predicted_spread),
    PL_FIELD_IF("pressure_before", PL_COL_REAL_IF, beside.pressure_before, beside.pressure_known),
    PL_FIELD_IF("pressure_during", PL_COL_REAL_IF, beside.pressure_during, beside.pressure_known),
    PL_FIELD_IF("load_before", PL_COL_REAL_IF, beside.load_before, beside.load_known),
    PL_FIELD_IF("disturbed", PL_COL_BOOL_IF, beside.disturbed, beside.judged),
    PL_TEXT(fill),
    PL_TEXT(driver),
    PL_FIELD("golden", PL_COL_BOOL, golden),
};
#define PL_COLUMNS (sizeof(pl_columns) / sizeof(pl_columns[0]))

static const char *const pl_rate_ends[] = {"_low", "_likely", "_high", "_source", "_why", 0};
static const char *const pl_sample_ends[] = {
    "_at_ns", "_rss_anon", "_rss_shmem", "_rss_file", "_swap", "_locked", 0};
static const char *const pl_plain_ends[] = {"", 0};

static const char *const *pl_column_ends(const struct pl_column *c)
{
    return c->kind == PL_COL_RATE     ? pl_rate_ends
           : c->kind == PL_COL_SAMPLE ? pl_sample_ends
                                      : pl_plain_ends;
}

static int pl_column_width(const struct pl_column *c)
{
    int n = 0;
    for (const char *const *e = pl_column_ends(c); *e != NULL; e++)
        n++;
    return n;
}

void pl_columns_names(struct pl_str *out)
{
    for (size_t i = 0; i < PL_COLUMNS; i++) {
        for (const char *const *e = pl_column_ends(&pl_columns[i]); *e != NULL; e++)
            pl_str_addf(out, "%s%s%s", out->len > 0 ? ", " : "", pl_columns[i].name, *e);
    }
}

int pl_columns_count(void)
{
    int n = 0;
    for (size_t i = 0; i < PL_COLUMNS; i++)
        n += pl_column_width(&pl_columns[i]);
    return n;
}

static uint64_t *pl_sample_field(struct pl_sample *m, int i)
{
    uint64_t *const field[] = {&m->at_ns,    &m->rss_anon, &m->rss_shmem,
                               &m->rss_file, &m->swap,     &m->locked};
    return field[i];
}

static int pl_bind_sample(sqlite3_stmt *s, int at, const struct pl_sample *sample)
{
    struct pl_sample m = *sample;
    int rc = SQLITE_OK;
    for (int i = 0; rc == SQLITE_OK && pl_sample_taken(&m) && i < 6; i++)
        rc = pl_bind_u64(s, at + i, *pl_sample_field(&m, i));
    return rc;
}

/* A field's value by memcpy: the offsets come from the table above. */
#define PL_GET(type, p)                                                                            \
    __extension__({                                                                                \
        type pl_value;                                                                             \
        memcpy(&pl_value, (p), sizeof(pl_value));                                                  \
        pl_value;                                                                                  \
    })

static int pl_column_bind(sqlite3_stmt *s, int at, const struct pl_column *c, const char *run)
{
    const char *p = run + c->at;
    switch (c->kind) {
    case PL_COL_TEXT:
        return pl_bind_text(s, at, p);
    case PL_COL_U64:
        return pl_bind_u64(s, at, PL_GET(uint64_t, p));
    case PL_COL_COUNT:
        return PL_GET(uint64_t, p) == 0 ? SQLITE_OK : pl_bind_u64(s, at, PL_GET(uint64_t, p));
    case PL_COL_U32:
        return sqlite3_bind_int64(s, at, PL_GET(uint32_t, p));
    case PL_COL_BOOL:
        return sqlite3_bind_int(s, at, PL_GET(bool, p));
    case PL_COL_BOOL_IF:
        return PL_GET(bool, run + c->extra) ? sqlite3_bind_int(s, at, PL_GET(bool, p)) : SQLITE_OK;
    case PL_COL_REAL:
        return sqlite3_bind_double(s, at, PL_GET(double, p));
    case PL_COL_REAL_IF:
        return PL_GET(bool, run + c->extra) ? sqlite3_bind_double(s, at, PL_GET(double, p))
                                            : SQLITE_OK;
    case PL_COL_SPEED:
        return PL_GET(double, p) > 0 ? sqlite3_bind_double(s, at, PL_GET(double, p)) : SQLITE_OK;
    case PL_COL_BYTES: {
        struct pl_engine_bytes b = PL_GET(struct pl_engine_bytes, p);
        return b.known ? pl_bind_u64(s, at, b.bytes) : SQLITE_OK;
    }
    case PL_COL_RATE:
        return pl_bind_rate(s, at, PL_GET(struct pl_rate, p));
    case PL_COL_SAMPLE: {
        struct pl_sample m = PL_GET(struct pl_sample, p);
        return pl_bind_sample(s, at, &m);
    }
    case PL_COL_STATUS:
        return pl_bind_text(s, at, pl_run_status_name(PL_GET(enum pl_run_status, p)));
    case PL_COL_LOAD_MODE:
        return pl_bind_text(s, at, pl_load_mode_name(PL_GET(enum pl_load_mode, p)));
    }
    return SQLITE_MISUSE;
}

int pl_columns_bind(sqlite3_stmt *s, int at, const struct pl_run *run)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < PL_COLUMNS; i++) {
        rc = pl_column_bind(s, at, &pl_columns[i], (const char *)run);
        at += pl_column_width(&pl_columns[i]);
    }
    return rc;
}

#define PL_PUT(type, p, ...)                                                                       \
    do {                                                                                           \
        type pl_value = __VA_ARGS__;                                                               \
        memcpy((p), &pl_value, sizeof(pl_value));                                                  \
    } while (0)

static struct pl_sample pl_column_sample(sqlite3_stmt *s, int at)
{
    struct pl_sample m = {0};
    for (int i = 0; i < 6; i++)
        *pl_sample_field(&m, i) = pl_column_u64(s, at + i);
    return m;
}

static const char *pl_column_word(sqlite3_stmt *s, int at)
{
    const char *word = (const char *)sqlite3_column_text(s, at);
    return word != NULL ? word : "";
}

static void pl_column_read(struct pl_ledger *l, sqlite3_stmt *s, int at, const struct pl_column *c,
                           char *run)
{
    char *p = run + c->at;
    bool known = sqlite3_column_type(s, at) != SQLITE_NULL;
    switch (c->kind) {
    case PL_COL_TEXT:
        pl_column_text(s, at, p, c->extra);
        break;
    case PL_COL_U64:
    case PL_COL_COUNT: /* NULL reads as 0, which is unknown here */
        PL_PUT(uint64_t, p, pl_column_u64(s, at));
        break;
    case PL_COL_U32:
        PL_PUT(uint32_t, p, (uint32_t)(sqlite3_column_int64(s, at) & UINT32_MAX));
        break;
    case PL_COL_BOOL_IF:
        PL_PUT(bool, run + c->extra, known);
        PL_PUT(bool, p, sqlite3_column_int(s, at) != 0);
        break;
    case PL_COL_BOOL:
        PL_PUT(bool, p, sqlite3_column_int(s, at) != 0);
        break;
    case PL_COL_REAL_IF:
        PL_PUT(bool, run + c->extra, known);
        PL_PUT(double, p, sqlite3_column_double(s, at));
        break;
    case PL_COL_REAL:
    case PL_COL_SPEED:
        PL_PUT(double, p, sqlite3_column_double(s, at));
        break;
    case PL_COL_BYTES:
        PL_PUT(struct pl_engine_bytes, p, {.known = known, .bytes = pl_column_u64(s, at)});
        break;
    case PL_COL_RATE:
        PL_PUT(struct pl_rate, p, pl_column_rate(l, s, at));
        break;
    case PL_COL_SAMPLE:
        PL_PUT(struct pl_sample, p, pl_column_sample(s, at));
        break;
    case PL_COL_STATUS:
        PL_PUT(enum pl_run_status, p, pl_run_status_of(pl_column_word(s, at)));
        break;
    case PL_COL_LOAD_MODE:
        PL_PUT(enum pl_load_mode, p, pl_load_mode_of(pl_column_word(s, at)));
        break;
    }
}

void pl_columns_read(struct pl_ledger *l, sqlite3_stmt *s, int at, struct pl_run *run)
{
    for (size_t i = 0; i < PL_COLUMNS; i++) {
        pl_column_read(l, s, at, &pl_columns[i], (char *)run);
        at += pl_column_width(&pl_columns[i]);
    }
}
