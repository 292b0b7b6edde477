#include "machine/tegrastats.h"

#include "base/checked.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* No field of a Jetson comes near: MiB, MHz, per cent and milliwatts alike. */
#define PL_TEGRA_VALUE_MAX 1000000000ll
#define PL_TEGRA_MIB (1ll << 20)
/* A sensor of a part that is switched off says -256 degrees; PMIC's is not wired and says 100. */
#define PL_TEGRA_DEAD_C (-100.0)

/* A whole number at *s, with a sign when it has one; moves *s behind it. */
static bool pl_tegra_int(const char **s, int64_t *ret)
{
    const char *p = *s;
    bool minus = *p == '-';
    int64_t n = 0;
    p += minus ? 1 : 0;
    if (!isdigit((unsigned char)*p))
        return false;
    for (; isdigit((unsigned char)*p); p++) {
        n = n * 10 + (*p - '0');
        if (n > PL_TEGRA_VALUE_MAX)
            return false;
    }
    *ret = minus ? -n : n;
    *s = p;
    return true;
}

static bool pl_tegra_after(const char **s, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*s, text, n) != 0)
        return false;
    *s += n;
    return true;
}

/* A number that is there. */
static bool pl_tegra_number(const char **s, struct pl_tegra_number *ret)
{
    int64_t n = 0;
    if (!pl_tegra_int(s, &n) || n < 0)
        return false;
    *ret = (struct pl_tegra_number){true, n};
    return true;
}

static void pl_tegra_mib(struct pl_tegra_number *n)
{
    n->value *= n->known ? PL_TEGRA_MIB : 1;
}

/* "3456/15388MB" */
static void pl_tegra_pair(const char *s, struct pl_tegra_number *used,
                          struct pl_tegra_number *total)
{
    struct pl_tegra_number a = {0}, b = {0};
    if (!pl_tegra_number(&s, &a) || !pl_tegra_after(&s, "/") || !pl_tegra_number(&s, &b) ||
        !pl_tegra_after(&s, "MB"))
        return;
    pl_tegra_mib(&a);
    pl_tegra_mib(&b);
    *used = a;
    *total = b;
}

/* "20x4MB" */
static void pl_tegra_lfb(const char *s, struct pl_tegrastats *t)
{
    struct pl_tegra_number blocks = {0}, size = {0};
    if (!pl_tegra_number(&s, &blocks) || !pl_tegra_after(&s, "x") || !pl_tegra_number(&s, &size))
        return;
    if (pl_tegra_after(&s, "kB"))
        size.value *= 1024;
    else if (pl_tegra_after(&s, "MB"))
        pl_tegra_mib(&size);
    else
        return;
    t->lfb_blocks = blocks;
    t->lfb_bytes = size;
}

/* "[23%@2201,off,10%@1190]", or "[4%,3%]@408" on R28: one clock for all. */
static void pl_tegra_cpus(const char *s, struct pl_tegrastats *t)
{
    t->n_cpu = 0;
    if (!pl_tegra_after(&s, "["))
        return;
    while (*s != ']' && *s != '\0' && t->n_cpu < PL_TEGRA_CPUS_MAX) {
        struct pl_tegra_cpu c = {0};
        if (pl_tegra_number(&s, &c.load) && pl_tegra_after(&s, "%")) {
            c.online = true;
            if (pl_tegra_after(&s, "@"))
                (void)pl_tegra_number(&s, &c.mhz);
        } else if (!pl_tegra_after(&s, "off")) {
            return;
        }
        t->cpu[t->n_cpu++] = c;
        if (!pl_tegra_after(&s, ","))
            break;
    }
    struct pl_tegra_number mhz = {0};
    if (!pl_tegra_after(&s, "]") || !pl_tegra_after(&s, "@") || !pl_tegra_number(&s, &mhz))
        return;
    for (uint32_t i = 0; i < t->n_cpu; i++) {
        if (t->cpu[i].online && !t->cpu[i].mhz.known)
            t->cpu[i].mhz = mhz;
    }
}

/* "3%@76", "0%", "0%@[510]", "@[1000,1000,1000]" */
static void pl_tegra_gpu(const char *s, struct pl_tegrastats *t)
{
    struct pl_tegra_number load = {0};
    t->gpu_load = (struct pl_tegra_number){0};
    t->n_gpu_mhz = 0;
    if (pl_tegra_number(&s, &load) && pl_tegra_after(&s, "%") && load.value <= 100)
        t->gpu_load = load;
    if (!pl_tegra_after(&s, "@"))
        return;
    bool list = pl_tegra_after(&s, "[");
    do {
        struct pl_tegra_number mhz = {0};
        if (!pl_tegra_number(&s, &mhz))
            return;
        t->gpu_mhz[t->n_gpu_mhz++] = mhz.value;
    } while (list && t->n_gpu_mhz < PL_TEGRA_CLOCKS_MAX && pl_tegra_after(&s, ","));
}

/* "24%@2133", "0%" */
static void pl_tegra_emc(const char *s, struct pl_tegrastats *t)
{
    struct pl_tegra_number load = {0}, mhz = {0};
    if (!pl_tegra_number(&s, &load) || !pl_tegra_after(&s, "%"))
        return;
    t->emc_load = load;
    if (pl_tegra_after(&s, "@") && pl_tegra_number(&s, &mhz))
        t->emc_mhz = mhz;
}

