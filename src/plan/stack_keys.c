/* Every key of a stack file. */
#include "domain/plan.h"
#include "plan/keys.h"
#include "plan/stack.h"

#define PL_MILLION 1000000u

const struct pl_key pl_quantity_keys[] = {
    {.name = "low",                 .type = PL_K_SIZE, .doc = "the least it may be", .absent = "as bytes"},
    {.name = "bytes", .type = PL_K_SIZE, .doc = "the likely value", .needed = true},
    {.name = "high",
     .type = PL_K_SIZE,
     .doc = "the most it may be; plans hold for it",
     .absent = "as bytes"},
    {0           },
};

const struct pl_key pl_want_keys[] = {
    {.name = "min",
     .type = PL_K_UINT,
     .min = 1,
     .max = 1u << 30,
     .doc = "the least that is acceptable",
     .absent = "want"},
    {.name = "want",
     .type = PL_K_UINT,
     .min = 1,
     .max = 1u << 30,
     .doc = "what is aimed at",
     .absent = "min"},
    {0},
};

static const struct pl_key pl_footprint_keys[] = {
    {.name = "steady",                 .type = PL_K_QUANTITY, .needed = true, .doc = "after loading, serving"},
    {.name = "peak",                  .type = PL_K_QUANTITY, .absent = "steady", .doc = "the most while serving"},
    {.name = "load_peak",                                .type = PL_K_QUANTITY, .absent = "peak", .doc = "the most while loading"},
    {.name = "largest",
     .type = PL_K_QUANTITY,
     .absent = "0: no constraint",
     .doc = "largest single allocation"},
    {0},
};

static const struct pl_key pl_candidate_keys[] = {
    {.name = "name",                                                                        .type = PL_K_TEXT, .doc = "how plans call it", .absent = "model and quant"},
    {.name = "model",                                                           .type = PL_K_TEXT, .doc = "a catalogue id, a path, hf:ORG/REPO, ollama:NAME"},
    {.name = "quant",
     .type = PL_K_TEXT,
     .doc = "quantisation of the model",
     .absent = "q4_k_m, or the one it was published in"},
    {.name = "engine",
     .type = PL_K_TEXT,
     .doc = "llama.cpp, ollama, vllm, command ...",
     .absent = "llama.cpp"},
    {.name = "command",
     .type = PL_K_TEXTS,
     .raw = true,
     .doc = "the command line of an engine of your own; ${PORT} is filled in at its start"},
    {.name = "flags",                                                                     .type = PL_K_TEXTS, .doc = "more flags for the engine, in its own spelling"},
    {.name = "footprint",
     .type = PL_K_NAMED,
     .sub = pl_footprint_keys,
     .doc = "declared: what it takes from each pool"},
    {.name = "quality",
     .type = PL_K_UINT,
     .max = PL_MILLION,
     .doc = "higher is better; weighed against the other candidates",
     .absent = "unknown, counts as 0"},
    {.name = "decode",
     .type = PL_K_NUMBER,
     .max = 1000u * PL_MILLION,
     .doc = "tokens per second, declared",
     .absent = "predicted, or unknown"},
    {.name = "first_token",
     .type = PL_K_TIME,
     .doc = "time to the first token, declared",
     .absent = "predicted, or unknown"},
    {.name = "instance",
     .type = PL_K_NAME,
     .doc = "candidates of one instance share one process: charged once, the hotter tier"},
    {.name = "extra_mib",
     .type = PL_K_UINT,
     .max = 16u * PL_MILLION,
     .doc = "MiB of host memory on top of the estimate",
     .absent = "0"},
    {.name = "size",
     .type = PL_K_SIZE,
     .doc = "bytes of the weights, for policies on size",
     .absent = "the model's"},
    {.name = "precision",                              .type = PL_K_TEXT, .doc = "f16, f32, int8 ..., for policies"},
    {.name = "languages",                                                                   .type = PL_K_TEXTS, .doc = "it speaks only these", .absent = "any"},
    {.name = "kv_types",
     .type = PL_K_TEXTS,
     .doc = "types of the KV cache to choose from, best first",
     .absent = "f16"},
    {0                                                                                    },
};

