/* Memory slots: which there are, what is in them. */
#include "base/str.h"
#include "machine/dimm.h"
#include "machine/probes.h"
#include "sys/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_SLOTS_TEXT_MAX 16384

static const char *const pl_dimm_why[] = {
    [PL_DIMM_NOBODY] = "",
    [PL_DIMM_FIRMWARE] = "the firmware's SMBIOS table",
    [PL_DIMM_UDEV] = "the firmware's SMBIOS table, as udev kept it",
    [PL_DIMM_CONTROLLERS] = "the memory controllers' driver (EDAC)",
};

/* "FROM SEEN", then a line a slot: "slot|kind|bytes or -|speed". The table itself is never
 * recorded: it holds serial numbers. */
static void pl_slots_text(const struct pl_slots *s, enum pl_dimm_source from, struct pl_str *out)
{
    pl_str_addf(out, "%d %u\n", (int)from, s->seen);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pl_dimm *d = &s->dimm[i];
        char slot[sizeof(d->slot)];
        (void)PL_FMT(slot, "%s", d->slot);
        for (char *c = slot; (c = strchr(c, '|')) != NULL;)
            *c = '/';
        pl_str_addf(out, "%s|%s|", slot, d->kind);
        if (pl_known(d->bytes))
            pl_str_addf(out, "%llu", (unsigned long long)d->bytes.likely);
        else
            pl_str_add(out, "-");
        pl_str_addf(out, "|%u\n", d->mt_per_s);
    }
}

static int pl_ask_slots(const void *ctx, char *out, size_t size)
{
    struct pl_root plain = *(const struct pl_root *)ctx;
    struct pl_slots *s = calloc(1, sizeof(*s));
    enum pl_dimm_source from;
    struct pl_str text;
    plain.tape = NULL;
    pl_str_init(&text, size);
    int rc = s != NULL ? pl_dimm_read(&plain, s, &from) : -ENOMEM;
    if (rc == 0)
        pl_slots_text(s, from, &text);
    if (rc == 0)
        rc = text.failed || !pl_fmt(out, size, "%s", pl_str_get(&text)) ? -E2BIG : 0;
    pl_str_done(&text);
    free(s);
    return rc;
}

/* The next field of a line, ended; NULL when there is none. */
static char *pl_slots_field(char **at)
{
    char *field = *at, *end = field != NULL ? strpbrk(field, "|") : NULL;
    *at = end != NULL ? end + 1 : NULL;
    if (end != NULL)
        *end = '\0';
    return field;
}

static bool pl_slots_line(char *line, const char *why, struct pl_dimm *ret)
{
    char *at = line;
    const char *slot = pl_slots_field(&at), *kind = pl_slots_field(&at);
    const char *bytes = pl_slots_field(&at), *speed = pl_slots_field(&at);
    uint64_t n = 0, mt = 0;
    if (speed == NULL || !pl_parse_u64(speed, &mt) || mt > UINT32_MAX)
        return false;
    *ret = (struct pl_dimm){.mt_per_s = (uint32_t)mt};
    (void)PL_FMT(ret->slot, "%s", slot);
    (void)PL_FMT(ret->kind, "%s", kind);
    pl_text_clean(ret->slot);
    pl_text_clean(ret->kind);
    ret->bytes = PL_QUANTITY_UNKNOWN("the size of the module is not known");
    if (pl_parse_u64(bytes, &n))
        ret->bytes = pl_exact(n, PL_SOURCE_DECLARED, why);
    return true;
}

/* The inverse of pl_slots_text: a capture may be damaged. */
static int pl_slots_parse(char *text, struct pl_machine *m, enum pl_dimm_source *ret_from,
                          uint32_t *ret_seen)
{
    char *save = NULL;
    char *line = strtok_r(text, "\n", &save);
    uint64_t from = 0, seen = 0;
    char *gap = line != NULL ? strchr(line, ' ') : NULL;
    if (gap == NULL)
        return -EBADMSG;
    *gap = '\0';
    if (!pl_parse_u64(line, &from) || from > PL_DIMM_CONTROLLERS || from == 0 ||
        !pl_parse_u64(gap + 1, &seen) || seen > UINT32_MAX)
        return -EBADMSG;
    while ((line = strtok_r(NULL, "\n", &save)) != NULL && m->n_dimm < PL_DIMMS_MAX) {
        if (!pl_slots_line(line, pl_dimm_why[from], &m->dimm[m->n_dimm]))
            return -EBADMSG;
        m->n_dimm++;
    }
    *ret_from = (enum pl_dimm_source)from;
    *ret_seen = (uint32_t)seen;
    return 0;
}

static struct pl_quantity pl_dimm_unknown(const struct pl_root *root, int rc)
{
    if (rc == -EACCES || rc == -EPERM)
        return PL_UNREAD(PL_STATE_NO_PERMISSION,
                         "needs root: the firmware's table is for root only");
    if (rc != -ENOENT)
        return PL_QUANTITY_UNKNOWN("the firmware's table is damaged or cannot be read");
    if (!pl_root_is_whole(root))
        return PL_QUANTITY_UNKNOWN("the dump does not hold the firmware's table");
    return PL_UNREAD(PL_STATE_UNSUPPORTED, "the firmware gives no table of memory slots");
}

static struct pl_quantity pl_dimm_sum(const struct pl_machine *m, enum pl_dimm_source from)
{
    struct pl_quantity sum = pl_exact(0, PL_SOURCE_DECLARED, "sum of the modules");
    for (uint32_t i = 0; i < m->n_dimm; i++)
        sum = pl_plus(sum, m->dimm[i].bytes);
    if (pl_known(sum) && from == PL_DIMM_CONTROLLERS)
        sum.why = "sum of the modules the memory controllers show; empty slots are not known";
    return sum;
}

static int pl_dimm_run(const struct pl_probe_input *in, struct pl_machine *m, struct pl_err *err)
{
    char *text = malloc(PL_SLOTS_TEXT_MAX);
    enum pl_dimm_source from = PL_DIMM_NOBODY;
    uint32_t seen = 0;
    (void)err;
    int rc = text == NULL ? -ENOMEM
                          : pl_live(in->root, "memory.slots", pl_ask_slots, in->root, text,
                                    PL_SLOTS_TEXT_MAX);
    if (rc == -ENODATA) /* a dump: its files */
        rc = pl_ask_slots(in->root, text, PL_SLOTS_TEXT_MAX);
    if (rc == 0)
        rc = pl_slots_parse(text, m, &from, &seen);
    free(text);
    if (rc < 0) {
        m->n_dimm = 0;
        m->dimm_total = pl_dimm_unknown(in->root, rc);
        return 0;
    }
    m->dimm_total = pl_dimm_sum(m, from);
    if (seen > m->n_dimm) {
        pl_machine_note(m, "%u memory slots: the first %u are shown", seen, m->n_dimm);
        m->dimm_total = PL_QUANTITY_UNKNOWN("not all slots are shown");
    }
    return 0;
}

const struct pl_probe pl_probe_dimm = {
    .name = "dimm",
    .reads = "/sys/firmware/dmi (root only), /run/udev/data/+dmi:id, /sys/devices/system/edac/mc",
    .matters = "whether memory can be added, and how fast it runs",
    .beside = true,
    .run = pl_dimm_run,
};
