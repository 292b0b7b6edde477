/* A speech model of OpenAI's Whisper kind: its numbers, and the tensors a whisper.cpp file of them
 * holds. The keys that a reader and the catalogue leave in a struct pl_model are here too. Pure. */
#ifndef PL_DOMAIN_WHISPER_H
#define PL_DOMAIN_WHISPER_H

#include "base/err.h"
#include "domain/model.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_WHISPER_FORMAT "whisper.cpp" /* pl_model.format of a file, and of a catalogue row */
#define PL_WHISPER_ARCH "whisper"

/* whisper.cpp, struct whisper_hparams: what a file begins with, in its order. */
struct pl_whisper {
    uint64_t n_vocab;
    uint64_t n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer; /* the encoder */
    uint64_t n_text_ctx, n_text_state, n_text_head, n_text_layer;     /* the decoder */
    uint64_t n_mels;
    uint64_t ftype;        /* ggml_ftype, without the version of the quantiser */
    uint32_t type;         /* ggml_type of its matrices; that of a convolution is F16 or F32 */
    const char *type_name; /* "Q5_1": as files are named by it */
};
#define PL_WHISPER_NUMBERS 11u

/* The eleven numbers as the file has them (ftype with its version). False, with a reason, for what
 * is no model that whisper.cpp could load. *ret_why is static. */
bool pl_whisper_from(const uint32_t number[PL_WHISPER_NUMBERS], struct pl_whisper *ret,
                     const char **ret_why);

/* Of a name such as "q5_1", any case; false when no whisper.cpp file is of that type. */
bool pl_whisper_type_named(const char *name, struct pl_whisper *ret);

/* What a model's keys say. False when it is none, or a key is missing. */
bool pl_whisper_of(const struct pl_model *m, struct pl_whisper *ret);

/* Writes the keys to kv, which has room for PL_WHISPER_KEYS; names are static. */
#define PL_WHISPER_KEYS 18u
uint32_t pl_whisper_keys(const struct pl_whisper *w, struct pl_kv *kv);

/* The tensors of its file in the order of the converter, `n` of them; index < n. Fills all but the
 * offset. name: room for the tensor's name, which t->name then is. False when its rows are no whole
 * number of blocks, or its size overflows. */
#define PL_WHISPER_NAME_MAX 64
uint64_t pl_whisper_tensor_count(const struct pl_whisper *w);
bool pl_whisper_tensor(const struct pl_whisper *w, uint64_t index, struct pl_tensor *t,
                       char name[PL_WHISPER_NAME_MAX]);

/* Bytes of the file before a tensor's data: three numbers, its lengths, its name. */
uint64_t pl_whisper_record_bytes(const struct pl_tensor *t);

#endif
