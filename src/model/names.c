#include "model/names.h"

#include "base/str.h"
#include "model/mix.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#define PL_NAME_MAX 96   /* longer names are no model's */
#define PL_NAME_WORDS 16 /* of one name; below the bits of a word */
#define PL_NAME_LISTED 6 /* choices that fit in a hint */

/* A name as its words, lower case: "Llama-3.1-8B" is "llama", "3.1", "8b". */
struct pl_name {
    char text[PL_NAME_MAX * 2];
    const char *word[PL_NAME_WORDS];
    uint32_t n;
};

static bool pl_name_said_of_all(const char *word)
{
    static const char *const all[] = {"gguf", "instruct", "chat",    "it",      "hf",
                                      "meta", "latest",   "imatrix", "unsloth", NULL};
    for (size_t i = 0; all[i] != NULL; i++) {
        if (all[i][0] == word[0] && pl_streq(all[i], word))
            return true;
    }
    return false;
}

/* The next word of *text that tells models apart, at most size - 1 bytes of it; its length, 0 at
 * the end. A word ends at a separator, and where digits follow letters: "qwen3" is "qwen", "3". */
static size_t pl_name_word(const char **text, char *word, size_t size)
{
    const char *s = *text;
    size_t n = 0;
    while (*s != '\0' && n == 0) {
        for (; isalnum((unsigned char)*s) || (*s == '.' && isdigit((unsigned char)s[1])); s++) {
            if (n > 0 && isdigit((unsigned char)*s) && isalpha((unsigned char)s[-1]))
                break;
            if (n + 1 < size)
                word[n++] = (char)tolower((unsigned char)*s);
        }
        word[n] = '\0';
        if (n == 0)
            s++;
        else if (pl_name_said_of_all(word))
            n = 0;
    }
    *text = s;
    return n;
}

static void pl_name_split(const char *text, struct pl_name *out)
{
    size_t at = 0, n = 0;
    out->n = 0;
    while (out->n < PL_NAME_WORDS && at + 2 < sizeof(out->text) &&
           (n = pl_name_word(&text, &out->text[at], sizeof(out->text) - at)) > 0) {
        out->word[out->n++] = &out->text[at];
        at += n + 1;
    }
}

/* Has `row` the words of `said`, in their order, and no others? Most rows end at the first. */
static bool pl_name_same(const struct pl_name *said, const char *row)
{
    char word[PL_NAME_MAX];
    uint32_t n = 0;
    for (; n < said->n; n++) {
        if (pl_name_word(&row, word, sizeof(word)) == 0 || !pl_streq(said->word[n], word))
            return false;
    }
    return n > 0 && (n == PL_NAME_WORDS || pl_name_word(&row, word, sizeof(word)) == 0);
}

/* Has `row` every word of `said`? */
static bool pl_name_within(const struct pl_name *said, const char *row)
{
    char word[PL_NAME_MAX];
    uint32_t seen = 0, all = (1u << said->n) - 1;
    while (seen != all && pl_name_word(&row, word, sizeof(word)) > 0) {
        for (uint32_t i = 0; i < said->n; i++)
            seen |= said->word[i][0] == word[0] && pl_streq(said->word[i], word) ? 1u << i : 0;
    }
    return seen == all && all > 0;
}

/* "q4" as people say it: the medium mix of so many bits. */
static const char *pl_name_mix(const char *text)
{
    static const char *const short_names[][2] = {
        {"q2", "q2_k"  },
        {"q3", "q3_k_m"},
        {"q4", "q4_k_m"},
        {"q5", "q5_k_m"},
        {"q6", "q6_k"  },
        {"q8", "q8_0"  },
    };
    for (size_t i = 0; i < sizeof(short_names) / sizeof(short_names[0]); i++) {
        if (strcasecmp(short_names[i][0], text) == 0)
            return short_names[i][1];
    }
    const struct pl_mix *mix = pl_mix_named(text);
    return mix != NULL ? mix->name : NULL;
}

/* Cuts ".gguf" and a quantisation off the end of text. */
static void pl_name_cut(char *text, char quant[PL_NAME_QUANT_MAX])
{
    size_t n = strlen(text);
    quant[0] = '\0';
    if (n > 5 && strcasecmp(text + n - 5, ".gguf") == 0)
        text[n - 5] = '\0';
    for (char *c = text; *c != '\0'; c++) {
        if (strchr("-:. /", *c) == NULL || pl_name_mix(c + 1) == NULL)
            continue;
        (void)pl_fmt(quant, PL_NAME_QUANT_MAX, "%s", pl_name_mix(c + 1));
        *c = '\0';
        return;
    }
}

static const char *pl_name_base(const char *repo)
{
    const char *slash = repo != NULL ? strrchr(repo, '/') : NULL;
    return slash != NULL ? slash + 1 : repo != NULL ? repo : "";
}

static bool pl_name_is_row(const struct pl_name *said, const struct pl_catalogue_row *row,
                           bool whole)
{
    const char *names[] = {row->id, row->display_name, pl_name_base(row->hf_repo)};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (whole ? pl_name_same(said, names[i]) : pl_name_within(said, names[i]))
            return true;
    }
    return false;
}

/* How many rows are meant; the first in *ret, their ids in list. */
static uint32_t pl_name_rows(const struct pl_name *said, bool whole,
                             const struct pl_catalogue_row **ret, char list[PL_ERR_HINT_MAX])
{
    size_t n_row = 0;
    const struct pl_catalogue_row *row = pl_catalogue(&n_row);
    uint32_t n = 0;
    list[0] = '\0';
    for (size_t i = 0; i < n_row; i++) {
        if (!pl_name_is_row(said, &row[i], whole))
            continue;
        size_t used = strlen(list);
        if (n < PL_NAME_LISTED)
            (void)pl_fmt(list + used, PL_ERR_HINT_MAX - used, "%s%s", n > 0 ? ", " : "", row[i].id);
        if (n++ == 0)
            *ret = &row[i];
    }
    return n;
}

int pl_name_resolve(const char *spec, const struct pl_catalogue_row **ret,
                    char ret_quant[PL_NAME_QUANT_MAX], struct pl_err *err)
{
    char text[PL_NAME_MAX], list[PL_ERR_HINT_MAX];
    struct pl_name said;
    /* what looks like a path is a file that is not there; a bare file's name may be a model's, when
     * all of it is */
    size_t length = strlen(spec);
    bool file = length > 5 && strcasecmp(spec + length - 5, ".gguf") == 0;
    if (spec[0] == '/' || spec[0] == '.' || spec[0] == '~' || !PL_FMT(text, "%s", spec) ||
        (file && strchr(spec, '/') != NULL))
        return -ENOENT;
    pl_name_cut(text, ret_quant);
    const struct pl_catalogue_row *exact = pl_catalogue_find(pl_name_base(text));
    if (exact != NULL) {
        *ret = exact;
        return 0;
    }
    pl_name_split(pl_name_base(text), &said);
    uint32_t n = pl_name_rows(&said, true, ret, list);
    if (n == 0 && !file && (said.n > 1 || (said.n == 1 && strlen(said.word[0]) > 2)))
        n = pl_name_rows(&said, false, ret, list);
    if (n == 1)
        return 0;
    if (n == 0)
        return -ENOENT;
    (void)pl_fail(err, -EINVAL, "%.80s: %u models of the catalogue have this name", spec, n);
    (void)pl_hint(err, "which of %.150s%s?", list, n > PL_NAME_LISTED ? " ..." : "");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}
