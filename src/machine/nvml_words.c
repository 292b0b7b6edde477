/* NVML's codes and bits in words. */
#include "machine/nvml.h"

#include <stdio.h>
#include <string.h>

/* nvmlReturn_t, by value; the words follow NVIDIA's API reference. */
static const char *const pl_nvml_code_words[] = {
    [0] = "success",
    [1] = "the library is not initialised",
    [2] = "invalid argument",
    [3] = "not supported",
    [4] = "no permission",
    [6] = "not found",
    [7] = "the buffer is too small",
    [8] = "external power is not connected",
    [9] = "the driver is not loaded",
    [10] = "timed out",
    [11] = "an interrupt of the device is in trouble",
    [12] = "the library is missing",
    [13] = "this driver does not have the call",
    [14] = "the device's own record (infoROM) is damaged",
    [15] = "the device is lost: it fell off the bus",
    [16] = "the device needs a reset",
    [17] = "blocked by the operating system or a control group",
    [18] = "library and driver are of different versions: restart after an update",
    [19] = "the device is in use",
    [20] = "no memory",
    [21] = "no data",
    [23] = "no resources",
    [25] = "this driver does not know the structure",
    [26] = "no longer supported",
    [27] = "not ready",
    [28] = "no devices were found",
    [29] = "in no state to answer",
};

const char *pl_nvml_code_text(int code)
{
    if (code == PL_NVML_NO_SYMBOL)
        return pl_nvml_code_words[PL_NVML_FUNCTION_NOT_FOUND];
    size_t n = sizeof(pl_nvml_code_words) / sizeof(pl_nvml_code_words[0]);
    if (code >= 0 && (size_t)code < n && pl_nvml_code_words[code] != NULL)
        return pl_nvml_code_words[code];
    return "an error of the driver";
}

enum pl_state pl_nvml_code_state(int code)
{
    switch (code) {
    case PL_NVML_NO_SYMBOL:
    case PL_NVML_NOT_SUPPORTED:
    case PL_NVML_FUNCTION_NOT_FOUND:
    case PL_NVML_VERSION_MISMATCH:
    case PL_NVML_DEPRECATED:
        return PL_STATE_UNSUPPORTED;
    case PL_NVML_NO_PERMISSION:
    case PL_NVML_OPERATING_SYSTEM:
        return PL_STATE_NO_PERMISSION;
    default:
        return PL_STATE_PLAIN;
    }
}

void pl_nvml_reasons_text(uint64_t bits, char *out, size_t size)
{
    /* nvmlClocksEventReasons*, from the lowest bit on */
    static const char *const words[] = {
        "idle",
        "application clocks",
        "software power cap",
        "hardware slowdown",
        "sync boost",
        "software thermal slowdown",
        "hardware thermal slowdown",
        "hardware power brake",
        "display clock",
    };
    size_t n = sizeof(words) / sizeof(words[0]);
    (void)pl_fmt(out, size, "%s", bits == 0 ? "none" : "");
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(out);
        if ((bits >> i & 1) != 0)
            (void)pl_fmt(out + at, size - at, "%s%s", at > 0 ? ", " : "", words[i]);
    }
    size_t at = strlen(out);
    if (bits >> n != 0)
        (void)pl_fmt(out + at, size - at, "%s0x%llx", at > 0 ? ", " : "",
                     (unsigned long long)(bits >> n << n));
}
