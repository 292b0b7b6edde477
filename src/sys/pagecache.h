/* How much of a file is in memory already. */
#ifndef PL_SYS_PAGECACHE_H
#define PL_SYS_PAGECACHE_H

#include <stdint.h>

/* The share of the file's pages that the page cache holds, 0 to 1, from windows all over it:
 * nothing is read or kept. 0 or a negative errno. */
int pl_pagecache_share(const char *path, double *ret);

#endif
