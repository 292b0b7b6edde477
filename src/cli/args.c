/* The command line against the option tables. */
#include "base/units.h"
#include "cli/verb.h"
#include "domain/whisper.h"
#include "engine/engine.h"
#include "engine/llamacpp/environment.h"
#include "engine/llamacpp/settings.h"
#include "model/whisper.h"

#include <errno.h>
#include <string.h>

#define PL_NAMES_MAX 1024 /* of an engine's flags there are some 420 */
#define PL_OWN_NAMES_MAX 64

const struct pl_opt_value *pl_cli_opt(const struct pl_cli *cli, const char *name)
{
    static const struct pl_opt_value absent = {0};
    for (uint32_t i = 0; cli->verb->opts[i].name != NULL; i++) {
        if (pl_streq(cli->verb->opts[i].name, name))
            return &cli->value[i];
    }
    return &absent;
}

/* "try: ", or nothing without a command. */
static const char *pl_args_verb(const struct pl_verb *verb, char out[40])
{
    (void)pl_fmt(out, 40, "%s%s", verb->name, verb->name[0] != '\0' ? ": " : "");
    return out;
}

static int pl_args_unknown(const struct pl_cli *cli, const char *word, struct pl_err *err)
{
    char own[PL_OWN_NAMES_MAX][40];
    const char *names[PL_NAMES_MAX + 1];
    size_t n = 0;
    for (const struct pl_opt *o = cli->verb->opts; o->name != NULL && n + 2 < PL_OWN_NAMES_MAX; o++)
        (void)PL_FMT(own[n++], "--%s", o->name);
    (void)PL_FMT(own[n++], "--json");
    (void)PL_FMT(own[n++], "--help");
    for (size_t i = 0; i < n; i++)
        names[i] = own[i];
    for (const struct pl_setting_row *r = cli->values.row; r != NULL && r->names[0] != NULL; r++) {
        for (int k = 0; k < PL_SETTING_NAMES_MAX && r->names[k] != NULL && n < PL_NAMES_MAX; k++)
            names[n++] = r->names[k];
    }
    if (cli->verb->engine_flags && cli->engine == NULL) {
        for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
            for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL && n < PL_NAMES_MAX; k++)
                names[n++] = f->names[k];
        }
    }
    names[n] = NULL;
    char verb[40];
    const char *name = cli->verb->name, *gap = name[0] != '\0' ? " " : "";
    (void)pl_fail(err, -EINVAL, "%sunknown option '%.60s'", pl_args_verb(cli->verb, verb), word);
    const char *near = pl_nearest(word, names);
    if (near != NULL)
        (void)pl_hint(err, "did you mean %s? 'plimsoll%s%s --help' lists all", near, gap, name);
    else
        (void)pl_hint(err, "'plimsoll%s%s --help' lists the options", gap, name);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static bool pl_choice_has(const char *choices, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = choices; s != NULL; s = strchr(s, '|'), s = s != NULL ? s + 1 : NULL) {
        if (n > 0 && strncmp(s, word, n) == 0 && (s[n] == '|' || s[n] == '\0'))
            return true;
    }
    return false;
}

static int pl_args_value(const struct pl_opt *o, struct pl_opt_value *v, const char *text,
                         struct pl_err *err)
{
    v->text = text;
    int rc = 0;
    if (o->kind == PL_OPT_LIST && v->n_list >= PL_OPT_LIST_MAX)
        rc = pl_fail(err, -E2BIG, "--%s: more than %d of them", o->name, PL_OPT_LIST_MAX);
    else if (o->kind == PL_OPT_LIST)
        v->list[v->n_list++] = text;
    if (o->kind == PL_OPT_SIZE) {
        rc = pl_size_parse(text, &v->u, err);
    } else if (o->kind == PL_OPT_NUMBER && !pl_parse_u64(text, &v->u)) {
        rc = pl_fail(err, -EINVAL, "--%s: '%.60s' is not a whole number", o->name, text);
    } else if (o->kind == PL_OPT_CHOICE && !pl_choice_has(o->arg, text)) {
        rc = pl_fail(err, -EINVAL, "--%s: '%.60s' is not one of %s", o->name, text, o->arg);
    }
    return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_USAGE) : 0;
}

/* The option that word ("--name", "--name=value", "-o") names, or NULL. */
static const struct pl_opt *pl_args_find(const struct pl_verb *verb, const char *word,
                                         const char **ret_inline)
{
    *ret_inline = NULL;
    for (const struct pl_opt *o = verb->opts; o->name != NULL; o++) {
        size_t n = strlen(o->name);
        if (o->letter != '\0' && word[1] == o->letter && word[2] == '\0')
            return o;
        if (word[1] != '-' || strncmp(word + 2, o->name, n) != 0)
            continue;
        if (word[n + 2] == '\0')
            return o;
        if (word[n + 2] == '=') {
            *ret_inline = word + n + 3;
            return o;
        }
    }
    return NULL;
}

