#include "base/redact.h"

#include "base/redact_match.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const pl_secret_names[PL_SECRETS] = {
    [PL_SECRET_USER] = "user names",
    [PL_SECRET_HOST] = "host names",
    [PL_SECRET_IPV4] = "IPv4 addresses",
    [PL_SECRET_IPV6] = "IPv6 addresses",
    [PL_SECRET_MAC] = "MAC addresses",
    [PL_SECRET_UUID] = "UUIDs",
    [PL_SECRET_SERIAL] = "serial numbers and machine ids",
    [PL_SECRET_ARGUMENT] = "command-line arguments",
    [PL_SECRET_TOKEN] = "passwords and tokens",
};

struct pl_secret {
    enum pl_secret_kind kind;
    unsigned number; /* of its kind, from 1 */
    char *text;
    size_t len;
    bool literal; /* looked for everywhere */
};

struct pl_redact {
    struct pl_secret secret[PL_REDACT_SECRETS_MAX];
    size_t n;
    unsigned count[PL_SECRETS];
    char host[256];
};

struct pl_redact *pl_redact_new(void)
{
    return calloc(1, sizeof(struct pl_redact));
}

struct pl_redact *pl_redact_free(struct pl_redact *r)
{
    for (size_t i = 0; r != NULL && i < r->n; i++)
        free(r->secret[i].text);
    free(r);
    return NULL;
}

/* The number of that secret among its kind: the one it has, or the next. 0 when the table is full.
 */
static unsigned pl_secret_number(struct pl_redact *r, enum pl_secret_kind kind, const char *text,
                                 size_t len, bool literal)
{
    for (size_t i = 0; i < r->n; i++) {
        struct pl_secret *s = &r->secret[i];
        if (s->kind == kind && s->len == len && strncasecmp(s->text, text, len) == 0) {
            s->literal = s->literal || literal;
            return s->number;
        }
    }
    char *copy = r->n < PL_REDACT_SECRETS_MAX ? strndup(text, len) : NULL;
    if (copy == NULL)
        return 0;
    r->secret[r->n++] = (struct pl_secret){kind, ++r->count[kind], copy, len, literal};
    return r->count[kind];
}

void pl_redact_host(struct pl_redact *r, const char *name)
{
    if (strlen(name) >= 3 && !pl_streq(name, "localhost") && !pl_streq(name, "(none)"))
        (void)PL_FMT(r->host, "%s", name);
}

void pl_redact_literal(struct pl_redact *r, const char *text)
{
    size_t n = strlen(text);
    if (n >= 6)
        (void)pl_secret_number(r, PL_SECRET_SERIAL, text, n, true);
}

/* Files that are one secret, by the end of their path. */
static bool pl_path_is_secret(const char *path)
{
    static const char *const end[] = {
        "/machine-id",        "/boot_id",        "/product_uuid", "/product_serial",
        "/board_serial",      "/chassis_serial", "/serial",       "/serial_number",
        "/serial-number",     "/unique_id",      "/asset_tag",    "/board_asset_tag",
        "/chassis_asset_tag", "/wwid",           "/hostname",     "/nodename",
    };
    for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
        if (pl_ends(path, end[i]))
            return true;
    }
    return false;
}

/* What serial numbers are when nobody set one: no secret, and found everywhere. */
static bool pl_serial_is_filler(const char *s, size_t n)
{
    bool same = true;
    for (size_t i = 1; i < n; i++)
        same = same && s[i] == s[0];
    return n < 4 || same || strncasecmp(s, "default", 7) == 0 || strncasecmp(s, "none", 4) == 0 ||
           strncasecmp(s, "to be f", 7) == 0 || strncasecmp(s, "not spec", 8) == 0 ||
           strncasecmp(s, "system s", 8) == 0 || strncasecmp(s, "uninit", 6) == 0;
}

