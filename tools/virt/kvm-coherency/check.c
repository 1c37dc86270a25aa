// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-coherency check: which devices of this machine could do non-coherent DMA, on any
 * kernel. It only reads sysfs and configuration space.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "device.h"
#include "root.h"
#include "table.h"
#include "text.h"

enum verdict { COHERENT, NONCOHERENT, UNKNOWN, NR_VERDICTS };

static const char *const names[] = { "no", "yes", "unknown" };

/* By the verdict, and instead of what is said of NONCOHERENT if KVM does not follow */
static const char *const advices[] = {
	"keep it off page tables that were made for a device with \"yes\"",
	"while it is attached its guest may flush the host's caches: keep VMs that need real time off this host, or set kvm.noncoherent_dma to no-wbinvd or forbid",
	"assign it and see what \"kvm-coherency explain\" says",
	"this kernel lets its guest flush the host's caches from when the VM gets it until it is removed: keep VMs that need real time off this host, or install kvm-iommufd-dkms",
};

static const char *advice(enum verdict verdict, bool follows)
{
	return advices[verdict == NONCOHERENT && !follows ? NR_VERDICTS : verdict];
}

/* Devices of one group are on one page table, which one that cannot be enforced decides */
static enum verdict verdict_of_group(struct json_object *devices, struct json_object *device)
{
	struct json_object *group = json_at(device, "group"), *members;
	enum verdict verdict = COHERENT;
	size_t i, nr;

	members = group ? devices_of_group(devices, json_object_get_int64(group)) : json_list();
	if (!group)
		json_append(members, json_object_get(device));
	nr = json_object_array_length(members);
	for (i = 0; i < nr; i++) {
		struct json_object *can = json_at(json_object_array_get_idx(members, i),
						  "iommu_enforces");

		if (can && !json_object_get_boolean(can))
			verdict = NONCOHERENT;
		else if (!can && verdict == COHERENT)
			verdict = UNKNOWN;
	}
	json_object_put(members);
	return verdict;
}

#define FOLLOWS		"This kernel's KVM follows coherency. New VMs have policy %s, or a stricter one."
#define FOLLOWS_NOT	"This kernel's KVM does not follow coherency: it goes by what IOMMUs could enforce."
#define NOT_LOADED	"KVM is not loaded, so that it is not known whether it follows coherency."
#define CLEAR_BITS	"A device whose Enable No Snoop bit is clear sends no such requests until somebody sets it. KVM does not go by the bit."
#define CLOSED_BITS	"The Enable No Snoop bit is in a part of configuration space that only root can read."

static char *device_cell(struct json_object *device)
{
	return cell(device, "device");
}

static char *could_cell(struct json_object *device)
{
	return cell(device, "noncoherent");
}

static char *group_cell(struct json_object *device)
{
	return cell(device, "group");
}

static char *iommu_cell(struct json_object *device)
{
	return cell(device, "iommu");
}

static char *no_snoop_cell(struct json_object *device)
{
	return cell(device, "no_snoop");
}

static char *driver_cell(struct json_object *device)
{
	return cell(device, "driver");
}

static char *name_cell(struct json_object *device)
{
	return format("%s: %s", json_text(device, "class"), json_text(device, "description"));
}

static const struct column columns[] = {
	{ "DEVICE", device_cell },
	{ "NON-COHERENT", could_cell },
	{ "GROUP", group_cell },
	{ "IOMMU", iommu_cell },
	{ "ENABLE NO SNOOP", no_snoop_cell },
	{ "DRIVER", driver_cell },
	{ "DESCRIPTION", name_cell },
	{}
};

static bool exists(const char *path)
{
	char *whole = format("%s%s", root, path);
	bool there = !access(whole, F_OK);

	free(whole);
	return there;
}

static struct json_object *kernel(void)
{
	struct json_object *kernel = json_new();
	char *policy = root_line("/sys/module/kvm/parameters/noncoherent_dma");

	json_add_flag(kernel, "kvm", exists("/sys/module/kvm"));
	json_add_flag(kernel, "follows_coherency", policy);
	json_take_text(kernel, "loosest_policy", policy);
	json_add_flag(kernel, "iommufd", exists("/sys/class/misc/iommu"));
	return kernel;
}

static void judge(struct json_object *devices, bool follows, unsigned int *count)
{
	size_t i, nr = json_object_array_length(devices);

	for (i = 0; i < nr; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		enum verdict verdict = verdict_of_group(devices, device);

		count[verdict]++;
		json_add_text(device, "noncoherent", names[verdict]);
		json_add_text(device, "advice", advice(verdict, follows));
	}
}

static void print_kernel(struct json_object *kernel)
{
	const char *policy = json_text(kernel, "loosest_policy");

	if (!json_flag(kernel, "kvm"))
		puts(NOT_LOADED);
	else if (policy)
		printf(FOLLOWS "\n", policy);
	else
		puts(FOLLOWS_NOT);
}

static void print_iommus(struct json_object *iommus)
{
	size_t i, nr = json_object_array_length(iommus);

	if (!nr)
		puts("No device is behind an IOMMU that is in use.");
	for (i = 0; i < nr; i++) {
		struct json_object *iommu = json_object_array_get_idx(iommus, i);
		struct json_object *can = json_at(iommu, "iommu_enforces");

		printf("%s %s enforce coherency (%s).\n", json_text(iommu, "iommu"),
		       !can ? "may or may not" : json_object_get_boolean(can) ? "can" : "cannot",
		       json_text(iommu, "why"));
	}
}

static void print_advice(const unsigned int *count, bool follows)
{
	unsigned int i;

	for (i = 0; i < NR_VERDICTS; i++) {
		/* Without such devices there are no such page tables */
		if (!count[i] || (i == COHERENT && !count[NONCOHERENT]))
			continue;
		printf("\"%s\": %s.\n", names[i], advice(i, follows));
	}
}

static bool any_closed(struct json_object *devices)
{
	size_t i, nr = json_object_array_length(devices);

	for (i = 0; i < nr; i++)
		if (!strcmp(json_text(json_object_array_get_idx(devices, i), "no_snoop"),
			    "unknown, needs root"))
			return true;
	return false;
}

void check(const struct options *options)
{
	struct json_object *about = kernel(), *devices = devices_read();
	struct json_object *iommus = iommus_of(devices), *all;
	bool follows = json_flag(about, "follows_coherency");
	unsigned int count[NR_VERDICTS] = {};

	judge(devices, follows, count);
	if (options->json) {
		all = json_new();
		json_add(all, "kernel", about);
		json_add(all, "iommus", iommus);
		json_add(all, "devices", devices);
		json_print(all);
		return;
	}
	print_kernel(about);
	print_iommus(iommus);
	if (json_object_array_length(devices)) {
		putchar('\n');
		table_print(columns, devices);
		putchar('\n');
		print_advice(count, follows);
		if (count[NONCOHERENT])
			puts(CLEAR_BITS);
		if (any_closed(devices))
			puts(CLOSED_BITS);
	}
	json_object_put(about);
	json_object_put(devices);
	json_object_put(iommus);
}
