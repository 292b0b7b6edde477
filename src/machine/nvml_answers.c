/* From NVML's raw answers to a struct. Pure: text in, values out. */
#include "machine/nvml.h"

#include <stdlib.h>
#include <string.h>

#define PL_NVML_LINE_MAX 512

#define PL_TEXT_OF(name, of_slice)                                                                 \
    {                                                                                              \
        name, PL_NVML_TEXT, -1, 0, of_slice                                                        \
    }
#define PL_UINT(name, of_slice)                                                                    \
    {                                                                                              \
        name, PL_NVML_UINTS, -1, 1, of_slice                                                       \
    }
#define PL_PAIR(name)                                                                              \
    {                                                                                              \
        name, PL_NVML_UINTS, -1, 2, false                                                          \
    }
#define PL_OF(name, argument)                                                                      \
    {                                                                                              \
        name, PL_NVML_UINT_OF, argument, 1, false                                                  \
    }
#define PL_SPECIAL(name, n, of_slice)                                                              \
    {                                                                                              \
        name, PL_NVML_SPECIAL, -1, n, of_slice                                                     \
    }
#define PL_LIST(name)                                                                              \
    {                                                                                              \
        name, PL_NVML_LIST, -1, 1, true                                                            \
    }

/* clang-format off */
const struct pl_nvml_call pl_nvml_calls[PL_NVML_CALLS] = {
    [PL_NVML_INIT] = PL_SPECIAL("nvmlInit_v2", 0, false),
    [PL_NVML_DRIVER_VERSION] = PL_TEXT_OF("nvmlSystemGetDriverVersion", false),
    [PL_NVML_CUDA_VERSION] = PL_SPECIAL("nvmlSystemGetCudaDriverVersion_v2", 1, false),
    [PL_NVML_COUNT] = PL_SPECIAL("nvmlDeviceGetCount_v2", 1, false),
    [PL_NVML_HANDLE] = PL_SPECIAL("nvmlDeviceGetHandleByIndex_v2", 0, false),
    [PL_NVML_NAME] = PL_TEXT_OF("nvmlDeviceGetName", true),
    [PL_NVML_UUID] = PL_TEXT_OF("nvmlDeviceGetUUID", true),
    [PL_NVML_PCI] = PL_SPECIAL("nvmlDeviceGetPciInfo_v3", 4, false),
    [PL_NVML_MEMORY_V2] = PL_SPECIAL("nvmlDeviceGetMemoryInfo_v2", 4, true),
    [PL_NVML_MEMORY] = PL_SPECIAL("nvmlDeviceGetMemoryInfo", 3, true),
    [PL_NVML_MIG_MODE] = PL_PAIR("nvmlDeviceGetMigMode"),
    [PL_NVML_MIG_COUNT] = PL_UINT("nvmlDeviceGetMaxMigDeviceCount", false),
    [PL_NVML_MIG_HANDLE] = PL_SPECIAL("nvmlDeviceGetMigDeviceHandleByIndex", 0, false),
    [PL_NVML_GPU_INSTANCE] = PL_UINT("nvmlDeviceGetGpuInstanceId", true),
    [PL_NVML_COMPUTE_INSTANCE] = PL_UINT("nvmlDeviceGetComputeInstanceId", true),
    [PL_NVML_ATTRIBUTES] = PL_SPECIAL("nvmlDeviceGetAttributes_v2", 4, true),
    [PL_NVML_COMPUTE_CAPABILITY] = PL_PAIR("nvmlDeviceGetCudaComputeCapability"),
    [PL_NVML_ARCHITECTURE] = PL_UINT("nvmlDeviceGetArchitecture", false),
    [PL_NVML_DRIVER_MODEL] = PL_PAIR("nvmlDeviceGetDriverModel_v2"),
    [PL_NVML_DISPLAY_ACTIVE] = PL_UINT("nvmlDeviceGetDisplayActive", false),
    [PL_NVML_DISPLAY_MODE] = PL_UINT("nvmlDeviceGetDisplayMode", false),
    [PL_NVML_BUS_WIDTH] = PL_UINT("nvmlDeviceGetMemoryBusWidth", false),
    [PL_NVML_PSTATE] = PL_UINT("nvmlDeviceGetPerformanceState", false),
    /* nvmlClockType_t: 0 graphics, 2 memory */
    [PL_NVML_CLOCK_GRAPHICS] = PL_OF("nvmlDeviceGetClockInfo", 0),
    [PL_NVML_CLOCK_MEMORY] = PL_OF("nvmlDeviceGetClockInfo", 2),
    [PL_NVML_CLOCK_GRAPHICS_MAX] = PL_OF("nvmlDeviceGetMaxClockInfo", 0),
    [PL_NVML_CLOCK_MEMORY_MAX] = PL_OF("nvmlDeviceGetMaxClockInfo", 2),
    [PL_NVML_REASONS] = {"nvmlDeviceGetCurrentClocksEventReasons", PL_NVML_ULLONG, -1, 1, false},
    [PL_NVML_REASONS_OLD] =
        {"nvmlDeviceGetCurrentClocksThrottleReasons", PL_NVML_ULLONG, -1, 1, false},
    [PL_NVML_POWER] = PL_UINT("nvmlDeviceGetPowerUsage", false),
    [PL_NVML_POWER_LIMIT] = PL_UINT("nvmlDeviceGetEnforcedPowerLimit", false),
    [PL_NVML_POWER_DEFAULT] = PL_UINT("nvmlDeviceGetPowerManagementDefaultLimit", false),
    [PL_NVML_POWER_RANGE] = PL_PAIR("nvmlDeviceGetPowerManagementLimitConstraints"),
    /* nvmlTemperatureSensors_t: 0 the chip; nvmlTemperatureThresholds_t: 0 shutdown, 1 slowdown,
     * 2 memory, 3 chip */
    [PL_NVML_TEMPERATURE] = PL_OF("nvmlDeviceGetTemperature", 0),
    [PL_NVML_THRESHOLD_SHUTDOWN] = PL_OF("nvmlDeviceGetTemperatureThreshold", 0),
    [PL_NVML_THRESHOLD_SLOWDOWN] = PL_OF("nvmlDeviceGetTemperatureThreshold", 1),
    [PL_NVML_THRESHOLD_MEMORY] = PL_OF("nvmlDeviceGetTemperatureThreshold", 2),
    [PL_NVML_THRESHOLD_GPU] = PL_OF("nvmlDeviceGetTemperatureThreshold", 3),
    [PL_NVML_MARGIN] = PL_SPECIAL("nvmlDeviceGetMarginTemperature", 1, false),
    [PL_NVML_UTILIZATION] = {"nvmlDeviceGetUtilizationRates", PL_NVML_STRUCT, -1, 2, false},
    [PL_NVML_LINK_GENERATION] = PL_UINT("nvmlDeviceGetCurrPcieLinkGeneration", false),
    [PL_NVML_LINK_WIDTH] = PL_UINT("nvmlDeviceGetCurrPcieLinkWidth", false),
    [PL_NVML_PROCESSES_COMPUTE] = PL_LIST("nvmlDeviceGetComputeRunningProcesses"),
    [PL_NVML_PROCESSES_GRAPHICS] = PL_LIST("nvmlDeviceGetGraphicsRunningProcesses"),
    [PL_NVML_PROCESSES_MPS] = PL_LIST("nvmlDeviceGetMPSComputeRunningProcesses"),
};
/* clang-format on */