/* Without outer blanks and NULs. */
static const char *pl_secret_trim(const char *data, size_t *len)
{
    while (*len > 0 && (isspace((unsigned char)data[*len - 1]) || data[*len - 1] == '\0'))
        (*len)--;
    while (*len > 0 && isspace((unsigned char)*data)) {
        data++;
        (*len)--;
    }
    return data;
}

void pl_redact_learn(struct pl_redact *r, const char *path, const char *data, size_t len)
{
    if (!pl_path_is_secret(path))
        return;
    data = pl_secret_trim(data, &len);
    if (pl_ends(path, "name")) {
        char name[256];
        (void)PL_FMT(name, "%.*s", (int)(len < 255 ? len : 255), data);
        pl_redact_host(r, name);
    } else if (!pl_serial_is_filler(data, len)) {
        (void)pl_secret_number(r, PL_SECRET_SERIAL, data, len, len >= 6);
    }
}

/* The same number of characters: 0 for a hexadecimal digit, x for another letter, and the number at
 * the end. */
static void pl_serial_write(unsigned number, const char *text, size_t len, struct pl_str *out)
{
    char digits[12];
    (void)PL_FMT(digits, "%u", number);
    size_t n = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (len - i <= n)
            c = digits[n - (len - i)];
        else if (isalnum((unsigned char)c))
            c = isxdigit((unsigned char)c) ? '0' : 'x';
        pl_str_addc(out, c, 1);
    }
}

/* The stand-in of a secret of that form and length. */
static void pl_secret_write(enum pl_secret_kind kind, unsigned number, const char *text, size_t len,
                            struct pl_str *out)
{
    switch (kind) {
    case PL_SECRET_USER:
        pl_str_addf(out, "user%u", number);
        break;
    case PL_SECRET_HOST:
        pl_str_addf(out, "host%u", number);
        break;
    case PL_SECRET_IPV4: /* 192.0.2.0/24 and 198.51.100.0/24 are for examples, RFC 5737 */
        pl_str_addf(out, number < 256 ? "192.0.2.%u" : "198.51.100.%u", number % 256);
        break;
    case PL_SECRET_IPV6: /* RFC 3849 */
        pl_str_addf(out, "2001:db8::%x", number);
        break;
    case PL_SECRET_MAC: /* locally administered */
        pl_str_addf(out, "02:00:00:00:%02x:%02x", number >> 8 & 0xff, number & 0xff);
        break;
    case PL_SECRET_UUID:
        pl_str_addf(out, "00000000-0000-4000-8000-%012x", number);
        break;
    case PL_SECRET_SERIAL:
        pl_serial_write(number, text, len, out);
        break;
    case PL_SECRET_ARGUMENT:
        pl_str_add(out, "<argument>");
        break;
    case PL_SECRET_TOKEN:
    case PL_SECRETS:
        pl_str_add(out, "<secret>");
        break;
    }
}

static bool pl_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* A literal that begins here and is a whole word; NULL when there is none. */
static const struct pl_secret *pl_literal_at(const struct pl_redact *r, const char *s, size_t len)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct pl_secret *one = &r->secret[i];
        if (one->literal && one->len <= len && strncasecmp(s, one->text, one->len) == 0 &&
            (one->len == len || !pl_word_char(s[one->len])))
            return one;
    }
    return NULL;
}

/* Writes the stand-in of what begins at `at`; the bytes it stands for, 0 when nothing begins there.
 */
