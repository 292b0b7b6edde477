/* Shell completions from the option tables. The words put into the scripts come from those tables
 * alone: letters, digits and - _ + . */
#include "cli/completion.h"
#include "engine/llamacpp/settings.h"

#include <errno.h>
#include <string.h>

enum pl_value_kind pl_value_of(const char *arg)
{
    static const char *const files[] = {"FILE", "FNAME", "PATH", "DIR", "MODEL", NULL};
    if (arg == NULL)
        return PL_VALUE_NONE;
    for (int i = 0; files[i] != NULL; i++) {
        if (pl_streq(arg, files[i]))
            return PL_VALUE_FILE;
    }
    bool words = strchr(arg, '|') != NULL;
    for (const char *s = arg; *s != '\0'; s++) {
        bool plain =
            (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || strchr("|_+-.", *s) != NULL;
        words = words && plain;
    }
    return words ? PL_VALUE_WORDS : PL_VALUE_ANY;
}

enum pl_value_kind pl_value_of_opt(const struct pl_opt *o)
{
    switch (o->kind) {
    case PL_OPT_FLAG:
        return PL_VALUE_NONE;
    case PL_OPT_PATH:
        return PL_VALUE_FILE;
    case PL_OPT_CHOICE:
        return PL_VALUE_WORDS;
    case PL_OPT_TEXT:
    case PL_OPT_LIST:
    case PL_OPT_SIZE:
    case PL_OPT_NUMBER:
    default:
        return PL_VALUE_ANY;
    }
}

void pl_add_words(struct pl_str *out, const char *choices)
{
    for (const char *s = choices; *s != '\0'; s++)
        pl_str_addn(out, *s == '|' ? " " : s, 1);
}

static bool pl_flag_shown(const struct pl_flag *f)
{
    return f->help != NULL;
}

/* ---- bash ---- */

static const char pl_bash_head[] =
    "# bash completion for plimsoll, made by 'plimsoll completion bash'\n"
    "_plimsoll_words()\n"
    "{\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$1\")\n"
    "}\n"
    "_plimsoll_files()\n"
    "{\n"
    "    compopt -o filenames 2>/dev/null\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$1\")\n"
    "}\n"
    "_plimsoll()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local verb=${COMP_WORDS[1]} opts='' args=''\n"
    "    COMPREPLY=()\n"
    "    if [ \"$cur\" = = ]; then # --option=\n"
    "        cur=''\n"
    "    elif [ \"$prev\" = = ]; then # --option=wo\n"
    "        prev=${COMP_WORDS[COMP_CWORD-2]}\n"
    "    fi\n";

static const char pl_bash_tail[] = "    case $cur in\n"
                                   "    -*) _plimsoll_words \"$cur\" \"$opts\" ;;\n"
                                   "    *)\n"
                                   "        case $args in\n"
                                   "        none) ;;\n"
                                   "        '') _plimsoll_files \"$cur\" ;;\n"
                                   "        *) _plimsoll_words \"$cur\" \"$args\" ;;\n"
                                   "        esac\n"
                                   "        ;;\n"
                                   "    esac\n"
                                   "}\n"
                                   "complete -F _plimsoll plimsoll\n";

static void pl_bash_verbs(struct pl_str *out)
{
    for (size_t i = 0; pl_verbs[i] != NULL; i++)
        pl_str_addf(out, "%s ", pl_verbs[i]->name);
    pl_str_add(out, "help");
}

/* What follows a case label: how the value is completed. */
static void pl_bash_value(struct pl_str *out, enum pl_value_kind kind, const char *arg)
{
    if (kind == PL_VALUE_FILE)
        pl_str_add(out, " _plimsoll_files \"$cur\"; return ;;\n");
    else if (kind == PL_VALUE_WORDS) {
        pl_str_add(out, " _plimsoll_words \"$cur\" '");
        pl_add_words(out, arg);
        pl_str_add(out, "'; return ;;\n");
    } else
        pl_str_add(out, " return ;;\n");
}

static void pl_bash_opt_values(struct pl_str *out)
{
    pl_str_add(out, "    case \"$verb $prev\" in\n");
    for (size_t i = 0; pl_verbs[i] != NULL; i++) {
        for (const struct pl_opt *o = pl_verbs[i]->opts; o->name != NULL; o++) {
            enum pl_value_kind kind = pl_value_of_opt(o);
            if (kind == PL_VALUE_NONE)
                continue;
            pl_str_addf(out, "    '%s --%s'", pl_verbs[i]->name, o->name);
            if (o->letter != '\0')
                pl_str_addf(out, " | '%s -%c'", pl_verbs[i]->name, o->letter);
            pl_str_add(out, ")");
            pl_bash_value(out, kind, o->arg);
        }
    }
    pl_str_add(out, "    esac\n");
}

static void pl_bash_flag_values(struct pl_str *out)
{
    bool any = false;
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++)
        any = any || (pl_flag_shown(f) && f->arg != NULL);
    if (!any)
        return;
    pl_str_add(out, "    case $prev in\n");
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (!pl_flag_shown(f) || f->arg == NULL)
            continue;
        pl_str_add(out, "    ");
        for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++)
            pl_str_addf(out, "%s%s", k > 0 ? " | " : "", f->names[k]);
        pl_str_add(out, ")");
        pl_bash_value(out, pl_value_of(f->arg), f->arg);
    }
    pl_str_add(out, "    esac\n");
}

