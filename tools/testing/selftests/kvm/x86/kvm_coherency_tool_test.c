// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-coherency, as it is installed, says in each phase of a device's life which device and
 * page table make a VM non-coherent, and nothing else than what KVM does: in the steps of a
 * test the guest executes 100 WBINVDs, which the oracle counts.
 *
 * Each test is a process of its own. Needs two edu devices in groups of their own, bound to
 * vfio-pci, the tool as /tests/kvm-coherency with its libraries, tracefs, and snoop=on or
 * snoop=off in the environment.
 *
 * Usage: kvm_coherency_tool_test [one|absent|try]
 *   one	where there is one such device
 *   absent	for a kernel without the feature
 *   try	kvm-coherency try, on a machine where WBINVD takes time (boot-qemu.sh -D)
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define TOOL		"/tests/kvm-coherency"
#define NOBODY		65534
/* What the kernel keeps of the name of this program */
#define COMM		"kvm_coherency_t"
#define INSTANCES	TRACING "instances/"

static char said[1 << 16];

struct tool {
	pid_t pid;
	int out;
	int err;
};

static struct tool tool_start(bool root, const char *command, const char *arg, const char *option)
{
	int out[2], err[2];
	struct tool t;

	TEST_ASSERT(!pipe2(out, O_CLOEXEC) && !pipe2(err, O_CLOEXEC), "pipe2 failed");
	t.pid = fork();
	TEST_ASSERT(t.pid >= 0, "fork failed");
	if (!t.pid) {
		if (dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0 ||
		    (!root && (setgid(NOBODY) || setuid(NOBODY))))
			_exit(126);
		/* Of two arguments the first is given */
		execl(TOOL, TOOL, command, arg, option, NULL);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	t.out = out[0];
	t.err = err[0];
	return t;
}

/* Reads until the end into what the tool has said */
static size_t hear(int fd, size_t length)
{
	ssize_t nr;

	do {
		TEST_ASSERT(length < sizeof(said) - 1, "the tool says too much");
		nr = read(fd, said + length, sizeof(said) - 1 - length);
		TEST_ASSERT(nr >= 0, "read: %s", strerror(errno));
		length += nr;
	} while (nr);
	said[length] = 0;
	return length;
}

static void tool_end(struct tool *t, int status)
{
	int seen;

	hear(t->err, hear(t->out, 0));
	TEST_ASSERT(waitpid(t->pid, &seen, 0) == t->pid, "waitpid failed");
	TEST_ASSERT(WIFEXITED(seen) && WEXITSTATUS(seen) == status,
		    "status %#x of the tool, which says:\n%s", seen, said);
	close(t->out);
	close(t->err);
}

static void tool_run(bool root, int status, const char *command, const char *arg,
		     const char *option)
{
	struct tool t = tool_start(root, command, arg, option);

	tool_end(&t, status);
}

__printf(2, 3)
static void has(bool wanted, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	TEST_ASSERT(!!strstr(said, text) == wanted, "the tool %s \"%s\":\n%s",
		    wanted ? "does not say" : "says", text, said);
}

static void explain(struct vfio_vm *v)
{
	char vm[64];

	snprintf(vm, sizeof(vm), "%d-%d", getpid(), v->vm->fd);
	tool_run(true, 0, "explain", vm, NULL);
	has(true, "VM %s of process %d (" COMM ")\n", vm, getpid());
}

static void explain_off(struct vfio_vm *v, const char *why)
{
	explain(v);
	has(true, "Permission is off, and WBINVD is ignored: %s.", why);
	has(false, "attached to page table");
	has(false, "    0000:");
}

#define COHERENT	"nothing that KVM was told of is attached non-coherently"

/* Device @n is attached to @hwpt, where the IOMMU cannot enforce coherency */
static void explain_attached(struct vfio_vm *v, struct vfio_edu *edu, unsigned int n,
			     int iommufd, uint32_t hwpt)
{
	long id = iommufd_fdinfo(iommufd, "coherency-id");

	if (!vfio_edu_is_noncoherent()) {
		explain_off(v, COHERENT);
		return;
	}
	explain(v);
	has(true, "Permission is on: its guest's WBINVD flushes");
	has(true, "Group %d is attached to page table %u of iommufd %ld since", vfio_edu_group(n),
	    hwpt, id);
	has(true, "    iommufd %ld is descriptor %d of process %d (" COMM ")\n", id, iommufd,
	    getpid());
	has(true, "\n    %s ", vfio_edu_address(n));
	has(true, "      driver vfio-pci, open as descriptor %d of process %d (" COMM ")\n",
	    edu->fd, getpid());
	has(true, "VT-d without snoop control");
	has(true, "No page table enforces coherency for group %d: detach it from page table %u.",
	    vfio_edu_group(n), hwpt);
}

static bool one_device;

/* Another device comes to the page table and stays there for longer */
static void test_second_device(struct vfio_vm *v, struct vfio_edu *edu, int iommufd,
			       uint32_t hwpt)
{
	struct vfio_edu other;

	vfio_edu_open(&other, 1);
	vfio_edu_bind(&other, iommufd);
	vfio_edu_attach(&other, hwpt);
	explain_attached(v, edu, 0, iommufd, hwpt);
	explain_attached(v, &other, 1, iommufd, hwpt);
	vfio_edu_detach(edu);
	explain_attached(v, &other, 1, iommufd, hwpt);
	has(false, "    %s ", vfio_edu_address(0));
	vfio_edu_attach(edu, hwpt);
	vfio_edu_close(&other);
}

static void test_life_cycle(void)
{
	struct vfio_vm v = vfio_vm_open();
	int device = coherency_device_create(v.vm);
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;
	uint32_t hwpt[2];

	explain_off(&v, "KVM was told of no iommufd and no device");
	coherency_add(device, iommu.fd);
	explain_off(&v, COHERENT);
	vfio_edu_open(&edu, 0);
	explain_off(&v, COHERENT);
	vfio_edu_bind(&edu, iommu.fd);
	explain_off(&v, COHERENT);
	hwpt[0] = iommufd_hwpt_alloc(iommu.fd, edu.id, iommu.ioas[0]);
	hwpt[1] = iommufd_hwpt_alloc(iommu.fd, edu.id, iommu.ioas[1]);
	explain_off(&v, COHERENT);

	vfio_edu_attach(&edu, hwpt[0]);
	explain_attached(&v, &edu, 0, iommu.fd, hwpt[0]);
	vfio_vm_step(&v, true, "attached");
	vfio_edu_attach(&edu, hwpt[1]);
	explain_attached(&v, &edu, 0, iommu.fd, hwpt[1]);
	has(false, "page table %u of", hwpt[0]);

	if (!one_device)
		test_second_device(&v, &edu, iommu.fd, hwpt[1]);
	explain_attached(&v, &edu, 0, iommu.fd, hwpt[1]);
	vfio_edu_detach(&edu);
	explain_off(&v, COHERENT);
	vfio_vm_step(&v, false, "detached");
	vfio_edu_close(&edu);
	close(iommu.fd);
	close(device);
	vfio_vm_close(&v);
}

/* A VMM that knows only kvm-vfio */
static void test_file(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;
	uint32_t hwpt;

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	explain_off(&v, COHERENT);
	vfio_edu_bind(&edu, iommu.fd);
	explain_off(&v, COHERENT);
	hwpt = iommufd_hwpt_alloc(iommu.fd, edu.id, iommu.ioas[0]);
	vfio_edu_attach(&edu, hwpt);
	explain_attached(&v, &edu, 0, iommu.fd, hwpt);
	vfio_edu_detach(&edu);
	explain_off(&v, COHERENT);
	vfio_vm_del(&v, edu.fd);
	vfio_edu_close(&edu);
	close(iommu.fd);
	vfio_vm_close(&v);
}

static void test_type1(void)
{
	struct vfio_vm v = vfio_vm_open();
	int group = vfio_group_open(0), container;

	vfio_vm_add(&v, group);
	explain_off(&v, COHERENT);
	container = vfio_group_type1(group);
	if (vfio_edu_is_noncoherent()) {
		explain(&v);
		has(true, "Permission is on: its guest's WBINVD flushes");
		has(true, "Group %d is in a VFIO container since", vfio_edu_group(0));
		has(true, "    the group is open as descriptor %d of process %d (" COMM ")\n",
		    group, getpid());
		has(true, "    %s ", vfio_edu_address(0));
	} else {
		explain_off(&v, COHERENT);
	}
	close(container);
	vfio_vm_del(&v, group);
	explain_off(&v, "KVM was told of no iommufd and no device");
	close(group);
	vfio_vm_close(&v);
}

static void test_policy(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;

	coherency_policy(v.vm, KVM_NONCOHERENT_DMA_NO_WBINVD);
	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	explain(&v);
	has(true, "Its policy is no-wbinvd, the loosest it can have follow.");
	has(vfio_edu_is_noncoherent(),
	    "Permission is on, but its policy keeps its guest from flushing");
	vfio_edu_close(&edu);
	close(iommu.fd);
	vfio_vm_close(&v);
}

/* Lines of the table that are of this process */
static unsigned int rows(bool listed)
{
	unsigned int nr = 0;
	char start[32], *line;

	snprintf(start, sizeof(start), " %d " COMM " ", getpid());
	for (line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
		nr += strstr(line, start) && (line[0] != '-') == listed;
	return nr;
}

static int create_vm(int kvm)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);

