/* Finding llama.cpp: what the user says first, then what is installed, then our own folder.
 *
 *   1. the hint (--engine PATH): a llama-server, a folder with one, or an engines folder
 *   2. $PLIMSOLL_ENGINE, likewise
 *   3. llama-server on $PATH
 *   4. engines folders: $PLIMSOLL_ENGINES, ./engines, "engines" beside the plimsoll program or up
 * to four folders above it (a build tree), $XDG_DATA_HOME/plimsoll/engines,
 *      /usr/local/share/plimsoll/engines
 *
 * A named place that holds no engine is an error; it is never silently passed over. */
#ifndef PL_ENGINE_LLAMACPP_FIND_H
#define PL_ENGINE_LLAMACPP_FIND_H

#include "base/str.h"
#include "engine/engine.h"

/* Finds llama-server and asks it for its version. -ENOENT (exit status 4) when there is none;
 * -ENOEXEC (4) when the one found does not start, with its own words. */
int pl_llamacpp_find(const char *hint, struct pl_install *ret, struct pl_err *err);

/* Path of a sibling program of the same installation: "llama-fit-params", "llama-bench",
 * "llama-quantize", "test-llama-archs". -ENOENT when it is not installed. */
int pl_llamacpp_tool(const struct pl_install *in, const char *name,
                     char ret_path[PL_INSTALL_PATH_MAX], struct pl_err *err);

/* The words that start program (a path from above), before its own arguments: the path itself, or
 * loader and all. Fills argv[0..n) with strings borrowed from in and program; returns n, at most
 * PL_INSTALL_WORDS. */
#define PL_INSTALL_WORDS 6
size_t pl_llamacpp_words(const struct pl_install *in, const char *program,
                         const char *argv[PL_INSTALL_WORDS]);

/* What its programs are started with and without: env[0] (when in->backend_path is set) is written
 * to text; drop is static. Both NULL-ended, for struct pl_spawn. LLAMA_ARG_* variables of ours are
 * left out (settings hold them already) with LLAMA_LOG_* and LLAMA_API_KEY, and for a folder the
 * host's LD_* too. */
struct pl_install_env {
    char text[PL_INSTALL_PATH_MAX + 32];
    const char *env[2];
    const char *const *drop;
};
void pl_llamacpp_env(const struct pl_install *in, struct pl_install_env *ret);

/* Runs one of its tools to the end, output captured: as pl_spawn_run. args is NULL-ended, without
 * the program's own name. */
int pl_llamacpp_run(const struct pl_install *in, const char *tool, const char *const *args,
                    uint64_t timeout_ns, size_t cap_bytes, struct pl_str *out, int *ret_status,
                    struct pl_err *err);

#endif
