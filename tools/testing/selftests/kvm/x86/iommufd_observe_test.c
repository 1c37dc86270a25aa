// SPDX-License-Identifier: GPL-2.0
/*
 * What shows why a VM's WBINVD flushes, or does not: the fdinfo of the iommufd, and
 * the tracepoints of iommufd and KVM. Together with the IOMMU's tracepoint these
 * also show the order of permission and attach.
 *
 * Needs an edu device bound to vfio-pci, tracefs, and snoop=off or snoop=on in
 * the environment.
 */
#include <fcntl.h>
#include <unistd.h>

#include <linux/iommufd_coherency.h>

#include "coherency_vm.h"
#include "kvm_util.h"
#include "patient_harness.h"
#include "test_util.h"
#include "vfio_edu.h"
#include "vfio_vm.h"

#define TRACING		"/sys/kernel/tracing/"
#define MAX_EVENTS	512
#define COHERENCY_CAPS	(IOMMU_HW_CAP_COHERENCY_KNOWN | IOMMU_HW_CAP_COHERENCY_ENFORCEABLE)

FIXTURE(observe)
{
	struct coherency_vm c;
	struct vfio_edu edu;
	int iommufd;
	u32 ioas;
};

FIXTURE_SETUP(observe)
{
	coherency_vm_create(&self->c);
	self->iommufd = iommufd_open();
	self->ioas = iommufd_ioas_alloc(self->iommufd);
	vfio_edu_open(&self->edu, 0);
	vfio_edu_bind(&self->edu, self->iommufd);
}

FIXTURE_TEARDOWN(observe)
{
	coherency_vm_destroy(&self->c);
	vfio_edu_close(&self->edu);
	close(self->iommufd);
}

static bool fdinfo_has(int iommufd, const char *expected)
{
	char line[128];
	bool found = false;
	FILE *f;

	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", iommufd);
	f = fopen(line, "r");
	TEST_ASSERT(f, "%s cannot be opened", line);
	while (!found && fgets(line, sizeof(line), f))
		found = !strcmp(line, expected);
	fclose(f);
	return found;
}

TEST_F(observe, fdinfo)
{
	int on = vfio_edu_is_noncoherent();
	struct coherency_vm other;
	char group[64], line[64];
	long watches;

	watches = iommufd_watches(self->iommufd);
	ASSERT_EQ(0, watches);
	snprintf(group, sizeof(group), "noncoherent-group:\t%d 1\n", vfio_edu_group(0));
	snprintf(line, sizeof(line), "coherency-watches:\t%ld\n", watches);

	EXPECT_TRUE(fdinfo_has(self->iommufd, "noncoherent-attachments:\t0\n"));
	EXPECT_TRUE(fdinfo_has(self->iommufd, line));
	EXPECT_TRUE(fdinfo_has(self->iommufd, "coherency-watches-begun:\t0\n"));
	EXPECT_EQ(-1, iommufd_fdinfo(self->iommufd, "noncoherent-group"));

	coherency_vm_add(&self->c, self->iommufd);
	EXPECT_EQ(watches + 1, iommufd_watches(self->iommufd));
	EXPECT_EQ(0, iommufd_watches_begun(self->iommufd));

	vfio_edu_attach(&self->edu, self->ioas);
	EXPECT_EQ(on, iommufd_fdinfo(self->iommufd, "noncoherent-attachments"));
	EXPECT_EQ(watches + 1, iommufd_watches(self->iommufd));
	EXPECT_EQ(on ? watches + 1 : 0, iommufd_watches_begun(self->iommufd));
	EXPECT_EQ(on, fdinfo_has(self->iommufd, group));

	coherency_vm_create(&other);
	coherency_vm_add(&other, self->iommufd);
	EXPECT_EQ(watches + 2, iommufd_watches(self->iommufd));
	EXPECT_EQ(on ? watches + 2 : 0, iommufd_watches_begun(self->iommufd));
	coherency_vm_destroy(&other);
	EXPECT_EQ(watches + 1, iommufd_watches(self->iommufd));

	vfio_edu_detach(&self->edu);
	EXPECT_EQ(0, iommufd_fdinfo(self->iommufd, "noncoherent-attachments"));
	EXPECT_EQ(watches + 1, iommufd_watches(self->iommufd));
	EXPECT_EQ(0, iommufd_watches_begun(self->iommufd));
	EXPECT_EQ(-1, iommufd_fdinfo(self->iommufd, "noncoherent-group"));
}

