/* man/plimsoll.1 in the man macros, from the option tables: what --help says, and what all verbs
 * share. */
#include "cli/verb.h"
#include "engine/llamacpp/settings.h"

#include <string.h>

/* The page's date: that of the last change to what is written here by hand. */
#define PL_MAN_DATE "2026-11-21"

#define PL_MAN_COLUMN 70 /* where running text is broken; only the source of the page shows it */

/* Adds n characters of text as roff text: no character of it is taken for markup. Running text may
 * be broken at blanks, a title or a kept line may not. */
static void pl_man_chars(struct pl_str *out, const char *s, size_t n, bool running)
{
    size_t column = 0;
    for (size_t i = 0; i < n; i++, column++) {
        bool at_start = out->len == 0 || pl_str_get(out)[out->len - 1] == '\n';
        if (at_start)
            column = 0;
        if (at_start && (s[i] == '.' || s[i] == '\''))
            pl_str_add(out, "\\&");
        if (running && s[i] == ' ' && column >= PL_MAN_COLUMN)
            pl_str_add(out, "\n");
        else if (s[i] == '\\')
            pl_str_add(out, "\\e");
        else if (s[i] == '-')
            pl_str_add(out, "\\-");
        else
            pl_str_addn(out, s + i, 1);
    }
}

/* Within a line of markup. */
static void pl_man_word(struct pl_str *out, const char *s)
{
    pl_man_chars(out, s, strlen(s), false);
}

/* Running text, ended with a line break. */
static void pl_man_text(struct pl_str *out, const char *s)
{
    pl_man_chars(out, s, strlen(s), true);
    pl_str_add(out, "\n");
}

/* Paragraphs as the help writes them: an empty line parts two, indented lines stay as they are. */
static void pl_man_paragraphs(struct pl_str *out, const char *s)
{
    bool kept = false, gap = false;
    while (*s != '\0') {
        size_t n = strcspn(s, "\n");
        bool keep = n > 0 && s[0] == ' ';
        if (n > 0 && keep != kept)
            pl_str_add(out, keep ? ".PP\n.nf\n" : ".fi\n.PP\n");
        else if (n > 0 && gap && keep)
            pl_str_add(out, "\\&\n");
        else if (n > 0 && gap)
            pl_str_add(out, ".PP\n");
        if (n > 0) {
            kept = keep;
            pl_man_chars(out, s, n, !keep);
            pl_str_add(out, "\n");
        }
        gap = n == 0;
        s += n + (s[n] == '\n' ? 1 : 0);
    }
    if (kept)
        pl_str_add(out, ".fi\n");
}

static void pl_man_head(struct pl_str *out)
{
    pl_str_add(out, ".\\\" made by 'plimsoll completion man' from the option tables\n"
                    ".TH PLIMSOLL 1 " PL_MAN_DATE " \"plimsoll " PL_VERSION "\" \"User Commands\"\n"
                    ".SH NAME\n"
                    "plimsoll \\- the load line for local AI: predict, run, measure, remember\n"
                    ".SH SYNOPSIS\n");
    pl_str_add(out, ".B plimsoll\n[\\fICOMMAND\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]]\n");
    pl_str_add(out, ".SH DESCRIPTION\n");
    pl_man_text(out,
                "Says what an AI model needs of a machine's memory before it is loaded, runs it "
                "on a real engine, measures what happened, and keeps both. Every number says "
                "where it comes from: measured, derived, declared or assumed. What is not "
                "known is printed as unknown, never as 0.");
    pl_str_add(out, ".PP\n");
    pl_man_text(out, "Bytes are shown in binary units (GiB, MiB); where a vendor's decimal unit is "
                     "meant, as GB. Sizes are read in both, with their unit: 5.5GiB, 512MiB, 6GB.");
}

static void pl_man_option(const struct pl_opt *o, struct pl_str *out)
{
    pl_str_add(out, ".TP\n\\fB");
    if (o->letter != '\0') {
        pl_str_addf(out, "\\-%c", o->letter);
        pl_str_add(out, "\\fR, \\fB");
    }
    pl_str_add(out, "\\-\\-");
    pl_man_word(out, o->name);
    pl_str_add(out, "\\fR");
    if (o->kind != PL_OPT_FLAG) {
        pl_str_add(out, " \\fI");
        pl_man_word(out, o->arg);
        pl_str_add(out, "\\fR");
    }
    pl_str_add(out, "\n");
    pl_man_text(out, o->help);
}

