#include "report/claim.h"

#include <math.h>

#define PL_WHOLE_MAX 9007199254740992.0 /* 2^53: whole numbers below are exact */
#define PL_SETTINGS_WIDTH 92            /* columns of the line of settings */

void pl_json_setting_values(struct pl_json *j, const char *key, const struct pl_setting_values *v)
{
    pl_json_object(j, key);
    for (int i = 0; v->row[i].names[0] != NULL; i++) {
        const struct pl_setting_value *one = &v->value[i];
        const char *name = v->row[i].key;
        if (name == NULL)
            continue;
        if (v->row[i].takes == PL_TAKES_NOTHING)
            pl_json_bool(j, name, one->u != 0);
        else if (!one->set)
            pl_json_null(j, name);
        else if (v->row[i].takes == PL_TAKES_COUNT)
            pl_json_u64(j, name, one->u);
        else if (v->row[i].takes == PL_TAKES_NUMBER)
            pl_json_num(j, name, one->d);
        else
            pl_json_str(j, name, one->text);
    }
    pl_json_end(j);
}

static void pl_setting_value_text(const struct pl_setting_row *r, const struct pl_setting_value *v,
                                  char *out, size_t size)
{
    if (r->takes == PL_TAKES_NOTHING)
        (void)pl_fmt(out, size, "%s", r->key);
    else if (r->takes == PL_TAKES_COUNT)
        (void)pl_fmt(out, size, "%s %llu", r->key, (unsigned long long)v->u);
    else if (r->takes == PL_TAKES_NUMBER)
        (void)pl_fmt(out, size, "%s %g", r->key, v->d);
    else
        (void)pl_fmt(out, size, "%s %.60s", r->key, v->text);
}

void pl_setting_values_text(const struct pl_setting_values *v, struct pl_str *out)
{
    size_t column = 10;
    bool first = true;
    pl_str_add(out, "settings  ");
    for (int i = 0; v->row[i].names[0] != NULL; i++) {
        const struct pl_setting_value *one = &v->value[i];
        char text[128];
        if (v->row[i].key == NULL || !one->set || (one->text != NULL && one->text[0] == '\0'))
            continue;
        pl_setting_value_text(&v->row[i], one, text, sizeof(text));
        size_t n = 0;
        while (text[n] != '\0')
            n++;
        if (!first && column + n + 2 > PL_SETTINGS_WIDTH) {
            pl_str_add(out, ",\n          ");
            column = 10;
        } else if (!first) {
            pl_str_add(out, ", ");
            column += 2;
        }
        pl_str_add(out, text);
        column += n;
        first = false;
    }
    pl_str_add(out, first ? "as they were measured\n\n" : "\n\n");
}

void pl_json_facts(struct pl_json *j, const char *key, const struct pl_claim *a)
{
    pl_json_object(j, key);
    for (uint32_t i = 0; i < a->n_fact; i++) {
        const struct pl_claim_fact *f = &a->fact[i];
        pl_json_object(j, f->key);
        if (f->number && f->value >= 0 && f->value < PL_WHOLE_MAX && !(floor(f->value) < f->value))
            pl_json_u64(j, "value", (uint64_t)f->value);
        else if (f->number)
            pl_json_num(j, "value", f->value);
        else
            pl_json_null(j, "value");
        pl_json_str(j, "text", f->text);
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_facts_text(const struct pl_claim *a, struct pl_str *out)
{
    for (uint32_t i = 0; i < a->n_fact; i++)
        pl_str_addf(out, "%-22s  %s\n", a->fact[i].label, a->fact[i].text);
    pl_str_add(out, a->n_fact > 0 ? "\n" : "");
}
