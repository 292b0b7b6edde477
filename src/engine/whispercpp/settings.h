/* whisper.cpp: the flags of whisper-server and whisper-cli. Pure. */
#ifndef PL_ENGINE_WHISPERCPP_SETTINGS_H
#define PL_ENGINE_WHISPERCPP_SETTINGS_H

#include "domain/setting_table.h"

extern const struct pl_setting_row pl_whispercpp_settings[];

#endif
