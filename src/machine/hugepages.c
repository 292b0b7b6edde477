#include "machine/hugepages.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>

/* "hugepages-2048kB" to bytes. */
static bool pl_huge_name(const char *name, uint64_t *ret)
{
    static const char head[] = "hugepages-";
    char digits[24];
    uint64_t kb = 0;
    if (!pl_starts(name, head) || !pl_ends(name, "kB"))
        return false;
    (void)PL_FMT(digits, "%.22s", name + sizeof(head) - 1);
    for (char *s = digits; *s != '\0'; s++) {
        if (!isdigit((unsigned char)*s)) {
            *s = '\0';
            break;
        }
    }
    return pl_parse_u64(digits, &kb) && kb > 0 && pl_mul_u64(kb, 1024, ret);
}

/* Adds one size in its place; false when the sums overflow or there are too many. */
static bool pl_huge_add(struct pl_hugepages *h, const struct pl_huge_size *one)
{
    uint64_t bytes = 0, spare = 0;
    if (h->n_size == PL_HUGE_SIZES_MAX || one->free > one->pages ||
        !pl_mul_u64(one->page, one->pages, &bytes) || !pl_mul_u64(one->page, one->free, &spare) ||
        !pl_add_u64(h->bytes, bytes, &h->bytes) ||
        !pl_add_u64(h->free_bytes, spare, &h->free_bytes))
        return false;
    uint32_t at = h->n_size++;
    for (; at > 0 && h->size[at - 1].page > one->page; at--)
        h->size[at] = h->size[at - 1];
    h->size[at] = *one;
    return true;
}

bool pl_hugepages_read(const struct pl_root *root, const char *dir, struct pl_hugepages *ret)
{
    DIR *d = NULL;
    bool ok = true;
    *ret = (struct pl_hugepages){0};
    if (pl_root_open_dir(root, dir, &d, NULL) < 0)
        return false;
    for (const struct dirent *e; ok && (e = readdir(d)) != NULL;) {
        struct pl_huge_size one;
        char path[256];
        if (!pl_huge_name(e->d_name, &one.page))
            continue;
        ok = PL_FMT(path, "%s/%.60s/nr_hugepages", dir, e->d_name) &&
             pl_read_u64(root, path, &one.pages, NULL) == 0 &&
             PL_FMT(path, "%s/%.60s/free_hugepages", dir, e->d_name) &&
             pl_read_u64(root, path, &one.free, NULL) == 0 && pl_huge_add(ret, &one);
    }
    (void)closedir(d);
    return ok;
}
