// SPDX-License-Identifier: GPL-2.0
/* Processes that run VMs, and what they call them. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "root.h"
#include "text.h"

/* A newline in it is shown as one by /proc, so it is read whole */
char *process_name(pid_t pid)
{
	FILE *file = root_file("/proc/%d/comm", pid);
	char name[64];
	size_t length;

	if (!file)
		return NULL;
	length = fread(name, 1, sizeof(name), file);
	fclose(file);
	if (!length)
		return NULL;
	if (name[length - 1] == '\n')
		length--;
	return escape(name, length);
}

/*
 * QEMU's -name: parameters with commas between them, of which guest= is the name, or the
 * first if it has no key. A comma in a name is written twice.
 */
static char *guest_of(const char *value)
{
	char name[256];
	size_t length;
	bool first;

	for (first = true; *value; first = false) {
		for (length = 0; *value && (*value != ',' || *++value == ','); value++)
			if (length < sizeof(name))
				name[length++] = *value;
		if (length > 6 && !memcmp(name, "guest=", 6))
			return escape(name + 6, length - 6);
		if (first && length && !memchr(name, '=', length))
			return escape(name, length);
	}
	return NULL;
}

char *process_vm_name(pid_t pid)
{
	FILE *file = root_file("/proc/%d/cmdline", pid);
	char *word = NULL, *name = NULL;
	bool next = false;
	size_t size = 0;

	if (!file)
		return NULL;
	while (!name && getdelim(&word, &size, 0, file) > 0) {
		if (next)
			name = guest_of(word);
		next = !strcmp(word, "-name") || !strcmp(word, "--name");
	}
	free(word);
	fclose(file);
	return name;
}

pid_t process_of_thread(pid_t tid)
{
	long long pid = root_number("Tgid:", "/proc/%d/status", tid);

	return pid < 0 ? tid : pid;
}
