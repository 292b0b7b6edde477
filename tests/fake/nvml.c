/* A stand-in for NVIDIA's libnvidia-ml.so.1, for tests alone. It says what a file of answers (the
 * format of src/machine/nvml.h) holds, by way of NVML's own binary interface, and misbehaves on
 * request:
 *
 *   FAKE_NVML_ANSWERS=FILE   what to answer; a call the file does not name is "not supported"
 *   FAKE_NVML_FAULT=KIND:SYMBOL   hang, crash, exit, noise (prints on both outputs) or a number
 * (the code returned) when that function is called; SYMBOL "*" is every one FAKE_NVML_FAULT=grow
 * every list is longer than the room it is given, however much that is
 *
 * Built three times: as a driver of today; FAKE_OLD, as one from before versioned structures, MIG
 * and margins; FAKE_WIDE, as those whose process entries are eight bytes longer. The structures are
 * written down here again, from NVIDIA's reference, so that a slip in ours shows. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAKE_LINES_MAX 8192
#define FAKE_UNITS_MAX 128
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define INSUFFICIENT_SIZE 7
#define VERSION_MISMATCH 25

struct nvmlDevice_st {
    char unit[16];
};
typedef struct nvmlDevice_st *nvmlDevice_t;

static char *fake_line[FAKE_LINES_MAX];
static int fake_lines;
static struct nvmlDevice_st fake_unit[FAKE_UNITS_MAX];
static int fake_units;

#define API __attribute__((visibility("default")))

static const char *fake_fault(void)
{
    const char *s = getenv("FAKE_NVML_FAULT");
    return s != NULL ? s : "";
}

/* True when the function must fail; *ret_code then is what it returns. */
static int fake_misbehaves(const char *symbol, int *ret_code)
{
    const char *fault = fake_fault(), *colon = strchr(fault, ':');
    if (colon == NULL || (strcmp(colon + 1, symbol) != 0 && strcmp(colon + 1, "*") != 0))
        return 0;
    if (strncmp(fault, "hang", 4) == 0) {
        for (;;)
            (void)pause();
    }
    if (strncmp(fault, "crash", 5) == 0)
        (void)raise(SIGSEGV);
    if (strncmp(fault, "exit", 4) == 0)
        _exit(7);
    if (strncmp(fault, "noise", 5) == 0) {
        (void)printf("0 nvmlDeviceGetName 0 a lie\n\x01\x02 garbage\n");
        (void)fflush(stdout);
        (void)fprintf(stderr, "NVRM: something\n");
        return 0;
    }
    *ret_code = atoi(fault);
    return 1;
}

/* What stands after "UNIT CALL CODE " in the file, NULL when it does not name the call. */
static const char *fake_find(const char *unit, const char *call, int *ret_code)
{
    char want[160];
    int n = snprintf(want, sizeof(want), "%s %s ", unit, call);
    for (int i = 0; i < fake_lines; i++) {
        if (strncmp(fake_line[i], want, (size_t)n) != 0)
            continue;
        char *end = NULL;
        *ret_code = (int)strtol(fake_line[i] + n, &end, 10);
        return *end == ' ' ? end + 1 : end;
    }
    return NULL;
}

/* Code of the call; up to n numbers of its answer. */
static int fake_numbers(const char *unit, const char *symbol, const char *call,
                        unsigned long long *value, int n)
{
    int code = NOT_SUPPORTED;
    if (fake_misbehaves(symbol, &code))
        return code;
    const char *s = fake_find(unit, call, &code);
    if (s == NULL)
        return NOT_SUPPORTED;
    for (int i = 0; code == 0 && i < n; i++) {
        char *end = NULL;
        value[i] = strtoull(s, &end, 10);
        s = end;
    }
    return code;
}

static int fake_text(const char *unit, const char *symbol, char *out, unsigned int length)
{
    int code = NOT_SUPPORTED;
    if (fake_misbehaves(symbol, &code))
        return code;
    const char *s = fake_find(unit, symbol, &code);
    if (s == NULL)
        return NOT_SUPPORTED;
    if (code == 0 && strlen(s) >= length)
        return INSUFFICIENT_SIZE;
    if (code == 0)
        (void)snprintf(out, length, "%s", s);
    return code;
}

