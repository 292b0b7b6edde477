#include "model/shape_expr.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PL_SHAPE_STACK 24 /* values and operators that wait; the tables need six */

enum pl_shape_op {
    PL_OP_OPEN = 0,
    PL_OP_OR,
    PL_OP_AND,
    PL_OP_EQ,
    PL_OP_NE,
    PL_OP_LT,
    PL_OP_GT,
    PL_OP_LE,
    PL_OP_GE,
    PL_OP_ADD,
    PL_OP_SUB,
    PL_OP_MUL,
    PL_OP_DIV,
    PL_OP_MOD,
    PL_OP_NOT,
};

/* Longer spellings first. */
static const struct {
    const char *text;
    enum pl_shape_op op;
    int rank;
} pl_shape_ops[] = {
    {"||", PL_OP_OR,  1},
    {"&&", PL_OP_AND, 2},
    {"==", PL_OP_EQ,  3},
    {"!=", PL_OP_NE,  3},
    {"<=", PL_OP_LE,  4},
    {">=", PL_OP_GE,  4},
    {"<",  PL_OP_LT,  4},
    {">",  PL_OP_GT,  4},
    {"+",  PL_OP_ADD, 5},
    {"-",  PL_OP_SUB, 5},
    {"*",  PL_OP_MUL, 6},
    {"/",  PL_OP_DIV, 6},
    {"%",  PL_OP_MOD, 6},
};
#define PL_SHAPE_OPS (sizeof(pl_shape_ops) / sizeof(pl_shape_ops[0]))

/* The shunting-yard algorithm: no recursion. */
struct pl_shape_eval {
    int64_t value[PL_SHAPE_STACK];
    enum pl_shape_op op[PL_SHAPE_STACK];
    uint32_t n_value, n_op;
    int failed;
};

static int pl_shape_rank(enum pl_shape_op op)
{
    for (size_t i = 0; i < PL_SHAPE_OPS; i++) {
        if (pl_shape_ops[i].op == op)
            return pl_shape_ops[i].rank;
    }
    return op == PL_OP_NOT ? 7 : 0;
}

static bool pl_shape_two(enum pl_shape_op op, int64_t a, int64_t b, int64_t *ret)
{
    switch (op) {
    case PL_OP_OR:
        return *ret = a != 0 || b != 0, true;
    case PL_OP_AND:
        return *ret = a != 0 && b != 0, true;
    case PL_OP_EQ:
        return *ret = a == b, true;
    case PL_OP_NE:
        return *ret = a != b, true;
    case PL_OP_LT:
        return *ret = a < b, true;
    case PL_OP_GT:
        return *ret = a > b, true;
    case PL_OP_LE:
        return *ret = a <= b, true;
    case PL_OP_GE:
        return *ret = a >= b, true;
    case PL_OP_ADD:
        return !__builtin_add_overflow(a, b, ret);
    case PL_OP_SUB:
        return !__builtin_sub_overflow(a, b, ret);
    case PL_OP_MUL:
        return !__builtin_mul_overflow(a, b, ret);
    case PL_OP_DIV:
        return b > 0 ? (*ret = a / b, true) : false;
    case PL_OP_MOD:
        return b > 0 ? (*ret = a % b, true) : false;
    case PL_OP_OPEN:
    case PL_OP_NOT:
        break;
    }
    return false;
}

static void pl_shape_reduce(struct pl_shape_eval *e)
{
    enum pl_shape_op op = e->op[--e->n_op];
    uint32_t need = op == PL_OP_NOT ? 1 : 2;
    if (e->n_value < need || op == PL_OP_OPEN) {
        e->failed = e->failed != 0 ? e->failed : -EINVAL;
        return;
    }
    if (op == PL_OP_NOT) {
        e->value[e->n_value - 1] = e->value[e->n_value - 1] == 0;
        return;
    }
    e->n_value--;
    if (!pl_shape_two(op, e->value[e->n_value - 1], e->value[e->n_value],
                      &e->value[e->n_value - 1]))
        e->failed = e->failed != 0 ? e->failed : -ERANGE;
}

