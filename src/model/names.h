/* A model as people write it, to a row of the catalogue: "qwen3:8b", "Qwen/Qwen3-8B", "qwen3 8b
 * q4", "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf". */
#ifndef PL_MODEL_NAMES_H
#define PL_MODEL_NAMES_H

#include "base/err.h"
#include "model/catalogue.h"

#define PL_NAME_QUANT_MAX 24

/* Cuts a quantisation off the end, and what every name has ("-Instruct", "-GGUF", the publisher),
 * and looks for a row of the same spelling but for case and separators; without one, for rows that
 * have every word (not for a file's name, nor for one word of a letter or two). 0 with the row and
 * the quantisation ("" = none said); -ENOENT when no row is meant (err untouched); -EINVAL (exit 2,
 * the choices in the hint) when several are. */
int pl_name_resolve(const char *spec, const struct pl_catalogue_row **ret,
                    char ret_quant[PL_NAME_QUANT_MAX], struct pl_err *err);

#endif