static const struct pl_key pl_component_keys[] = {
    {.name = "priority",
     .type = PL_K_UINT,
     .min = 1,
     .max = PL_MILLION,
     .absent = "100",
     .doc = "1 is served first"},
    {.name = "required",                                                                        .type = PL_K_BOOL, .absent = "false", .doc = "no plan without it"},
    {.name = "weight",
     .type = PL_K_UINT,
     .max = PL_MILLION,
     .absent = "1",
     .doc = "of its quality in the objective"},
    {.name = "tier",
     .type = PL_K_CHOICES,
     .words = "hot|warm|cloud|off",
     .absent = "[hot]",
     .doc = "allowed, in order of preference: always resident, on demand, elsewhere"},
    {.name = "group",
     .type = PL_K_NAME,
     .absent = "warm",
     .doc = "WARM components of one group exclude each other"},
    {.name = "role",                                                    .type = PL_K_NAME, .doc = "what it is for: frontdoor, worker ..."},
    {.name = "context",
     .type = PL_K_WANT,
     .min = 1,
     .max = 1u << 30,
     .doc = "tokens of context; want is halved down to min"},
    {.name = "slots",
     .type = PL_K_WANT,
     .min = 1,
     .max = 4096,
     .absent = "1",
     .doc = "requests served at once"},
    {.name = "min_decode",
     .type = PL_K_NUMBER,
     .max = 1000u * PL_MILLION,
     .absent = "5 for text generation",
     .doc = "floor of the decode rate in tokens per second"},
    {.name = "max_first_token",
     .type = PL_K_TIME,
     .absent = "500ms with the objective voice",
     .doc = "the longest wait for the first token"},
    {.name = "min_quality",                                                   .type = PL_K_UINT, .max = PL_MILLION, .doc = "floor of the quality"},
    {.name = "language", .type = PL_K_TEXT, .doc = "candidates that do not speak it are left out"},
    {.name = "fallback",
     .type = PL_K_TEXTS,
     .absent = "the candidates in their order",
     .doc = "rungs of the ladder, by candidate name"},
    {.name = "candidates",
     .type = PL_K_LIST,
     .sub = pl_candidate_keys,
     .needed = true,
     .min = 1,
     .max = PL_STACK_CANDIDATES_MAX,
     .doc = "what can serve it"},
    {0                                                                              },
};

static const struct pl_key pl_pool_keys[] = {
    {.name = "ceiling",
     .type = PL_K_SIZE,
     .absent = "capacity - reserved",
     .doc = "the most this stack may ever use"},
    {.name = "reserve", .type = PL_K_SIZE, .absent = "0", .doc = "kept free below the ceiling"},
    {.name = "largest",
     .type = PL_K_SIZE,
     .absent = "as the machine says",
     .doc = "largest single allocation"},
    {0             },
};

static const struct pl_key pl_policy_keys[] = {
    {.name = "forbid_quants",
     .type = PL_K_TEXTS,
     .doc = "quantisations, '*' stands for anything: q5_*"},
    {.name = "forbid_precisions",
     .type = PL_K_TEXTS,
     .doc = "precisions, '*' stands for anything: f16"},
    {.name = "components",                           .type = PL_K_TEXTS, .absent = "all", .doc = "it holds for these"},
    {.name = "max_model_size",     .type = PL_K_SIZE, .doc = "largest weights of one model"},
    {.name = "max_allocation",
     .type = PL_K_SIZE,
     .doc = "largest single allocation of one candidate"},
    {.name = "max_together",
     .type = PL_K_COUNTS,
     .max = PL_PLAN_COMPONENTS_MAX,
     .doc = "POOL: how many engines it may hold at once"},
    {0                                                    },
};

