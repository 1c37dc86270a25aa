// SPDX-License-Identifier: GPL-2.0
/* kvm-coherency explain: what makes a VM non-coherent, and what would make it coherent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "device.h"
#include "process.h"
#include "text.h"
#include "vm.h"

/* Messages in one piece, so that they can be searched for */
#define AMBIGUOUS	"more than one VM is %s: take what \"kvm-coherency list\" has in its first column"
#define NOT_LISTED	"KVM tells nothing about this VM in debugfs, where another one had its name first"
#define MUTE		"With kvm.noncoherent_dma=no-wbinvd the guests of VMs made from then on cannot flush."
#define UNKNOWN		"Detach group %lld from page table %lld, or attach it to one that enforces coherency, if its IOMMU can."
#define OTHERS_TABLE	"The IOMMU could enforce coherency for group %lld, but page table %lld was made for a device with which it cannot: attach the group to one that is made for its own device."
#define INCAPABLE	"No page table enforces coherency for group %lld: detach it from page table %lld."
#define EMULATED	"It is an emulated device that does DMA to the memory it pins: close it, or detach it from its IOAS."
#define CONTAINER	"Take group %lld out of its VFIO container: no page table there enforces coherency for it."
#define NO_IOMMU	"Close the device of group %lld: it was bound without an IOMMU, so that nothing makes its DMA coherent."

static bool is_named(struct json_object *vm, const char *name)
{
	static const char *const keys[] = { "vm", "name", "pid" };
	unsigned int i;

	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *text = json_text(vm, keys[i]);

		if (text && !strcmp(text, name))
			return true;
	}
	return false;
}

static struct json_object *find(struct json_object *vms, const char *name)
{
	size_t i, nr = json_object_array_length(vms);
	struct json_object *found = NULL;

	for (i = 0; i < nr; i++) {
		struct json_object *vm = json_object_array_get_idx(vms, i);

		if (!is_named(vm, name))
			continue;
		if (found)
			die(AMBIGUOUS, name);
		found = vm;
	}
	if (!found)
		die("no VM is %s: see \"kvm-coherency list\"", name);
	if (!json_at(found, "vm"))
		die(NOT_LISTED);
	return found;
}

static void add_holder(struct json_object *holders, const struct open_file *file)
{
	struct json_object *holder = json_new();

	json_add_number(holder, "pid", file->pid);
	json_take_text(holder, "process", process_name(file->pid));
	json_add_number(holder, "descriptor", file->fd);
	json_append(holders, holder);
}

/* Who has a file of @kind open, by its number or the name of its device */
static struct json_object *holders_of(const struct open_files *files, enum open_kind kind,
				      long long id, const char *device)
{
	struct json_object *holders = json_list();
	size_t i;

	for (i = 0; i < files->nr; i++) {
		const struct open_file *file = &files->file[i];

		if (file->kind == kind &&
		    (device ? !strcmp(file->device, device) : file->id == id))
			add_holder(holders, file);
	}
	return holders;
}

/* Do the IOMMUs of all of them enforce? NULL if that is not known of one */
static struct json_object *enforced(struct json_object *devices)
{
	size_t i, nr = json_object_array_length(devices);
	bool all = true;

	for (i = 0; i < nr; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		if (!json_at(device, "iommu_enforces"))
			return NULL;
		all &= json_flag(device, "iommu_enforces");
	}
	return nr ? json_object_new_boolean(all) : NULL;
}

static char *advice_on_page_table(struct json_object *attached)
{
	struct json_object *can = json_at(attached, "iommu_enforces");
	long long group = json_number(attached, "group");
	long long page_table = json_number(attached, "page_table");

	if (!can)
		return format(UNKNOWN " " MUTE, group, page_table);
	if (json_object_get_boolean(can))
		return format(OTHERS_TABLE, group, page_table);
	return format(INCAPABLE " " MUTE, group, page_table);
}

static char *advice(struct json_object *attached)
{
	const char *kind = json_text(attached, "kind");

	if (!strcmp(kind, "page-table"))
		return advice_on_page_table(attached);
	if (!strcmp(kind, "access"))
		return format(EMULATED);
	if (!strcmp(kind, "container"))
		return format(CONTAINER " " MUTE, json_number(attached, "group"));
	return format(NO_IOMMU " " MUTE, json_number(attached, "group"));
}

