/* The Hugging Face hub: its address and the token for it. */
#ifndef PL_MODEL_HUB_H
#define PL_MODEL_HUB_H

#include "base/err.h"
#include "sys/url.h"

#define PL_HUB_ENDPOINT "https://huggingface.co"
#define PL_HUB_TOKEN_MAX 256

/* $HF_ENDPOINT, else the hub, without a slash at its end. Returns out. */
const char *pl_hub_endpoint(char out[PL_URL_MAX]);

/* The user's token, from where the hub's own tools look for it: $HF_TOKEN, $HUGGING_FACE_HUB_TOKEN,
 * the file $HF_TOKEN_PATH, $HF_HOME/token, ~/.cache/huggingface/token. false when there is none.
 * Never print it. */
bool pl_hub_token(char out[PL_HUB_TOKEN_MAX]);

/* The token for url, when url is of the hub; false when it gets none. */
bool pl_hub_token_for(const char *url, char out[PL_HUB_TOKEN_MAX]);

/* A link copied from the browser shows the page of a file (.../blob/main/x.gguf): the file itself
 * is at .../resolve/main/x.gguf. Other URLs are copied as they are. false when too long. */
bool pl_hub_file_url(const char *url, char out[PL_URL_MAX]);

#endif
