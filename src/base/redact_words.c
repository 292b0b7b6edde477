#include "base/redact_words.h"

#include "base/redact_match.h"

#include <ctype.h>
#include <string.h>

#define PL_MASK "<secret>"
#define PL_TOKEN_LEAST 16 /* characters behind the prefix of a token's form */

static const char pl_blanks[] = " \t\n;'\"";

/* One part of a name, between '-', '_' and '.': "key", "PGPASSWORD". */
static bool pl_secret_part(const char *part, size_t n)
{
    static const char *const whole[] = {"key", "pass", "pwd", "bearer", "hft", "credentials"};
    static const char *const ends[] = {"apikey",   "token",  "secret",
                                       "password", "passwd", "credential"};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        if (strlen(whole[i]) == n && strncasecmp(part, whole[i], n) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t len = strlen(ends[i]);
        if (len <= n && strncasecmp(part + n - len, ends[i], len) == 0)
            return true;
    }
    return false;
}

/* "--api-key", "HF_TOKEN": does the name say that its value is secret? Not where the value is a
 * file or a number of them ("--api-key-file", "--key-size"). */
static bool pl_secret_name(const char *name, size_t n)
{
    static const char *const not_it[] = {"file", "path", "id", "name", "size", "length", "type"};
    bool secret = false;
    for (size_t i = 0; i < n; i++) { /* a URL with parameters is no name */
        if (!isalnum((unsigned char)name[i]) && strchr("-_.", name[i]) == NULL)
            return false;
    }
    for (size_t at = 0; at < n;) {
        size_t len = 0;
        while (at + len < n && strchr("-_.", name[at + len]) == NULL)
            len++;
        secret = secret || pl_secret_part(name + at, len);
        for (size_t i = 0; at + len == n && i < sizeof(not_it) / sizeof(not_it[0]); i++) {
            if (strlen(not_it[i]) == len && strncasecmp(name + at, not_it[i], len) == 0)
                return false;
        }
        at += len + 1;
    }
    return secret;
}

/* hf_..., sk-...: tokens that say by their first letters what they are. */
static bool pl_secret_form(const char *text, size_t n)
{
    static const char *const forms[] = {"hf_",    "sk-", "sk_",  "ghp_", "gho_",  "github_pat_",
                                        "glpat-", "xox", "AKIA", "AIza", "eyJhbG"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t head = strlen(forms[i]), k = head;
        if (n < head + PL_TOKEN_LEAST || strncmp(text, forms[i], head) != 0)
            continue;
        while (k < n && (isalnum((unsigned char)text[k]) || strchr("_-.=+/", text[k]) != NULL))
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* Without passwords and parameters of URLs. */
static void pl_redact_url(const char *text, size_t n, struct pl_str *out)
{
    for (size_t at = 0; at < n;) {
        size_t keep = 0, len = pl_secret_match(PL_SECRET_TOKEN, text, at, n, &keep);
        if (len == 0) {
            pl_str_addn(out, text + at++, 1);
            continue;
        }
        pl_str_addn(out, text + at, keep);
        pl_str_add(out, PL_MASK);
        at += len;
    }
}

/* One token, without blanks: "HF_TOKEN=hf_...", "--env=KEY=...", "--api-key", a plain one. */
static void pl_redact_token(struct pl_redact_words *r, const char *text, size_t n,
                            struct pl_str *out)
{
    bool value = r->value;
    r->value = false;
    if (value && n > 0 && (text[0] != '-' || n == 1)) {
        /* "Authorization: Bearer TOKEN": the secret is what follows */
        r->value = n == 6 && strncasecmp(text, "Bearer", n) == 0;
        if (r->value)
            pl_str_addn(out, text, n);
        else
            pl_str_add(out, PL_MASK);
        return;
    }
    size_t from = 0, equal = 0;
    for (; equal < n; equal++) {
        if (text[equal] != '=')
            continue;
        if (pl_secret_name(text + from, equal - from)) {
            pl_redact_url(text, equal + 1, out);
            pl_str_add(out, equal + 1 < n ? PL_MASK : "");
            r->value = equal + 1 == n; /* KEY='...': behind the quote */
            return;
        }
        from = equal + 1;
    }
    if (pl_secret_form(text + from, n - from)) {
        pl_redact_url(text, from, out);
        pl_str_add(out, PL_MASK);
        return;
    }
    bool header = n > 1 && text[n - 1] == ':'; /* "X-API-Key: ..." */
    r->value = (n > 1 && text[0] == '-' && pl_secret_name(text, n)) ||
               (header && (pl_secret_name(text, n - 1) ||
                           (n == 14 && strncasecmp(text, "Authorization:", n) == 0)));
    pl_redact_url(text, n, out);
}

void pl_redact_word(struct pl_redact_words *r, const char *word, struct pl_str *out)
{
    while (*word != '\0') {
        size_t n = strcspn(word, pl_blanks);
        if (n > 0)
            pl_redact_token(r, word, n, out);
        word += n;
        n = strspn(word, pl_blanks);
        pl_str_addn(out, word, n);
        word += n;
    }
}
