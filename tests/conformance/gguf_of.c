/* Writes a GGUF file from a description on stdin: keys and a tensor table, and a hole for the data.
 * A test tool: projectors with the geometry of real ones, without their weights.
 *
 *     str KEY TEXT | u32 KEY N | bool KEY 0|1 | f32 KEY X | f32s KEY X,X,X | i32s KEY N,N
 *     tensor NAME TYPE NE0[,NE1...]        %d in NAME: one for each layer of the last "layers N"
 *     layers N
 */
#include "base/arena.h"
#include "base/str.h"
#include "domain/tensor_type.h"
#include "model/gguf_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PL_TENSORS_MAX 8192
#define PL_LINE_MAX 4096
#define PL_NAMES_MAX (1u << 20)
#define PL_ALIGNMENT 32u

enum {
    PL_KIND_U32 = 4,
    PL_KIND_I32 = 5,
    PL_KIND_F32 = 6,
    PL_KIND_BOOL = 7,
    PL_KIND_STR = 8,
    PL_KIND_ARRAY = 9
};

struct pl_made {
    struct pl_gguf_out keys; /* counted in memory: a temporary file */
    uint64_t n_key, n_tensor;
    struct pl_tensor *tensor;
    uint64_t layers;
    struct pl_arena arena; /* of the names */
};

static int pl_made_bad(const char *line)
{
    (void)fprintf(stderr, "gguf_of: cannot read: %s\n", line);
    return -EINVAL;
}

static void pl_put_f32(struct pl_gguf_out *o, const char *text)
{
    float v = strtof(text, NULL);
    pl_gguf_put(o, &v, sizeof(v));
}

static void pl_made_array(struct pl_gguf_out *o, const char *list, bool real)
{
    uint64_t n = 1;
    for (const char *p = list; *p != '\0'; p++)
        n += *p == ',';
    pl_gguf_put_u32(o, PL_KIND_ARRAY);
    pl_gguf_put_u32(o, real ? PL_KIND_F32 : PL_KIND_I32);
    pl_gguf_put_u64(o, n);
    for (const char *p = list; p != NULL;) {
        if (real)
            pl_put_f32(o, p);
        else
            pl_gguf_put_u32(o, (uint32_t)strtol(p, NULL, 10));
        p = strchr(p, ',');
        p = p != NULL ? p + 1 : NULL;
    }
}

static int pl_made_key(struct pl_made *m, const char *kind, const char *key, const char *value)
{
    struct pl_gguf_out *o = &m->keys;
    pl_gguf_put_str(o, key, strlen(key));
    m->n_key++;
    if (pl_streq(kind, "str")) {
        pl_gguf_put_u32(o, PL_KIND_STR);
        pl_gguf_put_str(o, value, strlen(value));
    } else if (pl_streq(kind, "u32")) {
        pl_gguf_put_u32(o, PL_KIND_U32);
        pl_gguf_put_u32(o, (uint32_t)strtoul(value, NULL, 10));
    } else if (pl_streq(kind, "f32")) {
        pl_gguf_put_u32(o, PL_KIND_F32);
        pl_put_f32(o, value);
    } else if (pl_streq(kind, "bool")) {
        uint8_t yes = value[0] == '1';
        pl_gguf_put_u32(o, PL_KIND_BOOL);
        pl_gguf_put(o, &yes, 1);
    } else if (pl_streq(kind, "f32s") || pl_streq(kind, "i32s")) {
        pl_made_array(o, value, kind[0] == 'f');
    } else {
        return pl_made_bad(kind);
    }
    return 0;
}

static int pl_made_tensor(struct pl_made *m, const char *name, const char *type, const char *ne)
{
    struct pl_tensor t = {
        .n_dims = 0, .ne = {1, 1, 1, 1}
    };
    const struct pl_tensor_type *known = pl_tensor_type_named(type);
    if (known == NULL || m->n_tensor == PL_TENSORS_MAX)
        return pl_made_bad(name);
    t.type = known->id;
    uint64_t elements = 1;
    for (const char *p = ne; p != NULL && t.n_dims < 4; t.n_dims++) {
        t.ne[t.n_dims] = strtoull(p, NULL, 10);
        elements *= t.ne[t.n_dims];
        p = strchr(p, ',');
        p = p != NULL ? p + 1 : NULL;
    }
    t.bytes = elements / known->block_elements * known->block_bytes;
    t.name = pl_arena_strdup(&m->arena, name);
    m->tensor[m->n_tensor++] = t;
    return t.name == NULL ? -ENOMEM : 0;
}

