/* Facts that come from calls and not from files (uname, statvfs, sched_getaffinity, cpuid, limits,
 * the environment ...), under a name of their own, as text. A probe that needs one asks here, and
 * so works on a replayed capture as on this system:
 *
 *     static int pl_ask_machine(const void *ctx, char *out, size_t size)
 *     {
 *         struct utsname un;
 *         (void)ctx;
 *         if (uname(&un) < 0)
 *             return -errno;
 *         return pl_fmt(out, size, "%s", un.machine) ? 0 : -E2BIG;
 *     }
 *     ...
 *     char arch[32];
 *     if (pl_live(in->root, "uname.machine", pl_ask_machine, NULL, arch, sizeof(arch)) == 0)
 *
 * Names are lower case, "SUBJECT.WHAT". On this system `ask` is called, and what it says (or its
 * errno) is recorded when somebody records; of a capture the recorded answer is given and `ask` is
 * never called; of any other dump the answer is -ENODATA: it does not hold it. */
#ifndef PL_SYS_LIVE_H
#define PL_SYS_LIVE_H

#include "sys/root.h"

/* 0 with a NUL-ended text in out, or a negative errno. */
typedef int (*pl_live_ask)(const void *ctx, char *out, size_t size);

/* 0, or the negative errno `ask` gave or the capture holds; -ENODATA; -E2BIG: out is too small. */
int pl_live(const struct pl_root *root, const char *name, pl_live_ask ask, const void *ctx,
            char *out, size_t size);

/* The same for one number; ask's text is decimal. -EBADMSG when it is none. */
int pl_live_u64(const struct pl_root *root, const char *name, pl_live_ask ask, const void *ctx,
                uint64_t *ret);

#endif
