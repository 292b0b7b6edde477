#include "base/str.h"
#include "machine/jetson.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define PL_JETSON_TEXT_MAX 1024 /* of a property of the device tree */

/* Two places for the same tree; a dump may hold only one. */
static bool pl_jetson_property(const struct pl_root *root, const char *name,
                               char out[PL_JETSON_TEXT_MAX], size_t *ret_len)
{
    static const char *const folder[] = {"proc/device-tree", "sys/firmware/devicetree/base"};
    for (size_t i = 0; i < sizeof(folder) / sizeof(folder[0]); i++) {
        char path[96];
        (void)PL_FMT(path, "%s/%s", folder[i], name);
        if (pl_read_text(root, path, out, PL_JETSON_TEXT_MAX, ret_len, NULL) == 0)
            return true;
    }
    return false;
}

/* "p3767-0000" at s. */
static bool pl_jetson_is_part(const char *s)
{
    static const char form[] = "pdddd-dddd";
    for (size_t i = 0; form[i] != '\0'; i++) {
        bool ok = form[i] == 'd' ? isdigit((unsigned char)s[i]) != 0 : s[i] == form[i];
        if (!ok)
            return false;
    }
    return true;
}

/* "nvidia,p3768-0000+p3767-0000-super", "nvidia,p3767-0000", "nvidia,tegra234": the carrier board
 * comes before the module, so the last part number is the module's. */
void pl_jetson_compatible(const char *data, size_t len, struct pl_jetson *ret)
{
    static const char tegra[] = "nvidia,tegra";
    for (size_t at = 0; at < len;) {
        const char *one = data + at;
        size_t n = strnlen(one, len - at);
        char word[128];
        if (n < sizeof(word)) {
            memcpy(word, one, n);
            word[n] = '\0';
            pl_text_clean(word);
            for (const char *s = word; *s != '\0'; s++) {
                if (pl_jetson_is_part(s))
                    (void)PL_FMT(ret->part, "%.10s", s);
            }
            if (pl_starts(word, tegra))
                (void)PL_FMT(ret->chip, "%s", word + strlen("nvidia,"));
        }
        at += n + 1;
    }
}

/* A run of digits after text in line. */
static bool pl_jetson_after(const char *line, const char *text, const char *allowed, char *out,
                            size_t size)
{
    const char *s = strstr(line, text);
    if (s == NULL)
        return false;
    s += strlen(text);
    size_t n = strspn(s, allowed);
    if (n == 0 || n >= size)
        return false;
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

bool pl_jetson_release(const char *line, char *out, size_t size)
{
    char major[8], minor[16];
    return pl_jetson_after(line, "# R", "0123456789", major, sizeof(major)) &&
           pl_jetson_after(line, "REVISION: ", "0123456789.", minor, sizeof(minor)) &&
           pl_fmt(out, size, "L4T %s.%s", major, minor);
}

bool pl_jetson_mode_line(const char *line, uint64_t id, char *out, size_t size)
{
    char digits[24];
    uint64_t n = 0;
    while (isspace((unsigned char)*line))
        line++;
    if (*line != '<' || strstr(line, "POWER_MODEL") == NULL ||
        !pl_jetson_after(line, " ID=", "0123456789", digits, sizeof(digits)) ||
        !pl_parse_u64(digits, &n) || n != id)
        return false;
    const char *s = strstr(line, " NAME=");
    size_t len = s != NULL ? strcspn(s + strlen(" NAME="), " \t>") : 0;
    return len > 0 && len < size && pl_fmt(out, size, "%.*s", (int)len, s + strlen(" NAME="));
}

/* /var/lib/nvpmodel/status is "pmode:0002 fmode:quiet"; the names are in the table of the board. */
static void pl_jetson_mode(const struct pl_root *root, struct pl_jetson *j)
{
    char text[PL_PATH_TEXT_MAX], digits[24];
    struct pl_lines lines;
    uint64_t id = 0;
    if (pl_read_line(root, "var/lib/nvpmodel/status", text, sizeof(text), NULL) < 0 ||
        !pl_jetson_after(text, "pmode:", "0123456789", digits, sizeof(digits)) ||
        !pl_parse_u64(digits, &id))
        return;
    (void)PL_FMT(j->mode, "mode %u", (unsigned)(id & 0xffff));
    int rc = pl_lines_open(root, "etc/nvpmodel.conf", &lines, NULL);
    if (rc < 0 &&
        pl_read_line(root, "var/lib/nvpmodel/conf_file_path", text, sizeof(text), NULL) == 0)
        rc = pl_lines_open(root, text + strspn(text, "/"), &lines, NULL);
    if (rc < 0)
        return;
    for (char *line; (line = pl_lines_next(&lines)) != NULL;) {
        if (pl_jetson_mode_line(line, id, j->mode, sizeof(j->mode)))
            break;
    }
    (void)pl_lines_close(&lines);
    pl_text_clean(j->mode);
}

bool pl_jetson_read(const struct pl_root *root, struct pl_jetson *ret)
{
    char text[PL_JETSON_TEXT_MAX];
    size_t len = 0;
    *ret = (struct pl_jetson){.model = ""};
    if (!pl_jetson_property(root, "compatible", text, &len))
        return false;
    pl_jetson_compatible(text, len, ret);
    if (ret->chip[0] == '\0')
        return false;
    if (pl_jetson_property(root, "model", text, &len)) {
        (void)PL_FMT(ret->model, "%s", text);
        pl_text_clean(ret->model);
    }
    if (pl_read_line(root, "etc/nv_tegra_release", text, sizeof(text), NULL) == 0)
        (void)pl_jetson_release(text, ret->release, sizeof(ret->release));
    pl_jetson_mode(root, ret);
    return true;
}