static int pl_made_tensors(struct pl_made *m, const char *name, const char *type, const char *ne)
{
    char one[128];
    const char *mark = strstr(name, "%d");
    if (mark == NULL)
        return pl_made_tensor(m, name, type, ne);
    int rc = 0;
    for (uint64_t il = 0; il < m->layers && rc == 0; il++) {
        (void)PL_FMT(one, "%.*s%u%s", (int)(mark - name), name, (unsigned)il, mark + 2);
        rc = pl_made_tensor(m, one, type, ne);
    }
    return rc;
}

static int pl_made_line(struct pl_made *m, char *line)
{
    char *rest = NULL;
    const char *word = strtok_r(line, " \n", &rest);
    if (word == NULL || word[0] == '#')
        return 0;
    const char *a = strtok_r(NULL, " \n", &rest), *b = strtok_r(NULL, " \n", &rest);
    if (a == NULL)
        return pl_made_bad(word);
    if (pl_streq(word, "layers")) {
        m->layers = strtoull(a, NULL, 10);
        return 0;
    }
    const char *c = strtok_r(NULL, " \n", &rest);
    if (pl_streq(word, "tensor"))
        return b != NULL && c != NULL ? pl_made_tensors(m, a, b, c) : pl_made_bad(a);
    return b != NULL ? pl_made_key(m, word, a, b) : pl_made_bad(a);
}

/* Head, the keys as they were collected, the tensor table, and the file's length. */
static int pl_made_write(struct pl_made *m, int keys, const char *path, struct pl_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct pl_gguf_out out;
    uint64_t data = 0;
    char buffer[4096];
    if (fd < 0 || pl_gguf_out_init(&out, fd, err) < 0)
        return -EIO;
    int rc = pl_gguf_lay_out(m->tensor, m->n_tensor, PL_ALIGNMENT, &data, err);
    pl_gguf_put_head(&out, m->n_tensor, m->n_key);
    (void)lseek(keys, 0, SEEK_SET);
    for (ssize_t n = read(keys, buffer, sizeof(buffer)); n > 0;
         n = read(keys, buffer, sizeof(buffer)))
        pl_gguf_put(&out, buffer, (size_t)n);
    for (uint64_t i = 0; i < m->n_tensor; i++)
        pl_gguf_put_info(&out, &m->tensor[i]);
    pl_gguf_put_zeros(&out, (PL_ALIGNMENT - out.at % PL_ALIGNMENT) % PL_ALIGNMENT);
    if (rc == 0)
        rc = pl_gguf_out_flush(&out);
    if (rc == 0 && ftruncate(fd, (off_t)(out.at + data)) < 0)
        rc = -errno;
    pl_gguf_out_done(&out);
    (void)close(fd);
    return rc;
}

int main(int argc, char **argv)
{
    struct pl_made m = {.tensor = calloc(PL_TENSORS_MAX, sizeof(struct pl_tensor))};
    struct pl_err err = {0};
    static char line[PL_LINE_MAX];
    FILE *keys = tmpfile();
    pl_arena_init(&m.arena, PL_NAMES_MAX);
    int rc = argc == 2 && m.tensor != NULL && keys != NULL ? 0 : -EINVAL;
    if (rc == 0)
        rc = pl_gguf_out_init(&m.keys, fileno(keys), &err);
    while (rc == 0 && fgets(line, sizeof(line), stdin) != NULL)
        rc = pl_made_line(&m, line);
    if (rc == 0)
        rc = pl_gguf_out_flush(&m.keys);
    if (rc == 0)
        rc = pl_made_write(&m, fileno(keys), argv[1], &err);
    pl_arena_done(&m.arena);
    free(m.tensor);
    pl_gguf_out_done(&m.keys);
    if (keys != NULL)
        (void)fclose(keys);
    if (rc < 0)
        (void)fprintf(stderr, "gguf_of: %s\n", err.what[0] != '\0' ? err.what : strerror(-rc));
    return rc < 0 ? 1 : 0;
}
