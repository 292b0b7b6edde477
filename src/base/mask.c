#include "base/mask.h"

#include "base/redact_match.h"

#include <ctype.h>
#include <string.h>

#define PL_MASK_NAME_MAX 64
#define PL_MASK_LONG 16 /* a value behind a name that need not be one of a secret ("token=") */

/* A name in its parts: "HF_TOKEN" and "--hf-token" are {hf, token}. */
struct pl_mask_name {
    char last[24], before[24]; /* lower case; "" = none */
    bool dashes, capital;      /* an option; letters are all capital */
    size_t len;                /* bytes of the text */
};

static bool pl_mask_one_of(const char *word, const char *const *list)
{
    for (size_t i = 0; list[i] != NULL; i++)
        if (pl_streq(word, list[i]))
            return true;
    return false;
}

static void pl_mask_part(struct pl_mask_name *n, const char *s, size_t len)
{
    memcpy(n->before, n->last, sizeof(n->last));
    len = len < sizeof(n->last) - 1 ? len : sizeof(n->last) - 1;
    for (size_t i = 0; i < len; i++)
        n->last[i] = (char)tolower((unsigned char)s[i]);
    n->last[len] = '\0';
}

static struct pl_mask_name pl_mask_name(const char *s, size_t len)
{
    struct pl_mask_name n = {.capital = true};
    size_t at = 0, from;
    while (at < len && at < 2 && s[at] == '-')
        at++;
    n.dashes = at > 0;
    for (from = at; at < len && at < PL_MASK_NAME_MAX; at++) {
        unsigned char c = (unsigned char)s[at];
        if (!isalnum(c) && c != '_' && c != '-')
            break;
        n.capital = n.capital && !islower(c);
        if (isalnum(c))
            continue;
        if (at > from)
            pl_mask_part(&n, s + from, at - from);
        from = at + 1;
    }
    if (at > from)
        pl_mask_part(&n, s + from, at - from);
    n.len = at;
    return n;
}

enum pl_mask_kind {
    PL_MASK_NOTHING = 0,
    PL_MASK_MAYBE, /* a long value is */
    PL_MASK_VALUE, /* the value is */
    PL_MASK_LINE,  /* all that follows is: "Authorization: Bearer X" */
};

/* "PGPASSWORD", "clientsecret": written as one word. */
static bool pl_mask_ends(const char *word, const char *const *list)
{
    for (size_t i = 0; list[i] != NULL; i++)
        if (pl_ends(word, list[i]))
            return true;
    return false;
}

/* What the value of a name is. "max-token", "eos_token" and "key" alone are none. */
static enum pl_mask_kind pl_mask_kind(const struct pl_mask_name *n)
{
    static const char *const always[] = {"password",    "passwd",     "passphrase", "secret",
                                         "apikey",      "credential", "hft",        "hftoken",
                                         "credentials", NULL};
    static const char *const whose_key[] = {"api",    "access", "secret",     "private", "auth",
                                            "client", "master", "encryption", "admin",   NULL};
    static const char *const whose_token[] = {"hf",      "access",  "auth",  "api",    "hub",
                                              "bearer",  "refresh", "id",    "github", "session",
                                              "hugging", "secret",  "gh",    "gitlab", "security",
                                              "bot",     "admin",   "login", NULL};
    if (pl_streq(n->last, "authorization"))
        return PL_MASK_LINE;
    if (pl_mask_ends(n->last, always))
        return PL_MASK_VALUE;
    bool variable = n->capital && !n->dashes;
    if (variable && n->before[0] != '\0' && (pl_streq(n->last, "pass") || pl_streq(n->last, "pwd")))
        return PL_MASK_VALUE; /* DB_PASS, MYSQL_PWD; not PWD */
    if (pl_streq(n->last, "key"))
        return pl_mask_one_of(n->before, whose_key) || (variable && n->before[0] != '\0')
                   ? PL_MASK_VALUE
                   : PL_MASK_NOTHING;
    if (!pl_streq(n->last, "token"))
        return PL_MASK_NOTHING;
    if (pl_mask_one_of(n->before, whose_token) || (variable && n->before[0] != '\0'))
        return PL_MASK_VALUE;
    return n->before[0] != '\0' ? PL_MASK_NOTHING : n->dashes ? PL_MASK_VALUE : PL_MASK_MAYBE;
}

