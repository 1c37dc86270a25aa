// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coherency_model.h"

#define MAP_IOVA	MOCK_APERTURE_START
#define MAP_LENGTH	(16 * 4096UL)

/* What a call may have done to the watches */
enum outcome {
	AS_MODELLED,	/* each watch has begun or ended once, or not at all */
	HW_FAILED,	/* a watch may have begun and ended again */
};

static void differs(const struct model *m, const char *fmt, ...)
{
	va_list ap;

	printf("# seed=%lu, step %lu: ", m->seed, m->step);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	exit(1);
}

static void expect(const struct model *m, long seen, long wanted, const char *what)
{
	if (seen != wanted)
		differs(m, "%s: %ld, has to be %ld", what, seen, wanted);
}

static void arm_nth(const struct model *m, unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(m->fail_nth_fd, text, len, 0) != len)
		differs(m, "fail-nth cannot be written: %s", strerror(errno));
}

static bool disarm_nth(const struct model *m)
{
	char text[16] = {};

	if (pread(m->fail_nth_fd, text, sizeof(text) - 1, 0) <= 0)
		differs(m, "fail-nth cannot be read: %s", strerror(errno));
	arm_nth(m, 0);
	return !atoi(text);
}

static int quiet_ioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) ? -errno : 0;
}

/* The call under test: fails its allocation m->fail_nth, if that is set */
static int tested_ioctl(struct model *m, int fd, unsigned long request, void *arg)
{
	int ret;

	m->injected = false;
	if (!m->fail_nth)
		return quiet_ioctl(fd, request, arg);
	arm_nth(m, m->fail_nth);
	ret = quiet_ioctl(fd, request, arg);
	m->injected = disarm_nth(m);
	m->fail_nth = 0;
	return ret;
}

static void read_fdinfo(const struct model *m, int ctx, char text[1024])
{
	ssize_t len = pread(m->ctxs[ctx].fdinfo, text, 1023, 0);

	if (len <= 0)
		differs(m, "fdinfo cannot be read: %s", strerror(errno));
	text[len] = 0;
}

static long find_fdinfo(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? atol(found + strlen(key)) : -1;
}

long ctx_fdinfo(const struct model *m, int ctx, const char *key)
{
	char text[1024];

	read_fdinfo(m, ctx, text);
	return find_fdinfo(text, key);
}

struct iommu_test_watch watch_state(struct model *m, int watch)
{
	struct model_watch *w = &m->watches[watch];
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_WATCH_STATE,
		.id = w->seen.out_fd,
		.watch.refuse = w->refuse,
	};

	/* The op works on any iommufd: the watch holds its own context */
	expect(m, quiet_ioctl(m->ctxs[w->ctx].fd, IOMMU_TEST_CMD, &cmd), 0, "WATCH_STATE");
	return cmd.watch;
}

/* The page table of a group, which all of its attached devices share */
static int group_pt(const struct model *m, int group)
{
	int i;

	for (i = 0; i < NR_DEVS; i++)
		if (m->devs[i].used && m->devs[i].group == group && m->devs[i].pt != NONE)
			return m->devs[i].pt;
	return NONE;
}

static bool group_is_noncoherent(const struct model *m, int group)
{
	int pt = group_pt(m, group);

	return pt != NONE && !m->pts[pt].enforces;
}

static bool is_source(const struct model_watch *w, const struct model_dev *dev)
{
	return dev->used && dev->ctx == w->ctx && (w->group == NONE || w->group == dev->group);
}

/* How many of a context's sources of non-coherent DMA are accesses */
static int nr_access_dma(const struct model *m, int ctx)
{
	int i, nr = 0;

	for (i = 0; i < NR_ACCESSES; i++)
		nr += m->accesses[i].used && m->accesses[i].ctx == ctx && m->accesses[i].dma &&
		      m->accesses[i].ioas != NONE;
	return nr;
}

bool model_noncoherent(const struct model *m, int watch)
{
	const struct model_watch *w = &m->watches[watch];
	int i;

	if (w->group == NONE && nr_access_dma(m, w->ctx))
		return true;

	for (i = 0; i < NR_DEVS; i++)
		if (is_source(w, &m->devs[i]) &&
		    group_is_noncoherent(m, m->devs[i].group))
			return true;
	return false;
}

