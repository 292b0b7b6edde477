#include "engine/llamacpp/graph_recipe.h"
#include "engine/llamacpp/graph_tower.h"

#include "base/str.h"

#include <string.h>

struct pl_recipe_row {
    const char *name, *text, *source;
};

static const struct pl_recipe_row pl_recipes[] = {
#include "llamacpp_graphs.inc"
};

const char *pl_recipe(const char *name)
{
    for (size_t i = 0; i < sizeof(pl_recipes) / sizeof(pl_recipes[0]); i++) {
        if (pl_streq(pl_recipes[i].name, name))
            return pl_recipes[i].text;
    }
    return NULL;
}

bool pl_call_has(const struct pl_call *c, const char *word)
{
    for (uint32_t i = 0; i < c->n_arg; i++) {
        if (pl_streq(c->word[i], word))
            return true;
    }
    return false;
}

static pl_tid *pl_register(struct pl_build *b, const char *name, bool make)
{
    for (uint32_t i = 0; i < b->n_reg; i++) {
        if (pl_streq(b->reg[i].name, name))
            return &b->reg[i].t;
    }
    if (!make || b->n_reg == PL_REGISTERS_MAX ||
        !pl_slice(b->reg[b->n_reg].name, PL_REGISTER_NAME_MAX, name, strlen(name)))
        return NULL;
    b->reg[b->n_reg].t = 0;
    return &b->reg[b->n_reg++].t;
}

static bool pl_condition_word(struct pl_build *b, const char *w)
{
    const struct pl_layer *l = pl_b_layer(b);
    if (pl_streq(w, "last"))
        return b->il + 1 == b->net->n_layer;
    if (pl_streq(w, "first10"))
        return b->il < 10;
    if (pl_streq(w, "first"))
        return b->il == 0;
    if (pl_streq(w, "window"))
        return l->windowed;
    if (pl_streq(w, "recurrent"))
        return l->kind == PL_LAYER_RECURRENT || l->kind == PL_LAYER_BOTH;
    if (pl_streq(w, "attends"))
        return l->kind == PL_LAYER_ATTENTION || l->kind == PL_LAYER_BOTH;
    if (pl_streq(w, "owns"))
        return l->owns_kv;
    if (pl_streq(w, "heads"))
        return l->n_head > 0;
    if (pl_streq(w, "kvheads"))
        return l->n_head > 0 && l->n_head_kv > 0;
    if (pl_streq(w, "ff"))
        return l->n_ff > 0;
    if (pl_streq(w, "fa"))
        return b->r->flash_attn;
    if (pl_streq(w, "mla"))
        return b->net->mla;
    if (pl_streq(w, "ropeswa")) /* global layers are without positions where there is a window */
        return l->windowed || b->net->window == PL_WINDOW_NONE;
    if (pl_streq(w, "rope_here")) /* models/cohere2moe.cpp: leading dense layers have them too */
        return l->windowed || b->il < b->net->n_layer_dense_lead;
    if (pl_streq(w, "layers32")) /* models/baichuan.cpp: 7B has positions, 13B slopes */
        return b->net->n_layer == 32;
    if (pl_streq(w, "blocks"))
        return pl_b_chooses_blocks(b);
    if (pl_streq(w, "experts128")) /* models/llama4.cpp: the larger one normalises no queries */
        return pl_b_key(b, "expert_count", 0) == 128;
    if (pl_streq(w, "tied"))
        return b->net->tied;
    if (pl_streq(w, "full"))
        return pl_tower_full(b);
    if (pl_streq(w, "every"))
        return b->every != 0 && (b->il + 1) % b->every == 0;
    if (pl_starts(w, "k:"))
        return pl_b_key(b, w + 2, 0) != 0 || pl_b_real(b, w + 2, 0) > 0 ||
               pl_b_real(b, w + 2, 0) < 0;
    if (pl_starts(w, "has:")) /* the header names it, whatever it says */
        return pl_model_arch_kv(b->m, w + 4) != NULL;
    if (strchr(w, '+') != NULL) { /* a suffix of its own: "attn_q+.bias" */
        char name[PL_WORD_MAX];
        const char *plus = strchr(w, '+');
        return pl_slice(name, sizeof(name), w, (size_t)(plus - w)) &&
               pl_b_weight(b, name, plus + 1) != 0;
    }
    return pl_b_weight(b, w, ".weight") != 0 || pl_b_weight(b, w, ".bias") != 0;
}

/* "!a&b" */
static bool pl_condition(struct pl_build *b, const char *s, const char *end)
{
    while (s < end) {
        const char *next = memchr(s, '&', (size_t)(end - s));
        next = next == NULL ? end : next;
        bool not = *s == '!';
        char word[PL_WORD_MAX];
        if (!pl_slice(word, sizeof(word), s + (not ? 1 : 0), (size_t)(next - s) - (not ? 1 : 0))) {
            b->g->failed = true;
            return false;
        }
        if (pl_condition_word(b, word) == not )
            return false;
        s = next + 1;
    }
    return true;
}

