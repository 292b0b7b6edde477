/* Writing to a descriptor until all is written. */
#ifndef PL_SYS_WRITE_H
#define PL_SYS_WRITE_H

#include <stddef.h>

/* Writes len bytes, going on after a signal and after a part. 0, or the negative errno of what
 * stopped it: some of the data may have been written. */
int pl_write_all(int fd, const void *data, size_t len);

#endif