/* Is the word an option whose next word is secret ("--api-key")? */
static bool pl_mask_option(const char *word)
{
    size_t len = strlen(word);
    struct pl_mask_name n = pl_mask_name(word, len);
    return n.dashes && n.len == len && pl_mask_kind(&n) >= PL_MASK_VALUE;
}

static void pl_mask_learn(struct pl_mask *m, const char *value)
{
    size_t len = strlen(value);
    for (uint32_t i = 0; i < m->n; i++)
        if (pl_streq(m->known[i], value))
            return;
    if (len < PL_MASK_VALUE_MIN || m->n == PL_MASK_KNOWN_MAX)
        return;
    m->known[m->n] = value;
    m->len[m->n++] = len;
}

/* "NAME=value", "--name=value": the value, when the name is one of a secret. */
static void pl_mask_assigned(struct pl_mask *m, const char *word)
{
    struct pl_mask_name n = pl_mask_name(word, strlen(word));
    if (word[n.len] == '=' && pl_mask_kind(&n) >= PL_MASK_VALUE)
        pl_mask_learn(m, word + n.len + 1);
}

void pl_mask_words(struct pl_mask *m, int argc, char *const *argv)
{
    for (int i = 0; i < argc; i++) {
        if (i > 0 && pl_mask_option(argv[i - 1]))
            pl_mask_learn(m, argv[i]);
        pl_mask_assigned(m, argv[i]);
    }
}

void pl_mask_environment(struct pl_mask *m, char *const *env)
{
    for (size_t i = 0; env != NULL && env[i] != NULL; i++)
        pl_mask_assigned(m, env[i]);
}

/* Bytes of a value: within its quotes or brackets, or to where a word ends. */
static size_t pl_mask_value(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && !isspace((unsigned char)s[n]) && strchr("\"'`,;&)]}", s[n]) == NULL &&
           s[n] != '\0')
        n++;
    return n;
}

static bool pl_mask_says_none(const char *s, size_t n)
{
    static const char *const none[] = {"none", "null", "true",       "false",
                                       "0",    "nil",  PL_MASK_TEXT, NULL};
    for (size_t i = 0; none[i] != NULL; i++)
        if (strlen(none[i]) == n && strncasecmp(none[i], s, n) == 0)
            return true;
    return n == 0;
}

/* A name and its value at s: bytes passed over, of which *ret_keep are kept; 0 when it is none. */
static size_t pl_mask_named(const char *s, size_t len, size_t *ret_keep)
{
    struct pl_mask_name n = pl_mask_name(s, len);
    enum pl_mask_kind kind = pl_mask_kind(&n);
    size_t at = n.len;
    if (kind == PL_MASK_NOTHING)
        return 0;
    if (at + 1 < len && s[at] == '\\' && s[at + 1] == '"') /* JSON within JSON */
        at++;
    if (at < len && (s[at] == '"' || s[at] == '\''))
        at++;
    size_t blank = at;
    while (at < len && s[at] == ' ' && at - blank < 4)
        at++;
    bool sign = at < len && (s[at] == '=' || s[at] == ':');
    if (!sign && !(n.dashes && at > blank))
        return 0;
    at += sign ? 1 : 0;
    char quote = '\0';
    for (; at < len && quote == '\0' && s[at] != '\0' && strchr(" [\\\"'", s[at]) != NULL; at++)
        quote = s[at] == '"' || s[at] == '\'' ? s[at] : '\0';
    *ret_keep = at;
    size_t value = pl_mask_value(s + at, len - at);
    const char *end = quote != '\0' ? memchr(s + at, quote, len - at) : NULL;
    if (end != NULL && memchr(s + at, '\n', (size_t)(end - (s + at))) == NULL)
        value = (size_t)(end - (s + at)); /* all between its quotes */
    if (kind == PL_MASK_LINE)
        while (at + value < len && strchr("\"'\n\r,}", s[at + value]) == NULL)
            value++;
    if (pl_mask_says_none(s + at, value) || (kind == PL_MASK_MAYBE && value < PL_MASK_LONG))
        return 0;
    return at + value;
}

