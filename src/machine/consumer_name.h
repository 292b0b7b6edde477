/* The name somebody gave a container, from the files its manager keeps; no program is started. */
#ifndef PL_MACHINE_CONSUMER_NAME_H
#define PL_MACHINE_CONSUMER_NAME_H

#include "machine/consumer_place.h"
#include "sys/root.h"

#define PL_CONTAINER_FILE_MAX (4u * 1024u * 1024u)

/* Writes the name to out: of an id "zoe-tts", or its first 12 digits when no file tells; of other
 * places the name they have. 0 when it is a name, -EACCES when the files are there and not readable
 * (Docker's need root), -ENOENT when there are none. */
int pl_container_name(const struct pl_root *root, const struct pl_place *place, char *out,
                      size_t size);

/* The name in Docker's config.v2.json: {"Name": "/zoe-tts"}. -EINVAL when there is none. */
int pl_container_docker(const char *text, size_t len, char *out, size_t size);

/* The name of that id in Podman's containers.json: [{"id": "...", "names": ["web"]}]. */
int pl_container_podman(const char *text, size_t len, const char *id, char *out, size_t size);

#endif
