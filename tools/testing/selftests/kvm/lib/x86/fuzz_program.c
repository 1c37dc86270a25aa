// SPDX-License-Identifier: GPL-2.0
/*
 * The grammar of programs: the calls and the limits of their arguments. Reads, writes,
 * generates and mutates programs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/kvm.h>

#include "fuzz.h"

struct fuzz_context fuzz;

const struct fuzz_attr fuzz_attrs[] = {
	{ KVM_SET_DEVICE_ATTR, 0, 99, 1, -ENXIO },
	{ KVM_SET_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_FD, 99, -ENXIO },
	{ KVM_SET_DEVICE_ATTR, 1, KVM_DEV_IOMMUFD_FD, KVM_DEV_IOMMUFD_FD_ADD, -EINVAL },
	{ KVM_SET_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_COHERENCY,
	  KVM_DEV_IOMMUFD_COHERENCY_STATUS, -ENXIO },
	{ KVM_GET_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_FD, KVM_DEV_IOMMUFD_FD_ADD, -ENXIO },
	{ KVM_GET_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_COHERENCY,
	  KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, -ENXIO },
	{ KVM_GET_DEVICE_ATTR, 1, KVM_DEV_IOMMUFD_COHERENCY,
	  KVM_DEV_IOMMUFD_COHERENCY_STATUS, -EINVAL },
	{ KVM_HAS_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_FD, KVM_DEV_IOMMUFD_FD_DEL, 0 },
	{ KVM_HAS_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_COHERENCY,
	  KVM_DEV_IOMMUFD_COHERENCY_EVENTFD, 0 },
	{ KVM_HAS_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_FD, 99, -ENXIO },
	{ KVM_HAS_DEVICE_ATTR, 0, KVM_DEV_IOMMUFD_COHERENCY, 99, -ENXIO },
	{ KVM_HAS_DEVICE_ATTR, 0, 99, 1, -ENXIO },
	{ KVM_HAS_DEVICE_ATTR, 1, KVM_DEV_IOMMUFD_FD, KVM_DEV_IOMMUFD_FD_ADD, -EINVAL },
};

const unsigned int fuzz_nr_attrs = ARRAY_SIZE(fuzz_attrs);

const struct fuzz_attr fuzz_vfio_attrs[] = {
	{ KVM_SET_DEVICE_ATTR, 0, 99, 1, -ENXIO },
	{ KVM_SET_DEVICE_ATTR, 0, KVM_DEV_VFIO_FILE, 99, -ENXIO },
	{ KVM_HAS_DEVICE_ATTR, 0, KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE_DEL, 0 },
	{ KVM_HAS_DEVICE_ATTR, 0, KVM_DEV_VFIO_FILE, 99, -ENXIO },
	{ KVM_HAS_DEVICE_ATTR, 0, 99, 1, -ENXIO },
};

const unsigned int fuzz_nr_vfio_attrs = ARRAY_SIZE(fuzz_vfio_attrs);

#define VM	FUZZ_VMS
#define IOMMU	FUZZ_IOMMUS
#define PT	FUZZ_PTS
#define MOCK	FUZZ_MOCKS
#define FILES	FUZZ_FILES

const struct fuzz_info fuzz_infos[FUZZ_KINDS] = {
	[FUZZ_VM_OPEN] = { "vm_open", FUZZ_BOTH, 4, false, { VM } },
	[FUZZ_VM_CLOSE] = { "vm_close", FUZZ_BOTH, 1, false, { VM } },
	[FUZZ_RUN] = { "run", FUZZ_BOTH, 6, false, { VM, 4 } },
	[FUZZ_POLICY] = { "policy", FUZZ_BOTH, 6, false, { VM, FUZZ_POLICY_CHOICES } },
	[FUZZ_DEV_OPEN] = { "dev_open", FUZZ_BOTH, 4, true, { VM } },
	[FUZZ_DEV_CLOSE] = { "dev_close", FUZZ_BOTH, 2, false, { VM } },
	[FUZZ_ADD] = { "add", FUZZ_BOTH, 12, true, { VM, FUZZ_FD_CHOICES } },
	[FUZZ_DEL] = { "del", FUZZ_BOTH, 6, true, { VM, FUZZ_FD_CHOICES } },
	[FUZZ_STATUS] = { "status", FUZZ_BOTH, 2, false, { VM, FUZZ_STATUS_CHOICES } },
	[FUZZ_EVENTFD] = { "eventfd", FUZZ_BOTH, 3, false, { VM, FUZZ_EVENTFD_CHOICES } },
	[FUZZ_ATTR] = { "attr", FUZZ_BOTH, 2, false, { VM, ARRAY_SIZE(fuzz_attrs) } },
	[FUZZ_VFIO_OPEN] = { "vfio_open", FUZZ_REAL, 3, true, { VM } },
	[FUZZ_VFIO_CLOSE] = { "vfio_close", FUZZ_REAL, 1, false, { VM } },
	[FUZZ_VFIO_ATTR] = { "vfio_attr", FUZZ_REAL, 1, false,
			     { VM, ARRAY_SIZE(fuzz_vfio_attrs) } },
	[FUZZ_FILE_ADD] = { "file_add", FUZZ_REAL, 6, true, { VM, FUZZ_FILE_CHOICES } },
	[FUZZ_FILE_DEL] = { "file_del", FUZZ_REAL, 4, true, { VM, FUZZ_FILE_CHOICES } },
	[FUZZ_IOMMU_OPEN] = { "iommu_open", FUZZ_BOTH, 4, false, { IOMMU } },
	[FUZZ_IOMMU_CLOSE] = { "iommu_close", FUZZ_BOTH, 1, false, { IOMMU } },
	[FUZZ_ALIAS_OPEN] = { "alias_open", FUZZ_BOTH, 1, false, { IOMMU } },
	[FUZZ_ALIAS_CLOSE] = { "alias_close", FUZZ_BOTH, 1, false, { IOMMU } },
	[FUZZ_FDINFO] = { "fdinfo", FUZZ_BOTH, 3, false, { IOMMU } },
	[FUZZ_IOAS_ALLOC] = { "ioas_alloc", FUZZ_BOTH, 6, false, { IOMMU, PT } },
	[FUZZ_HWPT_ALLOC] = { "hwpt_alloc", FUZZ_BOTH, 5, false,
			      { IOMMU, PT, FUZZ_PT_CHOICES, FILES, FUZZ_HWPT_CHOICES } },
	[FUZZ_DESTROY] = { "destroy", FUZZ_BOTH, 2, false, { IOMMU, FUZZ_PT_CHOICES } },
	[FUZZ_MOCK_ATTACH] = { "mock_attach", FUZZ_MOCK, 14, true,
			       { IOMMU, MOCK, FUZZ_PT_CHOICES, 4 } },
	[FUZZ_MOCK_REPLACE] = { "mock_replace", FUZZ_MOCK, 8, true,
				{ IOMMU, MOCK, FUZZ_PT_CHOICES } },
	[FUZZ_MOCK_DESTROY] = { "mock_destroy", FUZZ_MOCK, 6, false, { IOMMU, MOCK } },
	[FUZZ_ACCESS_OPEN] = { "access_open", FUZZ_MOCK, 2, true, { IOMMU, PT } },
	[FUZZ_ACCESS_REPLACE] = { "access_replace", FUZZ_MOCK, 1, true, { IOMMU, PT } },
	[FUZZ_ACCESS_CLOSE] = { "access_close", FUZZ_MOCK, 1, false, { IOMMU } },
	[FUZZ_FILE_OPEN] = { "file_open", FUZZ_REAL, 8, false, { FILES, FUZZ_DEVICES } },
	[FUZZ_FILE_DUP] = { "file_dup", FUZZ_REAL, 1, false, { FILES } },
	[FUZZ_FILE_CLOSE] = { "file_close", FUZZ_REAL, 3, false, { FILES } },
	/* Does not fail allocations: ACPI's interpreter complains then, and leaks */
	[FUZZ_BIND] = { "bind", FUZZ_REAL, 10, false, { FILES, FUZZ_FD_EVENTFD } },
	[FUZZ_ATTACH] = { "attach", FUZZ_REAL, 14, true, { FILES, FUZZ_PT_CHOICES } },
	[FUZZ_DETACH] = { "detach", FUZZ_REAL, 6, false, { FILES } },
	[FUZZ_GROUP_OPEN] = { "group_open", FUZZ_REAL, 5, false, { FUZZ_GROUPS } },
	[FUZZ_GROUP_CLOSE] = { "group_close", FUZZ_REAL, 2, false, { FUZZ_GROUPS } },
	[FUZZ_SET_CONTAINER] = { "set_container", FUZZ_REAL, 6, false,
				 { FUZZ_GROUPS, FUZZ_FD_EVENTFD } },
	[FUZZ_UNSET_CONTAINER] = { "unset_container", FUZZ_REAL, 2, false, { FUZZ_GROUPS } },
	[FUZZ_GET_DEVICE] = { "get_device", FUZZ_REAL, 6, false, { FILES, FUZZ_DEVICES } },
};

