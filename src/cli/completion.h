/* What the shells' completions share; one writer a shell. */
#ifndef PL_CLI_COMPLETION_H
#define PL_CLI_COMPLETION_H

#include "cli/verb.h"

enum pl_value_kind { PL_VALUE_NONE, PL_VALUE_ANY, PL_VALUE_WORDS, PL_VALUE_FILE };

/* What can stand for a value that the help calls arg: "on|off|auto" is a choice, FILE a file. */
enum pl_value_kind pl_value_of(const char *arg);
enum pl_value_kind pl_value_of_opt(const struct pl_opt *o);

/* "a|b|c" with each bar as a blank. */
void pl_add_words(struct pl_str *out, const char *choices);

void pl_completion_fish(struct pl_str *out);

#endif
