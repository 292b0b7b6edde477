/* A shell script that starts llama-server and the rest one by one, in the plan's order, each when
 * the one before answers. */
#include "cli/emit.h"
#include "cli/plan_found.h"

static const char pl_script_start[] =
    "set -eu\n"
    "# start NAME PORT COMMAND...: in the background; returns when it answers.\n"
    "start() {\n"
    "    name=$1 port=$2\n"
    "    shift 2\n"
    "    " PL_COMPONENT_VARIABLE "=$name \"$@\" >\"plimsoll-$name.log\" 2>&1 </dev/null &\n"
    "    pid=$!\n"
    "    echo \"$pid\" >\"plimsoll-$name.pid\"\n"
    "    until curl -fs -o /dev/null \"http://127.0.0.1:$port/health\"; do\n"
    "        kill -0 \"$pid\" 2>/dev/null || {\n"
    "            echo \"$name ended: see plimsoll-$name.log\" >&2\n"
    "            exit 1\n"
    "        }\n"
    "        sleep 0.2\n"
    "    done\n"
    "    echo \"$name answers on port $port\"\n"
    "}\n";

/* The command as words of a shell. Of a component that uses no device the devices are hidden. */
static void pl_script_command(const struct pl_emit_process *p, struct pl_str *out)
{
    if (!p->llama && !p->device)
        pl_str_add(out, "env CUDA_VISIBLE_DEVICES= HIP_VISIBLE_DEVICES= ");
    for (uint32_t i = 0; i < p->n_word; i++) {
        pl_str_add(out, i > 0 ? " " : "");
        if (i == 0 && p->llama)
            pl_str_add(out, "\"${LLAMA_SERVER:-llama-server}\"");
        else
            pl_emit_sh(out, &p->word[i]);
    }
}

static void pl_script_shared(const struct pl_emit *e, const struct pl_emit_process *p,
                             struct pl_str *out)
{
    char text[300];
    for (uint32_t i = 0; i < e->plan->n_component; i++) {
        const struct pl_plan_component *c = &e->plan->component[i];
        if (!pl_emit_serves(p, c))
            continue;
        (void)PL_FMT(text, "it serves %.200s too", c->name);
        pl_str_add(out, "    ");
        pl_emit_comment(out, text);
    }
}

int pl_emit_script(struct pl_emit *e, struct pl_err *err)
{
    struct pl_str s;
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_str_add(&s, "#!/bin/sh\n");
    pl_emit_top(e, &s);
    pl_str_add(&s, "# Without a name: all that stay resident, one after the other.\n");
    pl_str_add(&s, pl_script_start);
    pl_str_addf(&s, "export " PL_STACK_VARIABLE "=%s # plimsoll knows its processes by it\n",
                e->id);
    pl_str_add(&s, "[ $# -gt 0 ] || set --");
    for (uint32_t i = 0; i < e->n_hot; i++)
        pl_str_addf(&s, " '%s'", e->process[i].name);
    pl_str_add(&s, "\nfor name in \"$@\"; do\n    case $name in\n");
    for (uint32_t i = 0; i < e->n; i++) {
        const struct pl_emit_process *p = &e->process[i];
        pl_str_addf(&s, "    '%s')%s\n", p->name, i >= e->n_hot ? " # on demand" : "");
        pl_script_shared(e, p, &s);
        pl_emit_get(p, "    ", &s);
        pl_str_addf(&s, "    start '%s' %u ", p->name, p->port);
        pl_script_command(p, &s);
        pl_str_add(&s, "\n    ;;\n");
    }
    pl_str_add(&s, "    *)\n        echo \"there is no $name\" >&2\n        exit 2\n        ;;\n"
                   "    esac\ndone\n");
    return pl_emit_add(e, "up.sh", true, &s, err);
}
