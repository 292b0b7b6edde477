#include "ledger/sqlite_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define PL_SQLITE_OLDEST 3037000 /* STRICT tables */

#define PL_FUNCTION(name)                                                                          \
    {                                                                                              \
        "sqlite3_" #name, offsetof(sqlite3_api_routines, name)                                     \
    }

static const struct {
    const char *name;
    size_t at; /* in the table */
} pl_functions[] = {
    PL_FUNCTION(backup_finish),
    PL_FUNCTION(backup_init),
    PL_FUNCTION(backup_step),
    PL_FUNCTION(bind_double),
    PL_FUNCTION(bind_int),
    PL_FUNCTION(bind_int64),
    PL_FUNCTION(bind_null),
    PL_FUNCTION(bind_parameter_count),
    PL_FUNCTION(bind_text),
    PL_FUNCTION(busy_timeout),
    PL_FUNCTION(clear_bindings),
    PL_FUNCTION(close),
    PL_FUNCTION(column_double),
    PL_FUNCTION(column_int),
    PL_FUNCTION(column_int64),
    PL_FUNCTION(column_text),
    PL_FUNCTION(column_type),
    PL_FUNCTION(db_config),
    PL_FUNCTION(db_readonly),
    PL_FUNCTION(errmsg),
    PL_FUNCTION(errstr),
    PL_FUNCTION(exec),
    PL_FUNCTION(extended_errcode),
    PL_FUNCTION(extended_result_codes),
    PL_FUNCTION(file_control),
    PL_FUNCTION(finalize),
    PL_FUNCTION(last_insert_rowid),
    PL_FUNCTION(libversion_number),
    PL_FUNCTION(open_v2),
    PL_FUNCTION(prepare_v2),
    PL_FUNCTION(prepare_v3),
    PL_FUNCTION(reset),
    PL_FUNCTION(step),
    PL_FUNCTION(system_errno),
};

const sqlite3_api_routines *pl_sqlite;

/* Symbols into function pointers: POSIX guarantees the representation, ISO C no cast. */
static bool pl_sqlite_symbols(void *lib, sqlite3_api_routines *table)
{
    for (size_t i = 0; i < sizeof(pl_functions) / sizeof(pl_functions[0]); i++) {
        void *p = dlsym(lib, pl_functions[i].name);
        if (p == NULL)
            return false;
        memcpy((unsigned char *)table + pl_functions[i].at, &p, sizeof(p));
    }
    return table->libversion_number() >= PL_SQLITE_OLDEST;
}

int pl_sqlite_load(struct pl_err *err)
{
    static sqlite3_api_routines table;
    if (pl_sqlite != NULL)
        return 0;
    void *lib = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (lib != NULL && pl_sqlite_symbols(lib, &table)) {
        pl_sqlite = &table;
        return 0;
    }
    if (lib != NULL)
        (void)dlclose(lib);
    (void)pl_fail(err, -ENOSYS, "SQLite, which keeps the ledger: %s",
                  lib != NULL ? "older than 3.37, or broken" : "not installed");
    (void)pl_hint(err, "on Debian and Ubuntu: apt install libsqlite3-0; --no-ledger does without");
    return pl_exit_as(err, -ENOSYS, PL_EXIT_ENVIRONMENT);
}
