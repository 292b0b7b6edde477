#include "domain/run.h"

#include "base/str.h"

static const char *const pl_run_status_names[] = {"ok", "failed", "refused", "interrupted"};
static const char *const pl_load_mode_names[] = {"auto",  "none",       "mmap",
                                                 "mlock", "mmap+mlock", "dio"};

const char *pl_run_status_name(enum pl_run_status status)
{
    return pl_run_status_names[status];
}

enum pl_run_status pl_run_status_of(const char *name)
{
    for (int i = 0; i <= PL_RUN_INTERRUPTED; i++) {
        if (pl_streq(name, pl_run_status_names[i]))
            return (enum pl_run_status)i;
    }
    return PL_RUN_FAILED;
}

const char *pl_load_mode_name(enum pl_load_mode mode)
{
    return pl_load_mode_names[mode];
}

enum pl_load_mode pl_load_mode_of(const char *name)
{
    for (int i = 0; i <= PL_LOAD_DIO; i++) {
        if (pl_streq(name, pl_load_mode_names[i]))
            return (enum pl_load_mode)i;
    }
    return PL_LOAD_AUTO;
}

bool pl_sample_taken(const struct pl_sample *s)
{
    return s->at_ns != 0 || s->rss_anon != 0 || s->rss_shmem != 0 || s->rss_file != 0 ||
           s->swap != 0 || s->locked != 0;
}
