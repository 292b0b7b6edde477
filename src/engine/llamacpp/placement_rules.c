/* common/arg.cpp, parse_tensor_buffer_overrides; common/common.h, LLM_FFN_EXPS_REGEX. */
#include "engine/llamacpp/placement_rules.h"

#include "base/str.h"
#include "engine/llamacpp/pattern.h"

#include <errno.h>
#include <string.h>

static int pl_rule_add(struct pl_placement *p, struct pl_place_rule rule, struct pl_err *err)
{
    if (p->n_rule < PL_PLACE_PATTERNS_MAX) {
        p->rule[p->n_rule++] = rule;
        return 0;
    }
    (void)pl_fail(err, -E2BIG, "more than %d tensor patterns", PL_PLACE_PATTERNS_MAX);
    return pl_exit_as(err, -E2BIG, PL_EXIT_USAGE);
}

static int pl_rule_place(const struct pl_placement *p, const struct pl_used_devices *all,
                         const char *buffer, size_t len, uint8_t *ret, struct pl_err *err)
{
    char name[32] = "";
    (void)PL_FMT(name, "%.*s", len < sizeof(name) ? (int)len : 0, buffer);
    *ret = PL_PLACE_HOST;
    if (pl_streq(name, "CPU") || pl_streq(name, "ram"))
        return 0;
    const struct pl_used_device *d = pl_used_device(all, name);
    for (uint32_t i = 0; d != NULL && i < p->devices.n; i++) {
        if (pl_streq(p->devices.one[i].pool, d->pool)) {
            *ret = (uint8_t)(i + 1);
            return 0;
        }
    }
    if (d != NULL) {
        (void)pl_fail(err, -ENOTSUP, "cannot tell: -ot to %s, which the model is not spread over",
                      name);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    (void)pl_fail(err, -EINVAL, "-ot: no buffer '%.*s' here", len < 60 ? (int)len : 60, buffer);
    (void)pl_hint(err, "CPU%s%s%s", all->n > 0 ? ", " : " alone",
                  all->n > 0 ? all->one[0].name : "", all->n > 1 ? " and others" : "");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_rules_text(struct pl_placement *p, const char *text,
                         const struct pl_used_devices *all, struct pl_err *err)
{
    for (const char *at = text; at != NULL;) {
        size_t len = strcspn(at, ",");
        const char *eq = memchr(at, '=', len);
        struct pl_place_rule rule = {.kind = PL_OVERRIDE_TEXT};
        struct pl_name_pattern *pattern = NULL;
        if (eq == NULL) {
            (void)pl_fail(err, -EINVAL, "-ot: '%.60s' is not PATTERN=BUFFER", at);
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        int rc = pl_rule_place(p, all, eq + 1, (size_t)(at + len - eq - 1), &rule.place, err);
        if (rc == 0)
            rc = pl_pattern_new(at, (size_t)(eq - at), &pattern, err);
        rule.pattern = pattern;
        if (rc == 0)
            rc = pl_rule_add(p, rule, err);
        if (rc < 0) {
            (void)pl_pattern_free(pattern);
            return rc;
        }
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return 0;
}

int pl_place_rules(struct pl_placement *p, const struct pl_overrides *o,
                   const struct pl_used_devices *all, struct pl_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < o->n && rc == 0; i++) {
        const struct pl_override *one = &o->one[i];
        if (one->kind == PL_OVERRIDE_TEXT)
            rc = pl_rules_text(p, one->text, all, err);
        else
            rc = pl_rule_add(p, (struct pl_place_rule){.kind = one->kind, .n = one->n}, err);
    }
    return rc;
}

int pl_place_rule_experts(struct pl_placement *p, uint64_t from, uint64_t n, struct pl_err *err)
{
    return pl_rule_add(
        p, (struct pl_place_rule){.kind = PL_OVERRIDE_EXPERTS, .from = from, .n = from + n}, err);
}

int pl_place_rule_pattern(struct pl_placement *p, const char *pattern, struct pl_err *err)
{
    struct pl_place_rule rule = {.kind = PL_OVERRIDE_TEXT};
    int rc = pl_pattern_new(pattern, strlen(pattern), &rule.pattern, err);
    return rc == 0 ? pl_rule_add(p, rule, err) : rc;
}

/* "ffn_", up, down, gate or gate_up; returns what follows, or NULL. */
static const char *pl_rule_ffn(const char *s)
{
    static const char *const parts[] = {"up", "down", "gate_up", "gate"};
    if (!pl_starts(s, "ffn_"))
        return NULL;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (pl_starts(s + 4, parts[i]))
            return s + 4 + strlen(parts[i]);
    }
    return NULL;
}

/* blk.N.ffn_(up|down|gate|gate_up)_(ch|)exps with N < n; without the layer when n is UINT64_MAX.
 * Dense ones: blk.N.ffn_(up|down|gate|gate_up). and no such ending. */
static bool pl_rule_layers(const struct pl_place_rule *r, const char *name)
{
    uint64_t il = 0;
    char digits[12];
    const char *rest = strstr(name, "blk.");
    size_t n = rest != NULL ? strspn(rest + 4, "0123456789") : 0;
    if (n == 0 || n >= sizeof(digits) || rest[4 + n] != '.' ||
        !PL_FMT(digits, "%.*s", (int)n, rest + 4) || !pl_parse_u64(digits, &il) || il >= r->n ||
        il < r->from)
        return false;
    rest = pl_rule_ffn(rest + 5 + n);
    if (rest == NULL)
        return false;
    if (r->kind == PL_OVERRIDE_FFN)
        return *rest == '.';
    return pl_starts(rest, "_exps") || pl_starts(rest, "_chexps");
}

bool pl_place_rule_of(const struct pl_placement *p, const char *name, uint8_t *ret_place)
{
    for (uint32_t i = 0; i < p->n_rule; i++) {
        const struct pl_place_rule *r = &p->rule[i];
        bool found =
            r->pattern != NULL ? pl_pattern_found(r->pattern, name) : pl_rule_layers(r, name);
        if (found) {
            *ret_place = r->place;
            return true;
        }
    }
    return false;
}
