#include "why/rule.h"

#include "base/str.h"
#include "why/anchors.h"
#include "why/rule_pattern.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define PL_ANCHOR_MAX 96
#define PL_EXPRESSION_MAX 4096
#define PL_GROUPS_MAX 32

const struct pl_rule_row pl_rule_rows[] = {
#include "oom_grammar.inc"
};
const uint32_t pl_rule_rows_n = sizeof(pl_rule_rows) / sizeof(pl_rule_rows[0]);

struct pl_rule {
    enum pl_rule_role role;
    bool left_out, compiled;
    regex_t expression;
    struct pl_pattern pattern;
};

struct pl_rules {
    struct pl_rule rule[PL_RULES_MAX];
    struct pl_anchors *anchors;
};

static int pl_role_of(const char *name, enum pl_rule_role *ret)
{
    static const char *const names[] = {"failure", "over",   "crash",     "words",
                                        "detail",  "benign", "recovered", "context"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (pl_streq(names[i], name)) {
            *ret = (enum pl_rule_role)i;
            return 0;
        }
    }
    return -EINVAL;
}

int pl_rules_new(const char *without, struct pl_rules **ret, struct pl_err *err)
{
    char(*anchor)[PL_ANCHOR_MAX] = calloc(pl_rule_rows_n, PL_ANCHOR_MAX);
    const char **word = calloc(pl_rule_rows_n, sizeof(*word));
    struct pl_rules *r = calloc(1, sizeof(*r));
    int rc = 0;
    if (anchor == NULL || word == NULL || r == NULL)
        rc = pl_fail(err, -ENOMEM, "log grammar: not enough memory");
    else if (pl_rule_rows_n > PL_RULES_MAX)
        rc = pl_fail(err, -EINVAL, "log grammar: more than %d rules", PL_RULES_MAX);
    for (uint32_t i = 0; rc == 0 && i < pl_rule_rows_n; i++) {
        const struct pl_rule_row *row = &pl_rule_rows[i];
        struct pl_rule *rule = &r->rule[i];
        if (pl_role_of(row->role, &rule->role) < 0 ||
            (row->class != NULL && pl_oom_class_of(row->class) == PL_OOM_CLASSES) ||
            (row->phase != NULL && pl_oom_phase_of(row->phase) == PL_OOM_PHASES))
            rc = pl_fail(err, -EINVAL, "log grammar: rule %s: role, class or phase", row->id);
        rule->left_out =
            without != NULL && pl_streq(row->engine != NULL ? row->engine : "", without);
        pl_pattern_anchor(row->pattern, anchor[i], PL_ANCHOR_MAX);
        word[i] = anchor[i];
    }
    if (rc == 0)
        rc = pl_anchors_new(word, pl_rule_rows_n, &r->anchors, err);
    free(anchor);
    free(word);
    if (rc < 0) {
        free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

struct pl_rules *pl_rules_free(struct pl_rules *r)
{
    if (r == NULL)
        return NULL;
    for (uint32_t i = 0; i < pl_rule_rows_n; i++)
        if (r->rule[i].compiled)
            regfree(&r->rule[i].expression);
    pl_anchors_free(r->anchors);
    free(r);
    return NULL;
}

uint32_t pl_rules_count(const struct pl_rules *r)
{
    (void)r;
    return pl_rule_rows_n;
}

const struct pl_rule_row *pl_rules_row(const struct pl_rules *r, uint32_t rule)
{
    (void)r;
    return &pl_rule_rows[rule];
}

enum pl_rule_role pl_rules_role(const struct pl_rules *r, uint32_t rule)
{
    return r->rule[rule].role;
}

void pl_rules_near(const struct pl_rules *r, const char *line, size_t len,
                   void (*hit)(void *ctx, uint32_t rule), void *ctx)
{
    pl_anchors_find(r->anchors, line, len, hit, ctx);
}

static bool pl_rule_compile(struct pl_rule *rule, const struct pl_rule_row *row)
{
    struct pl_str text;
    if (rule->compiled)
        return true;
    pl_str_init(&text, PL_EXPRESSION_MAX);
    bool ok = pl_pattern_translate(row->pattern, &text, &rule->pattern, NULL) == 0 &&
              rule->pattern.n_group + 1 <= PL_GROUPS_MAX &&
              regcomp(&rule->expression, pl_str_get(&text), REG_EXTENDED | REG_ICASE) == 0;
    pl_str_done(&text);
    rule->compiled = ok;
    return ok;
}

bool pl_rules_match(struct pl_rules *r, uint32_t at, const char *line, struct pl_match *ret)
{
    struct pl_rule *rule = &r->rule[at];
    regmatch_t group[PL_GROUPS_MAX];
    if (rule->left_out || !pl_rule_compile(rule, &pl_rule_rows[at]) ||
        regexec(&rule->expression, line, rule->pattern.n_group + 1, group, 0) != 0)
        return false;
    ret->n_capture = 0;
    ret->end = (size_t)group[0].rm_eo;
    for (uint32_t i = 0; i < rule->pattern.n_capture; i++) {
        const struct pl_pattern_capture *c = &rule->pattern.capture[i];
        const regmatch_t *g = &group[c->group], *u = &group[c->group + 2];
        bool unit = c->kind == PL_KIND_SIZE || c->kind == PL_KIND_SHORT;
        if (g->rm_so < 0)
            continue; /* in a part that was missing */
        ret->capture[ret->n_capture++] = (struct pl_capture){
            .field = c->field,
            .number = c->number,
            .kind = c->kind,
            .text = line + g->rm_so,
            .len = (size_t)(g->rm_eo - g->rm_so),
            .unit = unit ? line + u->rm_so : NULL,
            .unit_len = unit ? (size_t)(u->rm_eo - u->rm_so) : 0,
        };
    }
    return true;
}
