/* Taking out of a text what names a person, a place or one exemplar of a machine, so that a capture
 * may be shown to others. What is taken out is replaced by a stand-in of the same form, the same
 * one everywhere:
 *
 *     user names in paths (/home/NAME, /media/NAME ...)   /home/user1
 *     the host name, as a whole word                      host1
 *     IPv4, IPv6 and MAC addresses (not those of the      192.0.2.1, 2001:db8::1, 02:00:00:00:00:01
 *         machine itself: 127.0.0.0/8, 0.0.0.0, ::1)
 *     UUIDs (GPU-..., boot id ...)                        00000000-0000-4000-8000-000000000001
 *     machine ids and serial numbers: of files that are   the same number of characters, "0...01"
 *         one by their path, then wherever they are named
 *     arguments of commands (/proc/PID/cmdline)           <argument>
 *     passwords and tokens in URLs                        <secret>
 *
 * It works by form, so it takes out more than it must rather than less; it cannot know a name that
 * has no form. */
#ifndef PL_BASE_REDACT_H
#define PL_BASE_REDACT_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define PL_REDACT_SECRETS_MAX 4096 /* different ones; after that all share one stand-in */

struct pl_redact;

struct pl_redact *pl_redact_new(void); /* NULL: no memory */
struct pl_redact *pl_redact_free(struct pl_redact *r);

/* The host name: replaced wherever it is a whole word. Names of fewer than 3 characters, and
 * "localhost", are left. */
void pl_redact_host(struct pl_redact *r, const char *name);

/* A file whose whole content is a secret by its path (serial numbers, machine-id): remembered, so
 * that it is found in other texts too. Call it for every file before the first pl_redact_text. */
void pl_redact_learn(struct pl_redact *r, const char *path, const char *data, size_t len);

/* An identity worked out from secrets, such as the machine's hashed id: replaced wherever it is a
 * whole word. Shorter than 6 characters: left. */
void pl_redact_literal(struct pl_redact *r, const char *text);

/* Appends data without its secrets. path (may be "") says what the text is. */
void pl_redact_text(struct pl_redact *r, const char *path, const char *data, size_t len,
                    struct pl_str *out);

/* "user names 1, host name 1, UUIDs 2": how many different ones were replaced. */
void pl_redact_report(const struct pl_redact *r, struct pl_str *out);

#endif
