/* Reads a log, as it comes, and keeps the failures it tells. Memory is bounded whatever comes: a
 * line is kept to PL_WHYLOG_LINE_MAX bytes, of many failures the first and the latest. */
#ifndef PL_WHY_LOG_H
#define PL_WHY_LOG_H

#include "base/err.h"
#include "domain/oom.h"

#include <stddef.h>
#include <stdint.h>

#define PL_WHYLOG_LINE_MAX 4096
#define PL_LOG_FAILURES_MAX 16
/* Lines that were looked at closely; a log of nothing but failures is read no further. */
#define PL_LOG_MATCHES_MAX 400000

struct pl_whylog;

/* without: an engine whose rules are left out; NULL = none. -ENOMEM, -EINVAL (a wrong table). */
int pl_whylog_new(const char *without, struct pl_whylog **ret, struct pl_err *err);
/* Accepts NULL, returns NULL. */
struct pl_whylog *pl_whylog_free(struct pl_whylog *l);

/* The next bytes of the log, any number, cut anywhere. */
void pl_whylog_feed(struct pl_whylog *l, const char *bytes, size_t n);
/* No more comes: every failure gets its class and confidence. */
void pl_whylog_end(struct pl_whylog *l);

/* After pl_whylog_end. The failure to speak of: the latest fatal one about memory, else the latest
 * fatal one, else the latest look-alike; NULL when nothing was recognised. Borrowed. */
const struct pl_oom *pl_whylog_failure(const struct pl_whylog *l);
/* All that are kept, in the log's order. */
uint32_t pl_whylog_failures(const struct pl_whylog *l, const struct pl_oom **ret);
/* How many there were, kept or not; how many lines and bytes; whether lines were cut or passed
 * over. */
uint64_t pl_whylog_count(const struct pl_whylog *l);
uint64_t pl_whylog_lines(const struct pl_whylog *l);
uint64_t pl_whylog_bytes(const struct pl_whylog *l);
bool pl_whylog_cut(const struct pl_whylog *l);
/* What the log is of, failure or not: the engine's name and the model; "" when it does not say. */
const char *pl_whylog_engine(const struct pl_whylog *l);
const char *pl_whylog_model(const struct pl_whylog *l);

#endif