/*
 * Set-up that most calls need: a program starts with each of these with a probability of
 * one half. VMs are open from the start, so FUZZ_VM_OPEN, which is 0, ends a list.
 */
static const struct fuzz_call openings[][5] = {
	{ { FUZZ_DEV_OPEN }, { FUZZ_IOMMU_OPEN }, { FUZZ_IOAS_ALLOC }, { FUZZ_EVENTFD } },
	{ { FUZZ_VFIO_OPEN } },
	{ { FUZZ_FILE_OPEN }, { FUZZ_BIND }, { FUZZ_ATTACH }, { FUZZ_FILE_ADD } },
	{ { FUZZ_GROUP_OPEN }, { FUZZ_SET_CONTAINER },
	  { FUZZ_FILE_ADD, 0, { 0, FUZZ_FILE_GROUP } }, { FUZZ_GET_DEVICE, 0, { 1, 0 } } },
	{ { FUZZ_GROUP_OPEN, 0, { 1 } }, { FUZZ_SET_CONTAINER, 0, { 1, 0 } },
	  { FUZZ_FILE_ADD, 0, { 0, FUZZ_FILE_GROUP + 1 } }, { FUZZ_GET_DEVICE, 0, { 2, 1 } } },
};

/* splitmix64 */
static u64 next_random(void)
{
	u64 x = fuzz.random += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

unsigned int fuzz_any(unsigned int limit)
{
	return next_random() % limit;
}

unsigned int fuzz_nr_args(const struct fuzz_info *info)
{
	unsigned int i;

	for (i = 0; i < FUZZ_MAX_ARGS && info->limits[i]; i++)
		;
	return i;
}

static bool is_possible(const struct fuzz_info *info)
{
	return info->machines & fuzz.machine;
}

static u8 any_kind(void)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < FUZZ_KINDS; i++)
		if (is_possible(&fuzz_infos[i]))
			sum += fuzz_infos[i].weight;
	at = fuzz_any(sum);
	for (i = 0; i < FUZZ_KINDS; i++) {
		if (!is_possible(&fuzz_infos[i]))
			continue;
		if (at < fuzz_infos[i].weight)
			break;
		at -= fuzz_infos[i].weight;
	}
	return i;
}

