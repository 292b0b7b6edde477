#include "report/footprint.h"

#include "domain/tensor_type.h"
#include "report/json_unknown.h"
#include "report/quantity.h"

#include <ctype.h>

void pl_json_parts(struct pl_json *j, const char *key, const struct pl_quantity part[PL_PARTS])
{
    pl_json_object(j, key);
    for (int i = 0; i < PL_PARTS; i++)
        pl_json_quantity(j, pl_part_name((enum pl_part)i), part[i]);
    pl_json_end(j);
}

static void pl_json_pool(struct pl_json *j, const struct pl_pool_footprint *p)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "pool", p->pool);
    pl_json_str(j, "kind", pl_pool_kind_name(p->kind));
    pl_json_parts(j, "parts", p->part);
    pl_json_object(j, "held");
    for (int i = 0; i < PL_HOLDS; i++)
        pl_json_quantity(j, pl_hold_name((enum pl_hold)i), p->hold[i]);
    pl_json_end(j);
    pl_json_quantity(j, "steady", p->steady);
    pl_json_quantity(j, "peak", p->peak);
    pl_json_quantity(j, "load_peak", p->load_peak);
    pl_json_quantity(j, "largest_allocation", p->largest_allocation);
    pl_json_end(j);
}

void pl_json_pools(struct pl_json *j, const char *key, const struct pl_footprint *f)
{
    pl_json_array(j, key);
    for (uint32_t i = 0; i < f->n_pool; i++)
        pl_json_pool(j, &f->pool[i]);
    pl_json_end(j);
}

/* In lower case, as the engine's -ctk and -ctv take it. */
static void pl_json_type(struct pl_json *j, const char *key, uint32_t id)
{
    const struct pl_tensor_type *t = pl_tensor_type(id);
    char name[32] = "";
    for (size_t i = 0; t != NULL && t->name[i] != '\0' && i + 1 < sizeof(name); i++)
        name[i] = (char)tolower((unsigned char)t->name[i]);
    pl_json_word(j, key, name);
}

void pl_json_resolved(struct pl_json *j, const char *key, const struct pl_resolved *s)
{
    pl_json_object(j, key);
    pl_json_count(j, "n_ctx", s->n_ctx);
    pl_json_count(j, "n_ctx_per_slot", s->n_ctx_seq);
    pl_json_count(j, "n_parallel", s->n_seq);
    pl_json_count(j, "n_stream", s->n_stream);
    pl_json_bool(j, "kv_unified", s->kv_unified);
    pl_json_count(j, "n_batch", s->n_batch);
    pl_json_count(j, "n_ubatch", s->n_ubatch);
    pl_json_count(j, "n_outputs", s->n_outputs);
    pl_json_type(j, "type_k", s->type_k);
    pl_json_type(j, "type_v", s->type_v);
    pl_json_bool(j, "flash_attn", s->flash_attn);
    pl_json_u64(j, "n_gpu_layers", s->n_gpu_layers);
    pl_json_str(j, "load_mode", pl_load_mode_name(s->load_mode));
    pl_json_bool(j, "repack", s->repack);
    if (s->prompt_cache_unlimited)
        pl_json_null(j, "cache_ram_bytes");
    else
        pl_json_u64(j, "cache_ram_bytes", s->prompt_cache_bytes);
    pl_json_count(j, "n_threads", s->n_threads);
    pl_json_end(j);
}
