/* What processes hold of this system's devices, again and again, as text: for a run that wants the
 * peak. A program of its own does it (the program itself, started again with the words "_sample
 * holdings"), since a vendor's library may hang. One look after the other:
 *
 *     device gpu0 1073741824 25769803776     pool, bytes in use by all, bytes in all; "-" = unknown
 *     held 4242 gpu0 1073741824              pid, pool, bytes; "-" = the driver does not tell
 *     end
 */
#ifndef PL_MACHINE_HOLDINGS_H
#define PL_MACHINE_HOLDINGS_H

#include "base/err.h"

#include <stdbool.h>

#define PL_HOLDINGS_LINE_MAX 160

/* Is there a driver to ask? Cheap: looks whether files are there. */
bool pl_holdings_worth(void);

/* In the child: looks and writes to fd until nobody reads. A look that takes long is followed by a
 * longer rest. program: this program's path, for vendors' libraries. */
void pl_holdings_write(int fd, const char *program);

#endif
