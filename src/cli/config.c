/* plimsoll config show STACK: the stack as it is read, and where its variables come from. */
#include "base/json.h"
#include "base/table.h"
#include "cli/stack.h"
#include "cli/verbs.h"
#include "plan/keys.h"

#include <errno.h>
#include <unistd.h>

#define PL_CONFIG_DEPTH_MAX (PL_YAML_DEPTH_MAX + 1u)

/* A tree as JSON, without recursion. */
static void pl_config_json(struct pl_json *j, const char *key, const struct pl_ynode *root)
{
    const struct pl_ymember *at[PL_CONFIG_DEPTH_MAX];
    uint32_t depth = 0;
    pl_json_object(j, key);
    at[depth++] = root->first;
    while (depth > 0) {
        const struct pl_ymember *m = at[depth - 1];
        if (m == NULL) {
            pl_json_end(j);
            depth--;
            continue;
        }
        at[depth - 1] = m->next;
        if (m->value->kind == PL_Y_SCALAR) {
            pl_json_str(j, m->key, pl_ynull(m->value) ? NULL : m->value->text);
        } else if (depth < PL_CONFIG_DEPTH_MAX) {
            if (m->value->kind == PL_Y_MAP)
                pl_json_object(j, m->key);
            else
                pl_json_array(j, m->key);
            at[depth++] = m->value->first;
        }
    }
}

static void pl_config_indent(struct pl_str *out, uint32_t depth)
{
    pl_str_addc(out, ' ', 2 * (size_t)depth);
}

/* The same as YAML, each value on a line of its own. */
static void pl_config_text(struct pl_str *out, const struct pl_ynode *root)
{
    const struct pl_ymember *at[PL_CONFIG_DEPTH_MAX];
    uint32_t depth = 0;
    at[depth++] = root->first;
    while (depth > 0) {
        const struct pl_ymember *m = at[depth - 1];
        if (m == NULL) {
            depth--;
            continue;
        }
        at[depth - 1] = m->next;
        pl_config_indent(out, depth - 1);
        pl_str_addf(out, m->key != NULL ? "%s:" : "%s", m->key != NULL ? m->key : "-");
        if (m->value->kind == PL_Y_SCALAR) {
            pl_str_addf(out, m->value->plain ? " %s\n" : " \"%s\"\n", m->value->text);
        } else if (depth < PL_CONFIG_DEPTH_MAX) {
            pl_str_add(out, "\n");
            at[depth++] = m->value->first;
        }
    }
}

static void pl_config_variables(const struct pl_stack *s, struct pl_str *out)
{
    for (uint32_t i = 0; i < s->n_variable; i++) {
        const struct pl_stack_variable *v = &s->variable[i];
        pl_str_addf(out, "# %s:%u:%u: %s = %s, %s\n", s->file, v->line, v->col, v->name, v->value,
                    v->from_environment ? "from the environment variable" : "the file's default");
    }
}

static void pl_config_print(struct pl_cli *cli, const struct pl_stack *s)
{
    struct pl_json j;
    if (!cli->json) {
        pl_config_variables(s, &cli->out);
        pl_config_text(&cli->out, s->root);
        return;
    }
    pl_json_start(&j, &cli->out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.config/1");
    pl_json_str(&j, "file", s->file);
    pl_json_str(&j, "environment", s->environment);
    pl_json_array(&j, "environments");
    for (size_t i = 0; s->environments[i] != NULL; i++)
        pl_json_str(&j, NULL, s->environments[i]);
    pl_json_end(&j);
    pl_json_array(&j, "variables");
    for (uint32_t i = 0; i < s->n_variable; i++) {
        const struct pl_stack_variable *v = &s->variable[i];
        pl_json_object(&j, NULL);
        pl_json_str(&j, "name", v->name);
        pl_json_str(&j, "value", v->value);
        pl_json_str(&j, "source", v->from_environment ? "environment" : "default");
        pl_json_u64(&j, "line", v->line);
        pl_json_u64(&j, "column", v->col);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_config_json(&j, "stack", s->root);
    pl_json_end(&j);
}

static int pl_config_run(struct pl_cli *cli, struct pl_err *err)
{
    struct pl_arena arena;
    struct pl_stack *s = NULL;
    bool show = pl_streq(cli->arg[0], "show");
    if (pl_streq(cli->arg[0], "schema") && cli->n_arg == 1) {
        pl_stack_schema(&cli->out);
        return PL_EXIT_YES;
    }
    if (pl_streq(cli->arg[0], "keys") && cli->n_arg == 1) {
        pl_stack_reference(&cli->out);
        return PL_EXIT_YES;
    }
    if (!show || cli->n_arg != 2) {
        (void)pl_fail(err, -EINVAL, "config: '%.60s' is not 'show STACK', 'schema' or 'keys'",
                      cli->arg[0]);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    pl_arena_init(&arena, PL_STACK_ARENA_MAX);
    int rc = pl_cli_stack(cli, cli->arg[1], &arena, &s, err);
    if (rc == 0)
        pl_config_print(cli, s);
    pl_arena_done(&arena);
    return rc;
}

static const struct pl_opt pl_config_opts[] = {
    PL_CLI_STACK_OPTS,
    {0},
};

static const char *const pl_config_examples[] = {
    "plimsoll config show voice.yaml --env production",
    "plimsoll config schema > stack.schema.json  # for an editor",
    "plimsoll config keys  # every key of a stack file",
    0,
};

const struct pl_verb pl_verb_config = {
    .name = "config",
    .args = "show STACK | schema | keys",
    .summary = "a stack file as it is read: environment merged, variables with their source",
    .details = "show prints the stack of --env with every variable filled in and says where its\n"
               "value comes from. schema is the JSON Schema of stack files, keys their reference.",
    .examples = pl_config_examples,
    .opts = pl_config_opts,
    .args_min = 1,
    .args_max = 2,
    .run = pl_config_run,
};