int model_nr_noncoherent(const struct model *m, int ctx)
{
	int i, j, nr = nr_access_dma(m, ctx);

	for (i = 0; i < NR_DEVS; i++) {
		if (!m->devs[i].used || m->devs[i].ctx != ctx ||
		    !group_is_noncoherent(m, m->devs[i].group))
			continue;
		/* Count each group once, at the first of its devices */
		for (j = 0; !m->devs[j].used || m->devs[j].group != m->devs[i].group; j++)
			;
		nr += i == j;
	}
	return nr;
}

static void check_watch(struct model *m, int watch, enum outcome outcome)
{
	struct model_watch *w = &m->watches[watch];
	bool want = model_noncoherent(m, watch), was = w->seen.begun;
	struct iommu_test_watch now = watch_state(m, watch);
	__u32 begins = now.begins - w->seen.begins;
	int i, on_hw = w->group == NONE ? nr_access_dma(m, w->ctx) : 0;

	for (i = 0; i < NR_DEVS; i++)
		on_hw += is_source(w, &m->devs[i]) && group_is_noncoherent(m, m->devs[i].group);

	expect(m, now.noncoherent, on_hw, "devices of a watch that the hardware has non-coherent");
	expect(m, now.begun, want, "a watch has begun");
	expect(m, now.gaps, 0, "gaps that a watch saw");
	expect(m, now.reserves - now.ends, want, "reserves of a watch that did not end");
	if (outcome == HW_FAILED && !was && !want && begins <= 1)
		goto out;
	expect(m, begins, want && !was, "times that a watch began");
out:
	m->begins += begins;
	w->seen = now;
}

static void check(struct model *m, enum outcome outcome)
{
	int ctx, i;

	m->step++;
	for (i = 0; i < NR_WATCHES; i++)
		if (m->watches[i].used)
			check_watch(m, i, outcome);
	for (ctx = 0; ctx < NR_CTXS; ctx++) {
		int nr = 0, begun = 0;
		char text[1024];

		for (i = 0; i < NR_WATCHES; i++) {
			if (!m->watches[i].used || m->watches[i].ctx != ctx)
				continue;
			nr++;
			begun += model_noncoherent(m, i);
		}
		read_fdinfo(m, ctx, text);
		expect(m, find_fdinfo(text, "noncoherent-attachments:"),
		       model_nr_noncoherent(m, ctx), "noncoherent-attachments");
		expect(m, find_fdinfo(text, "coherency-watches:"), nr, "watches");
		expect(m, find_fdinfo(text, "coherency-watches-begun:"), begun,
		       "watches that have begun");
	}
}

/* Checks that a call returned @want, unless a failure was injected and it failed */
static void check_return(const struct model *m, int ret, int want, const char *what)
{
	if (!m->injected || !ret)
		expect(m, ret, want, what);
}

/* Finds a free element of an array of structs that begin with "bool used" */
static int free_slot(const struct model *m, const void *array, size_t size, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!*(const bool *)((const char *)array + i * size))
			return i;
	differs(m, "no room for another one, of %d", nr);
	return NONE;
}

void model_open(struct model *m)
{
	char path[64];
	int ctx, i;

	*m = (struct model){ .fail_dev = NONE, .fail_nth_fd = -1 };
	for (ctx = 0; ctx < NR_CTXS; ctx++) {
		m->ctxs[ctx].fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
		if (m->ctxs[ctx].fd < 0)
			differs(m, "/dev/iommu: %s", strerror(errno));
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", m->ctxs[ctx].fd);
		m->ctxs[ctx].fdinfo = open(path, O_RDONLY | O_CLOEXEC);
		for (i = 0; i < NR_IOASES; i++) {
			struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

			expect(m, quiet_ioctl(m->ctxs[ctx].fd, IOMMU_IOAS_ALLOC, &cmd), 0,
			       "IOAS_ALLOC");
			m->ctxs[ctx].ioas[i] = cmd.out_ioas_id;
		}
	}
}

/* A context whose last file is closed must not have kept its devices */
static void expect_no_devices(const struct model *m)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/bus/iommufd_mock/devices");

	if (!dir)
		differs(m, "the bus of mock devices: %s", strerror(errno));
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			differs(m, "%s is left, and with it its iommufd", entry->d_name);
	closedir(dir);
}

