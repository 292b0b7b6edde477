/* Words quoted for a shell, for systemd, for YAML and for llama-swap. */
#include "cli/emit.h"

#include <ctype.h>
#include <string.h>

/* Length of a "${NAME}" at s, 0 when there is none. */
static size_t pl_variable_at(const char *s)
{
    if (s[0] != '$' || s[1] != '{' || (!isalpha((unsigned char)s[2]) && s[2] != '_'))
        return 0;
    size_t n = 3;
    while (isalnum((unsigned char)s[n]) || s[n] == '_')
        n++;
    return s[n] == '}' ? n + 1 : 0;
}

static size_t pl_variable(const struct pl_emit_word *w, const char *s)
{
    return w->expand ? pl_variable_at(s) : 0;
}

void pl_emit_sh(struct pl_str *out, const struct pl_emit_word *w)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    const char *s = w->text;
    if (s[0] != '\0' && strspn(s, plain) == strlen(s)) {
        pl_str_add(out, s);
        return;
    }
    pl_str_add(out, "'");
    while (*s != '\0') {
        size_t n = pl_variable(w, s);
        if (n > 0) {
            pl_str_add(out, "'\"");
            pl_str_addn(out, s, n);
            pl_str_add(out, "\"'");
            s += n;
        } else {
            if (*s == '\'')
                pl_str_add(out, "'\\''");
            else
                pl_str_addn(out, s, 1);
            s++;
        }
    }
    pl_str_add(out, "'");
}

/* Quoted as systemd.syntax(7), with the specifiers of systemd.unit(5) and the variables of
 * systemd.service(5) made plain. */
bool pl_emit_unit(struct pl_str *out, const struct pl_emit_word *w)
{
    pl_str_add(out, "\"");
    for (const char *s = w->text; *s != '\0'; s++) {
        size_t n = pl_variable(w, s);
        unsigned char c = (unsigned char)*s;
        if (n > 0) {
            pl_str_addn(out, s, n);
            s += n - 1;
        } else if (c == '\\' || c == '"') {
            pl_str_addf(out, "\\%c", c);
        } else if (c == '%' || c == '$') {
            pl_str_addf(out, "%c%c", c, c);
        } else if (c < 0x20 || c == 0x7f) {
            pl_str_addf(out, "\\x%02x", c);
        } else {
            pl_str_addn(out, s, 1);
        }
    }
    pl_str_add(out, "\"");
    return !out->failed;
}

/* What YAML takes for the end of a line besides LF and CR, and a terminal for a command: the
 * characters U+0080 to U+009F, U+2028, U+2029, as UTF-8. Returns the bytes of one at s, 0 for
 * none. */
static size_t pl_break_at(const char *s, uint32_t *ret)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0) {
        *ret = u[1];
        return 2;
    }
    if (u[0] != 0xe2 || u[1] != 0x80 || (u[2] != 0xa8 && u[2] != 0xa9))
        return 0;
    *ret = u[2] == 0xa8 ? 0x2028 : 0x2029;
    return 3;
}

void pl_emit_yaml(struct pl_str *out, const char *text)
{
    pl_str_add(out, "\"");
    for (const char *s = text; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        uint32_t code;
        size_t n = pl_break_at(s, &code);
        if (n > 0) {
            pl_str_addf(out, "\\u%04x", code);
            s += n - 1;
        } else if (c == '\\' || c == '"')
            pl_str_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            pl_str_addf(out, "\\x%02x", c);
        else
            pl_str_addn(out, s, 1);
    }
    pl_str_add(out, "\"");
}

void pl_emit_compose_word(struct pl_str *out, const struct pl_emit_word *w)
{
    struct pl_str plain;
    pl_str_init(&plain, PL_EMIT_TEXT_MAX);
    for (const char *s = w->text; *s != '\0'; s++) {
        size_t n = pl_variable(w, s);
        if (n > 0)
            pl_str_addn(&plain, s, n);
        else
            pl_str_addn(&plain, *s == '$' ? "$$" : s, *s == '$' ? 2 : 1);
        s += n > 0 ? n - 1 : 0;
    }
    out->failed |= plain.failed;
    pl_emit_yaml(out, pl_str_get(&plain));
    pl_str_done(&plain);
}

/* llama-swap splits a command as a shell does, drops lines that are comments, and fills in ${...}
 * wherever it stands. */
bool pl_emit_swap_word(struct pl_str *out, const struct pl_emit_word *w)
{
    const char *s = w->text;
    if (strpbrk(s, "\n\r") != NULL)
        return false;
    pl_str_add(out, "'");
    while (*s != '\0') {
        size_t n = pl_variable(w, s);
        if (n > 0) {
            pl_str_add(out, "${env.");
            pl_str_addn(out, s + 2, n - 2);
            s += n;
            continue;
        }
        if (s[0] == '$' && s[1] == '{')
            return false;
        if (*s == '\'')
            pl_str_add(out, "'\"'\"'");
        else
            pl_str_addn(out, s, 1);
        s++;
    }
    pl_str_add(out, "'");
    return true;
}

void pl_emit_comment(struct pl_str *out, const char *text)
{
    pl_str_add(out, "# ");
    for (const char *s = text; *s != '\0'; s++) {
        uint32_t code;
        size_t n = pl_break_at(s, &code);
        pl_str_addn(out, n > 0 || (unsigned char)*s < 0x20 || *s == 0x7f ? " " : s, 1);
        s += n > 0 ? n - 1 : 0;
    }
    pl_str_add(out, "\n");
}
