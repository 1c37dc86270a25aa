// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU with the patches of contrib/qemu: each policy by its option, under each limit
 * of the host's; what QEMU says of it; devices that are refused, and a VM that goes on.
 *
 * Usage: qemu_policy_test [-o] [-r ROOT] -q QEMU -b BIOS -d DEVICE FLUSHES
 *   -o		the kernel is one without the feature
 *   ROOT	where QEMU's libraries and firmware are (default "/")
 *   QEMU	the program, as seen from ROOT
 *   DEVICE	a PCI address
 *   FLUSHES	expected while the device is attached and the policy is "follow": 100
 *		where the IOMMU cannot enforce coherency, 0 where it can
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "x86/qemu_vmm.h"

#define LIMIT		"/sys/module/kvm/parameters/noncoherent_dma"
#define QMP_STATUS	"{'execute': 'x-query-kvm-coherency'}"
#define QMP_VM_STATS	"{'execute': 'query-stats', 'arguments': {'target': 'vm'}}"
#define QMP_VCPU_STATS	"{'execute': 'query-stats', 'arguments': {'target': 'vcpu'}}"
#define QMP_PLUG_INTO	"{'execute': 'device_add', 'arguments': {'driver': 'vfio-pci', " \
			"'host': '%s', 'bus': 'rp0', 'id': 'edu'%s}}"

/* From the loosest to the strictest */
static const char * const policies[] = { "follow", "no-wbinvd", "forbid" };
enum { FOLLOW, NO_WBINVD, FORBID, NR_POLICIES };

static long attached;

static void set_limit(int policy)
{
	int fd = open(LIMIT, O_WRONLY);

	if (fd < 0 || write(fd, policies[policy], strlen(policies[policy])) < 0)
		err(1, "%s", LIMIT);
	close(fd);
}

/* @policy of -1: the option is not given */
static void choose(int policy)
{
	static char option[64];

	if (policy < 0)
		snprintf(option, sizeof(option), "kvm");
	else
		snprintf(option, sizeof(option), "kvm,noncoherent-dma=%s", policies[policy]);
	accel = option;
}

/* QEMU must not start with this accelerator, and say @reason */
static void refused(const char *reason)
{
	int serial = listen_at(SERIAL), monitor = listen_at(QMP), out[2], status;
	struct pollfd p = { .events = POLLIN };
	char said[4096] = "", *none[] = { NULL };
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		err(1, "pipe2");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		dup2(out[1], STDERR_FILENO);
		qemu_exec(none);
	}
	close(out[1]);

	p.fd = out[0];
	do {
		if (poll(&p, 1, TIMEOUT_MS) != 1) {
			kill(pid, SIGKILL);
			errx(1, "QEMU with -accel %s did not end", accel);
		}
		n = read(out[0], said + len, sizeof(said) - 1 - len);
		if (n < 0)
			err(1, "QEMU's messages");
		len += n;
	} while (n);
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (!WIFEXITED(status) || !WEXITSTATUS(status))
		errx(1, "QEMU with -accel %s ended with status %#x", accel, status);
	if (!strstr(said, reason))
		errx(1, "QEMU with -accel %s does not say \"%s\": %s", accel, reason, said);

	close(out[0]);
	close(serial);
	close(monitor);
}

/* The last answer of QEMU's has to have @name with @value */
static void has(struct vmm *v, const char *name, const char *value)
{
	char pair[128];

	snprintf(pair, sizeof(pair), "\"%s\": %s", name, value);
	if (!strstr(v->line, pair))
		errx(1, "no %s in QEMU's answer: %s", pair, v->line);
}

static void has_number(struct vmm *v, const char *name, unsigned int n)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", n);
	has(v, name, value);
}

static void status(struct vmm *v, int policy, bool noncoherent, unsigned int iommufds,
		   unsigned int changes)
{
	char name[32];

	qmp(v, QMP_STATUS);
	snprintf(name, sizeof(name), "\"%s\"", policies[policy]);
	has(v, "policy", name);
	has(v, "noncoherent", noncoherent ? "true" : "false");
	has(v, "wbinvd", noncoherent && policy == FOLLOW ? "true" : "false");
	has_number(v, "iommufds", iommufds);
	has_number(v, "changes", changes);
}

/* Waits for the event that makes @changes, each of which there is one for */
static void changed(struct vmm *v, unsigned int changes, bool noncoherent)
{
	while (v->changes < changes)
		qmp_read(v);
	if (v->changes != changes || v->noncoherent != noncoherent)
		errx(1, "%u events, the last one %scoherent", v->changes,
		     v->noncoherent ? "non-" : "");
}

/* An iommufd of NULL: type1 */
static const char *plug_into(const char *iommufd)
{
	static char command[256];
	char option[32] = "";

	if (iommufd)
		snprintf(option, sizeof(option), ", 'iommufd': '%s'", iommufd);
	snprintf(command, sizeof(command), QMP_PLUG_INTO, bdf, option);
	return command;
}

static void step(struct vmm *v, long expect, const char *where, const char *what)
{
	char name[128];

	snprintf(name, sizeof(name), "%s: %s", where, what);
	wbinvds(v, expect, name);
}

static void unplug(struct vmm *v)
{
	qmp(v, QMP_UNPLUG);
	unplugged(v, false);
}

