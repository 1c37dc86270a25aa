// SPDX-License-Identifier: GPL-2.0
/*
 * When do watches of an iommufd, or of a device, begin and end? Tested on mock
 * devices, in every state of a device and with every kind of watch, with failing
 * hardware and refusing watches, and in random walks.
 *
 * coherency_model.c checks each call. The tests here choose the calls, and state
 * some of the results explicitly.
 *
 * Environment: seed= and steps= of the random walks.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include <linux/iommufd_coherency.h>

#include "coherency_model.h"

#define COHERENCY_CAPS	(IOMMU_HW_CAP_COHERENCY_KNOWN | IOMMU_HW_CAP_COHERENCY_ENFORCEABLE)

/* Emulated machines and debug kernels are slow: only a hang should time out */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1800

enum state {
	UNBOUND, BOUND, AUTOMATIC, ENFORCING, LOOSE, NESTED_ENFORCING, NESTED_LOOSE, NR_STATES,
};

static const char * const state_names[] = {
	"unbound", "bound", "attached to an IOAS", "attached, enforcing", "attached, not enforcing",
	"nested on enforcing", "nested on not enforcing",
};

/* How many watches of each kind */
struct kind {
	int ctx;
	int dev;
};

struct setup {
	struct model m;
	struct kind kind;
	int watches[4];
	int nr_watches;
	/* Never attached: only there to allocate page tables of both kinds */
	int capable, incapable;
	int pts[NR_STATES];
};

static void setup_open(struct setup *s, struct kind kind)
{
	struct model *m = &s->m;

	*s = (struct setup){ .kind = kind };
	model_open(m);
	s->capable = model_bind(m, 0, true, NONE);
	s->incapable = model_bind(m, 0, false, NONE);
	s->pts[ENFORCING] = model_alloc_pt(m, s->capable, 0);
	s->pts[LOOSE] = model_alloc_pt(m, s->incapable, 0);
	s->pts[NESTED_ENFORCING] = model_alloc_nested(m, s->incapable, s->pts[ENFORCING]);
	s->pts[NESTED_LOOSE] = model_alloc_nested(m, s->capable, s->pts[LOOSE]);
}

static void watch_ctx(struct setup *s)
{
	int i;

	for (i = 0; i < s->kind.ctx; i++)
		s->watches[s->nr_watches++] = model_watch_ctx(&s->m, 0, 0);
}

static void watch_dev(struct setup *s, int dev)
{
	int i;

	for (i = 0; i < s->kind.dev; i++)
		s->watches[s->nr_watches++] = model_watch_dev(&s->m, dev, 0);
}

static void watch(struct setup *s, int dev)
{
	watch_ctx(s);
	watch_dev(s, dev);
}

static void unwatch(struct setup *s)
{
	while (s->nr_watches)
		model_unwatch(&s->m, s->watches[--s->nr_watches]);
}

/* Checks for each watch whether it has begun, and how often it did so far */
static void expect_watches(struct __test_metadata *_metadata, int line, struct setup *s,
			   bool begun, unsigned int begins)
{
	int i;

	for (i = 0; i < s->nr_watches; i++) {
		struct iommu_test_watch now = watch_state(&s->m, s->watches[i]);

		EXPECT_EQ(begun, now.begun) {
			TH_LOG("line %d, watch %d", line, i);
		}
		EXPECT_EQ(begins, now.begins) {
			TH_LOG("line %d, watch %d", line, i);
		}
	}
}

#define EXPECT_WATCHES(setup, begun, begins) \
	expect_watches(_metadata, __LINE__, setup, begun, begins)

FIXTURE(transition)
{
	struct setup s;
	int dev;
};

FIXTURE_VARIANT(transition)
{
	struct kind kind;
	bool capable;
};

FIXTURE_VARIANT_ADD(transition, context_incapable) { .kind = { .ctx = 1 } };
FIXTURE_VARIANT_ADD(transition, device_incapable) { .kind = { .dev = 1 } };
FIXTURE_VARIANT_ADD(transition, two_of_each_incapable) { .kind = { .ctx = 2, .dev = 2 } };
FIXTURE_VARIANT_ADD(transition, context_capable) { .kind = { .ctx = 1 }, .capable = true };
FIXTURE_VARIANT_ADD(transition, device_capable) { .kind = { .dev = 1 }, .capable = true };
FIXTURE_VARIANT_ADD(transition, two_of_each_capable) {
	.kind = { .ctx = 2, .dev = 2 }, .capable = true,
};

FIXTURE_SETUP(transition)
{
	setup_open(&self->s, variant->kind);
	self->dev = NONE;
}

FIXTURE_TEARDOWN(transition)
{
	model_close(&self->s.m);
}

static bool is_reachable(bool capable, enum state state)
{
	return capable || (state != ENFORCING && state != NESTED_ENFORCING);
}

static bool is_noncoherent(bool capable, enum state state)
{
	return state == LOOSE || state == NESTED_LOOSE || (state == AUTOMATIC && !capable);
}

