#include "sys/cpulist.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Digits at *s into *ret, moving *s behind them. */
static bool pl_list_number(const char **s, uint32_t *ret)
{
    uint32_t n = 0;
    const char *from = *s;
    for (; isdigit((unsigned char)**s); (*s)++) {
        if (n > 100000000u)
            return false;
        n = n * 10 + (uint32_t)(**s - '0');
    }
    *ret = n;
    return *s != from;
}

int pl_parse_list(const char *text, bool *set, uint32_t n, uint32_t *ret_count)
{
    uint32_t count = 0;
    memset(set, 0, n * sizeof(*set));
    const char *s = text;
    while (*s != '\0' && !isspace((unsigned char)*s)) {
        uint32_t from = 0, to = 0;
        if (!pl_list_number(&s, &from))
            return -EBADMSG;
        to = from;
        if (*s == '-') {
            s++;
            if (!pl_list_number(&s, &to) || to < from)
                return -EBADMSG;
        }
        if (to >= n)
            return -ERANGE;
        for (uint32_t i = from; i <= to; i++) {
            count += set[i] ? 0 : 1;
            set[i] = true;
        }
        if (*s == ',')
            s++;
        else if (*s != '\0' && !isspace((unsigned char)*s))
            return -EBADMSG;
    }
    *ret_count = count;
    return 0;
}

int pl_parse_mask(const char *text, bool *set, uint32_t n, uint32_t *ret_count)
{
    size_t len = strcspn(text, " \t\n");
    uint32_t count = 0, bit = 0;
    memset(set, 0, n * sizeof(*set));
    if (len == 0)
        return -EBADMSG;
    for (size_t i = len; i > 0; i--) {
        int c = tolower((unsigned char)text[i - 1]);
        if (c == ',')
            continue;
        if (!isxdigit(c))
            return -EBADMSG;
        uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        for (uint32_t k = 0; k < 4; k++, bit++) {
            if ((digit >> k & 1) == 0)
                continue;
            if (bit >= n)
                return -ERANGE;
            set[bit] = true;
            count++;
        }
    }
    *ret_count = count;
    return 0;
}
