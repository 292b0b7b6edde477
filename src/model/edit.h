/* Changing what a header says before a ghost of it is written: a model that nobody has yet, such as
 * the same with more layers, a wider feed-forward or a longer context.
 *
 * An edit is a line; "#" begins a comment:
 *
 *   set KEY VALUE           a number, or true or false; a list "1,2,3" makes an array of integers;
 * one word for a key of text. A key that is not there is added, of the type its value looks like
 *   unset KEY               away with it
 *   shape NAME N [N...]     the lengths of a tensor; a "*" in NAME is any layer's number
 *   type NAME TYPE          its element type, "q8_0"
 *   copy PREFIX PREFIX      every tensor whose name begins so, once more under another beginning:
 *                           "copy blk.0. blk.4."
 *   drop NAME               the tensors of that name, or whose names begin so, away */
#ifndef PL_MODEL_EDIT_H
#define PL_MODEL_EDIT_H

#include "base/err.h"
#include "domain/model.h"

#include <stddef.h>

#define PL_EDIT_LINES_MAX 4096
#define PL_EDIT_TENSORS_MAX 65536 /* a model may have after its edits */
#define PL_EDIT_TEXT_MAX (1u << 20)

/* Applies the lines in their order to m, whose arena keeps what is new. name is the text's own, for
 * messages. -EINVAL (exit 2, with file and line) for a line that says nothing sensible; m is then
 * half changed, and only good for pl_model_free. */
int pl_model_edit(struct pl_model *m, const char *text, size_t len, const char *name,
                  struct pl_err *err);

#endif