static int enter(FIXTURE_DATA(transition) * self, bool capable, enum state state)
{
	struct model *m = &self->s.m;

	if (self->dev == NONE && state != UNBOUND)
		self->dev = model_bind(m, 0, capable, NONE);
	switch (state) {
	case UNBOUND:
		if (self->dev != NONE)
			model_unbind(m, self->dev);
		self->dev = NONE;
		return 0;
	case BOUND:
		return m->devs[self->dev].pt == NONE ? 0 : model_detach(m, self->dev);
	case AUTOMATIC:
		return model_change(m, self->dev, TO_IOAS(0));
	default:
		return model_change(m, self->dev, TO_PT(self->s.pts[state]));
	}
}

/* With @late, the watches are added when the device is in the first state already */
static void transition(struct __test_metadata *_metadata, FIXTURE_DATA(transition) * self,
		       bool capable, enum state from, enum state to, bool late)
{
	bool reachable = is_reachable(capable, to);
	bool before = is_noncoherent(capable, from);
	bool after = reachable ? is_noncoherent(capable, to) : before;
	struct setup *s = &self->s;

	if (!late) {
		watch_ctx(s);
		if (from != UNBOUND) {
			enter(self, capable, BOUND);
			watch_dev(s, self->dev);
		}
	}
	ASSERT_EQ(0, enter(self, capable, from));
	if (late)
		watch_ctx(s);
	if (from == UNBOUND && to != UNBOUND)
		enter(self, capable, BOUND);
	if ((late || from == UNBOUND) && self->dev != NONE)
		watch_dev(s, self->dev);
	EXPECT_WATCHES(s, before, before);

	EXPECT_EQ(reachable ? 0 : -EINVAL, enter(self, capable, to)) {
		TH_LOG("%s, then %s", state_names[from], state_names[to]);
	}
	EXPECT_WATCHES(s, after, before || after);
	EXPECT_EQ(after, ctx_fdinfo(&s->m, 0, "noncoherent-attachments:"));

	enter(self, capable, UNBOUND);
	EXPECT_WATCHES(s, false, before || after);
	unwatch(s);
}

static void transitions(struct __test_metadata *_metadata, FIXTURE_DATA(transition) * self,
			bool capable, enum state from)
{
	enum state to;

	if (!is_reachable(capable, from)) {
		EXPECT_EQ(-EINVAL, enter(self, capable, from));
		return;
	}
	for (to = 0; to < NR_STATES; to++) {
		transition(_metadata, self, capable, from, to, false);
		transition(_metadata, self, capable, from, to, true);
	}
}

TEST_F(transition, from_unbound)
{
	transitions(_metadata, self, variant->capable, UNBOUND);
}

TEST_F(transition, from_bound)
{
	transitions(_metadata, self, variant->capable, BOUND);
}

TEST_F(transition, from_automatic)
{
	transitions(_metadata, self, variant->capable, AUTOMATIC);
}

TEST_F(transition, from_enforcing)
{
	transitions(_metadata, self, variant->capable, ENFORCING);
}

TEST_F(transition, from_not_enforcing)
{
	transitions(_metadata, self, variant->capable, LOOSE);
}

TEST_F(transition, from_nested_on_enforcing)
{
	transitions(_metadata, self, variant->capable, NESTED_ENFORCING);
}

TEST_F(transition, from_nested_on_not_enforcing)
{
	transitions(_metadata, self, variant->capable, NESTED_LOOSE);
}

FIXTURE(mock)
{
	struct setup s;
	struct model *m;
	int *pts;
	__u64 caps;
};

FIXTURE_VARIANT(mock)
{
	struct kind kind;
};

FIXTURE_VARIANT_ADD(mock, context) { .kind = { .ctx = 1 } };
FIXTURE_VARIANT_ADD(mock, device) { .kind = { .dev = 1 } };
FIXTURE_VARIANT_ADD(mock, two_of_each) { .kind = { .ctx = 2, .dev = 2 } };

FIXTURE_SETUP(mock)
{
	setup_open(&self->s, variant->kind);
	self->m = &self->s.m;
	self->pts = self->s.pts;
}

FIXTURE_TEARDOWN(mock)
{
	model_close(&self->s.m);
}

/* Does not ask for the mock IOMMU's own data */
static int hw_info(struct model *m, int dev, __u64 *caps)
{
	struct iommu_hw_info info = { .size = sizeof(info), .dev_id = m->devs[dev].idev };
	int ret = ioctl(m->ctxs[m->devs[dev].ctx].fd, IOMMU_GET_HW_INFO, &info);

	*caps = info.out_capabilities;
	return ret;
}

