/* SPDX-License-Identifier: GPL-2.0 */
#ifndef ROOT_H
#define ROOT_H

#include <dirent.h>
#include <stdio.h>

/* What /proc and /sys are below: nothing, but for tests */
extern const char *root;

/*
 * These take a path below root, and fail as open(), opendir() and readlink() do. Texts
 * are the caller's to free.
 */
FILE *root_file(const char *fmt, ...) __printf(1, 2);
DIR *root_dir(const char *fmt, ...) __printf(1, 2);
char *root_link(const char *fmt, ...) __printf(1, 2);
/* The first line, without its end */
char *root_line(const char *fmt, ...) __printf(1, 2);

/* Writes a text into a file that is there. Returns 0, or what errno is. */
int root_write(const char *text, const char *fmt, ...) __printf(2, 3);

/* The number behind @key, with which a line begins; -1 if there is none */
long long root_number(const char *key, const char *fmt, ...) __printf(2, 3);

/* What is behind the last slash */
const char *last_name(const char *path);

#endif
