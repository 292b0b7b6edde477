/* Number types that a device computes natively, and what to use instead of those it does not. Pure.
 */
#ifndef PL_DOMAIN_NATIVE_H
#define PL_DOMAIN_NATIVE_H

#include "base/str.h"
#include "domain/claim.h"
#include "domain/device.h"

/* type: "bf16", "fp16", "fp8", "int8", "fp4". Fills out with one clause when d does not compute it
 * natively, and returns true; false when it does, or when that is not known. */
bool pl_native_lacks(const struct pl_device *d, const char *type, char *out, size_t size);

/* Says so as a reason of the claim. It changes no verdict: the memory is the same. */
void pl_native_say(struct pl_claim *c, const struct pl_device *d, const char *type);

#endif
