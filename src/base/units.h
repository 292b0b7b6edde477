/* Sizes in text. Inside the program bytes are uint64_t. MiB and GiB are binary, MB and GB decimal;
 * the two are never mixed and no output says a bare "G". */
#ifndef PL_BASE_UNITS_H
#define PL_BASE_UNITS_H

#include "base/err.h"

#include <stdint.h>

#define PL_KIB (1024ull)
#define PL_MIB (1024ull * 1024ull)
#define PL_GIB (1024ull * 1024ull * 1024ull)

/* Room for any formatted size. */
#define PL_SIZE_TEXT_MAX 32

/* Reads "512MiB", "5.5GB", "5.5 GiB", "4096" (bytes), "100B". Rejects negative, unknown or missing
 * digits, bare K/M/G (ambiguous; the hint names both readings) and values over 2^64-1. Fractions
 * are rounded to the nearest byte. Returns 0, -EINVAL or -ERANGE. */
int pl_size_parse(const char *text, uint64_t *ret_bytes, struct pl_err *err);

/* "1.50 GiB", "512 MiB", "3.2 MiB", "640 KiB", "12 B": binary, three significant digits or more.
 * Returns out. */
const char *pl_size_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX]);

/* Always MiB, grouped for tables: "4789.3 MiB". Returns out. */
const char *pl_mib_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX]);

/* Decimal, as vendors and file listings count: "5.03 GB". Returns out. */
const char *pl_gb_text(uint64_t bytes, char out[PL_SIZE_TEXT_MAX]);

#endif
