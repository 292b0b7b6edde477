/* What closing a consumer would give back, or why not to. Nothing is ever closed. */
#ifndef PL_MACHINE_CONSUMER_ADVICE_H
#define PL_MACHINE_CONSUMER_ADVICE_H

#include "machine/consumer_program.h"

/* Fills c->advice from its kind and amounts. program: its row, or NULL. */
void pl_consumer_advise(const struct pl_program *program, struct pl_consumer *c);

#endif