/* The attached page table counts, not what the device could enforce */
TEST_F(mock, shared_page_table)
{
	struct model *m = self->m;
	int capable = model_bind(m, 0, true, NONE);
	int incapable = model_bind(m, 0, false, NONE);

	watch(&self->s, capable);
	EXPECT_EQ(0, model_change(m, incapable, TO_PT(self->pts[LOOSE])));
	EXPECT_EQ(0, model_change(m, capable, TO_PT(self->pts[LOOSE])));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_unbind(m, incapable));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_change(m, capable, TO_PT(self->pts[ENFORCING])));
	EXPECT_WATCHES(&self->s, false, 1);
}

TEST_F(mock, automatic_never_downgrades)
{
	struct model *m = self->m;
	int capable = model_bind(m, 0, true, NONE);
	int incapable[2];
	int i;

	/* The first page table of each IOAS does not enforce coherency */
	for (i = 0; i < 2; i++) {
		incapable[i] = model_bind(m, 0, false, NONE);
		EXPECT_EQ(0, model_change(m, incapable[i], TO_IOAS(i)));
	}
	self->s.kind.ctx = 0;
	self->s.kind.dev = 1;
	watch(&self->s, capable);

	EXPECT_EQ(0, model_change(m, capable, TO_IOAS(0)));
	EXPECT_NE(m->devs[incapable[0]].pt, m->devs[capable].pt);
	EXPECT_WATCHES(&self->s, false, 0);
	EXPECT_EQ(0, model_change(m, capable, TO_IOAS(1)));
	EXPECT_NE(m->devs[incapable[1]].pt, m->devs[capable].pt);
	EXPECT_WATCHES(&self->s, false, 0);
	EXPECT_EQ(0, model_change(m, capable, TO_PT(self->pts[LOOSE])));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_change(m, capable, TO_IOAS(0)));
	EXPECT_WATCHES(&self->s, false, 1);
}

/* The capability does not depend on what is attached, and predicts the device's page tables */
TEST_F(mock, capabilities)
{
	struct model *m = self->m;
	int devs[2] = { model_bind(m, 0, false, NONE), model_bind(m, 0, true, NONE) };
	int mate = model_bind(m, 0, false, devs[1]), i;

	EXPECT_EQ(0, hw_info(m, devs[0], &self->caps));
	EXPECT_EQ(IOMMU_HW_CAP_COHERENCY_KNOWN, self->caps & COHERENCY_CAPS);
	EXPECT_EQ(0, hw_info(m, devs[1], &self->caps));
	EXPECT_EQ(COHERENCY_CAPS, self->caps & COHERENCY_CAPS);
	/* The capability is per device, not per group: page tables are allocated for a device */
	EXPECT_EQ(0, hw_info(m, mate, &self->caps));
	EXPECT_EQ(IOMMU_HW_CAP_COHERENCY_KNOWN, self->caps & COHERENCY_CAPS);
	EXPECT_EQ(0, model_unbind(m, mate));

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, model_change(m, devs[i], TO_PT(model_alloc_pt(m, devs[i], 0))));
		EXPECT_EQ(!i, ctx_fdinfo(m, 0, "noncoherent-attachments:"));
		EXPECT_EQ(0, model_detach(m, devs[i]));
	}
	EXPECT_EQ(-EINVAL, model_change(m, devs[0], TO_PT(self->pts[ENFORCING])));
	EXPECT_EQ(0, model_change(m, devs[1], TO_PT(self->pts[LOOSE])));
	EXPECT_EQ(0, hw_info(m, devs[1], &self->caps));
	EXPECT_EQ(COHERENCY_CAPS, self->caps & COHERENCY_CAPS);
}

/* A call that fails reports no capabilities */
TEST_F(mock, no_capabilities)
{
	struct model *m = self->m;
	int dev = model_bind(m, 0, true, NONE);
	struct iommu_hw_info info = {
		.size = sizeof(info), .dev_id = m->devs[dev].idev, .flags = 1U << 31,
	};

	EXPECT_EQ(-1, ioctl(m->ctxs[0].fd, IOMMU_GET_HW_INFO, &info));
	EXPECT_EQ(EOPNOTSUPP, errno);
	info.flags = 0;
	info.dev_id = m->ctxs[0].ioas[0];
	EXPECT_EQ(-1, ioctl(m->ctxs[0].fd, IOMMU_GET_HW_INFO, &info));
	EXPECT_EQ(ENOENT, errno);
	info.dev_id = m->devs[dev].idev;
	info.data_len = 4096;
	info.data_uptr = ~0ULL << 12;
	EXPECT_EQ(-1, ioctl(m->ctxs[0].fd, IOMMU_GET_HW_INFO, &info));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, info.out_capabilities);
}

