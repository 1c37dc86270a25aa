// SPDX-License-Identifier: GPL-2.0
/* Files of /proc and /sys, which tests replace by a tree of their own. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "root.h"
#include "text.h"

const char *root = "";

static char *below_root(const char *fmt, va_list ap)
{
	char *path, *whole;

	if (vasprintf(&path, fmt, ap) < 0)
		die("out of memory");
	whole = format("%s%s", root, path);
	free(path);
	return whole;
}

/* Frees, and leaves errno as it is */
static void drop(char *text)
{
	int error = errno;

	free(text);
	errno = error;
}

FILE *root_file(const char *fmt, ...)
{
	va_list ap;
	char *path;
	FILE *file;

	va_start(ap, fmt);
	path = below_root(fmt, ap);
	va_end(ap);
	file = fopen(path, "re");
	drop(path);
	return file;
}

DIR *root_dir(const char *fmt, ...)
{
	va_list ap;
	char *path;
	DIR *dir;

	va_start(ap, fmt);
	path = below_root(fmt, ap);
	va_end(ap);
	dir = opendir(path);
	drop(path);
	return dir;
}

char *root_link(const char *fmt, ...)
{
	char target[PATH_MAX];
	ssize_t length;
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = below_root(fmt, ap);
	va_end(ap);
	length = readlink(path, target, sizeof(target) - 1);
	drop(path);
	if (length < 0)
		return NULL;
	target[length] = 0;
	return format("%s", target);
}

char *root_line(const char *fmt, ...)
{
	char *path, *line = NULL;
	size_t size = 0;
	ssize_t length;
	va_list ap;
	FILE *file;

	va_start(ap, fmt);
	path = below_root(fmt, ap);
	va_end(ap);
	file = fopen(path, "re");
	drop(path);
	if (!file)
		return NULL;
	length = getline(&line, &size, file);
	if (length < 0) {
		drop(line);
		line = NULL;
	} else {
		line[strcspn(line, "\n")] = 0;
	}
	fclose(file);
	return line;
}

int root_write(const char *text, const char *fmt, ...)
{
	size_t length = strlen(text);
	int fd, error = 0;
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = below_root(fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	drop(path);
	if (fd < 0)
		return errno;
	if (write(fd, text, length) != (ssize_t)length)
		error = errno;
	close(fd);
	return error;
}

long long root_number(const char *key, const char *fmt, ...)
{
	char *path, *line = NULL, *end;
	size_t length = strlen(key);
	long long number = -1;
	size_t size = 0;
	va_list ap;
	FILE *file;

	va_start(ap, fmt);
	path = below_root(fmt, ap);
	va_end(ap);
	file = fopen(path, "re");
	drop(path);
	if (!file)
		return -1;
	while (getline(&line, &size, file) > 0) {
		if (strncmp(line, key, length))
			continue;
		number = strtoll(line + length, &end, 10);
		if (end != line + length)
			break;
		number = -1;
	}
	free(line);
	fclose(file);
	return number;
}

const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
