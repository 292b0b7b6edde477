/* Split models: NAME-00001-of-00003.gguf and its brothers. The first part holds the keys; each
 * holds some of the tensors. Source: llama.cpp, src/llama-model-loader.cpp and llama_split_path. */
#include "base/str.h"
#include "model/gguf_in.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PL_GGUF_PART_SUFFIX "-%05" PRIu64 "-of-%05" PRIu64 ".gguf"

/* Length of what stands before "-00001-of-00003.gguf"; false when path does not end so. */
static bool pl_split_stem(const char *path, uint64_t no, uint64_t count, size_t *ret)
{
    char suffix[48];
    (void)PL_FMT(suffix, PL_GGUF_PART_SUFFIX, no + 1, count);
    if (!pl_ends(path, suffix))
        return false;
    *ret = strlen(path) - strlen(suffix);
    return true;
}

const char *pl_gguf_part_path(struct pl_arena *a, const char *path, uint64_t no, uint64_t count,
                              uint64_t want)
{
    char other[48];
    size_t stem = 0;
    (void)PL_FMT(other, PL_GGUF_PART_SUFFIX, want + 1, count);
    if (!pl_split_stem(path, no, count, &stem))
        return NULL;
    size_t tail = strlen(other);
    char *s = pl_arena_alloc(a, stem + tail + 1, 1);
    if (s == NULL)
        return NULL;
    memcpy(s, path, stem);
    memcpy(s + stem, other, tail + 1);
    return s;
}

bool pl_gguf_part_of(const char *path, uint64_t *ret_no, uint64_t *ret_count)
{
    char no[6] = "", count[6] = "";
    size_t n = strlen(path);
    const char *s = n > 20 ? path + n - 20 : "";
    if (s[0] != '-' || strncmp(s + 6, "-of-", 4) != 0 || !pl_ends(path, ".gguf"))
        return false;
    memcpy(no, s + 1, 5);
    memcpy(count, s + 10, 5);
    return pl_parse_u64(no, ret_no) && pl_parse_u64(count, ret_count) && *ret_no > 0 &&
           *ret_no <= *ret_count && *ret_count <= PL_SPLITS_MAX;
}

static int pl_split_bad(struct pl_err *err, const char *path, int rc)
{
    pl_err_at(err, path, 0, 0);
    return rc;
}

static int pl_split_check(const struct pl_gguf_part *given, const struct pl_gguf_part *part,
                          uint64_t no, struct pl_err *err)
{
    int rc = 0;
    if (part->split_count != given->split_count)
        rc = pl_gguf_bad(err, "says it is one of %" PRIu64 " parts, its brother says %" PRIu64,
                         part->split_count, given->split_count);
    else if (part->split_no != no)
        rc = pl_gguf_bad(err, "says it is part %" PRIu64 ", its name says %" PRIu64,
                         part->split_no + 1, no + 1);
    else if (part->split_tensors != given->split_tensors)
        rc = pl_gguf_bad(err, "says the model has %" PRIu64 " tensors, its brother says %" PRIu64,
                         part->split_tensors, given->split_tensors);
    else if (part->big_endian != given->big_endian)
        rc = pl_gguf_bad(err, "its byte order is not its brother's");
    return rc < 0 ? pl_split_bad(err, part->path, rc) : 0;
}

static int pl_split_given(const struct pl_gguf_part *given, struct pl_err *err)
{
    uint64_t no = given->split_no, count = given->split_count;
    size_t stem = 0;
    if (count > PL_SPLITS_MAX)
        return pl_gguf_bad(err, "split.count: %" PRIu64 " parts (at most %d)", count,
                           PL_SPLITS_MAX);
    if (no >= count)
        return pl_gguf_bad(err, "split.no: part %" PRIu64 " of %" PRIu64, no + 1, count);
    if (pl_split_stem(given->path, no, count, &stem))
        return 0;
    (void)pl_gguf_bad(err, "is part %" PRIu64 " of %" PRIu64 " of a split model, but not named so",
                      no + 1, count);
    (void)pl_hint(err, "name the parts NAME" PL_GGUF_PART_SUFFIX " and so on", no + 1, count);
    return -EBADMSG;
}

int pl_gguf_read_others(const struct pl_opener *opener, const struct pl_gguf_part *given,
                        uint8_t *window, struct pl_arena *a, struct pl_gguf_part *all,
                        struct pl_err *err)
{
    uint64_t count = given->split_count;
    int rc = pl_split_given(given, err);
    for (uint64_t no = 0; no < count && rc == 0; no++) {
        if (no == given->split_no) {
            all[no] = *given;
            continue;
        }
        const char *path = pl_gguf_part_path(a, given->path, given->split_no, count, no);
        if (path == NULL) {
            rc = pl_gguf_no_memory(a, strlen(given->path), 1, err);
            break;
        }
        rc = pl_gguf_read_part(opener, path, window, a, &all[no], err);
        if (rc == -ENOENT)
            (void)pl_hint(err, "part %" PRIu64 " of %" PRIu64 " of the model is missing", no + 1,
                          count);
        if (rc == 0)
            rc = pl_split_check(given, &all[no], no, err);
    }
    return rc;
}
