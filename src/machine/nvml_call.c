/* Opens libnvidia-ml and calls it, in the child that may be killed (machine/nvml.h). */
#include "machine/nvml_abi.h"

#include "sys/write.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *pl_nvml_symbol(const struct pl_nvml_session *s, const char *name)
{
    return dlsym(s->library, name);
}

void pl_nvml_say(struct pl_nvml_session *s, const char *fmt, ...)
{
    char line[480];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ')
            line[i] = '?';
    }
    line[len++] = '\n';
    if (s->error == 0)
        s->error = pl_write_all(s->fd, line, len);
}

void pl_nvml_say_values(struct pl_nvml_session *s, const char *unit, const char *call, int code,
                        const uint64_t *value, int n)
{
    char text[4 * 24] = "";
    for (int i = 0; code == PL_NVML_SUCCESS && i < n; i++) {
        size_t at = strlen(text);
        (void)pl_fmt(text + at, sizeof(text) - at, " %llu", (unsigned long long)value[i]);
    }
    pl_nvml_say(s, "%s %s %d%s", unit, call, code, text);
}

static int pl_nvml_uints(void *symbol, const struct pl_nvml_call *c, pl_nvml_device device,
                         uint64_t *value)
{
    unsigned int out[PL_NVML_SLACK / sizeof(unsigned int)] = {0};
    int code = PL_NVML_NO_SYMBOL;
    if (c->shape == PL_NVML_UINT_OF) {
        PL_NVML_FN(pl_nvml_fn_uint_of, fn, symbol)
        code = fn(device, (unsigned int)c->argument, out);
    } else if (c->shape == PL_NVML_STRUCT) {
        PL_NVML_FN(pl_nvml_fn_struct, fn, symbol)
        code = fn(device, out);
    } else if (c->values == 1) {
        PL_NVML_FN(pl_nvml_fn_uint, fn, symbol)
        code = fn(device, out);
    } else {
        PL_NVML_FN(pl_nvml_fn_uints, fn, symbol)
        code = fn(device, &out[0], &out[1]);
    }
    for (int i = 0; i < c->values; i++)
        value[i] = out[i];
    return code;
}

static int pl_nvml_memory(enum pl_nvml_call_id id, void *symbol, pl_nvml_device device,
                          uint64_t *value)
{
    union {
        struct pl_nvml_memory_v1 v1;
        struct pl_nvml_memory_v2 v2;
        char slack[PL_NVML_SLACK];
    } m;
    memset(&m, 0, sizeof(m));
    PL_NVML_FN(pl_nvml_fn_struct, fn, symbol)
    if (id == PL_NVML_MEMORY) {
        int code = fn(device, &m);
        value[0] = m.v1.total;
        value[1] = m.v1.free;
        value[2] = m.v1.used;
        return code;
    }
    m.v2.version = PL_NVML_STRUCT_VERSION(struct pl_nvml_memory_v2, 2);
    int code = fn(device, &m);
    value[0] = m.v2.total;
    value[1] = m.v2.reserved;
    value[2] = m.v2.free;
    value[3] = m.v2.used;
    return code;
}

static int pl_nvml_special(enum pl_nvml_call_id id, void *symbol, pl_nvml_device device,
                           uint64_t *value)
{
    union {
        struct pl_nvml_pci pci;
        struct pl_nvml_attributes attributes;
        struct pl_nvml_margin margin;
        char slack[PL_NVML_SLACK];
    } out;
    memset(&out, 0, sizeof(out));
    PL_NVML_FN(pl_nvml_fn_struct, fn, symbol)
    if (id == PL_NVML_MEMORY || id == PL_NVML_MEMORY_V2)
        return pl_nvml_memory(id, symbol, device, value);
    if (id == PL_NVML_MARGIN) {
        out.margin.version = PL_NVML_STRUCT_VERSION(struct pl_nvml_margin, 1);
        int code = fn(device, &out);
        value[0] = (uint64_t)(int64_t)out.margin.margin;
        return code;
    }
    int code = fn(device, &out);
    if (id == PL_NVML_PCI) {
        value[0] = out.pci.domain;
        value[1] = out.pci.bus;
        value[2] = out.pci.device;
        value[3] = out.pci.device_id;
    } else {
        value[0] = out.attributes.multiprocessors;
        value[1] = out.attributes.gpu_slices;
        value[2] = out.attributes.compute_slices;
        value[3] = out.attributes.memory_mib;
    }
    return code;
}