/* Takes one option at argv[i]; returns how many words it used, or negative. */
static int pl_args_option(struct pl_cli *cli, int argc, char **argv, int i, struct pl_err *err)
{
    const char *word = argv[i];
    const char *text = NULL;
    const struct pl_opt *o = pl_args_find(cli->verb, word, &text);
    if (o == NULL) {
        if (!cli->verb->engine_flags)
            return pl_args_unknown(cli, word, err);
        int used = cli->engine != NULL ? pl_settings_take(&cli->values, argc - i, argv + i, err)
                                       : pl_llamacpp_flag(&cli->settings, argc - i, argv + i, err);
        return used == 0 ? pl_args_unknown(cli, word, err) : used;
    }
    struct pl_opt_value *v = &cli->value[o - cli->verb->opts];
    v->given = true;
    if (o->kind == PL_OPT_FLAG) {
        if (text == NULL)
            return 1;
        (void)pl_fail(err, -EINVAL, "--%s takes no value", o->name);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    int used = 1;
    if (text == NULL) {
        if (i + 1 >= argc) {
            (void)pl_fail(err, -EINVAL, "--%s needs a value (%s)", o->name, o->arg);
            return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
        }
        text = argv[i + 1];
        used = 2;
    }
    int rc = pl_args_value(o, v, text, err);
    return rc < 0 ? rc : used;
}

static int pl_args_count(const struct pl_cli *cli, struct pl_err *err)
{
    const struct pl_verb *verb = cli->verb;
    char text[40];
    if (cli->n_arg < verb->args_min)
        (void)pl_fail(err, -EINVAL, "%smissing argument", pl_args_verb(verb, text));
    else if (cli->n_arg > verb->args_max)
        (void)pl_fail(err, -EINVAL, "%sunexpected argument '%.60s'", pl_args_verb(verb, text),
                      cli->arg[verb->args_max]);
    else
        return 0;
    (void)pl_hint(err, "usage: plimsoll%s%s %s", verb->name[0] != '\0' ? " " : "", verb->name,
                  verb->args);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static void pl_args_engine_is(struct pl_cli *cli, const char *name)
{
    const struct pl_engine *e = name != NULL ? pl_engine_named(name) : NULL;
    if (e != NULL && e->settings != NULL) {
        cli->engine = e;
        pl_settings_start(&cli->values, e->settings);
    }
}

/* Is the word behind this one its value? Of a flag that neither the command nor llama.cpp has that
 * is not known yet. */
static bool pl_args_takes_value(const struct pl_verb *verb, const char *word)
{
    const char *text = NULL;
    if (word[0] != '-')
        return false;
    const struct pl_opt *o = pl_args_find(verb, word, &text);
    if (o != NULL)
        return o->kind != PL_OPT_FLAG && text == NULL;
    const struct pl_flag *f = pl_llamacpp_flag_named(word);
    return f != NULL && f->arg != NULL;
}

/* Which engine's flags these are must be known before they are read: said with --engine, or by a
 * model that only one engine loads. */
static void pl_args_engine(struct pl_cli *cli, int argc, char **argv)
{
    bool said = false, whisper = false;
    for (int i = 0; cli->verb->other_engines && i < argc && !pl_streq(argv[i], "--"); i++) {
        const char *name = NULL;
        if (pl_starts(argv[i], "--engine="))
            name = argv[i] + strlen("--engine=");
        else if (pl_streq(argv[i], "--engine") && i + 1 < argc)
            name = argv[i + 1];
        said = said || name != NULL;
        bool value = i > 0 && pl_args_takes_value(cli->verb, argv[i - 1]);
        whisper = whisper || (argv[i][0] != '-' && !value && pl_whisper_spec(argv[i]));
        pl_args_engine_is(cli, name);
    }
    if (whisper && !said)
        pl_args_engine_is(cli, PL_WHISPER_FORMAT);
}

int pl_cli_parse(struct pl_cli *cli, int argc, char **argv, bool *ret_help, struct pl_err *err)
{
    bool only_args = false;
    *ret_help = false;
    pl_llamacpp_defaults(&cli->settings);
    pl_args_engine(cli, argc, argv);
    if (cli->verb->engine_flags && cli->engine == NULL) {
        int rc = pl_llamacpp_environment(&cli->settings, err);
        if (rc < 0)
            return rc;
    }
    for (int i = 0; i < argc;) {
        const char *word = argv[i];
        only_args = only_args || (cli->verb->command && cli->n_arg > 0);
        if (only_args || word[0] != '-' || word[1] == '\0') {
            if (cli->n_arg >= PL_ARGS_MAX)
                return pl_exit_as(err, pl_fail(err, -E2BIG, "more than %d arguments", PL_ARGS_MAX),
                                  PL_EXIT_USAGE);
            cli->arg[cli->n_arg++] = word;
            i++;
        } else if (pl_streq(word, "--")) {
            only_args = true;
            i++;
        } else if (pl_streq(word, "--help") || pl_streq(word, "-h")) {
            *ret_help = true;
            return 0;
        } else if (pl_streq(word, "--json")) {
            cli->json = true;
            i++;
        } else {
            int used = pl_args_option(cli, argc, argv, i, err);
            if (used < 0)
                return used;
            i += used;
        }
    }
    return pl_args_count(cli, err);
}
