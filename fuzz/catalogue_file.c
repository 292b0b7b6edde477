/* A user's rows of the catalogue: any bytes give rows that keep their promises, or an error that
 * says where; a model is built of each row, or it is said why not. */
#include "model/catalogue_file.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define PL_FUZZ_MODELS 4u /* of one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_text(const char *s)
{
    char copy[2048];
    if (s == NULL)
        return;
    pl_fuzz_check(PL_FMT(copy, "%s", s));
    pl_text_clean(copy);
    pl_fuzz_check(pl_streq(copy, s));
}

static void pl_fuzz_model(const struct pl_catalogue_row *row)
{
    static const char *const quants[] = {"q4_k_m", "f16", "iq2_xxs"};
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    for (size_t i = 0; i < sizeof(quants) / sizeof(quants[0]); i++) {
        int rc = pl_catalogue_model(row, quants[i], &m, &err);
        pl_fuzz_check(rc == 0 || err.what[0] != '\0');
        for (uint64_t t = 0; rc == 0 && t < m->n_tensor; t++)
            pl_fuzz_check(m->tensor[t].bytes > 0 && m->tensor[t].name[0] != '\0');
        if (rc == 0)
            m = pl_model_free(m);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_arena arena;
    struct pl_catalogue_row *row = NULL;
    struct pl_err err = {0};
    size_t n_row = 0;
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    pl_arena_init(&arena, 16u << 20);
    int rc = pl_catalogue_file_parse(text, n, "rows.tsv", &arena, &row, &n_row, &err);
    free(text); /* nothing may point into it */
    if (rc < 0)
        pl_fuzz_check(err.code == rc && err.what[0] != '\0' &&
                      (err.exit_code != PL_EXIT_USAGE || pl_streq(err.file, "rows.tsv")));
    for (size_t i = 0; rc == 0 && i < n_row; i++) {
        pl_fuzz_check(row[i].id != NULL && row[i].id[0] != '\0' && row[i].line > 1 &&
                      row[i].source != NULL && row[i].kind != NULL);
        pl_fuzz_text(row[i].display_name);
        pl_fuzz_text(row[i].note);
        for (size_t k = 0; k < i; k++)
            pl_fuzz_check(!pl_streq(row[i].id, row[k].id));
        if (i < PL_FUZZ_MODELS)
            pl_fuzz_model(&row[i]);
    }
    pl_arena_done(&arena);
    return 0;
}
