// SPDX-License-Identifier: GPL-2.0
/* VMs, by KVM's directory in debugfs, and those that have none there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "root.h"
#include "text.h"
#include "vm.h"

#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"
#define FOLLOWS_NOT	"this kernel's KVM does not follow coherency. \"kvm-coherency check\" works here, too."

static const char *const counts[] = {
	"noncoherent_dma_edges", "wbinvd_flushed", "wbinvd_ignored",
};

static const char *const count_keys[] = { "edges", "wbinvd_flushed", "wbinvd_ignored" };

bool vm_count(struct json_object *vm)
{
	const char *name = json_text(vm, "vm");
	unsigned int i;

	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		char *line = root_line(KVM_DEBUGFS "/%s/%s", name, counts[i]);

		if (!line)
			return false;
		json_add_number(vm, count_keys[i], strtoll(line, NULL, 10));
		free(line);
	}
	return true;
}

/* The line is behind "attached: " */
static struct json_object *attachment(const char *line)
{
	unsigned long long id, page_table, pasid;
	struct json_object *object;
	const char *since;
	int end = 0;

	object = json_new();
	if (sscanf(line, "group %llu hwpt %llu pasid %llu%n", &id, &page_table, &pasid,
		   &end) == 3 && end) {
		json_add_text(object, "kind", "page-table");
		json_add_number(object, "group", id);
		json_add_number(object, "page_table", page_table);
		json_add_number(object, "pasid", pasid);
	} else if (sscanf(line, "access %llu%n", &id, &end) == 1 && end) {
		json_add_text(object, "kind", "access");
		json_add_number(object, "access", id);
	} else if (sscanf(line, "group %llu container%n", &id, &end) == 1 && end) {
		json_add_text(object, "kind", "container");
		json_add_number(object, "group", id);
	} else if (sscanf(line, "group %llu no-iommu%n", &id, &end) == 1 && end) {
		json_add_text(object, "kind", "no-iommu");
		json_add_number(object, "group", id);
	} else {
		json_object_put(object);
		return NULL;
	}
	since = strstr(line + end, "since ");
	/* As the kernel wrote it: a double has no room for the nanoseconds */
	if (since)
		json_add(object, "since",
			 json_object_new_double_s(strtod(since + 6, NULL), since + 6));
	return object;
}

static struct json_object *source(const char *line)
{
	struct json_object *object = json_new();
	const char *id = strstr(line, "iommufd ");

	json_add_text(object, "type", strncmp(line, "vfio-file", 9) ? "iommufd" : "vfio-file");
	if (id)
		json_add_number(object, "iommufd", strtoll(id + 8, NULL, 10));
	else
		json_add(object, "iommufd", NULL);
	json_add(object, "attached", json_list());
	return object;
}

/* A line that this does not know is of a newer kernel, and left out */
static void read_line(struct json_object *vm, const char *line)
{
	struct json_object *sources = json_at(vm, "sources"), *last;
	size_t nr = json_object_array_length(sources);

	if (!strncmp(line, "permission: ", 12)) {
		json_add_flag(vm, "permission", !strcmp(line + 12, "on"));
	} else if (!strncmp(line, "policy: ", 8)) {
		json_add_text(vm, "policy", line + 8);
	} else if (!strncmp(line, "loosest policy: ", 16)) {
		json_add_text(vm, "loosest_policy", line + 16);
	} else if (!strcmp(line, "not enforced: type1")) {
		json_add_flag(vm, "type1_not_enforced", true);
	} else if (!strncmp(line, "source: ", 8)) {
		json_append(sources, source(line + 8));
	} else if (!strncmp(line, "attached: ", 10) && nr) {
		last = json_object_array_get_idx(sources, nr - 1);
		json_append(json_at(last, "attached"), attachment(line + 10));
	}
}

static void set_process(struct json_object *vm, pid_t pid)
{
	json_add_number(vm, "pid", pid);
	json_take_text(vm, "process", process_name(pid));
	json_take_text(vm, "name", process_vm_name(pid));
}

static struct json_object *new_vm(const char *name, pid_t pid)
{
	struct json_object *vm = json_new();

	json_add_text(vm, "vm", name);
	set_process(vm, pid);
	return vm;
}

/* NULL if the VM is going, or its directory is not complete yet */
static struct json_object *read_vm(const char *name, pid_t pid, int fd)
{
	FILE *file = root_file(KVM_DEBUGFS "/%s/noncoherent_dma", name);
	struct json_object *vm;
	char *line = NULL;
	size_t size = 0;

	if (!file && errno == ENOENT)
		return NULL;
	if (!file)
		die("%s" KVM_DEBUGFS "/%s/noncoherent_dma: %s", root, name, strerror(errno));
	vm = new_vm(name, pid);
	json_add_number(vm, "descriptor", fd);
	json_add(vm, "permission", NULL);
	json_add(vm, "policy", NULL);
	json_add(vm, "loosest_policy", NULL);
	json_add_flag(vm, "type1_not_enforced", false);
	json_add(vm, "sources", json_list());
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = 0;
		read_line(vm, line);
	}
	free(line);
	fclose(file);
	if (json_at(vm, "permission") && json_at(vm, "policy") && vm_count(vm))
		return vm;
	json_object_put(vm);
	return NULL;
}

static DIR *open_debugfs(void)
{
	DIR *dir = root_dir(KVM_DEBUGFS);

	if (dir)
		return dir;
	if (errno == EACCES || errno == EPERM)
		die("%s" KVM_DEBUGFS ": %s: this needs root", root, strerror(errno));
	if (errno != ENOENT)
		die("%s" KVM_DEBUGFS ": %s", root, strerror(errno));
	dir = root_dir("/sys/module/kvm");
	if (!dir)
		die("KVM is not loaded: there is no VM");
	closedir(dir);
	die("there is no " KVM_DEBUGFS ": mount -t debugfs none /sys/kernel/debug");
}

