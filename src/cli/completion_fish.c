/* The completion for fish: one `complete` line for each option, with the commands it belongs to. */
#include "cli/completion.h"
#include "engine/llamacpp/settings.h"

#include <string.h>

static const char pl_fish_head[] =
    "# fish completion for plimsoll, made by 'plimsoll completion fish'\n"
    "function __plimsoll_no_command\n"
    "    test (count (commandline -opc)) -eq 1\n"
    "end\n"
    "function __plimsoll_is\n"
    "    set -l words (commandline -opc)\n"
    "    test (count $words) -ge 2; and contains -- $words[2] $argv\n"
    "end\n"
    "complete -c plimsoll -s h -l help -d 'show its help'\n"
    "complete -c plimsoll -l json -d 'print one JSON object'\n"
    "complete -c plimsoll -n __plimsoll_no_command -f\n"
    "complete -c plimsoll -n __plimsoll_no_command -l version -d 'print the version'\n";

/* Between single quotes. */
static void pl_fish_text(struct pl_str *out, const char *s)
{
    pl_str_add(out, "'");
    for (; *s != '\0'; s++) {
        if (*s == '\'' || *s == '\\')
            pl_str_add(out, "\\");
        pl_str_addn(out, s, 1);
    }
    pl_str_add(out, "'");
}

static void pl_fish_value(struct pl_str *out, enum pl_value_kind kind, const char *arg)
{
    if (kind == PL_VALUE_FILE)
        pl_str_add(out, " -r -F");
    else if (kind == PL_VALUE_ANY)
        pl_str_add(out, " -x");
    else if (kind == PL_VALUE_WORDS) {
        pl_str_add(out, " -x -a '");
        pl_add_words(out, arg);
        pl_str_add(out, "'");
    }
}

static void pl_fish_is(struct pl_str *out, const char *commands)
{
    pl_str_addf(out, "complete -c plimsoll -n '__plimsoll_is %s'", commands);
}

static void pl_fish_verb(struct pl_str *out, const struct pl_verb *verb)
{
    pl_str_addf(out, "complete -c plimsoll -n __plimsoll_no_command -a %s -d ", verb->name);
    pl_fish_text(out, verb->summary);
    pl_str_add(out, "\n");
    bool words = pl_value_of(verb->args) == PL_VALUE_WORDS;
    if (verb->args_max == 0 || words) {
        pl_fish_is(out, verb->name);
        pl_str_add(out, " -f");
        if (words) {
            pl_str_add(out, " -a '");
            pl_add_words(out, verb->args);
            pl_str_add(out, "'");
        }
        pl_str_add(out, "\n");
    }
    for (const struct pl_opt *o = verb->opts; o->name != NULL; o++) {
        pl_fish_is(out, verb->name);
        if (o->letter != '\0')
            pl_str_addf(out, " -s %c", o->letter);
        pl_str_addf(out, " -l %s", o->name);
        pl_fish_value(out, pl_value_of_opt(o), o->arg);
        pl_str_add(out, " -d ");
        pl_fish_text(out, o->help);
        pl_str_add(out, "\n");
    }
}

/* "-c" is short, "--ctx-size" long, "-ngl" what fish calls old style. */
static void pl_fish_flag_name(struct pl_str *out, const char *name)
{
    if (name[1] == '-')
        pl_str_addf(out, " -l %s", name + 2);
    else
        pl_str_addf(out, " -%c %s", name[1] != '\0' && name[2] == '\0' ? 's' : 'o', name + 1);
}

static void pl_fish_flags(struct pl_str *out, const char *commands)
{
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (f->help == NULL)
            continue;
        pl_fish_is(out, commands);
        for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++)
            pl_fish_flag_name(out, f->names[k]);
        pl_fish_value(out, pl_value_of(f->arg), f->arg);
        pl_str_add(out, " -d ");
        pl_fish_text(out, f->help);
        pl_str_add(out, "\n");
    }
}

void pl_completion_fish(struct pl_str *out)
{
    struct pl_str all, engine; /* names of commands: all, and those that take the engine's flags */
    pl_str_init(&all, 4096);
    pl_str_init(&engine, 4096);
    pl_str_add(out, pl_fish_head);
    for (size_t i = 0; pl_verbs[i] != NULL; i++) {
        pl_fish_verb(out, pl_verbs[i]);
        pl_str_addf(&all, "%s ", pl_verbs[i]->name);
        if (pl_verbs[i]->engine_flags)
            pl_str_addf(&engine, "%s%s", engine.len > 0 ? " " : "", pl_verbs[i]->name);
    }
    pl_str_add(out, "complete -c plimsoll -n __plimsoll_no_command -a help -d 'show the help of a "
                    "command'\n");
    pl_fish_is(out, "help");
    pl_str_addf(out, " -f -a '%shelp'\n", pl_str_get(&all));
    pl_fish_flags(out, pl_str_get(&engine));
    pl_str_done(&all);
    pl_str_done(&engine);
}