	TEST_ASSERT(vm >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	return vm;
}

static void test_list(void)
{
	int kvm = open_path_or_exit("/dev/kvm", O_RDWR), vm[2], copy;

	tool_run(true, 0, "list", "--interval=0", NULL);
	has(true, "There is no VM.\n");
	/* The second one gets the descriptor, and with it the name, of the first */
	vm[0] = create_vm(kvm);
	copy = fcntl(vm[0], F_DUPFD_CLOEXEC, 100);
	TEST_ASSERT(copy >= 0, "F_DUPFD_CLOEXEC: %s", strerror(errno));
	close(vm[0]);
	vm[1] = create_vm(kvm);
	TEST_ASSERT(vm[0] == vm[1], "the second VM has another descriptor");

	tool_run(true, 0, "list", "--interval=0", NULL);
	has(true, "unknown: KVM tells nothing about these VMs in debugfs");
	TEST_ASSERT(rows(false) == 1, "not one VM without directory");
	tool_run(true, 0, "list", "--interval=0", NULL);
	TEST_ASSERT(rows(true) == 1, "not one VM with a directory");
	close(copy);
	close(vm[1]);
	close(kvm);
}

static void test_flushes(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	struct vfio_edu edu;
	bool on = vfio_edu_is_noncoherent();

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_vm_step(&v, false, "nothing attached");
	vfio_edu_bind(&edu, iommu.fd);
	vfio_edu_attach(&edu, iommu.ioas[0]);
	vfio_vm_step(&v, true, "attached");
	tool_run(true, 0, "list", "--interval=0", "--json");
	has(true, "\"pid\":%d,", getpid());
	has(true, "\"permission\":%s,", on ? "true" : "false");
	has(true, "\"wbinvd_flushed\":%d,", on ? VFIO_VM_NR_WBINVD : 0);
	has(true, "\"wbinvd_ignored\":%d", (on ? 1 : 2) * VFIO_VM_NR_WBINVD);
	vfio_edu_close(&edu);
	close(iommu.fd);
	vfio_vm_close(&v);
}

static void wait_until_watching(struct tool *t)
{
	static const char text[] = "kvm-coherency: watching\n";
	char seen[sizeof(text)] = "";
	ssize_t nr, length = 0;

	while (length < (ssize_t)sizeof(text) - 1) {
		nr = read(t->err, seen + length, sizeof(text) - 1 - length);
		TEST_ASSERT(nr > 0, "the tool does not watch: %s", seen);
		length += nr;
	}
	TEST_ASSERT(!strcmp(seen, text), "the tool says %s", seen);
}

static bool instance_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), INSTANCES "kvm-coherency-%d", pid);
	return !access(path, F_OK);
}

