/* A folder of its own for each test of the ledger, and ledgers in it. Include after test.h. */
#ifndef PL_TESTS_UNIT_LEDGER_FIXTURE_H
#define PL_TESTS_UNIT_LEDGER_FIXTURE_H

#include "ledger/ledger.h"
#include "run_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_HERE 256

/* A folder of its own for each test, named in *state. */
static inline int folder_make(void **state)
{
    static char folder[PATH_MAX_HERE];
    const char *tmp = getenv("TMPDIR");
    (void)PL_FMT(folder, "%s/plimsoll-ledger-XXXXXX", tmp != NULL ? tmp : "/tmp");
    *state = mkdtemp(folder);
    return *state == NULL;
}

static inline void folder_empty(const char *folder)
{
    DIR *d = opendir(folder);
    if (d == NULL)
        return;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char path[PATH_MAX_HERE * 2];
        (void)PL_FMT(path, "%s/%s", folder, e->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
}

static inline int folder_remove(void **state)
{
    char deep[PATH_MAX_HERE];
    (void)PL_FMT(deep, "%s/a/b", (char *)*state);
    folder_empty(deep);
    (void)rmdir(deep);
    (void)PL_FMT(deep, "%s/a", (char *)*state);
    (void)rmdir(deep);
    (void)chmod(*state, 0700);
    folder_empty(*state);
    (void)rmdir(*state);
    return 0;
}

static inline const char *path_in(const char *folder, const char *name)
{
    static char path[4][PATH_MAX_HERE];
    static int at;
    at = (at + 1) % 4;
    (void)PL_FMT(path[at], "%s/%s", folder, name);
    return path[at];
}

static inline struct pl_ledger *must_open(const char *path, enum pl_ledger_mode mode)
{
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    if (pl_ledger_open(path, mode, &l, &err) < 0)
        fail_msg("open %s: %s", path, err.what);
    return l;
}

static inline int64_t must_add(struct pl_ledger *l, struct pl_run *run)
{
    struct pl_err err = {0};
    if (pl_ledger_add_run(l, run, &err) < 0)
        fail_msg("add: %s", err.what);
    return run->id;
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)

#endif
