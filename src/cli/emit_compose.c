/* A file of docker compose: a service for each process, started when the one before is healthy. */
#include "cli/emit.h"
#include "cli/plan_found.h"

#include "base/units.h"

#include <ctype.h>
#include <string.h>

#define PL_IN_CONTAINER "/models"
#define PL_MOUNTS_MAX 16u

/* Folders of the files that a process names, each seen from inside as PL_IN_CONTAINER and, from the
 * second on, its number. */
struct pl_mounts {
    const char *folder[PL_MOUNTS_MAX]; /* begins the path of a file ... */
    size_t len[PL_MOUNTS_MAX];         /* ... this much of it, its last slash too */
    uint32_t n;
};

/* "STT_IMAGE" of "stt": the variable that names the image of a component of one's own. */
static void pl_image_variable(const char *name, struct pl_str *s)
{
    for (; *name != '\0'; name++)
        pl_str_addc(s, isalnum((unsigned char)*name) ? (char)toupper((unsigned char)*name) : '_',
                    1);
    pl_str_add(s, "_IMAGE");
}

static void pl_compose_image(const struct pl_emit_process *p, struct pl_str *s)
{
    if (p->llama) {
        pl_str_addf(s, "    image: \"${%s:-ghcr.io/ggml-org/llama.cpp:%s}\"\n",
                    p->device ? "LLAMA_GPU_IMAGE" : "LLAMA_IMAGE",
                    p->device ? "server-cuda" : "server");
        return;
    }
    pl_str_add(s, "    image: \"${PLIMSOLL_");
    pl_image_variable(p->name, s);
    pl_str_add(s, ":?the image that serves this component}\"\n");
}

/* The folder of the model's file is mounted, read-only. */
static const char *pl_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static uint32_t pl_mount_of(const struct pl_mounts *m, const char *path)
{
    size_t len = (size_t)(pl_file_name(path) - path);
    uint32_t i = 0;
    while (i < m->n && (m->len[i] != len || strncmp(m->folder[i], path, len) != 0))
        i++;
    return i;
}

static void pl_mounts_of(const struct pl_emit_process *p, struct pl_mounts *m)
{
    *m = (struct pl_mounts){.n = 0};
    for (uint32_t i = 0; i < p->n_word; i++) {
        const char *path = p->word[i].text;
        if (!p->word[i].file || m->n >= PL_MOUNTS_MAX || pl_mount_of(m, path) < m->n)
            continue;
        m->folder[m->n] = path;
        m->len[m->n++] = (size_t)(pl_file_name(path) - path);
    }
}

static void pl_mount_name(uint32_t i, char out[32])
{
    if (i == 0)
        (void)pl_fmt(out, 32, PL_IN_CONTAINER);
    else
        (void)pl_fmt(out, 32, PL_IN_CONTAINER "%u", i + 1);
}

static void pl_compose_command(const struct pl_emit_process *p, const struct pl_mounts *m,
                               struct pl_str *s)
{
    pl_str_add(s, "    command:\n");
    for (uint32_t i = p->llama ? 1 : 0; i < p->n_word; i++) {
        struct pl_emit_word w = p->word[i];
        char inside[4200], folder[32];
        uint32_t at = w.file ? pl_mount_of(m, w.text) : m->n;
        if (at < m->n) {
            pl_mount_name(at, folder);
            (void)PL_FMT(inside, "%s/%s", folder, pl_file_name(w.text));
            w.text = inside;
        } else if (p->llama && i > 0 && pl_streq(p->word[i - 1].text, "--host")) {
            w.text = "0.0.0.0"; /* of the container; the port is published on loopback only */
        }
        pl_str_add(s, "      - ");
        pl_emit_compose_word(s, &w);
        pl_str_add(s, "\n");
    }
}

static void pl_compose_mounts(const struct pl_mounts *m, struct pl_str *s)
{
    char folder[4200], inside[32];
    pl_str_add(s, m->n > 0 ? "    volumes:\n" : "");
    for (uint32_t i = 0; i < m->n; i++) {
        pl_mount_name(i, inside);
        (void)PL_FMT(folder, "%.*s", (int)m->len[i], m->folder[i]);
        pl_str_add(s, "      - type: bind\n        source: ");
        pl_emit_compose_word(s, &(struct pl_emit_word){.text = folder});
        pl_str_addf(s, "\n        target: %s\n        read_only: true\n", inside);
    }
}

static void pl_compose_service(const struct pl_emit *e, uint32_t at, struct pl_str *s)
{
    const struct pl_emit_process *p = &e->process[at];
    uint64_t mib = (p->host + PL_MIB - 1) / PL_MIB;
    struct pl_mounts mounts;
    pl_str_add(s, "  ");
    pl_emit_yaml(s, p->name);
    pl_str_add(s, ":\n");
    pl_emit_get(p, "    ", s);
    pl_compose_image(p, s);
    pl_str_addf(s,
                "    environment:\n      " PL_STACK_VARIABLE
                ": \"%s\"\n      " PL_COMPONENT_VARIABLE ": \"%s\"\n",
                e->id, p->name);
    pl_mounts_of(p, &mounts);
    pl_compose_command(p, &mounts, s);
    pl_compose_mounts(&mounts, s);
    pl_str_addf(s, "    ports: [\"127.0.0.1:%u:%u\"]\n    restart: unless-stopped\n", p->port,
                p->port);
    if (p->host > 0)
        pl_str_addf(s, "    mem_limit: %llum\n    memswap_limit: %llum\n",
                    (unsigned long long)(mib + mib / 16 + 1),
                    (unsigned long long)(mib + mib / 16 + 1));
    if (at >= e->n_hot)
        pl_str_add(s, "    profiles: [on-demand]\n");
    else if (at > 0) {
        pl_str_add(s, "    depends_on:\n      ");
        pl_emit_yaml(s, e->process[at - 1].name);
        pl_str_add(s, ": {condition: service_healthy}\n");
    }
    pl_str_addf(s,
                "    healthcheck:\n"
                "      test: [\"CMD\", \"curl\", \"-fs\", \"http://127.0.0.1:%u/health\"]\n"
                "      interval: 5s\n      start_period: 15m\n      retries: 3\n",
                p->port);
    if (p->device)
        pl_str_add(s, "    deploy:\n      resources:\n        reservations:\n          devices:\n"
                      "            - {driver: nvidia, count: all, capabilities: [gpu]}\n");
}

int pl_emit_compose(struct pl_emit *e, struct pl_err *err)
{
    struct pl_str s;
    pl_str_init(&s, PL_EMIT_TEXT_MAX);
    pl_emit_top(e, &s);
    pl_str_addf(&s,
                "# On demand: docker compose --profile on-demand up\n"
                "name: %s\nservices:\n",
                e->id);
    for (uint32_t i = 0; i < e->n; i++)
        pl_compose_service(e, i, &s);
    return pl_emit_add_yaml(e, "compose.yaml", &s, err);
}
