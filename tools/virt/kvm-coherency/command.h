/* SPDX-License-Identifier: GPL-2.0 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>

/**
 * struct options - What the command line says
 * @json: Print JSON
 * @interval: list: Seconds between the two looks that a rate takes, 0 for no rate
 */
struct options {
	bool json;
	double interval;
};

void list(const struct options *options);
void explain(const struct options *options, const char *vm);

#endif
