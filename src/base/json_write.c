#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void pl_json_start(struct pl_json *j, struct pl_str *out, bool pretty)
{
    *j = (struct pl_json){.out = out, .pretty = pretty};
}

static void pl_json_newline(struct pl_json *j)
{
    if (!j->pretty)
        return;
    pl_str_addc(j->out, '\n', 1);
    pl_str_addc(j->out, ' ', (size_t)j->depth * 2);
}

static void pl_json_text(struct pl_json *j, const char *s)
{
    pl_str_addc(j->out, '"', 1);
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            pl_str_addf(j->out, "\\%c", c);
        else if (c == '\n')
            pl_str_add(j->out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            pl_str_addf(j->out, "\\u%04x", c);
        else if (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0)
            pl_str_addf(j->out, "\\u%04x", (unsigned char)*++s); /* C1 controls */
        else
            pl_str_addc(j->out, (char)c, 1);
    }
    pl_str_addc(j->out, '"', 1);
}

/* Writes what stands before a value: comma, line, key. */
static void pl_json_lead(struct pl_json *j, const char *key)
{
    if (j->depth > 0) {
        if (j->comma[j->depth - 1])
            pl_str_addc(j->out, ',', 1);
        j->comma[j->depth - 1] = true;
        pl_json_newline(j);
    }
    if (key != NULL) {
        pl_json_text(j, key);
        pl_str_add(j->out, j->pretty ? ": " : ":");
    }
}

static void pl_json_open(struct pl_json *j, const char *key, bool array)
{
    pl_json_lead(j, key);
    if (j->depth >= PL_JSON_DEPTH_MAX) {
        j->out->failed = true;
        return;
    }
    pl_str_addc(j->out, array ? '[' : '{', 1);
    j->comma[j->depth] = false;
    j->array[j->depth] = array;
    j->depth++;
}

void pl_json_object(struct pl_json *j, const char *key)
{
    pl_json_open(j, key, false);
}

void pl_json_array(struct pl_json *j, const char *key)
{
    pl_json_open(j, key, true);
}

void pl_json_end(struct pl_json *j)
{
    if (j->depth == 0) {
        j->out->failed = true;
        return;
    }
    j->depth--;
    if (j->comma[j->depth])
        pl_json_newline(j);
    pl_str_addc(j->out, j->array[j->depth] ? ']' : '}', 1);
    if (j->depth == 0)
        pl_str_addc(j->out, '\n', 1);
}

void pl_json_str(struct pl_json *j, const char *key, const char *value)
{
    if (value == NULL) {
        pl_json_null(j, key);
        return;
    }
    bool valid = true;
    for (const char *s = value; *s != '\0' && valid;) {
        size_t n = pl_utf8_len(s);
        valid = n > 0;
        s += n;
    }
    pl_json_lead(j, key);
    if (valid) {
        pl_json_text(j, value);
        return;
    }
    /* Names from files need not be UTF-8; JSON must be. Foreign bytes become '?'. */
    char clean[256];
    size_t n = 0;
    for (; value[n] != '\0' && n + 1 < sizeof(clean); n++)
        clean[n] = (unsigned char)value[n] < 0x80 ? value[n] : '?';
    clean[n] = '\0';
    pl_json_text(j, clean);
}

void pl_json_u64(struct pl_json *j, const char *key, uint64_t value)
{
    pl_json_lead(j, key);
    pl_str_addf(j->out, "%" PRIu64, value);
}

void pl_json_i64(struct pl_json *j, const char *key, int64_t value)
{
    pl_json_lead(j, key);
    pl_str_addf(j->out, "%" PRId64, value);
}

void pl_json_num(struct pl_json *j, const char *key, double value)
{
    if (!isfinite(value)) {
        pl_json_null(j, key);
        return;
    }
    pl_json_lead(j, key);
    pl_str_addf(j->out, "%.6g", value);
}

void pl_json_bool(struct pl_json *j, const char *key, bool value)
{
    pl_json_lead(j, key);
    pl_str_add(j->out, value ? "true" : "false");
}

void pl_json_null(struct pl_json *j, const char *key)
{
    pl_json_lead(j, key);
    pl_str_add(j->out, "null");
}
