#include "sys/ustar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PL_BLOCK 512

/* Where the fields are (ustar interchange format, POSIX.1). */
struct pl_ustar_header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100],
        magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};
_Static_assert(sizeof(struct pl_ustar_header) == PL_BLOCK, "a header is one block");

/* The sum of all bytes, those of the checksum counted as blanks. */
static unsigned pl_ustar_sum(const struct pl_ustar_header *h)
{
    const unsigned char *byte = (const unsigned char *)h;
    const size_t from = offsetof(struct pl_ustar_header, checksum);
    unsigned sum = 0;
    for (size_t i = 0; i < PL_BLOCK; i++)
        sum += i >= from && i < from + sizeof(h->checksum) ? ' ' : byte[i];
    return sum;
}

/* Octal digits, blanks before and a blank or NUL after them. */
static bool pl_ustar_octal(const char *field, size_t n, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0, digits = 0;
    while (i < n && field[i] == ' ')
        i++;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        value = value * 8 + (uint64_t)(field[i] - '0'); /* at most 12 digits: 36 bits */
    *ret = value;
    return digits > 0 && (i == n || field[i] == ' ' || field[i] == '\0');
}

/* What a program that packs would have written in front. */
static const char *pl_ustar_packed(const char *data, size_t len)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *name;
    } kind[] = {
        {"\x1f\x8b",         2, "gzip" },
        {"BZh",              3, "bzip2"},
        {"\xfd\x37zXZ",      5, "xz"   },
        {"\x28\xb5\x2f\xfd", 4, "zstd" },
        {"PK\x03\x04",       4, "zip"  },
    };
    for (size_t i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        if (len >= kind[i].n && memcmp(data, kind[i].magic, kind[i].n) == 0)
            return kind[i].name;
    }
    return NULL;
}

static int pl_ustar_no_archive(const struct pl_ustar *in, struct pl_err *err)
{
    const char *packed = in->at == 0 ? pl_ustar_packed(in->data, in->len) : NULL;
    if (packed != NULL) {
        (void)pl_fail(err, -EINVAL, "compressed (%s): only a plain tar archive is read", packed);
        return pl_hint(err, "unpack it first, and name the .tar or the folder");
    }
    if (in->at == 0)
        return pl_fail(err, -EBADMSG, "not a tar archive");
    return pl_fail(err, -EBADMSG, "damaged archive at byte %zu", in->at);
}

/* Takes "./" and the final "/" away, and refuses what leads out. */
static bool pl_ustar_name_ok(char *name)
{
    while (name[0] == '.' && name[1] == '/')
        memmove(name, name + 2, strlen(name + 2) + 1);
    size_t n = strlen(name);
    while (n > 0 && name[n - 1] == '/')
        name[--n] = '\0';
    if (pl_streq(name, "."))
        name[0] = '\0'; /* the folder itself: the caller skips it */
    if (name[0] == '/')
        return false;
    for (const char *s = name; s != NULL; s = strchr(s, '/'), s = s != NULL ? s + 1 : NULL) {
        size_t part = strcspn(s, "/");
        bool dots = (part == 1 && s[0] == '.') || (part == 2 && s[0] == '.' && s[1] == '.');
        if (dots || (part == 0 && name[0] != '\0'))
            return false;
    }
    return true;
}

/* A link may climb no further than the folder of the archive. */
static bool pl_ustar_link_ok(const char *name, const char *target)
{
    int depth = 0;
    for (const char *s = name; (s = strchr(s, '/')) != NULL; s++)
        depth++;
    if (target[0] == '/' || target[0] == '\0')
        return false;
    for (const char *s = target; s != NULL; s = strchr(s, '/'), s = s != NULL ? s + 1 : NULL) {
        size_t part = strcspn(s, "/");
        if (part == 2 && s[0] == '.' && s[1] == '.')
            depth--;
        else if (part > 0 && !(part == 1 && s[0] == '.'))
            depth++;
        if (depth < 0)
            return false;
    }
    return true;
}

static int pl_ustar_kind(const struct pl_ustar_header *h, struct pl_ustar_member *m,
                         struct pl_err *err)
{
    switch (h->type) {
    case '0':
    case '\0':
        m->type = 'f';
        return 0;
    case '5':
        m->type = 'd';
        return 0;
    case '2':
        m->type = 'l';
        (void)PL_FMT(m->target, "%.100s", h->link);
        if (!pl_ustar_link_ok(m->name, m->target))
            return pl_fail(err, -EINVAL, "the link '%.100s' leads out of the archive", m->name);
        return 0;
    case 'x':
    case 'g':
    case 'L':
    case 'K':
        (void)pl_fail(err, -EINVAL, "extended header '%c': only plain ustar is read", h->type);
        return pl_hint(err, "tar --format=ustar writes plain archives");
    default:
        return pl_fail(err, -EINVAL, "'%.100s' is neither a file, a folder nor a symbolic link",
                       m->name);
    }
}