static bool pl_statement_args(struct pl_call *c, const char *s, const char *end)
{
    while (s < end) {
        const char *next = memchr(s, ',', (size_t)(end - s));
        next = next == NULL ? end : next;
        if (c->n_arg == PL_CALL_ARGS_MAX ||
            !pl_slice(c->word[c->n_arg], sizeof(c->word[0]), s, (size_t)(next - s)))
            return false;
        pl_tid *r = pl_register(c->b, c->word[c->n_arg], false);
        c->arg[c->n_arg++] = r != NULL ? *r : 0;
        s = next + 1;
    }
    return true;
}

/* a,b=fn(x,y) */
static bool pl_statement(struct pl_build *b, const char *s, const char *end)
{
    struct pl_call c = {.b = b};
    const char *open = memchr(s, '(', (size_t)(end - s));
    if (open == NULL || end[-1] != ')')
        return false;
    const char *equal = memchr(s, '=', (size_t)(open - s));
    const char *fn = equal == NULL ? s : equal + 1;
    if (!pl_slice(c.fn, sizeof(c.fn), fn, (size_t)(open - fn)) ||
        !pl_statement_args(&c, open + 1, end - 1) || !pl_call_run(&c))
        return false;
    for (uint32_t i = 0; equal != NULL && s < equal; i++) {
        const char *next = memchr(s, ',', (size_t)(equal - s));
        next = next == NULL ? equal : next;
        char name[PL_REGISTER_NAME_MAX];
        pl_tid *r = NULL;
        if (i == 3 || !pl_slice(name, sizeof(name), s, (size_t)(next - s)) ||
            (r = pl_register(b, name, true)) == NULL)
            return false;
        *r = c.result[i];
        s = next + 1;
    }
    return true;
}

/* The "}" that closes the "{" before s, or NULL. */
static const char *pl_block_end(const char *s, const char *end)
{
    int depth = 1;
    for (; s < end; s++) {
        depth += *s == '{' ? 1 : *s == '}' ? -1 : 0;
        if (depth == 0)
            return s;
    }
    return NULL;
}

struct pl_span {
    const char *at, *end;
};

static bool pl_span_enter(struct pl_span *stack, uint32_t *depth, const char *at, const char *end)
{
    if (*depth == PL_RECIPE_DEPTH_MAX || at == NULL || end == NULL)
        return false;
    stack[(*depth)++] = (struct pl_span){at, end};
    return true;
}

/* One token: a fragment, a block, a statement. False: the recipe is wrong. */
static bool pl_token(struct pl_build *b, struct pl_span *stack, uint32_t *depth)
{
    struct pl_span *s = &stack[*depth - 1];
    const char *from = s->at, *to = from;
    while (to < s->end && *to != ' ' && *to != '{')
        to++;
    s->at = to;
    if (*from == '@') {
        char name[PL_WORD_MAX];
        if (!pl_slice(name, sizeof(name), from + 1, (size_t)(to - from) - 1))
            return false;
        const char *text = pl_recipe(name);
        return text != NULL && pl_span_enter(stack, depth, text, text + strlen(text));
    }
    const char *mark = memchr(from, '?', (size_t)(to - from));
    bool holds = mark == NULL || pl_condition(b, from, mark);
    from = mark == NULL ? from : mark + 1;
    if (to < s->end && *to == '{') {
        const char *close = pl_block_end(to + 1, s->end);
        if (close == NULL)
            return false;
        s->at = close + 1;
        return !holds || pl_span_enter(stack, depth, to + 1, close);
    }
    if (holds && *from == '@') {
        char name[PL_WORD_MAX];
        if (!pl_slice(name, sizeof(name), from + 1, (size_t)(to - from) - 1))
            return false;
        const char *text = pl_recipe(name);
        return text != NULL && pl_span_enter(stack, depth, text, text + strlen(text));
    }
    return !holds || pl_statement(b, from, to);
}

static void pl_run_part(struct pl_build *b, const char *at, const char *end)
{
    struct pl_span stack[PL_RECIPE_DEPTH_MAX] = {
        {at, end}
    };
    uint32_t depth = 1;
    while (depth > 0 && !b->g->failed && !b->ended) {
        struct pl_span *s = &stack[depth - 1];
        while (s->at < s->end && *s->at == ' ')
            s->at++;
        if (s->at >= s->end) {
            depth--;
        } else if (!pl_token(b, stack, &depth)) {
            b->g->failed = true;
            if (b->g->lacks == NULL)
                b->g->lacks = s->at;
        }
    }
}

void pl_recipe_run(struct pl_build *b, const char *text)
{
    const char *end = text + strlen(text), *layers = strchr(text, '|');
    const char *tail = layers == NULL ? NULL : strchr(layers + 1, '|');
    if (tail == NULL) {
        b->g->failed = true;
        return;
    }
    pl_run_part(b, text, layers);
    b->in_layer = true;
    uint64_t first = b->draft ? b->net->n_layer : 0, n = b->net->n_layer + (b->draft ? 1 : 0);
    for (b->il = first; b->il < n && !b->g->failed; b->il++) {
        if (b->skip == NULL || !b->skip[b->il])
            pl_run_part(b, layers + 1, tail);
    }
    b->in_layer = false;
    b->after = true;
    b->il = 0;
    pl_run_part(b, tail + 1, end);
    pl_tid *x = pl_register(b, "x", false), *l = pl_register(b, "l", false);
    b->logits = l != NULL ? *l : 0;
    if (b->hidden == 0 && x != NULL)
        b->hidden = *x;
}