/* The capabilities by which a VMM chooses page tables, before an attach and after */
TEST_F(observe, capabilities)
{
	u64 expected = IOMMU_HW_CAP_COHERENCY_KNOWN;
	int on = vfio_edu_is_noncoherent();

	if (!on)
		expected |= IOMMU_HW_CAP_COHERENCY_ENFORCEABLE;
	EXPECT_EQ(expected, COHERENCY_CAPS & iommufd_capabilities(self->iommufd, self->edu.id));
	vfio_edu_attach(&self->edu, iommufd_hwpt_alloc(self->iommufd, self->edu.id, self->ioas));
	EXPECT_EQ(on, iommufd_fdinfo(self->iommufd, "noncoherent-attachments"));
	EXPECT_EQ(expected, COHERENCY_CAPS & iommufd_capabilities(self->iommufd, self->edu.id));
}

static void tracefs_write(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	TEST_ASSERT(fd >= 0, "%s cannot be opened", path);
	TEST_ASSERT(write(fd, text, strlen(text)) == strlen(text),
		    "%s does not take \"%s\"", path, text);
	close(fd);
}

static void trace_switch(const char *on)
{
	tracefs_write("events/iommu/attach_device_to_domain/enable", on);
	tracefs_write("events/iommufd/iommufd_coherency/enable", on);
	tracefs_write("events/kvm/kvm_noncoherent_dma/enable", on);
	tracefs_write("events/kvm/kvm_wbinvd/enable", on);
}

/*
 * Reads the text of the events whose name begins with @event. They are in the order in
 * which they happened, since all happen on one CPU.
 */
static int trace_read(const char *event, char events[][128])
{
	char line[512], name[64], *text;
	int nr = 0;
	FILE *f;

	snprintf(name, sizeof(name), ": %s", event);
	f = fopen(TRACING "trace", "r");
	TEST_ASSERT(f, TRACING "trace cannot be opened");
	while (fgets(line, sizeof(line), f)) {
		text = strstr(line, name);
		if (line[0] == '#' || !text || nr == MAX_EVENTS)
			continue;
		snprintf(events[nr++], 128, "%s", text + strlen(name));
	}
	fclose(f);
	return nr;
}

TEST_F(observe, tracepoints)
{
	int on = vfio_edu_is_noncoherent();
	static char events[MAX_EVENTS][128];
	char expected[2][128];
	u32 hwpt[2];
	int nr, i;

	for (i = 0; i < 2; i++)
		hwpt[i] = iommufd_hwpt_alloc(self->iommufd, self->edu.id, self->ioas);
	coherency_vm_add(&self->c, self->iommufd);

	tracefs_write("trace", "");
	trace_switch("1");

	coherency_vm_run(&self->c);
	vfio_edu_attach(&self->edu, hwpt[0]);
	coherency_vm_run(&self->c);
	vfio_edu_attach(&self->edu, hwpt[1]);
	vfio_edu_detach(&self->edu);

	trace_switch("0");

	/* Attach, replace (the new HWPT is on before the old one is off), detach */
	nr = trace_read("iommufd_coherency: ", events);
	EXPECT_EQ(4 * on, nr);
	for (i = 0; i < nr; i++) {
		static const int which[] = { 0, 1, 0, 1 };
		static const char * const what[] = { "on", "on", "off", "off" };

		snprintf(expected[0], sizeof(expected[0]),
			 "ctx=%ld group=%d pasid=0 hwpt=%u noncoherent=%s\n",
			 iommufd_fdinfo(self->iommufd, "coherency-id"),
			 vfio_edu_group(0), hwpt[which[i]], what[i]);
		EXPECT_STREQ(expected[0], events[i]);
	}

	/* What an edge zaps and flushes depends on the CPU, so it is not compared */
	nr = trace_read("kvm_noncoherent_dma: ", events);
	EXPECT_EQ(2 * on, nr);
	for (i = 0; i < nr; i++) {
		snprintf(expected[0], sizeof(expected[0]), "vm=%d permission=%s ", getpid(),
			 i ? "off" : "on");
		EXPECT_EQ(0, strncmp(events[i], expected[0], strlen(expected[0])));
	}

	nr = trace_read("kvm_wbinvd: ", events);
	EXPECT_EQ(2 * COHERENCY_NR_WBINVD, nr);
	for (i = 0; i < 2; i++)
		snprintf(expected[i], sizeof(expected[i]), "vcpu=0 flushed_cpus=%d\n", i * on);
	for (i = 0; i < nr; i++)
		EXPECT_STREQ(expected[i / COHERENCY_NR_WBINVD], events[i]);
}