static void test_policy(int limit, int option)
{
	int policy = option < 0 ? limit : option;
	bool noncoherent = attached;
	char name[96];
	struct vmm v;

	set_limit(limit);
	choose(option);
	snprintf(name, sizeof(name), "limit %s, %s", policies[limit],
		 option < 0 ? "no option" : policies[option]);

	if (policy < limit) {
		refused("the host allows stricter policies only");
		return;
	}

	start(&v, "-object", "iommufd,id=i0", NULL);
	status(&v, policy, false, 0, 0);
	if (noncoherent && policy == FORBID) {
		qmp_fails(&v, plug_into("i0"), "noncoherent-dma policy forbids");
		qmp_fails(&v, plug_into(NULL), "noncoherent-dma policy forbids");
		status(&v, policy, false, 0, 0);
		step(&v, 0, name, "refused, and the VM goes on");
		shut_down(&v);
		return;
	}

	qmp(&v, plug_into("i0"));
	if (noncoherent)
		changed(&v, 1, true);
	status(&v, policy, noncoherent, 1, noncoherent);
	step(&v, policy == FOLLOW ? attached : 0, name, "plugged");
	unplug(&v);
	if (noncoherent)
		changed(&v, 2, false);
	status(&v, policy, false, 0, noncoherent ? 2 : 0);
	step(&v, 0, name, "unplugged");
	shut_down(&v);
}

static void test_life(void)
{
	char device[128];
	struct vmm v;

	choose(FOLLOW);
	snprintf(device, sizeof(device), "vfio-pci,bus=rp0,id=edu,host=%s,iommufd=i0", bdf);
	start(&v, "-object", "iommufd,id=i0", "-device", device, NULL);
	status(&v, FOLLOW, attached, 1, !!attached);
	reset(&v);
	status(&v, FOLLOW, attached, 1, !!attached);
	wbinvds(&v, attached, "guest reset");
	say(&v, 'l');
	hear(&v, 'l');
	kill(v.pid, SIGKILL);
	reap(&v);

	start(&v, "-object", "iommufd,id=i0", NULL);
	status(&v, FOLLOW, false, 0, 0);
	wbinvds(&v, 0, "new guest after kill -9");
	shut_down(&v);
}

static void test_two_iommufds(void)
{
	unsigned int changes = 0;
	struct vmm v;

	start(&v, "-object", "iommufd,id=i0", "-object", "iommufd,id=i1", NULL);
	for (int i = 0; i < 2; i++) {
		qmp(&v, plug_into(i ? "i1" : "i0"));
		changes += !!attached;
		status(&v, FOLLOW, attached, 1, changes);
		step(&v, attached, "two iommufds", i ? "second" : "first");
		unplug(&v);
		changes += !!attached;
		status(&v, FOLLOW, false, 0, changes);
	}
	qmp(&v, QMP_VM_STATS);
	if (!strstr(v.line, "\"noncoherent_dma_edges\""))
		errx(1, "query-stats does not have noncoherent_dma_edges");
	qmp(&v, QMP_VCPU_STATS);
	if (!strstr(v.line, "\"wbinvd_flushed\""))
		errx(1, "query-stats does not have wbinvd_flushed");
	shut_down(&v);
}

/* An iommufd that QEMU is given, by two objects */
static void test_passed_iommufd(void)
{
	char first[32], second[32];
	int fd = open("/dev/iommu", O_RDWR);
	struct vmm v;

	if (fd < 0)
		err(1, "/dev/iommu");
	snprintf(first, sizeof(first), "iommufd,id=i0,fd=%d", fd);
	snprintf(second, sizeof(second), "iommufd,id=i1,fd=%d", fd);
	start(&v, "-object", first, "-object", second, NULL);
	close(fd);
	qmp(&v, plug_into("i1"));
	status(&v, FOLLOW, attached, 1, !!attached);
	wbinvds(&v, attached, "an iommufd by its fd");
	unplug(&v);
	status(&v, FOLLOW, false, 0, attached ? 2 : 0);
	shut_down(&v);
}

static void test_older_kernel(void)
{
	struct vmm v;

	for (int policy = FOLLOW; policy < NR_POLICIES; policy++) {
		choose(policy);
		refused("the host's KVM has no such policies");
	}
	choose(-1);
	start(&v, "-object", "iommufd,id=i0", NULL);
	qmp_fails(&v, QMP_STATUS, "KVM does not tell of DMA coherency");
	qmp(&v, plug_into("i0"));
	wbinvds(&v, ORACLE_ANY, "a kernel without the feature, plugged");
	unplug(&v);
	wbinvds(&v, 0, "a kernel without the feature, unplugged");
	shut_down(&v);
}

int main(int argc, char **argv)
{
	bool older = false;
	int opt;

	program = NULL;
	while ((opt = getopt(argc, argv, "or:q:b:d:")) > 0) {
		switch (opt) {
		case 'o':
			older = true;
			break;
		case 'r':
			root = optarg;
			break;
		case 'q':
			program = optarg;
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
	if (!program || !bios || !bdf || optind != argc - 1)
		errx(2, "usage: qemu_policy_test [-o] [-r ROOT] -q QEMU -b BIOS -d DEVICE FLUSHES");
	attached = strtol(argv[optind], NULL, 10);

	oracle_end();
	if (older) {
		test_older_kernel();
		return 0;
	}
	for (int limit = FOLLOW; limit < NR_POLICIES; limit++) {
		for (int option = -1; option < NR_POLICIES; option++)
			test_policy(limit, option);
	}
	set_limit(FOLLOW);
	test_life();
	test_two_iommufds();
	test_passed_iommufd();
	return 0;
}
