/* Hugging Face transformers: the arguments of from_pretrained, BitsAndBytesConfig and generate, as
 * flags; of Trainer where it trains. Pure. */
#ifndef PL_ENGINE_TRANSFORMERS_SETTINGS_H
#define PL_ENGINE_TRANSFORMERS_SETTINGS_H

#include "domain/setting_table.h"

extern const struct pl_setting_row pl_transformers_settings[];

#endif
