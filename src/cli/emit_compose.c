/* A file of docker compose: a service for each process, started when the one before is healthy. */
#include "cli/emit.h"

#include "base/units.h"

#include <ctype.h>
#include <string.h>

#define PL_IN_CONTAINER "/models"

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

static void pl_compose_command(const struct pl_emit_process *p, struct pl_str *s)
{
    pl_str_add(s, "    command:\n");
    for (uint32_t i = p->llama ? 1 : 0; i < p->n_word; i++) {
        struct pl_emit_word w = p->word[i];
        char inside[4200];
        if (p->model != NULL && w.text == p->model) {
            (void)PL_FMT(inside, PL_IN_CONTAINER "/%s", pl_file_name(p->model));
            w.text = inside;
        } else if (p->llama && i > 0 && pl_streq(p->word[i - 1].text, "--host")) {
            w.text = "0.0.0.0"; /* of the container; the port is published on loopback only */
        }
        pl_str_add(s, "      - ");
        pl_emit_compose_word(s, &w);
        pl_str_add(s, "\n");
    }
}

static void pl_compose_model(const struct pl_emit_process *p, struct pl_str *s)
{
    char folder[4200];
    if (p->model == NULL)
        return;
    (void)PL_FMT(folder, "%.*s", (int)(pl_file_name(p->model) - p->model), p->model);
    pl_str_add(s, "    volumes:\n      - type: bind\n        source: ");
    pl_emit_compose_word(s, &(struct pl_emit_word){folder, false});
    pl_str_add(s, "\n        target: " PL_IN_CONTAINER "\n        read_only: true\n");
}

static void pl_compose_service(const struct pl_emit *e, uint32_t at, struct pl_str *s)
{
    const struct pl_emit_process *p = &e->process[at];
    uint64_t mib = (p->host + PL_MIB - 1) / PL_MIB;
    pl_str_add(s, "  ");
    pl_emit_yaml(s, p->name);
    pl_str_add(s, ":\n");
    pl_emit_get(p, "    ", s);
    pl_compose_image(p, s);
    pl_compose_command(p, s);
    pl_compose_model(p, s);
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