/* The second device of a group adds no attachment, but keeps the group's until it detaches */
TEST_F(mock, group_counts_once)
{
	struct model *m = self->m;
	int a = model_bind(m, 0, true, NONE);
	int b = model_bind(m, 0, true, a);
	struct model_target loose = TO_PT(self->pts[LOOSE]);

	watch(&self->s, b);
	EXPECT_EQ(0, model_change(m, a, loose));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(-EINVAL, model_change(m, b, TO_PT(self->pts[ENFORCING])));
	EXPECT_EQ(0, model_change(m, b, loose));
	EXPECT_EQ(1, ctx_fdinfo(m, 0, "noncoherent-attachments:"));
	EXPECT_EQ(0, model_detach(m, a));
	EXPECT_WATCHES(&self->s, true, 1);

	/* A replacement by one device changes the page table of the whole group */
	EXPECT_EQ(0, model_change(m, a, loose));
	EXPECT_EQ(0, model_change(m, b, TO_PT(self->pts[NESTED_ENFORCING])));
	EXPECT_WATCHES(&self->s, false, 1);
	EXPECT_EQ(0, model_change(m, a, TO_PT(self->pts[NESTED_LOOSE])));
	EXPECT_WATCHES(&self->s, true, 2);
	EXPECT_EQ(0, model_unbind(m, a));
	EXPECT_WATCHES(&self->s, true, 2);
	EXPECT_EQ(0, model_unbind(m, b));
	EXPECT_WATCHES(&self->s, false, 2);
}

/* A group is as capable as its least capable device */
TEST_F(mock, group_decides)
{
	struct model *m = self->m;
	int capable = model_bind(m, 0, true, NONE);
	int incapable = model_bind(m, 0, false, capable);

	watch(&self->s, capable);
	EXPECT_EQ(-EINVAL, model_change(m, capable, TO_PT(self->pts[ENFORCING])));
	EXPECT_EQ(-EINVAL, model_change(m, capable, TO_IOAS(0)));
	EXPECT_WATCHES(&self->s, false, 0);
	EXPECT_EQ(0, model_change(m, incapable, TO_IOAS(0)));
	EXPECT_WATCHES(&self->s, true, 1);
	/* The group is on a page table of this IOAS already */
	EXPECT_EQ(0, model_change(m, capable, TO_IOAS(0)));
	EXPECT_EQ(0, model_unbind(m, incapable));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_change(m, capable, TO_PT(self->pts[ENFORCING])));
	EXPECT_WATCHES(&self->s, false, 1);
	/* A device that cannot be on the group's page table cannot join the group */
	EXPECT_EQ(-EINVAL, model_bind(m, 0, false, capable));
}

/* Each device of the group fails in each transition between these states */
TEST_F(mock, hardware_fails)
{
	static const enum state states[] = {
		BOUND, ENFORCING, LOOSE, NESTED_ENFORCING, NESTED_LOOSE,
	};
	struct model *m = self->m;
	int devs[3] = { model_bind(m, 0, true, NONE) };
	unsigned int from, to, i, nr = 0;

	for (i = 1; i < ARRAY_SIZE(devs); i++)
		devs[i] = model_bind(m, 0, true, devs[0]);
	watch(&self->s, devs[0]);

	for (from = 0; from < ARRAY_SIZE(states); from++) {
		if (states[from] != BOUND)
			EXPECT_EQ(0, model_change(m, devs[0], TO_PT(self->pts[states[from]])));
		for (to = 1; to < ARRAY_SIZE(states); to++) {
			for (i = 0; to != from && i < ARRAY_SIZE(devs); i++) {
				m->fail_dev = devs[i];
				m->fail_error = i % 2 ? EINVAL : ENOMEM;
				EXPECT_GT(0, model_change(m, devs[0],
							  TO_PT(self->pts[states[to]])));
				EXPECT_EQ(++nr, m->hw_failures);
			}
		}
		if (states[from] != BOUND)
			EXPECT_EQ(0, model_detach(m, devs[0]));
	}
}

/* After EINVAL from hardware the automatic choice tries the next page table, without an edge */
TEST_F(mock, automatic_choice_goes_on)
{
	struct model *m = self->m;
	int first = model_bind(m, 0, false, NONE);
	int dev = model_bind(m, 0, false, NONE);

	EXPECT_EQ(0, model_change(m, first, TO_IOAS(0)));
	self->s.kind.ctx = 0;
	self->s.kind.dev = 1;
	watch(&self->s, dev);

	m->fail_dev = dev;
	m->fail_error = EINVAL;
	EXPECT_EQ(0, model_change(m, dev, TO_IOAS(0)));
	EXPECT_EQ(1, m->hw_failures);
	EXPECT_NE(m->devs[first].pt, m->devs[dev].pt);
	/* Two page tables were tried, and the watch has begun once */
	EXPECT_WATCHES(&self->s, true, 1);

	EXPECT_EQ(0, model_detach(m, dev));
	m->fail_dev = dev;
	m->fail_error = ENOMEM;
	EXPECT_EQ(-ENOMEM, model_change(m, dev, TO_IOAS(0)));
	EXPECT_EQ(2, m->hw_failures);
}

