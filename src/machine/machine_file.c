#include "machine/machine_file.h"

#include "base/json.h"
#include "base/str.h"
#include "base/units.h"
#include "domain/tier.h"
#include "machine/machine_file_impl.h"
#include "sys/file.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define PL_MACHINE_TEXT_MAX (4u * 1024u * 1024u)
#define PL_EXACT_DOUBLE 9007199254740992.0 /* 2^53: above, a double is not every whole number */

static const char pl_from_file[] = "as the machine file says";

int pl_field_bad(const struct pl_field *f, const char *why)
{
    return pl_fail(f->err, -EINVAL, "%s[%zu].%s: %s", f->list, f->index, f->name, why);
}

/* Whole bytes from a number or a text. */
static int pl_bytes_of(pl_jval v, const struct pl_field *f, uint64_t *ret)
{
    double d = 0;
    const char *text = pl_jstr(v, NULL);
    if (pl_ju64(v, ret))
        return 0;
    if (text != NULL) {
        struct pl_err why = {0};
        if (pl_size_parse(text, ret, &why) == 0)
            return 0;
        return pl_field_bad(f, why.what);
    }
    if (!pl_jnum(v, &d))
        return pl_field_bad(f, "not a size");
    if (d < 0)
        return pl_field_bad(f, "a size cannot be negative");
    if (d > PL_EXACT_DOUBLE || d > floor(d))
        return pl_field_bad(f, "a size is a whole number of bytes");
    *ret = (uint64_t)d;
    return 0;
}

/* The source of an object: its word, declared when it has none. */
static int pl_source_in(pl_jval v, const struct pl_field *f, enum pl_source *ret)
{
    const char *word = pl_jstr(pl_jget(v, "source"), "declared");
    *ret = pl_source_of(word);
    if (*ret == PL_SOURCE_UNKNOWN && !pl_streq(word, "unknown"))
        return pl_field_bad(f, "source is not measured, derived, declared, assumed or unknown");
    return 0;
}

const char *pl_unknown_why(enum pl_state state)
{
    static const char *const why[] = {
        [PL_STATE_PLAIN] = "the machine file does not say",
        [PL_STATE_UNSUPPORTED] = "unsupported there, the machine file says",
        [PL_STATE_NO_PERMISSION] = "it was read without permission, the machine file says",
        [PL_STATE_STALE] = "the reading was too old, the machine file says",
        [PL_STATE_ASLEEP] = "the device was asleep, the machine file says",
        [PL_STATE_NOT_ASKED] = "it was not asked for, the machine file says",
    };
    return why[state];
}

int pl_quantity_in(pl_jval v, const struct pl_field *f, struct pl_quantity *ret)
{
    *ret = PL_QUANTITY_UNKNOWN("the machine file does not say");
    if (pl_jis_null(v))
        return 0;
    uint64_t n = 0, low = 0, high = 0;
    pl_jval bytes = pl_jget(v, "bytes");
    bool object = pl_jis_object(v);
    enum pl_state state = pl_state_of(pl_jstr(pl_jget(v, "state"), ""));
    if (object)
        *ret = PL_UNREAD(state, pl_unknown_why(state));
    if (object && pl_jis_null(bytes))
        return 0;
    int rc = pl_bytes_of(object ? bytes : v, f, &n);
    enum pl_source source = PL_SOURCE_DECLARED;
    low = high = n;
    if (rc == 0 && object && !pl_jis_null(pl_jget(v, "low")))
        rc = pl_bytes_of(pl_jget(v, "low"), f, &low);
    if (rc == 0 && object && !pl_jis_null(pl_jget(v, "high")))
        rc = pl_bytes_of(pl_jget(v, "high"), f, &high);
    if (rc == 0 && object)
        rc = pl_source_in(v, f, &source);
    if (rc == 0 && (low > n || high < n))
        rc = pl_field_bad(f, "low, bytes and high are not in order");
    if (rc == 0 && source != PL_SOURCE_UNKNOWN)
        *ret = pl_between(low, n, high, source, pl_from_file);
    ret->state = state; /* also of a known amount: it may be stale */
    return rc;
}

/* A rate is written as a quantity of bytes per second. */
int pl_rate_in(pl_jval v, const struct pl_field *f, struct pl_rate *ret)
{
    struct pl_quantity q;
    int rc = pl_quantity_in(v, f, &q);
    if (rc == 0)
        *ret = (struct pl_rate){(double)q.low, (double)q.likely, (double)q.high,
                                q.source,      q.state,          q.why};
    return rc;
}

