// SPDX-License-Identifier: GPL-2.0
/*
 * A process that restores a device for one that may be killed. The end of a pipe tells it:
 * the kernel closes that however the process ends.
 */
#include <fcntl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binding.h"
#include "guardian.h"
#include "text.h"

static pid_t guardian;
static int alive = -1;

/* Whoever waits for the end of the tool's stdout is not to wait for this process */
static void close_others(int kept)
{
	close(0);
	close(1);
	if (kept > 3)
		close_range(3, kept - 1, 0);
	close_range(kept + 1, ~0U, 0);
}

static noreturn void guard(const struct binding *binding, int death)
{
	sigset_t all;
	char byte;

	/* Neither the terminal's signals nor those to the process group reach it */
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close_others(death);
	while (read(death, &byte, 1) < 0 && errno == EINTR)
		;
	_exit(binding_restore(binding) ? 1 : 0);
}

void guardian_start(const struct binding *binding)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		die("pipe2: %s", strerror(errno));
	guardian = fork();
	if (guardian < 0)
		die("fork: %s", strerror(errno));
	if (!guardian)
		guard(binding, ends[0]);
	close(ends[0]);
	alive = ends[1];
}

int guardian_end(void)
{
	int status;

	if (alive < 0)
		return 0;
	close(alive);
	alive = -1;
	while (waitpid(guardian, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}
