#include "why/log.h"

#include "base/str.h"
#include "why/log_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_WORDS_NEAR 5 /* lines whose sizes belong to a failure of words only */

int pl_whylog_new(const char *without, struct pl_whylog **ret, struct pl_err *err)
{
    struct pl_whylog *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return pl_fail(err, -ENOMEM, "log: not enough memory");
    int rc = pl_rules_new(without, &l->rules, err);
    if (rc < 0) {
        free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

struct pl_whylog *pl_whylog_free(struct pl_whylog *l)
{
    if (l == NULL)
        return NULL;
    pl_rules_free(l->rules);
    free(l);
    return NULL;
}

/* How much a class knows: the words "out of memory" less than a limit that is named, the kernel's
 * own word more than a program's. */
static int pl_class_rank(enum pl_oom_class class)
{
    static const uint8_t rank[PL_OOM_CLASSES] = {
        [PL_OOM_CRASH] = 1,  [PL_OOM_KILLED] = 2, [PL_OOM_CAPACITY] = 3,
        [PL_OOM_KERNEL] = 6, [PL_OOM_CGROUP] = 7, [PL_OOM_USERSPACE_KILLER] = 7,
    };
    return class == PL_OOM_UNKNOWN ? 0 : rank[class] != 0 ? rank[class] : 5;
}

static void pl_name(char *out, size_t size, const char *name)
{
    if (name != NULL)
        pl_set_text(out, size, name, strlen(name));
}

static void pl_whylog_keep(struct pl_whylog *l, const struct pl_oom *o)
{
    l->n_failure++;
    if (l->n_kept == PL_LOG_FAILURES_MAX) { /* the first stays, and the latest */
        memmove(&l->kept[1], &l->kept[2], (PL_LOG_FAILURES_MAX - 2) * sizeof(l->kept[0]));
        l->n_kept--;
    }
    l->kept[l->n_kept++] = *o;
}

static void pl_whylog_close(struct pl_whylog *l, struct pl_incident *i)
{
    struct pl_oom *o = &i->oom;
    int rank = pl_engine_rank(o->engine);
    if (rank != 1 && pl_engine_rank(l->engine) > rank)
        pl_name(o->engine, sizeof(o->engine), l->engine);
    if (o->platform[0] == '\0')
        pl_name(o->platform, sizeof(o->platform), l->platform);
    if (o->model[0] == '\0')
        pl_name(o->model, sizeof(o->model), l->model);
    o->generic = i->words_only;
    pl_oom_judge(o, i->words_only);
    pl_whylog_keep(l, o);
}

static void pl_whylog_close_open(struct pl_whylog *l)
{
    if (l->is_open)
        pl_whylog_close(l, &l->open);
    l->is_open = false;
}

/* What only looks like a failure is kept as such when no failure followed; details are dropped. */
static void pl_whylog_close_pending(struct pl_whylog *l)
{
    if (l->is_pending && l->pending.oom.class != PL_OOM_UNKNOWN)
        pl_whylog_close(l, &l->pending);
    l->is_pending = false;
}

static void pl_whylog_age(struct pl_whylog *l)
{
    if (l->is_open && l->n_line - l->open.last > PL_LOG_NEAR)
        pl_whylog_close_open(l);
    if (l->is_pending && l->n_line - l->pending.last > PL_LOG_PENDING)
        pl_whylog_close_pending(l);
}

static void pl_row_class(struct pl_incident *i, const struct pl_rule_row *row)
{
    enum pl_oom_class class = row->class != NULL ? pl_oom_class_of(row->class) : PL_OOM_UNKNOWN;
    if (pl_class_rank(class) > i->rank) {
        i->rank = pl_class_rank(class);
        i->oom.class = class;
    }
}

static void pl_row_names(struct pl_incident *i, const struct pl_rule_row *row)
{
    struct pl_oom *o = &i->oom;
    if (row->engine != NULL && pl_engine_rank(row->engine) > pl_engine_rank(o->engine))
        pl_name(o->engine, sizeof(o->engine), row->engine);
    if (o->backend[0] == '\0')
        pl_name(o->backend, sizeof(o->backend), row->backend);
    if (o->platform[0] == '\0')
        pl_name(o->platform, sizeof(o->platform), row->platform);
}

static void pl_row_phase(struct pl_whylog *l, struct pl_incident *i, const struct pl_rule_row *row,
                         bool over)
{
    if (row->phase != NULL && (over || i->oom.phase == PL_OOM_PHASE_UNKNOWN))
        i->oom.phase = pl_oom_phase_of(row->phase);
    else if (row->phase == NULL && i->oom.phase == PL_OOM_PHASE_UNKNOWN)
        i->oom.phase = l->stage;
}

static void pl_apply_context(struct pl_whylog *l, const struct pl_rule_row *row,
                             const struct pl_match *m)
{
    if (row->engine != NULL && pl_engine_rank(row->engine) > pl_engine_rank(l->engine))
        pl_name(l->engine, sizeof(l->engine), row->engine);
    if (row->platform != NULL)
        pl_name(l->platform, sizeof(l->platform), row->platform);
    if (row->phase != NULL)
        l->stage = pl_oom_phase_of(row->phase);
    for (uint32_t c = 0; c < m->n_capture; c++)
        if (m->capture[c].field == PL_FIELD_MODEL && m->capture[c].len > 0)
            pl_set_named(l->model, sizeof(l->model), m->capture[c].text, m->capture[c].len);
}

static void pl_apply_detail(struct pl_whylog *l, const struct pl_rule_row *row,
                            const struct pl_match *m, const char *text)
{
    struct pl_incident *i = &l->open;
    if (!l->is_open) {
        i = &l->pending;
        if (!l->is_pending)
            pl_incident_start(i, l->n_line);
        l->is_pending = true;
    }
    pl_incident_take(i, m);
    pl_incident_evidence(i, l->n_line, text);
    if (l->is_open) {
        pl_row_class(i, row);
        pl_row_names(i, row);
        pl_row_phase(l, i, row, true);
    }
}

static void pl_apply_benign(struct pl_whylog *l, const struct pl_rule_row *row,
                            const struct pl_match *m, const char *text)
{
    if (l->is_open) {
        pl_incident_take(&l->open, m);
        pl_incident_evidence(&l->open, l->n_line, text);
        return;
    }
    if (!l->is_pending)
        pl_incident_start(&l->pending, l->n_line);
    l->is_pending = true;
    pl_row_class(&l->pending, row);
    pl_row_names(&l->pending, row);
    pl_incident_take(&l->pending, m);
    pl_incident_evidence(&l->pending, l->n_line, text);
}

/* A new failure begins: what was said shortly before belongs to it. */
static void pl_whylog_begin(struct pl_whylog *l)
{
    pl_whylog_close_open(l);
    pl_incident_start(&l->open, l->n_line);
    l->is_open = true;
    l->open.oom.fatal = true;
    l->open.words_only = true;
}

static void pl_whylog_adopt(struct pl_whylog *l)
{
    struct pl_incident *i = &l->open, *p = &l->pending;
    if (!l->is_pending)
        return;
    if (i->oom.n_request == 0 && p->oom.class != PL_OOM_UNKNOWN &&
        i->oom.class == PL_OOM_CAPACITY) {
        i->oom.class = p->oom.class;
        i->rank = p->rank;
    }
    pl_incident_merge(i, p);
    l->is_pending = false;
}

static void pl_apply_failure(struct pl_whylog *l, const struct pl_rule_row *row,
                             enum pl_rule_role role, const struct pl_match *m, const char *text)
{
    bool again = l->is_open && m->n_capture > 0 && pl_streq(l->open.last_rule, row->id) &&
                 l->open.last != l->n_line;
    if (role == PL_RULE_WORDS && l->is_open && !l->open.words_only)
        return; /* an engine's rule has told it */
    if (role == PL_RULE_OVER) {
        struct pl_incident over;
        pl_incident_start(&over, l->n_line);
        pl_incident_take(&over, m);
        struct pl_quantity limit = over.oom.n[PL_OOM_LIMIT];
        if (!pl_known(limit) && l->is_pending)
            limit = l->pending.oom.n[PL_OOM_LIMIT];
        if (!pl_known(limit) || over.oom.n[PL_OOM_REQUESTED].likely <= limit.likely)
            return;
    }
    if (!l->is_open || again)
        pl_whylog_begin(l);
    struct pl_incident *i = &l->open;
    if (role != PL_RULE_WORDS && role != PL_RULE_CRASH && i->words_only)
        i->words_only = false;
    (void)PL_FMT(i->last_rule, "%s", row->id);
    pl_row_class(i, row);
    pl_row_names(i, row);
    pl_incident_take(i, m);
    if (role == PL_RULE_WORDS)
        pl_incident_words(i, text);
    pl_row_phase(l, i, row, false);
    pl_incident_evidence(i, l->n_line, text);
    pl_whylog_adopt(l);
}

static void pl_apply_recovered(struct pl_whylog *l, const char *text)
{
    if (!l->is_open)
        return;
    l->open.oom.fatal = false;
    pl_incident_evidence(&l->open, l->n_line, text);
    pl_whylog_close_open(l);
}

static void pl_whylog_apply(struct pl_whylog *l, uint32_t rule, const struct pl_match *m,
                            const char *text)
{
    const struct pl_rule_row *row = pl_rules_row(l->rules, rule);
    enum pl_rule_role role = pl_rules_role(l->rules, rule);
    if (role == PL_RULE_CONTEXT)
        pl_apply_context(l, row, m);
    else if (role == PL_RULE_DETAIL)
        pl_apply_detail(l, row, m, text);
    else if (role == PL_RULE_BENIGN)
        pl_apply_benign(l, row, m, text);
    else if (role == PL_RULE_RECOVERED)
        pl_apply_recovered(l, text);
    else
        pl_apply_failure(l, row, role, m, text);
}

static void pl_whylog_hit(void *ctx, uint32_t rule)
{
    struct pl_whylog *l = ctx;
    uint32_t at = 0;
    while (at < l->n_near && l->near[at] < rule)
        at++;
    if ((at < l->n_near && l->near[at] == rule) || l->n_near == PL_LOG_NEAR_RULES)
        return;
    memmove(&l->near[at + 1], &l->near[at], (l->n_near - at) * sizeof(l->near[0]));
    l->near[at] = rule; /* in the table's order: engines before words */
    l->n_near++;
}

/* Tries a rule on a text; a rule that names other processes may match several times. */
static bool pl_whylog_try(struct pl_whylog *l, uint32_t rule, const char *text)
{
    struct pl_match m;
    bool any = false;
    if (l->n_match >= PL_LOG_MATCHES_MAX) {
        l->cut = true;
        return false;
    }
    for (const char *from = text; *from != '\0' && pl_rules_match(l->rules, rule, from, &m);
         from += m.end) {
        l->n_match++;
        pl_whylog_apply(l, rule, &m, text);
        any = true;
        if (m.n_capture == 0 || m.capture[0].field != PL_FIELD_OTHER_PID || m.end == 0)
            break;
    }
    l->n_match++;
    return any;
}

/* Rules whose words stood in the line before, and this line may be its rest: as one word, or two.
 */
static void pl_whylog_joined(struct pl_whylog *l)
{
    size_t n = l->before_len;
    for (uint32_t r = 0; r < l->n_unmatched; r++) {
        memcpy(l->before + n, l->line, l->len + 1);
        if (pl_whylog_try(l, l->unmatched[r], l->before))
            continue;
        l->before[n] = ' ';
        memcpy(l->before + n + 1, l->line, l->len + 1);
        (void)pl_whylog_try(l, l->unmatched[r], l->before);
    }
}

/* A terminal may have broken a line within a rule's words: rules that only both lines together hold
 * join those the line before left open. */
static void pl_whylog_across(struct pl_whylog *l)
{
    uint32_t here[PL_LOG_NEAR_RULES], n_here = l->n_near;
    memcpy(here, l->near, n_here * sizeof(here[0]));
    memcpy(l->before + l->before_len, l->line, l->len + 1);
    l->n_near = 0;
    pl_rules_near(l->rules, l->before, l->before_len + l->len, pl_whylog_hit, l);
    for (uint32_t i = 0; i < l->n_near && l->n_unmatched < PL_LOG_UNMATCHED; i++) {
        bool old = pl_rules_role(l->rules, l->near[i]) == PL_RULE_WORDS;
        for (uint32_t k = 0; k < n_here && !old; k++)
            old = here[k] == l->near[i];
        for (uint32_t k = 0; k < l->n_before && !old; k++)
            old = l->near_before[k] == l->near[i];
        if (!old)
            l->unmatched[l->n_unmatched++] = l->near[i];
    }
    memcpy(l->near, here, n_here * sizeof(here[0]));
    l->n_near = n_here;
}

static void pl_whylog_line(struct pl_whylog *l)
{
    l->line[l->len] = '\0';
    l->n_line++;
    pl_whylog_age(l);
    l->n_near = 0;
    pl_rules_near(l->rules, l->line, l->len, pl_whylog_hit, l);
    if (l->n_before > 0)
        pl_whylog_across(l);
    if (l->n_unmatched > 0)
        pl_whylog_joined(l);
    l->n_unmatched = 0;
    bool told = false, survived = false;
    for (uint32_t i = 0; i < l->n_near; i++) {
        enum pl_rule_role role = pl_rules_role(l->rules, l->near[i]);
        const char *engine = pl_rules_row(l->rules, l->near[i])->engine;
        if (role == PL_RULE_WORDS && told)
            continue;
        if (role == PL_RULE_FAILURE && survived && pl_engine_rank(engine != NULL ? engine : "") < 2)
            continue; /* the engine's own rule knows that it went on */
        bool matched = pl_whylog_try(l, l->near[i], l->line);
        survived = survived || (matched && role == PL_RULE_BENIGN);
        told = told || (matched && role != PL_RULE_CONTEXT && role != PL_RULE_DETAIL);
        if (!matched && l->n_unmatched < PL_LOG_UNMATCHED)
            l->unmatched[l->n_unmatched++] = l->near[i];
    }
    if (l->is_open && l->open.words_only && l->open.last != l->n_line && !told &&
        l->n_line - l->open.first <= PL_WORDS_NEAR)
        pl_incident_words(&l->open, l->line);
    memcpy(l->before, l->line, l->len + 1);
    l->before_len = l->len;
    memcpy(l->near_before, l->near, l->n_near * sizeof(l->near[0]));
    l->n_before = l->n_near;
    l->len = 0;
    l->cut_line = l->blank = false;
}

static void pl_whylog_byte(struct pl_whylog *l, char c)
{
    if (c == '\n' || c == '\r') {
        if (l->len > 0 || c == '\n')
            pl_whylog_line(l);
        l->escape = false;
        return;
    }
    if (l->escape) { /* a colour: ends with a letter */
        l->escape = !isalpha((unsigned char)c);
        return;
    }
    if (c == 0x1b) {
        l->escape = true;
        return;
    }
    if ((unsigned char)c <= ' ' || c == 0x7f) {
        l->blank = l->len > 0;
        return;
    }
    if (l->len + 2 >= sizeof(l->line)) {
        l->cut_line = l->cut = true;
        return;
    }
    if (l->blank)
        l->line[l->len++] = ' ';
    l->blank = false;
    l->line[l->len++] = c;
}

/* Bytes from at on that are plain: neither blank nor control. */
static size_t pl_plain_run(const char *bytes, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)bytes[i] > ' ' && bytes[i] != 0x7f)
        i++;
    return i;
}

