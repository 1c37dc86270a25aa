/* SPDX-License-Identifier: GPL-2.0 */
#ifndef NO_SNOOP_H
#define NO_SNOOP_H

#include <stdint.h>

/*
 * Where in a device's configuration space Device Control is, and what it is; 0 if the
 * device has none, or does not answer
 */
unsigned int no_snoop_find(const char *device, uint16_t *control);

/*
 * Tries whether the bit Enable No Snoop can be changed, and leaves it as it was. For a
 * device that has no driver, or one that does not use it: the device must not do DMA.
 * Returns what to print.
 */
const char *no_snoop_try(const char *device, unsigned int at, uint16_t control);

/* Makes the bit as it is in @control, and leaves others alone. Returns 0 or an errno. */
int no_snoop_restore(const char *device, unsigned int at, uint16_t control);

#endif
