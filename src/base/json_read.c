/* The only file that knows jansson. */
#include "base/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

struct pl_jdoc {
    json_t *root;
};

int pl_jdoc_parse(const char *text, size_t len, const char *name, struct pl_jdoc **ret,
                  struct pl_err *err)
{
    if (len > PL_JSON_TEXT_MAX)
        return pl_fail(err, -E2BIG, "JSON larger than %u bytes", PL_JSON_TEXT_MAX);
    struct pl_jdoc *doc = calloc(1, sizeof(*doc));
    if (doc == NULL)
        return pl_fail(err, -ENOMEM, "no memory for a JSON document");
    json_error_t je;
    doc->root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (doc->root == NULL) {
        free(doc);
        (void)pl_fail(err, -EINVAL, "not valid JSON: %s", je.text);
        pl_err_at(err, name, je.line > 0 ? (uint32_t)je.line : 0,
                  je.column > 0 ? (uint32_t)je.column : 0);
        return -EINVAL;
    }
    *ret = doc;
    return 0;
}

struct pl_jdoc *pl_jdoc_free(struct pl_jdoc *doc)
{
    if (doc != NULL) {
        json_decref(doc->root);
        free(doc);
    }
    return NULL;
}

pl_jval pl_jdoc_root(const struct pl_jdoc *doc)
{
    return doc != NULL ? doc->root : NULL;
}

pl_jval pl_jget(pl_jval object, const char *key)
{
    return object != NULL ? json_object_get(object, key) : NULL;
}

size_t pl_jlen(pl_jval array)
{
    return json_is_array((const json_t *)array) ? json_array_size(array) : 0;
}

pl_jval pl_jat(pl_jval array, size_t i)
{
    return json_is_array((const json_t *)array) ? json_array_get(array, i) : NULL;
}

bool pl_jis_null(pl_jval v)
{
    return v == NULL || json_is_null((const json_t *)v);
}

bool pl_jis_object(pl_jval v)
{
    return v != NULL && json_is_object((const json_t *)v);
}

const char *pl_jstr(pl_jval v, const char *absent)
{
    const char *s = v != NULL ? json_string_value(v) : NULL;
    return s != NULL ? s : absent;
}

bool pl_ju64(pl_jval v, uint64_t *ret)
{
    if (!json_is_integer((const json_t *)v) || json_integer_value(v) < 0)
        return false;
    *ret = (uint64_t)json_integer_value(v);
    return true;
}

bool pl_jnum(pl_jval v, double *ret)
{
    if (!json_is_number((const json_t *)v))
        return false;
    *ret = json_number_value(v);
    return true;
}

bool pl_jbool(pl_jval v, bool absent)
{
    return json_is_boolean((const json_t *)v) ? json_is_true((const json_t *)v) : absent;
}

bool pl_jis_array(pl_jval v)
{
    return v != NULL && json_is_array((const json_t *)v);
}

const char *pl_jnext(pl_jval object, const char *key)
{
    if (!pl_jis_object(object))
        return NULL;
    json_t *o = (json_t *)(uintptr_t)object; /* jansson has no iterator of a const object */
    void *at =
        key == NULL ? json_object_iter(o) : json_object_iter_next(o, json_object_key_to_iter(key));
    return at != NULL ? json_object_iter_key(at) : NULL;
}
