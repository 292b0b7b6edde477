/* Nothing that happens to the file, the disk or the writer makes the ledger lie or lose. Real
 * processes, real signals, real limits. */
#define SQLITE_CORE 1 /* the test links SQLite and calls it itself: no table (sqlite3ext.h) */
#include "test.h"

#include "ledger/migrate.h"
#include "ledger_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define AMOUNTS_OF_A_RUN (2 * (PL_PARTS + PL_HOLDS + 4)) /* fixture_run has two pools */
#define FILE_MAX_HERE (8u << 20)

static struct pl_run run; /* too large for the stack of every test */

/* The one integer of a query, straight from the file; -1 when it fails. */
static int64_t ask(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *s = NULL;
    int64_t n = -1;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return n;
}

static void tell(const char *path, const char *sql, bool checkpoint)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, checkpoint ? 0 : 1, NULL);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

/* Sound, and every run with all its parts; returns how many runs. */
static int64_t sound_runs(const char *path)
{
    assert_int_equal(
        ask(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    assert_int_equal(ask(path, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    char sql[400];
    (void)PL_FMT(sql,
                 "SELECT count(*) FROM runs WHERE (SELECT count(*) FROM pools WHERE run_id = id)"
                 " <> 2 OR (SELECT count(*) FROM amounts WHERE run_id = id) <> %d",
                 AMOUNTS_OF_A_RUN);
    assert_int_equal(ask(path, sql), 0);
    return ask(path, "SELECT count(*) FROM runs");
}

struct bytes {
    unsigned char *data;
    size_t len;
};

static struct bytes slurp(const char *path)
{
    struct bytes b = {.data = malloc(FILE_MAX_HERE)};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (b.data == NULL || fd < 0)
        fail_msg("cannot read %s", path);
    ssize_t n = read(fd, b.data, FILE_MAX_HERE);
    (void)close(fd);
    b.len = n > 0 ? (size_t)n : 0;
    return b;
}

static void spill(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        fail_msg("cannot write %s", path);
    (void)close(fd);
}

static void still_the_same(const char *path, struct bytes *before)
{
    struct bytes now = slurp(path);
    assert_int_equal(now.len, before->len);
    assert_memory_equal(now.data, before->data, now.len);
    free(now.data);
    free(before->data);
    before->data = NULL;
}

static void make_ledger(const char *path, int runs)
{
    struct pl_ledger *l = must_open(path, PL_LEDGER_WRITE);
    for (int i = 0; i < runs; i++) {
        fixture_run(&run, (uint64_t)i + 1);
        (void)must_add(l, &run);
    }
    (void)pl_ledger_close(l);
}

static void refused(const char *path, enum pl_ledger_mode mode, int code)
{
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    int status = pl_ledger_open(path, mode, &l, &err);
    (void)pl_ledger_close(l);
    if (status != code)
        fail_msg("%s: %d instead of %d: %s", path, status, code, err.what);
    assert_true(err.what[0] != '\0' && strchr(err.what, '\n') == NULL);
    assert_string_equal(err.file, path);
}

static int count(void *ctx, const struct pl_run *r)
{
    (void)r;
    ++*(int *)ctx;
    return 0;
}

/* Opens and reads everything; 0, or the first error. */
static int read_all(const char *path, int *ret_runs, struct pl_err *err)
{
    struct pl_ledger *l = NULL;
    struct pl_ledger_filter all = {0};
    *ret_runs = 0;
    int status = pl_ledger_open(path, PL_LEDGER_READ, &l, err);
    if (status == 0)
        status = pl_ledger_runs(l, &all, count, ret_runs, err);
    (void)pl_ledger_close(l);
    return status;
}

/* Adds n runs as a process of its own; its exit status is 0 or the errno. */
static pid_t start_writer(const char *path, int n)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct pl_ledger *l = NULL;
    int status = pl_ledger_open(path, PL_LEDGER_WRITE, &l, NULL);
    for (int i = 0; status == 0 && i < n; i++) {
        fixture_run(&run, (uint64_t)i + 1);
        status = pl_ledger_add_run(l, &run, NULL);
    }
    (void)pl_ledger_close(l);
    _exit(-status);
}

static int status_of(pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void two_writers_lose_nothing(void **state)
{
    const char *path = path_in(*state, "ledger.db"); /* not there yet: they also race to make it */
    pid_t a = start_writer(path, 200), b = start_writer(path, 200);
    assert_int_equal(status_of(a), 0);
    assert_int_equal(status_of(b), 0);
    assert_int_equal(sound_runs(path), 400);
}

/* Several at once on a file that is not there yet: one makes it, none takes it for a foreign one.
 */
static void many_makers_agree(void **state)
{
    for (int round = 0; round < 60; round++) {
        char name[32];
        pid_t pid[4];
        (void)PL_FMT(name, "race-%d.db", round);
        const char *path = path_in(*state, name);
        for (int k = 0; k < 4; k++)
            pid[k] = start_writer(path, 0);
        for (int k = 0; k < 4; k++)
            assert_int_equal(status_of(pid[k]), 0);
    }
}

/* Writes for ever; after each run its id goes into the pipe. */
static pid_t start_endless(const char *path, int ids)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct pl_ledger *l = NULL;
    if (pl_ledger_open(path, PL_LEDGER_WRITE, &l, NULL) < 0)
        _exit(1);
    for (uint64_t i = 1;; i++) {
        fixture_run(&run, i);
        if (pl_ledger_add_run(l, &run, NULL) < 0 ||
            write(ids, &run.id, sizeof(run.id)) != (ssize_t)sizeof(run.id))
            _exit(2);
        if (i % 16 == 0) { /* closing and opening may be hit too */
            l = pl_ledger_close(l);
            if (pl_ledger_open(path, PL_LEDGER_WRITE, &l, NULL) < 0)
                _exit(3);
        }
    }
}

static void a_killed_writer_leaves_whole_runs(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    int64_t acknowledged = 0;
    uint64_t seed = (uint64_t)getpid();
    for (int i = 0; i < 60; i++) {
        int ids[2];
        assert_int_equal(pipe(ids), 0);
        pid_t pid = start_endless(path, ids[1]);
        (void)close(ids[1]);
        /* Every third writer is let live until it has stored a run, however slow the machine. */
        if (i % 3 == 0 && read(ids[0], &acknowledged, sizeof(acknowledged)) < 0)
            fail_msg("the writer is gone");
        struct timespec wait = {.tv_nsec = (long)(fixture_next(&seed) % 25000000)};
        (void)nanosleep(&wait, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(status_of(pid), 1000 + SIGKILL);
        for (int64_t id; read(ids[0], &id, sizeof(id)) == (ssize_t)sizeof(id);)
            acknowledged = id;
        (void)close(ids[0]);
        int n = 0;
        struct pl_err err = {0};
        if (read_all(path, &n, &err) < 0)
            fail_msg("after kill %d: %s", i, err.what);
        if (access(path, F_OK) == 0 && n > 0)
            assert_int_equal(sound_runs(path), n);
        assert_true(n >= acknowledged); /* nothing that was reported as stored is gone */
    }
    assert_true(acknowledged > 0);
    print_message("# %lld runs stored under 60 kills\n", (long long)acknowledged);
}

static void a_newer_ledger_is_left_alone(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    make_ledger(path, 3);
    tell(path, "PRAGMA user_version = 99", true);
    struct bytes before = slurp(path);
    refused(path, PL_LEDGER_READ, -ENOTSUP);
    refused(path, PL_LEDGER_WRITE, -ENOTSUP);
    still_the_same(path, &before);
}

static void a_newer_ledger_in_its_wal_is_left_alone(void **state)
{
    const char *path = path_in(*state, "ledger.db"), *wal = path_in(*state, "ledger.db-wal");
    make_ledger(path, 3);
    tell(path, "PRAGMA user_version = 99", false);
    struct bytes before = slurp(path), before_wal = slurp(wal);
    assert_true(before_wal.len > 0);
    refused(path, PL_LEDGER_READ, -ENOTSUP);
    refused(path, PL_LEDGER_WRITE, -ENOTSUP);
    still_the_same(path, &before);
    still_the_same(wal, &before_wal);
}

static void what_is_no_ledger_is_left_alone(void **state)
{
    static const char text[] = "SQLite format 3 is not what this is; it is a text that goes on for "
                               "more than a hundred bytes, so that its header can be read.";
    const char *path = path_in(*state, "file");
    const size_t lengths[] = {1, 16, 99, sizeof(text)};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        spill(path, text, lengths[i]);
        struct bytes before = slurp(path);
        refused(path, PL_LEDGER_READ, -EBADMSG);
        refused(path, PL_LEDGER_WRITE, -EBADMSG);
        still_the_same(path, &before);
    }
    static const char *const others[] = {
        "CREATE TABLE moz_places (id INTEGER)",
        "CREATE TABLE moz_places (id INTEGER); PRAGMA user_version = 53",
        "CREATE TABLE runs (id INTEGER); PRAGMA user_version = 1",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)unlink(path);
        tell(path, others[i], true);
        struct bytes before = slurp(path);
        refused(path, PL_LEDGER_READ, -EBADMSG);
        refused(path, PL_LEDGER_WRITE, -EBADMSG);
        still_the_same(path, &before);
    }
    refused(*state, PL_LEDGER_READ, -EINVAL);
    refused(*state, PL_LEDGER_WRITE, -EINVAL);
}

static void a_damaged_ledger_is_an_error(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    make_ledger(path, 40);
    struct bytes whole = slurp(path);
    const size_t lengths[] = {100,          512, 4095, 4096, 8192, whole.len / 2, whole.len - 4096,
                              whole.len - 1};
    int n = 0;
    struct pl_err err;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        spill(path, whole.data, lengths[i]);
        memset(&err, 0, sizeof(err));
        int status = read_all(path, &n, &err);
        if (status == 0 && n == 40)
            continue; /* only unused bytes at the very end are gone */
        if (status != -EBADMSG)
            fail_msg("cut to %zu: %d (%s), %d runs", lengths[i], status, err.what, n);
        assert_int_equal(err.exit_code, PL_EXIT_USAGE);
    }
    /* damage inside: an error or other values, never a crash, an endless loop or a leak */
    uint64_t seed = 1;
    for (int i = 0; i < 150; i++) {
        unsigned char *copy = malloc(whole.len);
        assert_non_null(copy);
        memcpy(copy, whole.data, whole.len);
        for (int k = 0; k < 20; k++)
            copy[100 + fixture_next(&seed) % (whole.len - 100)] ^=
                (unsigned char)(1u << fixture_next(&seed) % 8);
        spill(path, copy, whole.len);
        free(copy);
        memset(&err, 0, sizeof(err));
        if (read_all(path, &n, &err) < 0)
            assert_true(err.what[0] != '\0');
        struct pl_ledger *l = NULL;
        if (pl_ledger_open(path, PL_LEDGER_WRITE, &l, &err) == 0) {
            fixture_run(&run, 1);
            (void)pl_ledger_add_run(l, &run, &err);
        }
        (void)pl_ledger_close(l);
        (void)unlink(path_in(*state, "ledger.db-wal"));
        (void)unlink(path_in(*state, "ledger.db-shm"));
    }
    free(whole.data);
}

/* Runs a check as somebody whom permission bits bind. Returns its exit status; -1 when this process
 * can be nobody else. */
static int as_nobody(int (*check)(const char *folder), const char *folder)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
            _exit(200);
        _exit(check(folder));
    }
    int status = status_of(pid);
    return status == 200 ? -1 : status;
}