static unsigned int count_of(const char *text)
{
	unsigned int nr = 0;
	const char *at;

	for (at = strstr(said, text); at; at = strstr(at + 1, text))
		nr++;
	return nr;
}

static void test_watch(void)
{
	struct vfio_vm v = vfio_vm_open();
	struct iommu iommu = iommu_open();
	bool on = vfio_edu_is_noncoherent();
	struct tool killed, t;
	struct vfio_edu edu;
	uint32_t hwpt;
	pid_t pid;

	vfio_edu_open(&edu, 0);
	vfio_vm_add(&v, edu.fd);
	vfio_edu_bind(&edu, iommu.fd);
	hwpt = iommufd_hwpt_alloc(iommu.fd, edu.id, iommu.ioas[0]);

	killed = tool_start(true, "watch", NULL, NULL);
	wait_until_watching(&killed);
	TEST_ASSERT(instance_of(killed.pid), "the tool has no trace instance");
	kill(killed.pid, SIGKILL);
	TEST_ASSERT(waitpid(killed.pid, NULL, 0) == killed.pid, "waitpid failed");
	TEST_ASSERT(instance_of(killed.pid), "a killed tool leaves nothing to remove");

	/* It ends with the last WBINVD */
	t = tool_start(true, "watch", on ? "--count=102" : "--count=100", NULL);
	wait_until_watching(&t);
	TEST_ASSERT(!instance_of(killed.pid), "what a killed tool left is still there");
	vfio_edu_attach(&edu, hwpt);
	vfio_vm_step(&v, true, "attached");
	pid = t.pid;
	tool_end(&t, 0);
	TEST_ASSERT(!instance_of(pid), "the trace instance is left");
	if (on) {
		has(true, "iommufd %ld: group %d on page table %u, PASID 0: non-coherent DMA on\n",
		    iommufd_fdinfo(iommu.fd, "coherency-id"), vfio_edu_group(0), hwpt);
		has(true, "process %d (" COMM "): permission is on, 0 CPUs flushed\n", getpid());
	}
	TEST_ASSERT(count_of(on ? "WBINVD of vCPU 0, 1 CPUs flushed\n" :
			     "WBINVD of vCPU 0, ignored\n") == VFIO_VM_NR_WBINVD,
		    "not 100 WBINVDs:\n%s", said);

	/* A signal ends it in an orderly manner */
	t = tool_start(true, "watch", "--json", NULL);
	wait_until_watching(&t);
	vfio_edu_detach(&edu);
	kill(t.pid, SIGTERM);
	pid = t.pid;
	tool_end(&t, 0);
	TEST_ASSERT(!instance_of(pid), "the trace instance is left");

	vfio_edu_close(&edu);
	close(iommu.fd);
	vfio_vm_close(&v);
}