static void fake_unit_add(const char *line)
{
    size_t n = strcspn(line, " ");
    if (line[0] < '0' || line[0] > '9' || n >= sizeof(fake_unit[0].unit))
        return;
    for (int i = 0; i < fake_units; i++) {
        if (strlen(fake_unit[i].unit) == n && strncmp(fake_unit[i].unit, line, n) == 0)
            return;
    }
    if (fake_units < FAKE_UNITS_MAX)
        (void)snprintf(fake_unit[fake_units++].unit, sizeof(fake_unit[0].unit), "%.*s", (int)n,
                       line);
}

static nvmlDevice_t fake_handle(const char *unit)
{
    for (int i = 0; i < fake_units; i++) {
        if (strcmp(fake_unit[i].unit, unit) == 0)
            return &fake_unit[i];
    }
    return NULL;
}

API int nvmlInit_v2(void);
API int nvmlInit_v2(void)
{
    static char text[1 << 20];
    int code = 0;
    const char *path = getenv("FAKE_NVML_ANSWERS");
    FILE *f = path != NULL ? fopen(path, "rb") : NULL;
    if (fake_misbehaves("nvmlInit_v2", &code))
        return code;
    if (f == NULL)
        return 9; /* driver not loaded */
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    for (char *s = text; *s != '\0' && fake_lines < FAKE_LINES_MAX;) {
        char *end = strchr(s, '\n');
        if (end != NULL)
            *end = '\0';
        fake_line[fake_lines++] = s;
        fake_unit_add(s);
        if (end == NULL)
            break;
        s = end + 1;
    }
    (void)fake_find("-", "nvmlInit_v2", &code);
    return code;
}

API int nvmlSystemGetDriverVersion(char *out, unsigned int length);
API int nvmlSystemGetDriverVersion(char *out, unsigned int length)
{
    return fake_text("-", "nvmlSystemGetDriverVersion", out, length);
}

#define SYSTEM_UINT(symbol)                                                                        \
    API int symbol(unsigned int *out);                                                             \
    API int symbol(unsigned int *out)                                                              \
    {                                                                                              \
        unsigned long long v = 0;                                                                  \
        int code = fake_numbers("-", #symbol, #symbol, &v, 1);                                     \
        if (code == 0)                                                                             \
            *out = (unsigned int)v;                                                                \
        return code;                                                                               \
    }

SYSTEM_UINT(nvmlSystemGetCudaDriverVersion_v2)
SYSTEM_UINT(nvmlDeviceGetCount_v2)

API int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *out);
API int nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *out)
{
    char unit[16];
    (void)snprintf(unit, sizeof(unit), "%u", index);
    *out = fake_handle(unit);
    int code = fake_numbers(unit, "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex_v2",
                            NULL, 0);
    return *out == NULL ? NOT_FOUND : code;
}