static int read_only_check(const char *folder)
{
    const char *path = path_in(folder, "ledger.db");
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    int n = 0;
    if (read_all(path, &n, &err) < 0 || n != 3) {
        print_message("# reading: %s\n", err.what);
        return 1;
    }
    int status = pl_ledger_open(path, PL_LEDGER_WRITE, &l, &err);
    (void)pl_ledger_close(l);
    if (status != -EROFS || err.exit_code != PL_EXIT_ENVIRONMENT) {
        print_message("# writing: %d %s\n", status, err.what);
        return 2;
    }
    status = pl_ledger_open(path_in(folder, "new.db"), PL_LEDGER_WRITE, &l, &err);
    return status == (access(folder, W_OK) == 0 ? 0 : -EACCES) ? 0 : 3;
}

static int unreadable_check(const char *folder)
{
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    int status = pl_ledger_open(path_in(folder, "ledger.db"), PL_LEDGER_READ, &l, &err);
    (void)pl_ledger_close(l);
    return status == -EACCES && err.exit_code == PL_EXIT_ENVIRONMENT ? 0 : 1;
}

static void a_read_only_ledger_can_be_read(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    make_ledger(path, 3);
    const mode_t folders[] = {0555, 0777};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(chmod(path, 0444), 0);
        assert_int_equal(chmod(*state, folders[i]), 0);
        int status = as_nobody(read_only_check, *state);
        if (status < 0) {
            print_message(
                "# this process can be nobody else, and permission bits do not bind it\n");
            skip();
        }
        assert_int_equal(status, 0);
    }
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(as_nobody(unreadable_check, *state), 0);
}