/* By a parameter that each KVM with the feature has, whether there are VMs or not */
static void require_feature(void)
{
	char *policy = root_line("/sys/module/kvm/parameters/noncoherent_dma");

	if (!policy)
		die(FOLLOWS_NOT);
	free(policy);
}

static int compare(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a;
	struct json_object *y = *(struct json_object *const *)b;
	long long d = json_number(x, "pid") - json_number(y, "pid");

	if (!d)
		d = json_number(x, "descriptor") - json_number(y, "descriptor");
	return (d > 0) - (d < 0);
}

static struct json_object *with_directory(struct json_object *vms, const struct open_file *file)
{
	size_t i, nr = json_object_array_length(vms);

	for (i = 0; i < nr; i++) {
		struct json_object *vm = json_object_array_get_idx(vms, i);

		if (json_at(vm, "vm") && json_number(vm, "pid") == file->pid &&
		    json_number(vm, "descriptor") == file->fd)
			return vm;
	}
	return NULL;
}

/*
 * A VMM may fork after it has made its VM, and end: the child has the same descriptors, and
 * is what people look for.
 */
static void find_heir(struct json_object *vms, struct json_object *vm,
		      const struct open_files *files)
{
	size_t i;

	for (i = 0; i < files->nr; i++) {
		const struct open_file *file = &files->file[i];

		if (file->kind == OPEN_VM && file->fd == json_number(vm, "descriptor") &&
		    !with_directory(vms, file)) {
			set_process(vm, file->pid);
			return;
		}
	}
}

static void find_heirs(struct json_object *vms, const struct open_files *files)
{
	size_t i, nr = json_object_array_length(vms);

	for (i = 0; i < nr; i++) {
		struct json_object *vm = json_object_array_get_idx(vms, i);

		if (!json_at(vm, "process"))
			find_heir(vms, vm, files);
	}
}

/* Is it another descriptor of a VM that is listed, or is to be? */
static bool is_copy(const struct open_files *files, size_t i, struct json_object *vms)
{
	size_t j;

	for (j = 0; j < files->nr; j++)
		if (j != i && files->file[j].kind == OPEN_VM &&
		    (j < i || with_directory(vms, &files->file[j])) &&
		    open_files_same(&files->file[j], &files->file[i]))
			return true;
	return false;
}

static void add_unlisted(struct json_object *vms, pid_t pid, int fd)
{
	struct json_object *vm = new_vm(NULL, pid);

	if (fd >= 0)
		json_add_number(vm, "descriptor", fd);
	else
		json_add(vm, "descriptor", NULL);
	json_append(vms, vm);
}

/* How many VMs have a vCPU as this one? Asked of the first one of a number. */
static unsigned int vcpus_alike(const struct open_files *files, size_t first)
{
	const struct open_file *file = files->file;
	unsigned int nr = 0;
	size_t i, j;

	for (i = 0; i < files->nr; i++) {
		if (file[i].kind != OPEN_VCPU || file[i].pid != file[first].pid ||
		    file[i].id != file[first].id)
			continue;
		if (i < first)
			return 0;
		for (j = first; j < i; j++)
			if (file[j].kind == OPEN_VCPU && file[j].pid == file[i].pid &&
			    file[j].id == file[i].id && open_files_same(&file[j], &file[i]))
				break;
		nr += j == i;
	}
	return nr;
}

static unsigned int listed_of(struct json_object *vms, pid_t pid)
{
	size_t i, nr = json_object_array_length(vms);
	unsigned int found = 0;

	for (i = 0; i < nr; i++)
		found += json_number(json_object_array_get_idx(vms, i), "pid") == pid;
	return found;
}

/*
 * KVM names a directory after a thread and the descriptor. A second VM gets none while
 * the first one lives, though its descriptor be closed: by another one, or by its vCPUs.
 * Which one of them has the directory cannot be told from here, only how many have not.
 */
static void add_without_directory(struct json_object *vms, const struct open_files *files)
{
	unsigned int alike, listed;
	size_t i;

	for (i = 0; i < files->nr; i++)
		if (files->file[i].kind == OPEN_VM && !with_directory(vms, &files->file[i]) &&
		    !is_copy(files, i, vms))
			add_unlisted(vms, files->file[i].pid, files->file[i].fd);
	for (i = 0; i < files->nr; i++) {
		if (files->file[i].kind != OPEN_VCPU)
			continue;
		listed = listed_of(vms, files->file[i].pid);
		/* A process with vCPUs alone got them of another one's VM */
		if (!listed)
			continue;
		for (alike = vcpus_alike(files, i); alike > listed; alike--)
			add_unlisted(vms, files->file[i].pid, -1);
	}
}

struct json_object *vms_read(const struct open_files *files)
{
	struct json_object *vms = json_list(), *vm;
	DIR *dir = open_debugfs();
	struct dirent *entry;
	int tid, fd, end;

	require_feature();
	while ((entry = readdir(dir))) {
		end = 0;
		if (sscanf(entry->d_name, "%d-%d%n", &tid, &fd, &end) != 2 || !end ||
		    entry->d_name[end])
			continue;
		/* KVM names it after the thread that made it */
		vm = read_vm(entry->d_name, process_of_thread(tid), fd);
		if (vm)
			json_append(vms, vm);
	}
	closedir(dir);
	find_heirs(vms, files);
	add_without_directory(vms, files);
	json_object_array_sort(vms, compare);
	return vms;
}