void model_close(struct model *m)
{
	int i;

	for (i = 0; i < NR_ACCESSES; i++)
		if (m->accesses[i].used)
			model_access_close(m, i);
	for (i = 0; i < NR_WATCHES; i++)
		if (m->watches[i].used)
			model_unwatch(m, i);
	for (i = 0; i < NR_CTXS; i++) {
		close(m->ctxs[i].fdinfo);
		close(m->ctxs[i].fd);
	}
	expect_no_devices(m);
}

void model_map(struct model *m, int ctx, int ioas)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = m->ctxs[ctx].ioas[ioas],
		.length = MAP_LENGTH,
		.iova = MAP_IOVA,
	};
	void *mem = mmap(NULL, MAP_LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (mem == MAP_FAILED)
		differs(m, "mmap: %s", strerror(errno));
	cmd.user_va = (uintptr_t)mem;
	expect(m, quiet_ioctl(m->ctxs[ctx].fd, IOMMU_IOAS_MAP, &cmd), 0, "IOAS_MAP");
	m->ctxs[ctx].mem[ioas] = mem;
}

static bool group_is_capable(const struct model *m, int group)
{
	int i;

	for (i = 0; i < NR_DEVS; i++)
		if (m->devs[i].used && m->devs[i].group == group && !m->devs[i].capable)
			return false;
	return true;
}

int model_bind(struct model *m, int ctx, bool capable, int sibling)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_BIND,
		.id = sibling == NONE ? 0 : m->devs[sibling].idev,
		.mock_domain_flags.dev_flags = capable ? MOCK_FLAGS_DEVICE_ENFORCE_COHERENCY : 0,
	};
	int group = sibling == NONE ? m->next_group : m->devs[sibling].group;
	int dev = free_slot(m, m->devs, sizeof(m->devs[0]), NR_DEVS);
	int pt = group_pt(m, group), want = 0, ret;

	/* A device can join an attached group only if it could be on the same page table */
	if (pt != NONE && m->pts[pt].enforces && !capable)
		want = -EINVAL;
	ret = tested_ioctl(m, m->ctxs[ctx].fd, IOMMU_TEST_CMD, &cmd);
	check_return(m, ret, want, "MOCK_BIND");
	if (!ret) {
		m->next_group += sibling == NONE;
		m->devs[dev] = (struct model_dev){
			.used = true, .ctx = ctx, .group = group, .capable = capable, .pt = NONE,
			.stdev = cmd.mock_domain_flags.out_stdev_id,
			.idev = cmd.mock_domain_flags.out_idev_id,
		};
	}
	check(m, AS_MODELLED);
	return ret ?: dev;
}

static int alloc_pt(struct model *m, int dev, struct iommu_hwpt_alloc *cmd, struct model_pt pt)
{
	int i = free_slot(m, m->pts, sizeof(m->pts[0]), NR_PTS), ret;

	cmd->size = sizeof(*cmd);
	cmd->dev_id = m->devs[dev].idev;
	ret = tested_ioctl(m, m->ctxs[pt.ctx].fd, IOMMU_HWPT_ALLOC, cmd);
	check_return(m, ret, 0, "HWPT_ALLOC");
	if (!ret) {
		pt.used = true;
		pt.id = cmd->out_hwpt_id;
		m->pts[i] = pt;
	}
	check(m, AS_MODELLED);
	return ret ?: i;
}

/* A page table enforces coherency if the device that it is allocated for can */
int model_alloc_pt(struct model *m, int dev, int ioas)
{
	int ctx = m->devs[dev].ctx;
	struct iommu_hwpt_alloc cmd = {
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.pt_id = m->ctxs[ctx].ioas[ioas],
	};

	return alloc_pt(m, dev, &cmd, (struct model_pt){
		.ctx = ctx, .ioas = ioas, .parent = NONE, .enforces = m->devs[dev].capable,
	});
}

int model_alloc_nested(struct model *m, int dev, int parent)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = {
		.pt_id = m->pts[parent].id,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};

	return alloc_pt(m, dev, &cmd, (struct model_pt){
		.ctx = m->devs[dev].ctx, .ioas = NONE, .parent = parent,
		.enforces = m->pts[parent].enforces,
	});
}