/* Stores runs until something gives; the errno in the low byte of the exit status. */
static int fill_up(const char *path)
{
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    int status = pl_ledger_open(path, PL_LEDGER_WRITE, &l, &err);
    for (uint64_t i = 1; status == 0 && i < 5000; i++) {
        fixture_run(&run, i);
        run.id = 0;
        status = pl_ledger_add_run(l, &run, &err);
        if (status < 0 && run.id != 0)
            status = -1; /* an id for a run that is not there */
    }
    (void)pl_ledger_close(l);
    if (status != -ENOSPC)
        print_message("# %d: %s\n", status, err.what);
    return -status;
}

static int fill_up_limited(const char *path, rlim_t bytes)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {bytes, bytes};
        (void)signal(SIGXFSZ, SIG_IGN);
        _exit(setrlimit(RLIMIT_FSIZE, &limit) < 0 ? 99 : fill_up(path));
    }
    return status_of(pid);
}

static void a_file_limit_loses_nothing(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    const rlim_t fresh[] = {0, 100, 4096, 20000, 32768, 40000, 65536};
    for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++) {
        assert_int_equal(fill_up_limited(path, fresh[i]), ENOSPC);
        int n = 0;
        struct pl_err err = {0};
        if (read_all(path, &n, &err) < 0)
            fail_msg("after a limit of %llu: %s", (unsigned long long)fresh[i], err.what);
    }
    assert_int_equal(fill_up_limited(path, 400000), ENOSPC);
    int64_t before = sound_runs(path);
    assert_true(before > 0);
    make_ledger(path, 2);
    assert_int_equal(sound_runs(path), before + 2);
}

