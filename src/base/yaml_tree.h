/* YAML in, through libyaml, which only yaml_tree.c knows: one document as a tree of nodes with line
 * and column. Hostile text is bounded: bytes, depth, nodes, and what aliases expand to. */
#ifndef PL_BASE_YAML_TREE_H
#define PL_BASE_YAML_TREE_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_YAML_TEXT_MAX (1024u * 1024u) /* largest document */
#define PL_YAML_DEPTH_MAX 24u            /* maps and lists within each other */
#define PL_YAML_NODES_MAX 65536u         /* with every alias written out */
#define PL_YAML_ANCHORS_MAX 256u

enum pl_ykind { PL_Y_SCALAR = 0, PL_Y_MAP, PL_Y_LIST };

struct pl_ynode {
    enum pl_ykind kind;
    uint32_t line, col; /* 1-based, of its first character */
    const char *file;   /* borrowed from the caller of pl_yaml_parse */
    const char *text;   /* of a scalar; "" for an empty one */
    bool plain;         /* a scalar without quotes: null, true and numbers mean themselves */
    uint32_t n;         /* members or items */
    uint32_t weight;    /* nodes below and itself, aliases written out */
    const struct pl_ymember *first;
};

/* A member of a map, or an item of a list (key NULL), in the order of the text. */
struct pl_ymember {
    const char *key;
    uint32_t line, col; /* of the key; of the item */
    const struct pl_ynode *value;
    struct pl_ymember *next;
};

/* Parses one document. Everything lives in arena. file is used in errors and must outlive the tree.
 * -EINVAL with line and column: no YAML, no document or several, a key twice, a key that is no
 * text, an unknown alias or one within itself, a merge key. -E2BIG beyond the limits above;
 * -ENOMEM. The exit status is that of bad input. */
int pl_yaml_parse(const char *text, size_t len, const char *file, struct pl_arena *arena,
                  const struct pl_ynode **ret, struct pl_err *err);

/* The value of a map's key; NULL when absent or when map is no map (NULL accepted). */
const struct pl_ynode *pl_yget(const struct pl_ynode *map, const char *key);

/* True for a plain scalar that says nothing: "", "~", "null". */
bool pl_ynull(const struct pl_ynode *n);

/* Fills err with the node's place; returns -EINVAL with the exit status of bad input. */
int pl_yfail(struct pl_err *err, const struct pl_ynode *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