/* Byte by byte only where a byte means something; what a full line has no room for is passed over.
 */
void pl_whylog_feed(struct pl_whylog *l, const char *bytes, size_t n)
{
    l->n_bytes += n;
    for (size_t i = 0; i < n;) {
        if (l->cut_line && !l->escape) {
            const char *end = memchr(bytes + i, '\n', n - i);
            if (end == NULL)
                return;
            i = (size_t)(end - bytes);
        } else if (!l->escape && !l->blank && l->len > 0) {
            size_t room = sizeof(l->line) - 2 - l->len,
                   run = pl_plain_run(bytes + i, n - i < room ? n - i : room);
            memcpy(l->line + l->len, bytes + i, run);
            l->len += run;
            i += run;
        }
        if (i < n)
            pl_whylog_byte(l, bytes[i++]);
    }
}

void pl_whylog_end(struct pl_whylog *l)
{
    if (l->len > 0)
        pl_whylog_line(l);
    pl_whylog_close_open(l);
    pl_whylog_close_pending(l);
}

const struct pl_oom *pl_whylog_failure(const struct pl_whylog *l)
{
    const struct pl_oom *best = NULL;
    int best_score = 0;
    for (uint32_t i = 0; i < l->n_kept; i++) {
        const struct pl_oom *o = &l->kept[i];
        int score = o->class == PL_OOM_UNKNOWN    ? 1
                    : !o->fatal                   ? 2
                    : !pl_oom_is_memory(o->class) ? 3
                                                  : 4;
        if (score >= best_score) {
            best_score = score;
            best = o;
        }
    }
    return best;
}

uint32_t pl_whylog_failures(const struct pl_whylog *l, const struct pl_oom **ret)
{
    *ret = l->kept;
    return l->n_kept;
}

uint64_t pl_whylog_count(const struct pl_whylog *l)
{
    return l->n_failure;
}

uint64_t pl_whylog_lines(const struct pl_whylog *l)
{
    return l->n_line;
}

uint64_t pl_whylog_bytes(const struct pl_whylog *l)
{
    return l->n_bytes;
}

bool pl_whylog_cut(const struct pl_whylog *l)
{
    return l->cut;
}

const char *pl_whylog_engine(const struct pl_whylog *l)
{
    return l->engine;
}

const char *pl_whylog_model(const struct pl_whylog *l)
{
    return l->model;
}
