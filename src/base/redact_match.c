#include "base/redact_match.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

static bool pl_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

static bool pl_at(const char *text, size_t at, size_t len, const char *word)
{
    size_t n = strlen(word);
    return n <= len - at && strncasecmp(text + at, word, n) == 0;
}

/* May a word end before this byte? */
static bool pl_ends_word(const char *s, size_t i, size_t len)
{
    return i >= len || (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-');
}

static size_t pl_match_uuid(const char *s, size_t len)
{
    static const size_t part[] = {8, 4, 4, 4, 12};
    size_t at = 0;
    for (size_t k = 0; k < 5; k++) {
        for (size_t i = 0; i < part[k]; i++, at++) {
            if (at >= len || !pl_hex(s[at]))
                return 0;
        }
        if (k < 4 && (at >= len || s[at++] != '-'))
            return 0;
    }
    return pl_ends_word(s, at, len) ? at : 0;
}

/* Drivers write "GPU-<uuid>" and "MIG-<uuid>". */
static size_t pl_match_prefixed_uuid(const char *s, size_t len, size_t *ret_keep)
{
    *ret_keep = 0;
    if (pl_at(s, 0, len, "GPU-") || pl_at(s, 0, len, "MIG-"))
        *ret_keep = pl_at(s, 4, len, "GPU-") ? 8 : 4;
    size_t n = pl_match_uuid(s + *ret_keep, len - *ret_keep);
    return n > 0 ? n + *ret_keep : 0;
}

static size_t pl_match_mac(const char *s, size_t len)
{
    for (size_t i = 0; i < 17; i++) {
        if (i >= len || (i % 3 == 2 ? s[i] != ':' : !pl_hex(s[i])))
            return 0;
    }
    return pl_ends_word(s, 17, len) && (len == 17 || s[17] != ':') ? 17 : 0;
}

/* Four numbers up to 255, not part of a longer one or of a name ("5.15.153.1-microsoft"). */
static size_t pl_match_ipv4(const char *s, size_t len)
{
    size_t at = 0;
    unsigned first = 0;
    for (int k = 0; k < 4; k++) {
        unsigned n = 0, digits = 0;
        for (; at < len && isdigit((unsigned char)s[at]) && digits < 4; at++, digits++)
            n = n * 10 + (unsigned)(s[at] - '0');
        if (digits == 0 || digits > 3 || n > 255 || (k < 3 && (at >= len || s[at++] != '.')))
            return 0;
        first = k == 0 ? n : first;
    }
    if (!pl_ends_word(s, at, len) ||
        (at + 1 < len && s[at] == '.' && isdigit((unsigned char)s[at + 1])))
        return 0;
    return first == 127 || (at == 7 && strncmp(s, "0.0.0.0", 7) == 0) ? 0 : at;
}

/* Seven colons, or "::" with three groups and more; "::1" is this machine. PCI addresses and times
 * have two colons. */
static size_t pl_match_ipv6(const char *s, size_t len)
{
    size_t at = 0, colons = 0, groups = 0, run = 0;
    bool twice = false, digit = false;
    for (; at < len && (pl_hex(s[at]) || s[at] == ':'); at++) {
        if (s[at] != ':') {
            groups += run == 0 ? 1 : 0;
            digit = digit || isdigit((unsigned char)s[at]);
            if (++run > 4)
                return 0;
            continue;
        }
        twice = twice || (at > 0 && s[at - 1] == ':');
        colons++;
        run = 0;
    }
    if (at < 4 || !pl_ends_word(s, at, len) || !digit || colons > 7)
        return 0;
    return colons == 7 || (twice && groups >= 2) ? at : 0;
}

/* The name after one of these folders. */
static size_t pl_match_user(const char *text, size_t at, size_t len, size_t *ret_keep)
{
    static const char *const home[] = {"/home/", "/Users/", "/run/media/", "/media/",
                                       "/mnt/c/Users/"};
    for (size_t i = 0; i < sizeof(home) / sizeof(home[0]); i++) {
        size_t n = strlen(home[i]);
        if (n > len - at || strncmp(text + at, home[i], n) != 0)
            continue;
        size_t name = 0;
        while (at + n + name < len && strchr("/ \t\n\"',:;)\\", text[at + n + name]) == NULL &&
               text[at + n + name] != '\0')
            name++;
        *ret_keep = n;
        return name > 0 ? n + name : 0;
    }
    return 0;
}

static bool pl_url_char(char c)
{
    return c > ' ' && c != '"' && c != '\'' && c != '<' && c != '>' && c != '\\' && c != 127;
}

/* "//user:password@" of a URL, or the value of a parameter that says it is secret. */
static size_t pl_match_token(const char *text, size_t at, size_t len, size_t *ret_keep)
{
    static const char *const name[] = {"token=",
                                       "access_token=",
                                       "api_key=",
                                       "apikey=",
                                       "password=",
                                       "passwd=",
                                       "secret=",
                                       "key=",
                                       "signature=",
                                       "sig=",
                                       "x-amz-signature=",
                                       "x-amz-credential=",
                                       "policy=",
                                       "key-pair-id=",
                                       "x-goog-signature=",
                                       "x-goog-credential=",
                                       "x-amz-security-token="};
    size_t n = 0;
    if (at >= 1 && text[at - 1] == ':' && pl_at(text, at, len, "//")) {
        for (n = 2; at + n < len && pl_url_char(text[at + n]) && text[at + n] != '/'; n++) {
            if (text[at + n] == '@') {
                *ret_keep = 2;
                return n > 2 ? n : 0;
            }
        }
        return 0;
    }
    if (at == 0 || (text[at - 1] != '?' && text[at - 1] != '&'))
        return 0;
    for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
        if (!pl_at(text, at, len, name[i]))
            continue;
        *ret_keep = strlen(name[i]);
        for (n = *ret_keep; at + n < len && pl_url_char(text[at + n]) && text[at + n] != '&'; n++)
            ;
        return n > *ret_keep ? n : 0;
    }
    return 0;
}

