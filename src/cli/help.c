/* Texts made from the option tables: --help, the man page, the shell completions. */
#include "cli/verb.h"
#include "engine/engine.h"
#include "engine/llamacpp/settings.h"

#include <string.h>

void pl_help_overview(struct pl_str *out)
{
    pl_str_add(out, "plimsoll: the load line for local AI: predict, run, measure, remember\n\n"
                    "usage: plimsoll [COMMAND] [options]\n\n"
                    "  (no command)  this machine, what fits, what to do next\n");
    for (size_t i = 0; pl_verbs[i] != NULL; i++)
        pl_str_addf(out, "  %-12s  %s\n", pl_verbs[i]->name, pl_verbs[i]->summary);
    pl_str_add(out, "\n'plimsoll COMMAND --help' shows its options and an example.\n"
                    "Every command takes --json. Exit status: 0 yes, 1 no, 2 bad usage or input,\n"
                    "3 cannot tell, 4 the environment failed.\n");
}

static void pl_opt_text(const struct pl_opt *o, char *out, size_t size)
{
    char letter[8] = "    ";
    if (o->letter != '\0')
        (void)PL_FMT(letter, "-%c, ", o->letter);
    (void)pl_fmt(out, size, "%s--%s%s%s", letter, o->name, o->kind == PL_OPT_FLAG ? "" : " ",
                 o->kind == PL_OPT_FLAG ? "" : o->arg);
}

static void pl_help_flags(struct pl_str *out)
{
    pl_str_add(out, "\nengine flags, as llama-server spells them:\n");
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (f->help == NULL)
            continue;
        struct pl_str line;
        pl_str_init(&line, 200);
        for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++)
            pl_str_addf(&line, "%s%s", k > 0 ? ", " : "", f->names[k]);
        pl_str_addf(&line, "%s%s", f->arg != NULL ? " " : "", f->arg != NULL ? f->arg : "");
        pl_str_addf(out, "  %-40s  %s\n", pl_str_get(&line), f->help);
        pl_str_done(&line);
    }
}

static void pl_help_settings(const struct pl_engine *engine, struct pl_str *out)
{
    pl_str_addf(out, "\nengine flags of %s:\n", engine->name);
    for (const struct pl_setting_row *r = engine->settings; r->names[0] != NULL; r++) {
        char line[PL_ERR_WHAT_MAX] = "";
        size_t n = 0;
        if (r->help == NULL)
            continue;
        for (int k = 0; k < PL_SETTING_NAMES_MAX && r->names[k] != NULL; k++) {
            (void)pl_fmt(line + n, sizeof(line) - n, "%s%s", k > 0 ? ", " : "", r->names[k]);
            n = strlen(line);
        }
        if (r->arg != NULL)
            (void)pl_fmt(line + n, sizeof(line) - n, " %s", r->arg);
        pl_str_addf(out, "  %-40s  %s", line, r->help);
        if (r->absent != NULL && r->takes != PL_TAKES_NOTHING)
            pl_str_addf(out, " (%s)", r->absent);
        pl_str_add(out, "\n");
    }
}

void pl_help_verb(const struct pl_verb *verb, const struct pl_engine *engine, struct pl_str *out)
{
    const char *gap = verb->name[0] != '\0' ? " " : "", *args = verb->args;
    pl_str_addf(out, "plimsoll%s%s: %s\n\nusage: plimsoll%s%s%s%s\n", gap, verb->name,
                verb->summary, gap, verb->name, args[0] != '\0' ? " " : "", args);
    if (verb->details != NULL)
        pl_str_addf(out, "\n%s\n", verb->details);
    pl_str_add(out, "\noptions:\n");
    for (const struct pl_opt *o = verb->opts; o->name != NULL; o++) {
        char text[80];
        pl_opt_text(o, text, sizeof(text));
        pl_str_addf(out, "  %-30s  %s\n", text, o->help);
    }
    pl_str_addf(out, "  %-30s  %s\n", "    --json",
                "print one JSON object (schema in data/schema)");
    pl_str_addf(out, "  %-30s  %s\n", "-h, --help", "show this help");
    if (engine != NULL)
        pl_help_settings(engine, out);
    else if (verb->engine_flags)
        pl_help_flags(out);
    pl_str_add(out, "\nexamples:\n");
    for (const char *const *e = verb->examples; *e != NULL; e++)
        pl_str_addf(out, "  %s\n", *e);
}
