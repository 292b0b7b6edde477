/* The catalogue: models people run, known by their published shapes (data/models.tsv). A row and
 * a quantisation give the model as its GGUF header would describe it, without any file. */
#ifndef PL_MODEL_CATALOGUE_H
#define PL_MODEL_CATALOGUE_H

#include "base/err.h"
#include "domain/model.h"

#include <stdint.h>

#define PL_CATALOGUE_UNKNOWN UINT64_MAX /* "?" in the table: it exists, and is not known */

/* One line of data/models.tsv, member for column. Static text. Numbers are 0 where they do not
 * apply. A column that differs by layer has its list as text too ("a/b" = window / full layers,
 * "v*k,v*k" = v for k layers), and the number is its first. */
struct pl_catalogue_row {
    const char *id, *display_name;
    const char *aliases; /* separated by commas, or NULL */
    const char *hf_repo, *family, *released, *licence;
    const char *kind;       /* llm, vlm, embed, rerank, stt, tts, vision */
    const char *gguf_arch;  /* general.architecture; NULL = none */
    uint64_t params_total;  /* as published for the checkpoint */
    uint64_t params_active; /* touched per token */
    uint64_t params_text;   /* what the GGUF holds: a tied head counts once */
    uint64_t n_layer, n_embd, n_ff, n_head, n_head_kv, head_dim_k, head_dim_v, n_vocab;
    const char *n_layer_list; /* "encoder/decoder" */
    const char *n_ff_list, *n_head_list, *n_head_kv_list, *head_dim_k_list, *head_dim_v_list;
    uint64_t tied_embeddings; /* 1: no output.weight, the embedding serves */
    uint64_t ctx_train, swa_window;
    const char *swa_pattern; /* one period: s sliding, f full, c chunked */
    uint64_t n_expert, n_expert_used, n_expert_shared, moe_n_ff, shared_n_ff, leading_dense_layers;
    uint64_t mla_kv_lora_rank, mla_rope_dim;
    const char *ssm;        /* "name=value;..." of the recurrent layers */
    const char *arch_extra; /* "name=value;..." */
    uint64_t mtp_layers;
    uint64_t mmproj_bytes_f16;
    uint64_t rope_freqs;       /* elements of rope_freqs.weight; 0 = no such tensor */
    double rope_base, rms_eps; /* 0 = not known; neither weighs anything */
    const char *tokenizer;     /* id of a line of data/tokenizers.tsv */
    uint64_t checked;          /* 1: params_total follows from the shape columns within 0.5 % */
    uint64_t offered;          /* 1: among those that plimsoll proposes by itself */
    const char *source, *note;
    const char *file; /* of a row that the user wrote, and its line; NULL: built in */
    uint32_t line;
};

const struct pl_catalogue_row *pl_catalogue(size_t *ret_n);

/* Adds the rows of a user's table (catalogue_file.h) for the rest of the process; one of the same
 * id takes the place of ours, a later file's that of an earlier. name: of the file. For the start
 * of a program: not while another thread looks, and rows found before stay valid. Errors as
 * pl_catalogue_file_parse; then nothing was added. */
int pl_catalogue_add(const char *text, size_t n, const char *name, struct pl_err *err);

/* Forgets all that was added. */
void pl_catalogue_forget(void);

/* By id or alias, any case, a user's row before ours; NULL when unknown. */
const struct pl_catalogue_row *pl_catalogue_find(const char *id);

/* Writes the ids nearest to an unknown one, "a, b, c", for a hint; "" when none is near. */
void pl_catalogue_nearest(const char *id, char *out, size_t size);

#define PL_CATALOGUE_QUANT "q4_k_m" /* when neither a name nor the row says one */

/* The quantisation a row has when none is said: that in which its weights were published (own_quant
 * of arch_extra, MXFP4_MOE of gpt-oss), or PL_CATALOGUE_QUANT. */
const char *pl_catalogue_quant(const struct pl_catalogue_row *row);
/* Were the weights of that row (NULL: false) published in this quantisation? */
bool pl_catalogue_quant_own(const struct pl_catalogue_row *row, const char *quant);

/* Builds the model a file of that row and quantisation (any case; NULL = pl_catalogue_quant) would
 * be: keys, tensors with types and offsets, file_bytes. It has no files (n_file = 0), ghost is set,
 * path is "id:quant". The tokenizer arrays have counts and lengths, no content. The header's length
 * is derived from published files of the same tokenizer and is right within about 6 kB; where no
 * file of the tokenizer was seen it is assumed. -ENOTSUP (exit 3) for a row whose architecture has
 * no table of tensors, or which leaves a needed number unknown. -EINVAL for an unknown quantisation
 * (with the nearest in the hint) or one whose blocks do not fit the model's rows; -ENOMEM. Free
 * with pl_model_free. */
int pl_catalogue_model(const struct pl_catalogue_row *row, const char *quant, struct pl_model **ret,
                       struct pl_err *err);

/* The same without a quantisation: the tensors have neither types nor bytes, the file no length.
 * *ret_outline says them once (outline.h) and *ret_facts what the mixes ask, so that many
 * quantisations can be summed; both belong to the model. */
struct pl_outline;
struct pl_mix_facts;
int pl_catalogue_outline(const struct pl_catalogue_row *row, struct pl_model **ret,
                         const struct pl_outline **ret_outline, struct pl_mix_facts *ret_facts,
                         struct pl_err *err);

#endif
