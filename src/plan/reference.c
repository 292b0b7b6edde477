/* The key table as a JSON Schema and as Markdown. */
#include "base/json.h"
#include "plan/keys.h"

#define PL_REFERENCE_DEPTH_MAX 8u

static void pl_schema_keys(struct pl_json *j, const struct pl_key *table);

static void pl_schema_words(struct pl_json *j, const char *words)
{
    pl_json_array(j, "enum");
    while (*words != '\0') {
        char word[24];
        size_t n = 0;
        while (words[n] != '\0' && words[n] != '|')
            n++;
        (void)PL_FMT(word, "%.*s", (int)n, words);
        pl_json_str(j, NULL, word);
        words += n + (words[n] == '|');
    }
    pl_json_end(j);
}

/* A variable may stand for any single value. */
static void pl_schema_variable(struct pl_json *j)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "type", "string");
    pl_json_str(j, "pattern", "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}");
    pl_json_end(j);
}

static void pl_schema_typed(struct pl_json *j, const char *type)
{
    pl_json_object(j, NULL);
    pl_json_str(j, "type", type);
}

static void pl_schema_number(struct pl_json *j, const struct pl_key *k, bool whole)
{
    uint64_t unit = whole ? 1 : 1000;
    pl_schema_typed(j, whole ? "integer" : "number");
    pl_json_u64(j, "minimum", k->min / unit);
    if (k->max > 0)
        pl_json_u64(j, "maximum", k->max / unit);
    pl_json_end(j);
}

static void pl_schema_pattern(struct pl_json *j, const char *pattern)
{
    pl_schema_typed(j, "string");
    pl_json_str(j, "pattern", pattern);
    pl_json_end(j);
}

static void pl_schema_size(struct pl_json *j)
{
    pl_schema_typed(j, "integer");
    pl_json_u64(j, "minimum", 0);
    pl_json_end(j);
    pl_schema_pattern(j, "^[0-9]+(\\.[0-9]+)? *([KMGT]i?)?B?$");
}

static void pl_schema_table(struct pl_json *j, const struct pl_key *table)
{
    pl_schema_typed(j, "object");
    pl_schema_keys(j, table);
    pl_json_end(j);
}

static void pl_schema_choice(struct pl_json *j, const struct pl_key *k)
{
    pl_json_object(j, NULL);
    pl_schema_words(j, k->words);
    pl_json_end(j);
}

static void pl_schema_list(struct pl_json *j, const struct pl_key *k)
{
    pl_schema_typed(j, "array");
    pl_json_u64(j, "minItems", k->min > 0 ? k->min : 1);
    if (k->type == PL_K_LIST)
        pl_json_u64(j, "maxItems", k->max);
    pl_json_object(j, "items");
    if (k->type == PL_K_LIST) {
        pl_json_str(j, "type", "object");
        pl_schema_keys(j, k->sub);
    } else if (k->type == PL_K_CHOICES) {
        pl_schema_words(j, k->words);
    } else {
        pl_json_array(j, "type");
        pl_json_str(j, NULL, "string");
        pl_json_str(j, NULL, "number");
        pl_json_end(j);
    }
    pl_json_end(j);
    if (k->type == PL_K_CHOICES)
        pl_json_bool(j, "uniqueItems", true);
    pl_json_end(j);
}

static void pl_schema_named(struct pl_json *j, const struct pl_key *k)
{
    pl_schema_typed(j, "object");
    if (k->max > 0 && k->type == PL_K_NAMED)
        pl_json_u64(j, "maxProperties", k->max);
    pl_json_object(j, "additionalProperties");
    if (k->type == PL_K_COUNTS) {
        pl_json_str(j, "type", "integer");
        pl_json_u64(j, "minimum", 0);
    } else {
        pl_json_str(j, "type", "object");
        pl_schema_keys(j, k->sub);
    }
    pl_json_end(j);
    pl_json_end(j);
}

/* The forms a value may have, into an open "anyOf". */
static void pl_schema_forms(struct pl_json *j, const struct pl_key *k)
{
    switch (k->type) {
    case PL_K_TEXT:
    case PL_K_TEXTS:
        pl_schema_typed(j, "string");
        pl_json_end(j);
        pl_schema_typed(j, "number");
        pl_json_end(j);
        if (k->type == PL_K_TEXTS)
            pl_schema_list(j, k);
        break;
    case PL_K_NAME:
        pl_schema_pattern(j, "^[A-Za-z0-9_][A-Za-z0-9_.-]*$");
        break;
    case PL_K_UINT:
        pl_schema_number(j, k, true);
        break;
    case PL_K_NUMBER:
        pl_schema_number(j, k, false);
        break;
    case PL_K_BOOL:
        pl_schema_typed(j, "boolean");
        pl_json_end(j);
        break;
    case PL_K_SIZE:
        pl_schema_size(j);
        break;
    case PL_K_QUANTITY:
        pl_schema_size(j);
        pl_schema_table(j, pl_quantity_keys);
        break;
    case PL_K_TIME:
        pl_schema_pattern(j, "^[0-9]+(\\.[0-9]+)? *(us|ms|s)$");
        break;
    case PL_K_CHOICE:
        pl_schema_choice(j, k);
        break;
    case PL_K_CHOICES:
        pl_schema_choice(j, k);
        pl_schema_list(j, k);
        break;
    case PL_K_WANT:
        pl_schema_number(j, k, true);
        pl_schema_table(j, pl_want_keys);
        break;
    case PL_K_MAP:
        pl_schema_table(j, k->sub);
        break;
    case PL_K_NAMED:
    case PL_K_COUNTS:
        pl_schema_named(j, k);
        break;
    case PL_K_LIST:
        pl_schema_list(j, k);
        break;
    }
}