size_t pl_secret_match(enum pl_secret_kind kind, const char *text, size_t at, size_t len,
                       size_t *ret_keep)
{
    const char *s = text + at;
    size_t left = len - at;
    *ret_keep = 0;
    switch (kind) {
    case PL_SECRET_USER:
        return pl_match_user(text, at, len, ret_keep);
    case PL_SECRET_IPV4:
        return at > 0 && s[-1] == '.' ? 0 : pl_match_ipv4(s, left);
    case PL_SECRET_IPV6:
        return at > 0 && s[-1] == ':' ? 0 : pl_match_ipv6(s, left);
    case PL_SECRET_MAC:
        return at > 0 && s[-1] == ':' ? 0 : pl_match_mac(s, left);
    case PL_SECRET_UUID:
        return pl_match_prefixed_uuid(s, left, ret_keep);
    case PL_SECRET_TOKEN:
        return pl_match_token(text, at, len, ret_keep);
    case PL_SECRET_HOST:
    case PL_SECRET_SERIAL:
    case PL_SECRET_ARGUMENT:
    case PL_SECRETS:
        return 0; /* known by path or by name, not by form */
    }
    return 0;
}

static bool pl_plain_word(const char *word, size_t n, const char *also)
{
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)word[i]) && strchr(also, word[i]) == NULL)
            return false;
    }
    return n > 0;
}

bool pl_argument_stays(const char *word, size_t n, bool after_module_option)
{
    if (n == 0)
        return true;
    if (after_module_option)
        return pl_plain_word(word, n, "._-");
    /* the name of an option; words of one kind of digits could be a key: "-abc" stays, "5" goes */
    return n >= 2 && n <= 32 && word[0] == '-' && pl_plain_word(word + 1, n - 1, "_-");
}

/* A script an interpreter runs: "/usr/bin/vllm", "app.py"; or a subcommand: "serve". */
bool pl_argument_is_program(const char *word, size_t n)
{
    bool script =
        (n > 3 && strncmp(word + n - 3, ".py", 3) == 0) || memmem(word, n, "/bin/", 5) != NULL;
    bool verb = n <= 16;
    for (size_t i = 0; i < n; i++)
        verb = verb && islower((unsigned char)word[i]);
    return script || verb;
}

size_t pl_option_name(const char *word, size_t n)
{
    const char *equal = memchr(word, '=', n);
    return equal != NULL ? (size_t)(equal - word) + 1 : 0;
}