#define TEXT(symbol)                                                                               \
    API int symbol(nvmlDevice_t d, char *out, unsigned int length);                                \
    API int symbol(nvmlDevice_t d, char *out, unsigned int length)                                 \
    {                                                                                              \
        return fake_text(d->unit, #symbol, out, length);                                           \
    }

#define UINT(symbol)                                                                               \
    API int symbol(nvmlDevice_t d, unsigned int *out);                                             \
    API int symbol(nvmlDevice_t d, unsigned int *out)                                              \
    {                                                                                              \
        unsigned long long v = 0;                                                                  \
        int code = fake_numbers(d->unit, #symbol, #symbol, &v, 1);                                 \
        if (code == 0)                                                                             \
            *out = (unsigned int)v;                                                                \
        return code;                                                                               \
    }

#define PAIR(symbol)                                                                               \
    API int symbol(nvmlDevice_t d, unsigned int *a, unsigned int *b);                              \
    API int symbol(nvmlDevice_t d, unsigned int *a, unsigned int *b)                               \
    {                                                                                              \
        unsigned long long v[2] = {0};                                                             \
        int code = fake_numbers(d->unit, #symbol, #symbol, v, 2);                                  \
        if (code == 0) {                                                                           \
            *a = (unsigned int)v[0];                                                               \
            *b = (unsigned int)v[1];                                                               \
        }                                                                                          \
        return code;                                                                               \
    }

#define UINT_OF(symbol)                                                                            \
    API int symbol(nvmlDevice_t d, int which, unsigned int *out);                                  \
    API int symbol(nvmlDevice_t d, int which, unsigned int *out)                                   \
    {                                                                                              \
        char call[96];                                                                             \
        unsigned long long v = 0;                                                                  \
        (void)snprintf(call, sizeof(call), #symbol "(%d)", which);                                 \
        int code = fake_numbers(d->unit, #symbol, call, &v, 1);                                    \
        if (code == 0)                                                                             \
            *out = (unsigned int)v;                                                                \
        return code;                                                                               \
    }

#define ULLONG(symbol)                                                                             \
    API int symbol(nvmlDevice_t d, unsigned long long *out);                                       \
    API int symbol(nvmlDevice_t d, unsigned long long *out)                                        \
    {                                                                                              \
        return fake_numbers(d->unit, #symbol, #symbol, out, 1);                                    \
    }

TEXT(nvmlDeviceGetName)
TEXT(nvmlDeviceGetUUID)
UINT(nvmlDeviceGetDisplayActive)
UINT(nvmlDeviceGetDisplayMode)
UINT(nvmlDeviceGetMemoryBusWidth)
UINT(nvmlDeviceGetPerformanceState)
UINT(nvmlDeviceGetPowerUsage)
UINT(nvmlDeviceGetEnforcedPowerLimit)
UINT(nvmlDeviceGetPowerManagementDefaultLimit)
UINT(nvmlDeviceGetCurrPcieLinkGeneration)
UINT(nvmlDeviceGetCurrPcieLinkWidth)
PAIR(nvmlDeviceGetCudaComputeCapability)
PAIR(nvmlDeviceGetPowerManagementLimitConstraints)
UINT_OF(nvmlDeviceGetClockInfo)
UINT_OF(nvmlDeviceGetMaxClockInfo)
UINT_OF(nvmlDeviceGetTemperature)
UINT_OF(nvmlDeviceGetTemperatureThreshold)
ULLONG(nvmlDeviceGetCurrentClocksThrottleReasons)

typedef struct {
    unsigned int gpu, memory;
} nvmlUtilization_t;

API int nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *out);
API int nvmlDeviceGetUtilizationRates(nvmlDevice_t d, nvmlUtilization_t *out)
{
    unsigned long long v[2] = {0};
    const char *symbol = "nvmlDeviceGetUtilizationRates";
    int code = fake_numbers(d->unit, symbol, symbol, v, 2);
    if (code == 0) {
        out->gpu = (unsigned int)v[0];
        out->memory = (unsigned int)v[1];
    }
    return code;
}

typedef struct {
    char busIdLegacy[16];
    unsigned int domain;
    unsigned int bus;
    unsigned int device;
    unsigned int pciDeviceId;
    unsigned int pciSubSystemId;
    char busId[32];
} nvmlPciInfo_t;

API int nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *out);
API int nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, nvmlPciInfo_t *out)
{
    unsigned long long v[4] = {0};
    int code = fake_numbers(d->unit, "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v3", v, 4);
    if (code != 0)
        return code;
    memset(out, 0, sizeof(*out));
    out->domain = (unsigned int)v[0];
    out->bus = (unsigned int)v[1];
    out->device = (unsigned int)v[2];
    out->pciDeviceId = (unsigned int)v[3];
    (void)snprintf(out->busIdLegacy, sizeof(out->busIdLegacy), "%04X:%02X:%02X.0",
                   out->domain & 0xffff, out->bus & 0xff, out->device & 0x1f);
    (void)snprintf(out->busId, sizeof(out->busId), "%08X:%02X:%02X.0", out->domain, out->bus & 0xff,
                   out->device & 0x1f);
    return 0;
}

typedef struct {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
} nvmlMemory_t;

API int nvmlDeviceGetMemoryInfo(nvmlDevice_t d, nvmlMemory_t *out);
API int nvmlDeviceGetMemoryInfo(nvmlDevice_t d, nvmlMemory_t *out)
{
    unsigned long long v[3] = {0};
    int code = fake_numbers(d->unit, "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo", v, 3);
    if (code == 0)
        *out = (nvmlMemory_t){.total = v[0], .free = v[1], .used = v[2]};
    return code;
}

/* A list of processes in entries of `size` bytes. */
static int fake_list(nvmlDevice_t d, const char *symbol, const char *kind, unsigned int *count,
                     unsigned char *out, size_t size)
{
    int code = NOT_SUPPORTED;
    char want[64];
    unsigned int n = 0;
    if (fake_misbehaves(symbol, &code))
        return code;
    if (fake_find(d->unit, symbol, &code) == NULL)
        return NOT_SUPPORTED;
    if (code != 0)
        return code;
    if (strcmp(fake_fault(), "grow") == 0) {
        *count += 1;
        return INSUFFICIENT_SIZE;
    }
    int skip = snprintf(want, sizeof(want), "%s process %s ", d->unit, kind);
    for (int pass = 0; pass < 2; pass++) {
        unsigned int i = 0;
        for (int k = 0; k < fake_lines; k++) {
            if (strncmp(fake_line[k], want, (size_t)skip) != 0)
                continue;
            if (pass == 1) {
                /* unsigned pid; 4 bytes of padding; unsigned long long used; two unsigned ids; in
                 * the longer form one more unsigned long long */
                unsigned char entry[32];
                char *s = fake_line[k] + skip;
                unsigned int pid = (unsigned int)strtoull(s, &s, 10);
                unsigned long long used = strtoull(s, &s, 10);
                unsigned int gpu = (unsigned int)strtoull(s, &s, 10);
                unsigned int compute = (unsigned int)strtoull(s, &s, 10);
                memset(entry, 0xa5, sizeof(entry));
                memcpy(entry, &pid, 4);
                memcpy(entry + 8, &used, 8);
                memcpy(entry + 16, &gpu, 4);
                memcpy(entry + 20, &compute, 4);
                memcpy(out + i * size, entry, size);
            }
            i++;
        }
        n = i;
        if (pass == 0 && n > *count) {
            *count = n;
            return INSUFFICIENT_SIZE;
        }
    }
    *count = n;
    return 0;
}

#define LIST(symbol, kind, size)                                                                   \
    API int symbol(nvmlDevice_t d, unsigned int *count, unsigned char *out);                       \
    API int symbol(nvmlDevice_t d, unsigned int *count, unsigned char *out)                        \
    {                                                                                              \
        return fake_list(d, #symbol, kind, count, out, size);                                      \
    }

LIST(nvmlDeviceGetComputeRunningProcesses, "compute", 16)
LIST(nvmlDeviceGetGraphicsRunningProcesses, "graphics", 16)

API int nvmlSystemGetProcessName(unsigned int pid, char *out, unsigned int length);
API int nvmlSystemGetProcessName(unsigned int pid, char *out, unsigned int length)
{
    int code = 0;
    if (fake_misbehaves("nvmlSystemGetProcessName", &code))
        return code;
    for (int k = 0; k < fake_lines; k++) {
        char *s = strstr(fake_line[k], " process ");
        if (s == NULL)
            continue;
        s = strchr(s + 9, ' ');
        if (s == NULL || strtoull(s, &s, 10) != pid)
            continue;
        for (int i = 0; i < 3; i++)
            (void)strtoull(s, &s, 10);
        if (*s != ' ' || strlen(s + 1) >= length)
            return NOT_FOUND;
        (void)snprintf(out, length, "%s", s + 1);
        return 0;
    }
    return NOT_FOUND;
}

#ifndef FAKE_OLD
ULLONG(nvmlDeviceGetCurrentClocksEventReasons)
PAIR(nvmlDeviceGetMigMode)
PAIR(nvmlDeviceGetDriverModel_v2)
UINT(nvmlDeviceGetMaxMigDeviceCount)
UINT(nvmlDeviceGetGpuInstanceId)
UINT(nvmlDeviceGetComputeInstanceId)
UINT(nvmlDeviceGetArchitecture)
#ifdef FAKE_WIDE
#define ENTRY 32
/* the pair of symbols that gives such a driver away: this one, and no nvmlDeviceGetRunning-
 * ProcessDetailList */
API int nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t d, void *out);
API int nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t d, void *out)
{
    (void)d;
    (void)out;
    return NOT_SUPPORTED;
}
#else
#define ENTRY 24
LIST(nvmlDeviceGetComputeRunningProcesses_v2, "compute", 24)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, "graphics", 24)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v2, "mps", 24)
API int nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t d, void *out);
API int nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t d, void *out)
{
    (void)d;
    (void)out;
    return NOT_SUPPORTED;
}
API int nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t d, void *out);
API int nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t d, void *out)
{
    (void)d;
    (void)out;
    return NOT_SUPPORTED;
}
#endif
LIST(nvmlDeviceGetComputeRunningProcesses_v3, "compute", ENTRY)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics", ENTRY)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v3, "mps", ENTRY)