static void pl_bash_verb(struct pl_str *out, const struct pl_verb *verb)
{
    pl_str_addf(out, "    %s)\n        opts='--json --help", verb->name);
    for (const struct pl_opt *o = verb->opts; o->name != NULL; o++)
        pl_str_addf(out, " --%s", o->name);
    pl_str_add(out, "'\n");
    if (verb->engine_flags)
        pl_str_add(out, "        opts+=\" $flags\"\n        engine=1\n");
    if (verb->args_max == 0)
        pl_str_add(out, "        args=none\n");
    else if (pl_value_of(verb->args) == PL_VALUE_WORDS) {
        pl_str_add(out, "        args='");
        pl_add_words(out, verb->args);
        pl_str_add(out, "'\n");
    }
    pl_str_add(out, "        ;;\n");
}

static void pl_completion_bash(struct pl_str *out)
{
    pl_str_add(out, pl_bash_head);
    pl_str_add(out, "    local engine='' flags='");
    bool first = true;
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL && pl_flag_shown(f); k++) {
            pl_str_addf(out, "%s%s", first ? "" : " ", f->names[k]);
            first = false;
        }
    }
    pl_str_add(out,
               "'\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        _plimsoll_words \"$cur\" '");
    pl_bash_verbs(out);
    pl_str_add(out, " --help --version'\n        return\n    fi\n    case $verb in\n");
    for (size_t i = 0; pl_verbs[i] != NULL; i++)
        pl_bash_verb(out, pl_verbs[i]);
    pl_str_add(out, "    help)\n        args='");
    pl_bash_verbs(out);
    pl_str_add(out, "'\n        ;;\n    *) return ;;\n    esac\n");
    pl_bash_opt_values(out);
    pl_str_add(out, "    if [ -n \"$engine\" ]; then\n    :\n");
    pl_bash_flag_values(out);
    pl_str_add(out, "    fi\n");
    pl_str_add(out, pl_bash_tail);
}

/* ---- zsh ---- */

/* Text inside '...[text]' of an _arguments specification. */
static void pl_zsh_text(struct pl_str *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\'')
            pl_str_add(out, "'\\''");
        else if (strchr("[]:\\", *s) != NULL)
            pl_str_addf(out, "\\%c", *s);
        else
            pl_str_addn(out, s, 1);
    }
}

static void pl_zsh_value(struct pl_str *out, enum pl_value_kind kind, const char *arg)
{
    if (kind == PL_VALUE_NONE)
        return;
    pl_str_add(out, ":");
    if (kind == PL_VALUE_WORDS) {
        pl_str_add(out, "value:(");
        pl_add_words(out, arg);
        pl_str_add(out, ")");
        return;
    }
    pl_zsh_text(out, arg);
    pl_str_add(out, kind == PL_VALUE_FILE ? ":_files" : ": ");
}

