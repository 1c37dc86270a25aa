/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SYSFS_H
#define SYSFS_H

struct binding;

/* The device whose driver will change. The driver that it is found with knows it. */
void sysfs_has(const struct binding *binding);

/* What the linker has in place of root_write() */
int __wrap_root_write(const char *text, const char *fmt, ...) __printf(2, 3);

#endif