API int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned int index, nvmlDevice_t *out);
API int nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned int index, nvmlDevice_t *out)
{
    char unit[40];
    const char *symbol = "nvmlDeviceGetMigDeviceHandleByIndex";
    (void)snprintf(unit, sizeof(unit), "%s.%u", d->unit, index);
    *out = fake_handle(unit);
    return *out == NULL ? NOT_FOUND : fake_numbers(unit, symbol, symbol, NULL, 0);
}

typedef struct {
    unsigned int version;
    unsigned long long total;
    unsigned long long reserved;
    unsigned long long free;
    unsigned long long used;
} nvmlMemory_v2_t;

API int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t d, nvmlMemory_v2_t *out);
API int nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t d, nvmlMemory_v2_t *out)
{
    unsigned long long v[4] = {0};
    const char *symbol = "nvmlDeviceGetMemoryInfo_v2";
    int code = fake_numbers(d->unit, symbol, symbol, v, 4);
    if (out->version != 0x02000028)
        return VERSION_MISMATCH;
    if (code == 0) {
        out->total = v[0];
        out->reserved = v[1];
        out->free = v[2];
        out->used = v[3];
    }
    return code;
}

typedef struct {
    unsigned int version;
    int marginTemperature;
} nvmlMarginTemperature_t;

