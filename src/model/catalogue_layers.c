#include "model/catalogue_layers.h"

#include "base/str.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define PL_LAYER_NUMBER_MAX 1000000000000ll /* no shape is near it, and products stay in range */

const char *pl_row_extra(const char *list, const char *name, uint64_t n)
{
    while (list != NULL && *list != '\0') {
        if (strncmp(list, name, n) == 0 && list[n] == '=')
            return list + n + 1;
        list = strchr(list, ';');
        list = list != NULL ? list + 1 : NULL;
    }
    return NULL;
}

/* Digits at *at; moves it behind them. */
static int64_t pl_layer_number(const char **at)
{
    int64_t v = 0;
    for (; isdigit((unsigned char)**at); (*at)++)
        v = v < PL_LAYER_NUMBER_MAX ? v * 10 + (**at - '0') : v;
    return v;
}

static int64_t pl_layer_extra(const struct pl_row_layer *l, const char *name, uint64_t n)
{
    const char *at = pl_row_extra(l->row->arch_extra, name, n);
    if (at == NULL)
        at = pl_row_extra(l->row->ssm, name, n);
    return at != NULL ? pl_layer_number(&at) : 0;
}

/* Is il in "2,5,8"? */
static bool pl_layer_listed(const char *at, int64_t il)
{
    while (isdigit((unsigned char)*at)) {
        if (pl_layer_number(&at) == il)
            return true;
        at += *at == ',' ? 1 : 0;
    }
    return false;
}

static bool pl_layer_is_mtp(const struct pl_row_layer *l)
{
    return l->il >= (int64_t)l->row->n_layer;
}

/* The letter of the layer in "pattern=MEM*": M recurrent, * attention, - dense, E experts; 0 when
 * the row has no pattern. */
static char pl_layer_letter(const struct pl_row_layer *l)
{
    const char *p = pl_row_extra(l->row->ssm, "pattern", 7);
    if (p == NULL || l->il < 0)
        return '\0';
    for (int64_t i = 0; i < l->il && *p != '\0' && *p != ';'; i++)
        p++;
    return *p != ';' ? *p : '\0';
}

static bool pl_layer_attends(const struct pl_row_layer *l)
{
    const char *at = pl_row_extra(l->row->ssm, "attn", 4);
    char letter = pl_layer_letter(l);
    if (letter != '\0')
        return letter == '*';
    if (at == NULL || pl_layer_is_mtp(l) || pl_starts(at, "all"))
        return l->row->ssm == NULL || at != NULL;
    if (pl_starts(at, "every")) {
        at += 5;
        int64_t n = pl_layer_number(&at);
        return n > 0 && l->il % n == n - 1;
    }
    return pl_layer_listed(at, l->il);
}

static bool pl_layer_recurs(const struct pl_row_layer *l)
{
    const char *at = pl_row_extra(l->row->ssm, "attn", 4);
    char letter = pl_layer_letter(l);
    if (l->row->ssm == NULL || pl_layer_is_mtp(l))
        return false;
    if (letter != '\0')
        return letter == 'M';
    return (at != NULL && pl_starts(at, "all")) || !pl_layer_attends(l);
}

static bool pl_layer_has_experts(const struct pl_row_layer *l)
{
    char letter = pl_layer_letter(l);
    int64_t step = pl_layer_extra(l, "moe_step", 8), period = pl_layer_extra(l, "moe_period", 10);
    if (l->row->n_expert == 0 || l->il < (int64_t)l->row->leading_dense_layers)
        return false;
    if (letter != '\0')
        return letter == 'E';
    if (pl_layer_is_mtp(l) && pl_layer_extra(l, "mtp_dense", 9) != 0)
        return false;
    if (step > 0 && (l->il + 1) % step != 0)
        return false;
    return period == 0 || l->il % period == pl_layer_extra(l, "moe_offset", 10);
}

static bool pl_layer_slides(const struct pl_row_layer *l)
{
    const char *p = l->row->swa_pattern;
    if (p == NULL || l->il < 0 || l->row->swa_window == 0)
        return false;
    char c = p[(size_t)l->il % strlen(p)];
    return c == 's' || c == 'c';
}

/* Of "a/b" the window's or the full layers'; of "v*k,v*k" the run's. */
static int64_t pl_layer_pick(const struct pl_row_layer *l, const char *list)
{
    const char *at = list;
    int64_t v = pl_layer_number(&at), before = 0;
    if (*at == '/') {
        at++;
        return pl_layer_slides(l) || l->il < 0 ? v : pl_layer_number(&at);
    }
    while (*at == '*') {
        at++;
        before += pl_layer_number(&at);
        if (l->il < before || *at != ',')
            return v;
        at++;
        v = pl_layer_number(&at);
    }
    return v;
}

static const struct {
    const char *name;
    size_t at, list; /* offsets in the row; list 0 = one number for all layers */
} pl_layer_columns[] = {
#define COLUMN(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct pl_catalogue_row, member), 0                                         \
    }
