#include "machine/cpu_cpuid.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#define PL_OSXSAVE (1u << 27) /* leaf 1, ECX: Intel SDM volume 2A, CPUID */

#if defined(__x86_64__) || defined(__i386__)
bool pl_cpuid_live(struct pl_cpuid *ret)
{
    ret->n_row = 0;
    ret->leaves = __get_cpuid_max(0, NULL);
    ret->live = ret->leaves > 0;
    return ret->live;
}

/* In a virtual machine each CPUID is a trap of microseconds: which leaves there are is not asked
 * again for each of them. */
static bool pl_cpuid_here(const struct pl_cpuid *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    if (leaf >= 0x80000000u)
        return __get_cpuid_count(leaf, sub, &out[0], &out[1], &out[2], &out[3]) != 0;
    if (leaf > c->leaves)
        return false;
    __cpuid_count(leaf, sub, out[0], out[1], out[2], out[3]);
    return true;
}

static uint64_t pl_xgetbv(void)
{
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}
#else
bool pl_cpuid_live(struct pl_cpuid *ret)
{
    ret->n_row = ret->leaves = 0;
    ret->live = false;
    return false;
}

static bool pl_cpuid_here(const struct pl_cpuid *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    (void)c;
    (void)leaf;
    (void)sub;
    (void)out;
    return false;
}

static uint64_t pl_xgetbv(void)
{
    return 0;
}
#endif

/* The next number of at most 8 hexadecimal digits, or false. */
static bool pl_hex(const char **s, uint32_t *ret)
{
    uint32_t n = 0;
    int digits = 0;
    *s += strspn(*s, " \t");
    for (; isxdigit((unsigned char)**s); (*s)++, digits++) {
        int c = tolower((unsigned char)**s);
        n = n << 4 | (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *ret = n;
    return digits > 0 && digits <= 8;
}

static bool pl_cpuid_row(const char *s, struct pl_cpuid_row *ret)
{
    bool ok = pl_hex(&s, &ret->mask) && ret->mask <= 15;
    for (int i = 0; ok && i < 4; i++)
        ok = pl_hex(&s, &ret->in[i]);
    s += strspn(s, " \t");
    if (!ok || !pl_starts(s, "=>"))
        return false;
    s += 2;
    for (int i = 0; ok && i < 4; i++)
        ok = pl_hex(&s, &ret->out[i]);
    return ok && s[strspn(s, " \t\r")] == '\0';
}

bool pl_cpuid_line(const char *line, struct pl_cpuid *ret)
{
    if (ret->n_row == PL_CPUID_ROWS_MAX || !pl_cpuid_row(line, &ret->row[ret->n_row]))
        return false;
    ret->n_row++;
    return true;
}

bool pl_cpuid_dump(const struct pl_root *root, uint32_t n, struct pl_cpuid *ret)
{
    struct pl_lines lines;
    char path[32];
    ret->live = false;
    ret->n_row = 0;
    (void)PL_FMT(path, "cpuid/pu%u", n);
    if (pl_lines_open(root, path, &lines, NULL) < 0)
        return false;
    for (const char *line; (line = pl_lines_next(&lines)) != NULL;)
        (void)pl_cpuid_line(line, ret);
    return pl_lines_close(&lines) == 0 && ret->n_row > 0;
}

bool pl_cpuid_ask(const struct pl_cpuid *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    const uint32_t in[4] = {leaf, 0, sub, 0};
    if (c->live)
        return pl_cpuid_here(c, leaf, sub, out);
    for (uint32_t i = 0; i < c->n_row; i++) {
        const struct pl_cpuid_row *r = &c->row[i];
        bool same = true;
        for (int k = 0; k < 4; k++)
            same = same && ((r->mask >> k & 1) == 0 || r->in[k] == in[k]);
        if (same) {
            memcpy(out, r->out, sizeof(r->out));
            return true;
        }
    }
    return false;
}

/* A dump cannot run XGETBV. Leaf 0xD says the states there are (EAX), the bytes that those switched
 * on need (EBX), and, in its sub-leaf N, size (EAX) and place (EBX) of state N. x87 and SSE, bits 0
 * and 1, lie in the first 576 bytes. */
static uint64_t pl_xcr0_of_dump(const struct pl_cpuid *c)
{
    uint32_t all[4], one[4];
    uint64_t states = 3;
    if (!pl_cpuid_ask(c, 0xd, 0, all))
        return 0;
    for (uint32_t bit = 2; bit < 32; bit++) {
        if ((all[PL_EAX] >> bit & 1) != 0 && pl_cpuid_ask(c, 0xd, bit, one) && one[PL_EAX] > 0 &&
            (uint64_t)one[PL_EAX] + one[PL_EBX] <= all[PL_EBX])
            states |= 1ull << bit;
    }
    return states;
}

uint64_t pl_cpuid_xcr0(const struct pl_cpuid *c)
{
    uint32_t r[4];
    if (!pl_cpuid_ask(c, 1, 0, r) || (r[PL_ECX] & PL_OSXSAVE) == 0)
        return 0;
    return c->live ? pl_xgetbv() : pl_xcr0_of_dump(c);
}

void pl_cpuid_model(const struct pl_cpuid *c, char *out, size_t size)
{
    char text[49] = "", tidy[49];
    size_t n = 0;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t r[4];
        if (!pl_cpuid_ask(c, 0x80000002u + i, 0, r))
            break;
        for (uint32_t k = 0; k < 16; k++)
            text[i * 16 + k] = (char)(r[k / 4] >> (k % 4 * 8) & 0xff);
        text[i * 16 + 16] = '\0';
    }
    for (const char *s = text; *s != '\0'; s++) {
        if (*s != ' ' || (n > 0 && tidy[n - 1] != ' '))
            tidy[n++] = *s;
    }
    while (n > 0 && tidy[n - 1] == ' ')
        n--;
    tidy[n] = '\0';
    (void)pl_fmt(out, size, "%s", tidy);
    pl_text_clean(out);
}
