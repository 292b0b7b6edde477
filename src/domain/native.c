#include "domain/native.h"

#include "domain/places.h"

/* CUDA C++ Programming Guide, arithmetic throughput by compute capability: bfloat16 and its matrix
 * products from 8.0, FP8 from 8.9, FP4 from 10.0; half arithmetic at full rate from 6.0, except
 * 6.1, where it has a 64th; the integer dot product (DP4A) from 6.1, integer matrix products from
 * 7.2. */
static const struct pl_native {
    const char *type;
    uint32_t sm, not_sm;
    const char *what;
} pl_natives[] = {
    {"bf16", 800,  0,
     "bfloat16 is emulated, slowly; fp16 is native: use that (--dtype float16, an F16 file)"},
    {"fp8",  890,  0,
     "FP8 products are not native: weights are widened for each; int8 or 4 bit do better"   },
    {"fp4",  1000, 0,   "FP4 products are not native: weights are widened for each"         },
    {"int8", 610,  0,   "integer products are not native: they are slow"                    },
    {"fp16", 600,  610,
     "half arithmetic has a 64th of the rate: fp32 is faster, with twice the memory"        },
};

bool pl_native_lacks(const struct pl_device *d, const char *type, char *out, size_t size)
{
    uint32_t sm = pl_device_sm(d);
    for (size_t i = 0; d != NULL && i < sizeof(pl_natives) / sizeof(pl_natives[0]); i++) {
        const struct pl_native *n = &pl_natives[i];
        if (!pl_streq(n->type, type))
            continue;
        bool lacks = sm > 0 ? sm < n->sm || (n->not_sm > 0 && sm == n->not_sm)
                            : pl_streq(type, "bf16") && d->bf16_known && !d->bf16;
        if (lacks)
            (void)pl_fmt(out, size, "%s (compute capability %s): %s", d->id,
                         d->compute_capability[0] != '\0' ? d->compute_capability : "unknown",
                         n->what);
        return lacks;
    }
    return false;
}

void pl_native_say(struct pl_claim *c, const struct pl_device *d, const char *type)
{
    char text[PL_REASON_TEXT_MAX];
    if (pl_native_lacks(d, type, text, sizeof(text)))
        pl_claim_say(c, PL_VERDICT_SAFE, "%s", text);
}