static bool pt_is_used(const struct model *m, int pt)
{
	int i;

	for (i = 0; i < NR_DEVS; i++)
		if (m->devs[i].used && m->devs[i].pt == pt)
			return true;
	for (i = 0; i < NR_PTS; i++)
		if (m->pts[i].used && m->pts[i].parent == pt)
			return true;
	return false;
}

/* An automatic page table is freed with its last attachment */
static void forget_pts(struct model *m)
{
	int i;

	for (i = 0; i < NR_PTS; i++)
		if (m->pts[i].automatic && !pt_is_used(m, i))
			m->pts[i].used = false;
}

static int destroy(struct model *m, int ctx, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return tested_ioctl(m, m->ctxs[ctx].fd, IOMMU_DESTROY, &cmd);
}

int model_free_pt(struct model *m, int pt)
{
	int ret = destroy(m, m->pts[pt].ctx, m->pts[pt].id);

	check_return(m, ret, pt_is_used(m, pt) ? -EBUSY : 0, "destroying a page table");
	if (!ret)
		m->pts[pt].used = false;
	check(m, AS_MODELLED);
	return ret;
}

/* Watches of a group reserve before watches of its context */
static bool is_asked_before(const struct model_watch *w, const struct model_watch *other)
{
	bool whole = w->group == NONE, other_whole = other->group == NONE;

	if (whole != other_whole)
		return other_whole;
	return w->order < other->order;
}

/* The errno with which the first watch refuses non-coherent DMA of the group, or 0 */
static int refusal(const struct model *m, int ctx, int group)
{
	const struct model_watch *w, *first = NULL;
	int i;

	for (i = 0; i < NR_WATCHES; i++) {
		w = &m->watches[i];
		if (w->used && w->ctx == ctx && (w->group == NONE || w->group == group) &&
		    w->refuse && !model_noncoherent(m, i) && (!first || is_asked_before(w, first)))
			first = w;
	}
	if (!first)
		return 0;
	return first->refuse == EINVAL ? -EPERM : -(int)first->refuse;
}

/* Is the group on an automatic page table of this address space already? */
static bool is_on(const struct model *m, int pt, struct model_target to)
{
	if (pt == NONE)
		return false;
	return to.pt == NONE ? m->pts[pt].automatic && m->pts[pt].ioas == to.ioas : pt == to.pt;
}

static int predict_change(const struct model *m, const struct model_dev *dev,
			  struct model_target to)
{
	bool enforces = to.pt == NONE ? dev->capable : m->pts[to.pt].enforces;
	int old = group_pt(m, dev->group);

	if (is_on(m, old, to))
		return 0;
	if (old != NONE && dev->pt == NONE)
		return -EINVAL;
	if (enforces)
		return group_is_capable(m, dev->group) ? 0 : -EINVAL;
	if (group_is_noncoherent(m, dev->group))
		return 0;
	return refusal(m, dev->ctx, dev->group);
}

/* The page table that the automatic choice took, a new one included */
static int chosen_pt(struct model *m, const struct model_dev *dev, int ioas, __u32 id)
{
	int old = group_pt(m, dev->group), i;

	for (i = 0; i < NR_PTS; i++)
		if (m->pts[i].used && m->pts[i].ctx == dev->ctx && m->pts[i].id == id)
			break;
	if (i == NR_PTS) {
		i = free_slot(m, m->pts, sizeof(m->pts[0]), NR_PTS);
		m->pts[i] = (struct model_pt){
			.used = true, .ctx = dev->ctx, .ioas = ioas, .parent = NONE, .id = id,
			.automatic = true, .enforces = dev->capable,
		};
	}
	expect(m, m->pts[i].automatic && m->pts[i].ioas == ioas, true,
	       "the page table is an automatic one of the IOAS");
	if (i != old)
		expect(m, m->pts[i].enforces, dev->capable,
		       "an automatic page table enforces what the device can");
	return i;
}

static void changed_to(struct model *m, struct model_dev *dev, int pt)
{
	int i;

	for (i = 0; i < NR_DEVS; i++)
		if (m->devs[i].used && m->devs[i].group == dev->group && m->devs[i].pt != NONE)
			m->devs[i].pt = pt;
	dev->pt = pt;
	forget_pts(m);
}