static void pl_nvml_ask_text(struct pl_nvml_session *s, const char *unit, const char *call,
                             void *symbol, pl_nvml_device device)
{
    char text[PL_NVML_SLACK] = "";
    PL_NVML_FN(pl_nvml_fn_text, fn, symbol)
    /* 96: the length every driver takes for a name or an UUID */
    int code = fn(device, text, 96);
    text[96] = '\0';
    if (code == PL_NVML_SUCCESS)
        pl_nvml_say(s, "%s %s 0 %s", unit, call, text);
    else
        pl_nvml_say(s, "%s %s %d", unit, call, code);
}

/* Returns the code; PL_NVML_NO_SYMBOL for lists and texts, which nobody asks again. */
static int pl_nvml_ask(struct pl_nvml_session *s, const char *unit, enum pl_nvml_call_id id,
                       pl_nvml_device device)
{
    const struct pl_nvml_call *c = &pl_nvml_calls[id];
    char call[PL_NVML_CALL_TEXT_MAX];
    uint64_t value[PL_NVML_VALUES_MAX] = {0};
    int code = PL_NVML_NO_SYMBOL;
    (void)pl_nvml_call_text(id, call);
    void *symbol = pl_nvml_symbol(s, c->symbol);
    if (c->shape == PL_NVML_LIST) {
        pl_nvml_ask_list(s, unit, id, device);
        return PL_NVML_NO_SYMBOL;
    }
    if (symbol != NULL && c->shape == PL_NVML_TEXT) {
        pl_nvml_ask_text(s, unit, call, symbol, device);
        return PL_NVML_NO_SYMBOL;
    }
    if (symbol != NULL && c->shape == PL_NVML_ULLONG) {
        unsigned long long bits = 0;
        PL_NVML_FN(pl_nvml_fn_ullong, fn, symbol)
        code = fn(device, &bits);
        value[0] = bits;
    } else if (symbol != NULL && c->shape == PL_NVML_SPECIAL) {
        code = pl_nvml_special(id, symbol, device, value);
    } else if (symbol != NULL) {
        code = pl_nvml_uints(symbol, c, device, value);
    }
    pl_nvml_say_values(s, unit, call, code, value, c->values);
    return code;
}

/* Every call of a unit but those that find it. */
static void pl_nvml_ask_unit(struct pl_nvml_session *s, const char *unit, pl_nvml_device device,
                             bool slice)
{
    for (int i = PL_NVML_NAME; i < PL_NVML_CALLS && s->error == 0; i++) {
        bool once = i == PL_NVML_GPU_INSTANCE || i == PL_NVML_COMPUTE_INSTANCE ||
                    i == PL_NVML_ATTRIBUTES; /* of slices alone */
        if (i == PL_NVML_MIG_HANDLE || (slice ? !pl_nvml_calls[i].slice : once))
            continue;
        int code = pl_nvml_ask(s, unit, (enum pl_nvml_call_id)i, device);
        if (code == PL_NVML_SUCCESS && (i == PL_NVML_MEMORY_V2 || i == PL_NVML_REASONS))
            i++; /* the older form stands behind it */
    }
}

/* The MIG instances of a device; the slots that are not taken answer "not found". */
static void pl_nvml_ask_slices(struct pl_nvml_session *s, unsigned int index, pl_nvml_device device)
{
    const char *call = pl_nvml_calls[PL_NVML_MIG_HANDLE].symbol;
    void *mode = pl_nvml_symbol(s, pl_nvml_calls[PL_NVML_MIG_MODE].symbol);
    void *count = pl_nvml_symbol(s, pl_nvml_calls[PL_NVML_MIG_COUNT].symbol);
    void *handle = pl_nvml_symbol(s, call);
    unsigned int current = 0, pending = 0, n = 0;
    if (mode == NULL || count == NULL || handle == NULL)
        return;
    PL_NVML_FN(pl_nvml_fn_uints, fn_mode, mode)
    PL_NVML_FN(pl_nvml_fn_uint, fn_count, count)
    PL_NVML_FN(pl_nvml_fn_mig_handle, fn_handle, handle)
    if (fn_mode(device, &current, &pending) != PL_NVML_SUCCESS || current != 1 ||
        fn_count(device, &n) != PL_NVML_SUCCESS)
        return;
    for (unsigned int i = 0; i < n && i < PL_NVML_SLICES_MAX && s->error == 0; i++) {
        char unit[24];
        pl_nvml_device slice = NULL;
        int code = fn_handle(device, i, &slice);
        (void)PL_FMT(unit, "%u.%u", index, i);
        if (code != 6 /* not found: an empty slot */)
            pl_nvml_say(s, "%s %s %d", unit, call, code);
        if (code == PL_NVML_SUCCESS)
            pl_nvml_ask_unit(s, unit, slice, true);
    }
}

