#include "measure/describe.h"

#include "base/clock.h"
#include "base/str.h"

void pl_run_describe(const struct pl_forecast *f, const char *engine, const char *backend,
                     const struct pl_model *loaded, const char *fill, struct pl_run *r)
{
    *r = (struct pl_run){.started_unix = pl_utc_now(), .status = PL_RUN_FAILED};
    (void)PL_FMT(r->machine_id, "%s", f->machine->id);
    (void)PL_FMT(r->machine_text, "%s, %u threads", f->machine->cpu.model,
                 f->machine->cpu.threads_allowed);
    (void)PL_FMT(r->engine, "%s", engine);
    (void)PL_FMT(r->backend, "%s", backend);
    (void)PL_FMT(r->model, "%s", f->name);
    (void)PL_FMT(r->quant, "%s", f->quant);
    (void)PL_FMT(r->arch, "%s", f->model->arch);
    (void)PL_FMT(r->flags, "%s", f->flags);
    r->ghost = loaded->ghost;
    if (r->ghost)
        (void)PL_FMT(r->fill, "%s",
                     pl_model_str(loaded, "plimsoll.ghost_fill", fill != NULL ? fill : ""));
    r->parameters = pl_model_parameters(f->model);
    r->file_bytes = f->model->file_bytes;
    r->settings = f->resolved;
    r->predicted = f->footprint;
    r->predicted_prefill = f->prefill;
    r->predicted_decode = f->decode;
}
