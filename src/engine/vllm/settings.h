/* vLLM: the flags of `vllm serve`. Pure. */
#ifndef PL_ENGINE_VLLM_SETTINGS_H
#define PL_ENGINE_VLLM_SETTINGS_H

#include "domain/setting_table.h"

extern const struct pl_setting_row pl_vllm_settings[];

#endif
