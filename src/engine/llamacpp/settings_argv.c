/* The words that reproduce settings: the flag table read the other way round. */
#include "domain/tensor_type.h"
#include "engine/llamacpp/settings.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Collects the words; stops counting room when the table is full or memory is out. */
struct pl_words {
    struct pl_arena *a;
    const char **argv;
    int n;
    bool names_only; /* files by their names, for texts that are kept and compared */
    bool failed;
};

static void pl_word(struct pl_words *w, const char *word)
{
    char *copy = w->n + 1 < PL_FLAG_ARGV_MAX ? pl_arena_strdup(w->a, word) : NULL;
    if (copy == NULL)
        w->failed = true;
    else
        w->argv[w->n++] = copy;
}

static void pl_word_pair(struct pl_words *w, const char *flag, const char *value)
{
    pl_word(w, flag);
    pl_word(w, value);
}

static void pl_word_number(struct pl_words *w, const char *flag, int64_t v)
{
    char text[24];
    (void)PL_FMT(text, "%lld", (long long)v);
    pl_word_pair(w, flag, text);
}

/* "dir/a.gguf:0.5,dir/b.gguf:1" without the folders where files are kept by name. */
static void pl_word_files(struct pl_words *w, const char *flag, const char *value)
{
    struct pl_str names;
    if (!w->names_only) {
        pl_word_pair(w, flag, value);
        return;
    }
    pl_str_init(&names, 4096);
    for (const char *p = value; p != NULL;) {
        size_t len = strcspn(p, ",");
        const char *slash = memrchr(p, '/', len);
        const char *name = slash != NULL ? slash + 1 : p;
        pl_str_addn(&names, name, (size_t)(p + len - name));
        p = p[len] == ',' ? p + len + 1 : NULL;
        pl_str_add(&names, p != NULL ? "," : "");
    }
    pl_word_pair(w, flag, pl_str_get(&names));
    pl_str_done(&names);
}

static void pl_word_type(struct pl_words *w, const char *flag, uint32_t type)
{
    const struct pl_tensor_type *t = pl_tensor_type(type);
    char name[32] = "";
    for (size_t i = 0; t != NULL && t->name[i] != '\0' && i + 1 < sizeof(name); i++)
        name[i] = (char)tolower((unsigned char)t->name[i]);
    pl_word_pair(w, flag, name);
}

static void pl_word_of(struct pl_words *w, const struct pl_flag *f, int at)
{
    char text[40];
    const char *p = f->words;
    for (; at > 0 && p != NULL; at--) {
        p = strchr(p, '|');
        p = p != NULL ? p + 1 : NULL;
    }
    if (p != NULL && PL_FMT(text, "%.*s", (int)strcspn(p, "|"), p))
        pl_word_pair(w, f->names[0], text);
}

/* All that are sent elsewhere, in the order given: the first that matches decides. */
static void pl_word_overrides(struct pl_words *w, const struct pl_overrides *o, const char *text,
                              const char *experts, const char *n_experts, const char *n_ffn)
{
    for (uint32_t i = 0; i < o->n; i++) {
        const struct pl_override *one = &o->one[i];
        if (one->kind == PL_OVERRIDE_TEXT)
            pl_word_pair(w, text, one->text);
        else if (one->n == UINT64_MAX)
            pl_word(w, experts);
        else
            pl_word_number(w, one->kind == PL_OVERRIDE_EXPERTS ? n_experts : n_ffn,
                           (int64_t)one->n);
    }
}

static void pl_words_text(struct pl_words *w, const struct pl_flag *f, const void *at)
{
    const char *text = NULL;
    if (f->kind == PL_FLAG_TEXTS || f->kind == PL_FLAG_FILES) {
        const struct pl_texts *t = at;
        for (uint32_t i = 0; i < t->n; i++) {
            if (f->kind == PL_FLAG_FILES)
                pl_word_files(w, f->names[0], t->one[i]);
            else
                pl_word_pair(w, f->names[0], t->one[i]);
        }
        return;
    }
    memcpy(&text, at, sizeof(text));
    if (text != NULL && f->kind == PL_FLAG_FILE)
        pl_word_files(w, f->names[0], text);
    else if (text != NULL)
        pl_word_pair(w, f->names[0], text);
}

