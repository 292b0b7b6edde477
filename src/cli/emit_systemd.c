/* One unit for each process and a target for those that stay: each starts when the one before
 * answers, holds what the plan gives it, and comes back when it fails. */
#include "cli/emit.h"
#include "cli/plan_found.h"

#include "base/units.h"

#include <errno.h>
#include <string.h>

#define PL_UNIT_START_S 900u /* a large model from a slow disk */

/* A program by its path, in which systemd fills in nothing; else env finds it. */
static int pl_unit_program(const struct pl_emit_process *p, struct pl_str *s, struct pl_err *err)
{
    const char *program = p->word[0].text;
    if (program[0] != '/' || strchr(program, '$') != NULL)
        pl_str_add(s, "/usr/bin/env ");
    return pl_emit_unit(s, &p->word[0]) ? 0 : pl_fail(err, -ENOMEM, "no memory for the files");
}

static void pl_unit_limits(const struct pl_emit_process *p, struct pl_str *s)
{
    uint64_t mib = (p->host + PL_MIB - 1) / PL_MIB;
    if (p->host > 0)
        pl_str_addf(s,
                    "# The most the plan gives it, and a sixteenth.\n"
                    "MemoryMax=%lluM\nMemorySwapMax=0\n",
                    (unsigned long long)(mib + mib / 16 + 1));
    if (!p->llama && !p->device)
        pl_str_add(s, "Environment=CUDA_VISIBLE_DEVICES= HIP_VISIBLE_DEVICES=\n");
}

static int pl_unit(struct pl_emit *e, uint32_t at, struct pl_err *err)
{
    const struct pl_emit_process *p = &e->process[at];
    struct pl_str s;
    char name[200];
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_emit_top(e, &s);
    pl_str_addf(&s, "[Unit]\nDescription=%s of the stack %s%s\n", p->name, e->id,
                at >= e->n_hot ? ", on demand" : "");
    if (at > 0 && at < e->n_hot)
        pl_str_addf(&s, "After=plimsoll-%s-%s.service\n", e->id, e->process[at - 1].name);
    if (at < e->n_hot)
        pl_str_addf(&s, "PartOf=plimsoll-%s.target\n", e->id);
    if (p->get != NULL) {
        pl_str_add(&s, "# Get its file first:\n");
        pl_emit_comment(&s, p->get);
    }
    for (uint32_t i = e->n_hot; at >= e->n_hot && i < e->n; i++) {
        if (i != at && pl_streq(e->process[i].stack->group, p->stack->group))
            pl_str_addf(&s, "Conflicts=plimsoll-%s-%s.service\n", e->id, e->process[i].name);
    }
    pl_str_add(&s, "\n[Service]\nType=exec\nExecStart=");
    int rc = pl_unit_program(p, &s, err);
    for (uint32_t i = 1; rc == 0 && i < p->n_word; i++) {
        pl_str_add(&s, " ");
        rc = pl_emit_unit(&s, &p->word[i]) ? 0 : pl_fail(err, -ENOMEM, "no memory for the files");
    }
    if (rc < 0) {
        pl_str_done(&s);
        return rc;
    }
    pl_str_addf(&s,
                "\n# Started when it answers: the next one loads after it.\n"
                "ExecStartPost=/usr/bin/env curl -fsS -o /dev/null --retry %u --retry-delay 1 "
                "--retry-all-errors http://127.0.0.1:%u/health\n"
                "TimeoutStartSec=%u\nRestart=on-failure\nRestartSec=5\n",
                PL_UNIT_START_S, p->port, PL_UNIT_START_S);
    pl_str_addf(&s, "Environment=" PL_STACK_VARIABLE "=%s " PL_COMPONENT_VARIABLE "=%s\n", e->id,
                p->name);
    pl_unit_limits(p, &s);
    if (at < e->n_hot)
        pl_str_addf(&s, "\n[Install]\nWantedBy=plimsoll-%s.target\n", e->id);
    (void)PL_FMT(name, "plimsoll-%s-%.100s.service", e->id, p->name);
    return pl_emit_add(e, name, false, &s, err);
}

int pl_emit_systemd(struct pl_emit *e, struct pl_err *err)
{
    struct pl_str s;
    char name[200];
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < e->n; i++)
        rc = pl_unit(e, i, err);
    if (rc < 0)
        return rc;
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_emit_top(e, &s);
    pl_str_addf(&s, "[Unit]\nDescription=What stays resident of the stack %s\n", e->id);
    for (uint32_t i = 0; i < e->n_hot; i++)
        pl_str_addf(&s, "Wants=plimsoll-%s-%s.service\n", e->id, e->process[i].name);
    pl_str_add(&s, "\n[Install]\nWantedBy=multi-user.target\n");
    (void)PL_FMT(name, "plimsoll-%s.target", e->id);
    return pl_emit_add(e, name, false, &s, err);
}
