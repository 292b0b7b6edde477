/* compute_bytes MODEL [engine flags]: bytes of the compute buffer by our graph, with as many rows
 * of logits as llama-fit-params assumes (the whole logical batch; the server needs one per slot).
 */
#include "engine/llamacpp/graph_dense.h"
#include "engine/llamacpp/settings.h"
#include "model/open.h"

#include <inttypes.h>
#include <stdio.h>

static int fail(const struct pl_err *err)
{
    (void)fprintf(stderr, "%s\n", err->what);
    return 1;
}

int main(int argc, char **argv)
{
    struct pl_settings s;
    struct pl_geometry g;
    struct pl_resolved r;
    struct pl_model *m = NULL;
    struct pl_err err = {0};
    uint64_t bytes = 0;
    pl_llamacpp_defaults(&s);
    if (argc < 2 || pl_model_open(argv[1], &m, &err) < 0)
        return fail(&err);
    for (int i = 2; i < argc;) {
        int used = pl_llamacpp_flag(&s, argc - i, argv + i, &err);
        if (used <= 0)
            return fail(&err);
        i += used;
    }
    if (pl_llamacpp_geometry(m, &g, &err) < 0 || pl_llamacpp_resolve(&s, &g, &r, &err) < 0)
        return fail(&err);
    if (!pl_graph_dense_bytes(&g, &r, r.n_batch, &bytes))
        return 1;
    (void)printf("%" PRIu64 "\n", bytes);
    (void)pl_model_free(m);
    return 0;
}