static void pl_zsh_opt(struct pl_str *out, const struct pl_opt *o)
{
    pl_str_add(out, " \\\n            '");
    if (o->letter != '\0')
        pl_str_addf(out, "(-%c --%s)'{-%c,--%s}'", o->letter, o->name, o->letter, o->name);
    else
        pl_str_addf(out, "--%s", o->name);
    pl_str_add(out, "[");
    pl_zsh_text(out, o->help);
    pl_str_add(out, "]");
    pl_zsh_value(out, pl_value_of_opt(o), o->arg);
    pl_str_add(out, "'");
}

static void pl_zsh_flag(struct pl_str *out, const struct pl_flag *f)
{
    for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++) {
        pl_str_addf(out, "        '%s[", f->names[k]);
        pl_zsh_text(out, f->help);
        pl_str_add(out, "]");
        pl_zsh_value(out, pl_value_of(f->arg), f->arg);
        pl_str_add(out, "'\n");
    }
}

static void pl_zsh_verb(struct pl_str *out, const struct pl_verb *verb)
{
    pl_str_addf(out,
                "    %s)\n        _arguments -S '--json[print one JSON object]' "
                "'(-h --help)'{-h,--help}'[show its help]'",
                verb->name);
    for (const struct pl_opt *o = verb->opts; o->name != NULL; o++)
        pl_zsh_opt(out, o);
    if (verb->engine_flags)
        pl_str_add(out, " \\\n            $flags");
    if (verb->args_max > 0) {
        pl_str_add(out, " \\\n            '*");
        enum pl_value_kind kind = pl_value_of(verb->args);
        pl_zsh_value(out, kind == PL_VALUE_WORDS ? kind : PL_VALUE_FILE, verb->args);
        pl_str_add(out, "'");
    }
    pl_str_add(out, "\n        ;;\n");
}

static void pl_completion_zsh(struct pl_str *out)
{
    pl_str_add(out, "#compdef plimsoll\n"
                    "# zsh completion for plimsoll, made by 'plimsoll completion zsh'\n"
                    "_plimsoll()\n{\n    local -a verbs flags\n    verbs=(\n");
    for (size_t i = 0; pl_verbs[i] != NULL; i++) {
        pl_str_addf(out, "        '%s:", pl_verbs[i]->name);
        pl_zsh_text(out, pl_verbs[i]->summary);
        pl_str_add(out, "'\n");
    }
    pl_str_add(out, "        'help:show the help of a command'\n    )\n    flags=(\n");
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (pl_flag_shown(f))
            pl_zsh_flag(out, f);
    }
    pl_str_add(out, "    )\n"
                    "    if (( CURRENT == 2 )); then\n"
                    "        _describe command verbs\n"
                    "        return\n"
                    "    fi\n"
                    "    shift words\n"
                    "    (( CURRENT-- ))\n"
                    "    case $words[1] in\n"
                    "    help)\n        _describe command verbs\n        ;;\n");
    for (size_t i = 0; pl_verbs[i] != NULL; i++)
        pl_zsh_verb(out, pl_verbs[i]);
    pl_str_add(out, "    esac\n}\n"
                    "if [ \"$funcstack[1]\" = _plimsoll ]; then\n"
                    "    _plimsoll \"$@\"\nelse\n    compdef _plimsoll plimsoll\nfi\n");
}

int pl_help_completion(const char *shell, struct pl_str *out, struct pl_err *err)
{
    if (pl_streq(shell, "bash")) {
        pl_completion_bash(out);
    } else if (pl_streq(shell, "zsh")) {
        pl_completion_zsh(out);
    } else if (pl_streq(shell, "fish")) {
        pl_completion_fish(out);
    } else {
        (void)pl_fail(err, -EINVAL, "completion: '%.60s' is not one of bash, zsh, fish, man",
                      shell);
        (void)pl_hint(err, "usage: plimsoll completion bash|zsh|fish|man");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return PL_EXIT_YES;
}