static void add_devices(struct json_object *attached, struct json_object *devices,
			const struct open_files *files)
{
	struct json_object *found = devices_of_group(devices, json_number(attached, "group"));
	size_t i, nr = json_object_array_length(found);

	for (i = 0; i < nr; i++) {
		struct json_object *device = json_object_array_get_idx(found, i);

		json_add(device, "held_by", holders_of(files, OPEN_VFIO_DEVICE, -1,
						       json_text(device, "device")));
	}
	json_add(attached, "iommu_enforces", enforced(found));
	json_add(attached, "devices", found);
	json_add(attached, "group_held_by",
		 holders_of(files, OPEN_VFIO_GROUP, json_number(attached, "group"), NULL));
}

static void complete_source(struct json_object *source, struct json_object *devices,
			    const struct open_files *files)
{
	struct json_object *list = json_at(source, "attached");
	size_t i, nr = json_object_array_length(list);

	if (json_at(source, "iommufd"))
		json_add(source, "held_by", holders_of(files, OPEN_IOMMUFD,
						       json_number(source, "iommufd"), NULL));
	else
		json_add(source, "held_by", json_list());
	for (i = 0; i < nr; i++) {
		struct json_object *attached = json_object_array_get_idx(list, i);

		if (json_at(attached, "group"))
			add_devices(attached, devices, files);
		json_take_text(attached, "advice", advice(attached));
	}
}

static bool mutes(struct json_object *vm)
{
	return !strcmp(json_text(vm, "policy"), "no-wbinvd");
}

/* In all sources */
static size_t attachments(struct json_object *vm)
{
	struct json_object *sources = json_at(vm, "sources");
	size_t i, nr = json_object_array_length(sources), found = 0;

	for (i = 0; i < nr; i++)
		found += json_object_array_length(json_at(json_object_array_get_idx(sources, i),
							  "attached"));
	return found;
}

enum why { FLUSHES, MUTED, NOT_ENFORCED, NOTHING_ADDED, CHANGING, ALL_COHERENT };

static const char *const whys[] = {
	[FLUSHES] = "Permission is on: its guest's WBINVD flushes caches of the host.",
	[MUTED] =
	"Permission is on, but its policy keeps its guest from flushing: WBINVD is ignored.",
	[NOT_ENFORCED] =
	"Permission is off, and WBINVD is ignored. Non-coherent DMA that its policy forbids goes on in a VFIO container all the same.",
	[NOTHING_ADDED] =
	"Permission is off, and WBINVD is ignored: KVM was told of no iommufd and no device.",
	[CHANGING] = "Permission is off, and WBINVD is ignored. It changes at this moment.",
	[ALL_COHERENT] =
	"Permission is off, and WBINVD is ignored: nothing that KVM was told of is attached non-coherently.",
};

static enum why why(struct json_object *vm)
{
	if (json_flag(vm, "permission"))
		return mutes(vm) ? MUTED : FLUSHES;
	if (json_flag(vm, "type1_not_enforced"))
		return NOT_ENFORCED;
	if (!json_object_array_length(json_at(vm, "sources")))
		return NOTHING_ADDED;
	return attachments(vm) ? CHANGING : ALL_COHERENT;
}

static void print_holders(struct json_object *holders, const char *what)
{
	size_t i, nr = json_object_array_length(holders);

	for (i = 0; i < nr; i++) {
		struct json_object *holder = json_object_array_get_idx(holders, i);
		const char *name = json_text(holder, "process");

		printf("%s descriptor %lld of process %lld (%s)", i ? "," : what,
		       json_number(holder, "descriptor"), json_number(holder, "pid"),
		       name ? name : "gone");
	}
}

static void print_device(struct json_object *device)
{
	const char *driver = json_text(device, "driver"), *iommu = json_text(device, "iommu");

	printf("    %s %s: %s\n", json_text(device, "device"), json_text(device, "class"),
	       json_text(device, "description"));
	printf("      driver %s", driver ? driver : "none");
	print_holders(json_at(device, "held_by"), ", open as");
	printf("\n      behind %s%s%s; Enable No Snoop: %s\n", iommu ? iommu : "",
	       iommu ? ", " : "", json_text(device, "why"), json_text(device, "no_snoop"));
}

static void print_since(struct json_object *attached)
{
	double since = json_object_get_double(json_at(attached, "since"));
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	printf(" since %.3f s after boot, %.0f s ago\n", since,
	       now.tv_sec + now.tv_nsec / 1e9 - since);
}

