/* Parts of why/log.h shared by its files. */
#ifndef PL_WHY_LOG_IMPL_H
#define PL_WHY_LOG_IMPL_H

#include "why/log.h"
#include "why/rule.h"

#define PL_LOG_NEAR 40 /* lines a failure may be spread over */
#define PL_LOG_UNMATCHED 64
#define PL_LOG_NEAR_RULES 256
#define PL_LOG_PENDING 12 /* lines a detail or look-alike may come before its failure */

/* A failure while its lines come. */
struct pl_incident {
    struct pl_oom oom;
    uint64_t first, last; /* lines */
    int rank;             /* of its class: how much the rule knows */
    bool words_only;      /* only words many programs use */
    char last_rule[24];
};

struct pl_whylog {
    struct pl_rules *rules;
    char line[PL_WHYLOG_LINE_MAX];
    size_t len;
    bool cut_line, cut, blank, escape;
    char before[2 * PL_WHYLOG_LINE_MAX + 2]; /* the line before, and room to join the next to it */
    size_t before_len;
    uint32_t unmatched[PL_LOG_UNMATCHED]; /* rules whose words stood in the line before and that did
                                             not match */
    uint32_t n_unmatched;
    uint32_t near[PL_LOG_NEAR_RULES]; /* rules whose words stand in this line */
    uint32_t n_near;
    uint32_t near_before[PL_LOG_NEAR_RULES]; /* in the line before */
    uint32_t n_before;
    uint64_t n_line, n_bytes, n_match, n_failure;
    struct pl_incident open, pending;
    bool is_open, is_pending;
    struct pl_oom kept[PL_LOG_FAILURES_MAX];
    uint32_t n_kept;
    /* what the log is of */
    char engine[PL_OOM_NAME_MAX], backend[PL_OOM_NAME_MAX], platform[PL_OOM_NAME_MAX];
    char model[PL_OOM_TEXT_MAX];
    enum pl_oom_phase stage;
};

/* why/log_fill.c */
void pl_incident_start(struct pl_incident *i, uint64_t line);
void pl_incident_take(struct pl_incident *i, const struct pl_match *m);
void pl_incident_evidence(struct pl_incident *i, uint64_t line, const char *text);
void pl_incident_merge(struct pl_incident *into, const struct pl_incident *from);
/* 3: runs models with the help of others; 2: a library or engine; 1: the system; 0: no name. */
int pl_engine_rank(const char *name);
void pl_set_text(char *out, size_t size, const char *text, size_t len);
/* The same of what names something in a foreign text: an address goes without its password. */
void pl_set_named(char *out, size_t size, const char *text, size_t len);

/* why/log_words.c: numbers of a line by the words around them. */
void pl_incident_words(struct pl_incident *i, const char *line);

/* why/judge.c: class, shortness and confidence from numbers and circumstances. */
void pl_oom_judge(struct pl_oom *o, bool words_only);

#endif