static void pl_shape_push_op(struct pl_shape_eval *e, enum pl_shape_op op)
{
    if (e->n_op < PL_SHAPE_STACK)
        e->op[e->n_op++] = op;
    else
        e->failed = -EINVAL;
}

static void pl_shape_push(struct pl_shape_eval *e, int64_t v)
{
    if (e->n_value < PL_SHAPE_STACK)
        e->value[e->n_value++] = v;
    else
        e->failed = -EINVAL;
}

/* A number, a name, '(' or '!' at text; returns what follows. *operand: a value was read. */
static const char *pl_shape_operand(struct pl_shape_eval *e, const char *text,
                                    pl_shape_value_fn *value, void *ctx, bool *operand,
                                    struct pl_err *err)
{
    uint64_t n = 0;
    int64_t v = 0;
    *operand = false;
    if (*text == '(' || *text == '!') {
        pl_shape_push_op(e, *text == '(' ? PL_OP_OPEN : PL_OP_NOT);
        return text + 1;
    }
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    if (n == 0) {
        e->failed = -EINVAL;
        return text;
    }
    if (isdigit((unsigned char)*text)) {
        for (uint64_t i = 0; i < n; i++) {
            bool digit = isdigit((unsigned char)text[i]) != 0;
            if (!digit || __builtin_mul_overflow(v, 10, &v) ||
                __builtin_add_overflow(v, text[i] - '0', &v))
                e->failed = -EINVAL;
        }
    } else if (!value(ctx, text, n, &v)) {
        e->failed = -ENODATA;
        (void)pl_fail(err, -ENODATA, "%.*s is not known", (int)n, text);
    }
    pl_shape_push(e, v);
    *operand = true;
    return text + n;
}

/* An operator or ')' at text; returns what follows, text itself when there is none. */
static const char *pl_shape_operator(struct pl_shape_eval *e, const char *text, bool *operand)
{
    if (*text == ')') {
        while (e->n_op > 0 && e->op[e->n_op - 1] != PL_OP_OPEN && e->failed == 0)
            pl_shape_reduce(e);
        if (e->n_op == 0)
            e->failed = -EINVAL;
        else
            e->n_op--;
        return text + 1;
    }
    for (size_t i = 0; i < PL_SHAPE_OPS; i++) {
        if (!pl_starts(text, pl_shape_ops[i].text))
            continue;
        while (e->n_op > 0 && pl_shape_rank(e->op[e->n_op - 1]) >= pl_shape_ops[i].rank &&
               e->failed == 0)
            pl_shape_reduce(e);
        pl_shape_push_op(e, pl_shape_ops[i].op);
        *operand = false;
        return text + strlen(pl_shape_ops[i].text);
    }
    return text;
}

int pl_shape_eval(const char *text, bool spaces, pl_shape_value_fn *value, void *ctx, int64_t *ret,
                  const char **ret_end, struct pl_err *err)
{
    struct pl_shape_eval e = {0};
    const char *at = text;
    bool operand = false; /* a value stands before `at` */
    while (e.failed == 0) {
        while (spaces && *at == ' ')
            at++;
        if (*at == '\0' || *at == ' ')
            break;
        const char *from = at;
        at = operand ? pl_shape_operator(&e, at, &operand)
                     : pl_shape_operand(&e, at, value, ctx, &operand, err);
        if (at == from)
            e.failed = -EINVAL;
    }
    while (e.n_op > 0 && e.failed == 0)
        pl_shape_reduce(&e);
    if (e.failed == 0 && (e.n_value != 1 || !operand))
        e.failed = -EINVAL;
    if (e.failed == -ENODATA)
        return e.failed;
    if (e.failed != 0)
        return pl_fail(err, e.failed, "'%.60s' cannot be computed", text);
    *ret = e.value[0];
    if (ret_end != NULL)
        *ret_end = at;
    return 0;
}