/* If one watch refuses, the others neither begin nor stay reserved, in either order */
TEST_F(mock, refusal_is_private)
{
	static const int errors[] = { EPERM, EBUSY, EINVAL };
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE), other = model_bind(m, 0, false, NONE);
	struct iommu_test_watch now;
	int nay, i, round;

	EXPECT_EQ(0, model_change(m, other, TO_IOAS(0)));
	EXPECT_EQ(0, model_detach(m, other));
	for (round = 0; round < 2; round++) {
		if (round)
			watch(&self->s, dev);
		nay = model_watch_dev(m, dev, EPERM);
		if (!round)
			watch(&self->s, dev);
		for (i = 0; i < 3; i++) {
			int want = errors[i] == EINVAL ? -EPERM : -errors[i];

			model_refuse(m, nay, errors[i]);
			EXPECT_EQ(want, model_change(m, dev, TO_PT(self->pts[LOOSE])));
			EXPECT_EQ(want, model_change(m, dev, TO_PT(self->pts[NESTED_LOOSE])));
			EXPECT_EQ(want, model_change(m, dev, TO_IOAS(1)));
		}
		EXPECT_WATCHES(&self->s, false, 0);
		now = watch_state(m, nay);
		EXPECT_EQ(9, now.refusals);
		EXPECT_EQ(0, now.reserves);
		EXPECT_EQ(0, now.ends);
		model_refuse(m, nay, 0);
		EXPECT_EQ(0, model_change(m, dev, TO_PT(self->pts[LOOSE])));
		EXPECT_WATCHES(&self->s, true, 1);
		/* A watch that has begun is not asked again */
		model_refuse(m, nay, EPERM);
		EXPECT_EQ(0, model_change(m, dev, TO_PT(self->pts[NESTED_LOOSE])));
		EXPECT_EQ(0, model_detach(m, dev));
		model_unwatch(m, nay);
		unwatch(&self->s);
	}
}

/* EINVAL from a watch must not make the automatic choice try the next page table */
TEST_F(mock, refusal_ends_the_automatic_choice)
{
	struct model *m = self->m;
	int first = model_bind(m, 0, false, NONE);
	int dev = model_bind(m, 0, false, NONE);
	struct iommu_test_watch now;
	int nay;

	EXPECT_EQ(0, model_change(m, first, TO_IOAS(0)));
	nay = model_watch_dev(m, dev, EINVAL);
	EXPECT_EQ(-EPERM, model_change(m, dev, TO_IOAS(0)));
	now = watch_state(m, nay);
	EXPECT_EQ(1, now.refusals);
}

/* A refusal while attached to an enforcing page table leaves the device there */
TEST_F(mock, refused_replacement)
{
	struct model *m = self->m;
	int dev = model_bind(m, 0, true, NONE), nay;

	watch(&self->s, dev);
	nay = model_watch_dev(m, dev, EACCES);
	EXPECT_EQ(0, model_change(m, dev, TO_PT(self->pts[ENFORCING])));
	EXPECT_EQ(-EACCES, model_change(m, dev, TO_PT(self->pts[NESTED_LOOSE])));
	EXPECT_EQ(0, model_change(m, dev, TO_IOAS(0)));
	EXPECT_WATCHES(&self->s, false, 0);
	model_refuse(m, nay, 0);
	EXPECT_EQ(0, model_change(m, dev, TO_PT(self->pts[NESTED_LOOSE])));
	EXPECT_WATCHES(&self->s, true, 1);
}

/* A new watch that refuses an existing attachment is not added; the others are unaffected */
TEST_F(mock, refused_watch)
{
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE);

	watch(&self->s, dev);
	EXPECT_EQ(0, model_change(m, dev, TO_IOAS(0)));
	EXPECT_EQ(-EPERM, model_watch_ctx(m, 0, EINVAL));
	EXPECT_EQ(-EACCES, model_watch_dev(m, dev, EACCES));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_detach(m, dev));
	EXPECT_WATCHES(&self->s, false, 1);
}

struct replacing {
	int fd;
	struct iommu_test_cmd cmd;
	int ret;
};

static void *replace_thread(void *data)
{
	struct replacing *r = data;

	r->ret = ioctl(r->fd, IOMMU_TEST_CMD, &r->cmd);
	return NULL;
}

/*
 * A device is detached during a replacement by another device of its group, which a watch
 * delays: the detach has to release the page table that the group is on by then.
 */
