#include "why/anchors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PL_NONE UINT16_MAX

/* Bytes fall into classes: a letter in either case is one, what occurs in no word is class 0. */
struct pl_anchors {
    uint8_t class_of[256];
    uint32_t n_class, n_state;
    uint16_t *next; /* n_state x n_class */
    uint16_t *fail; /* the longest shorter word end that is a beginning */
    uint16_t *ends; /* head of the list of words that end here, PL_NONE = none */
    uint16_t *also; /* the next state in the chain of failures where words end */
    uint16_t *same; /* per word: the next word that ends in the same state */
};

static uint8_t pl_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static void pl_anchors_classes(struct pl_anchors *a, const char *const *words, uint32_t n)
{
    a->n_class = 1;
    for (uint32_t w = 0; w < n; w++) {
        for (const char *p = words[w]; *p != '\0'; p++) {
            uint8_t c = pl_lower((uint8_t)*p);
            if (a->class_of[c] == 0)
                a->class_of[c] = (uint8_t)a->n_class++;
        }
    }
    for (int c = 'A'; c <= 'Z'; c++)
        a->class_of[c] = a->class_of[c + 32];
}

/* The tree of the words; PL_NONE where no word goes on. */
static void pl_anchors_tree(struct pl_anchors *a, const char *const *words, uint32_t n)
{
    a->n_state = 1;
    for (uint32_t w = 0; w < n; w++) {
        uint32_t at = 0;
        for (const char *p = words[w]; *p != '\0'; p++) {
            uint16_t *to = &a->next[at * a->n_class + a->class_of[(uint8_t)*p]];
            if (*to == PL_NONE)
                *to = (uint16_t)a->n_state++;
            at = *to;
        }
        a->same[w] = a->ends[at];
        a->ends[at] = (uint16_t)w;
    }
}

/* Breadth first: every missing step goes where the failure's step goes. queue has n_state places.
 */
static void pl_anchors_links(struct pl_anchors *a, uint16_t *queue)
{
    uint32_t head = 0, tail = 0;
    for (uint32_t c = 0; c < a->n_class; c++) {
        uint16_t *to = &a->next[c];
        if (*to == PL_NONE) {
            *to = 0;
        } else {
            a->fail[*to] = 0;
            queue[tail++] = *to;
        }
    }
    while (head < tail) {
        uint32_t s = queue[head++], f = a->fail[s];
        a->also[s] = a->ends[f] != PL_NONE ? (uint16_t)f : a->also[f];
        for (uint32_t c = 0; c < a->n_class; c++) {
            uint16_t *to = &a->next[s * a->n_class + c], by = a->next[f * a->n_class + c];
            if (*to == PL_NONE) {
                *to = by;
            } else {
                a->fail[*to] = by;
                queue[tail++] = *to;
            }
        }
    }
}

int pl_anchors_new(const char *const *words, uint32_t n, struct pl_anchors **ret,
                   struct pl_err *err)
{
    size_t bytes = 0;
    for (uint32_t w = 0; w < n; w++)
        bytes += strlen(words[w]) > 0 ? strlen(words[w]) : PL_ANCHORS_BYTES_MAX + 1;
    if (n == 0 || n >= PL_NONE || bytes > PL_ANCHORS_BYTES_MAX)
        return pl_fail(err, -EINVAL, "log grammar: its words are too many or empty");
    struct pl_anchors *a = calloc(1, sizeof(*a));
    uint16_t *queue = NULL;
    if (a == NULL)
        return pl_fail(err, -ENOMEM, "log grammar: not enough memory");
    pl_anchors_classes(a, words, n);
    size_t states = bytes + 1;
    a->next = malloc(states * a->n_class * sizeof(*a->next));
    a->fail = calloc(states, sizeof(*a->fail));
    a->ends = malloc(states * sizeof(*a->ends));
    a->also = malloc(states * sizeof(*a->also));
    a->same = malloc(n * sizeof(*a->same));
    queue = malloc(states * sizeof(*queue));
    if (a->next == NULL || a->fail == NULL || a->ends == NULL || a->also == NULL ||
        a->same == NULL || queue == NULL) {
        free(queue);
        pl_anchors_free(a);
        return pl_fail(err, -ENOMEM, "log grammar: not enough memory");
    }
    memset(a->next, 0xff, states * a->n_class * sizeof(*a->next));
    memset(a->ends, 0xff, states * sizeof(*a->ends));
    memset(a->also, 0xff, states * sizeof(*a->also));
    pl_anchors_tree(a, words, n);
    pl_anchors_links(a, queue);
    free(queue);
    *ret = a;
    return 0;
}

struct pl_anchors *pl_anchors_free(struct pl_anchors *a)
{
    if (a == NULL)
        return NULL;
    free(a->next);
    free(a->fail);
    free(a->ends);
    free(a->also);
    free(a->same);
    free(a);
    return NULL;
}

void pl_anchors_find(const struct pl_anchors *a, const char *text, size_t len,
                     void (*hit)(void *ctx, uint32_t word), void *ctx)
{
    uint32_t s = 0;
    for (size_t i = 0; i < len; i++) {
        s = a->next[s * a->n_class + a->class_of[(uint8_t)text[i]]];
        for (uint32_t e = a->ends[s] != PL_NONE ? s : a->also[s]; e != PL_NONE; e = a->also[e])
            for (uint32_t w = a->ends[e]; w != PL_NONE; w = a->same[w])
                hit(ctx, w);
    }
}