static size_t pl_redact_at(struct pl_redact *r, const char *text, size_t at, size_t len,
                           bool addresses, struct pl_str *out)
{
    const char *s = text + at;
    size_t left = len - at, keep = 0;
    /* a word of its own, or a folder within a path */
    if (at > 0 && pl_word_char(s[-1]) && s[0] != '/')
        return 0;
    size_t host = strlen(r->host);
    if (host > 0 && host <= left && strncasecmp(s, r->host, host) == 0 &&
        (host == left || !pl_word_char(s[host]))) {
        pl_secret_write(PL_SECRET_HOST, pl_secret_number(r, PL_SECRET_HOST, s, host, false), s,
                        host, out);
        return host;
    }
    const struct pl_secret *literal = pl_literal_at(r, s, left);
    if (literal != NULL) {
        pl_secret_write(literal->kind, literal->number, s, literal->len, out);
        return literal->len;
    }
    for (int kind = 0; kind < PL_SECRETS; kind++) {
        if (!addresses && (kind == PL_SECRET_IPV4 || kind == PL_SECRET_IPV6))
            continue;
        size_t n = pl_secret_match((enum pl_secret_kind)kind, text, at, len, &keep);
        if (n == 0)
            continue;
        pl_str_addn(out, s, keep);
        unsigned number = pl_secret_number(r, (enum pl_secret_kind)kind, s + keep, n - keep, false);
        pl_secret_write((enum pl_secret_kind)kind, number, s + keep, n - keep, out);
        return n;
    }
    return 0;
}

/* Words ended by NUL: the program stays (it says what kind of process this is) and so do names of
 * options and of modules ("-m vllm"); their values go. */
static void pl_redact_cmdline(struct pl_redact *r, const char *data, size_t len, struct pl_str *out)
{
    size_t index = 0;
    bool module = false;
    for (size_t at = 0; at < len; index++) {
        const char *word = data + at;
        size_t n = strnlen(word, len - at);
        bool keeps = index == 0 || pl_argument_stays(word, n, module) ||
                     (index == 1 && pl_argument_is_program(word, n));
        size_t name = word[0] == '-' && !keeps ? pl_option_name(word, n) : 0;
        module = n == 2 && strncmp(word, "-m", 2) == 0;
        if (keeps) {
            pl_redact_text(r, "", word, n, out);
        } else {
            pl_str_addn(out, word, name);
            pl_secret_write(PL_SECRET_ARGUMENT, 0, word, n, out);
            r->count[PL_SECRET_ARGUMENT]++;
        }
        at += n;
        if (at < len) {
            pl_str_addc(out, '\0', 1);
            at++;
        }
    }
}

void pl_redact_text(struct pl_redact *r, const char *path, const char *data, size_t len,
                    struct pl_str *out)
{
    size_t secret = len;
    if (pl_ends(path, "/cmdline") && strcmp(path, "proc/cmdline") != 0) {
        pl_redact_cmdline(r, data, len, out);
        return;
    }
    if (pl_path_is_secret(path) && !pl_ends(path, "name")) {
        const char *s = pl_secret_trim(data, &secret);
        size_t before = (size_t)(s - data);
        if (pl_serial_is_filler(s, secret)) {
            pl_str_addn(out, data, len);
            return;
        }
        pl_secret_write(PL_SECRET_SERIAL,
                        pl_secret_number(r, PL_SECRET_SERIAL, s, secret, secret >= 6), s, secret,
                        out);
        pl_str_addn(out, data + before + secret, len - before - secret);
        return;
    }
    /* versions look like addresses */
    bool addresses = !pl_ends(path, "version") && !pl_ends(path, "-release");
    struct pl_str hit;
    size_t from = 0;
    pl_str_init(&hit, 4096);
    for (size_t at = 0; at < len;) {
        size_t n = pl_redact_at(r, data, at, len, addresses, &hit);
        if (n > 0) {
            pl_str_addn(out, data + from, at - from);
            pl_str_addn(out, pl_str_get(&hit), hit.len);
            out->failed = out->failed || hit.failed;
            pl_str_clear(&hit);
            from = at + n;
        }
        at += n > 0 ? n : 1;
    }
    pl_str_done(&hit);
    pl_str_addn(out, data + from, len - from);
}

void pl_redact_report(const struct pl_redact *r, struct pl_str *out)
{
    bool any = false;
    for (int k = 0; k < PL_SECRETS; k++) {
        if (r->count[k] == 0)
            continue;
        pl_str_addf(out, "%s%s %u", any ? ", " : "", pl_secret_names[k], r->count[k]);
        any = true;
    }
    if (!any)
        pl_str_add(out, "nothing found");
}
