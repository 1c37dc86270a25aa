/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdnoreturn.h>

/* Says why on stderr, and exits with status 1 */
noreturn void die(const char *fmt, ...) __printf(1, 2);

/* What it returns is the caller's to free */
char *format(const char *fmt, ...) __printf(1, 2);

char *escape(const char *bytes, size_t length);

#endif
