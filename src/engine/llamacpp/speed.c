#include "engine/llamacpp/speed.h"

#include "engine/llamacpp/footprint.h"

/* Share of the measured bandwidth that decoding on a CPU reaches: between a third and all of it, as
 * published for desktops and servers alike (docs/speed.md); no single constant fits CPUs. */
#define PL_CPU_EFFICIENCY_LOW 0.33
#define PL_CPU_EFFICIENCY_LIKELY 0.70

struct pl_rate pl_llamacpp_decode_rate(const struct pl_model *m, const struct pl_resolved *r,
                                       uint64_t kv_bytes, uint64_t depth, struct pl_rate bandwidth)
{
    if (bandwidth.source == PL_SOURCE_UNKNOWN || bandwidth.likely <= 0)
        return (struct pl_rate){
            .why = "memory bandwidth is not measured: plimsoll assess --bandwidth"};
    uint64_t cells = r->n_ctx_seq * r->n_stream;
    double per_cell = cells > 0 ? (double)kv_bytes / (double)cells : 0;
    double bytes = (double)pl_llamacpp_bytes_per_token(m) + per_cell * (double)depth;
    double roof = bytes > 0 ? bandwidth.likely / bytes : 0;
    return (struct pl_rate){
        .low = roof * PL_CPU_EFFICIENCY_LOW,
        .likely = roof * PL_CPU_EFFICIENCY_LIKELY,
        .high = roof,
        .source = PL_SOURCE_ASSUMED,
        .why = "bytes read per token over measured bandwidth, 70 % of it reached (33 .. 100 %)",
    };
}
