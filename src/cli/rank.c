#include "cli/rank.h"

#include "model/quality.h"

#include <stddef.h>
#include <string.h>

struct pl_rank pl_rank_of(const struct pl_catalogue_row *row, struct pl_rate decode)
{
    double score = 0;
    return (struct pl_rank){
        .row = row,
        .slow = decode.source != PL_SOURCE_UNKNOWN && decode.likely < PL_RANK_DECODE,
        .score = pl_quality_common(row->id, &score) != NULL ? score : 0,
    };
}

int pl_rank_compare(const struct pl_rank *a, const struct pl_rank *b)
{
    const struct pl_catalogue_row *x = a->row, *y = b->row;
    int c = a->slow - b->slow;
    c = c != 0 ? c : (a->score < b->score) - (a->score > b->score);
    c = c != 0 ? c : (x->offered < y->offered) - (x->offered > y->offered);
    if (c == 0)
        c = strcmp(y->released != NULL ? y->released : "", x->released != NULL ? x->released : "");
    c = c != 0 ? c : (x->params_total < y->params_total) - (x->params_total > y->params_total);
    return c != 0 ? c : strcmp(x->id, y->id);
}
