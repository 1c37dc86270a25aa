/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GUARDIAN_H
#define GUARDIAN_H

struct binding;

/*
 * Starts a process that makes a device as it was found once this process has ended, however
 * it ended, or has called guardian_end(). What it cannot restore it tells on stderr.
 */
void guardian_start(const struct binding *binding);

/*
 * Has the device restored now, and waits for that: nothing here may have it open. Returns
 * 0, or -1 if something could not be restored. Nothing happens without a guardian.
 */
int guardian_end(void);

#endif