API int nvmlDeviceGetMarginTemperature(nvmlDevice_t d, nvmlMarginTemperature_t *out);
API int nvmlDeviceGetMarginTemperature(nvmlDevice_t d, nvmlMarginTemperature_t *out)
{
    int code = NOT_SUPPORTED;
    const char *symbol = "nvmlDeviceGetMarginTemperature";
    if (fake_misbehaves(symbol, &code))
        return code;
    const char *s = fake_find(d->unit, symbol, &code);
    if (s == NULL)
        return NOT_SUPPORTED;
    if (out->version != 0x01000008)
        return VERSION_MISMATCH;
    if (code == 0)
        out->marginTemperature = atoi(s);
    return code;
}

typedef struct {
    unsigned int multiprocessorCount;
    unsigned int sharedCopyEngineCount;
    unsigned int sharedDecoderCount;
    unsigned int sharedEncoderCount;
    unsigned int sharedJpegCount;
    unsigned int sharedOfaCount;
    unsigned int gpuInstanceSliceCount;
    unsigned int computeInstanceSliceCount;
    unsigned long long memorySizeMB;
} nvmlDeviceAttributes_t;

API int nvmlDeviceGetAttributes_v2(nvmlDevice_t d, nvmlDeviceAttributes_t *out);
API int nvmlDeviceGetAttributes_v2(nvmlDevice_t d, nvmlDeviceAttributes_t *out)
{
    unsigned long long v[4] = {0};
    const char *symbol = "nvmlDeviceGetAttributes_v2";
    int code = fake_numbers(d->unit, symbol, symbol, v, 4);
    if (code == 0) {
        memset(out, 0xa5, sizeof(*out));
        out->multiprocessorCount = (unsigned int)v[0];
        out->gpuInstanceSliceCount = (unsigned int)v[1];
        out->computeInstanceSliceCount = (unsigned int)v[2];
        out->memorySizeMB = v[3];
    }
    return code;
}
#endif
