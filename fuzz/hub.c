/* Listings of the hub and manifests of Ollama's registry: any bytes give a list that keeps its
 * promises, or an error with words; the same bytes as names too. */
#include "base/str.h"
#include "model/hub_list.h"
#include "model/hub_open.h"
#include "model/ollama.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_file(const struct pl_hub_file *f)
{
    pl_fuzz_check(f->path[0] != '\0' && f->path[0] != '/' && strstr(f->path, "..") == NULL);
    for (const char *s = f->path; *s != '\0'; s++)
        pl_fuzz_check(*s >= ' ' && *s <= '~');
    pl_fuzz_check(f->sha256 == NULL || strlen(f->sha256) == 64);
}

static void pl_fuzz_list(const char *text, size_t n)
{
    static const char *const quants[] = {NULL, "", "q4_k_m", "F16", "x.gguf"};
    struct pl_hub_list list;
    struct pl_err err = {0};
    char words[100];
    int rc = pl_hub_list_parse(text, n, &list, &err);
    pl_fuzz_check(rc == 0 || (err.code == rc && err.what[0] != '\0'));
    for (uint32_t i = 0; rc == 0 && i < list.n; i++)
        pl_fuzz_file(&list.file[i]);
    for (size_t i = 0; rc == 0 && i < sizeof(quants) / sizeof(quants[0]); i++) {
        const struct pl_hub_file *f = pl_hub_choose(&list, quants[i]);
        pl_fuzz_check(f == NULL || (f >= list.file && f < list.file + list.n));
        if (f != NULL)
            (void)pl_hub_projector(&list, f);
    }
    pl_hub_quants(&list, words, sizeof(words));
    pl_fuzz_check(strlen(words) < sizeof(words));
    pl_hub_list_done(&list);
}

static void pl_fuzz_names(const char *text)
{
    struct pl_hub_spec hub;
    struct pl_ollama_name name;
    if (pl_hub_spec(text, &hub))
        pl_fuzz_check(strpbrk(hub.org, "/ :") == NULL && strpbrk(hub.repo, "/ :") == NULL &&
                      hub.org[0] != '.' && hub.repo[0] != '.');
    if (pl_ollama_name(text, &name))
        pl_fuzz_check(strchr(name.name, '/') == NULL && name.name[0] != '.' && name.tag[0] != '.' &&
                      name.space[0] != '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct pl_ollama_manifest m;
    struct pl_err err = {0};
    char *text = calloc(n + 1, 1);
    if (text == NULL)
        return 0;
    if (n > 0)
        memcpy(text, data, n);
    pl_fuzz_list(text, n);
    int rc = pl_ollama_manifest(text, n, &m, &err);
    pl_fuzz_check(rc == 0 ? strlen(m.model.sha256) == 64 : err.what[0] != '\0');
    pl_fuzz_names(text);
    free(text);
    return 0;
}