/* Prefers the first choices, which mostly work, and whose slots are mostly filled */
static u8 any_arg(unsigned int limit)
{
	return fuzz_any(2) ? 0 : fuzz_any(fuzz_any(3) ? limit : 1 + (limit > 1));
}

static struct fuzz_call any_call(void)
{
	struct fuzz_call call = { .kind = any_kind() };
	const struct fuzz_info *info = &fuzz_infos[call.kind];
	unsigned int i;

	for (i = 0; i < fuzz_nr_args(info); i++)
		call.arg[i] = any_arg(info->limits[i]);
	if (info->faults && !fuzz_any(8))
		call.nth = 1 + fuzz_any(24);
	return call;
}

static void insert(struct fuzz_program *p, unsigned int at, struct fuzz_call call)
{
	if (p->nr == FUZZ_MAX_CALLS)
		return;
	memmove(&p->calls[at + 1], &p->calls[at], (p->nr - at) * sizeof(call));
	p->calls[at] = call;
	p->nr++;
}

void fuzz_program_cut(struct fuzz_program *p, unsigned int at)
{
	p->nr--;
	memmove(&p->calls[at], &p->calls[at + 1], (p->nr - at) * sizeof(p->calls[0]));
}

static void open_some(struct fuzz_program *p)
{
	const struct fuzz_call *call;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(openings); i++) {
		if (fuzz_any(2))
			continue;
		for (call = openings[i]; call->kind != FUZZ_VM_OPEN; call++)
			if (is_possible(&fuzz_infos[call->kind]))
				insert(p, p->nr, *call);
	}
}

