/* What a killed writer leaves: with random weights, gigabytes that nobody would look for. */
#include "base/str.h"
#include "model/ghost.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PL_SWEEP_AGE_S 60 /* far longer than a writer takes from making its file to locking it */

static bool pl_sweep_name(const char *name)
{
    return strncmp(name, ".plimsoll-", strlen(".plimsoll-")) == 0 && pl_ends(name, ".part");
}

/* The lock goes with the process that held it, however it ended. Where locks do not work nothing is
 * removed. */
static bool pl_sweep_one(int dir, const char *name)
{
    struct stat st;
    struct flock mine = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool gone = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
                st.st_mtime < time(NULL) - PL_SWEEP_AGE_S && fcntl(fd, F_OFD_SETLK, &mine) == 0 &&
                unlinkat(dir, name, 0) == 0;
    (void)close(fd);
    return gone;
}

unsigned pl_ghost_sweep(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += pl_sweep_name(e->d_name) && pl_sweep_one(dirfd(d), e->d_name) ? 1 : 0;
    (void)closedir(d);
    return n;
}
