// SPDX-License-Identifier: GPL-2.0
/*
 * An unmodified QEMU as the VMM: it knows only kvm-vfio's FILE_ADD and FILE_DEL,
 * and its VM still gets permission exactly when it should.
 *
 * This program starts QEMU, speaks QMP to it and single letters to the guest
 * (tools/testing/qemu/wbinvd_bios.s, over COM1), and declares to the oracle how
 * often the host has to flush its caches while the guest executes 100 WBINVDs.
 *
 * Usage: stock_qemu_test [-t] [-e TOOL] [-r ROOT] -b BIOS -d BDF FLUSHES
 *   -t		only type1: QEMU before 9 does not support iommufd
 *   TOOL	kvm-coherency, which has to know all this
 *   ROOT	where QEMU is installed (default "/")
 *   FLUSHES	expected while the device is attached: 100 where the IOMMU cannot
 *		enforce coherency, 0 where it can, "-" to only show them
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
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

static const char *root = "/", *bios, *bdf, *tool;
static long attached = ORACLE_ANY, not_attached = ORACLE_ANY;
static char by_type1[64], by_iommufd[80];
static unsigned int phases;

struct vmm {
	pid_t pid;
	int serial;
	int qmp;
	size_t len;
	char line[4096];	/* the unfinished last line from QMP */
	bool deleted;		/* DEVICE_DELETED was received */
};

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		err(1, "%s", path);
	return fd;
}

static void wait_for(struct vmm *v, int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int status;

	if (poll(&p, 1, TIMEOUT_MS) == 1)
		return;
	if (waitpid(v->pid, &status, WNOHANG) == v->pid)
		errx(1, "QEMU ended (status %#x) before %s", status, what);
	errx(1, "no %s within %d seconds", what, TIMEOUT_MS / 1000);
}

static int accept_from(struct vmm *v, int listener, const char *what)
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
static void hear(struct vmm *v, char c)
{
	char got;

	wait_for(v, v->serial, "answer of the guest's");
	if (read(v->serial, &got, 1) != 1)
		err(1, "the guest's serial port");
	if (got != c)
		errx(1, "the guest said '%c' instead of '%c'", got, c);
}

static void say(struct vmm *v, char c)
{
	if (write(v->serial, &c, 1) != 1)
		err(1, "the guest's serial port");
}

/* Reads one message into v->line */
static void qmp_read(struct vmm *v)
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
}

/* Sends a command; it has to succeed */
static void qmp(struct vmm *v, const char *command)
{
	dprintf(v->qmp, "%s\n", command);
	do {
		qmp_read(v);
		if (!strncmp(v->line, "{\"error\"", 8))
			errx(1, "QEMU: %s", v->line);
	} while (strncmp(v->line, "{\"return\"", 9));
}

/* Runs a command of the human monitor. QEMU's answer has "Error" in it if it failed. */
static void hmp(struct vmm *v, const char *line)
{
	char command[256];

	snprintf(command, sizeof(command), QMP_HMP, line);
	qmp(v, command);
	if (strstr(v->line, "Error"))
		errx(1, "QEMU: %s", v->line);
}

