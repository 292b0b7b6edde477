/* Failures of real programs (tests/replay/why): engine, numbers and class as people who knew the
 * case found them; and again with the rules of each case's engine left out, so that only the words
 * many programs use are left. Texts were cut by who collected them: numbers that are not in the
 * text are not asked for. */
#include "test.h"

#include "base/json.h"
#include "why/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES_MAX 256

struct tally {
    unsigned cases, engine, class, numbers, numbers_asked, fatal_found;
};

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1u << 20);
    assert_non_null(text);
    *len = fread(text, 1, (1u << 20) - 1, f);
    (void)fclose(f);
    return text;
}

/* Where PLIMSOLL_SOURCE is; the tests get it from meson. */
static char *read_file(const char *name, size_t *len)
{
    char path[4096];
    const char *source = getenv("PLIMSOLL_SOURCE");
    (void)snprintf(path, sizeof(path), "%s/tests/replay/why/%s", source != NULL ? source : ".",
                   name);
    return slurp(path, len);
}

/* "id\tengine\tclass" */
static void expected(const char *table, const char *id, char engine[32], char class[32])
{
    size_t n = strlen(id);
    engine[0] = class[0] = '\0';
    for (const char *p = table; p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, id, n) == 0 && p[n] == '\t')
            assert_int_equal(sscanf(p + n + 1, "%31s %31s", engine, class), 2);
        if (*p == '\0')
            break;
    }
    assert_true(class[0] != '\0');
}

/* Is the number in the text at all? The collectors took some from elsewhere in the report. */
static const char *const absent[] = {
    "bnb-dispatch.total",
    "docker-137.limit",
    "jetson-ollama-killed.total",
    "jetson-ollama-killed.used",
    "pod-137-hostcache.limit",
    "vault-mlock.limit",
    "jetson-cma.requested_pages",    /* the same request in pages */
    "llama-py-wsl-pinned.requested", /* ggml divides by 1024 * 1024 and writes MB */
    NULL,
};

static bool in_text(const char *id, const char *name)
{
    char both[128];
    (void)snprintf(both, sizeof(both), "%s.%s", id, name);
    for (size_t i = 0; absent[i] != NULL; i++)
        if (strcmp(absent[i], both) == 0)
            return false;
    return true;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= (b * 1e-9 > 1 ? b * 1e-9 : 1);
}

static bool number_right(const struct pl_oom *o, const char *name, double want)
{
    enum pl_oom_number n = pl_oom_number_of(name);
    if (n < PL_OOM_NUMBERS)
        return pl_known(o->n[n]) &&
               near((double)o->n[n].likely / (n >= PL_OOM_FIRST_PERCENT ? 100 : 1), want);
    for (uint32_t i = 0; i < o->n_request && strcmp(name, "requested_2") == 0; i++)
        if (near((double)o->request[i].likely, want))
            return true;
    for (uint32_t i = 0; i < o->n_other && strncmp(name, "other_process", 13) == 0; i++)
        if (near((double)o->other[i].bytes.likely, want))
            return true;
    return false;
}

static void one(pl_jval c, const char *table, bool generic, struct tally *t)
{
    const char *id = pl_jstr(pl_jget(c, "id"), ""), *text = pl_jstr(pl_jget(c, "text"), "");
    pl_jval numbers = pl_jget(c, "numbers");
    char engine[32], class[32];
    struct pl_whylog *l = NULL;
    expected(table, id, engine, class);
    assert_int_equal(pl_whylog_new(generic ? engine : NULL, &l, NULL), 0);
    pl_whylog_feed(l, text, strlen(text));
    pl_whylog_end(l);
    const struct pl_oom *o = pl_whylog_failure(l);
    bool engine_ok = o != NULL && strcmp(o->engine, engine) == 0;
    bool class_ok = o != NULL && strcmp(pl_oom_class_name(o->class), class) == 0;
    t->cases++;
    t->engine += engine_ok;
    t->class += class_ok;
    t->fatal_found += o != NULL && pl_oom_is_memory(o->class);
    for (const char *k = pl_jnext(numbers, NULL); k != NULL; k = pl_jnext(numbers, k)) {
        double want = 0;
        if (!in_text(id, k) || !pl_jnum(pl_jget(numbers, k), &want))
            continue;
        bool ok = o != NULL && number_right(o, k, want);
        t->numbers_asked++;
        t->numbers += ok;
        if (!ok && !generic)
            print_message("# %s: %s is not %.0f\n", id, k, want);
    }
    if (!generic && (!engine_ok || !class_ok))
        print_message("# %s: %s %s, not %s %s\n", id, o != NULL ? o->engine : "-",
                      o != NULL ? pl_oom_class_name(o->class) : "-", engine, class);
    l = pl_whylog_free(l);
}

static struct tally all(bool generic)
{
    size_t len, table_len;
    char *text = read_file("oom_corpus.jsonl", &len),
         *table = read_file("expected.tsv", &table_len);
    struct tally t = {0};
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        struct pl_jdoc *doc = NULL;
        struct pl_err err = {0};
        if (pl_jdoc_parse(line, strlen(line), "corpus", &doc, &err) != 0)
            fail_msg("line %u, column %u: %s", t.cases + 1, err.col, err.what);
        one(pl_jdoc_root(doc), table, generic, &t);
        doc = pl_jdoc_free(doc);
    }
    free(text);
    free(table);
    print_message(
        "# %s: of %u cases engine %u, class %u, a memory failure seen in %u; numbers %u of %u\n",
        generic ? "its engine's rules left out" : "all rules", t.cases, t.engine, t.class,
        t.fatal_found, t.numbers, t.numbers_asked);
    return t;
}

static void with_rules(void **state)
{
    (void)state;
    struct tally t = all(false);
    assert_true(t.cases >= 70);
    assert_true(t.engine * 100 >= t.cases * 95);
    assert_true(t.class * 100 >= t.cases * 95);
    assert_true(t.numbers * 100 >= t.numbers_asked * 95);
}

/* An engine nobody wrote a rule for: most are still seen, and half the numbers find their place. */
static void without_rules(void **state)
{
    (void)state;
    struct tally t = all(true);
    assert_true(t.fatal_found * 100 >= t.cases * 80);
    assert_true(t.numbers * 100 >= t.numbers_asked * 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_rules),
        cmocka_unit_test(without_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