const char *pl_nvml_call_text(enum pl_nvml_call_id id, char out[PL_NVML_CALL_TEXT_MAX])
{
    const struct pl_nvml_call *c = &pl_nvml_calls[id];
    if (c->argument >= 0)
        (void)pl_fmt(out, PL_NVML_CALL_TEXT_MAX, "%s(%d)", c->symbol, c->argument);
    else
        (void)pl_fmt(out, PL_NVML_CALL_TEXT_MAX, "%s", c->symbol);
    return out;
}

/* The call of that name, PL_NVML_CALLS when there is none. Lists come in three versions. */
static enum pl_nvml_call_id pl_nvml_call_of(const char *word)
{
    char text[PL_NVML_CALL_TEXT_MAX];
    for (int i = 0; i < PL_NVML_CALLS; i++) {
        const char *name = pl_nvml_call_text((enum pl_nvml_call_id)i, text);
        if (pl_streq(word, name))
            return (enum pl_nvml_call_id)i;
        if (pl_nvml_calls[i].shape != PL_NVML_LIST || !pl_starts(word, name))
            continue;
        const char *rest = word + strlen(name);
        if (pl_streq(rest, "_v2") || pl_streq(rest, "_v3"))
            return (enum pl_nvml_call_id)i;
    }
    return PL_NVML_CALLS;
}

