#include "model/hub.h"

#include "base/str.h"
#include "sys/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *pl_hub_endpoint(char out[PL_URL_MAX])
{
    const char *own = getenv("HF_ENDPOINT");
    bool use = own != NULL && pl_url_ok(own);
    (void)pl_fmt(out, PL_URL_MAX, "%s", use ? own : PL_HUB_ENDPOINT);
    for (size_t n = strlen(out); n > 0 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return out;
}

/* A token is one word of plain characters; anything else would spoil the request's header. */
static bool pl_hub_word(const char *text, char out[PL_HUB_TOKEN_MAX])
{
    text += strspn(text, " \t\r\n");
    size_t n = strcspn(text, " \t\r\n");
    if (n == 0 || n >= PL_HUB_TOKEN_MAX || text[n + strspn(text + n, " \t\r\n")] != '\0')
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '!' || text[i] > '~')
            return false;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

static bool pl_hub_token_file(const char *path, char out[PL_HUB_TOKEN_MAX])
{
    struct pl_str text;
    pl_str_init(&text, 2 * PL_HUB_TOKEN_MAX);
    bool ok = pl_file_text(path, &text, NULL) == 0 && pl_hub_word(pl_str_get(&text), out);
    if (text.data != NULL)
        explicit_bzero(text.data, text.len);
    pl_str_done(&text);
    return ok;
}

bool pl_hub_token(char out[PL_HUB_TOKEN_MAX])
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && pl_hub_word(value, out))
            return true;
    }
    const char *file = getenv("HF_TOKEN_PATH"), *hub = getenv("HF_HOME");
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (file != NULL && file[0] != '\0')
        return pl_hub_token_file(file, out);
    if (hub != NULL && hub[0] != '\0')
        return PL_FMT(path, "%s/token", hub) && pl_hub_token_file(path, out);
    if (xdg != NULL && xdg[0] == '/' && PL_FMT(path, "%s/huggingface/token", xdg) &&
        pl_hub_token_file(path, out))
        return true;
    return home != NULL && PL_FMT(path, "%s/.cache/huggingface/token", home) &&
           pl_hub_token_file(path, out);
}

static bool pl_hub_is(const char *url)
{
    char endpoint[PL_URL_MAX];
    return pl_url_same_origin(url, pl_hub_endpoint(endpoint)) ||
           pl_url_same_origin(url, PL_HUB_ENDPOINT) || pl_url_same_origin(url, "https://hf.co");
}

bool pl_hub_token_for(const char *url, char out[PL_HUB_TOKEN_MAX])
{
    return pl_hub_is(url) && pl_hub_token(out);
}

bool pl_hub_file_url(const char *url, char out[PL_URL_MAX])
{
    const char *blob = pl_hub_is(url) ? strstr(url, "/blob/") : NULL;
    if (blob == NULL)
        return pl_fmt(out, PL_URL_MAX, "%s", url);
    return pl_fmt(out, PL_URL_MAX, "%.*s/resolve/%s", (int)(blob - url), url, blob + 6);
}
