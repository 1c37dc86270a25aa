/* SPDX-License-Identifier: GPL-2.0 */
/* TAP points of programs whose checks are assertions: a point follows what was checked */
#ifndef SELFTEST_KVM_POINTS_H
#define SELFTEST_KVM_POINTS_H

#include <stdio.h>

static inline void passed(const char *name)
{
	static unsigned int points;

	printf("ok %u - %s\n", ++points, name);
	fflush(stdout);
}

#endif /* SELFTEST_KVM_POINTS_H */