void fuzz_program_new(struct fuzz_program *p)
{
	unsigned int nr = 4 + fuzz_any(FUZZ_MAX_CALLS - 24);

	p->nr = 0;
	open_some(p);
	while (nr--)
		insert(p, p->nr, any_call());
}

static void change(struct fuzz_program *p, unsigned int at)
{
	struct fuzz_call *call = &p->calls[at];
	const struct fuzz_info *info = &fuzz_infos[call->kind];
	unsigned int nr = fuzz_nr_args(info);
	unsigned int arg = fuzz_any(nr + 1);

	if (arg < nr)
		call->arg[arg] = any_arg(info->limits[arg]);
	else
		call->nth = info->faults ? fuzz_any(25) : 0;
}

/* Replaces the end of @p by the end of @other */
static void splice_end(struct fuzz_program *p, const struct fuzz_program *other)
{
	unsigned int from = fuzz_any(other->nr);

	p->nr = fuzz_any(p->nr) + 1;
	while (from < other->nr)
		insert(p, p->nr, other->calls[from++]);
}

void fuzz_program_mutate(struct fuzz_program *p, const struct fuzz_program *other)
{
	unsigned int times = 1 + fuzz_any(6);

	while (times--) {
		switch (fuzz_any(10)) {
		case 0:
			splice_end(p, other);
			break;
		case 1:
			if (p->nr > 1)
				fuzz_program_cut(p, fuzz_any(p->nr));
			break;
		case 2 ... 3:
			change(p, fuzz_any(p->nr));
			break;
		case 4:
			insert(p, fuzz_any(p->nr + 1), p->calls[fuzz_any(p->nr)]);
			break;
		default:
			insert(p, fuzz_any(p->nr + 1), any_call());
			break;
		}
	}
}

void fuzz_call_write(const struct fuzz_call *call, FILE *file)
{
	const struct fuzz_info *info = &fuzz_infos[call->kind];
	unsigned int i;

	fputs(info->name, file);
	for (i = 0; i < fuzz_nr_args(info); i++)
		fprintf(file, " %u", call->arg[i]);
	if (call->nth)
		fprintf(file, " nth=%u", call->nth);
	fputc('\n', file);
}

void fuzz_program_write(const struct fuzz_program *p, FILE *file)
{
	unsigned int i;

	for (i = 0; i < p->nr; i++)
		fuzz_call_write(&p->calls[i], file);
}

static const char blanks[] = "\n ";

/* Reads the next word of a line, a number after @prefix */
static bool read_number(const char *prefix, unsigned int limit, u8 *number)
{
	char *word = strtok(NULL, blanks), *end;
	size_t len = strlen(prefix);
	unsigned long value;

	if (!word || strncmp(word, prefix, len) || !word[len])
		return false;
	value = strtoul(word + len, &end, 10);
	*number = value;
	return !*end && value < limit;
}

static bool read_call(struct fuzz_call *call, char *line)
{
	const char *nth = strstr(line, "nth=");
	char *word = strtok(line, blanks);
	const struct fuzz_info *info;
	unsigned int i;

	for (i = 0; i < FUZZ_KINDS; i++)
		if (word && !strcmp(fuzz_infos[i].name, word))
			break;
	if (i == FUZZ_KINDS || !is_possible(&fuzz_infos[i]))
		return false;
	*call = (struct fuzz_call){ .kind = i };
	info = &fuzz_infos[i];
	for (i = 0; i < fuzz_nr_args(info); i++)
		if (!read_number("", info->limits[i], &call->arg[i]))
			return false;
	if (nth && (!info->faults || !read_number("nth=", 256, &call->nth)))
		return false;
	return !strtok(NULL, blanks);
}

bool fuzz_program_read(struct fuzz_program *p, FILE *file)
{
	char line[128];

	p->nr = 0;
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (p->nr == FUZZ_MAX_CALLS || !read_call(&p->calls[p->nr], line))
			return false;
		p->nr++;
	}
	return p->nr;
}