int pl_ustar_next(struct pl_ustar *in, struct pl_ustar_member *ret, struct pl_err *err)
{
    static const char zeroes[PL_BLOCK];
    struct pl_ustar_header h;
    uint64_t sum = 0, size = 0;
    if (in->len > 0 && in->at == in->len && in->members > 0)
        return 0; /* some writers leave the two blocks of zeroes out */
    if (in->len - in->at < PL_BLOCK)
        return pl_ustar_no_archive(in, err);
    memcpy(&h, in->data + in->at, PL_BLOCK);
    if (memcmp(&h, zeroes, PL_BLOCK) == 0 && in->members > 0)
        return 0;
    if (memcmp(h.magic, "ustar", 5) != 0 || !pl_ustar_octal(h.checksum, sizeof(h.checksum), &sum) ||
        sum != pl_ustar_sum(&h))
        return pl_ustar_no_archive(in, err);
    if (++in->members > PL_USTAR_MEMBERS_MAX)
        return pl_fail(err, -E2BIG, "more than %d members", PL_USTAR_MEMBERS_MAX);
    *ret = (struct pl_ustar_member){0};
    /* GNU's old magic "ustar  " has other fields where the prefix is */
    if (h.magic[5] == '\0' && h.prefix[0] != '\0')
        (void)PL_FMT(ret->name, "%.155s/%.100s", h.prefix, h.name);
    else
        (void)PL_FMT(ret->name, "%.100s", h.name);
    if (!pl_ustar_name_ok(ret->name))
        return pl_fail(err, -EINVAL, "the path '%.100s' leads out of the archive", ret->name);
    int rc = pl_ustar_kind(&h, ret, err);
    if (rc < 0)
        return rc;
    in->at += PL_BLOCK;
    if (ret->type == 'f' && !pl_ustar_octal(h.size, sizeof(h.size), &size))
        return pl_ustar_no_archive(in, err);
    uint64_t padded = (size + PL_BLOCK - 1) / PL_BLOCK * PL_BLOCK; /* below 2^37 */
    if (padded > in->len - in->at)
        return pl_fail(err, -EBADMSG, "cut short: '%.100s' is not all there", ret->name);
    ret->data = in->data + in->at;
    ret->len = (size_t)size;
    in->at += (size_t)padded;
    return 1;
}

static bool pl_ustar_split(struct pl_ustar_header *h, const char *name)
{
    size_t n = strlen(name);
    const char *cut = name;
    if (n > sizeof(h->name)) {
        cut = strchr(name + n - sizeof(h->name) - 1, '/');
        if (cut == NULL || (size_t)(cut - name) > sizeof(h->prefix) || cut[1] == '\0')
            return false;
        memcpy(h->prefix, name, (size_t)(cut - name));
        cut++;
    }
    memcpy(h->name, cut, strlen(cut));
    return n > 0;
}

static int pl_ustar_add(struct pl_str *out, const char *name, char type, const void *data,
                        size_t len, int64_t mtime)
{
    struct pl_ustar_header h;
    char number[24];
    memset(&h, 0, sizeof(h));
    if (!pl_ustar_split(&h, name))
        return -ENAMETOOLONG;
    memcpy(h.mode, type == '5' ? "0000755" : "0000644", 8);
    memcpy(h.uid, "0000000", 8);
    memcpy(h.gid, "0000000", 8);
    (void)PL_FMT(number, "%011llo", (unsigned long long)len);
    memcpy(h.size, number, sizeof(h.size));
    (void)PL_FMT(number, "%011llo",
                 (unsigned long long)(mtime > 0 && mtime < 1ll << 33 ? mtime : 0));
    memcpy(h.mtime, number, sizeof(h.mtime));
    h.type = type;
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    (void)PL_FMT(number, "%06o", pl_ustar_sum(&h));
    memcpy(h.checksum, number, 7);
    h.checksum[7] = ' ';
    pl_str_addn(out, (const char *)&h, sizeof(h));
    pl_str_addn(out, data, len);
    static const char zeroes[PL_BLOCK];
    pl_str_addn(out, zeroes, (PL_BLOCK - len % PL_BLOCK) % PL_BLOCK);
    return out->failed ? -E2BIG : 0;
}

int pl_ustar_add_file(struct pl_str *out, const char *name, const void *data, size_t len,
                      int64_t mtime)
{
    return pl_ustar_add(out, name, '0', data, len, mtime);
}

int pl_ustar_add_dir(struct pl_str *out, const char *name, int64_t mtime)
{
    return pl_ustar_add(out, name, '5', "", 0, mtime);
}

void pl_ustar_end(struct pl_str *out)
{
    static const char zeroes[2 * PL_BLOCK];
    pl_str_addn(out, zeroes, sizeof(zeroes));
}
