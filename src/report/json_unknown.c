#include "report/json_unknown.h"

void pl_json_count(struct pl_json *j, const char *key, uint64_t n)
{
    if (n == 0)
        pl_json_null(j, key);
    else
        pl_json_u64(j, key, n);
}

void pl_json_word(struct pl_json *j, const char *key, const char *text)
{
    pl_json_str(j, key, text[0] != '\0' ? text : NULL);
}
