#include "engine/engine.h"

#include "base/str.h"
#include "engine/declared/footprint.h"
#include "engine/llamacpp/find.h"
#include "engine/transformers/footprint.h"
#include "engine/transformers/settings.h"
#include "engine/vllm/footprint.h"
#include "engine/vllm/settings.h"
#include "engine/whispercpp/footprint.h"
#include "engine/whispercpp/settings.h"

static const struct pl_engine pl_engine_llamacpp = {
    .name = "llama.cpp",
    .about = "llama-server: GGUF models on CPU and GPU",
    .get = "run 'make engines', or install llama.cpp-tools",
    .find = pl_llamacpp_find,
};

static const struct pl_engine pl_engine_transformers = {
    .name = "transformers",
    .about = "Hugging Face transformers: checkpoints in Python, with bitsandbytes",
    .settings = pl_transformers_settings,
    .footprint = pl_transformers_footprint,
};

static const struct pl_engine pl_engine_vllm = {
    .name = "vllm",
    .about = "vllm serve: checkpoints on CUDA devices, many sequences at once",
    .settings = pl_vllm_settings,
    .footprint = pl_vllm_footprint,
};

static const struct pl_engine pl_engine_whispercpp = {
    .name = "whisper.cpp",
    .about = "whisper-server and whisper-cli: speech to text on CPU and GPU",
    .settings = pl_whispercpp_settings,
    .footprint = pl_whispercpp_footprint,
};

const struct pl_engine pl_engine_declared = {
    .name = "declared",
    .about = "programs whose needs are known from what others measured",
    .settings = pl_declared_settings,
    .footprint = pl_declared_footprint,
};

const struct pl_engine *const pl_engines[] = {&pl_engine_llamacpp, &pl_engine_transformers,
                                              &pl_engine_vllm, &pl_engine_whispercpp, NULL};

const struct pl_engine *pl_engine_named(const char *name)
{
    for (size_t i = 0; pl_engines[i] != NULL; i++) {
        if (pl_streq(pl_engines[i]->name, name))
            return pl_engines[i];
    }
    return NULL;
}
