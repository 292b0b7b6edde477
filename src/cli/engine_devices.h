/* The devices of an engine that is about to run, as it sees them itself. */
#ifndef PL_CLI_ENGINE_DEVICES_H
#define PL_CLI_ENGINE_DEVICES_H

#include "base/err.h"
#include "domain/machine.h"
#include "domain/run.h"
#include "engine/engine.h"
#include "engine/llamacpp/devices.h"

/* Asks the engine which devices it sees; of one that is too old to say: the machine's own. What it
 * sees that the machine did not know is added to m. */
void pl_cli_engine_sees(const struct pl_install *engine, struct pl_machine *m,
                        struct pl_used_devices *ret);

/* -dev may name our pools: s->devices becomes the engine's own names, kept in names. The error of
 * one that is not there (exit 2). */
int pl_cli_engine_names(const struct pl_used_devices *seen, struct pl_settings *s,
                        char names[PL_RUN_TEXT_MAX], struct pl_err *err);

#endif
