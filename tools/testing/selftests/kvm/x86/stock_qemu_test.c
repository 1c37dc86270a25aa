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
#include "x86/qemu_vmm.h"

static long attached = ORACLE_ANY, not_attached = ORACLE_ANY;
static char by_type1[64], by_iommufd[80];
static const char *tool;

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

/* How often does the host flush, and does the tool know why? */
static void flushes(struct vmm *v, long expect, const char *name)
{
	wbinvds(v, expect, name);
	if (tool)
		tool_knows(v, expect > 0, !strncmp(name, "type1", 5));
}

static void test_cold_plug(void)
{
	struct vmm v;

	start(&v, "-object", "iommufd,id=i0", "-device", by_iommufd, NULL);
	flushes(&v, attached, "cold-plugged");

	reset(&v);
	flushes(&v, attached, "guest reset by QEMU");

	say(&v, 'r');
	hear(&v, 'R');
	flushes(&v, attached, "guest reset by itself");

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
	flushes(&v, not_attached, "new guest after kill -9, no device");

	plug(&v);
	flushes(&v, attached, "hot-plugged");
	qmp(&v, QMP_UNPLUG);
	unplugged(&v, false);
	flushes(&v, not_attached, "hot-unplugged");

	snprintf(command, sizeof(command), "device_add %s", by_iommufd);
	hmp(&v, command);
	flushes(&v, attached, "hot-plugged again");
	reset(&v);
	flushes(&v, attached, "hot-plugged, guest reset");
	hmp(&v, "device_del edu");
	unplugged(&v, true);
	flushes(&v, not_attached, "hot-unplugged again");
	shut_down(&v);
}

static void test_type1(void)
{
	char command[128];
	struct vmm v;

	start(&v, "-device", by_type1, NULL);
	flushes(&v, attached, "type1, cold-plugged");
	reset(&v);
	flushes(&v, attached, "type1, guest reset");
	qmp(&v, QMP_UNPLUG);
	unplugged(&v, true);
	flushes(&v, not_attached, "type1, hot-unplugged");
	snprintf(command, sizeof(command), "device_add %s", by_type1);
	hmp(&v, command);
	flushes(&v, attached, "type1, hot-plugged");
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