static int pl_kind_in(const char *name, pl_jval v, const struct pl_field *f, enum pl_pool_kind *ret)
{
    *ret = pl_streq(name, "ram")       ? PL_POOL_HOST
           : pl_streq(name, "unified") ? PL_POOL_UNIFIED
           : pl_starts(name, "cgroup") ? PL_POOL_CAP
                                       : PL_POOL_DEDICATED;
    if (pl_jis_null(v))
        return 0;
    const char *word = pl_jstr(v, "");
    for (int k = PL_POOL_HOST; k <= PL_POOL_CAP; k++) {
        if (pl_streq(word, pl_pool_kind_name((enum pl_pool_kind)k))) {
            *ret = (enum pl_pool_kind)k;
            return 0;
        }
    }
    return pl_field_bad(f, "not host, dedicated, unified or cap");
}

bool pl_pool_name_ok(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || n >= PL_POOL_NAME_MAX)
        return false;
    for (; *s != '\0'; s++) {
        if (!isalnum((unsigned char)*s) && strchr("_-.:", *s) == NULL)
            return false;
    }
    return true;
}

static int pl_pool_in(pl_jval v, size_t index, struct pl_machine *m, struct pl_err *err)
{
    struct pl_field f = {"pools", index, "pool", err};
    const char *name = pl_jstr(pl_jget(v, "pool"), "");
    const char *parent = pl_jstr(pl_jget(v, "parent"), "");
    if (!pl_pool_name_ok(name))
        return pl_field_bad(&f, "not a name of letters, digits and _-.: (at most 31)");
    if (pl_machine_pool(m, name) != NULL)
        return pl_field_bad(&f, "this pool is described twice");
    struct pl_pool *p = pl_machine_add_pool(m, name, PL_POOL_HOST);
    if (p == NULL)
        return pl_field_bad(&f, "more pools than a machine may have (64)");
    f.name = "parent";
    if (parent[0] != '\0' && !pl_pool_name_ok(parent))
        return pl_field_bad(&f, "not the name of a pool");
    (void)PL_FMT(p->parent, "%s", parent);
    f.name = "kind";
    int rc = pl_kind_in(name, pl_jget(v, "kind"), &f, &p->kind);
    const struct {
        const char *name;
        struct pl_quantity *q;
    } quantity[] = {
        {"capacity",           &p->capacity          },
        {"reserved",           &p->reserved          },
        {"used",               &p->used              },
        {"reclaimable",        &p->reclaimable       },
        {"available",          &p->available         },
        {"largest_allocation", &p->largest_allocation},
    };
    for (size_t i = 0; rc == 0 && i < sizeof(quantity) / sizeof(quantity[0]); i++) {
        f.name = quantity[i].name;
        rc = pl_quantity_in(pl_jget(v, f.name), &f, quantity[i].q);
    }
    f.name = "bandwidth_bytes_per_second";
    if (rc == 0)
        rc = pl_rate_in(pl_jget(v, f.name), &f, &p->bandwidth);
    f.name = "bandwidth_one_core_bytes_per_second";
    if (rc == 0)
        rc = pl_rate_in(pl_jget(v, f.name), &f, &p->bandwidth_one);
    return rc;
}

/* Every parent is there, and every chain of parents ends. */
static int pl_parents_check(const struct pl_machine *m, struct pl_err *err)
{
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        uint32_t steps = 0;
        while (p->parent[0] != '\0') {
            const char *name = p->parent;
            p = pl_machine_pool_const(m, name);
            if (p == NULL)
                return pl_fail(err, -EINVAL, "pools[%u].parent: there is no pool '%s'", i, name);
            if (++steps > m->n_pool)
                return pl_fail(err, -EINVAL, "pools[%u].parent: '%s' is its own ancestor", i, name);
        }
    }
    return 0;
}

/* Text for people: control characters could play tricks on a terminal. */
void pl_text_in(char *out, size_t size, pl_jval v)
{
    (void)pl_fmt(out, size, "%s", pl_jstr(v, ""));
    pl_text_clean(out);
}

static uint32_t pl_count_in(pl_jval object, const char *key)
{
    uint64_t n = 0;
    return pl_ju64(pl_jget(object, key), &n) && n <= UINT32_MAX ? (uint32_t)n : 0;
}

