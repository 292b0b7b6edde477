/* src/llama-model.cpp, load_tensors, and src/llama-model-loader.cpp, create_tensor, with the CPU's
 * buffer types. */
#include "engine/llamacpp/weights.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/repack.h"

#include <string.h>

#define PL_LAZY_BYTES (4 * PL_GIB) /* --lazy-mode auto: tables that are larger */

bool pl_tensor_layer(const char *name, uint64_t *ret_il)
{
    const char *dot = pl_starts(name, "blk.") ? strchr(name + 4, '.') : NULL;
    char number[8];
    if (dot == NULL || dot - name > 8)
        return false;
    (void)PL_FMT(number, "%.*s", (int)(dot - name - 4), name + 4);
    return pl_parse_u64(number, ret_il);
}

bool pl_llamacpp_loads(const struct pl_net *net, const struct pl_tensor *t)
{
    uint64_t il = 0;
    if (net->n_layer == net->n_layer_all || net->arch->router != 0 ||
        !pl_tensor_layer(t->name, &il))
        return true;
    return il < net->n_layer || il >= net->n_layer_all; /* create_tensor, TENSOR_SKIP */
}

static void pl_weights_count(struct pl_weights *w, const struct pl_tensor *t, bool copy,
                             const struct pl_cpu *cpu)
{
    enum pl_repack how = pl_repack_matrix(t, cpu);
    if (how == PL_REPACK_YES) {
        w->repacked += t->bytes;
        if (!copy)
            w->source += t->bytes;
        if (t->bytes > w->largest)
            w->largest = t->bytes;
    } else if (copy) {
        w->maybe_copy += how == PL_REPACK_UNKNOWN ? t->bytes : 0;
    } else {
        w->mapped += t->bytes;
        if (how == PL_REPACK_UNKNOWN)
            w->undecided += t->bytes;
    }
}

/* Where the mapping of a file is kept: from the first to the last tensor that the host uses
 * (src/llama-model-loader.cpp, load_all_data, unmap_fragment). */
static uint64_t pl_weights_between(const struct pl_model *m, const struct pl_placement *place,
                                   uint16_t split)
{
    uint64_t first = UINT64_MAX, last = 0, bytes = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < m->n_tensor; i++) {
            const struct pl_tensor *t = &m->tensor[i];
            if (t->split != split)
                continue;
            uint32_t mask = pl_place_tensor(place, t);
            if (pass == 0 && (mask & 1) != 0) {
                first = t->offset < first ? t->offset : first;
                last = t->offset > last ? t->offset : last;
            } else if (pass == 1 && mask != 0 && (mask & 1) == 0 && t->offset > first &&
                       t->offset < last) {
                bytes = pl_add_sat(bytes, t->bytes);
            }
        }
    }
    return bytes;
}

/* --lazy-mode of 0.7.0 (11669): "lazy read enabled" is said of no other table, and the process of a
 * Gemma 4 E2B then holds as much less as this one is long. */
bool pl_llamacpp_lazy(const struct pl_net *net, enum pl_tri lazy, const struct pl_tensor *t)
{
    return net->arch->lazy != 0 && lazy != PL_OFF && (lazy == PL_ON || t->bytes > PL_LAZY_BYTES) &&
           pl_streq(t->name, "per_layer_token_embd.weight");
}

/* src/models/gemma4.cpp, load_arch_tensors: create_tensor(..., TENSOR_DUPLICATED) finds none of
 * that name yet, and the embedding itself is then made beside it. */
bool pl_llamacpp_read_twice(const struct pl_net *net, const struct pl_placement *place,
                            const struct pl_cpu *cpu, bool mapped, const struct pl_tensor *t)
{
    return !mapped && net->tied && net->arch->head_first != 0 &&
           pl_streq(t->name, "token_embd.weight") && pl_place_tensor(place, t) == 1 &&
           (!pl_place_repack(place, t) || pl_repack_matrix(t, cpu) != PL_REPACK_YES);
}

/* A tied embedding is asked for twice, and its use as output may get a converted copy. */
struct pl_weights pl_llamacpp_weights(const struct pl_model *m, const struct pl_net *net,
                                      const struct pl_placement *place, const struct pl_cpu *cpu,
                                      enum pl_tri lazy, bool mapped)
{
    struct pl_weights w = {0};
    uint16_t splits = 0;
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        uint32_t mask = pl_place_tensor(place, t);
        bool convert = pl_place_repack(place, t);
        splits = t->split > splits ? t->split : splits;
        if (mask == 0)
            w.unused += t->bytes;
        else if (mask == 1 && pl_llamacpp_lazy(net, lazy, t))
            w.lazy += t->bytes;
        else if ((mask & 1) == 0)
            w.elsewhere += t->bytes;
        else if (convert && pl_repack_is_matrix(t))
            pl_weights_count(&w, t, false, cpu);
        else
            w.mapped += t->bytes;
        if (convert && net->tied && mask == 1 && pl_streq(t->name, "token_embd.weight"))
            pl_weights_count(&w, t, true, cpu);
        if (pl_llamacpp_read_twice(net, place, cpu, mapped, t))
            w.twice += t->bytes;
    }
    const struct pl_tensor *rows = pl_model_tensor(m, "token_embd.weight");
    if (rows != NULL && pl_model_tensor(m, "output.weight") != NULL &&
        pl_place_tensor(place, rows) == 1)
        w.looked_up = rows->bytes;
    w.unused += w.lazy;
    w.mapped += w.twice;
    for (uint32_t i = 0; w.elsewhere > 0 && i <= splits; i++)
        w.between = pl_add_sat(w.between, pl_weights_between(m, place, (uint16_t)i));
    return w;
}

/* A server of glm-4.5-air with 8 layers held all but 2 of the embedding's 333 MiB less than its
 * parts, after 9 GiB of file were read and converted on 23 GiB. Smaller shares of a file are within
 * what else is not known. */
#define PL_LOOKED_UP_PERMILLE 15u

uint64_t pl_llamacpp_reclaimable(const struct pl_model *m, const struct pl_weights *w)
{
    return w->looked_up > m->file_bytes / 1000 * PL_LOOKED_UP_PERMILLE ? w->looked_up : 0;
}