static void pl_nvml_ask_devices(struct pl_nvml_session *s, unsigned int n)
{
    const char *call = pl_nvml_calls[PL_NVML_HANDLE].symbol;
    void *symbol = pl_nvml_symbol(s, call);
    for (unsigned int i = 0; i < n && i < PL_NVML_DEVICES_MAX && s->error == 0; i++) {
        char unit[16];
        pl_nvml_device device = NULL;
        int code = PL_NVML_NO_SYMBOL;
        PL_NVML_FN(pl_nvml_fn_handle, fn, symbol)
        if (symbol != NULL)
            code = fn(i, &device);
        (void)PL_FMT(unit, "%u", i);
        pl_nvml_say(s, "%s %s %d", unit, call, code);
        if (code != PL_NVML_SUCCESS)
            continue;
        pl_nvml_ask_unit(s, unit, device, false);
        pl_nvml_ask_slices(s, i, device);
    }
}

static unsigned int pl_nvml_ask_system(struct pl_nvml_session *s)
{
    unsigned int n = 0;
    char text[PL_NVML_SLACK] = "";
    const char *call = pl_nvml_calls[PL_NVML_DRIVER_VERSION].symbol;
    void *symbol = pl_nvml_symbol(s, call);
    if (symbol != NULL) {
        PL_NVML_FN(pl_nvml_fn_system_text, fn, symbol)
        int code = fn(text, 80);
        text[80] = '\0';
        pl_nvml_say(s, "- %s %d%s%s", call, code, code == PL_NVML_SUCCESS ? " " : "",
                    code == PL_NVML_SUCCESS ? text : "");
    }
    for (int i = PL_NVML_CUDA_VERSION; i <= PL_NVML_COUNT; i++) {
        int code = PL_NVML_NO_SYMBOL;
        n = 0;
        call = pl_nvml_calls[i].symbol;
        symbol = pl_nvml_symbol(s, call);
        if (symbol != NULL) {
            PL_NVML_FN(pl_nvml_fn_system_uint, fn, symbol)
            code = fn(&n);
        }
        uint64_t value = n;
        pl_nvml_say_values(s, "-", call, code, &value, 1);
        n = code == PL_NVML_SUCCESS ? n : 0;
    }
    return n;
}

/* The versioned name first: the bare one may be the stub that CUDA's toolkit brings for linking. */
static void *pl_nvml_open(const char **ret_why)
{
    static const char *const name[] = {"libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"};
    const char *asked = getenv("PLIMSOLL_NVML_LIBRARY");
    void *library = NULL;
    *ret_why = NULL;
    if (asked != NULL && asked[0] != '\0') {
        library = dlopen(asked, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL)
            *ret_why = dlerror();
        return library;
    }
    for (size_t i = 0; library == NULL && i < sizeof(name) / sizeof(name[0]); i++) {
        library = dlopen(name[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL && *ret_why == NULL)
            *ret_why = dlerror();
    }
    return library;
}

int pl_nvml_call(int fd)
{
    struct pl_nvml_session s = {.fd = fd};
    const char *why = NULL, *call = pl_nvml_calls[PL_NVML_INIT].symbol;
    Dl_info where = {0};
    pl_nvml_say(&s, "plimsoll-nvml 1");
    s.library = pl_nvml_open(&why);
    if (s.library == NULL) {
        pl_nvml_say(&s, "failure %s", why != NULL ? why : "the library cannot be opened");
        pl_nvml_say(&s, "end");
        return s.error;
    }
    void *symbol = pl_nvml_symbol(&s, call);
    if (symbol != NULL && dladdr(symbol, &where) != 0 && where.dli_fname != NULL)
        pl_nvml_say(&s, "library %s", where.dli_fname);
    int code = PL_NVML_NO_SYMBOL;
    if (symbol != NULL) {
        PL_NVML_FN(pl_nvml_fn_void, fn, symbol)
        code = fn();
    }
    pl_nvml_say(&s, "- %s %d", call, code);
    if (code == PL_NVML_SUCCESS)
        pl_nvml_ask_devices(&s, pl_nvml_ask_system(&s));
    /* not shut down and not closed: the process ends here, and a library that hangs would do so
     * after everything has been said */
    pl_nvml_say(&s, "end");
    return s.error;
}
