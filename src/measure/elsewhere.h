/* The memory of a command that only asks another process for its work: Ollama's server and its
 * runners, a container that a daemon starts. It is looked for while the command runs. */
#ifndef PL_MEASURE_ELSEWHERE_H
#define PL_MEASURE_ELSEWHERE_H

#include "domain/quantity.h"
#include "sys/root.h"
#include "sys/tree.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_ELSEWHERE_TEXT_MAX 240
#define PL_ELSEWHERE_KNOWN_MAX 512 /* containers that were there before */

enum pl_elsewhere_kind { PL_ELSEWHERE_NOT = 0, PL_ELSEWHERE_SERVER, PL_ELSEWHERE_CONTAINER };

struct pl_elsewhere {
    enum pl_elsewhere_kind kind;
    pid_t pid; /* of its first process; 0 = not found (yet) */
    uint64_t start_ticks;
    char what[PL_ELSEWHERE_TEXT_MAX]; /* "Ollama's server and its runners (process 12)" */
    char why[PL_ELSEWHERE_TEXT_MAX];  /* why it is not found, and where to look */
    uint64_t before; /* held when the command began: a server's own, and of models loaded already */
    uint64_t peak;   /* most of RssAnon + RssShmem */
    uint32_t looks, processes;
    char known[PL_ELSEWHERE_KNOWN_MAX][80]; /* ids of containers that were there before */
    uint32_t n_known;
    bool several; /* more than one container began meanwhile */
};

/* Before the command. host: as $OLLAMA_HOST has it; NULL or "" = the default. */
void pl_elsewhere_server(struct pl_elsewhere *e, const struct pl_root *root, const char *host);
void pl_elsewhere_container(struct pl_elsewhere *e, const struct pl_root *root);
/* While it runs: pids takes its processes, at most PL_TREE_MAX; how many. */
uint32_t pl_elsewhere_look(struct pl_elsewhere *e, const struct pl_root *root,
                           pid_t pids[PL_TREE_MAX]);
/* Most of its host memory seen; unknown, with where to look, when it was not found. */
struct pl_quantity pl_elsewhere_measured(const struct pl_elsewhere *e);

#endif
