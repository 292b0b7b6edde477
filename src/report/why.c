#include "report/why.h"

#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"
#include "why/cause.h"

#include <string.h>

#define PL_REMEDY_MAX 240

static const char *pl_short_text(enum pl_oom_short s)
{
    return s == PL_OOM_SHORT_YES  ? "the memory is really short"
           : s == PL_OOM_SHORT_NO ? "not a capacity problem"
                                  : "whether memory was short cannot be told from this";
}

static void pl_why_head(const struct pl_oom *o, struct pl_str *out)
{
    pl_str_addf(out, "%s", o->engine[0] != '\0' ? o->engine : "a program this tool does not know");
    if (o->backend[0] != '\0' || o->platform[0] != '\0')
        pl_str_addf(out, " (%s%s%s)", o->backend,
                    o->backend[0] != '\0' && o->platform[0] != '\0' ? ", " : "", o->platform);
    if (o->device >= 0)
        pl_str_addf(out, ", device %d", o->device);
    if (o->process[0] != '\0')
        pl_str_addf(out, ", process %s", o->process);
    pl_str_addf(out, ": %s", pl_oom_class_name(o->class));
    if (o->phase != PL_OOM_PHASE_UNKNOWN)
        pl_str_addf(out, " at %s", pl_oom_phase_name(o->phase));
    pl_str_addf(out, "; confidence %s\n", pl_oom_confidence_name(o->confidence));
    if (pl_oom_is_memory(o->class))
        pl_str_addf(out, "%s\n", pl_short_text(o->is_short));
    if (!o->fatal)
        pl_str_add(out, "the program went on: this is not what ended it\n");
}

static void pl_why_numbers(const struct pl_oom *o, struct pl_str *out)
{
    char text[PL_QUANTITY_TEXT_MAX], size[PL_SIZE_TEXT_MAX];
    for (int n = 0; n < PL_OOM_NUMBERS; n++) {
        if (!pl_known(o->n[n]))
            continue;
        if (n >= PL_OOM_FIRST_PERCENT)
            pl_str_addf(out, "  %-22s %.2f %%\n", pl_oom_number_name((enum pl_oom_number)n),
                        (double)o->n[n].likely / 100);
        else if (n >= PL_OOM_FIRST_COUNT)
            pl_str_addf(out, "  %-22s %llu tokens\n", pl_oom_number_name((enum pl_oom_number)n),
                        (unsigned long long)o->n[n].likely);
        else
            pl_str_addf(out, "  %-22s %s\n", pl_oom_number_name((enum pl_oom_number)n),
                        pl_quantity_text(o->n[n], text));
    }
    for (uint32_t i = 1; i < o->n_request; i++)
        pl_str_addf(out, "  %-22s %s\n", "then", pl_quantity_text(o->request[i], text));
    for (uint32_t i = 0; i < o->n_other; i++)
        if (o->other[i].pid != 0)
            pl_str_addf(out, "  process %-14llu %s\n", (unsigned long long)o->other[i].pid,
                        pl_size_text(o->other[i].bytes.likely, size));
}

/* A change of settings says it already, with its figure. */
static bool pl_remedy_said(const struct pl_why_report *w, const char *remedy)
{
    for (uint32_t i = 0; w->reliefs != NULL && i < w->reliefs->n; i++) {
        char flag[PL_RELIEF_TEXT_MAX];
        (void)PL_FMT(flag, "%s", w->reliefs->one[i].flags);
        flag[strcspn(flag, " ")] = '\0';
        const char *at = strstr(remedy, flag);
        size_t n = strlen(flag);
        if (at != NULL && (at[n] == ' ' || at[n] == '\0' || at[n] == ':'))
            return true;
    }
    return false;
}