/* A switch is written when its field differs from the default and holds what it sets. */
static void pl_words_switch(struct pl_words *w, const struct pl_flag *f, const void *at,
                            const void *was)
{
    bool on, on_before;
    enum pl_tri tri, tri_before;
    if (f->kind == PL_FLAG_YES || f->kind == PL_FLAG_NO || f->kind == PL_FLAG_ONOFF) {
        memcpy(&on, at, sizeof(on));
        memcpy(&on_before, was, sizeof(on_before));
        if (on == on_before)
            return;
        if (f->kind == PL_FLAG_ONOFF)
            pl_word_pair(w, f->names[0], on ? "on" : "off");
        else if (on == (f->kind == PL_FLAG_YES))
            pl_word(w, f->names[0]);
        return;
    }
    memcpy(&tri, at, sizeof(tri));
    memcpy(&tri_before, was, sizeof(tri_before));
    if (tri == tri_before)
        return;
    if (f->kind == PL_FLAG_TRI)
        pl_word_pair(w, f->names[0], tri == PL_ON ? "on" : tri == PL_OFF ? "off" : "auto");
    else if (tri == (f->kind == PL_FLAG_TRI_ON ? PL_ON : PL_OFF))
        pl_word(w, f->names[0]);
}

static void pl_words_value(struct pl_words *w, const struct pl_flag *f, const void *at,
                           const void *was)
{
    int64_t v, before;
    uint32_t type, type_before;
    int word, word_before;
    switch (f->kind) {
    case PL_FLAG_U64:
    case PL_FLAG_I64:
    case PL_FLAG_LAYERS:
        memcpy(&v, at, sizeof(v));
        memcpy(&before, was, sizeof(before));
        if (v != before)
            pl_word_number(w, f->names[0], v);
        return;
    case PL_FLAG_TYPE:
        memcpy(&type, at, sizeof(type));
        memcpy(&type_before, was, sizeof(type_before));
        if (type != type_before)
            pl_word_type(w, f->names[0], type);
        return;
    case PL_FLAG_WORD:
        memcpy(&word, at, sizeof(word));
        memcpy(&word_before, was, sizeof(word_before));
        if (word != word_before)
            pl_word_of(w, f, word);
        return;
    case PL_FLAG_YES:
    case PL_FLAG_NO:
    case PL_FLAG_ONOFF:
    case PL_FLAG_TRI:
    case PL_FLAG_TRI_ON:
    case PL_FLAG_TRI_OFF:
        pl_words_switch(w, f, at, was);
        return;
    case PL_FLAG_TEXT:
    case PL_FLAG_FILE:
    case PL_FLAG_TEXTS:
    case PL_FLAG_FILES:
    case PL_FLAG_NUMBERS:
        pl_words_text(w, f, at);
        return;
    case PL_FLAG_BUFFERS: /* one row writes all three kinds, in their order */
        if (f->field == offsetof(struct pl_settings, overrides))
            pl_word_overrides(w, at, "-ot", "-cmoe", "-ncmoe", "-ncffn");
        else
            pl_word_overrides(w, at, "-otd", "-cmoed", "-ncmoed", "");
        return;
    case PL_FLAG_EXPERTS:
    case PL_FLAG_FFN:
    case PL_FLAG_PORT:
    case PL_FLAG_OLD:
    case PL_FLAG_PASS:
    case PL_FLAG_SERVE:
    case PL_FLAG_CANNOT:
    case PL_FLAG_REFUSE:
        return;
    }
}

static void pl_words_all(struct pl_words *w, const struct pl_settings *s)
{
    struct pl_settings d;
    pl_llamacpp_defaults(&d);
    for (const struct pl_flag *f = pl_llamacpp_flags(); f->names[0] != NULL; f++) {
        if (f->kind < PL_FLAG_OLD)
            pl_words_value(w, f, (const unsigned char *)s + f->field,
                           (const unsigned char *)&d + f->field);
    }
    for (uint32_t i = 0; i < s->n_pass; i++)
        pl_word(w, s->pass[i]);
}

int pl_llamacpp_argv(const struct pl_settings *s, struct pl_arena *a,
                     const char *argv[PL_FLAG_ARGV_MAX], struct pl_err *err)
{
    struct pl_words w = {.a = a, .argv = argv};
    pl_words_all(&w, s);
    if (w.failed)
        return pl_fail(err, -ENOMEM, "the engine's flags do not fit in memory");
    return w.n;
}

void pl_llamacpp_flags_text(const struct pl_settings *s, struct pl_str *out)
{
    const char *argv[PL_FLAG_ARGV_MAX];
    struct pl_arena a;
    pl_arena_init(&a, 64 * 1024);
    struct pl_words w = {.a = &a, .argv = argv, .names_only = true};
    pl_words_all(&w, s);
    if (w.failed)
        out->failed = true;
    for (int i = 0; i < w.n && !w.failed; i++)
        pl_str_addf(out, "%s%s", i > 0 ? " " : "", argv[i]);
    pl_arena_done(&a);
}
