/* The grammar of failures: data/oom_grammar.tsv, one rule per form of words. A rule's pattern is
 * plain text with, in braces, `name:kind` (a value), `a|b` (one of), `?x` (may be missing), `..`
 * (anything) and `.` (a word); letters match in either case, and a line holds no two blanks in a
 * row. It becomes a POSIX expression when its words are first met. */
#ifndef PL_WHY_RULE_H
#define PL_WHY_RULE_H

#include "base/err.h"
#include "domain/oom.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_RULES_MAX 1024
#define PL_CAPTURES_MAX 8

enum pl_rule_role {
    PL_RULE_FAILURE = 0, /* the failure itself */
    PL_RULE_OVER,        /* the same, when what is asked for is above the limit */
    PL_RULE_CRASH,       /* a failure, of memory or not: others explain it better */
    PL_RULE_WORDS,       /* words many programs use: read when no rule of an engine does */
    PL_RULE_DETAIL,      /* adds to a failure near it */
    PL_RULE_BENIGN,      /* looks alike, and the program goes on */
    PL_RULE_RECOVERED,   /* what failed just before was survived */
    PL_RULE_CONTEXT,     /* says what the log is of */
};

/* Where a value goes. */
enum pl_rule_field {
    PL_FIELD_NONE = 0,
    PL_FIELD_NUMBER, /* `number` says which */
    PL_FIELD_DEVICE,
    PL_FIELD_PID,
    PL_FIELD_OTHER_PID,
    PL_FIELD_PROCESS,
    PL_FIELD_GROUP,
    PL_FIELD_MODEL,
    PL_FIELD_NODE,
};

enum pl_rule_kind {
    PL_KIND_INT = 0,
    PL_KIND_HEX,
    PL_KIND_SIZE,  /* 112.00 MiB, 0 bytes, 98544kB: decimal prefixes are binary in these logs */
    PL_KIND_SHORT, /* 43.3G */
    PL_KIND_MIB,
    PL_KIND_GIB,
    PL_KIND_PAGES,   /* of 4 KiB */
    PL_KIND_PERCENT, /* 51.07: kept in hundredths */
    PL_KIND_WORD,
    PL_KIND_QUOTED,
    PL_KIND_PAREN,
    PL_KIND_BRACKET,
    PL_KIND_REST,
    PL_KIND_BUFFER, /* CUDA0, ROCm1, CPU_REPACK: names backend and device */
    PL_KINDS,
};

/* A row of the table. */
struct pl_rule_row {
    const char *id, *engine, *backend, *platform, *role, *class, *phase, *pattern, *source;
};

struct pl_capture {
    enum pl_rule_field field;
    enum pl_oom_number number;
    enum pl_rule_kind kind;
    const char *text; /* in the line; not ended */
    size_t len;
    const char *unit; /* of PL_KIND_SIZE and SHORT; NULL otherwise */
    size_t unit_len;
};

struct pl_match {
    struct pl_capture capture[PL_CAPTURES_MAX];
    uint32_t n_capture;
    size_t end; /* first byte behind the match */
};

struct pl_rules;

extern const struct pl_rule_row pl_rule_rows[];
extern const uint32_t pl_rule_rows_n;

/* Prepares the table. without: an engine whose rules are left out, as if it were not known; NULL =
 * none. -EINVAL for a row that is wrong, -ENOMEM. */
int pl_rules_new(const char *without, struct pl_rules **ret, struct pl_err *err);
/* Accepts NULL, returns NULL. */
struct pl_rules *pl_rules_free(struct pl_rules *r);

uint32_t pl_rules_count(const struct pl_rules *r);
const struct pl_rule_row *pl_rules_row(const struct pl_rules *r, uint32_t rule);
enum pl_rule_role pl_rules_role(const struct pl_rules *r, uint32_t rule);

/* Calls hit for every rule whose words occur in the line; they need not match it. */
void pl_rules_near(const struct pl_rules *r, const char *line, size_t len,
                   void (*hit)(void *ctx, uint32_t rule), void *ctx);
/* Does the rule match the NUL-ended line? False too when there is no memory for it. */
bool pl_rules_match(struct pl_rules *r, uint32_t rule, const char *line, struct pl_match *ret);

#endif