static void pl_man_examples(const struct pl_verb *verb, struct pl_str *out)
{
    pl_str_add(out, ".PP\nFor example:\n.PP\n.nf\n.RS 4\n");
    for (const char *const *e = verb->examples; *e != NULL; e++) {
        pl_man_word(out, *e);
        pl_str_add(out, "\n");
    }
    pl_str_add(out, ".RE\n.fi\n");
}

static void pl_man_verb(const struct pl_verb *verb, struct pl_str *out)
{
    pl_str_add(out, ".SS plimsoll ");
    pl_man_word(out, verb->name);
    if (verb->args[0] != '\0') {
        pl_str_add(out, " ");
        pl_man_word(out, verb->args);
    }
    pl_str_add(out, "\n");
    pl_man_text(out, verb->summary);
    if (verb->details != NULL) {
        pl_str_add(out, ".PP\n");
        pl_man_paragraphs(out, verb->details);
    }
    for (const struct pl_opt *o = verb->opts; o->name != NULL; o++)
        pl_man_option(o, out);
    if (verb->engine_flags)
        pl_str_add(out, ".PP\nThe flags under ENGINE FLAGS are taken too.\n");
    pl_man_examples(verb, out);
}

static void pl_man_flags(struct pl_str *out)
{
    pl_str_add(out, ".SH ENGINE FLAGS\n");
    pl_man_text(out, "Settings of the engine are given with its own flags, as llama-server spells "
                     "them. The environment variable named last sets the same; a flag wins.");
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (f->help == NULL)
            continue;
        pl_str_add(out, ".TP\n");
        for (int k = 0; k < PL_FLAG_NAMES_MAX && f->names[k] != NULL; k++) {
            pl_str_add(out, k > 0 ? ", \\fB" : "\\fB");
            pl_man_word(out, f->names[k]);
            pl_str_add(out, "\\fR");
        }
        if (f->arg != NULL) {
            pl_str_add(out, " \\fI");
            pl_man_word(out, f->arg);
            pl_str_add(out, "\\fR");
        }
        pl_str_add(out, "\n");
        pl_man_text(out, f->help);
        if (f->env != NULL)
            pl_str_addf(out, "[%s]\n", f->env);
    }
}

struct pl_man_row {
    const char *term, *text;
};

static void pl_man_rows(struct pl_str *out, const char *title, const struct pl_man_row *row)
{
    pl_str_addf(out, ".SH %s\n", title);
    for (; row->term != NULL; row++) {
        pl_str_add(out, ".TP\n.B ");
        pl_man_word(out, row->term);
        pl_str_add(out, "\n");
        pl_man_text(out, row->text);
    }
}

static const struct pl_man_row pl_man_exits[] = {
    {"0",      "yes: it fits, it is done"                                                           },
    {"1",      "no: it does not fit, a limit was broken"                                            },
    {"2",      "bad usage or bad input; the message names file, line and column where there are any"},
    {"3",      "cannot tell: a needed fact is unknown"                                              },
    {"4",      "the environment failed: an engine is missing, a port is taken, a permission is lacking, "
          "a disk is full"                                                                 },
    {"of run",
     "the status of the command it ran, 128 and the signal's number when one ended it; 125 when it "
     "was not started because it does not fit, 126 when it cannot be run, 127 when it is not "
     "found"                                                                                        },
    {NULL,     NULL                                                                                 },
};