static const struct pl_key pl_cloud_keys[] = {
    {.name = "provider",                                .type = PL_K_TEXT, .doc = "who serves it"},
    {.name = "model",                           .type = PL_K_TEXT, .doc = "its name there"},
    {.name = "url",                                   .type = PL_K_TEXT, .doc = "address of its interface"},
    {.name = "key_env",                          .type = PL_K_NAME, .doc = "environment variable that holds the key"},
    {.name = "input",
     .type = PL_K_NUMBER,
     .max = 1000u * PL_MILLION,
     .doc = "price of a million tokens read"},
    {.name = "output",
     .type = PL_K_NUMBER,
     .max = 1000u * PL_MILLION,
     .doc = "price of a million tokens written"},
    {.name = "currency",                                 .type = PL_K_NAME, .absent = "USD", .doc = "of the prices"},
    {0},
};

static const struct pl_key pl_label_keys[] = {
    {.name = "tight",
     .type = PL_K_NUMBER,
     .max = 100000,
     .absent = "10",
     .doc = "headroom below so many percent of the ceiling is tight"},
    {.name = "comfortable",
     .type = PL_K_NUMBER,
     .max = 100000,
     .absent = "25",
     .doc = "from so many percent on it is comfortable"},
    {0},
};

#define PL_COMMON_KEYS                                                                             \
    {.name = "name", .type = PL_K_TEXT, .doc = "of the stack", .absent = "the file's"},            \
        {.name = "objective",                                                                      \
         .type = PL_K_CHOICE,                                                                      \
         .words = "balanced|capability|reliability|speed|voice",                                   \
         .absent = "balanced",                                                                     \
         .doc = "what a better plan is"},                                                          \
        {.name = "duty",                                                                           \
         .type = PL_K_CHOICE,                                                                      \
         .words = "session|24/7",                                                                  \
         .absent = "session",                                                                      \
         .doc = "used for a while, or day and night"},                                             \
        {.name = "pools",                                                                          \
         .type = PL_K_NAMED,                                                                       \
         .sub = pl_pool_keys,                                                                      \
         .doc = "lines of the machine's pools"},                                                   \
        {.name = "components",                                                                     \
         .type = PL_K_NAMED,                                                                       \
         .sub = pl_component_keys,                                                                 \
         .min = 1,                                                                                 \
         .max = PL_PLAN_COMPONENTS_MAX,                                                            \
         .needed = true,                                                                           \
         .doc = "the jobs"},                                                                       \
        {.name = "policies",                                                                       \
         .type = PL_K_NAMED,                                                                       \
         .sub = pl_policy_keys,                                                                    \
         .max = PL_STACK_POLICIES_MAX,                                                             \
         .doc = "rules, each by its name"},                                                        \
        {.name = "cloud",                                                                          \
         .type = PL_K_NAMED,                                                                       \
         .sub = pl_cloud_keys,                                                                     \
         .doc = "services elsewhere, and their prices"},                                           \
    {                                                                                              \
        .name = "headroom", .type = PL_K_MAP, .sub = pl_label_keys,                                \
        .doc = "when it is called tight or comfortable"                                            \
    }

static const struct pl_key pl_environment_keys[] = {
    {.name = "inherits",                                   .type = PL_K_NAME, .doc = "another environment, merged below this one"},
    PL_COMMON_KEYS,
    {0},
};

const struct pl_key pl_stack_keys[] = {
    {.name = "plimsoll",
     .type = PL_K_UINT,
     .min = 1,
     .max = PL_STACK_VERSION,
     .needed = true,
     .doc = "version of this format"},
    PL_COMMON_KEYS,
    {.name = "environments",
     .type = PL_K_NAMED,
     .sub = pl_environment_keys,
     .doc = "the same keys again, merged over the file's: maps by key, everything else replaced"},
    {0    },
};