/* Keys that show what they are by how they begin. */
static size_t pl_mask_prefixed(const char *s, size_t len)
{
    static const struct {
        const char *prefix;
        size_t least; /* characters behind it */
    } of[] = {
        {"hf_",         20},
        {"sk-",         20},
        {"ghp_",        20},
        {"gho_",        20},
        {"ghs_",        20},
        {"github_pat_", 20},
        {"glpat-",      16},
        {"xoxb-",       16},
        {"xoxp-",       16},
        {"xoxa-",       16},
        {"xoxr-",       16},
        {"xoxs-",       16},
        {"AIza",        30},
        {"sk_live_",    16},
        {"sk_test_",    16},
        {"nvapi-",      20},
        {"AKIA",        16},
        {"ASIA",        16},
        {"eyJ",         40},
    };
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        size_t n = strlen(of[i].prefix), at = n;
        if (n > len || memcmp(s, of[i].prefix, n) != 0)
            continue;
        while (at < len && (isalnum((unsigned char)s[at]) || s[at] == '_' || s[at] == '-' ||
                            (s[at] == '.' && of[i].least == 40)))
            at++;
        if (at - n >= of[i].least)
            return at;
    }
    return 0;
}

/* "Bearer X" outside of a header. */
static size_t pl_mask_bearer(const char *s, size_t len, size_t *ret_keep)
{
    if (len < 8 || strncasecmp(s, "bearer ", 7) != 0)
        return 0;
    size_t n = pl_mask_value(s + 7, len - 7);
    *ret_keep = 7;
    return n >= PL_MASK_LONG ? 7 + n : 0;
}

static size_t pl_mask_known(const struct pl_mask *m, const char *s, size_t len)
{
    for (uint32_t i = 0; m != NULL && i < m->n; i++)
        if (m->len[i] <= len && memcmp(s, m->known[i], m->len[i]) == 0)
            return m->len[i];
    return 0;
}

void pl_mask_add(const struct pl_mask *m, const char *text, size_t len, struct pl_str *out)
{
    size_t from = 0;
    for (size_t at = 0; at < len;) {
        const char *s = text + at;
        size_t left = len - at, keep = 0, n = pl_mask_known(m, s, left);
        bool begins = at == 0 || (!isalnum((unsigned char)s[-1]) && s[-1] != '_');
        if (n == 0 && (s[0] == '/' || (at > 0 && (s[-1] == '?' || s[-1] == '&'))))
            n = pl_secret_match(PL_SECRET_TOKEN, text, at, len, &keep);
        if (n == 0 && begins && (isalnum((unsigned char)s[0]) || s[0] == '-') &&
            (at == 0 || s[-1] != '-')) {
            n = pl_mask_prefixed(s, left);
            n = n == 0 ? pl_mask_named(s, left, &keep) : n;
            n = n == 0 ? pl_mask_bearer(s, left, &keep) : n;
        }
        if (n == 0) {
            at++;
            continue;
        }
        pl_str_addn(out, text + from, at + keep - from);
        pl_str_add(out, PL_MASK_TEXT);
        at += n;
        from = at;
    }
    pl_str_addn(out, text + from, len - from);
}

const char *pl_mask_text(const struct pl_mask *m, const char *text, char *out, size_t size)
{
    struct pl_str s;
    pl_str_init(&s, 4 * PL_MASK_TEXT_MAX);
    pl_mask_add(m, text, strnlen(text, PL_MASK_TEXT_MAX), &s);
    (void)pl_text_cut(out, size, s.failed ? PL_MASK_TEXT : pl_str_get(&s));
    pl_str_done(&s);
    return out;
}