static const struct pl_man_row pl_man_environment[] = {
    {"PLIMSOLL_CATALOGUE",                                             "tables of your own models, a colon between them"            },
    {"PLIMSOLL_LEDGER",                                                "file of the ledger, instead of the one under FILES"         },
    {"PLIMSOLL_ENGINE",
     "the engine to use: a llama-server, a folder with one, or an engines folder"                                                   },
    {"PLIMSOLL_ENGINES",                                               "folder of engines, as 'make engines' makes it"              },
    {"PLIMSOLL_NVML_LIBRARY",                                          "NVIDIA's library to ask, instead of libnvidia-ml.so.1"      },
    {"PLIMSOLL_NVML_TIMEOUT_MS",                                       "how long that library may take before it is stopped; 5000"  },
    {"PLIMSOLL_MODELS",
     "folder of your models: its disk is told, and 'pull' of an address puts files there; else "
     "$HOME/models where there is one"                                                                                              },
    {"PLIMSOLL_OFFLINE, HF_HUB_OFFLINE",
     "ask nothing of the network, as --offline does; when set and not 0"                                                            },
    {"PLIMSOLL_ENDPOINTS",
     "what 'assess' tries to connect to, as --endpoint; blanks or commas between"                                                   },
    {"PLIMSOLL_OLLAMA_REGISTRY",                                       "address of the registry of ollama: names"                   },
    {"HF_TOKEN, HUGGING_FACE_HUB_TOKEN, HF_TOKEN_PATH",
     "your token of the Hugging Face hub, or the file that holds it"                                                                },
    {"HF_ENDPOINT",                                                    "another address of the hub"                                 },
    {"HF_HOME, HF_HUB_CACHE",                                          "where the hub's own tools keep models and token"            },
    {"OLLAMA_MODELS",                                                  "Ollama's store"                                             },
    {"OLLAMA_HOST",                                                    "where its server answers, for 'run' of what it serves"      },
    {"LLAMA_CACHE",                                                    "where llama.cpp keeps what it fetched"                      },
    {"https_proxy, no_proxy",
     "proxies, as curl(1) reads them; engines on this machine are asked without"                                                    },
    {"LLAMA_ARG_*",                                                    "llama-server's own variables, read as it reads them"        },
    {"CUDA_VISIBLE_DEVICES",                                           "told of, where it hides devices; nothing else is made of it"},
    {"NO_COLOR",                                                       "no colour, when set and not empty"                          },
    {"TMPDIR",                                                         "where captures are unpacked; /tmp when it is unset"         },
    {"XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME, XDG_CACHE_HOME",
     "bases of the files below; $HOME/.config, $HOME/.local/share, $HOME/.local/state and "
     "$HOME/.cache when they are unset"                                                                                             },
    {NULL,                                                             NULL                                                         },
};

static const struct pl_man_row pl_man_files[] = {
    {"$XDG_CONFIG_HOME/plimsoll/models.tsv",
     "your own models beside those of the catalogue, or instead: the first line names columns of "
     "data/models.tsv, one line a model, tabs between"                                    },
    {"$XDG_DATA_HOME/plimsoll/ledger.db",
     "the ledger: every run, predicted beside measured (an SQLite database)"              },
    {"$XDG_DATA_HOME/plimsoll/machines",         "machines kept by name, one file each"   },
    {"$XDG_DATA_HOME/plimsoll/models",           "what 'pull' fetched from an address, without a folder of "
                                       "your own"   },
    {"$XDG_DATA_HOME/plimsoll/engines",          "engines, as 'make engines' makes them"  },
    {"$XDG_STATE_HOME/plimsoll/last-failed.log",
     "the last words of a command that failed under 'run', for 'why'; yours alone to read"},
    {"$XDG_STATE_HOME/plimsoll/trials",          "lists of trials that were broken off"   },
    {"$XDG_CACHE_HOME/plimsoll",
     "ghosts of models that 'try' ran, and headers of remote models; delete it at will"   },
    {NULL,                                       NULL                                     },
};

void pl_help_man(struct pl_str *out)
{
    pl_man_head(out);
    pl_str_add(out, ".SH COMMANDS\n");
    pl_man_text(out, "Without a command: this machine, what fits, what to do next. Every command "
                     "takes --json (one JSON object on stdout instead of text) and -h, --help.");
    for (size_t i = 0; pl_verbs[i] != NULL; i++)
        pl_man_verb(pl_verbs[i], out);
    pl_man_flags(out);
    pl_man_rows(out, "EXIT STATUS", pl_man_exits);
    pl_man_rows(out, "ENVIRONMENT", pl_man_environment);
    pl_man_rows(out, "FILES", pl_man_files);
    pl_str_add(out, ".SH SEE ALSO\n.BR llama-server (1)\n");
}
