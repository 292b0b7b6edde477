#include "model/open.h"

#include "base/str.h"
#include "model/catalogue.h"
#include "model/hub.h"
#include "model/hub_open.h"
#include "model/names.h"
#include "model/ollama.h"
#include "model/reader.h"
#include "model/remote.h"
#include "model/safetensors.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define PL_OPEN_ENTRIES_MAX 100000u /* of a folder that are looked at */
#define PL_OPEN_LISTED_MAX 4u       /* files that fit in a hint */

/* A JSON file of a checkpoint stands for the checkpoint. */
static int pl_open_file(const char *path, struct pl_model **ret, struct pl_err *err)
{
    if (pl_ends(path, ".safetensors.index.json") || pl_streq(path, "config.json") ||
        pl_ends(path, "/config.json"))
        return pl_safetensors_read(path, ret, err);
    return pl_model_read(path, ret, err);
}

/* A checkpoint's folder is the model. Of others the .gguf files are named: the user is one word
 * away from what was meant. */
static int pl_open_folder(const char *path, struct pl_model **ret, struct pl_err *err)
{
    char list[PL_ERR_HINT_MAX] = "", inside[PATH_MAX];
    if (pl_safetensors_folder(path, inside, sizeof(inside)))
        return pl_safetensors_read(inside, ret, err);
    uint64_t found = 0;
    (void)pl_fail(err, -EISDIR, "%.200s: is a folder, not a model file", path);
    DIR *dir = opendir(path);
    for (uint32_t i = 0; dir != NULL && i < PL_OPEN_ENTRIES_MAX; i++) {
        const struct dirent *e = readdir(dir);
        if (e == NULL)
            break;
        if (e->d_name[0] == '.' || !pl_ends(e->d_name, ".gguf"))
            continue;
        size_t used = strlen(list);
        if (found++ < PL_OPEN_LISTED_MAX)
            (void)pl_fmt(list + used, sizeof(list) - used, "%s%s", used > 0 ? ", " : "", e->d_name);
    }
    if (dir != NULL)
        (void)closedir(dir);
    if (found > PL_OPEN_LISTED_MAX)
        (void)pl_hint(err, "it holds %llu .gguf files: %.140s ...", (unsigned long long)found,
                      list);
    else if (found > 0)
        (void)pl_hint(err, "it holds %.180s", list);
    else
        (void)pl_hint(err, "it holds no .gguf and no .safetensors file");
    return pl_exit_as(err, -EISDIR, PL_EXIT_USAGE);
}

static int pl_open_unknown(const char *spec, const char *id, struct pl_err *err)
{
    char near[PL_ERR_HINT_MAX / 2];
    pl_catalogue_nearest(id, near, sizeof(near));
    (void)pl_fail(err, -ENOENT, "%.120s: no such file, and no such model in the catalogue", spec);
    if (near[0] != '\0')
        (void)pl_hint(err, "did you mean %s?", near);
    else
        (void)pl_hint(err,
                      "MODEL is a .gguf file, an https:// address of one, or a catalogue id such "
                      "as qwen3-8b:q4_k_m");
    return pl_exit_as(err, -ENOENT, PL_EXIT_USAGE);
}

static int pl_open_catalogue(const char *spec, const char *quant_unsaid, struct pl_model **ret,
                             struct pl_err *err)
{
    char id[64];
    const char *colon = strchr(spec, ':');
    size_t n = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
    if (!PL_FMT(id, "%.*s", (int)(n < sizeof(id) ? n : sizeof(id) - 1), spec))
        id[0] = '\0';
    const struct pl_catalogue_row *row = n < sizeof(id) ? pl_catalogue_find(id) : NULL;
    if (row != NULL)
        return pl_catalogue_model(row, colon != NULL ? colon + 1 : quant_unsaid, ret, err);
    char quant[PL_NAME_QUANT_MAX];
    int rc = pl_name_resolve(spec, &row, quant, err);
    if (rc == -ENOENT)
        return pl_open_unknown(spec, id, err);
    return rc < 0 ? rc : pl_catalogue_model(row, quant[0] != '\0' ? quant : quant_unsaid, ret, err);
}

static int pl_open_url(const char *spec, const struct pl_open_options *o, struct pl_model **ret,
                       struct pl_err *err)
{
    char url[PL_URL_MAX], token[PL_HUB_TOKEN_MAX];
    if (!pl_hub_file_url(spec, url)) {
        (void)pl_fail(err, -ENAMETOOLONG, "the address is too long");
        return pl_exit_as(err, -ENAMETOOLONG, PL_EXIT_USAGE);
    }
    bool own = pl_hub_token_for(url, token);
    const struct pl_remote_options remote = {
        .offline = o->offline, .token = own ? token : NULL, .stop = o->stop};
    int rc = pl_remote_read(url, &remote, ret, err);
    explicit_bzero(token, sizeof(token));
    return rc;
}

/* "ORG/REPO-GGUF" needs no "hf:": no file and no catalogue id has such a name. */
static bool pl_open_is_hub(const struct pl_hub_spec *s)
{
    size_t n = strlen(s->repo);
    return n > 4 && strcasecmp(s->repo + n - 4, "gguf") == 0;
}

static int pl_open_no_name(const char *spec, const char *form, struct pl_err *err)
{
    (void)pl_fail(err, -EINVAL, "%.120s: not of the form %s", spec, form);
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

/* A name on the hub or in Ollama's registry; 1: it is none. */
static int pl_open_named(const char *spec, const struct pl_open_options *o, struct pl_model **ret,
                         struct pl_err *err)
{
    struct pl_hub_spec hub;
    struct pl_ollama_name ollama;
    bool said = pl_starts(spec, "hf:");
    if (pl_hub_spec(said ? spec + 3 : spec, &hub) && (said || pl_open_is_hub(&hub)))
        return pl_hub_open(&hub, o, ret, err);
    if (said)
        return pl_open_no_name(spec, "hf:ORG/REPO[:QUANT]", err);
    if (!pl_starts(spec, "ollama:"))
        return 1;
    if (!pl_ollama_name(spec + 7, &ollama))
        return pl_open_no_name(spec, "ollama:NAME[:TAG]", err);
    return pl_ollama_open(&ollama, o, ret, err);
}

int pl_model_open_with(const char *spec, const struct pl_open_options *o, struct pl_model **ret,
                       struct pl_err *err)
{
    static const struct pl_open_options none;
    struct stat st;
    int rc = 0;
    o = o != NULL ? o : &none;
    if (stat(spec, &st) == 0)
        return S_ISDIR(st.st_mode) ? pl_open_folder(spec, ret, err) : pl_open_file(spec, ret, err);
    if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) {
        int code = -errno;
        (void)pl_fail(err, code, "%.160s: %s", spec, strerror(-code));
        return pl_exit_as(err, code, PL_EXIT_ENVIRONMENT);
    }
    if (pl_starts(spec, "https://") || pl_starts(spec, "http://"))
        return pl_open_url(spec, o, ret, err);
    rc = pl_open_named(spec, o, ret, err);
    return rc <= 0 ? rc : pl_open_catalogue(spec, o->quant, ret, err);
}

int pl_model_open(const char *spec, struct pl_model **ret, struct pl_err *err)
{
    return pl_model_open_with(spec, NULL, ret, err);
}
