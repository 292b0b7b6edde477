/* A dump of CPUID registers: any text gives words of the table, and nothing the system has not
 * switched on. */
#include "machine/cpu.h"
#include "machine/cpu_cpuid.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_cpuid c;
    static struct pl_cpu cpu;
    char model[128], again[128];
    char *text = malloc(n + 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    text[n] = '\0';
    c.live = false;
    c.n_row = 0;
    for (char *line = text; line != NULL;) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        (void)pl_cpuid_line(line, &c);
        line = end;
    }
    free(text);
    pl_fuzz_check(c.n_row <= PL_CPUID_ROWS_MAX);
    pl_cpu_isa_cpuid(&c, cpu.isa, sizeof(cpu.isa));
    if (pl_cpuid_xcr0(&c) == 0)
        pl_fuzz_check(!pl_cpu_has(&cpu, "avx") && !pl_cpu_has(&cpu, "amx_tile"));
    pl_cpuid_model(&c, model, sizeof(model));
    (void)PL_FMT(again, "%s", model);
    pl_text_clean(again);
    pl_fuzz_check(strcmp(model, again) == 0 && strstr(model, "  ") == NULL);
    return 0;
}