/* The next word of *line, NUL-ended in place; NULL at the end. */
static char *pl_nvml_word(char **line)
{
    char *s = *line;
    if (s == NULL || *s == '\0')
        return NULL;
    char *end = strchr(s, ' ');
    *line = end != NULL ? end + 1 : NULL;
    if (end != NULL)
        *end = '\0';
    return s;
}

static bool pl_nvml_number(char **line, uint64_t *ret)
{
    const char *word = pl_nvml_word(line);
    return word != NULL && pl_parse_u64(word, ret);
}

/* "3" or "3.1" */
static bool pl_nvml_unit_word(char *word, int *ret_device, int *ret_slice)
{
    uint64_t device = 0, slice = 0;
    char *dot = strchr(word, '.');
    if (dot != NULL)
        *dot = '\0';
    bool ok = pl_parse_u64(word, &device) && device < PL_NVML_DEVICES_MAX;
    if (ok && dot != NULL)
        ok = pl_parse_u64(dot + 1, &slice) && slice < PL_NVML_SLICES_MAX;
    *ret_device = (int)device;
    *ret_slice = dot != NULL ? (int)slice : -1;
    return ok;
}

const struct pl_nvml_unit *pl_nvml_unit(const struct pl_nvml_answers *a, int device, int slice)
{
    for (uint32_t i = 0; i < a->n_unit; i++) {
        if (a->unit[i].device == device && a->unit[i].slice == slice)
            return &a->unit[i];
    }
    return NULL;
}

/* Its index; a new one is added. False when the table is full. */
static bool pl_nvml_unit_at(struct pl_nvml_answers *a, int device, int slice, uint32_t *ret)
{
    for (*ret = 0; *ret < a->n_unit; (*ret)++) {
        if (a->unit[*ret].device == device && a->unit[*ret].slice == slice)
            return true;
    }
    if (a->n_unit >= PL_NVML_UNITS_MAX)
        return false;
    struct pl_nvml_unit *u = &a->unit[a->n_unit++];
    u->device = device;
    u->slice = slice;
    return true;
}

/* process KIND PID BYTES GPU-INSTANCE COMPUTE-INSTANCE [NAME] */
static bool pl_nvml_process_line(char *line, uint32_t unit, struct pl_nvml_answers *a)
{
    uint64_t pid = 0, used = 0, ids = 0;
    const char *kind = pl_nvml_word(&line);
    if (kind == NULL || a->n_process >= PL_HOLDINGS_MAX)
        return false;
    bool graphics = pl_streq(kind, "graphics");
    if (!graphics && !pl_streq(kind, "compute") && !pl_streq(kind, "mps"))
        return false;
    if (!pl_nvml_number(&line, &pid) || pid == 0 || pid > INT32_MAX ||
        !pl_nvml_number(&line, &used) || !pl_nvml_number(&line, &ids) ||
        !pl_nvml_number(&line, &ids))
        return false;
    struct pl_nvml_process *p = &a->process[a->n_process++];
    p->unit = unit;
    p->graphics = graphics;
    p->pid = (uint32_t)pid;
    p->used = used;
    if (line != NULL)
        (void)pl_text_cut(p->name, sizeof(p->name), line);
    return true;
}

static bool pl_nvml_values(char *line, enum pl_nvml_call_id id, uint64_t *value)
{
    for (int i = 0; i < pl_nvml_calls[id].values; i++) {
        int64_t n = 0;
        const char *word = pl_nvml_word(&line);
        if (word == NULL)
            return false;
        if (id == PL_NVML_MARGIN) {
            if (!pl_parse_i64(word, &n))
                return false;
            value[i] = (uint64_t)n;
        } else if (!pl_parse_u64(word, &value[i])) {
            return false;
        }
    }
    return true;
}

