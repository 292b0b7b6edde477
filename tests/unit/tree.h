/* A temporary folder tree for a test: written file by file, removed at the end. */
#ifndef PL_TESTS_UNIT_TREE_H
#define PL_TESTS_UNIT_TREE_H

struct pl_tree {
    char dir[64]; /* absolute */
};

/* Every function fails the test when the file system refuses. */
void pl_tree_open(struct pl_tree *t);
/* Writes text to dir/path, making the folders above it. */
void pl_tree_put(struct pl_tree *t, const char *path, const char *text);
void pl_tree_link(struct pl_tree *t, const char *path, const char *target);
void pl_tree_done(struct pl_tree *t); /* removes everything */

#endif