static void test_check(void)
{
	tool_run(true, 0, "check", NULL, NULL);
	has(true, "This kernel's KVM follows coherency. New VMs have policy follow");
	has(true, "%s %s", vfio_edu_address(0), vfio_edu_is_noncoherent() ? "yes " : "no ");
	has(vfio_edu_is_noncoherent(),
	    "dmar0 cannot enforce coherency (VT-d without snoop control).");
	has(false, "needs root");
}

static void test_ordinary_user(void)
{
	tool_run(false, 1, "list", NULL, NULL);
	has(true, "this needs root");
	tool_run(false, 1, "explain", "1-1", NULL);
	has(true, "this needs root");
	tool_run(false, 1, "watch", NULL, NULL);
	has(true, "this needs root");
	tool_run(false, 0, "check", NULL, NULL);
	has(true, "%s %s", vfio_edu_address(0), vfio_edu_is_noncoherent() ? "yes " : "no ");
	has(true, "unknown, needs root");
}

static void test_absent(void)
{
	tool_run(true, 1, "list", NULL, NULL);
	has(true, "this kernel's KVM does not follow coherency");
	tool_run(true, 1, "explain", "1-1", NULL);
	has(true, "this kernel's KVM does not follow coherency");
	tool_run(true, 1, "watch", NULL, NULL);
	has(true, "KVM is not loaded, or does not follow coherency");
	tool_run(true, 0, "check", NULL, NULL);
	has(true, "This kernel's KVM does not follow coherency");
	has(true, "dmar0 can");
}

#define SYSFS_DEVICE	"/sys/bus/pci/devices/%s/"
/* As the tool has it in each of its steps */
#define TRY_WBINVDS	16

static void sysfs_write(const char *path, const char *text)
{
	int fd = open_path_or_exit(path, O_WRONLY);

	TEST_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path,
		    strerror(errno));
	close(fd);
}

static void device_write(const char *device, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS_DEVICE "%s", device, file);
	sysfs_write(path, text);
}

static bool has_driver(const char *device)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS_DEVICE "driver", device);
	return !access(path, F_OK);
}

/* Takes the device from vfio-pci, as tests find it, and its override away */
static void release(const char *device)
{
	device_write(device, "driver/unbind", device);
	device_write(device, "driver_override", "\n");
	TEST_ASSERT(!has_driver(device), "%s still has a driver", device);
}

static void give_back(const char *device)
{
	device_write(device, "driver_override", "vfio-pci");
	sysfs_write("/sys/bus/pci/drivers_probe", device);
	TEST_ASSERT(has_driver(device), "%s has no driver", device);
}

static void has_override(const char *device, const char *wanted)
{
	char path[128], seen[64] = "";
	int fd;

	snprintf(path, sizeof(path), SYSFS_DEVICE "driver_override", device);
	fd = open_path_or_exit(path, O_RDONLY);
	TEST_ASSERT(read(fd, seen, sizeof(seen) - 1) > 0, "%s: %s", path, strerror(errno));
	close(fd);
	TEST_ASSERT(!strcmp(seen, wanted), "%s is %s", path, seen);
}

static void try_right(const char *device, const char *option)
{
	/* attached, replaced, and attached again */
	step_begin_some(3 * TRY_WBINVDS, 7 * TRY_WBINVDS, "try");
	tool_run(true, 0, "try", device, option);
	step_end();
	has(true, "Device: %s [1234:11e8]", device);
	has(true, "Right in each step");
	has(true, "as found again");
	has(vfio_edu_is_noncoherent(), "flushed right");
	has(true, "ignored right");
}

