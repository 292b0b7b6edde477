#include "cli/accuracy_peers.h"

#include "base/table.h"
#include "sys/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PL_PEERS_TEXT_MAX (4u * 1024u * 1024u)
#define PL_PEERS_ROWS_MAX 4096
#define PL_PEERS_COLUMNS 16 /* bench/accuracy, measure() */

/* Places of the figures in a row, from 0. */
enum { PL_AT_OURS = 3, PL_AT_LOW, PL_AT_HIGH, PL_AT_HELD };
static const int pl_peer_at[PL_PEERS] = {PL_AT_OURS, 10, 12, 14};
static const char *const pl_peer_names[PL_PEERS] = {"plimsoll", "llama-fit-params",
                                                    "node-llama-cpp v1", "node-llama-cpp v2"};

struct pl_peers_room {
    double error[PL_PEERS][PL_PEERS_ROWS_MAX], width[PL_PEERS_ROWS_MAX];
    uint32_t n[PL_PEERS];
};

/* A column; NAN for "-" and for the 0 of a program that said nothing. */
static double pl_peers_number(const char *text)
{
    double v = 0;
    return pl_parse_double(text, &v) && v > 0 && isfinite(v) ? v : (double)NAN;
}

static bool pl_peers_line(char *line, struct pl_peers_room *room, struct pl_peers *ret)
{
    const char *column[PL_PEERS_COLUMNS] = {0};
    int n = 0;
    for (char *p = line; p != NULL && n < PL_PEERS_COLUMNS; n++) {
        column[n] = p;
        p = strchr(p, '\t');
        if (p != NULL)
            *p++ = '\0';
    }
    if (n < PL_PEERS_COLUMNS || ret->rows >= PL_PEERS_ROWS_MAX)
        return false;
    double held = pl_peers_number(column[PL_AT_HELD]), low = pl_peers_number(column[PL_AT_LOW]);
    double high = pl_peers_number(column[PL_AT_HIGH]), ours = pl_peers_number(column[PL_AT_OURS]);
    if (isnan(held) || isnan(low) || isnan(high) || isnan(ours) || low > high)
        return false;
    ret->rows++;
    ret->score[PL_PEER_OURS].held += low <= held && held <= high;
    room->width[room->n[PL_PEER_OURS]] = (high - low) / ours;
    for (int i = 0; i < PL_PEERS; i++) {
        double v = pl_peers_number(column[pl_peer_at[i]]);
        if (!isnan(v))
            room->error[i][room->n[i]++] = (v - held) / held;
    }
    return true;
}

static int pl_peers_parse(const char *path, const char *text, struct pl_peers_room *room,
                          struct pl_peers *ret, struct pl_err *err)
{
    uint32_t number = 0;
    char line[1024];
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        number++;
        bool fits = len < sizeof(line);
        (void)pl_fmt(line, sizeof(line), "%.*s", (int)(fits ? len : 0), text);
        text += len + (text[len] == '\n');
        if (fits && pl_peers_line(line, room, ret))
            continue;
        (void)pl_fail(err, -EINVAL, "not a row of bench/accuracy --keep");
        pl_err_at(err, path, number, 0);
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    return 0;
}

int pl_peers_read(const char *path, struct pl_peers *ret, struct pl_err *err)
{
    struct pl_str text;
    *ret = (struct pl_peers){.interval = true};
    struct pl_peers_room *room = calloc(1, sizeof(*room));
    if (room == NULL)
        return pl_fail(err, -ENOMEM, "no memory for the rows");
    pl_str_init(&text, PL_PEERS_TEXT_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_peers_parse(path, pl_str_get(&text), room, ret, err);
    double *unused = rc == 0 ? calloc(PL_PEERS_ROWS_MAX, sizeof(*unused)) : NULL;
    for (int i = 0; unused != NULL && i < PL_PEERS; i++)
        pl_score_of(room->error[i], unused, i == PL_PEER_OURS ? room->width : unused, room->n[i],
                    &ret->score[i]);
    if (rc == 0 && unused == NULL)
        rc = pl_fail(err, -ENOMEM, "no memory for the rows");
    free(unused);
    free(room);
    pl_str_done(&text);
    return rc;
}

void pl_peers_text(const struct pl_peers *p, bool colour, struct pl_str *out)
{
    static const char *const titles[] = {"estimator", ">n",    ">|error|", ">95th",
                                         ">bias",     ">held", ">width",   0};
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    pl_str_addf(out, "\nbeside others: memory held by the server, %u runs\n", p->rows);
    for (int i = 0; i < PL_PEERS; i++) {
        const struct pl_score *s = &p->score[i];
        pl_table_row(t);
        pl_table_cell(t, "%s", pl_peer_names[i]);
        pl_table_cell(t, "%u", s->n);
        if (s->n == 0) {
            pl_table_cell(t, "not run");
            continue;
        }
        pl_table_cell(t, "%.1f %%", 100 * s->median);
        pl_table_cell(t, "%.1f %%", 100 * s->p95);
        pl_table_cell(t, "%+.1f %%", 100 * s->bias);
        pl_table_cell(t, i == PL_PEER_OURS ? "%.0f %%" : "none", 100.0 * s->held / s->n);
        pl_table_cell(t, i == PL_PEER_OURS ? "%.1f %%" : "none", 100 * s->width);
    }
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

void pl_peers_json(const struct pl_peers *p, struct pl_json *j, const char *key)
{
    pl_json_array(j, key);
    for (int i = 0; i < PL_PEERS; i++) {
        const struct pl_score *s = &p->score[i];
        pl_json_object(j, NULL);
        pl_json_str(j, "estimator", pl_peer_names[i]);
        pl_json_u64(j, "n", s->n);
        const char *const names[] = {"median_error", "p95_error", "bias"};
        const double value[] = {s->median, s->p95, s->bias};
        for (int k = 0; k < 3; k++) {
            if (s->n > 0)
                pl_json_num(j, names[k], value[k]);
            else
                pl_json_null(j, names[k]);
        }
        if (i == PL_PEER_OURS && s->n > 0) {
            pl_json_num(j, "intervals_that_held", (double)s->held / s->n);
            pl_json_num(j, "median_width", s->width);
        } else {
            pl_json_null(j, "intervals_that_held");
            pl_json_null(j, "median_width");
        }
        pl_json_end(j);
    }
    pl_json_end(j);
}
