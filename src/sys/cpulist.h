/* Sets of CPUs and memory nodes as /sys and /proc write them. */
#ifndef PL_SYS_CPULIST_H
#define PL_SYS_CPULIST_H

#include <stdbool.h>
#include <stdint.h>

#define PL_CPUS_MAX 8192 /* the kernel's own highest NR_CPUS */

/* "0-3,8,10-11" into set[0..n): true where listed. Members of n or more are -ERANGE, bad text
 * -EBADMSG. Empty text is the empty set. *ret_count = members. */
int pl_parse_list(const char *text, bool *set, uint32_t n, uint32_t *ret_count);

/* "00000000,0000ffff": the same set as a mask of 32-bit words, the last the lowest. */
int pl_parse_mask(const char *text, bool *set, uint32_t n, uint32_t *ret_count);

#endif