static void test_try_taken(void)
{
	const char *device = vfio_edu_address(0);

	tool_run(true, 1, "try", device, NULL);
	has(true, "%s has the driver vfio-pci: --take has it taken away", device);
	try_right(device, "--take");
	TEST_ASSERT(has_driver(device), "the driver is lost");
	has_override(device, "vfio-pci\n");
}

static void test_try_without_driver(void)
{
	const char *device = vfio_edu_address(0);

	release(device);
	try_right(device, NULL);
	TEST_ASSERT(!has_driver(device), "the device has a driver");
	has_override(device, "(null)\n");
	give_back(device);
}

static void test_try_in_use(void)
{
	struct vfio_edu edu;

	vfio_edu_open(&edu, 0);
	tool_run(true, 1, "try", vfio_edu_address(0), "--take");
	has(true, "%s is in use: process %d has it open", vfio_edu_address(0), getpid());
	vfio_edu_close(&edu);
}

/* How often the guest executes WBINVD until a step is done, and how often that flushes */
static const struct try_stop {
	const char *step;
	unsigned int wbinvds;
	unsigned int flushes;
} try_stops[] = {
	{ "guarded", 0, 0 },
	{ "released", 0, 0 },
	{ "given", 0, 0 },
	{ "opened", 1, 0 },
	{ "bound", 2, 0 },
	{ "attached", 3, 1 },
	{ "replaced", 4, 2 },
	{ "detached", 5, 2 },
};

/* The tool stops itself behind the step */
static void try_killed(const char *device, const struct try_stop *stop)
{
	char option[64];
	struct tool t;
	int status;

	snprintf(option, sizeof(option), "--stop-at=%s", stop->step);
	if (stop->wbinvds)
		step_begin_some(stop->flushes * TRY_WBINVDS, stop->wbinvds * TRY_WBINVDS,
				stop->step);
	t = tool_start(true, "try", device, option);
	TEST_ASSERT(waitpid(t.pid, &status, WUNTRACED) == t.pid && WIFSTOPPED(status),
		    "the tool does not come to \"%s\"", stop->step);
	if (stop->wbinvds)
		step_end();
	TEST_ASSERT(has_driver(device) == (strcmp(stop->step, "guarded") &&
					   strcmp(stop->step, "released")),
		    "%s: the device is with the wrong driver", stop->step);
	kill(t.pid, SIGKILL);
	TEST_ASSERT(waitpid(t.pid, &status, 0) == t.pid && WIFSIGNALED(status), "waitpid failed");
	/* Who restores the device has stderr open until that is done */
	hear(t.err, 0);
	has(false, "kvm-coherency: ");
	close(t.out);
	close(t.err);
	TEST_ASSERT(!has_driver(device), "%s: the device keeps a driver", stop->step);
	has_override(device, "(null)\n");
}

static void test_try_killed(void)
{
	const char *device = vfio_edu_address(0);
	unsigned int i;

	release(device);
	for (i = 0; i < ARRAY_SIZE(try_stops); i++)
		try_killed(device, &try_stops[i]);
	give_back(device);
}

static const struct step_test all_tests[] = {
	{ "the life of a device on an iommufd", test_life_cycle },
	{ "kvm-vfio: a device's file", test_file },
	{ "kvm-vfio: a group in a type1 container", test_type1 },
	{ "policy no-wbinvd", test_policy },
	{ "list: none, and two of one name", test_list },
	{ "list: flushes", test_flushes },
	{ "watch", test_watch },
	{ "check", test_check },
	{ "an ordinary user", test_ordinary_user },
};

static const struct step_test absent_tests[] = {
	{ "a kernel without the feature", test_absent },
	{ "an ordinary user, without the feature", test_ordinary_user },
};

static const struct step_test try_tests[] = {
	{ "try: a device of vfio-pci", test_try_taken },
	{ "try: a device without driver", test_try_without_driver },
	{ "try: a device in use", test_try_in_use },
	{ "try: killed behind each step", test_try_killed },
};

int main(int argc, char **argv)
{
	one_device = argc == 2 && !strcmp(argv[1], "one");
	if (argc == 1 || one_device)
		return run_tests(all_tests, ARRAY_SIZE(all_tests));
	if (!strcmp(argv[1], "try"))
		return run_tests(try_tests, ARRAY_SIZE(try_tests));
	if (!strcmp(argv[1], "absent"))
		return run_tests(absent_tests, ARRAY_SIZE(absent_tests));
	fprintf(stderr, "usage: kvm_coherency_tool_test [one|absent|try]\n");
	return 2;
}
