/* NVML's lists of processes: three versions, and a fourth layout. */
#include "machine/nvml_abi.h"

#include <stdlib.h>

#define PL_NVML_PROCESSES_MAX 1024 /* entries of one list */
#define PL_NVML_TRIES 4            /* a list that grows while it is read */

/* Bytes of one entry of a list. Some drivers of the R535 series answer _v3 with entries that end in
 * eight more bytes (protected memory of confidential computing). They are those that have the call
 * for the sizes of such memory and not yet the list that replaced the longer entries. */
static size_t pl_nvml_entry(const struct pl_nvml_session *s, const char *version)
{
    if (version[0] == '\0')
        return sizeof(struct pl_nvml_process_v1);
    if (pl_streq(version, "_v3") &&
        pl_nvml_symbol(s, "nvmlDeviceGetConfComputeMemSizeInfo") != NULL &&
        pl_nvml_symbol(s, "nvmlDeviceGetRunningProcessDetailList") == NULL)
        return sizeof(struct pl_nvml_process_v2) + sizeof(unsigned long long);
    return sizeof(struct pl_nvml_process_v2);
}

static void pl_nvml_say_process(struct pl_nvml_session *s, const char *unit, const char *kind,
                                const unsigned char *entry, bool v1)
{
    struct pl_nvml_process_v2 p = {.gpu_instance = UINT32_MAX, .compute_instance = UINT32_MAX};
    char name[PL_NVML_SLACK] = "";
    memcpy(&p, entry, v1 ? sizeof(struct pl_nvml_process_v1) : sizeof(p));
    void *symbol = pl_nvml_symbol(s, "nvmlSystemGetProcessName");
    if (symbol != NULL) {
        PL_NVML_FN(pl_nvml_fn_process_name, fn, symbol)
        if (fn(p.pid, name, 256) != PL_NVML_SUCCESS)
            name[0] = '\0';
        name[256] = '\0';
    }
    pl_nvml_say(s, "%s process %s %u %llu %u %u%s%s", unit, kind, p.pid, p.used,
                v1 ? UINT32_MAX : p.gpu_instance, v1 ? UINT32_MAX : p.compute_instance,
                name[0] != '\0' ? " " : "", name);
}

void pl_nvml_ask_list(struct pl_nvml_session *s, const char *unit, enum pl_nvml_call_id id,
                      pl_nvml_device device)
{
    static const char *const versions[] = {"_v3", "_v2", ""};
    const char *base = pl_nvml_calls[id].symbol;
    const char *kind = id == PL_NVML_PROCESSES_COMPUTE    ? "compute"
                       : id == PL_NVML_PROCESSES_GRAPHICS ? "graphics"
                                                          : "mps";
    char call[PL_NVML_CALL_TEXT_MAX];
    void *symbol = NULL;
    size_t v = 0;
    for (; symbol == NULL && v < sizeof(versions) / sizeof(versions[0]); v++) {
        (void)PL_FMT(call, "%s%s", base, versions[v]);
        symbol = pl_nvml_symbol(s, call);
    }
    if (symbol == NULL) {
        pl_nvml_say(s, "%s %s %d", unit, base, PL_NVML_NO_SYMBOL);
        return;
    }
    v--;
    size_t entry = pl_nvml_entry(s, versions[v]);
    /* room for entries of twice the size: another layout we do not know stays inside */
    unsigned char *list = calloc(PL_NVML_PROCESSES_MAX, 2 * entry);
    unsigned int n = 0, room = list != NULL ? 64 : 0;
    int code = PL_NVML_INSUFFICIENT_SIZE;
    PL_NVML_FN(pl_nvml_fn_list, fn, symbol)
    for (int i = 0; list != NULL && code == PL_NVML_INSUFFICIENT_SIZE && i < PL_NVML_TRIES; i++) {
        n = room;
        code = fn(device, &n, list);
        room = n > room && n < PL_NVML_PROCESSES_MAX / 2 ? n * 2 : PL_NVML_PROCESSES_MAX;
    }
    uint64_t count = n;
    pl_nvml_say_values(s, unit, call, code, &count, 1);
    for (unsigned int i = 0; code == PL_NVML_SUCCESS && i < n && i < PL_NVML_PROCESSES_MAX; i++)
        pl_nvml_say_process(s, unit, kind, list + i * entry, versions[v][0] == '\0');
    free(list);
}
