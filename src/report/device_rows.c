#include "report/device_rows.h"

#include "base/json.h"
#include "base/table.h"
#include "machine/device_data.h"
#include "report/json_unknown.h"

#include <string.h>

static bool pl_row_wanted(const struct pl_device_row *r, const char *word)
{
    return word == NULL || strcasestr(r->id, word) != NULL || strcasestr(r->name, word) != NULL;
}

static void pl_row_number(struct pl_table *t, double n, const char *unit)
{
    if (n < 0)
        pl_table_cell(t, "unknown");
    else
        pl_table_cell(t, "%g%s", n, unit);
}

uint32_t pl_device_rows_text(const char *word, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"Id",       "Name",       "Class", "Compute", ">Memory",
                                         "Kind",     ">Bandwidth", ">FP16", ">INT8",   ">Watts",
                                         "Released", "Source",     NULL};
    uint32_t n = 0, shown = 0;
    const struct pl_device_row *row = pl_device_rows(&n);
    struct pl_table *t = pl_table_new(titles);
    for (uint32_t i = 0; t != NULL && i < n; i++) {
        const struct pl_device_row *r = &row[i];
        if (!pl_row_wanted(r, word))
            continue;
        shown++;
        pl_table_row(t);
        pl_table_cell(t, "%s", r->id);
        pl_table_cell(t, "%s", r->name);
        pl_table_cell(t, "%s", r->class);
        pl_table_cell(t, "%s", r->compute_capability[0] != '\0' ? r->compute_capability : "-");
        pl_row_number(t, r->memory_gib, " GiB");
        pl_table_cell(t, "%s", r->memory_kind);
        pl_row_number(t, r->bandwidth_gbs, " GB/s");
        pl_row_number(t, r->fp16_tflops_dense, " TFLOPS");
        pl_row_number(t, r->int8_tops_dense, " TOPS");
        pl_table_cell(t, "%s", r->tdp_w[0] != '\0' ? r->tdp_w : "unknown");
        pl_table_cell(t, "%s", r->released);
        pl_table_cell(t, "%.60s", r->source);
    }
    if (t != NULL && shown > 0)
        pl_table_print(t, out, colour);
    (void)pl_table_free(t);
    if (shown == 0)
        pl_str_addf(out, "no device of that name among %u\n", n);
    return shown;
}

static void pl_json_known(struct pl_json *j, const char *key, double n)
{
    if (n < 0)
        pl_json_null(j, key);
    else
        pl_json_num(j, key, n);
}

static void pl_json_yes(struct pl_json *j, const char *key, double n)
{
    if (n < 0)
        pl_json_null(j, key);
    else
        pl_json_bool(j, key, n > 0);
}

uint32_t pl_device_rows_json(const char *word, struct pl_str *out)
{
    uint32_t n = 0, shown = 0;
    const struct pl_device_row *row = pl_device_rows(&n);
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.devices/1");
    pl_json_array(&j, "devices");
    for (uint32_t i = 0; i < n; i++) {
        const struct pl_device_row *r = &row[i];
        if (!pl_row_wanted(r, word))
            continue;
        shown++;
        pl_json_object(&j, NULL);
        pl_json_str(&j, "id", r->id);
        pl_json_str(&j, "vendor", r->vendor);
        pl_json_str(&j, "name", r->name);
        pl_json_str(&j, "class", r->class);
        pl_json_word(&j, "pci_ids", r->pci_ids);
        pl_json_word(&j, "architecture", r->arch);
        pl_json_word(&j, "compute_capability", r->compute_capability);
        pl_json_known(&j, "memory_gib", r->memory_gib);
        pl_json_str(&j, "memory_kind", r->memory_kind);
        pl_json_known(&j, "bandwidth_gb_per_second", r->bandwidth_gbs);
        pl_json_known(&j, "fp32_tflops", r->fp32_tflops);
        pl_json_known(&j, "fp16_tflops_dense", r->fp16_tflops_dense);
        pl_json_known(&j, "int8_tops_dense", r->int8_tops_dense);
        pl_json_yes(&j, "bf16_native", r->bf16_native);
        pl_json_yes(&j, "fp8_native", r->fp8_native);
        pl_json_word(&j, "pcie", r->pcie);
        pl_json_word(&j, "tdp_watts", r->tdp_w);
        pl_json_known(&j, "throttle_celsius", r->throttle_c);
        pl_json_word(&j, "released", r->released);
        pl_json_str(&j, "source", r->source);
        pl_json_end(&j);
    }
    pl_json_end(&j);
    pl_json_end(&j);
    return shown;
}
