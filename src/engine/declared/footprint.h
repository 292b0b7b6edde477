/* Programs whose footprint is not computed but known from what others measured: data/declared.tsv,
 * a source in every row. Pure. */
#ifndef PL_ENGINE_DECLARED_FOOTPRINT_H
#define PL_ENGINE_DECLARED_FOOTPRINT_H

#include "base/err.h"
#include "domain/claim.h"
#include "domain/model.h"
#include "domain/setting_table.h"

/* One line, member for column; amounts in MiB. */
struct pl_declared {
    const char *id, *name, *engine;
    const char *place; /* "device": device and host columns; "host": host columns alone */
    const char *low_mib, *likely_mib, *high_mib;
    const char *host_low_mib, *host_likely_mib, *host_high_mib;
    const char *why, *source;
};

/* By id ("kokoro:fp16"), or by what stands before the colon: the first of those. NULL: none. */
const struct pl_declared *pl_declared_find(const char *spec);

extern const struct pl_setting_row pl_declared_settings[];

/* As pl_engine.footprint; m->path is the row's id. */
int pl_declared_footprint(const struct pl_model *m, struct pl_setting_values *v,
                          const struct pl_machine *machine, struct pl_claim *ret,
                          struct pl_err *err);

#endif