TEST_F(mock, detach_while_replaced)
{
	struct model *m = self->m;
	int a = model_bind(m, 0, true, NONE), b = model_bind(m, 0, true, a);
	int from = model_alloc_pt(m, a, 0), to = model_alloc_pt(m, self->s.incapable, 0);
	int slow = model_watch_ctx(m, 0, 0), fd = m->ctxs[0].fd;
	struct replacing r = {
		.fd = fd,
		.cmd = {
			.size = sizeof(r.cmd),
			.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
			.id = m->devs[a].stdev,
			.mock_domain_replace.pt_id = m->pts[to].id,
		},
	};
	struct iommu_test_cmd slower = {
		.size = sizeof(slower),
		.op = IOMMU_TEST_OP_WATCH_STATE,
		.id = m->watches[slow].seen.out_fd,
		.watch.slow_ms = 1000,
	};
	struct iommu_test_cmd detach = {
		.size = sizeof(detach),
		.op = IOMMU_TEST_OP_MOCK_DETACH,
		.id = m->devs[b].idev,
	};
	struct pollfd asked = { .fd = slower.id, .events = POLLIN };
	pthread_t thread;

	watch(&self->s, a);
	EXPECT_EQ(0, model_change(m, a, TO_PT(from)));
	EXPECT_EQ(0, model_change(m, b, TO_PT(from)));
	ASSERT_EQ(0, ioctl(fd, IOMMU_TEST_CMD, &slower));
	ASSERT_EQ(0, pthread_create(&thread, NULL, replace_thread, &r));
	ASSERT_EQ(1, poll(&asked, 1, 30000));
	EXPECT_EQ(0, ioctl(fd, IOMMU_TEST_CMD, &detach));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, r.ret);

	m->devs[a].pt = to;
	m->devs[b].pt = NONE;
	/* Makes the model check all watches */
	model_refuse(m, slow, 0);
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_detach(m, a));
	EXPECT_EQ(0, model_free_pt(m, from));
	EXPECT_EQ(0, model_free_pt(m, to));
}

static void map_all(struct model *m)
{
	int ctx, i;

	for (ctx = 0; ctx < NR_CTXS; ctx++)
		for (i = 0; i < NR_IOASES; i++)
			model_map(m, ctx, i);
}

/* DMA through an access belongs to no device: only watches of the context begin */
TEST_F(mock, access)
{
	bool seen = self->s.kind.ctx;
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE), dma, other;

	map_all(m);
	if (seen)
		self->s.kind.dev = 0;
	watch(&self->s, dev);

	EXPECT_LE(0, model_access(m, 0, 0, false));
	EXPECT_WATCHES(&self->s, false, 0);
	dma = model_access(m, 0, 0, true);
	EXPECT_LE(0, dma);
	EXPECT_WATCHES(&self->s, seen, seen);
	other = model_access(m, 0, 1, true);
	EXPECT_LE(0, other);
	EXPECT_EQ(2, ctx_fdinfo(m, 0, "noncoherent-attachments:"));
	EXPECT_EQ(0, model_access_change(m, dma, 1));
	EXPECT_WATCHES(&self->s, seen, seen);
	EXPECT_EQ(0, model_access_change(m, dma, NONE));
	EXPECT_EQ(-ENXIO, model_access_change(m, dma, NONE));
	EXPECT_WATCHES(&self->s, seen, seen);
	model_access_close(m, other);
	EXPECT_WATCHES(&self->s, false, seen);

	/* Either the access or the device keeps the context non-coherent */
	EXPECT_EQ(0, model_change(m, dev, TO_PT(self->pts[LOOSE])));
	EXPECT_EQ(0, model_access_change(m, dma, 0));
	EXPECT_EQ(0, model_detach(m, dev));
	EXPECT_WATCHES(&self->s, seen, 1 + seen);
	EXPECT_EQ(0, model_change(m, dev, TO_PT(self->pts[LOOSE])));
	EXPECT_EQ(0, model_access_change(m, dma, NONE));
	EXPECT_WATCHES(&self->s, true, 2);
	EXPECT_EQ(0, model_detach(m, dev));
	EXPECT_WATCHES(&self->s, false, 2);
}

/* A refused access stays as it was, and other watches do not begin */
TEST_F(mock, access_is_refused)
{
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE), nay, dma;

	map_all(m);
	nay = model_watch_ctx(m, 0, EINVAL);
	watch(&self->s, dev);
	EXPECT_EQ(-EPERM, model_access(m, 0, 0, true));
	EXPECT_LE(0, model_access(m, 0, 0, false));
	EXPECT_WATCHES(&self->s, false, 0);
	model_refuse(m, nay, 0);
	dma = model_access(m, 0, 0, true);
	EXPECT_LE(0, dma);
	/* A watch that has begun is not asked again */
	model_refuse(m, nay, EACCES);
	EXPECT_EQ(0, model_access_change(m, dma, 1));
	EXPECT_EQ(0, model_access_change(m, dma, NONE));
	EXPECT_EQ(-EACCES, model_access_change(m, dma, 1));
	EXPECT_EQ(0, ctx_fdinfo(m, 0, "noncoherent-attachments:"));
}

TEST_F(mock, access_does_not_fit)
{
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE), dma;

	map_all(m);
	watch(&self->s, dev);
	dma = model_access(m, 0, 0, true);
	EXPECT_LE(0, dma);
	EXPECT_EQ(-EADDRINUSE, model_access_misfit(m, dma));
	EXPECT_EQ(1, ctx_fdinfo(m, 0, "noncoherent-attachments:"));
	EXPECT_EQ(0, model_access_change(m, dma, NONE));
	EXPECT_EQ(-EADDRINUSE, model_access_misfit(m, dma));
	EXPECT_EQ(0, ctx_fdinfo(m, 0, "noncoherent-attachments:"));
	EXPECT_EQ(0, model_access_change(m, dma, 0));
}

