#include "sys/http_facts.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

#define PL_HTTP_VALUE_MAX 512 /* bytes of a value that are looked at */

/* Source of the grammar: RFC 9110, 14.4 Content-Range. */
void pl_http_facts_range(struct pl_http_facts *f, const char *value)
{
    uint64_t first = 0, last = 0, total = 0;
    bool range = false;
    f->has_range = f->has_total = false;
    f->bad_range = true;
    if (strncasecmp(value, "bytes ", 6) != 0)
        return;
    value += 6 + strspn(value + 6, " ");
    if (value[0] == '*') {
        value++;
    } else {
        range = pl_take_u64(&value, &first) && *value++ == '-' && pl_take_u64(&value, &last);
        if (!range || last < first)
            return;
    }
    if (*value++ != '/')
        return;
    bool known = !pl_streq(value, "*");
    if (known && (!pl_take_u64(&value, &total) || *value != '\0'))
        return;
    if ((known && range && last >= total) || (!known && !range))
        return;
    f->bad_range = false;
    f->has_range = range;
    f->has_total = known;
    f->first = first;
    f->last = last;
    f->total = total;
}

/* Keeps a value whole or not at all: half a tag is another tag. */
static void pl_facts_text(char *out, size_t size, const char *value)
{
    out[0] = '\0';
    for (const char *s = value; *s != '\0'; s++) {
        if (*s < ' ' || *s > '~')
            return;
    }
    if (!pl_fmt(out, size, "%s", value))
        out[0] = '\0';
}

static void pl_facts_number(bool *has, uint64_t *ret, const char *value)
{
    *has = pl_parse_u64(value, ret);
}

static void pl_facts_value(struct pl_http_facts *f, const char *name, const char *value)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } texts[] = {
        {"etag",          f->etag,         sizeof(f->etag)        },
        {"last-modified", f->modified,     sizeof(f->modified)    },
        {"x-linked-etag", f->linked_etag,  sizeof(f->linked_etag) },
        {"x-error-code",  f->error_code,   sizeof(f->error_code)  },
        {"content-type",  f->content_type, sizeof(f->content_type)},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcasecmp(name, texts[i].name) == 0)
            pl_facts_text(texts[i].out, texts[i].size, value);
    }
    if (strcasecmp(name, "content-range") == 0)
        pl_http_facts_range(f, value);
    else if (strcasecmp(name, "content-length") == 0)
        pl_facts_number(&f->has_length, &f->length, value);
    else if (strcasecmp(name, "x-linked-size") == 0)
        pl_facts_number(&f->has_linked_size, &f->linked_size, value);
    else if (strcasecmp(name, "retry-after") == 0)
        pl_facts_number(&f->has_retry_after, &f->retry_after_s, value);
    else if (strcasecmp(name, "content-encoding") == 0)
        f->encoded = value[0] != '\0' && strcasecmp(value, "identity") != 0;
}

void pl_http_facts_line(struct pl_http_facts *f, const char *line, size_t n)
{
    char text[PL_HTTP_VALUE_MAX];
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        memset(f, 0, sizeof(*f));
        return;
    }
    while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' ' ||
                     line[n - 1] == '\t'))
        n--;
    if (n == 0 || n >= sizeof(text) || memchr(line, '\0', n) != NULL)
        return;
    memcpy(text, line, n);
    text[n] = '\0';
    char *colon = strchr(text, ':');
    if (colon == NULL)
        return;
    *colon = '\0';
    pl_facts_value(f, text, colon + 1 + strspn(colon + 1, " \t"));
}