/*
 * Permission must be on before the hardware gets the first page table that does not
 * enforce coherency, and go off after the hardware got the blocking domain at last.
 * @expected: the traced events of hardware and permission, in order, ending with NULL.
 */
static void expect_order(struct __test_metadata *_metadata, const char * const *expected)
{
	static char events[MAX_EVENTS][128];
	int nr = trace_read("", events), i;

	for (i = 0; i < nr; i++) {
		const char *what;

		if (strstr(events[i], "attach_device_to_domain: "))
			what = "hardware";
		else if (strstr(events[i], "kvm_noncoherent_dma: "))
			what = strstr(events[i], "permission=on") ? "permission on" :
								    "permission off";
		else
			continue;
		/* With an enforcing IOMMU the hardware is attached without permission */
		while (*expected && !vfio_edu_is_noncoherent() && strcmp(*expected, "hardware"))
			expected++;
		ASSERT_NE(NULL, *expected);
		EXPECT_STREQ(*expected++, what);
	}
	while (*expected && !vfio_edu_is_noncoherent() && strcmp(*expected, "hardware"))
		expected++;
	EXPECT_EQ(NULL, *expected);
}

static const char * const order_of_device[] = {
	"permission on", "hardware", "hardware", "hardware", "permission off", NULL,
};

static void trace_device(FIXTURE_DATA(observe) * self)
{
	u32 hwpt[2];
	int i;

	for (i = 0; i < 2; i++)
		hwpt[i] = iommufd_hwpt_alloc(self->iommufd, self->edu.id, self->ioas);
	tracefs_write("trace", "");
	trace_switch("1");
	vfio_edu_attach(&self->edu, hwpt[0]);
	vfio_edu_attach(&self->edu, hwpt[1]);
	vfio_edu_detach(&self->edu);
	trace_switch("0");
}

TEST_F(observe, no_gap)
{
	coherency_vm_add(&self->c, self->iommufd);
	trace_device(self);
	expect_order(_metadata, order_of_device);
}

/* The same for VMMs that know only kvm-vfio */
TEST_F(observe, no_gap_of_a_file)
{
	struct vfio_vm v = vfio_vm_open();

	vfio_vm_add(&v, self->edu.fd);
	trace_device(self);
	expect_order(_metadata, order_of_device);
	vfio_vm_close(&v);
}

/*
 * A group's file stays watched while its device is opened and closed. VFIO alone binds,
 * attaches, detaches and unbinds the device, with blocking domains before and after.
 */
TEST(no_gap_of_a_group)
{
	static const char * const order[] = {
		"hardware", "permission on", "hardware", "hardware", "permission off",
		"hardware", NULL,
	};
	struct vfio_vm v;
	int group, iommufd, device;

	pin_to_cpu(0);
	v = vfio_vm_open();
	group = vfio_group_open(0);
	iommufd = iommufd_open();
	vfio_group_set_container(group, iommufd);
	vfio_vm_add(&v, group);

	tracefs_write("trace", "");
	trace_switch("1");
	device = vfio_group_device(group, 0);
	close(device);
	trace_switch("0");
	expect_order(_metadata, order);

	vfio_vm_close(&v);
	close(group);
	close(iommufd);
}

TEST_HARNESS_MAIN
