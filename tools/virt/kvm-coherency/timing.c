// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a guest's WBINVD has flushed caches, by the time that it took. One that KVM
 * ignores is an exit, as a CPUID is. One that flushes has to write back what is dirty in the
 * caches first, and all CPUs then miss: some hundred exits.
 */
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "text.h"
#include "timing.h"

#define DIRTY		(4 << 20)
/* Between these many CPUIDs nobody can tell: interrupts take time as well */
#define IGNORED_BELOW	3
#define FLUSHED_FROM	6

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* Interrupts make some of them longer: the median is none of these */
static long long median(long long *ns)
{
	qsort(ns, TIMING_ROUNDS, sizeof(*ns), compare);
	return ns[TIMING_ROUNDS / 2];
}

/* The compiler cannot know that nobody reads it */
static void fill(char *dirty, int value)
{
	memset(dirty, value, DIRTY);
	__asm__ volatile("" : : "r"(dirty) : "memory");
}

void timing_take(struct guest *guest, struct timing *timing)
{
	long long cpuid[TIMING_ROUNDS], wbinvd[TIMING_ROUNDS];
	char *dirty = malloc(DIRTY);
	unsigned int i;

	if (!dirty)
		die("out of memory");
	/* The first one finds the guest's memory not mapped */
	guest_execute(guest, GUEST_CPUID);
	for (i = 0; i < TIMING_ROUNDS; i++) {
		fill(dirty, i);
		cpuid[i] = guest_execute(guest, GUEST_CPUID);
		fill(dirty, ~i);
		wbinvd[i] = guest_execute(guest, GUEST_WBINVD);
	}
	free(dirty);
	timing->cpuid_ns = median(cpuid);
	timing->wbinvd_ns = median(wbinvd);
}

enum timed timing_judge(const struct timing *timing)
{
	if (timing->wbinvd_ns < IGNORED_BELOW * timing->cpuid_ns)
		return TIMED_IGNORED;
	return timing->wbinvd_ns < FLUSHED_FROM * timing->cpuid_ns ? TIMED_UNCLEAR : TIMED_FLUSHED;
}
