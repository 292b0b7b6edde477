/* The four computations of whisper.cpp, as graphs of the engine's own allocator: how large their
 * buffers are. Private to footprint.c. Mirrors whisper_build_graph_conv, _encoder, _cross and
 * _decoder of whisper.cpp src/whisper.cpp. */
#ifndef PL_ENGINE_WHISPERCPP_FOOTPRINT_GRAPH_H
#define PL_ENGINE_WHISPERCPP_FOOTPRINT_GRAPH_H

#include "domain/whisper.h"

#include <stdbool.h>
#include <stdint.h>

enum pl_wh_graph { PL_WH_CONV = 0, PL_WH_ENCODE, PL_WH_CROSS, PL_WH_DECODE, PL_WH_GRAPHS };

struct pl_wh_batch {
    uint64_t n_audio;       /* frames */
    uint64_t n_token, n_kv; /* of the decoder: words at once, cells looked at */
    bool flash;
    uint64_t align; /* of the backend's buffers */
};

struct pl_wh_buffer {
    uint64_t bytes; /* of the backend's buffer */
    uint64_t work;  /* what ggml-cpu takes beside it for converted operands */
};

/* False when the allocator's model cannot follow. */
bool pl_wh_graph_bytes(const struct pl_whisper *w, enum pl_wh_graph which,
                       const struct pl_wh_batch *b, struct pl_wh_buffer *ret);

/* What the engine counts to each buffer beside it: room for the graph's own records. */
uint64_t pl_wh_graph_meta(void);

#endif
