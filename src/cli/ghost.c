/* plimsoll ghost: the stand-in file. */
#include "model/ghost.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/model.h"
#include "cli/verbs.h"
#include "model/edit.h"
#include "model/whisper.h"
#include "sys/file.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t pl_ghost_stopped;

static void pl_ghost_stop(int signal_number)
{
    (void)signal_number;
    pl_ghost_stopped = 1;
}

/* Signals that end the work tidily; a file limit is an error of write(), not a death. */
static void pl_ghost_signals(void)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction a = {.sa_handler = pl_ghost_stop}, had;
    (void)sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        /* what the parent ignores (nohup, a background job) stays ignored */
        if (sigaction(stops[i], NULL, &had) == 0 && had.sa_handler != SIG_IGN)
            (void)sigaction(stops[i], &a, NULL);
    }
    a.sa_handler = SIG_IGN;
    (void)sigaction(SIGXFSZ, &a, NULL);
}

static int pl_ghost_progress(void *ctx, uint64_t done, uint64_t total)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    uint64_t *shown = ctx;
    /* a line per 1/200 of the work is smooth enough */
    if (total > 0 && done - *shown >= total / 200) {
        pl_progress("writing %s of %s", pl_size_text(done, a), pl_size_text(total, b));
        *shown = done;
    }
    return pl_ghost_stopped != 0 ? 1 : 0;
}

struct pl_ghost_report {
    const struct pl_model *m;
    const char *path;
    const struct pl_ghost_options *o;
    struct pl_ghost_written w;
    double seconds;
};

static void pl_ghost_json(const struct pl_ghost_report *r, struct pl_str *out)
{
    struct pl_json j;
    bool random = r->o->fill == PL_FILL_RANDOM;
    pl_json_start(&j, out, true);
    pl_json_object(&j, NULL);
    pl_json_str(&j, "schema", "plimsoll.ghost/1");
    pl_json_str(&j, "file", r->path);
    pl_json_str(&j, "ghost_of", r->m->path);
    pl_json_object(&j, "model");
    pl_json_str(&j, "name", r->m->name);
    pl_json_str(&j, "architecture", r->m->arch);
    pl_json_u64(&j, "parameters", pl_model_parameters(r->m));
    pl_json_u64(&j, "file_bytes", r->m->file_bytes);
    pl_json_str(&j, "file_type", pl_model_file_type(r->m));
    pl_json_end(&j);
    pl_json_u64(&j, "bytes", r->w.bytes);
    pl_json_u64(&j, "disk_bytes", r->w.disk_bytes);
    pl_json_u64(&j, "weight_bytes", r->w.weight_bytes);
    pl_json_u64(&j, "tensors", r->w.n_tensor);
    pl_json_str(&j, "fill", random ? "random" : "zero");
    if (random)
        pl_json_u64(&j, "seed", r->o->seed);
    else
        pl_json_null(&j, "seed");
    pl_json_bool(&j, "sparse", !random && !r->w.no_holes);
    pl_json_bool(&j, "synthetic_tokenizer", r->w.synthetic_tokenizer);
    pl_json_num(&j, "seconds", r->seconds);
    pl_json_end(&j);
    pl_str_add(out, "\n");
}

static void pl_ghost_text(const struct pl_ghost_report *r, struct pl_str *out)
{
    char size[PL_SIZE_TEXT_MAX];
    bool random = r->o->fill == PL_FILL_RANDOM;
    pl_str_addf(out, "%s: ghost of %s (%s)\n", r->path, r->m->path, r->m->name);
    pl_str_addf(out, "  length     %s, %llu bytes\n", pl_size_text(r->w.bytes, size),
                (unsigned long long)r->w.bytes);
    pl_str_addf(out, "  on disk    %s\n", pl_size_text(r->w.disk_bytes, size));
    pl_str_addf(out, "  weights    %s in %llu tensors, ", pl_size_text(r->w.weight_bytes, size),
                (unsigned long long)r->w.n_tensor);
    if (random)
        pl_str_addf(out, "random (seed %llu)\n", (unsigned long long)r->o->seed);
    else
        pl_str_add(out, "all zero\n");
    pl_str_addf(out, "  tokenizer  %s\n",
                r->w.synthetic_tokenizer ? "synthetic: one token per byte" : "the model's own");
    pl_str_addf(out, "  time       %.2f s\n", r->seconds);
    if (r->w.no_holes)
        pl_str_add(out, "note: this file system keeps no holes, so the zeros take disk space\n");
    if (!random)
        pl_str_add(out, "note: zeros are right for memory; use --fill random to measure speed\n");
}

/* The lines of a file, applied to the header. */
static int pl_ghost_edit(struct pl_model *m, const char *path, struct pl_err *err)
{
    struct pl_str text;
    pl_str_init(&text, PL_EDIT_TEXT_MAX);
    int rc = pl_file_text(path, &text, err);
    if (rc == 0)
        rc = pl_model_edit(m, pl_str_get(&text), text.len,
                           pl_streq(path, "-") ? "standard input" : path, err);
    else
        (void)pl_exit_as(err, rc, PL_EXIT_USAGE);
    pl_str_done(&text);
    return rc;
}

