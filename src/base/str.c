#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_str_init(struct pl_str *s, size_t cap_bytes)
{
    *s = (struct pl_str){.cap = cap_bytes};
}

void pl_str_done(struct pl_str *s)
{
    free(s->data);
    *s = (struct pl_str){.cap = s->cap};
}

void pl_str_clear(struct pl_str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->data != NULL)
        s->data[0] = '\0';
}

static bool pl_str_room(struct pl_str *s, size_t more)
{
    if (s->failed)
        return false;
    if (more >= s->cap || s->len > s->cap - more - 1) {
        s->failed = true;
        return false;
    }
    size_t need = s->len + more + 1;
    if (need <= s->size)
        return true;
    size_t size = s->size < 128 ? 128 : s->size;
    while (size < need)
        size = size > s->cap / 2 ? s->cap : size * 2;
    char *p = realloc(s->data, size);
    if (p == NULL) {
        s->failed = true;
        return false;
    }
    s->data = p;
    s->size = size;
    return true;
}

void pl_str_addn(struct pl_str *s, const char *text, size_t len)
{
    if (!pl_str_room(s, len))
        return;
    memcpy(s->data + s->len, text, len);
    s->len += len;
    s->data[s->len] = '\0';
}

void pl_str_add(struct pl_str *s, const char *text)
{
    pl_str_addn(s, text, strlen(text));
}

void pl_str_addc(struct pl_str *s, char c, size_t times)
{
    if (!pl_str_room(s, times))
        return;
    memset(s->data + s->len, c, times);
    s->len += times;
    s->data[s->len] = '\0';
}

void pl_str_addf(struct pl_str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !pl_str_room(s, (size_t)n)) {
        s->failed = true;
        return;
    }
    va_start(ap, fmt);
    (void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->len += (size_t)n;
}

const char *pl_str_get(const struct pl_str *s)
{
    return s->data != NULL ? s->data : "";
}

bool pl_streq(const char *a, const char *b)
{
    return a[0] == b[0] && strcmp(a, b) == 0; /* nearly all that differ do so at once */
}

bool pl_starts(const char *s, const char *prefix)
{
    for (; *prefix != '\0'; s++, prefix++) {
        if (*s != *prefix)
            return false;
    }
    return true;
}

bool pl_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

bool pl_parse_u64(const char *s, uint64_t *ret)
{
    if (!isdigit((unsigned char)s[0]))
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(s, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret = v;
    return true;
}

bool pl_take_u64(const char **s, uint64_t *ret)
{
    char digits[21]; /* of UINT64_MAX, and NUL */
    size_t n = strspn(*s, "0123456789");
    if (n == 0 || n >= sizeof(digits))
        return false;
    memcpy(digits, *s, n);
    digits[n] = '\0';
    *s += n;
    return pl_parse_u64(digits, ret);
}

bool pl_take_name(char *out, size_t size, const char *from, size_t n)
{
    if (n == 0 || n >= size || from[0] == '.' || from[0] == '-')
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = from[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && c != '-' && c != '_' && c != '.')
            return false;
    }
    memcpy(out, from, n);
    out[n] = '\0';
    return true;
}

bool pl_parse_i64(const char *s, int64_t *ret)
{
    if (!isdigit((unsigned char)s[0]) && !(s[0] == '-' && isdigit((unsigned char)s[1])))
        return false;
    char *end = NULL;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret = v;
    return true;
}

bool pl_parse_double(const char *s, double *ret)
{
    if (!isdigit((unsigned char)s[0]) && s[0] != '.' && s[0] != '-')
        return false;
    char *end = NULL;
    errno = 0;
    double v = strtod(s, &end);
    if (errno != 0 || end == s || *end != '\0' || !(v <= 1e300 && v >= -1e300))
        return false;
    *ret = v;
    return true;
}

size_t pl_utf8_len(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = 0;
    if (u[0] < 0x80)
        return 1;
    if (u[0] >= 0xc2 && u[0] <= 0xdf)
        n = 2;
    else if (u[0] >= 0xe0 && u[0] <= 0xef)
        n = 3;
    else if (u[0] >= 0xf0 && u[0] <= 0xf4)
        n = 4;
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    /* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
        (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

/* U+0080..9F (C1 controls), U+200E/F, U+2028..202E, U+2066..2069, U+FEFF. */
static bool pl_utf8_unseen(const unsigned char *u, size_t n)
{
    if (n == 1)
        return u[0] < 0x20 || u[0] == 0x7f;
    if (n == 2)
        return u[0] == 0xc2 && u[1] < 0xa0;
    if (n != 3)
        return false;
    if (u[0] == 0xe2 && u[1] == 0x80)
        return u[2] == 0x8e || u[2] == 0x8f || (u[2] >= 0xa8 && u[2] <= 0xae);
    if (u[0] == 0xe2 && u[1] == 0x81)
        return u[2] >= 0xa6 && u[2] <= 0xa9;
    return u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf;
}

void pl_text_clean(char *s)
{
    while (*s != '\0') {
        size_t n = pl_utf8_len(s);
        bool bad = n == 0 || pl_utf8_unseen((const unsigned char *)s, n);
        size_t step = n == 0 ? 1 : n;
        if (bad)
            memset(s, '?', step);
        s += step;
    }
}

const char *pl_text_cut(char *out, size_t size, const char *text)
{
    size_t n = strnlen(text, size);
    bool cut = n == size;
    if (cut) {
        n = size - 4;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(out, text, n);
    memcpy(out + n, cut ? "..." : "", cut ? 4 : 1);
    pl_text_clean(out);
    return out;
}

bool pl_fmt(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < size;
}

bool pl_slice(char *out, size_t size, const char *from, size_t n)
{
    bool fits = n < size;
    if (fits)
        memcpy(out, from, n);
    out[fits ? n : 0] = '\0';
    return fits;
}

bool pl_join(char *out, size_t size, ...)
{
    size_t at = 0;
    va_list ap;
    va_start(ap, size);
    const char *s = va_arg(ap, const char *);
    for (; s != NULL && at + 1 < size; s = *s != '\0' ? s : va_arg(ap, const char *)) {
        while (*s != '\0' && at + 1 < size)
            out[at++] = *s++;
    }
    while (s != NULL && *s == '\0')
        s = va_arg(ap, const char *);
    va_end(ap);
    out[at] = '\0';
    return s == NULL;
}

const char *pl_digits(uint64_t n, char out[PL_DIGITS_MAX])
{
    char *s = out + PL_DIGITS_MAX - 1;
    *s = '\0';
    do {
        *--s = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return s;
}

#define PL_NEAREST_MAX 64 /* longer words are not typing mistakes */

static size_t pl_edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[PL_NEAREST_MAX + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[m];
}

const char *pl_nearest(const char *word, const char *const *names)
{
    size_t n = strlen(word);
    if (n == 0 || n > PL_NEAREST_MAX)
        return NULL;
    const char *best = NULL;
    size_t best_distance = n / 3 + 2;
    for (; *names != NULL; names++) {
        size_t m = strlen(*names);
        if (m == 0 || m > PL_NEAREST_MAX)
            continue;
        size_t d = pl_edit_distance(word, n, *names, m);
        if (d < best_distance) {
            best_distance = d;
            best = *names;
        }
    }
    return best;
}
