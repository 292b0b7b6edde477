#include "engine/llamacpp/speed.h"

#include "engine/llamacpp/footprint.h"

/* Share of the measured read bandwidth that decoding on a CPU reaches. llama-server 0.7.0 on two
 * cores of an EPYC (Zen 5): 0.40 for a model of 0.5B, 0.57 for 1B, 0.67 for 3B, 0.79 for 8B; users'
 * llama-bench rows for desktops lie between 0.36 and 0.72 of the data sheet, and for large servers
 * far below. No single constant fits CPUs, so the interval is wide and the source is "assumed". */
#define PL_CPU_EFFICIENCY_LOW 0.20
#define PL_CPU_EFFICIENCY_LIKELY 0.60

struct pl_rate pl_llamacpp_decode_rate(const struct pl_model *m, const struct pl_resolved *r,
                                       uint64_t kv_bytes, uint64_t depth, struct pl_rate bandwidth)
{
    if (bandwidth.source == PL_SOURCE_UNKNOWN || bandwidth.likely <= 0)
        return (struct pl_rate){
            .why = "memory bandwidth is not measured: plimsoll assess --bandwidth"};
    uint64_t cells = r->n_ctx_seq * r->n_stream;
    double per_cell = cells > 0 ? (double)kv_bytes / (double)cells : 0;
    double bytes = (double)pl_llamacpp_bytes_per_token(m) + per_cell * (double)depth;
    bool measured = bandwidth.source == PL_SOURCE_MEASURED;
    if (bytes <= 0)
        return (struct pl_rate){.why = "the file holds no weights that a token reads"};
    return (struct pl_rate){
        .low = bandwidth.low / bytes * PL_CPU_EFFICIENCY_LOW,
        .likely = bandwidth.likely / bytes * PL_CPU_EFFICIENCY_LIKELY,
        .high = bandwidth.high / bytes,
        .source = PL_SOURCE_ASSUMED,
        .why = measured ? "bytes read per token over measured bandwidth, 60 % of it reached (20 .. "
                          "100 %)"
                        : "bytes read per token over the data sheet's bandwidth, 60 % of it "
                          "reached (20 .. 100 %); plimsoll assess --bandwidth measures it",
    };
}
