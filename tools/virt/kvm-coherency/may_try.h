/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MAY_TRY_H
#define MAY_TRY_H

#include "as_json.h"

/**
 * may_try - Finds the device that a user names for try, of what devices_read() returned
 * @devices: The machine's devices
 * @name: What the user wrote: 0000:00:05.0, or 00:05.0
 * @take: It may have a driver
 *
 * Dies if it cannot or must not be tried, before anything has been changed.
 */
struct json_object *may_try(struct json_object *devices, const char *name, bool take);

#endif
