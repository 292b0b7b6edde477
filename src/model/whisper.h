/* Reads the header of a whisper.cpp file, in which numbers, filters, words and tensors follow each
 * other; never the weights. And makes such a model of a catalogue row, and its stand-in file.
 *
 *   file    := magic, 11 numbers, filters, words, tensor*
 *   filters := n_mel, n_fft, n_mel * n_fft floats;   words := n, n * (length, bytes)
 *   tensor  := n_dims, length of the name, type, length * n_dims, name, data
 *
 * All numbers are 32 bits, little-endian (whisper.cpp src/whisper.cpp, whisper_model_load). */
#ifndef PL_MODEL_WHISPER_H
#define PL_MODEL_WHISPER_H

#include "model/catalogue.h"
#include "model/ghost.h"
#include "model/input.h"

#define PL_WHISPER_MAGIC 0x67676d6cu
#define PL_WHISPER_MEMORY_MAX (32u << 20) /* of one model */
#define PL_WHISPER_TENSORS_MAX 20000u
#define PL_WHISPER_DATA_KEY "plimsoll.whisper_data" /* where the first tensor's record begins */

/* A file that begins so: the magic, which other files from before GGUF have too, and numbers that
 * are plausible. */
bool pl_whisper_match(const uint8_t *head, size_t n);

/* *ret on success only, free with pl_model_free. -EBADMSG (exit 2) for a damaged file. */
int pl_whisper_read(const char *path, struct pl_model **ret, struct pl_err *err);
int pl_whisper_read_input(struct pl_input *in, const char *path, struct pl_model **ret,
                          struct pl_err *err);

/* The model that a file of the row would be: as pl_catalogue_model. quant: f32, f16, q4_0, q4_1,
 * q5_0, q5_1, q8_0 ...; NULL: f16, as the models are published. The file's length is exact for the
 * vocabularies of the published models. */
int pl_whisper_model(const struct pl_catalogue_row *row, const char *quant, struct pl_model **ret,
                     struct pl_err *err);

/* True for what is read or made here: a file, or a name of the catalogue. Looks at the first bytes
 * of a file only. */
bool pl_whisper_spec(const char *spec);

/* Writes to fd all but the weights of m: of a file its own numbers, filters and words, else made-up
 * ones. Sets `offset` of the n tensors in `tensor` (m's table) to where their data begins in the
 * file, and *ret_bytes to its length. *ret_made: the words are made up. */
int pl_whisper_put(const struct pl_model *m, int fd, struct pl_tensor *tensor, uint64_t *ret_bytes,
                   bool *ret_made, struct pl_err *err);

#endif