/* CODE [ANSWER...] of one call. */
static bool pl_nvml_answer_line(char *line, enum pl_nvml_call_id id, struct pl_nvml_answer *ret,
                                char *text, size_t size)
{
    struct pl_nvml_answer a = {.asked = true};
    int64_t code = 0;
    const char *word = pl_nvml_word(&line);
    if (ret->asked || word == NULL || !pl_parse_i64(word, &code) || code < PL_NVML_NO_SYMBOL ||
        code > 9999)
        return false;
    a.code = (int)code;
    if (a.code == PL_NVML_SUCCESS && !pl_nvml_values(line, id, a.value))
        return false;
    if (a.code == PL_NVML_SUCCESS && pl_nvml_calls[id].shape == PL_NVML_TEXT) {
        if (line == NULL || text == NULL)
            return false;
        (void)pl_text_cut(text, size, line);
    }
    *ret = a;
    return true;
}

static bool pl_nvml_unit_line(char *word, char *line, struct pl_nvml_answers *a)
{
    int device = 0, slice = 0;
    uint32_t at = 0;
    if (!pl_nvml_unit_word(word, &device, &slice))
        return false;
    const char *call = pl_nvml_word(&line);
    if (call == NULL)
        return false;
    bool process = pl_streq(call, "process");
    enum pl_nvml_call_id id = process ? PL_NVML_CALLS : pl_nvml_call_of(call);
    if ((!process && (id < PL_NVML_HANDLE || id >= PL_NVML_CALLS)) ||
        !pl_nvml_unit_at(a, device, slice, &at))
        return false;
    if (process)
        return pl_nvml_process_line(line, at, a);
    struct pl_nvml_unit *u = &a->unit[at];
    bool uuid = id == PL_NVML_UUID;
    return pl_nvml_answer_line(line, id, &u->answer[id], uuid ? u->uuid : u->name,
                               uuid ? sizeof(u->uuid) : sizeof(u->name));
}

static bool pl_nvml_line(char *line, struct pl_nvml_answers *a)
{
    char *word = pl_nvml_word(&line);
    if (word == NULL)
        return false;
    if (pl_streq(word, "end") && line == NULL) {
        a->complete = true;
        return true;
    }
    if (line == NULL)
        return false;
    if (pl_streq(word, "library")) {
        (void)pl_text_cut(a->library, sizeof(a->library), line);
        return true;
    }
    if (pl_streq(word, "failure")) {
        (void)pl_text_cut(a->failure, sizeof(a->failure), line);
        return true;
    }
    if (!pl_streq(word, "-"))
        return pl_nvml_unit_line(word, line, a);
    const char *call = pl_nvml_word(&line);
    enum pl_nvml_call_id id = call != NULL ? pl_nvml_call_of(call) : PL_NVML_CALLS;
    return id < PL_NVML_HANDLE && pl_nvml_answer_line(line, id, &a->system[id], a->driver_version,
                                                      sizeof(a->driver_version));
}

bool pl_nvml_parse(const char *text, size_t len, struct pl_nvml_answers *ret)
{
    static const char head[] = "plimsoll-nvml 1\n";
    memset(ret, 0, sizeof(*ret));
    if (len < sizeof(head) - 1 || memcmp(text, head, sizeof(head) - 1) != 0)
        return false;
    const char *s = text + sizeof(head) - 1, *stop = text + len;
    for (const char *end; s < stop && !ret->complete; s = end + 1) {
        char line[PL_NVML_LINE_MAX], kept[sizeof(ret->last)];
        end = memchr(s, '\n', (size_t)(stop - s));
        if (end == NULL) { /* cut in the middle: half a number is a wrong number */
            ret->skipped++;
            break;
        }
        size_t n = (size_t)(end - s);
        if (n >= sizeof(line) || memchr(s, '\0', n) != NULL) {
            ret->skipped++;
            continue;
        }
        memcpy(line, s, n);
        line[n] = '\0';
        (void)pl_text_cut(kept, sizeof(kept), line);
        if (pl_nvml_line(line, ret))
            memcpy(ret->last, kept, sizeof(ret->last));
        else
            ret->skipped++;
    }
    return true;
}
