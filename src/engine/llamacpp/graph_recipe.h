/* The order of a model's blocks, written in a small language (data/llamacpp_graphs.tsv), run for
 * one batch. Pure.
 *
 *     recipe    = { statement | "@" fragment | condition "{" recipe "}" }
 *     statement = [ condition ] [ registers "=" ] function "(" [ argument { "," argument } ] ")"
 *     condition = term { "&" term } "?"      term = [ "!" ] word
 *
 * Words of conditions: a name of a weight of this layer ("ffn_gate_inp": it has one), "out.NAME"
 * for one of the model, "last", "first", "window" (this layer slides), "recurrent", "attends",
 * "owns", "ff" (it has a feed-forward), "k:KEY" (the header's value is not 0),
 * "has:KEY" (it has one), "fa", "mla".
 * Registers hold tensors and live until they are set again; an argument that is no register is a
 * word. Parts are separated by "|": before the layers, one layer, after the layers. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_RECIPE_H
#define PL_ENGINE_LLAMACPP_GRAPH_RECIPE_H

#include "engine/llamacpp/graph_build.h"

#define PL_CALL_ARGS_MAX 8
#define PL_WORD_MAX 40
#define PL_RECIPE_DEPTH_MAX 8

struct pl_call {
    struct pl_build *b;
    char fn[PL_WORD_MAX];
    char word[PL_CALL_ARGS_MAX][PL_WORD_MAX];
    pl_tid arg[PL_CALL_ARGS_MAX]; /* 0 where the argument is a word */
    uint32_t n_arg;
    pl_tid result[3];
    uint32_t n_result;
};

/* true when one of the arguments is this word */
bool pl_call_has(const struct pl_call *c, const char *word);

/* One function of the language. Finds by name; false when there is none. */
bool pl_call_run(struct pl_call *c);

/* The text for an architecture, or for a fragment; NULL when there is none. Static. */
const char *pl_recipe(const char *name);

/* Builds the whole graph; b->g->failed tells. b->hidden is then the state after the last norm. */
void pl_recipe_run(struct pl_build *b, const char *text);

#endif
