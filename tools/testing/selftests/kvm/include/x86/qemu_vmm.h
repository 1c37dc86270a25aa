/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU as the VMM of a test, with a guest that obeys single letters
 * (tools/testing/qemu/wbinvd_bios.s, over COM1). For programs of one file.
 */
#ifndef SELFTEST_KVM_QEMU_VMM_H
#define SELFTEST_KVM_QEMU_VMM_H

#include <err.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle.h"

/* Timeout of each wait, long enough for debug kernels */
#define TIMEOUT_MS	300000

#define SERIAL		"/tmp/serial"
#define QMP		"/tmp/qmp"
#define MAX_ARGS	48

#define QMP_HELLO	"{'execute': 'qmp_capabilities'}"
#define QMP_QUIT	"{'execute': 'quit'}"
#define QMP_RESET	"{'execute': 'system_reset'}"
#define QMP_HMP		"{'execute': 'human-monitor-command', 'arguments': {'command-line': '%s'}}"
#define QMP_PLUG	"{'execute': 'device_add', 'arguments': {'driver': 'vfio-pci', " \
			"'host': '%s', 'iommufd': 'i0', 'bus': 'rp0', 'id': 'edu'}}"
#define QMP_UNPLUG	"{'execute': 'device_del', 'arguments': {'id': 'edu'}}"

/* Set by main(): where QEMU is installed and which one it is, the guest, the device */
static const char *root = "/", *program = "/usr/bin/qemu-system-x86_64", *bios, *bdf;
static const char *accel = "kvm";
static unsigned int phases;

struct vmm {
	pid_t pid;
	int serial;
	int qmp;
	size_t len;
	char line[4096];	/* the unfinished last line from QMP */
	bool deleted;		/* DEVICE_DELETED was received */
	unsigned int changes;	/* events KVM_COHERENCY_CHANGE */
	bool noncoherent;	/* what the last one said */
};

static inline int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		err(1, "%s", path);
	return fd;
}

static inline void wait_for(struct vmm *v, int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status;

	if (poll(&p, 1, TIMEOUT_MS) == 1)
		return;
	if (waitpid(v->pid, &status, WNOHANG) == v->pid)
		errx(1, "QEMU ended (status %#x) before %s", status, what);
	errx(1, "no %s within %d seconds", what, TIMEOUT_MS / 1000);
}

static inline int accept_from(struct vmm *v, int listener, const char *what)
{
	int fd;

	wait_for(v, listener, what);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		err(1, "accept %s", what);
	close(listener);
	return fd;
}

/* Waits for the guest's next letter, which has to be @c */
static inline void hear(struct vmm *v, char c)
{
	char got;

	wait_for(v, v->serial, "answer of the guest's");
	if (read(v->serial, &got, 1) != 1)
		err(1, "the guest's serial port");
	if (got != c)
		errx(1, "the guest said '%c' instead of '%c'", got, c);
}

static inline void say(struct vmm *v, char c)
{
	if (write(v->serial, &c, 1) != 1)
		err(1, "the guest's serial port");
}

/* Reads one message into v->line */
static inline void qmp_read(struct vmm *v)
{
	char c;

	v->len = 0;
	do {
		wait_for(v, v->qmp, "answer of QEMU's");
		if (read(v->qmp, &c, 1) != 1)
			errx(1, "QEMU closed its monitor");
		if (v->len < sizeof(v->line) - 1)
			v->line[v->len++] = c;
	} while (c != '\n');
	v->line[v->len] = 0;

	if (strstr(v->line, "\"DEVICE_DELETED\"") && strstr(v->line, "\"device\": \"edu\""))
		v->deleted = true;
	if (strstr(v->line, "\"KVM_COHERENCY_CHANGE\"")) {
		v->changes++;
		v->noncoherent = strstr(v->line, "\"noncoherent\": true");
	}
}

/* Sends a command; it has to succeed */
static inline void qmp(struct vmm *v, const char *command)
{
	dprintf(v->qmp, "%s\n", command);
	do {
		qmp_read(v);
		if (!strncmp(v->line, "{\"error\"", 8))
			errx(1, "QEMU: %s", v->line);
	} while (strncmp(v->line, "{\"return\"", 9));
}