static void pl_why_helps(const struct pl_why_report *w, struct pl_str *out)
{
    const struct pl_cause_row *c = pl_oom_cause(w->oom);
    char remedy[PL_REMEDY_MAX], size[PL_SIZE_TEXT_MAX];
    const char *at = c != NULL ? c->remedies : NULL;
    uint32_t n = 0;
    pl_str_add(out, "\nwhat helps\n");
    for (uint32_t i = 0; w->reliefs != NULL && i < w->reliefs->n; i++) {
        const struct pl_relief *r = &w->reliefs->one[i];
        pl_str_addf(out, "  %u. %-26s %s; frees %s%s\n", ++n, r->flags, r->effect,
                    pl_size_text(r->freed, size), r->enough ? ", enough" : "");
    }
    while (pl_cause_remedy(&at, remedy, sizeof(remedy)))
        if (!pl_remedy_said(w, remedy))
            pl_str_addf(out, "  %u. %s\n", ++n, remedy);
}

void pl_why_text(const struct pl_why_report *w, bool colour, struct pl_str *out)
{
    const struct pl_oom *o = w->oom;
    (void)colour;
    if (o == NULL) {
        pl_str_addf(out, "nothing in these %llu lines is a failure this tool knows\n",
                    (unsigned long long)w->lines);
        return;
    }
    const struct pl_cause_row *c = pl_oom_cause(o);
    pl_why_head(o, out);
    for (uint32_t i = 0; i < o->n_evidence; i++)
        pl_str_addf(out, "  line %llu: %s\n", (unsigned long long)o->line[i], o->evidence[i]);
    pl_str_add(out, "\n");
    pl_why_numbers(o, out);
    for (uint32_t i = 0; i < w->n_object; i++)
        pl_str_addf(out, "%s %s (%s)\n", i == 0 ? "what   " : "    or ", w->object[i].what,
                    pl_oom_confidence_name(w->object[i].confidence));
    if (w->resembles != NULL)
        pl_str_addf(out, "what    %s\n", w->resembles);
    if (c != NULL)
        pl_str_addf(out, "cause   %s\n", c->cause);
    if (o->why[0] != '\0')
        pl_str_addf(out, "        %s\n", o->why);
    pl_why_helps(w, out);
    if (w->failures > 1)
        pl_str_addf(out, "\n%llu failures in this log; this is the one that ended it\n",
                    (unsigned long long)w->failures);
    if (w->cut)
        pl_str_add(out, "\nlong lines were cut, or a part of the log was passed over\n");
}

static void pl_why_json_numbers(const struct pl_oom *o, struct pl_json *j)
{
    pl_json_object(j, "numbers");
    for (int n = 0; n < PL_OOM_NUMBERS; n++) {
        if (!pl_known(o->n[n]))
            continue;
        if (n >= PL_OOM_FIRST_PERCENT)
            pl_json_num(j, pl_oom_number_name((enum pl_oom_number)n), (double)o->n[n].likely / 100);
        else if (n >= PL_OOM_FIRST_COUNT)
            pl_json_u64(j, pl_oom_number_name((enum pl_oom_number)n), o->n[n].likely);
        else
            pl_json_quantity(j, pl_oom_number_name((enum pl_oom_number)n), o->n[n]);
    }
    pl_json_end(j);
    pl_json_array(j, "requests");
    for (uint32_t i = 0; i < o->n_request; i++)
        pl_json_quantity(j, NULL, o->request[i]);
    pl_json_end(j);
    pl_json_array(j, "other_processes");
    for (uint32_t i = 0; i < o->n_other; i++) {
        pl_json_object(j, NULL);
        if (o->other[i].pid != 0)
            pl_json_u64(j, "pid", o->other[i].pid);
        else
            pl_json_null(j, "pid");
        pl_json_quantity(j, "holds", o->other[i].bytes);
        pl_json_end(j);
    }
    pl_json_end(j);
}

static void pl_json_text_or_null(struct pl_json *j, const char *key, const char *text)
{
    pl_json_str(j, key, text[0] != '\0' ? text : NULL);
}