static void print_attached(struct json_object *source, struct json_object *attached)
{
	const char *kind = json_text(attached, "kind");
	struct json_object *devices = json_at(attached, "devices");
	size_t i, nr = devices ? json_object_array_length(devices) : 0;

	if (!strcmp(kind, "page-table")) {
		printf("\nGroup %lld is attached to page table %lld of iommufd %lld",
		       json_number(attached, "group"), json_number(attached, "page_table"),
		       json_number(source, "iommufd"));
		if (json_number(attached, "pasid"))
			printf(", PASID %lld,", json_number(attached, "pasid"));
	} else if (!strcmp(kind, "access")) {
		printf("\nAccess %lld, an emulated device, is attached in iommufd %lld",
		       json_number(attached, "access"), json_number(source, "iommufd"));
	} else {
		printf("\nGroup %lld is %s", json_number(attached, "group"),
		       strcmp(kind, "container") ? "bound without IOMMU" : "in a VFIO container");
	}
	print_since(attached);
	if (json_object_array_length(json_at(source, "held_by"))) {
		printf("    iommufd %lld is", json_number(source, "iommufd"));
		print_holders(json_at(source, "held_by"), "");
		putchar('\n');
	}
	if (nr && json_object_array_length(json_at(attached, "group_held_by"))) {
		printf("    the group is open as");
		print_holders(json_at(attached, "group_held_by"), "");
		putchar('\n');
	}
	for (i = 0; i < nr; i++)
		print_device(json_object_array_get_idx(devices, i));
	printf("  %s\n", json_text(attached, "advice"));
}

static bool has_text(struct json_object *list, const char *text)
{
	size_t i, nr = json_object_array_length(list);

	for (i = 0; i < nr; i++)
		if (!strcmp(json_object_to_json_string(json_object_array_get_idx(list, i)), text))
			return true;
	return false;
}

/* Of a device in an iommufd and by its file, which are one attachment */
static bool seen_before(struct json_object *sources, size_t source, struct json_object *attached)
{
	const char *text = json_object_to_json_string(attached);
	size_t i;

	for (i = 0; i < source; i++)
		if (has_text(json_at(json_object_array_get_idx(sources, i), "attached"), text))
			return true;
	return false;
}

static void print_sources(struct json_object *vm)
{
	struct json_object *sources = json_at(vm, "sources");
	size_t i, j, nr = json_object_array_length(sources);

	for (i = 0; i < nr; i++) {
		struct json_object *source = json_object_array_get_idx(sources, i);
		struct json_object *list = json_at(source, "attached");
		size_t nr_attached = json_object_array_length(list);

		for (j = 0; j < nr_attached; j++) {
			struct json_object *attached = json_object_array_get_idx(list, j);

			if (!seen_before(sources, i, attached))
				print_attached(source, attached);
		}
	}
}

static void print(struct json_object *vm)
{
	const char *process = json_text(vm, "process"), *name = json_text(vm, "name");

	printf("VM %s of process %lld (%s)", json_text(vm, "vm"), json_number(vm, "pid"),
	       process ? process : "gone");
	if (name)
		printf(", %s", name);
	printf("\n%s\n", json_text(vm, "why"));
	printf("Its policy is %s, the loosest it can have %s. Permission has changed %lld times.\n",
	       json_text(vm, "policy"), json_text(vm, "loosest_policy"), json_number(vm, "edges"));
	printf("WBINVDs of its guest: %lld flushed, %lld ignored.\n",
	       json_number(vm, "wbinvd_flushed"), json_number(vm, "wbinvd_ignored"));
	if (json_flag(vm, "permission") && !attachments(vm))
		puts("KVM does not tell what gives it permission.");
	print_sources(vm);
}

void explain(const struct options *options, const char *name)
{
	struct json_object *vms, *vm, *devices, *sources;
	struct open_files files;
	size_t i, nr;

	open_files_read(&files);
	vms = vms_read(&files);
	open_files_warn(&files);
	vm = json_object_get(find(vms, name));
	devices = devices_read();
	sources = json_at(vm, "sources");
	nr = json_object_array_length(sources);
	for (i = 0; i < nr; i++)
		complete_source(json_object_array_get_idx(sources, i), devices, &files);
	json_add_flag(vm, "wbinvd_flushes", json_flag(vm, "permission") && !mutes(vm));
	json_add_text(vm, "why", whys[why(vm)]);
	json_add_number(vm, "closed_processes", files.closed);
	if (options->json) {
		json_print(vm);
	} else {
		print(vm);
		json_object_put(vm);
	}
	json_object_put(devices);
	json_object_put(vms);
	open_files_free(&files);
}