static bool arm_hw(struct model *m, __u32 nth)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_FAIL,
		.id = m->devs[m->fail_dev].idev,
		.mock_fail = { .nth = nth, .error = m->fail_error },
	};

	expect(m, quiet_ioctl(m->ctxs[m->devs[m->fail_dev].ctx].fd, IOMMU_TEST_CMD, &cmd), 0,
	       "MOCK_FAIL");
	return !cmd.mock_fail.nth;
}

/* Attaches the device or, if it is attached, replaces the page table of its group */
int model_change(struct model *m, int index, struct model_target to)
{
	struct model_dev *dev = &m->devs[index];
	int want = predict_change(m, dev, to), ret;
	bool hw_failed = false;
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = dev->stdev,
		.mock_domain_replace.pt_id = to.pt == NONE ? m->ctxs[dev->ctx].ioas[to.ioas] :
							     m->pts[to.pt].id,
	};

	if (m->fail_dev != NONE)
		arm_hw(m, 1);
	ret = tested_ioctl(m, m->ctxs[dev->ctx].fd, IOMMU_TEST_CMD, &cmd);
	if (m->fail_dev != NONE)
		hw_failed = arm_hw(m, 0);

	/* After EINVAL the automatic choice tries the next page table */
	if (hw_failed && (m->fail_error != EINVAL || to.pt != NONE))
		expect(m, ret, -m->fail_error, "attaching to hardware that fails");
	else if (!hw_failed || ret != -EINVAL)
		check_return(m, ret, want, "attaching");
	m->fail_dev = NONE;
	m->hw_failures += hw_failed;
	m->refusals += ret && ret != -EINVAL && !hw_failed && !m->injected;
	m->changes += !ret;

	if (!ret)
		changed_to(m, dev, to.pt != NONE ? to.pt :
			   chosen_pt(m, dev, to.ioas, cmd.mock_domain_replace.pt_id));
	check(m, ret && (hw_failed || m->injected) ? HW_FAILED : AS_MODELLED);
	return ret;
}

int model_detach(struct model *m, int dev)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DETACH,
		.id = m->devs[dev].idev,
	};
	int ret = tested_ioctl(m, m->ctxs[m->devs[dev].ctx].fd, IOMMU_TEST_CMD, &cmd);

	check_return(m, ret, m->devs[dev].pt == NONE ? -ENXIO : 0, "MOCK_DETACH");
	if (!ret)
		m->devs[dev].pt = NONE;
	forget_pts(m);
	check(m, AS_MODELLED);
	return ret;
}

int model_unbind(struct model *m, int dev)
{
	int ret = destroy(m, m->devs[dev].ctx, m->devs[dev].stdev);

	expect(m, ret, 0, "unbinding");
	m->devs[dev].used = false;
	m->devs[dev].pt = NONE;
	forget_pts(m);
	check(m, AS_MODELLED);
	return ret;
}

/* Pins pages for DMA, so that a watch that ends before they are unpinned sees a gap */
static void pin_pages(struct model *m, const struct model_access *a)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = a->fd,
		.access_pages = { .iova = MAP_IOVA, .length = MAP_LENGTH },
	};

	cmd.access_pages.uptr = (uintptr_t)m->ctxs[a->ctx].mem[a->ioas];
	expect(m, quiet_ioctl(m->ctxs[a->ctx].fd, IOMMU_TEST_CMD, &cmd), 0, "ACCESS_PAGES");
}

/* Watches are asked only if the access becomes non-coherent: if it does @dma, and @had no IOAS */
static int predict_access(const struct model *m, int ctx, bool dma, bool had)
{
	return dma && !had ? refusal(m, ctx, NONE) : 0;
}

int model_access(struct model *m, int ctx, int ioas, bool dma)
{
	int i = free_slot(m, m->accesses, sizeof(m->accesses[0]), NR_ACCESSES), ret;
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = m->ctxs[ctx].ioas[ioas],
		.create_access.flags = dma ? MOCK_FLAGS_ACCESS_CREATE_NONCOHERENT_DMA :
					     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
	};
	int want = predict_access(m, ctx, dma, false);

	ret = tested_ioctl(m, m->ctxs[ctx].fd, IOMMU_TEST_CMD, &cmd);
	check_return(m, ret, want, "CREATE_ACCESS");
	if (!ret) {
		m->accesses[i] = (struct model_access){
			.used = true, .ctx = ctx, .dma = dma, .ioas = ioas,
			.fd = cmd.create_access.out_access_fd,
		};
		pin_pages(m, &m->accesses[i]);
	}
	m->refusals += ret == want && ret;
	check(m, ret && m->injected ? HW_FAILED : AS_MODELLED);
	return ret ?: i;
}

