#include "report/speed.h"

#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"

static bool pl_speed_known(struct pl_rate r)
{
    return r.source != PL_SOURCE_UNKNOWN;
}

/* "12.3 (10.1 .. 14.0)"; three figures are more than is known. */
static void pl_speed_range(struct pl_rate r, const char *unit, struct pl_str *out)
{
    if (r.likely >= 100)
        pl_str_addf(out, "%.0f %s (%.0f .. %.0f)", r.likely, unit, r.low, r.high);
    else if (r.likely < 10)
        pl_str_addf(out, "%.2f %s (%.2f .. %.2f)", r.likely, unit, r.low, r.high);
    else
        pl_str_addf(out, "%.1f %s (%.1f .. %.1f)", r.likely, unit, r.low, r.high);
}

static void pl_speed_line(const char *name, struct pl_rate r, const char *unit, struct pl_str *out)
{
    pl_str_addf(out, "%-9s", name);
    if (!pl_speed_known(r)) {
        pl_str_addf(out, "unknown: %s\n", r.why != NULL ? r.why : "nobody said");
        return;
    }
    pl_speed_range(r, unit, out);
    pl_str_addf(out, ", %s: %s\n", pl_source_name(r.source), r.why != NULL ? r.why : "");
}

static void pl_speed_depths_line(const struct pl_speed *s, struct pl_str *out)
{
    pl_str_add(out, "at depth ");
    for (uint32_t i = 0; i < s->n_depth; i++)
        pl_str_addf(out, "%s%llu: %.1f", i > 0 ? ", " : "", (unsigned long long)s->depth[i],
                    s->decode_at[i].likely);
    pl_str_add(out, " tokens/s");
    if (s->roof > 0)
        pl_str_addf(out, "; never above %.1f, what the bandwidth allows", s->roof);
    pl_str_add(out, "\n");
}

void pl_speed_text(const struct pl_speed *s, uint64_t slots, struct pl_str *out)
{
    if (!pl_speed_known(s->decode) && !pl_speed_known(s->prefill)) {
        pl_str_addf(out, "speed    unknown: %s\n", s->decode.why != NULL ? s->decode.why : "");
        return;
    }
    pl_speed_line("decode", s->decode, "tokens/s", out);
    if (pl_speed_known(s->decode) && s->n_depth > 0)
        pl_speed_depths_line(s, out);
    if (slots > 1 && pl_speed_known(s->decode_all)) {
        pl_str_addf(out, "slots    %llu answering at once: ", (unsigned long long)slots);
        pl_speed_range(s->decode_all, "tokens/s", out);
        pl_str_add(out, " together, assumed\n");
    }
    if (pl_speed_known(s->speculative))
        pl_str_addf(out, "drafting %.1f .. %.1f tokens/s, %s\n", s->speculative.low,
                    s->speculative.high, s->speculative.why);
    pl_speed_line("prefill", s->prefill, "tokens/s", out);
    if (pl_speed_known(s->first_token)) {
        pl_str_addf(out, "first    token of a prompt of %llu after ",
                    (unsigned long long)s->prompt);
        pl_speed_range(s->first_token, "s", out);
        pl_str_add(out, "\n");
    }
    if (pl_speed_known(s->load))
        pl_speed_line("load", s->load, "s", out);
}

void pl_speed_json(const struct pl_speed *s, struct pl_json *j, const char *key)
{
    pl_json_object(j, key);
    pl_json_rate(j, "prefill_tokens_per_second", s->prefill);
    pl_json_rate(j, "decode_tokens_per_second", s->decode);
    pl_json_rate(j, "decode_all_slots_tokens_per_second", s->decode_all);
    pl_json_rate(j, "decode_speculative_tokens_per_second", s->speculative);
    pl_json_rate(j, "time_to_first_token_seconds", s->first_token);
    pl_json_rate(j, "load_seconds", s->load);
    pl_json_u64(j, "prompt_tokens", s->prompt);
    if (s->roof > 0)
        pl_json_num(j, "roofline_tokens_per_second", s->roof);
    else
        pl_json_null(j, "roofline_tokens_per_second");
    pl_json_array(j, "decode_at");
    for (uint32_t i = 0; i < s->n_depth; i++) {
        pl_json_object(j, NULL);
        pl_json_u64(j, "depth", s->depth[i]);
        pl_json_rate(j, "tokens_per_second", s->decode_at[i]);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_array(j, "terms");
    for (uint32_t i = 0; i < s->n_term; i++) {
        pl_json_object(j, NULL);
        pl_json_str(j, "step", s->term[i].step);
        pl_json_str(j, "pool", s->term[i].pool);
        pl_json_num(j, "seconds", s->term[i].seconds);
        pl_json_str(j, "formula", s->term[i].formula);
        pl_json_str(j, "source", s->term[i].source);
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}

void pl_speed_why_text(const struct pl_speed *s, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"step", "in", ">ms", "how", "source", NULL};
    struct pl_table *t = s->n_term > 0 ? pl_table_new(titles) : NULL;
    if (t == NULL)
        return;
    pl_str_add(out, "\nspeed: the time of a step, share by share\n");
    for (uint32_t i = 0; i < s->n_term; i++) {
        pl_table_row(t);
        pl_table_cell(t, "%s", s->term[i].step);
        pl_table_cell(t, "%s", s->term[i].pool);
        pl_table_cell(t, "%.2f", s->term[i].seconds * 1e3);
        pl_table_cell(t, "%s", s->term[i].formula);
        pl_table_cell(t, "%s", s->term[i].source);
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}
