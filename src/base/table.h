/* Text tables and bars. Colour only when asked for by the caller, who knows whether the output is a
 * terminal (see pl_colour_wanted). Widths count UTF-8 characters, not bytes. */
#ifndef PL_BASE_TABLE_H
#define PL_BASE_TABLE_H

#include "base/str.h"

#include <stdbool.h>

#define PL_TABLE_COLUMNS_MAX 12
#define PL_TABLE_ROWS_MAX 512
#define PL_TABLE_CELL_MAX 200

struct pl_table;

/* Column titles end with NULL; a title that begins with '>' is set flush right. NULL when there is
 * no memory. Free with pl_table_free (accepts NULL, returns NULL). */
struct pl_table *pl_table_new(const char *const *titles);
struct pl_table *pl_table_free(struct pl_table *t);

/* Starts a row; then one pl_table_cell per column. Cells beyond the limits are dropped and the text
 * says so. A rule is a line between rows. */
void pl_table_row(struct pl_table *t);
void pl_table_cell(struct pl_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pl_table_rule(struct pl_table *t);

/* Tables of this process are kept within so many columns where they can be: text of the last column
 * goes on below itself. 0 (as at the start): a table is as wide as it needs. For the program's
 * start, which knows whether its output is a terminal. */
void pl_table_within(int columns);

/* Columns of the terminal fd; 0 when it is none, or does not say. */
int pl_terminal_columns(int fd);

void pl_table_print(const struct pl_table *t, struct pl_str *out, bool colour);

/* "[#####=====|.........]": used, wanted, the ceiling mark, free; width characters between the
 * brackets. Values are any common unit; total > 0. */
void pl_bar(struct pl_str *out, int width, uint64_t used, uint64_t wanted, uint64_t ceiling,
            uint64_t total);

/* True when fd is a terminal, NO_COLOR is unset or empty, and TERM is not "dumb". */
bool pl_colour_wanted(int fd);

#endif