/* Sends a command; it has to fail, and QEMU to say @reason */
static inline void qmp_fails(struct vmm *v, const char *command, const char *reason)
{
	dprintf(v->qmp, "%s\n", command);
	do {
		qmp_read(v);
		if (!strncmp(v->line, "{\"return\"", 9))
			errx(1, "QEMU did not refuse %s", command);
	} while (strncmp(v->line, "{\"error\"", 8));
	if (!strstr(v->line, reason))
		errx(1, "QEMU refused %s, but not for \"%s\": %s", command, reason, v->line);
}

/* Runs a command of the human monitor. QEMU's answer has "Error" in it if it failed. */
static inline void hmp(struct vmm *v, const char *line)
{
	char command[256];

	snprintf(command, sizeof(command), QMP_HMP, line);
	qmp(v, command);
	if (strstr(v->line, "Error"))
		errx(1, "QEMU: %s", v->line);
}

static inline void qemu_exec(char **extra)
{
	char *args[MAX_ARGS] = {
		"qemu-system-x86_64", "-machine", "q35", "-accel", (char *)accel, "-cpu", "host",
		"-m", "64", "-nodefaults", "-no-user-config", "-display", "none",
		"-bios", (char *)bios, "-serial", "unix:" SERIAL, "-qmp", "unix:" QMP,
		"-device", "pcie-root-port,id=rp0,chassis=1,addr=4.0",
		/* Native PCIe hot-plug, which takes the guest one register write */
		"-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
	};
	cpu_set_t cpu;
	int n = 0;

	while (args[n])
		n++;
	while (*extra && n < MAX_ARGS - 1)
		args[n++] = *extra++;

	/* A guest's WBINVD flushes each CPU that it ran on: on one CPU counts are exact */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		err(1, "sched_setaffinity");
	if (chroot(root) || chdir("/"))
		err(1, "chroot to %s", root);
	execv(program, args);
	err(1, "%s", program);
}

/* Starts QEMU with these extra arguments, and waits for the guest's first letter */
static inline void __attribute__((sentinel)) start(struct vmm *v, ...)
{
	int serial = listen_at(SERIAL), monitor = listen_at(QMP), n = 0;
	char *extra[MAX_ARGS] = {};
	va_list ap;

	va_start(ap, v);
	while (n < MAX_ARGS - 1 && (extra[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);

	memset(v, 0, sizeof(*v));
	v->pid = fork();
	if (v->pid < 0)
		err(1, "fork");
	if (!v->pid)
		qemu_exec(extra);

	v->serial = accept_from(v, serial, "QEMU's serial port");
	v->qmp = accept_from(v, monitor, "QEMU's monitor");
	qmp_read(v);
	qmp(v, QMP_HELLO);
	hear(v, 'R');
}

static inline void reap(struct vmm *v)
{
	int status;

	if (waitpid(v->pid, &status, 0) != v->pid)
		err(1, "waitpid");
	close(v->serial);
	close(v->qmp);
}

static inline void shut_down(struct vmm *v)
{
	qmp(v, QMP_QUIT);
	reap(v);
}

/* The guest executes 100 WBINVDs */
static inline void wbinvds(struct vmm *v, long expect, const char *name)
{
	oracle_phase(++phases, expect, "%s", name);
	say(v, 'w');
	hear(v, 'w');
	oracle_end();
}

static inline void reset(struct vmm *v)
{
	qmp(v, QMP_RESET);
	hear(v, 'R');
}

static inline void plug(struct vmm *v)
{
	char command[256];

	snprintf(command, sizeof(command), QMP_PLUG, bdf);
	qmp(v, command);
}

/*
 * Waits for the end of a device_del. If the guest was reset after the plug, the slot
 * is @powered, and the guest has to release it.
 */
static inline void unplugged(struct vmm *v, bool powered)
{
	if (powered) {
		say(v, 'u');
		hear(v, 'u');
	}
	while (!v->deleted)
		qmp_read(v);
	v->deleted = false;
}

#endif /* SELFTEST_KVM_QEMU_VMM_H */