/* The words of the list as one text; what is no word, or does not fit, is dropped. */
/* A rate that is no bytes; what makes no sense is unknown. */
static void pl_speed_in(pl_jval v, struct pl_rate *ret)
{
    struct pl_rate r = {0};
    *ret = (struct pl_rate){.why = "the machine file does not say"};
    if (!pl_jnum(pl_jget(v, "value"), &r.likely) || !(r.likely > 0) || !(r.likely < 1e18))
        return;
    r.low = r.high = r.likely;
    (void)pl_jnum(pl_jget(v, "low"), &r.low);
    (void)pl_jnum(pl_jget(v, "high"), &r.high);
    r.source = pl_source_of(pl_jstr(pl_jget(v, "source"), "declared"));
    r.why = "as the machine file says";
    if (r.low > 0 && r.low <= r.likely && r.likely <= r.high && r.high < 1e18 &&
        r.source != PL_SOURCE_UNKNOWN)
        *ret = r;
}

static void pl_isa_in(pl_jval list, struct pl_cpu *c)
{
    for (size_t i = 0; i < pl_jlen(list); i++) {
        char word[32];
        pl_text_in(word, sizeof(word), pl_jat(list, i));
        size_t n = strlen(c->isa);
        if (word[0] != '\0' && strchr(word, ' ') == NULL && n + strlen(word) + 2 <= sizeof(c->isa))
            (void)pl_fmt(c->isa + n, sizeof(c->isa) - n, "%s%s", n > 0 ? " " : "", word);
    }
}

static void pl_cpu_in(pl_jval v, struct pl_cpu *c)
{
    double quota = 0;
    pl_text_in(c->model, sizeof(c->model), pl_jget(v, "model"));
    pl_text_in(c->arch, sizeof(c->arch), pl_jget(v, "arch"));
    c->packages = pl_count_in(v, "packages");
    c->cores_physical = pl_count_in(v, "cores_physical");
    c->cores_fast = pl_count_in(v, "cores_fast");
    c->cores_slow = pl_count_in(v, "cores_slow");
    c->threads_logical = pl_count_in(v, "threads_logical");
    c->threads_allowed = pl_count_in(v, "threads_allowed");
    if (pl_jnum(pl_jget(v, "quota_cpus"), &quota) && quota > 0)
        c->quota_cpus = quota;
    pl_speed_in(pl_jget(v, "int8_operations_per_second"), &c->int8);
    pl_speed_in(pl_jget(v, "float_operations_per_second"), &c->fma);
    pl_isa_in(pl_jget(v, "isa"), c);
    pl_jval list = pl_jget(v, "caches");
    for (size_t i = 0; i < pl_jlen(list) && c->n_cache < PL_CACHES_MAX; i++) {
        pl_jval one = pl_jat(list, i);
        struct pl_cache *k = &c->cache[c->n_cache];
        const char *type = pl_jstr(pl_jget(one, "type"), "unified");
        if (!pl_ju64(pl_jget(one, "bytes"), &k->bytes))
            continue;
        k->level = pl_count_in(one, "level");
        k->instances = pl_count_in(one, "instances");
        k->type = type[0] == 'd' || type[0] == 'i' ? type[0] : 'u';
        c->n_cache++;
    }
}

static int pl_storage_in(pl_jval list, struct pl_machine *m, struct pl_err *err)
{
    for (size_t i = 0; i < pl_jlen(list) && m->n_storage < PL_STORAGE_MAX; i++) {
        pl_jval v = pl_jat(list, i);
        struct pl_storage *s = &m->storage[m->n_storage++];
        struct pl_err why = {0};
        const struct pl_field total = {"storage", i, "total", &why},
                              available = {"storage", i, "available", &why},
                              read = {"storage", i, "read_bytes_per_second", &why};
        pl_text_in(s->path, sizeof(s->path), pl_jget(v, "path"));
        pl_text_in(s->filesystem, sizeof(s->filesystem), pl_jget(v, "filesystem"));
        pl_text_in(s->device, sizeof(s->device), pl_jget(v, "device"));
        pl_text_in(s->device_model, sizeof(s->device_model), pl_jget(v, "device_model"));
        s->rotates_known = !pl_jis_null(pl_jget(v, "rotates"));
        s->rotates = pl_jbool(pl_jget(v, "rotates"), false);
        if (pl_quantity_in(pl_jget(v, "total"), &total, &s->total) < 0 ||
            pl_quantity_in(pl_jget(v, "available"), &available, &s->available) < 0 ||
            pl_rate_in(pl_jget(v, read.name), &read, &s->read) < 0)
            return pl_fail(err, -EINVAL, "%s", why.what);
    }
    return 0;
}

