/* The device data as a table and as JSON. */
#ifndef PL_REPORT_DEVICE_ROWS_H
#define PL_REPORT_DEVICE_ROWS_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Rows whose id or name holds the word (any ASCII case); NULL = all. Returns how many. */
uint32_t pl_device_rows_text(const char *word, bool colour, struct pl_str *out);
/* One object, "plimsoll.devices/1". */
uint32_t pl_device_rows_json(const char *word, struct pl_str *out);

#endif