/* "cpu@52.968C/52.968C": the first is now. */
static bool pl_tegra_heat(const char *word, struct pl_tegrastats *t)
{
    const char *s = strchr(word, '@');
    int64_t whole = 0, fraction = 0;
    double scale = 1;
    struct pl_tegra_temp one = {.celsius = 0};
    if (s == NULL || s == word || (size_t)(s - word) >= sizeof(one.name))
        return false;
    memcpy(one.name, word, (size_t)(s - word));
    s++;
    bool minus = *s == '-';
    if (!pl_tegra_int(&s, &whole))
        return false;
    if (pl_tegra_after(&s, ".")) {
        const char *from = s;
        if (!isdigit((unsigned char)*s) || !pl_tegra_int(&s, &fraction))
            return false;
        for (const char *p = from; p < s; p++)
            scale *= 10;
    }
    if (*s != 'C')
        return false;
    double f = (double)fraction / scale;
    one.celsius = (double)whole + (minus ? -f : f);
    pl_text_clean(one.name);
    bool fake = strcasecmp(one.name, "PMIC") == 0;
    if (!fake && one.celsius > PL_TEGRA_DEAD_C && t->n_temp < PL_TEGRA_TEMPS_MAX)
        t->temp[t->n_temp++] = one;
    return true;
}

/* "5139mW/5139mW/5139mW", "3528/3569", "5517mW" after the rail's name. */
static bool pl_tegra_power(const char *name, const char *s, struct pl_tegrastats *t)
{
    struct pl_tegra_rail one = {.now_mw = 0};
    int64_t average = 0;
    if (strlen(name) >= sizeof(one.name) || !pl_tegra_int(&s, &one.now_mw))
        return false;
    bool unit = pl_tegra_after(&s, "mW");
    if (pl_tegra_after(&s, "/") && pl_tegra_int(&s, &average)) {
        one.average_mw = (struct pl_tegra_number){true, average};
        unit = true;
    }
    if (!unit || t->n_rail >= PL_TEGRA_RAILS_MAX)
        return unit;
    (void)PL_FMT(one.name, "%s", name);
    pl_text_clean(one.name);
    t->rail[t->n_rail++] = one;
    return true;
}

/* Rails are named VDD_..., VIN..., POM_5V_..., CV, SOC, GPU, SYS5V: letters first, then a number
 * follows. */
static bool pl_tegra_rail_name(const char *word)
{
    static const char *const others[] = {"CV", "SOC", "GPU", "CPU", "SYS5V", "VIN"};
    if (pl_starts(word, "VDD") || pl_starts(word, "VIN_") || pl_starts(word, "POM_"))
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (pl_streq(word, others[i]))
            return true;
    }
    return false;
}

/* A field that is a word and a value; false when the value must be looked at on its own. */
static bool pl_tegra_field(const char *word, const char *value, struct pl_tegrastats *t)
{
    if (strcasecmp(word, "RAM") == 0)
        pl_tegra_pair(value, &t->ram_used, &t->ram_total);
    else if (strcasecmp(word, "SWAP") == 0)
        pl_tegra_pair(value, &t->swap_used, &t->swap_total);
    else if (pl_streq(word, "(lfb"))
        pl_tegra_lfb(value, t);
    else if (pl_streq(word, "(cached")) {
        struct pl_tegra_number n = {0};
        if (pl_tegra_number(&value, &n) && pl_tegra_after(&value, "MB")) {
            pl_tegra_mib(&n);
            t->swap_cached = n;
        }
    } else if (strcasecmp(word, "CPU") == 0 && value[0] == '[')
        pl_tegra_cpus(value, t);
    else if (pl_streq(word, "EMC_FREQ") || pl_streq(word, "EMC"))
        pl_tegra_emc(value, t);
    else if (pl_streq(word, "GR3D_FREQ") || pl_streq(word, "GR3D"))
        pl_tegra_gpu(value, t);
    else
        return pl_tegra_rail_name(word) && pl_tegra_power(word, value, t);
    return true;
}

bool pl_tegrastats_parse(const char *line, struct pl_tegrastats *ret)
{
    char word[2][512] = {"", ""}; /* the word before, and this one */
    bool taken = true;            /* the word before is a value already */
    *ret = (struct pl_tegrastats){0};
    for (uint32_t i = 0; *line != '\0' && *line != '\n';) {
        while (*line == ' ' || *line == '\t' || *line == '\r')
            line++;
        size_t n = strcspn(line, " \t\r\n");
        if (n == 0)
            continue;
        char *now = word[i % 2];
        size_t kept = n < sizeof(word[0]) ? n : sizeof(word[0]) - 1;
        memcpy(now, line, kept);
        now[kept] = '\0';
        line += n;
        bool value = !taken && pl_tegra_field(word[(i + 1) % 2], now, ret);
        if (!value)
            (void)pl_tegra_heat(now, ret);
        taken = value;
        i++;
    }
    return ret->ram_total.known || ret->n_cpu > 0 || ret->n_temp > 0 || ret->n_rail > 0 ||
           ret->gpu_load.known || ret->n_gpu_mhz > 0 || ret->swap_total.known ||
           ret->emc_load.known;
}

const struct pl_tegra_temp *pl_tegrastats_temp(const struct pl_tegrastats *t, const char *name)
{
    for (uint32_t i = 0; i < t->n_temp; i++) {
        if (strcasecmp(t->temp[i].name, name) == 0)
            return &t->temp[i];
    }
    return NULL;
}