static void pl_pressure_in(pl_jval v, struct pl_pressure *p)
{
    p->known = pl_jnum(pl_jget(v, "some_avg10"), &p->some_avg10) &&
               pl_jnum(pl_jget(v, "full_avg10"), &p->full_avg10) &&
               pl_ju64(pl_jget(v, "some_total_us"), &p->some_total_us) &&
               pl_ju64(pl_jget(v, "full_total_us"), &p->full_total_us);
}

/* What describes the machine but decides nothing: kept when it is there. */
static void pl_about_in(pl_jval root, struct pl_machine *m)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    pl_text_in(m->id, sizeof(m->id), pl_jget(root, "id"));
    pl_text_in(m->os, sizeof(m->os), pl_jget(root, "os"));
    pl_text_in(m->kernel, sizeof(m->kernel), pl_jget(root, "kernel"));
    pl_text_in(m->tier, sizeof(m->tier), pl_jget(root, "tier"));
    if (m->tier[0] == '\0' && ram != NULL && pl_known(ram->capacity))
        (void)PL_FMT(m->tier, "%s", pl_tier_name(pl_ram_nominal(ram->capacity.likely)));
    pl_pressure_in(pl_jget(root, "pressure"), &m->pressure);
    pl_jval notes = pl_jget(root, "notes");
    for (size_t i = 0; i < pl_jlen(notes) && m->n_note < PL_NOTES_MAX; i++)
        pl_text_in(m->note[m->n_note++], PL_NOTE_TEXT_MAX, pl_jat(notes, i));
}

static int pl_machine_in(pl_jval root, struct pl_machine *m, struct pl_err *err)
{
    static const char want[] = "plimsoll.assess/1";
    const char *schema = pl_jstr(pl_jget(root, "schema"), NULL);
    pl_jval pools = pl_jget(root, "pools");
    if (schema == NULL || !pl_streq(schema, want)) {
        (void)pl_fail(err, -EINVAL, "schema is %.60s, not %s", schema != NULL ? schema : "missing",
                      want);
        return pl_hint(err, "'plimsoll assess --json' writes such a file");
    }
    if (pl_jlen(pools) == 0)
        return pl_fail(err, -EINVAL, "pools is missing or empty");
    if (pl_jlen(pools) > PL_POOLS_MAX)
        return pl_fail(err, -EINVAL, "more than %d pools", PL_POOLS_MAX);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < pl_jlen(pools); i++)
        rc = pl_pool_in(pl_jat(pools, i), i, m, err);
    if (rc == 0)
        rc = pl_parents_check(m, err);
    if (rc == 0)
        rc = pl_storage_in(pl_jget(root, "storage"), m, err);
    if (rc == 0)
        rc = pl_devices_in(pl_jget(root, "devices"), m, err);
    if (rc == 0)
        rc = pl_hardware_in(root, m, err);
    if (rc == 0)
        rc = pl_consumers_in(root, m, err);
    if (rc == 0) {
        pl_cpu_in(pl_jget(root, "cpu"), &m->cpu);
        pl_about_in(root, m);
    }
    return rc;
}

int pl_machine_parse(const char *text, size_t len, const char *name, struct pl_machine *ret,
                     struct pl_err *err)
{
    struct pl_jdoc *doc = NULL;
    *ret = (struct pl_machine){0};
    int rc = pl_jdoc_parse(text, len, name, &doc, err);
    if (rc == 0) {
        rc = pl_machine_in(pl_jdoc_root(doc), ret, err);
        if (rc < 0)
            pl_err_at(err, name, 0, 0);
    }
    doc = pl_jdoc_free(doc);
    return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_USAGE) : 0;
}

int pl_machine_load(const char *path, struct pl_machine *ret, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_MACHINE_TEXT_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_machine_parse(pl_str_get(&text), text.len,
                              pl_streq(path, "-") ? "standard input" : path, ret, err);
    pl_str_done(&text);
    return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_USAGE) : 0;
}
