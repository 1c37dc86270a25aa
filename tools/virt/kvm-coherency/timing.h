/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TIMING_H
#define TIMING_H

struct guest;

/* WBINVDs of the guest that are timed at once */
#define TIMING_ROUNDS	16

/**
 * struct timing - How long a guest's instructions took, the median of TIMING_ROUNDS
 * @cpuid_ns: CPUID, an exit to KVM that does nothing
 * @wbinvd_ns: WBINVD
 */
struct timing {
	long long cpuid_ns;
	long long wbinvd_ns;
};

enum timed { TIMED_IGNORED, TIMED_FLUSHED, TIMED_UNCLEAR };

void timing_take(struct guest *guest, struct timing *timing);

/* Did WBINVD flush caches, going by the time alone? */
enum timed timing_judge(const struct timing *timing);

#endif
