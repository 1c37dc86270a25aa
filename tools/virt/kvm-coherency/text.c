// SPDX-License-Identifier: GPL-2.0
/* Messages, and texts that others chose. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("kvm-coherency: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

char *format(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int length;

	va_start(ap, fmt);
	length = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (length < 0)
		die("out of memory");
	return text;
}

/*
 * A process names itself, and its VM. What is not printable ASCII becomes octal, as in
 * /proc/mounts, so that a name can neither command a terminal nor break JSON.
 */
char *escape(const char *bytes, size_t length)
{
	char *text = malloc(4 * length + 1), *to = text;
	size_t i;

	if (!text)
		die("out of memory");
	for (i = 0; i < length; i++) {
		unsigned char c = bytes[i];

		if (c >= ' ' && c <= '~' && c != '\\')
			*to++ = c;
		else
			to += sprintf(to, "\\%03o", c);
	}
	*to = 0;
	return text;
}
