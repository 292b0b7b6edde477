/* Numbers of a line that no engine's rule reads: what a size is of follows from the words around
 * it. */
#include "why/log_impl.h"
#include "why/size.h"

#include <ctype.h>
#include <string.h>

#define PL_WORDS_BEFORE 48 /* characters looked at */
#define PL_WORDS_AFTER 28

static const struct {
    const char *word;
    enum pl_oom_number number;
} pl_role_words[] = {
    {"requested",       PL_OOM_REQUESTED           },
    {"requires",        PL_OOM_REQUESTED           },
    {"tried to",        PL_OOM_REQUESTED           },
    {"trying to",       PL_OOM_REQUESTED           },
    {"attempted",       PL_OOM_REQUESTED           },
    {"to allocate",     PL_OOM_REQUESTED           },
    {"allocating",      PL_OOM_REQUESTED           },
    {"to alloc",        PL_OOM_REQUESTED           },
    {"of size",         PL_OOM_REQUESTED           },
    {"size=",           PL_OOM_REQUESTED           },
    {"needed",          PL_OOM_REQUESTED           },
    {"is needed",       PL_OOM_REQUESTED           },
    {"need",            PL_OOM_REQUESTED           },
    {"desired",         PL_OOM_REQUESTED           },
    {"allocation of",   PL_OOM_REQUESTED           },
    {"length",          PL_OOM_REQUESTED           },
    {"size",            PL_OOM_REQUESTED           },
    {"free",            PL_OOM_FREE                },
    {"available",       PL_OOM_FREE                },
    {"remaining",       PL_OOM_FREE                },
    {"capacity",        PL_OOM_TOTAL               },
    {"capacty",         PL_OOM_TOTAL               },
    {"total",           PL_OOM_TOTAL               },
    {"device limit",    PL_OOM_TOTAL               },
    {"allocated",       PL_OOM_ALLOCATED           },
    {"reserved",        PL_OOM_RESERVED            },
    {"but unallocated", PL_OOM_RESERVED_UNALLOCATED},
    {"cached",          PL_OOM_CACHED              },
    {"in use",          PL_OOM_PROCESS_IN_USE      },
    {"usage",           PL_OOM_USED                },
    {"allowed",         PL_OOM_LIMIT               },
    {"limit",           PL_OOM_LIMIT               },
    {"maximum of",      PL_OOM_LIMIT               },
    {"not exceed",      PL_OOM_LIMIT               },
    {"anon-rss",        PL_OOM_ANON_RSS            },
    {"file-rss",        PL_OOM_FILE_RSS            },
    {"total-vm",        PL_OOM_TOTAL_VM            },
};
#define PL_ROLE_WORDS (sizeof(pl_role_words) / sizeof(pl_role_words[0]))

static bool pl_word_at(const char *text, size_t len, size_t at, const char *word)
{
    size_t n = strlen(word);
    if (at + n > len || (at > 0 && isalpha((unsigned char)text[at - 1])) ||
        (at + n < len && isalpha((unsigned char)word[n - 1]) &&
         isalpha((unsigned char)text[at + n])))
        return false;
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)text[at + i]) != word[i])
            return false;
    return true;
}

/* The role word nearest to the size, and how far; what follows directly ("9.28 GiB free") counts
 * before what stands ahead ("capacity of 6.00 GiB"). A comma or a semicolon ends the reach. */
static enum pl_oom_number pl_role_of_size(const char *text, size_t len, size_t from, size_t to)
{
    enum pl_oom_number best = PL_OOM_NUMBERS;
    size_t stop = to + PL_WORDS_AFTER < len ? to + PL_WORDS_AFTER : len, best_length = 0;
    for (size_t i = to;
         i < stop && strchr(",;(.", text[i]) == NULL && !isdigit((unsigned char)text[i]); i++) {
        for (size_t w = 0; w < PL_ROLE_WORDS; w++)
            if (pl_role_words[w].number != PL_OOM_REQUESTED &&
                pl_word_at(text, len, i, pl_role_words[w].word))
                best = pl_role_words[w].number;
        if (pl_word_at(text, len, i, "needed") || pl_word_at(text, len, i, "requested"))
            best = PL_OOM_REQUESTED;
    }
    if (best != PL_OOM_NUMBERS)
        return best;
    size_t start = from > PL_WORDS_BEFORE ? from - PL_WORDS_BEFORE : 0;
    for (size_t back = 1; back <= from - start && best == PL_OOM_NUMBERS; back++) {
        size_t i = from - back;
        if (text[i] == ';')
            break;
        for (size_t w = 0; w < PL_ROLE_WORDS; w++) {
            size_t n = strlen(pl_role_words[w].word);
            if (i + n <= from && n > best_length &&
                pl_word_at(text, len, i, pl_role_words[w].word)) {
                best = pl_role_words[w].number;
                best_length = n;
            }
        }
    }
    return best;
}

/* A bare integer behind "of size" or "needed" is bytes. */
static void pl_bare_number(struct pl_incident *in, const char *text, size_t len)
{
    static const char *const before[] = {"of size ", "needed ", "size=", "size ", NULL};
    for (size_t i = 0; i < len; i++) {
        for (size_t b = 0; before[b] != NULL; b++) {
            size_t n = strlen(before[b]), at = i + n;
            size_t end = at;
            if (!pl_word_at(text, len, i, before[b]) && strncmp(text + i, before[b], n) != 0)
                continue;
            while (end < len && isdigit((unsigned char)text[end]))
                end++;
            if (end < at + 4 || (end < len && text[end] == '.'))
                continue; /* shorter numbers are counts */
            struct pl_capture c = {.field = PL_FIELD_NUMBER,
                                   .number = PL_OOM_REQUESTED,
                                   .kind = PL_KIND_INT,
                                   .text = text + at,
                                   .len = end - at};
            struct pl_match m = {.capture = {c}, .n_capture = 1};
            pl_incident_take(in, &m);
            return;
        }
    }
}

void pl_incident_words(struct pl_incident *in, const char *line)
{
    size_t len = strlen(line), at = 0, from, n;
    struct pl_quantity q;
    while ((n = pl_why_find_size(line + at, len - at, &from, &q)) > 0) {
        from += at;
        at = from + n;
        enum pl_oom_number role = pl_role_of_size(line, len, from, at);
        if (role == PL_OOM_NUMBERS)
            continue;
        size_t digits = from;
        while (digits < at && (isdigit((unsigned char)line[digits]) || line[digits] == '.'))
            digits++;
        size_t unit = digits;
        while (unit < at && !isalpha((unsigned char)line[unit]))
            unit++;
        struct pl_capture c = {.field = PL_FIELD_NUMBER,
                               .number = role,
                               .kind = PL_KIND_SIZE,
                               .text = line + from,
                               .len = digits - from,
                               .unit = line + unit,
                               .unit_len = at - unit};
        struct pl_match m = {.capture = {c}, .n_capture = 1};
        pl_incident_take(in, &m);
    }
    pl_bare_number(in, line, len);
}
