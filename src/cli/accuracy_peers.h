/* What bench/accuracy kept of other estimators. */
#ifndef PL_CLI_ACCURACY_PEERS_H
#define PL_CLI_ACCURACY_PEERS_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "measure/accuracy.h"

enum { PL_PEER_OURS = 0, PL_PEER_FIT, PL_PEER_NLC1, PL_PEER_NLC2, PL_PEERS };

struct pl_peers {
    struct pl_score score[PL_PEERS];
    bool interval; /* ours alone has one */
    uint32_t rows;
};

/* Reads the file that `bench/accuracy --keep FILE` wrote. -EINVAL names file and line. */
int pl_peers_read(const char *path, struct pl_peers *ret, struct pl_err *err);
void pl_peers_text(const struct pl_peers *p, bool colour, struct pl_str *out);
void pl_peers_json(const struct pl_peers *p, struct pl_json *j, const char *key);

#endif
