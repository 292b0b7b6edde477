/* What the readers of a machine file's parts share; for machine_file*.c alone. */
#ifndef PL_MACHINE_MACHINE_FILE_IMPL_H
#define PL_MACHINE_MACHINE_FILE_IMPL_H

#include "base/err.h"
#include "base/json.h"
#include "domain/machine.h"

#include <stddef.h>

/* "pools[1].capacity" for messages. */
struct pl_field {
    const char *list; /* "pools" */
    size_t index;
    const char *name;
    struct pl_err *err;
};

/* -EINVAL with the field's name before the reason. */
int pl_field_bad(const struct pl_field *f, const char *why);

/* Why an amount is unknown, as far as its state tells: the texts of a file do not outlive its
 * reading. Static. */
const char *pl_unknown_why(enum pl_state state);

/* A quantity as machine_file.h describes it; unknown when it is absent. -EINVAL. */
int pl_quantity_in(pl_jval v, const struct pl_field *f, struct pl_quantity *ret);

/* A rate that is written as a quantity of bytes per second. -EINVAL. */
int pl_rate_in(pl_jval v, const struct pl_field *f, struct pl_rate *ret);

/* Text for people: control characters could play tricks on a terminal. */
void pl_text_in(char *out, size_t size, pl_jval v);

/* Letters, digits and _-.:, one to 31 of them. */
bool pl_pool_name_ok(const char *s);

/* machine_file_devices.c: the array "devices". The pools must have been read. -EINVAL. */
int pl_devices_in(pl_jval list, struct pl_machine *m, struct pl_err *err);

/* machine_file_hardware.c: numa, dimms, limits, endpoints, board, around. -EINVAL. */
int pl_hardware_in(pl_jval root, struct pl_machine *m, struct pl_err *err);
/* machine_file_consumers.c: "desktop", "consumers" and "memory" of the file. What is damaged there
 * decides nothing, and is left out; an amount that is no amount is -EINVAL. */
int pl_consumers_in(pl_jval root, struct pl_machine *m, struct pl_err *err);

#endif