TEST_F(mock, contexts_are_apart)
{
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE);
	int elsewhere = model_bind(m, 1, false, NONE);

	watch(&self->s, dev);
	EXPECT_LE(0, model_watch_ctx(m, 1, EPERM));
	EXPECT_EQ(0, model_change(m, dev, TO_IOAS(0)));
	EXPECT_EQ(-EPERM, model_change(m, elsewhere, TO_IOAS(0)));
	EXPECT_WATCHES(&self->s, true, 1);
	EXPECT_EQ(0, model_detach(m, dev));
	EXPECT_WATCHES(&self->s, false, 1);
}

/* A watch keeps the context alive after the last fd of the iommufd is closed */
TEST_F(mock, watch_outlives_the_file)
{
	struct iommu_test_cmd cmd = { .size = sizeof(cmd), .op = IOMMU_TEST_OP_WATCH_STATE };
	struct model *m = self->m;
	int dev = model_bind(m, 0, false, NONE), i;

	watch(&self->s, dev);
	EXPECT_EQ(0, model_change(m, dev, TO_IOAS(0)));
	close(m->ctxs[0].fd);
	for (i = 0; i < self->s.nr_watches; i++) {
		struct model_watch *w = &m->watches[self->s.watches[i]];

		cmd.id = w->seen.out_fd;
		ASSERT_EQ(0, ioctl(m->ctxs[1].fd, IOMMU_TEST_CMD, &cmd));
		EXPECT_EQ(1, cmd.watch.begun);
		EXPECT_EQ(1, cmd.watch.noncoherent);
		EXPECT_EQ(0, close(w->seen.out_fd));
		w->used = false;
	}
}

TEST_F(mock, ops_refuse_nonsense)
{
	struct iommu_test_cmd cmd = { .size = sizeof(cmd), .op = IOMMU_TEST_OP_WATCH_STATE };
	int fd = self->m->ctxs[0].fd;

	cmd.id = 1 << 20;
	EXPECT_EQ(-1, ioctl(fd, IOMMU_TEST_CMD, &cmd));
	EXPECT_EQ(EBADF, errno);
	cmd.id = fd;
	EXPECT_EQ(-1, ioctl(fd, IOMMU_TEST_CMD, &cmd));
	EXPECT_EQ(EBADFD, errno);
	cmd.op = IOMMU_TEST_OP_WATCH;
	cmd.id = self->m->ctxs[0].ioas[0];
	EXPECT_EQ(-1, ioctl(fd, IOMMU_TEST_CMD, &cmd));
	EXPECT_EQ(ENOENT, errno);
	cmd.op = IOMMU_TEST_OP_MOCK_FAIL;
	cmd.id = self->m->devs[self->s.capable].idev;
	cmd.mock_fail.nth = 1;
	cmd.mock_fail.error = 0;
	EXPECT_EQ(-1, ioctl(fd, IOMMU_TEST_CMD, &cmd));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-ENXIO, model_detach(self->m, self->s.capable));
}

/* xorshift64*: a seed gives the same walk on every machine */
static unsigned int pick(unsigned long *state, unsigned int nr)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dUL >> 33) % nr;
}

/* Picks a device, of @group or with NONE of any; NONE if there is none */
static int pick_dev(const struct model *m, unsigned long *rnd, int group)
{
	int start = pick(rnd, NR_DEVS), i;

	for (i = 0; i < NR_DEVS; i++) {
		const struct model_dev *dev = &m->devs[(start + i) % NR_DEVS];

		if (dev->used && (group == NONE || dev->group == group))
			return dev - m->devs;
	}
	return NONE;
}

/* Picks a manually allocated page table of a context, or NONE */
static int pick_pt(const struct model *m, unsigned long *rnd, int ctx, bool may_be_nested)
{
	int start = pick(rnd, NR_PTS), i;

	for (i = 0; i < NR_PTS; i++) {
		const struct model_pt *pt = &m->pts[(start + i) % NR_PTS];

		if (pt->used && pt->ctx == ctx && !pt->automatic &&
		    (may_be_nested || pt->parent == NONE))
			return pt - m->pts;
	}
	return NONE;
}

static int pick_watch(const struct model *m, unsigned long *rnd)
{
	int start = pick(rnd, NR_WATCHES), i;

	for (i = 0; i < NR_WATCHES; i++)
		if (m->watches[(start + i) % NR_WATCHES].used)
			return (start + i) % NR_WATCHES;
	return NONE;
}

static bool room_for_dev(const struct model *m)
{
	int i, nr = 0;

	for (i = 0; i < NR_DEVS; i++)
		nr += m->devs[i].used;
	return nr < NR_DEVS;
}

