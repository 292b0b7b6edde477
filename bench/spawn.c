/* Starts a program and says what it cost: for the benchmarks, which alternate the programs they
 * compare.
 *
 *     spawn PROGRAM ARGUMENTS...   ->   "WALL_US CPU_US PEAK_KIB STATUS" on one line
 *
 * Wall time runs from before the start to after the end, the program's loader and libraries
 * included; CPU time is user and system. The peak is ru_maxrss, which the kernel begins with the
 * resident memory of the process that starts the program: hence this small one instead of a shell
 * or a script. Its own size bounds the error; `spawn --self` prints it, in KiB. The program reads
 * and writes nothing (/dev/null). */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static long long us_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static long long us_of(struct timeval t)
{
    return (long long)t.tv_sec * 1000000 + t.tv_usec;
}

static int print_self(void)
{
    struct rusage self;
    (void)getrusage(RUSAGE_SELF, &self);
    (void)printf("%ld\n", self.ru_maxrss);
    return 0;
}

extern char **environ;

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--self") == 0)
        return print_self();
    if (argc < 2) {
        (void)fputs("usage: spawn PROGRAM [ARGUMENT...] | --self\n", stderr);
        return 2;
    }
    posix_spawn_file_actions_t null;
    int rc = posix_spawn_file_actions_init(&null);
    for (int fd = 0; fd <= 2 && rc == 0; fd++)
        rc = posix_spawn_file_actions_addopen(&null, fd, "/dev/null", O_RDWR, 0);
    pid_t child = -1;
    long long began = us_now();
    if (rc == 0)
        rc = posix_spawn(&child, argv[1], &null, NULL, argv + 1, environ);
    if (rc != 0) {
        (void)fprintf(stderr, "spawn: %s: %s\n", argv[1], strerror(rc));
        return 4;
    }
    int status = 0;
    struct rusage used;
    while (wait4(child, &status, 0, &used) < 0) {
        if (errno != EINTR)
            return 4;
    }
    long long wall = us_now() - began;
    (void)printf("%lld %lld %ld %d\n", wall, us_of(used.ru_utime) + us_of(used.ru_stime),
                 used.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}