static int access_change(struct model *m, const struct model_access *a, __u32 ioas_id)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ACCESS_CHANGE,
		.id = a->fd,
		.access_replace_ioas.ioas_id = ioas_id,
	};

	return tested_ioctl(m, m->ctxs[a->ctx].fd, IOMMU_TEST_CMD, &cmd);
}

int model_access_change(struct model *m, int access, int ioas)
{
	struct model_access *a = &m->accesses[access];
	int want = ioas != NONE ? predict_access(m, a->ctx, a->dma, a->ioas != NONE) :
		   a->ioas == NONE ? -ENXIO : 0;
	bool moved = ioas != NONE && ioas != a->ioas;
	int ret;

	ret = access_change(m, a, ioas == NONE ? 0 : m->ctxs[a->ctx].ioas[ioas]);
	check_return(m, ret, want, "ACCESS_CHANGE");
	if (!ret) {
		a->ioas = ioas;
		if (moved)
			pin_pages(m, a);
	}
	m->refusals += ret == want && ret && ret != -ENXIO;
	check(m, ret && m->injected ? HW_FAILED : AS_MODELLED);
	return ret;
}

/* The one way to make iopt_add_access() fail: failed allocations there are retried */
int model_access_misfit(struct model *m, int access)
{
	struct model_access *a = &m->accesses[access];
	int fd = m->ctxs[a->ctx].fd, ret;
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		.user_va = (uintptr_t)m->ctxs[a->ctx].mem[0] + 2048,
		.length = 2048,
		.iova = MAP_IOVA + 2048,
	};

	expect(m, quiet_ioctl(fd, IOMMU_IOAS_ALLOC, &ioas), 0, "IOAS_ALLOC");
	map.ioas_id = ioas.out_ioas_id;
	expect(m, quiet_ioctl(fd, IOMMU_IOAS_MAP, &map), 0, "IOAS_MAP");
	ret = access_change(m, a, ioas.out_ioas_id);
	expect(m, quiet_ioctl(fd, IOMMU_DESTROY, &(struct iommu_destroy){
		.size = sizeof(struct iommu_destroy), .id = ioas.out_ioas_id,
	}), 0, "DESTROY of an IOAS");
	check(m, HW_FAILED);
	return ret;
}

void model_access_close(struct model *m, int access)
{
	m->accesses[access].used = false;
	close(m->accesses[access].fd);
	check(m, AS_MODELLED);
}

static int add_watch(struct model *m, __u32 idev, struct model_watch w)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_WATCH,
		.id = idev,
		.watch.refuse = w.refuse,
	};
	int i = free_slot(m, m->watches, sizeof(m->watches[0]), NR_WATCHES), want, ret;

	w.order = m->next_order++;
	m->watches[i] = w;
	want = !w.refuse || !model_noncoherent(m, i) ? 0 :
	       w.refuse == EINVAL ? -EPERM : -(int)w.refuse;
	ret = tested_ioctl(m, m->ctxs[w.ctx].fd, IOMMU_TEST_CMD, &cmd);
	check_return(m, ret, want, "adding a watch");
	if (!ret) {
		m->watches[i].used = true;
		m->watches[i].seen.out_fd = cmd.watch.out_fd;
	}
	check(m, AS_MODELLED);
	return ret ?: i;
}

int model_watch_ctx(struct model *m, int ctx, __u32 refuse)
{
	return add_watch(m, 0, (struct model_watch){ .ctx = ctx, .group = NONE, .refuse = refuse });
}

int model_watch_dev(struct model *m, int dev, __u32 refuse)
{
	return add_watch(m, m->devs[dev].idev, (struct model_watch){
		.ctx = m->devs[dev].ctx, .group = m->devs[dev].group, .refuse = refuse,
	});
}

void model_unwatch(struct model *m, int watch)
{
	m->watches[watch].used = false;
	close(m->watches[watch].seen.out_fd);
	check(m, AS_MODELLED);
}

void model_refuse(struct model *m, int watch, __u32 refuse)
{
	m->watches[watch].refuse = refuse;
	check(m, AS_MODELLED);
}
