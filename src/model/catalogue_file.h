/* Rows of the catalogue that a user writes: a table in a text file.
 *
 *   file    = line*            lines end with a newline; empty ones and those with '#' in front are
 *                              skipped
 *   first   = column TAB ...   names of columns of data/models.tsv, in any order; "id" must be
 * there others  = cell TAB ...     as many cells; "-" = does not apply, "?" = it exists and is
 * unknown
 *
 * Columns that are left out are "-". */
#ifndef PL_MODEL_CATALOGUE_FILE_H
#define PL_MODEL_CATALOGUE_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "model/catalogue.h"

#define PL_CATALOGUE_FILE_MAX (4u << 20) /* bytes */
#define PL_CATALOGUE_FILE_ROWS_MAX 4096u

/* Parses n bytes; the rows and their texts live in arena, name too. What is left out is filled in:
 * display_name from the id, head_dim_k from n_embd / n_head, head_dim_v from head_dim_k,
 * params_text from params_total, tokenizer "bpe", kind "llm", source "name:line". -EINVAL (exit 2)
 * with file, line, column and, where one is known, a hint; -ENOMEM. */
int pl_catalogue_file_parse(const char *text, size_t n, const char *name, struct pl_arena *arena,
                            struct pl_catalogue_row **ret, size_t *ret_n, struct pl_err *err);

#endif
