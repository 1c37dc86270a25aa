/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IN_USE_H
#define IN_USE_H

#include "open_file.h"

/*
 * Who uses a PCI device, as far as the kernel tells: a process that has it open by VFIO, a
 * disk or a network interface that is in use, virtual functions, or the console. Returns it
 * in words, which are the caller's to free, or NULL.
 */
char *in_use(const char *device, const struct open_files *files);

#endif
