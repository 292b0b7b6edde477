/* What the catalogue offers on a machine: the home screen's list and the choice of `try --auto`. */
#ifndef PL_CLI_CHOOSE_H
#define PL_CLI_CHOOSE_H

#include "base/err.h"
#include "domain/forecast.h"
#include "ledger/ledger.h"
#include "model/catalogue.h"

#define PL_CHOICES_MAX 16

struct pl_choice {
    const struct pl_catalogue_row *row;
    uint64_t n_ctx; /* longest context (a power of two, up to the model's own) that is safe */
    struct pl_quantity steady;
    struct pl_rate decode;
};

/* Which rows are looked at; NULL = all that are meant to write text, and whose numbers agree. */
typedef bool pl_choose_wanted_fn(void *ctx, const struct pl_catalogue_row *row);

/* Catalogue models at PL_CATALOGUE_QUANT that are safe on the machine's CPU with one slot and at
 * least PL_CHOICE_CTX_MIN tokens of context, as rank.h orders them, the first `limit` (at most
 * PL_CHOICES_MAX). Returns how many, or negative. */
#define PL_CHOICE_CTX_MIN 4096u
int pl_choose_all(const struct pl_machine *machine, struct pl_ledger *ledger,
                  pl_choose_wanted_fn *wanted, void *ctx, uint32_t limit,
                  struct pl_choice out[PL_CHOICES_MAX], struct pl_err *err);

/* Operations a second with which this machine reads prompts: as the remembered runs on it measured,
 * else guessed from its CPU. ledger may be NULL. */
double pl_choose_pace(const struct pl_machine *machine, struct pl_ledger *ledger);

/* Seconds a trial of `requests` requests of prompt and answer would take at that pace, loading
 * included. A rough and careful figure, for choosing; never shown. */
double pl_choose_seconds(const struct pl_choice *choice, double pace, uint32_t requests,
                         uint64_t prompt, uint64_t answer);

#endif