static void pl_schema_keys(struct pl_json *j, const struct pl_key *table)
{
    pl_json_object(j, "properties");
    for (const struct pl_key *k = table; k->name != NULL; k++) {
        bool holds = k->type == PL_K_MAP || k->type == PL_K_NAMED || k->type == PL_K_LIST ||
                     k->type == PL_K_COUNTS;
        pl_json_object(j, k->name);
        pl_json_str(j, "description", k->doc);
        if (k->absent != NULL)
            pl_json_str(j, "$comment", k->absent);
        pl_json_array(j, "anyOf");
        pl_schema_forms(j, k);
        if (!holds)
            pl_schema_variable(j);
        pl_schema_typed(j, "null");
        pl_json_end(j);
        pl_json_end(j);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_bool(j, "additionalProperties", false);
}

void pl_stack_schema(struct pl_str *out)
{
    struct pl_json j;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "$schema", "https://json-schema.org/draft/2020-12/schema");
    pl_json_str(&j, "title", "a stack file of plimsoll");
    pl_json_str(&j, "type", "object");
    pl_json_array(&j, "required");
    for (const struct pl_key *k = pl_stack_keys; k->name != NULL; k++) {
        if (k->needed)
            pl_json_str(&j, NULL, k->name);
    }
    pl_json_end(&j);
    pl_schema_keys(&j, pl_stack_keys);
    pl_json_end(&j);
}

static const char *pl_type_text(const struct pl_key *k)
{
    static const char *const words[] = {
        "text",
        "name",
        "whole number",
        "number",
        "true or false",
        "size",
        "size or {low, bytes, high}",
        "time",
        "",
        "",
        "text or list of texts",
        "number or {min, want}",
        "map",
        "NAME: map",
        "list of maps",
        "NAME: whole number",
    };
    return k->words != NULL ? k->words : words[k->type];
}

static void pl_reference_table(struct pl_str *out, const char *path, const struct pl_key *table,
                               uint32_t depth)
{
    pl_str_addf(out, "\n## %s\n\n| key | value | without it | |\n| --- | --- | --- | --- |\n",
                path);
    for (const struct pl_key *k = table; k->name != NULL; k++) {
        pl_str_addf(out, "| `%s` | ", k->name);
        for (const char *s = pl_type_text(k); *s != '\0'; s++)
            pl_str_addf(out, *s == '|' ? ", " : "%c", *s);
        if (k->type == PL_K_CHOICES)
            pl_str_add(out, ", or a list of them");
        pl_str_addf(out, " | %s | %s |\n",
                    k->needed           ? "an error"
                    : k->absent != NULL ? k->absent
                                        : "",
                    k->doc);
    }
    for (const struct pl_key *k = table; k->name != NULL && depth < PL_REFERENCE_DEPTH_MAX; k++) {
        char below[200];
        const char *part = k->type == PL_K_NAMED ? ".NAME" : k->type == PL_K_LIST ? "[]" : "";
        if (k->sub == NULL || pl_streq(k->name, "environments"))
            continue;
        (void)PL_FMT(below, "%s%s%s%s", depth > 0 ? path : "", depth > 0 ? "." : "", k->name, part);
        pl_reference_table(out, below, k->sub, depth + 1);
    }
}

void pl_stack_reference(struct pl_str *out)
{
    pl_str_add(
        out,
        "# Keys of a stack file\n\n"
        "Written by `plimsoll config keys` from the table that checks the files. Sizes say their\n"
        "unit: `5.5GiB` is binary, `5.5GB` decimal; a bare number is bytes. Any single value may\n"
        "hold `${VARIABLE}` or `${VARIABLE:-default}` (`$$` is a dollar sign); `plimsoll config\n"
        "show` says where each came from. An environment holds the same keys again and may\n"
        "inherit another: maps are merged key by key, everything else is replaced, and an empty\n"
        "value takes a key away.\n");
    pl_reference_table(out, "at the top", pl_stack_keys, 0);
}