/* In a mount namespace of its own: a disk of 512 KiB at `folder`. 77 when that is not allowed. */
static int full_disk_child(const char *folder)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", folder, "tmpfs", 0, "size=512k") < 0)
        return 77;
    const char *path = path_in(folder, "ledger.db");
    if (fill_up(path) != ENOSPC)
        return 1;
    int n = 0;
    struct pl_err err = {0};
    if (read_all(path, &n, &err) < 0 || n == 0) {
        print_message("# %s\n", err.what);
        return 2;
    }
    if (mount("none", folder, "tmpfs", MS_REMOUNT, "size=4m") < 0)
        return 0;
    make_ledger(path, 1);
    return sound_runs(path) == n + 1 ? 0 : 3;
}

static void a_full_disk_loses_nothing(void **state)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(full_disk_child(*state));
    int status = status_of(pid);
    if (status == 77) {
        print_message("# no right to mount a small disk\n");
        skip();
    }
    assert_int_equal(status, 0);
}

/* Version 2 as a test has it. */
static const char step_3[] = "ALTER TABLE runs ADD COLUMN weather TEXT;"
                             "UPDATE runs SET weather = 'fine'";

static int backups(const char *folder, char *ret_path)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (!pl_starts(e->d_name, "ledger.db.backup-v2-20"))
            continue;
        n++;
        (void)pl_fmt(ret_path, PATH_MAX_HERE, "%s/%s", folder, e->d_name);
    }
    (void)closedir(d);
    return n;
}