/* Leaves room for automatic page tables, one for each device */
static bool room_for_pt(const struct model *m)
{
	int i, nr = NR_DEVS;

	for (i = 0; i < NR_PTS; i++)
		nr += m->pts[i].used && !m->pts[i].automatic;
	return nr < NR_PTS;
}

static bool room_for_watch(const struct model *m)
{
	int i, nr = 0;

	for (i = 0; i < NR_WATCHES; i++)
		nr += m->watches[i].used;
	return nr < NR_WATCHES;
}

static const int walk_errors[] = { EINVAL, ENOMEM, EPERM, EBUSY };

static void walk_change(struct model *m, unsigned long *rnd, int dev)
{
	int ctx = m->devs[dev].ctx, group = m->devs[dev].group;
	struct model_target to = TO_IOAS(pick(rnd, NR_IOASES));

	if (pick(rnd, 3)) {
		int pt = pick_pt(m, rnd, ctx, true);

		if (pt != NONE)
			to = TO_PT(pt);
	}
	if (!pick(rnd, 5)) {
		m->fail_dev = pick_dev(m, rnd, group);
		m->fail_error = walk_errors[pick(rnd, ARRAY_SIZE(walk_errors))];
	}
	model_change(m, dev, to);
}

static void walk_pts(struct model *m, unsigned long *rnd, int dev)
{
	int ctx = m->devs[dev].ctx, pt;

	if (!room_for_pt(m) || !pick(rnd, 3)) {
		pt = pick_pt(m, rnd, pick(rnd, NR_CTXS), true);
		if (pt != NONE)
			model_free_pt(m, pt);
		return;
	}
	pt = pick_pt(m, rnd, ctx, false);
	if (pt == NONE || pick(rnd, 2))
		model_alloc_pt(m, dev, pick(rnd, NR_IOASES));
	else
		model_alloc_nested(m, dev, pt);
}

static void walk_watches(struct model *m, unsigned long *rnd, int dev)
{
	__u32 refuse = pick(rnd, 3) ? 0 : walk_errors[pick(rnd, ARRAY_SIZE(walk_errors))];
	int watch = pick_watch(m, rnd);

	if (watch != NONE && pick(rnd, 2))
		model_refuse(m, watch, refuse);
	else if (watch != NONE && (!room_for_watch(m) || pick(rnd, 2)))
		model_unwatch(m, watch);
	else if (pick(rnd, 2))
		model_watch_ctx(m, pick(rnd, NR_CTXS), refuse);
	else
		model_watch_dev(m, dev, refuse);
}

static void walk_devices(struct model *m, unsigned long *rnd, int dev)
{
	if (dev != NONE && (!room_for_dev(m) || pick(rnd, 2)))
		model_unbind(m, dev);
	else if (dev == NONE || pick(rnd, 2))
		model_bind(m, pick(rnd, NR_CTXS), pick(rnd, 2), NONE);
	else
		model_bind(m, m->devs[dev].ctx, pick(rnd, 3), dev);
}

static void walk_accesses(struct model *m, unsigned long *rnd)
{
	int access = pick(rnd, NR_ACCESSES);

	if (!m->accesses[access].used)
		model_access(m, pick(rnd, NR_CTXS), pick(rnd, NR_IOASES), pick(rnd, 3));
	else if (!pick(rnd, 4))
		model_access_close(m, access);
	else
		model_access_change(m, access, (int)pick(rnd, NR_IOASES + 1) - 1);
}

static void walk_step(struct model *m, unsigned long *rnd)
{
	unsigned int what = pick(rnd, 100);
	int dev = pick_dev(m, rnd, NONE);

	if (dev == NONE || what < 5)
		walk_devices(m, rnd, dev);
	else if (what < 15)
		walk_watches(m, rnd, dev);
	else if (what < 25)
		walk_pts(m, rnd, dev);
	else if (what < 40)
		model_detach(m, dev);
	else if (what < 50)
		walk_accesses(m, rnd);
	else
		walk_change(m, rnd, dev);
}

static unsigned long env(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

TEST(random_walk)
{
	unsigned long seed, rnd, i, steps = env("steps", 100000);
	struct model m;

	ASSERT_EQ(sizeof(seed), getrandom(&seed, sizeof(seed), 0));
	seed = env("seed", seed) | 1;
	TH_LOG("%lu steps, seed=%lu", steps, seed);

	rnd = seed;
	model_open(&m);
	map_all(&m);
	m.seed = seed;
	for (i = 0; i < steps; i++)
		walk_step(&m, &rnd);
	TH_LOG("%lu changes, %lu hardware failures, %lu refusals, %lu begins", m.changes,
	       m.hw_failures, m.refusals, m.begins);
	EXPECT_LT(steps / 10, m.changes);
	EXPECT_LT(steps / 100, m.hw_failures);
	EXPECT_LT(steps / 1000, m.refusals);
	EXPECT_LT(steps / 100, m.begins);
	model_close(&m);
}

TEST_HARNESS_MAIN
