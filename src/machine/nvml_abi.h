/* NVML's binary interface, declared here: NVIDIA's header is not needed to build, nor the library
 * to run. For nvml_call.c and nvml_lists.c alone, which run in the child that may be killed. */
#ifndef PL_MACHINE_NVML_ABI_H
#define PL_MACHINE_NVML_ABI_H

#include "machine/nvml.h"

#include <string.h>

typedef struct pl_nvml_device_st *pl_nvml_device; /* opaque */

/* Structures of nvml.h, by their documented layout (NVML API reference, "Struct Reference"). */
struct pl_nvml_memory_v1 {
    unsigned long long total, free, used;
};
struct pl_nvml_memory_v2 {
    unsigned int version; /* size | 2 << 24 */
    unsigned long long total, reserved, free, used;
};
struct pl_nvml_pci {
    char bus_id_legacy[16];
    unsigned int domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};
struct pl_nvml_attributes {
    unsigned int multiprocessors, copy, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices;
    unsigned long long memory_mib;
};
struct pl_nvml_margin {
    unsigned int version; /* size | 1 << 24 */
    int margin;
};
struct pl_nvml_process_v1 {
    unsigned int pid;
    unsigned long long used;
};
struct pl_nvml_process_v2 { /* of _v2 and _v3 */
    unsigned int pid;
    unsigned long long used;
    unsigned int gpu_instance, compute_instance;
};

#define PL_NVML_STRUCT_VERSION(type, version) ((unsigned int)(sizeof(type) | (version) << 24))

/* A driver that writes a longer structure than the one we know must not hit our stack. */
#define PL_NVML_SLACK 512

struct pl_nvml_session {
    void *library;
    int fd, error;
};

typedef int (*pl_nvml_fn_void)(void);
typedef int (*pl_nvml_fn_text)(pl_nvml_device, char *, unsigned int);
typedef int (*pl_nvml_fn_system_text)(char *, unsigned int);
typedef int (*pl_nvml_fn_process_name)(unsigned int, char *, unsigned int);
typedef int (*pl_nvml_fn_system_uint)(unsigned int *);
typedef int (*pl_nvml_fn_uint)(pl_nvml_device, unsigned int *);
typedef int (*pl_nvml_fn_uints)(pl_nvml_device, unsigned int *, unsigned int *);
typedef int (*pl_nvml_fn_uint_of)(pl_nvml_device, unsigned int, unsigned int *);
typedef int (*pl_nvml_fn_ullong)(pl_nvml_device, unsigned long long *);
typedef int (*pl_nvml_fn_struct)(pl_nvml_device, void *);
typedef int (*pl_nvml_fn_handle)(unsigned int, pl_nvml_device *);
typedef int (*pl_nvml_fn_mig_handle)(pl_nvml_device, unsigned int, pl_nvml_device *);
typedef int (*pl_nvml_fn_list)(pl_nvml_device, unsigned int *, void *);

/* dlsym gives an object pointer; POSIX lets it become a function pointer, ISO C has no cast. */
#define PL_NVML_FN(type, pointer, symbol)                                                          \
    type pointer = NULL;                                                                           \
    {                                                                                              \
        void *found_ = (symbol);                                                                   \
        memcpy(&pointer, &found_, sizeof(pointer));                                                \
    }

/* The function of that name, or NULL. */
void *pl_nvml_symbol(const struct pl_nvml_session *s, const char *name);

/* One line, in one write: a pipe keeps it whole. Control characters, which would end it early,
 * become
 * '?'. A failed write is kept in s->error. */
void pl_nvml_say(struct pl_nvml_session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* UNIT CALL CODE, and n numbers after a success. */
void pl_nvml_say_values(struct pl_nvml_session *s, const char *unit, const char *call, int code,
                        const uint64_t *value, int n);

/* A list of processes, in the newest form the library has: how many, then a line each. */
void pl_nvml_ask_list(struct pl_nvml_session *s, const char *unit, enum pl_nvml_call_id id,
                      pl_nvml_device device);

#endif