#define LISTED(name, member)                                                                       \
    {                                                                                              \
        name, offsetof(struct pl_catalogue_row, member),                                           \
            offsetof(struct pl_catalogue_row, member##_list)                                       \
    }
    COLUMN("n_embd", n_embd),
    LISTED("n_head", n_head),
    LISTED("n_head_kv", n_head_kv),
    LISTED("head_k", head_dim_k),
    LISTED("head_v", head_dim_v),
    LISTED("n_ff", n_ff),
    COLUMN("n_expert", n_expert),
    COLUMN("moe_n_ff", moe_n_ff),
    COLUMN("shared_n_ff", shared_n_ff),
    COLUMN("n_layer", n_layer),
    COLUMN("n_vocab", n_vocab),
    COLUMN("tied", tied_embeddings),
    COLUMN("rope_freqs", rope_freqs),
    COLUMN("mtp_layers", mtp_layers),
    COLUMN("ctx_train", ctx_train),
    COLUMN("swa_window", swa_window),
    COLUMN("n_expert_used", n_expert_used),
    COLUMN("n_expert_shared", n_expert_shared),
    COLUMN("leading_dense", leading_dense_layers),
    COLUMN("kv_lora", mla_kv_lora_rank),
    COLUMN("rope_dim", mla_rope_dim),
};

static bool pl_layer_is_indexer(const struct pl_row_layer *l)
{
    const char *full = pl_row_extra(l->row->arch_extra, "idx_full", 8);
    return pl_layer_extra(l, "idx_heads", 9) > 0 &&
           (full == NULL || pl_layer_is_mtp(l) || pl_layer_listed(full, l->il));
}

/* What the layer or the architecture is, as 0 or 1. */
static bool pl_layer_flag(const struct pl_row_layer *l, const char *name, uint64_t n, int64_t *ret)
{
    char letter = pl_layer_letter(l);
#define IS(text) (n == sizeof(text) - 1 && strncmp(name, text, n) == 0)
    if (IS("il"))
        return *ret = l->il, true;
    if (IS("attn"))
        return *ret = pl_layer_attends(l), true;
    if (IS("rec"))
        return *ret = pl_layer_recurs(l), true;
    if (IS("moe"))
        return *ret = pl_layer_has_experts(l), true;
    if (IS("ffn"))
        return *ret = letter == '\0' || letter == '-' || letter == 'E', true;
    if (IS("swa"))
        return *ret = pl_layer_slides(l), true;
    if (IS("mtp_layer"))
        return *ret = pl_layer_is_mtp(l), true;
    if (IS("indexer"))
        return *ret = pl_layer_is_indexer(l), true;
    if (IS("idx_full_known"))
        return *ret = pl_row_extra(l->row->arch_extra, "idx_full", 8) != NULL, true;
    if (IS("wide_full")) {
        const char *slash =
            l->row->head_dim_k_list != NULL ? strchr(l->row->head_dim_k_list, '/') : NULL;
        const char *at = slash != NULL ? slash + 1 : "0";
        return *ret = pl_layer_number(&at), true;
    }
    if (IS("attn_every")) {
        const char *at = pl_row_extra(l->row->ssm, "attn", 4);
        at = at != NULL && pl_starts(at, "every") ? at + 5 : "0";
        return *ret = pl_layer_number(&at), true;
    }
    return false;
#undef IS
}

bool pl_row_layer_value(void *ctx, const char *name, uint64_t n, int64_t *ret)
{
    const struct pl_row_layer *l = ctx;
    const char *row = (const char *)l->row;
    for (size_t i = 0; i < sizeof(pl_layer_columns) / sizeof(pl_layer_columns[0]); i++) {
        if (strncmp(pl_layer_columns[i].name, name, n) != 0 || pl_layer_columns[i].name[n] != '\0')
            continue;
        uint64_t v;
        const char *list = NULL;
        memcpy(&v, row + pl_layer_columns[i].at, sizeof(v));
        if (pl_layer_columns[i].list > 0)
            memcpy(&list, row + pl_layer_columns[i].list, sizeof(list));
        if (v == PL_CATALOGUE_UNKNOWN || v > (uint64_t)PL_LAYER_NUMBER_MAX)
            return false;
        *ret = list != NULL ? pl_layer_pick(l, list) : (int64_t)v;
        return true;
    }
    if (!pl_layer_flag(l, name, n, ret))
        *ret = pl_layer_extra(l, name, n);
    return true;
}

void pl_row_likeness(const struct pl_row_layer *l, struct pl_row_likeness *ret)
{
    const struct pl_catalogue_row *r = l->row;
#define BY_LAYER(member) (r->member##_list != NULL ? pl_layer_pick(l, r->member##_list) : 0)
    *ret = (struct pl_row_likeness){
        {
         l->il < 0,
         pl_layer_attends(l),
         pl_layer_recurs(l),
         pl_layer_has_experts(l),
         pl_layer_letter(l),
         (pl_layer_slides(l) ? 1 : 0) + (l->il >= 0 && pl_layer_is_mtp(l) ? 2 : 0),
         pl_layer_is_indexer(l),
         BY_LAYER(n_head),
         BY_LAYER(n_head_kv),
         BY_LAYER(head_dim_k),
         BY_LAYER(head_dim_v),
         BY_LAYER(n_ff),
         }
    };
#undef BY_LAYER
}
