#include "report/csv.h"

#include <string.h>

void pl_csv_text(const char *text, struct pl_str *out)
{
    size_t n = strlen(text);
    bool ends = n > 0 && (text[0] == ' ' || text[n - 1] == ' ');
    if (!ends && strpbrk(text, ",\"\r\n") == NULL) {
        pl_str_add(out, text);
        return;
    }
    pl_str_add(out, "\"");
    for (const char *c = text; *c != '\0'; c++)
        pl_str_addn(out, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    pl_str_add(out, "\"");
}
