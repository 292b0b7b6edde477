/* What an engine other than llama.cpp answers: its settings and facts in text and JSON. */
#ifndef PL_REPORT_CLAIM_H
#define PL_REPORT_CLAIM_H

#include "base/json.h"
#include "domain/claim.h"
#include "domain/setting_table.h"

/* {"dtype": "bf16", "max_length": 4096, ...}: every row with a key; null when it is unset. */
void pl_json_setting_values(struct pl_json *j, const char *key, const struct pl_setting_values *v);
/* "settings  dtype bf16, max_length 4096 ...": those that are set. */
void pl_setting_values_text(const struct pl_setting_values *v, struct pl_str *out);

/* {"kv_cache_tokens": {"value": 22160, "text": "22,160 tokens"}}; a text alone has value null. */
void pl_json_facts(struct pl_json *j, const char *key, const struct pl_claim *a);
void pl_facts_text(const struct pl_claim *a, struct pl_str *out);

#endif
