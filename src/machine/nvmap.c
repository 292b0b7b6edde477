#include "machine/nvmap.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define PL_NVMAP_BYTES_MAX (1ull << 52)

/* Cuts the last word off s; NULL when there is none. */
static char *pl_nvmap_last(char *s)
{
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
    size_t end = n;
    while (n > 0 && !isspace((unsigned char)s[n - 1]))
        n--;
    if (n == end)
        return NULL;
    if (n > 0)
        s[n - 1] = '\0';
    return s + n;
}

/* "18140K", "12M", "4096". */
static bool pl_nvmap_size(const char *s, uint64_t *ret)
{
    char digits[24];
    uint64_t n = 0, unit = 1;
    size_t len = strspn(s, "0123456789");
    if (len == 0 || len >= sizeof(digits))
        return false;
    memcpy(digits, s, len);
    digits[len] = '\0';
    if (pl_streq(s + len, "K"))
        unit = 1ull << 10;
    else if (pl_streq(s + len, "M"))
        unit = 1ull << 20;
    else if (pl_streq(s + len, "G"))
        unit = 1ull << 30;
    else if (s[len] != '\0' && !pl_streq(s + len, "B"))
        return false;
    if (!pl_parse_u64(digits, &n) || !pl_mul_u64(n, unit, &n) || n > PL_NVMAP_BYTES_MAX)
        return false;
    *ret = n;
    return true;
}

static bool pl_nvmap_held(char *line, bool pss, struct pl_quantity *ret)
{
    uint64_t size = 0, share = 0;
    const char *word = pl_nvmap_last(line);
    if (word == NULL || !pl_nvmap_size(word, &size))
        return false;
    share = size;
    if (pss) {
        word = pl_nvmap_last(line);
        if (word == NULL || !pl_nvmap_size(word, &share))
            return false;
    }
    *ret = pl_between(share < size ? share : size, size, size, PL_SOURCE_MEASURED,
                      "nvmap/iovmm/clients");
    return true;
}

static bool pl_nvmap_line(char *line, bool pss, struct pl_nvmap_client *c)
{
    if (!pl_nvmap_held(line, pss, &c->held))
        return false;
    const char *word = pl_nvmap_last(line);
    if (word == NULL || !pl_parse_i64(word, &c->pid) || c->pid < 0)
        return false;
    while (isspace((unsigned char)*line))
        line++;
    line += strcspn(line, " \t"); /* the client: "user" */
    while (isspace((unsigned char)*line))
        line++;
    size_t n = strlen(line);
    while (n > 0 && isspace((unsigned char)line[n - 1]))
        line[--n] = '\0';
    (void)PL_FMT(c->name, "%s", line);
    pl_text_clean(c->name);
    return true;
}

static void pl_nvmap_add(char *line, bool pss, struct pl_nvmap *r)
{
    struct pl_nvmap_client c = {.pid = 0};
    if (line[strspn(line, " \t")] == '\0')
        return;
    if (pl_starts(line, "total")) {
        if (!pl_nvmap_held(line, pss, &r->total))
            r->left_out++;
    } else if (!pl_nvmap_line(line, pss, &c) || r->n >= PL_NVMAP_MAX) {
        r->left_out++;
    } else {
        r->client[r->n++] = c;
    }
}

void pl_nvmap_parse(const char *text, struct pl_nvmap *ret)
{
    bool head = false, pss = false;
    *ret = (struct pl_nvmap){.total = PL_QUANTITY_UNKNOWN("no total line")};
    while (*text != '\0') {
        char line[160]; /* longer lines are not of this file */
        size_t n = strcspn(text, "\n");
        if (n < sizeof(line)) {
            memcpy(line, text, n);
            line[n] = '\0';
            if (pl_starts(line, "CLIENT")) {
                head = true;
                pss = strstr(line, " PSS ") != NULL;
            } else if (head) {
                pl_nvmap_add(line, pss, ret);
            }
        } else {
            ret->left_out++;
        }
        text += n + (text[n] == '\n' ? 1 : 0);
    }
}
