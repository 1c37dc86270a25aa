/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/**
 * struct options - What the command line says
 * @json: Print JSON
 * @interval: list: Seconds between the two looks that a rate takes, 0 for no rate
 * @count: watch: End after so many events, 0 for never
 */
struct options {
	bool json;
	double interval;
	unsigned long count;
};

void list(const struct options *options);
void explain(const struct options *options, const char *vm);
void watch(const struct options *options);
void check(const struct options *options);

#endif
