/* Runs a fuzz harness over files, and over the files of folders, as a test: TAP on stdout. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PL_REPLAY_MAX (16u << 20) /* bytes of one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned pl_replayed;

static void pl_replay_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    pl_replayed++;
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(PL_REPLAY_MAX);
    size_t n = f != NULL && data != NULL ? fread(data, 1, PL_REPLAY_MAX, f) : 0;
    if (f == NULL || data == NULL || ferror(f)) {
        printf("not ok %u - %s: cannot read\n", pl_replayed, name);
    } else {
        uint8_t *exact = malloc(n > 0 ? n : 1); /* so that a sanitizer sees reads beyond its end */
        if (exact != NULL) {
            memcpy(exact, data, n);
            (void)LLVMFuzzerTestOneInput(exact, n);
        }
        printf("%s %u - %s\n", exact != NULL ? "ok" : "not ok", pl_replayed, name);
        free(exact);
    }
    if (f != NULL)
        (void)fclose(f);
    free(data);
}

static int pl_replay_folder(const char *path)
{
    struct dirent **entry = NULL;
    int n = scandir(path, &entry, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[4096];
        if (entry[i]->d_name[0] != '.' &&
            snprintf(file, sizeof(file), "%s/%s", path, entry[i]->d_name) < (int)sizeof(file))
            pl_replay_file(file);
        free(entry[i]);
    }
    free(entry);
    return n;
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* a crash leaves the name before it */
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) < 0 || (S_ISDIR(st.st_mode) && pl_replay_folder(argv[i]) < 0))
            printf("not ok %u - %s: cannot read\n", ++pl_replayed, argv[i]);
        else if (!S_ISDIR(st.st_mode))
            pl_replay_file(argv[i]);
    }
    printf("1..%u\n", pl_replayed);
    return 0;
}
