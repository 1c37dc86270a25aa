/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/**
 * struct options - What the command line says
 * @json: Print JSON
 * @interval: list: Seconds between the two looks that a rate takes, 0 for no rate
 * @count: watch: End after so many events, 0 for never
 * @take: try: Also a device that has a driver
 * @stop_at: try: For tests, the step behind which the tool stops itself, or NULL
 */
struct options {
	bool json;
	double interval;
	unsigned long count;
	bool take;
	const char *stop_at;
};

void list(const struct options *options);
void explain(const struct options *options, const char *vm);
void watch(const struct options *options);
void check(const struct options *options);
/* Returns the exit status: 2 if what the guest's WBINVD did is not what it should do */
int try_device(const struct options *options, const char *bdf);

#endif
