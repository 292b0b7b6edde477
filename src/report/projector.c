#include "report/projector.h"

#include "base/units.h"
#include "engine/llamacpp/projector.h"

#include <inttypes.h>

/* How many towers are shown: vision and sound. */
#define PL_TOWERS_MAX 2u

/* With the engine's usual settings; false: the header is not one of a kind that is known. */
static bool pl_tower_read(const struct pl_model *m, uint32_t i, struct pl_projector *p,
                          struct pl_err *err)
{
    const struct pl_settings usual = {.mtmd_batch_tokens = 0};
    return pl_projector_read(m, i, &usual, p, err) == 0;
}

static uint32_t pl_towers(const struct pl_model *m)
{
    uint32_t n = pl_projector_count(m);
    return n < PL_TOWERS_MAX ? n : PL_TOWERS_MAX;
}

void pl_report_projector_text(struct pl_str *out, const struct pl_model *m)
{
    for (uint32_t i = 0; i < pl_towers(m); i++) {
        struct pl_projector p;
        struct pl_err err = {0};
        if (!pl_tower_read(m, i, &p, &err)) {
            pl_str_addf(out, "  %-16s  %s\n", "projector", err.what);
            continue;
        }
        bool sees = p.kind->of == PL_OF_VISION;
        pl_str_addf(out, "  %-16s  %s, of %s, %" PRIu64 " layer%s of %" PRIu64 "\n", "projector",
                    p.kind->name, sees ? "images" : "sound", p.n_layer, p.n_layer == 1 ? "" : "s",
                    p.n_embd);
        pl_str_addf(out, "  %-16s  %" PRIu64 "\n", "projects to", p.n_out);
        if (!sees) {
            pl_str_addf(out, "  %-16s  %" PRIu64 "\n", "mel bands", p.mel);
            continue;
        }
        pl_str_addf(out, "  %-16s  %" PRIu64 " x %" PRIu64 " pixels, patches of %" PRIu64 "\n",
                    "image", p.image, p.image, p.patch);
        pl_str_addf(out, "  %-16s  %" PRIu64 " at most (%" PRIu64 " x %" PRIu64 " pixels)\n",
                    "image tokens", pl_projector_tokens(&p, &p.most), p.most.nx, p.most.ny);
    }
}

void pl_report_projector_json(struct pl_json *j, const char *name, const struct pl_model *m)
{
    pl_json_array(j, name);
    for (uint32_t i = 0; i < pl_towers(m); i++) {
        struct pl_projector p;
        if (!pl_tower_read(m, i, &p, NULL))
            continue;
        bool sees = p.kind->of == PL_OF_VISION;
        pl_json_object(j, NULL);
        pl_json_str(j, "kind", p.kind->name);
        pl_json_str(j, "of", sees ? "images" : "sound");
        pl_json_u64(j, "blocks", p.n_layer);
        pl_json_u64(j, "embedding_length", p.n_embd);
        pl_json_u64(j, "projection_dim", p.n_out);
        if (sees) {
            pl_json_u64(j, "image_size", p.image);
            pl_json_u64(j, "patch_size", p.patch);
            pl_json_u64(j, "image_tokens_max", pl_projector_tokens(&p, &p.most));
        } else {
            pl_json_u64(j, "mel_bands", p.mel);
        }
        pl_json_end(j);
    }
    pl_json_end(j);
}