static int pl_ghost_verb_run(struct pl_cli *cli, struct pl_err *err)
{
    const char *path = pl_cli_opt(cli, "output")->text;
    const struct pl_opt_value *fill = pl_cli_opt(cli, "fill");
    const struct pl_opt_value *seed = pl_cli_opt(cli, "seed");
    uint64_t shown = 0;
    const struct pl_ghost_options o = {
        .fill = fill->given && pl_streq(fill->text, "random") ? PL_FILL_RANDOM : PL_FILL_ZERO,
        .seed = seed->given ? seed->u : PL_GHOST_SEED,
        .force = pl_cli_opt(cli, "force")->given,
        .progress = pl_ghost_progress,
        .ctx = &shown,
    };
    if (path == NULL || path[0] == '\0') {
        (void)pl_fail(err, -EINVAL, "ghost: where to? -o FILE is missing");
        (void)pl_hint(err, "usage: plimsoll ghost MODEL -o FILE");
        return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
    }
    struct pl_model *m = NULL;
    int rc = pl_whisper_spec(cli->arg[0]) ? pl_cli_model_any(cli, cli->arg[0], NULL, &m, err)
                                          : pl_cli_model(cli, cli->arg[0], NULL, &m, err);
    if (rc < 0)
        return rc;
    struct pl_ghost_report r = {.m = m, .path = path, .o = &o};
    const char *edits = pl_cli_opt(cli, "edit")->text;
    if (edits != NULL && m->format != NULL) {
        (void)pl_fail(err, -ENOTSUP, "--edit: only the header of a GGUF model can be changed");
        (void)pl_model_free(m);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_USAGE);
    }
    rc = edits != NULL ? pl_ghost_edit(m, edits, err) : 0;
    if (rc < 0) {
        (void)pl_model_free(m);
        return rc;
    }
    const struct pl_clock *clock = pl_clock_real();
    uint64_t begin = pl_now_ns(clock);
    pl_ghost_signals();
    rc = pl_ghost_write(m, path, &o, &r.w, err);
    r.seconds = (double)(pl_now_ns(clock) - begin) / (double)PL_S_NS;
    pl_progress_done();
    if (rc == 0 && cli->json)
        pl_ghost_json(&r, &cli->out);
    else if (rc == 0)
        pl_ghost_text(&r, &cli->out);
    (void)pl_model_free(m);
    return rc < 0 ? rc : PL_EXIT_YES;
}

static const struct pl_opt pl_ghost_opts[] = {
    {"output",                                      'o', PL_OPT_PATH, "FILE", "where to write it (needed)"},
    {"fill",                                  '\0', PL_OPT_CHOICE, "zero|random", "content of the weights; zero takes no disk"},
    {"seed",                 '\0', PL_OPT_NUMBER, "N", "of the random fill: the same seed, the same bytes"},
    {"edit",                                        '\0', PL_OPT_PATH, "FILE",
     "change the header first: 'set KEY VALUE', 'shape NAME N...' and the like"},
    {"force",                                '\0', PL_OPT_FLAG, NULL, "overwrite a file that is not a ghost"},
    PL_CLI_MODEL_OPTS,
    {0},
};

static const char *const pl_ghost_examples[] = {
    "plimsoll ghost qwen3-8b:q4_k_m -o ghost.gguf   # 4.7 GiB long, a few MiB on disk",
    "plimsoll ghost model.gguf -o ghost.gguf --fill random",
    "plimsoll ghost whisper-small:q5_1 -o ghost.bin   # for whisper.cpp",
    "echo 'set llama.context_length 1048576' | plimsoll ghost model.gguf -o long.gguf --edit -",
    0,
};

const struct pl_verb pl_verb_ghost = {
    .name = "ghost",
    .args = "MODEL -o FILE",
    .summary = "write a stand-in model file: true header, no weights",
    .details =
        "An engine loads a ghost as it loads the real file, and needs the same memory. Of a\n"
        "GGUF file, here or on the network, keys and tokenizer are kept; of a catalogue model the\n"
        "tokenizer is made up. Of a model of whisper.cpp the filters and words too. A split model "
        "becomes one file. The weights are a hole (right for "
        "memory), or random\n"
        "numbers (right for speed; takes the disk space of the real file).\n"
        "\n"
        "With --edit the header is changed first, for a model that nobody has yet. A line is one "
        "of:\n"
        "  set KEY VALUE          a number, true, false, or a list 1,2,3\n"
        "  unset KEY              without it\n"
        "  shape NAME N [N...]    lengths of a tensor; * in NAME is any layer's number\n"
        "  type NAME TYPE         its element type\n"
        "  copy PREFIX PREFIX     tensors once more under another name: copy blk.0. blk.4.\n"
        "  drop NAME              tensors of that name, or beginning so, away\n"
        "The engine decides whether such a model loads; it says which shape it expected.",
    .examples = pl_ghost_examples,
    .opts = pl_ghost_opts,
    .args_min = 1,
    .args_max = 1,
    .run = pl_ghost_verb_run,
};