static void qemu_exec(char **extra)
{
	char *args[MAX_ARGS] = {
		"qemu-system-x86_64", "-machine", "q35", "-accel", "kvm", "-cpu", "host",
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
	execv("/usr/bin/qemu-system-x86_64", args);
	err(1, "/usr/bin/qemu-system-x86_64");
}

/* Starts QEMU with these extra arguments, and waits for the guest's first letter */
static void __attribute__((sentinel)) start(struct vmm *v, ...)
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

static void reap(struct vmm *v)
{
	int status;

	if (waitpid(v->pid, &status, 0) != v->pid)
		err(1, "waitpid");
	close(v->serial);
	close(v->qmp);
}

static void shut_down(struct vmm *v)
{
	qmp(v, QMP_QUIT);
	reap(v);
}

static void said(const char *text, const char *wanted)
{
	if (!strstr(text, wanted))
		errx(1, "%s does not say \"%s\" but\n%s", tool, wanted, text);
}

/* Does kvm-coherency agree, and know the device, though QEMU is in a root of its own? */
static void tool_knows(struct vmm *v, bool on, bool type1)
{
	char command[256], text[8192], open_in[64];
	size_t length;
	FILE *pipe;

	snprintf(command, sizeof(command), "%s explain %d 2>&1", tool, v->pid);
	pipe = popen(command, "r");
	if (!pipe)
		err(1, "popen");
	length = fread(text, 1, sizeof(text) - 1, pipe);
	text[length] = 0;
	if (pclose(pipe))
		errx(1, "%s: %s", command, text);
	said(text, on ? "Permission is on: " : "Permission is off, ");
	if (!on)
		return;
	said(text, bdf);
	said(text, type1 ? " is in a VFIO container since " : " of iommufd ");
	snprintf(open_in, sizeof(open_in), " of process %d (qemu-system-x86)\n", v->pid);
	said(text, type1 ? "the group is open as" : ", open as descriptor");
	said(text, open_in);
}

/* The guest executes 100 WBINVDs */
static void wbinvds(struct vmm *v, long expect, const char *name)
{
	oracle_phase(++phases, expect, "%s", name);
	say(v, 'w');
	hear(v, 'w');
	oracle_end();
	if (tool)
		tool_knows(v, expect > 0, !strncmp(name, "type1", 5));
}

static void reset(struct vmm *v)
{
	qmp(v, QMP_RESET);
	hear(v, 'R');
}

static void plug(struct vmm *v)
{
	char command[256];

	snprintf(command, sizeof(command), QMP_PLUG, bdf);
	qmp(v, command);
}

/*
 * Waits for the end of a device_del. If the guest was reset after the plug, the slot
 * is @powered, and the guest has to release it.
 */
static void unplugged(struct vmm *v, bool powered)
{
	if (powered) {
		say(v, 'u');
		hear(v, 'u');
	}
	while (!v->deleted)
		qmp_read(v);
	v->deleted = false;
}

static void test_cold_plug(void)
{
	struct vmm v;

	start(&v, "-object", "iommufd,id=i0", "-device", by_iommufd, NULL);
	wbinvds(&v, attached, "cold-plugged");

	reset(&v);
	wbinvds(&v, attached, "guest reset by QEMU");

	say(&v, 'r');
	hear(&v, 'R');
	wbinvds(&v, attached, "guest reset by itself");

	/* Kill QEMU while the guest executes WBINVD all the time */
	say(&v, 'l');
	for (int i = 0; i < 3; i++)
		hear(&v, 'l');
	kill(v.pid, SIGKILL);
	reap(&v);
}

static void test_hot_plug(void)
{
	char command[128];
	struct vmm v;

	start(&v, "-object", "iommufd,id=i0", NULL);
	wbinvds(&v, not_attached, "new guest after kill -9, no device");

	plug(&v);
	wbinvds(&v, attached, "hot-plugged");
	qmp(&v, QMP_UNPLUG);
	unplugged(&v, false);
	wbinvds(&v, not_attached, "hot-unplugged");

	snprintf(command, sizeof(command), "device_add %s", by_iommufd);
	hmp(&v, command);
	wbinvds(&v, attached, "hot-plugged again");
	reset(&v);
	wbinvds(&v, attached, "hot-plugged, guest reset");
	hmp(&v, "device_del edu");
	unplugged(&v, true);
	wbinvds(&v, not_attached, "hot-unplugged again");
	shut_down(&v);
}

static void test_type1(void)
{
	char command[128];
	struct vmm v;

	start(&v, "-device", by_type1, NULL);
	wbinvds(&v, attached, "type1, cold-plugged");
	reset(&v);
	wbinvds(&v, attached, "type1, guest reset");
	qmp(&v, QMP_UNPLUG);
	unplugged(&v, true);
	wbinvds(&v, not_attached, "type1, hot-unplugged");
	snprintf(command, sizeof(command), "device_add %s", by_type1);
	hmp(&v, command);
	wbinvds(&v, attached, "type1, hot-plugged");
	shut_down(&v);
}

int main(int argc, char **argv)
{
	bool type1_alone = false;
	int opt;

	while ((opt = getopt(argc, argv, "te:r:b:d:")) > 0) {
		switch (opt) {
		case 't':
			type1_alone = true;
			break;
		case 'e':
			tool = optarg;
			break;
		case 'r':
			root = optarg;
			break;
		case 'b':
			bios = optarg;
			break;
		case 'd':
			bdf = optarg;
			break;
		default:
			return 2;
		}
	}
	if (!bios || !bdf || optind != argc - 1)
		errx(2, "usage: stock_qemu_test [-t] [-e TOOL] [-r ROOT] -b BIOS -d BDF FLUSHES");
	if (strcmp(argv[optind], "-")) {
		attached = strtol(argv[optind], NULL, 10);
		not_attached = 0;
	}

	snprintf(by_type1, sizeof(by_type1), "vfio-pci,bus=rp0,id=edu,host=%s", bdf);
	snprintf(by_iommufd, sizeof(by_iommufd), "%s,iommufd=i0", by_type1);
	oracle_end();
	if (!type1_alone) {
		test_cold_plug();
		test_hot_plug();
	}
	test_type1();
	return 0;
}