static void pl_why_json_names(const struct pl_oom *o, struct pl_json *j)
{
    pl_json_text_or_null(j, "engine", o->engine);
    pl_json_text_or_null(j, "backend", o->backend);
    pl_json_text_or_null(j, "platform", o->platform);
    if (o->device >= 0)
        pl_json_i64(j, "device", o->device);
    else
        pl_json_null(j, "device");
    pl_json_str(j, "class", pl_oom_class_name(o->class));
    pl_json_bool(j, "memory", pl_oom_is_memory(o->class));
    if (o->is_short == PL_OOM_SHORT_UNKNOWN)
        pl_json_null(j, "capacity");
    else
        pl_json_bool(j, "capacity", o->is_short == PL_OOM_SHORT_YES);
    pl_json_bool(j, "fatal", o->fatal);
    pl_json_str(j, "phase", pl_oom_phase_name(o->phase));
    pl_json_str(j, "confidence", pl_oom_confidence_name(o->confidence));
    pl_json_bool(j, "generic", o->generic);
    pl_json_text_or_null(j, "process", o->process);
    pl_json_text_or_null(j, "group", o->group);
    pl_json_text_or_null(j, "model", o->model);
    pl_json_text_or_null(j, "failed_on", o->node);
}

static void pl_why_json_objects(const struct pl_why_report *w, struct pl_json *j)
{
    pl_json_array(j, "objects");
    for (uint32_t i = 0; i < w->n_object; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "what", w->object[i].what);
        pl_json_u64(j, "bytes", w->object[i].bytes);
        pl_json_str(j, "phase", pl_oom_phase_name(w->object[i].phase));
        pl_json_str(j, "confidence", pl_oom_confidence_name(w->object[i].confidence));
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_str(j, "resembles", w->resembles);
}

static void pl_why_json_remedies(const struct pl_why_report *w, struct pl_json *j)
{
    const struct pl_cause_row *c = pl_oom_cause(w->oom);
    const char *at = c != NULL ? c->remedies : NULL;
    char remedy[PL_REMEDY_MAX];
    pl_json_array(j, "remedies");
    for (uint32_t i = 0; w->reliefs != NULL && i < w->reliefs->n; i++) {
        const struct pl_relief *r = &w->reliefs->one[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "what", r->effect);
        pl_json_str(j, "flags", r->flags);
        pl_json_quantity(j, "frees",
                         pl_exact(r->freed, PL_SOURCE_DERIVED, "estimated with and without"));
        pl_json_bool(j, "enough", r->enough);
        pl_json_str(j, "verdict", pl_verdict_name(r->verdict));
        pl_json_end(j);
    }
    while (pl_cause_remedy(&at, remedy, sizeof(remedy))) {
        if (pl_remedy_said(w, remedy))
            continue;
        pl_json_object(j, NULL);
        pl_json_str(j, "what", remedy);
        pl_json_null(j, "flags");
        pl_json_quantity(j, "frees", PL_QUANTITY_UNKNOWN("depends on what is not known here"));
        pl_json_null(j, "enough");
        pl_json_null(j, "verdict");
        pl_json_end(j);
    }
    pl_json_end(j);
}

void pl_why_json(const struct pl_why_report *w, struct pl_json *j)
{
    const struct pl_oom *o = w->oom;
    pl_json_bool(j, "recognised", o != NULL);
    if (o != NULL) {
        const struct pl_cause_row *c = pl_oom_cause(o);
        pl_why_json_names(o, j);
        pl_why_json_numbers(o, j);
        pl_json_text_or_null(j, "why", o->why);
        pl_json_str(j, "cause", c != NULL ? c->cause : NULL);
        pl_json_str(j, "cause_source", c != NULL ? c->source : NULL);
        pl_why_json_objects(w, j);
        if (w->missing > 0)
            pl_json_quantity(
                j, "missing",
                pl_exact(w->missing, PL_SOURCE_DERIVED, "requested less what was free"));
        else
            pl_json_quantity(j, "missing", PL_QUANTITY_UNKNOWN("the log does not give both sizes"));
        pl_why_json_remedies(w, j);
        pl_json_array(j, "evidence");
        for (uint32_t i = 0; i < o->n_evidence; i++) {
            pl_json_object(j, NULL);
            pl_json_u64(j, "line", o->line[i]);
            pl_json_str(j, "text", o->evidence[i]);
            pl_json_end(j);
        }
        pl_json_end(j);
    }
    pl_json_object(j, "log");
    pl_json_str(j, "name", w->log);
    pl_json_u64(j, "lines", w->lines);
    pl_json_u64(j, "bytes", w->bytes);
    pl_json_u64(j, "failures", w->failures);
    pl_json_bool(j, "cut", w->cut);
    pl_json_end(j);
}
