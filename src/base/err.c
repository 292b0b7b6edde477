#include "base/err.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pl_fail(struct pl_err *err, int code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    memset(err, 0, sizeof(*err));
    err->code = code;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->what, sizeof(err->what), fmt, ap);
    va_end(ap);
    pl_text_clean(err->what);
    return code;
}

int pl_hint(struct pl_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
    pl_text_clean(err->hint);
    return err->code;
}

int pl_exit_as(struct pl_err *err, int code, enum pl_exit exit_code)
{
    if (err != NULL)
        err->exit_code = (int)exit_code;
    return code;
}

void pl_err_at(struct pl_err *err, const char *file, uint32_t line, uint32_t col)
{
    if (err == NULL)
        return;
    (void)snprintf(err->file, sizeof(err->file), "%s", file);
    pl_text_clean(err->file);
    err->line = line;
    err->col = col;
}