static void a_migration_keeps_a_copy(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    const struct pl_migration history[] = {
        pl_migrations[0], pl_migrations[1], {3, step_3},
          {0, NULL  }
    };
    const struct pl_migration broken[] = {
        pl_migrations[0], pl_migrations[1], {3, "DROP TABLE amounts; SELECT nonsense"},
          {0, NULL                                 }
    };
    char copy[PATH_MAX_HERE] = "";
    struct pl_ledger *l = NULL;
    struct pl_err err = {0};
    make_ledger(path, 5);
    assert_int_equal(backups(*state, copy), 0);

    assert_int_equal(pl_ledger_open_history(path, PL_LEDGER_WRITE, broken, &l, &err), -EIO);
    assert_int_equal(sound_runs(path), 5);
    assert_int_equal(ask(path, "PRAGMA user_version"), 2);
    assert_int_equal(backups(*state, copy), 1);
    (void)unlink(copy);

    assert_int_equal(pl_ledger_open_history(path, PL_LEDGER_READ, history, &l, &err), 0);
    l = pl_ledger_close(l);
    assert_int_equal(ask(path, "PRAGMA user_version"), 3);
    assert_int_equal(ask(path, "SELECT count(*) FROM runs WHERE weather = 'fine'"), 5);
    assert_int_equal(backups(*state, copy), 1);
    struct stat st;
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(ask(copy, "PRAGMA user_version"), 2);
    assert_int_equal(sound_runs(copy), 5);
    int n = 0;
    assert_int_equal(read_all(copy, &n, &err), 0); /* the copy is a ledger */
    assert_int_equal(n, 5);

    assert_int_equal(pl_ledger_open_history(path, PL_LEDGER_WRITE, history, &l, &err), 0);
    l = pl_ledger_close(l);
    assert_int_equal(backups(*state, copy), 1); /* done is done */
    refused(path, PL_LEDGER_WRITE, -ENOTSUP);   /* and too new for this program now */
}

static void a_migration_without_a_copy_does_not_happen(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    const struct pl_migration history[] = {
        pl_migrations[0], pl_migrations[1], {3, step_3},
          {0, NULL  }
    };
    make_ledger(path, 40);
    pid_t pid = fork();
    if (pid == 0) {
        struct pl_ledger *l = NULL;
        struct pl_err err = {0};
        struct rlimit limit = {50000, 50000}; /* the copy is larger */
        (void)signal(SIGXFSZ, SIG_IGN);
        (void)setrlimit(RLIMIT_FSIZE, &limit);
        _exit(-pl_ledger_open_history(path, PL_LEDGER_WRITE, history, &l, &err));
    }
    assert_int_equal(status_of(pid), ENOSPC);
    char copy[PATH_MAX_HERE];
    assert_int_equal(backups(*state, copy), 0);
    assert_int_equal(ask(path, "PRAGMA user_version"), 2);
    assert_int_equal(sound_runs(path), 40);
}

static void an_empty_file_becomes_a_ledger(void **state)
{
    const char *path = path_in(*state, "ledger.db");
    char copy[PATH_MAX_HERE];
    int n = 1;
    struct pl_err err = {0};
    spill(path, "", 0);
    assert_int_equal(read_all(path, &n, &err), 0);
    assert_int_equal(n, 0);
    make_ledger(path, 1);
    assert_int_equal(sound_runs(path), 1);
    /* a database without anything in it, as a killed first start leaves it */
    (void)unlink(path);
    tell(path, "PRAGMA journal_mode = WAL", true);
    assert_true(ask(path, "PRAGMA user_version") == 0);
    assert_int_equal(read_all(path, &n, &err), 0);
    make_ledger(path, 1);
    assert_int_equal(sound_runs(path), 1);
    assert_int_equal(backups(*state, copy), 0); /* there was nothing to keep */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(two_writers_lose_nothing),
        IN_FOLDER(many_makers_agree),
        IN_FOLDER(a_killed_writer_leaves_whole_runs),
        IN_FOLDER(a_newer_ledger_is_left_alone),
        IN_FOLDER(a_newer_ledger_in_its_wal_is_left_alone),
        IN_FOLDER(what_is_no_ledger_is_left_alone),
        IN_FOLDER(a_damaged_ledger_is_an_error),
        IN_FOLDER(a_read_only_ledger_can_be_read),
        IN_FOLDER(a_file_limit_loses_nothing),
        IN_FOLDER(a_full_disk_loses_nothing),
        IN_FOLDER(a_migration_keeps_a_copy),
        IN_FOLDER(a_migration_without_a_copy_does_not_happen),
        IN_FOLDER(an_empty_file_becomes_a_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
