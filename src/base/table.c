#include "base/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PL_TABLE_WRAP_MIN 20 /* narrower, a last column is harder to read than a long line */

struct pl_table_line {
    bool rule;
    int cells;
    char cell[PL_TABLE_COLUMNS_MAX][PL_TABLE_CELL_MAX];
};

struct pl_table {
    int columns, rows, dropped;
    bool right[PL_TABLE_COLUMNS_MAX];
    struct pl_table_line title;
    struct pl_table_line *line; /* grows; owned */
    int line_size;
};

struct pl_table *pl_table_new(const char *const *titles)
{
    struct pl_table *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    for (; titles[t->columns] != NULL && t->columns < PL_TABLE_COLUMNS_MAX; t->columns++) {
        const char *name = titles[t->columns];
        t->right[t->columns] = name[0] == '>';
        (void)pl_fmt(t->title.cell[t->columns], PL_TABLE_CELL_MAX, "%s",
                     name[0] == '>' ? name + 1 : name);
    }
    t->title.cells = t->columns;
    return t;
}

struct pl_table *pl_table_free(struct pl_table *t)
{
    if (t != NULL)
        free(t->line);
    free(t);
    return NULL;
}

static struct pl_table_line *pl_table_add(struct pl_table *t)
{
    if (t == NULL)
        return NULL;
    if (t->rows == t->line_size) {
        int size = t->line_size == 0 ? 16 : t->line_size * 2;
        struct pl_table_line *p =
            size <= PL_TABLE_ROWS_MAX ? realloc(t->line, (size_t)size * sizeof(*p)) : NULL;
        if (p == NULL) {
            t->dropped++;
            return NULL;
        }
        t->line = p;
        t->line_size = size;
    }
    struct pl_table_line *line = &t->line[t->rows++];
    memset(line, 0, sizeof(*line));
    return line;
}

void pl_table_row(struct pl_table *t)
{
    (void)pl_table_add(t);
}

void pl_table_rule(struct pl_table *t)
{
    struct pl_table_line *line = pl_table_add(t);
    if (line != NULL)
        line->rule = true;
}

void pl_table_cell(struct pl_table *t, const char *fmt, ...)
{
    if (t == NULL || t->rows == 0 || t->dropped > 0)
        return;
    struct pl_table_line *line = &t->line[t->rows - 1];
    if (line->cells >= t->columns)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line->cell[line->cells++], PL_TABLE_CELL_MAX, fmt, ap);
    va_end(ap);
}

static int pl_text_width(const char *s)
{
    int n = 0;
    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static int pl_table_room; /* columns that a table may take; 0 = any */

void pl_table_within(int columns)
{
    pl_table_room = columns > 0 ? columns : 0;
}

int pl_terminal_columns(int fd)
{
    struct winsize w = {0};
    return isatty(fd) == 1 && ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

/* Bytes of s that fit into width characters, up to a blank where there is one; all when all fit. */
static size_t pl_text_fitting(const char *s, int width)
{
    size_t n = 0, blank = 0;
    for (int used = 0; s[n] != '\0'; n++) {
        used += ((unsigned char)s[n] & 0xc0) != 0x80;
        if (used > width)
            return blank > 0 ? blank : n;
        if (s[n] == ' ')
            blank = n;
    }
    return n;
}

/* Text of the last column, gone on below itself where it is wider than its column. */
static void pl_table_wrapped(const char *s, int width, int left, struct pl_str *out)
{
    for (;;) {
        size_t n = pl_text_fitting(s, width);
        pl_str_addf(out, "%.*s\n", (int)n, s);
        s += n + strspn(s + n, " ");
        if (*s == '\0')
            return;
        pl_str_addc(out, ' ', (size_t)left);
    }
}

static void pl_table_line_print(const struct pl_table *t, const struct pl_table_line *line,
                                const int *width, struct pl_str *out)
{
    int left = 0;
    for (int c = 0; c < t->columns; c++) {
        int text = pl_text_width(line->cell[c]);
        size_t pad = text < width[c] ? (size_t)(width[c] - text) : 0;
        bool last = c + 1 == t->columns;
        if (last && !t->right[c] && text > width[c]) {
            pl_table_wrapped(line->cell[c], width[c], left, out);
            return;
        }
        left += width[c] + 2;
        if (t->right[c])
            pl_str_addc(out, ' ', pad);
        pl_str_add(out, line->cell[c]);
        if (!t->right[c] && !last)
            pl_str_addc(out, ' ', pad);
        pl_str_add(out, last ? "\n" : "  ");
    }
}

void pl_table_print(const struct pl_table *t, struct pl_str *out, bool colour)
{
    if (t == NULL) {
        out->failed = true;
        return;
    }
    int width[PL_TABLE_COLUMNS_MAX] = {0};
    int total = 0;
    for (int c = 0; c < t->columns; c++) {
        width[c] = pl_text_width(t->title.cell[c]);
        for (int r = 0; r < t->rows; r++) {
            int w = pl_text_width(t->line[r].cell[c]);
            width[c] = w > width[c] ? w : width[c];
        }
        total += width[c] + (c > 0 ? 2 : 0);
    }
    int *last = &width[t->columns - 1];
    if (pl_table_room > 0 && total > pl_table_room) {
        int narrow = *last - (total - pl_table_room);
        narrow = narrow > PL_TABLE_WRAP_MIN ? narrow : PL_TABLE_WRAP_MIN;
        if (narrow < *last && !t->right[t->columns - 1]) {
            total -= *last - narrow;
            *last = narrow;
        }
    }
    if (colour)
        pl_str_add(out, "\033[1m");
    pl_table_line_print(t, &t->title, width, out);
    if (colour)
        pl_str_add(out, "\033[0m");
    for (int r = 0; r < t->rows; r++) {
        if (t->line[r].rule) {
            pl_str_addc(out, '-', (size_t)total);
            pl_str_addc(out, '\n', 1);
        } else {
            pl_table_line_print(t, &t->line[r], width, out);
        }
    }
    if (t->dropped > 0)
        pl_str_addf(out, "(%d rows not shown)\n", t->dropped);
}

static int pl_bar_at(int width, uint64_t value, uint64_t total)
{
    double at = (double)value / (double)total * (double)width;
    return at > (double)width ? width : (int)(at + 0.5);
}

void pl_bar(struct pl_str *out, int width, uint64_t used, uint64_t wanted, uint64_t ceiling,
            uint64_t total)
{
    int a = pl_bar_at(width, used, total);
    int b = pl_bar_at(width, used + wanted, total);
    int line = pl_bar_at(width, ceiling, total);
    pl_str_addc(out, '[', 1);
    for (int i = 0; i < width; i++) {
        if (line < width && i == line)
            pl_str_addc(out, '|', 1);
        else
            pl_str_addc(out, i < a ? '#' : i < b ? '=' : '.', 1);
    }
    pl_str_addc(out, ']', 1);
}

bool pl_colour_wanted(int fd)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if ((no != NULL && no[0] != '\0') || (term != NULL && strcmp(term, "dumb") == 0))
        return false;
    return isatty(fd) == 1;
}
