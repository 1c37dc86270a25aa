// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of coherency.c: contexts, groups and page tables are set up by
 * hand, and "the hardware" is a function that records whether a watch has begun
 * during an attach or detach.
 */
#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/iommufd.h>
#include <linux/iommufd_coherency.h>
#include <linux/seq_file.h>

#include "iommufd_private.h"
#include "auto_domain.h"

#define NR_WATCHES 3

struct test_watch {
	struct iommufd_coherency_watch watch;
	int refuse;
	int reserves;
	int begins;
	int revokes;
	int ends;
};

struct coherency_test {
	struct iommufd_ctx ictx;
	/* Two devices in the first group, one in the second */
	struct iommufd_device idev[3];
	struct iommufd_hwpt_paging enforcing[2];
	struct iommufd_hwpt_paging loose[2];
	struct iommufd_hwpt_nested nested;
	struct test_watch w[NR_WATCHES];
	/* @w[0] had begun when the hardware changed */
	bool begun_in_hw;
	/* A watch ended before all of those that end with it were revoked */
	bool ended_early;
};

static const struct file_operations test_fops = {};

static struct test_watch *to_test_watch(struct iommufd_coherency_watch *w)
{
	return container_of(w, struct test_watch, watch);
}

static int test_reserve(struct iommufd_coherency_watch *w)
{
	struct test_watch *tw = to_test_watch(w);

	if (tw->refuse)
		return tw->refuse;
	tw->reserves++;
	return 0;
}

static void test_begin(struct iommufd_coherency_watch *w)
{
	to_test_watch(w)->begins++;
}

static void test_revoke(struct iommufd_coherency_watch *w)
{
	to_test_watch(w)->revokes++;
}

static void test_end(struct iommufd_coherency_watch *w)
{
	to_test_watch(w)->ends++;
}

/* All watches must have been revoked by now. w->data is the test. */
static void test_last_end(struct iommufd_coherency_watch *w)
{
	struct coherency_test *t = w->data;
	int i;

	for (i = 0; i < NR_WATCHES; i++)
		t->ended_early |= t->w[i].revokes != t->w[i].begins;
	to_test_watch(w)->ends++;
}

static const struct iommufd_coherency_ops test_ops = {
	.reserve = test_reserve,
	.begin = test_begin,
	.end = test_end,
};

static const struct iommufd_coherency_ops test_revoke_ops = {
	.reserve = test_reserve,
	.begin = test_begin,
	.revoke = test_revoke,
	.end = test_last_end,
};

static struct iommufd_group *test_group_create(struct kunit *test,
					       struct iommufd_ctx *ictx)
{
	struct iommufd_group *igroup = kzalloc(sizeof(*igroup), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, igroup);
	igroup->group = iommu_group_alloc();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, igroup->group);
	mutex_init(&igroup->lock);
	igroup->ictx = ictx;
	iommufd_coherency_source_init(&igroup->coherency, &ictx->coherency);
	KUNIT_ASSERT_FALSE(test, xa_is_err(xa_store(&ictx->groups,
						    iommu_group_id(igroup->group),
						    igroup, GFP_KERNEL)));
	return igroup;
}

static void test_group_free(struct iommufd_group *igroup)
{
	xa_erase(&igroup->ictx->groups, iommu_group_id(igroup->group));
	iommu_group_put(igroup->group);
	mutex_destroy(&igroup->lock);
	kfree(igroup);
}

static void test_hwpt_init(struct iommufd_hwpt_paging *hwpt, u32 id,
			   bool enforces)
{
	hwpt->common.obj.type = IOMMUFD_OBJ_HWPT_PAGING;
	hwpt->common.obj.id = id;
	hwpt->enforce_cache_coherency = enforces;
}

static int coherency_test_init(struct kunit *test)
{
	struct coherency_test *t;
	int i;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	if (!t)
		return -ENOMEM;
	test->priv = t;

	xa_init(&t->ictx.groups);
	iommufd_coherency_source_init(&t->ictx.coherency, NULL);
	t->ictx.file = anon_inode_getfile("[iommufd-coherency]", &test_fops,
					  &t->ictx, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->ictx.file);

	t->idev[0].igroup = test_group_create(test, &t->ictx);
	t->idev[1].igroup = t->idev[0].igroup;
	t->idev[2].igroup = test_group_create(test, &t->ictx);

	for (i = 0; i < 2; i++) {
		test_hwpt_init(&t->enforcing[i], 10 + i, true);
		test_hwpt_init(&t->loose[i], 20 + i, false);
	}
	t->nested.common.obj.type = IOMMUFD_OBJ_HWPT_NESTED;
	t->nested.common.obj.id = 30;
	return 0;
}

static void expect_nothing(struct kunit *test,
			   const struct iommufd_coherency_source *source)
{
	KUNIT_EXPECT_EQ(test, source->nr_noncoherent, 0);
	KUNIT_EXPECT_EQ(test, source->nr_watches, 0);
	KUNIT_EXPECT_EQ(test, source->nr_begun, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&source->watches));
	KUNIT_EXPECT_TRUE(test, list_empty(&source->attachments));
}

/* Nothing may be left: no count, no watch, no hold */
static void coherency_test_exit(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	int i;

	if (!t)
		return;
	expect_nothing(test, &t->ictx.coherency);
	for (i = 0; i < ARRAY_SIZE(t->idev); i++) {
		expect_nothing(test, &t->idev[i].igroup->coherency);
		KUNIT_EXPECT_FALSE(test, t->idev[i].coherency_hold.active);
		KUNIT_EXPECT_FALSE(test, t->idev[i].coherency_hold.counted);
	}
	test_group_free(t->idev[0].igroup);
	test_group_free(t->idev[2].igroup);
	fput(t->ictx.file);
}

static int hw(struct coherency_test *t, int rc)
{
	t->begun_in_hw = t->w[0].watch.begun;
	return rc;
}

/* @hw_rc: what the IOMMU driver returns */
static int change(struct coherency_test *t, int dev, ioasid_t pasid,
		  struct iommufd_hw_pagetable *old,
		  struct iommufd_hw_pagetable *new, int hw_rc)
{
	struct iommufd_device *idev = &t->idev[dev];
	int rc = 0;

	mutex_lock(&idev->igroup->lock);
	if (new)
		rc = iommufd_coherency_before(idev, pasid, old, new);
	if (!rc) {
		rc = hw(t, hw_rc);
		iommufd_coherency_after(idev, pasid, old, new, rc);
	}
	mutex_unlock(&idev->igroup->lock);
	return rc;
}

static int attach(struct coherency_test *t, int dev,
		  struct iommufd_hwpt_paging *hwpt)
{
	return change(t, dev, IOMMU_NO_PASID, NULL, &hwpt->common, 0);
}

static void detach(struct coherency_test *t, int dev,
		   struct iommufd_hwpt_paging *hwpt)
{
	change(t, dev, IOMMU_NO_PASID, &hwpt->common, NULL, 0);
}

static int watch(struct coherency_test *t, int i,
		 struct iommufd_coherency_source *source)
{
	iommufd_coherency_watch_init(&t->w[i].watch, &test_ops, NULL);
	return iommufd_watch_coherency(source, &t->w[i].watch);
}

static int watch_ctx(struct coherency_test *t, int i)
{
	return watch(t, i, iommufd_ctx_coherency(&t->ictx));
}

static int watch_device(struct coherency_test *t, int i, int dev)
{
	return watch(t, i, iommufd_device_coherency(&t->idev[dev]));
}

static void unwatch(struct coherency_test *t, int i)
{
	iommufd_unwatch_coherency(&t->w[i].watch);
}

static void expect_events(struct kunit *test, const struct test_watch *tw,
			  int reserves, int begins, int ends)
{
	KUNIT_EXPECT_EQ(test, tw->reserves, reserves);
	KUNIT_EXPECT_EQ(test, tw->begins, begins);
	KUNIT_EXPECT_EQ(test, tw->ends, ends);
}

static void attachments_are_counted(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_ASSERT_EQ(test, watch_device(t, 1, 2), 0);

	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->enforcing[0]), 0);
	expect_events(test, &t->w[0], 0, 0, 0);
	detach(t, 0, &t->enforcing[0]);

	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	KUNIT_EXPECT_TRUE(test, t->begun_in_hw);
	KUNIT_EXPECT_EQ(test, attach(t, 2, &t->loose[0]), 0);
	KUNIT_EXPECT_EQ(test, change(t, 2, 7, NULL, &t->loose[1].common, 0), 0);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 3);
	expect_events(test, &t->w[0], 1, 1, 0);
	expect_events(test, &t->w[1], 1, 1, 0);

	detach(t, 2, &t->loose[0]);
	expect_events(test, &t->w[1], 1, 1, 0);
	change(t, 2, 7, &t->loose[1].common, NULL, 0);
	expect_events(test, &t->w[1], 1, 1, 1);
	expect_events(test, &t->w[0], 1, 1, 0);

	detach(t, 0, &t->loose[0]);
	KUNIT_EXPECT_TRUE(test, t->begun_in_hw);
	expect_events(test, &t->w[0], 1, 1, 1);

	unwatch(t, 0);
	unwatch(t, 1);
	expect_events(test, &t->w[0], 1, 1, 1);
}

static void snapshot_is_an_event(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	KUNIT_EXPECT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_EXPECT_EQ(test, watch_device(t, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, watch_device(t, 2, 2), 0);
	expect_events(test, &t->w[0], 1, 1, 0);
	expect_events(test, &t->w[1], 1, 1, 0);
	expect_events(test, &t->w[2], 0, 0, 0);
	detach(t, 0, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 1);
	expect_events(test, &t->w[1], 1, 1, 1);
	unwatch(t, 0);
	unwatch(t, 1);
	unwatch(t, 2);
}

static void snapshot_may_be_refused(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	t->w[0].refuse = -EPERM;
	t->w[1].refuse = -EINVAL;
	KUNIT_EXPECT_EQ(test, watch_ctx(t, 0), -EPERM);
	KUNIT_EXPECT_EQ(test, watch_device(t, 1, 0), -EPERM);
	expect_events(test, &t->w[0], 0, 0, 0);
	expect_events(test, &t->w[1], 0, 0, 0);
	detach(t, 0, &t->loose[0]);
}

static const int refusers[] = { 0, 1, 2 };

static void refuser_desc(const int *refuser, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "watch %d of %d", *refuser + 1,
		 NR_WATCHES);
}

KUNIT_ARRAY_PARAM(refuser, refusers, refuser_desc);

static void refusal_is_seen_by_nobody(struct kunit *test)
{
	const int refuser = *(const int *)test->param_value;
	struct coherency_test *t = test->priv;
	int i;

	for (i = 0; i < NR_WATCHES; i++)
		KUNIT_ASSERT_EQ(test, i == 1 ? watch_device(t, i, 0) :
				watch_ctx(t, i), 0);

	t->begun_in_hw = false;
	t->w[refuser].refuse = -ENOMEM;
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), -ENOMEM);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 0);
	for (i = 0; i < NR_WATCHES; i++) {
		KUNIT_EXPECT_EQ(test, t->w[i].begins, 0);
		KUNIT_EXPECT_EQ(test, t->w[i].reserves, t->w[i].ends);
		KUNIT_EXPECT_FALSE(test, t->w[i].watch.begun);
	}

	/* EINVAL would make the automatic choice try the next page table */
	t->w[refuser].refuse = -EINVAL;
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), -EPERM);

	t->w[refuser].refuse = 0;
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	for (i = 0; i < NR_WATCHES; i++)
		KUNIT_EXPECT_EQ(test, t->w[i].begins, 1);
	detach(t, 0, &t->loose[0]);
	for (i = 0; i < NR_WATCHES; i++)
		unwatch(t, i);
}

/* A refusal does not end a watch that has begun for another group */
static void refusal_ends_nothing_older(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_ASSERT_EQ(test, watch_device(t, 1, 2), 0);
	t->w[1].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	KUNIT_EXPECT_EQ(test, attach(t, 2, &t->loose[0]), -EPERM);
	expect_events(test, &t->w[0], 1, 1, 0);
	expect_events(test, &t->w[1], 0, 0, 0);
	detach(t, 0, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 1);
	unwatch(t, 0);
	unwatch(t, 1);
}

static void hardware_failure_leaves_all_as_before(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_EXPECT_EQ(test, change(t, 0, IOMMU_NO_PASID, NULL,
				     &t->loose[0].common, -EBUSY), -EBUSY);
	KUNIT_EXPECT_TRUE(test, t->begun_in_hw);
	KUNIT_EXPECT_FALSE(test, t->w[0].watch.begun);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 0);
	expect_events(test, &t->w[0], 1, 1, 1);
	unwatch(t, 0);
}

struct replacement {
	bool from_loose;
	bool to_loose;
	int hw_rc;
};

static const struct replacement replacements[] = {
	{ false, false, 0 }, { false, true, 0 },
	{ true, false, 0 }, { true, true, 0 },
	{ false, false, -EIO }, { false, true, -EIO },
	{ true, false, -EIO }, { true, true, -EIO },
};

static void replacement_desc(const struct replacement *r, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s by %s%s",
		 r->from_loose ? "non-coherent" : "coherent",
		 r->to_loose ? "non-coherent" : "coherent",
		 r->hw_rc ? ", which fails" : "");
}

KUNIT_ARRAY_PARAM(replacement, replacements, replacement_desc);

static void replace_in_all_directions(struct kunit *test)
{
	const struct replacement *r = test->param_value;
	struct coherency_test *t = test->priv;
	struct iommufd_hwpt_paging *from, *to, *at;

	from = r->from_loose ? &t->loose[0] : &t->enforcing[0];
	to = r->to_loose ? &t->loose[1] : &t->enforcing[1];
	at = r->hw_rc ? from : to;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_EXPECT_EQ(test, attach(t, 0, from), 0);
	KUNIT_EXPECT_EQ(test, change(t, 0, IOMMU_NO_PASID, &from->common,
				     &to->common, r->hw_rc), r->hw_rc);

	/* Begun throughout the replacement if either page table is loose */
	KUNIT_EXPECT_EQ(test, t->begun_in_hw, r->from_loose || r->to_loose);
	KUNIT_EXPECT_EQ(test, t->w[0].watch.begun, !at->enforce_cache_coherency);
	KUNIT_EXPECT_EQ(test, t->w[0].begins, r->from_loose || r->to_loose);
	detach(t, 0, at);
	KUNIT_EXPECT_EQ(test, t->w[0].ends, t->w[0].begins);
	unwatch(t, 0);
}

static void refused_replace_stays_coherent(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->enforcing[0]), 0);
	t->w[0].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, change(t, 0, IOMMU_NO_PASID,
				     &t->enforcing[0].common,
				     &t->loose[0].common, 0), -EPERM);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 0);
	detach(t, 0, &t->enforcing[0]);
	unwatch(t, 0);
}

static void group_decides(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	/* Watch the device that is not attached */
	KUNIT_ASSERT_EQ(test, watch_device(t, 0, 1), 0);
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	expect_events(test, &t->w[0], 1, 1, 0);
	KUNIT_EXPECT_EQ(test, attach(t, 2, &t->loose[0]), 0);
	detach(t, 0, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 1);
	detach(t, 2, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 1);
	unwatch(t, 0);
}

static void nested_answers_for_its_parent(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	struct iommufd_hw_pagetable *nested = &t->nested.common;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	t->nested.parent = &t->enforcing[0];
	KUNIT_EXPECT_EQ(test, change(t, 0, IOMMU_NO_PASID, NULL, nested, 0), 0);
	KUNIT_EXPECT_FALSE(test, t->w[0].watch.begun);
	change(t, 0, IOMMU_NO_PASID, nested, NULL, 0);

	t->nested.parent = &t->loose[0];
	KUNIT_EXPECT_EQ(test, change(t, 0, IOMMU_NO_PASID, NULL, nested, 0), 0);
	KUNIT_EXPECT_TRUE(test, t->w[0].watch.begun);
	/* The same DMA, without the first stage: no edge */
	KUNIT_EXPECT_EQ(test, change(t, 0, IOMMU_NO_PASID, nested,
				     &t->loose[0].common, 0), 0);
	expect_events(test, &t->w[0], 1, 1, 0);
	detach(t, 0, &t->loose[0]);
	unwatch(t, 0);
}

static void access_is_a_source(struct kunit *test)
{
	const struct iommufd_access_ops cpu_ops = {};
	const struct iommufd_access_ops dma_ops = { .noncoherent_dma = 1 };
	struct coherency_test *t = test->priv;
	struct iommufd_access *access;

	access = kunit_kzalloc(test, sizeof(*access), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, access);
	access->ictx = &t->ictx;
	iommufd_coherency_source_init(&access->coherency, &t->ictx.coherency);

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_ASSERT_EQ(test, watch_device(t, 1, 0), 0);
	KUNIT_ASSERT_EQ(test, watch(t, 2, iommufd_access_coherency(access)), 0);

	/* An access by the CPU alone is coherent */
	access->ops = &cpu_ops;
	KUNIT_EXPECT_EQ(test, iommufd_coherency_access_attach(access), 0);
	iommufd_coherency_access_detach(access);
	expect_events(test, &t->w[0], 0, 0, 0);
	expect_events(test, &t->w[2], 0, 0, 0);

	access->ops = &dma_ops;
	KUNIT_EXPECT_EQ(test, iommufd_coherency_access_attach(access), 0);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 1);
	expect_events(test, &t->w[2], 1, 1, 0);
	iommufd_coherency_access_detach(access);
	expect_events(test, &t->w[0], 1, 1, 1);
	expect_events(test, &t->w[1], 0, 0, 0);
	expect_events(test, &t->w[2], 1, 1, 1);

	/* The access' own watch has reserved, but does not begin */
	t->w[0].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, iommufd_coherency_access_attach(access), -EPERM);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 0);
	expect_events(test, &t->w[2], 2, 1, 2);
	unwatch(t, 0);
	unwatch(t, 1);
	unwatch(t, 2);
	expect_nothing(test, &access->coherency);
}

/* Checks what debugfs shows of @w[@i]'s source, but for the times */
static void expect_shown(struct kunit *test, int i, const char *expected)
{
	struct coherency_test *t = test->priv;
	char lines[256] = "";
	struct seq_file m = { .buf = lines, .size = sizeof(lines) - 1 };
	char *since, *end;

	if (t->w[i].watch.source == &t->ictx.coherency)
		iommufd_ctx_show_coherency(&m, &t->ictx);
	else
		iommufd_coherency_show_watch(&m, &t->w[i].watch);
	while ((since = strstr(lines, " since "))) {
		end = strchrnul(since, '\n');
		memmove(since, end, strlen(end) + 1);
	}
	KUNIT_EXPECT_STREQ(test, lines, expected);
}

static void attachments_are_shown(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	int first = iommu_group_id(t->idev[0].igroup->group);
	int second = iommu_group_id(t->idev[2].igroup->group);
	u64 *since = &t->idev[0].igroup->coherency.attachment.since;
	char one[64], both[128];

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_ASSERT_EQ(test, watch_device(t, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, iommufd_coherency_watch_id(&t->w[0].watch),
			t->ictx.coherency.id);
	KUNIT_EXPECT_EQ(test, iommufd_coherency_watch_id(&t->w[1].watch),
			t->ictx.coherency.id);
	KUNIT_EXPECT_EQ(test, iommufd_coherency_watch_id(&t->w[2].watch), 0);
	expect_shown(test, 0, "");

	/* A failed attach that the hold keeps counted is not shown */
	iommufd_coherency_hold(&t->idev[0].coherency_hold);
	change(t, 0, IOMMU_NO_PASID, NULL, &t->loose[0].common, -EINVAL);
	expect_shown(test, 0, "");
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	iommufd_coherency_release(&t->idev[0].coherency_hold);
	snprintf(one, sizeof(one), "attached: group %d hwpt 20 pasid 0\n", first);
	expect_shown(test, 0, one);
	expect_shown(test, 1, one);
	KUNIT_EXPECT_NE(test, *since, 0);
	*since = 1;

	KUNIT_EXPECT_EQ(test, attach(t, 2, &t->loose[0]), 0);
	snprintf(both, sizeof(both), "%sattached: group %d hwpt 20 pasid 0\n",
		 one, second);
	expect_shown(test, 0, both);
	expect_shown(test, 1, one);
	detach(t, 2, &t->loose[0]);

	/* A failed replacement leaves the attachment and its time alone */
	change(t, 0, IOMMU_NO_PASID, &t->loose[0].common, &t->loose[1].common, -EIO);
	expect_shown(test, 1, one);
	KUNIT_EXPECT_EQ(test, *since, 1);
	change(t, 0, IOMMU_NO_PASID, &t->loose[0].common, &t->loose[1].common, 0);
	snprintf(one, sizeof(one), "attached: group %d hwpt 21 pasid 0\n", first);
	expect_shown(test, 1, one);
	KUNIT_EXPECT_NE(test, *since, 1);

	detach(t, 0, &t->loose[1]);
	expect_shown(test, 0, "");
	expect_shown(test, 1, "");
	unwatch(t, 0);
	unwatch(t, 1);
	expect_shown(test, 0, "");
}

/* Each counts by itself, and the group has permission until the last is gone */
static void pasids_are_attachments(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	int id = iommu_group_id(t->idev[0].igroup->group);
	char lines[192];

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_ASSERT_EQ(test, watch_device(t, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, change(t, 0, 7, NULL, &t->loose[0].common, 0), 0);
	expect_events(test, &t->w[0], 1, 1, 0);
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	KUNIT_EXPECT_EQ(test, change(t, 1, 8, NULL, &t->loose[0].common, 0), 0);
	KUNIT_EXPECT_EQ(test, t->idev[0].igroup->coherency.nr_noncoherent, 3);
	snprintf(lines, sizeof(lines), "attached: group %d hwpt 20 pasid 0\n"
				       "attached: group %d hwpt 20 pasid 7\n"
				       "attached: group %d hwpt 20 pasid 8\n", id, id, id);
	expect_shown(test, 0, lines);
	expect_shown(test, 1, lines);

	/* From one page table to another, and failures, which change nothing */
	KUNIT_EXPECT_EQ(test, change(t, 0, 7, &t->loose[0].common,
				     &t->loose[1].common, 0), 0);
	KUNIT_EXPECT_EQ(test, change(t, 0, 8, &t->loose[0].common,
				     &t->loose[1].common, -EIO), -EIO);
	KUNIT_EXPECT_EQ(test, change(t, 0, 9, NULL, &t->loose[1].common, -EIO), -EIO);
	snprintf(lines, sizeof(lines), "attached: group %d hwpt 20 pasid 0\n"
				       "attached: group %d hwpt 21 pasid 7\n"
				       "attached: group %d hwpt 20 pasid 8\n", id, id, id);
	expect_shown(test, 0, lines);

	detach(t, 0, &t->loose[0]);
	KUNIT_EXPECT_EQ(test, change(t, 1, 8, &t->loose[0].common,
				     &t->enforcing[0].common, 0), 0);
	expect_events(test, &t->w[0], 1, 1, 0);
	snprintf(lines, sizeof(lines), "attached: group %d hwpt 21 pasid 7\n", id);
	expect_shown(test, 0, lines);
	expect_shown(test, 1, lines);
	change(t, 0, 7, &t->loose[1].common, NULL, 0);
	expect_events(test, &t->w[0], 1, 1, 1);
	expect_events(test, &t->w[1], 1, 1, 1);
	expect_shown(test, 0, "");

	/* A refused one leaves nothing behind */
	t->w[1].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, change(t, 0, 7, NULL, &t->loose[0].common, 0), -EPERM);
	expect_shown(test, 0, "");
	change(t, 1, 8, &t->enforcing[0].common, NULL, 0);
	unwatch(t, 0);
	unwatch(t, 1);
}

/* Its DMA goes where it likes: page tables are for user space's information */
static void device_without_iommu(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	struct iommufd_group *igroup = t->idev[2].igroup;
	struct iommu_group *group = igroup->group;

	xa_erase(&t->ictx.groups, iommu_group_id(group));
	igroup->group = NULL;
	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	t->w[0].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, iommufd_coherency_noiommu_bind(igroup, 9), -EPERM);
	expect_shown(test, 0, "");
	t->w[0].refuse = 0;
	KUNIT_EXPECT_EQ(test, iommufd_coherency_noiommu_bind(igroup, 9), 0);
	KUNIT_ASSERT_EQ(test, watch_device(t, 1, 2), 0);
	expect_events(test, &t->w[1], 1, 1, 0);
	KUNIT_EXPECT_EQ(test, attach(t, 2, &t->loose[0]), 0);
	KUNIT_EXPECT_EQ(test, igroup->coherency.nr_noncoherent, 1);
	expect_shown(test, 0, "attached: device 9\n");
	expect_shown(test, 1, "attached: device 9\n");
	detach(t, 2, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 0);
	unwatch(t, 1);
	iommufd_coherency_noiommu_unbind(igroup);
	expect_events(test, &t->w[0], 1, 1, 1);
	expect_shown(test, 0, "");
	unwatch(t, 0);
	igroup->group = group;
	KUNIT_EXPECT_FALSE(test, xa_is_err(xa_store(&t->ictx.groups, iommu_group_id(group),
						    igroup, GFP_KERNEL)));
}

/* iommufd's own, which have no driver and so no ops */
static void internal_access_is_no_source(struct kunit *test)
{
	struct iommufd_access access = {};

	KUNIT_EXPECT_EQ(test, iommufd_coherency_access_attach(&access), 0);
	iommufd_coherency_access_detach(&access);
}

static const struct iommufd_coherency_attachment test_attachment = {
	.type = "container",
	.id = 5,
};

/* VFIO has such a source for DMA that iommufd does not know of */
static void source_without_parent(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	struct iommufd_coherency_source source;

	iommufd_coherency_source_init(&source, NULL);
	KUNIT_ASSERT_EQ(test, watch(t, 0, &source), 0);
	KUNIT_ASSERT_EQ(test, watch_ctx(t, 1), 0);
	KUNIT_EXPECT_EQ(test, iommufd_coherency_count(&source, &test_attachment), 0);
	KUNIT_EXPECT_EQ(test, iommufd_coherency_count(&source, &test_attachment), 0);
	expect_shown(test, 0, "attached: group 5 container\n");
	iommufd_coherency_uncount(&source);
	expect_events(test, &t->w[0], 1, 1, 0);
	expect_shown(test, 0, "attached: group 5 container\n");
	iommufd_coherency_uncount(&source);
	expect_events(test, &t->w[0], 1, 1, 1);
	expect_shown(test, 0, "");
	t->w[0].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, iommufd_coherency_count(&source, &test_attachment), -EPERM);
	expect_events(test, &t->w[1], 0, 0, 0);
	unwatch(t, 0);
	unwatch(t, 1);
	expect_nothing(test, &source);
}

/* On a non-coherent source either all watches of a batch begin or none */
static void batch_is_all_or_nothing(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	struct iommufd_coherency_source *source = &t->idev[0].igroup->coherency;
	LIST_HEAD(watches);
	int i;

	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	for (i = 0; i < NR_WATCHES; i++) {
		iommufd_coherency_watch_init(&t->w[i].watch, &test_ops, NULL);
		list_add_tail(&t->w[i].watch.item, &watches);
	}
	t->w[NR_WATCHES - 1].refuse = -EINVAL;
	KUNIT_EXPECT_EQ(test, iommufd_watch_coherency_all(source, &watches),
			-EPERM);
	for (i = 0; i < NR_WATCHES; i++) {
		KUNIT_EXPECT_EQ(test, t->w[i].begins, 0);
		KUNIT_EXPECT_EQ(test, t->w[i].reserves, t->w[i].ends);
		KUNIT_EXPECT_NULL(test, t->w[i].watch.source);
		/* A no-op for a watch that was not added */
		unwatch(t, i);
	}
	expect_events(test, &t->w[0], 1, 0, 1);

	t->w[NR_WATCHES - 1].refuse = 0;
	KUNIT_EXPECT_EQ(test, iommufd_watch_coherency_all(source, &watches), 0);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_watches, NR_WATCHES);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_begun, NR_WATCHES);
	for (i = 0; i < NR_WATCHES; i++) {
		KUNIT_EXPECT_TRUE(test, t->w[i].watch.begun);
		unwatch(t, i);
		KUNIT_EXPECT_EQ(test, t->w[i].reserves, t->w[i].ends);
	}
	detach(t, 0, &t->loose[0]);
}

static void unwatch_while_begun(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	KUNIT_ASSERT_EQ(test, watch_ctx(t, 1), 0);
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	unwatch(t, 0);
	expect_events(test, &t->w[0], 1, 1, 1);
	expect_events(test, &t->w[1], 1, 1, 0);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 1);
	detach(t, 0, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 1);
	unwatch(t, 1);
}

/* Watches of the group and of its context can share one wait that way */
static void all_are_revoked_before_one_ends(struct kunit *test)
{
	struct coherency_test *t = test->priv;
	struct iommufd_coherency_source *group =
		iommufd_device_coherency(&t->idev[0]);
	int i;

	for (i = 0; i < NR_WATCHES; i++) {
		iommufd_coherency_watch_init(&t->w[i].watch, &test_revoke_ops, t);
		KUNIT_ASSERT_EQ(test, iommufd_watch_coherency(i ? group->parent : group,
							      &t->w[i].watch), 0);
	}
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	detach(t, 0, &t->loose[0]);
	KUNIT_EXPECT_FALSE(test, t->ended_early);
	for (i = 0; i < NR_WATCHES; i++) {
		expect_events(test, &t->w[i], 1, 1, 1);
		KUNIT_EXPECT_EQ(test, t->w[i].revokes, 1);
	}

	/* A watch that has reserved and not begun is not revoked */
	t->w[1].refuse = -EPERM;
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), -EPERM);
	KUNIT_EXPECT_EQ(test, t->w[0].revokes, 1);
	t->w[1].refuse = 0;

	/* A watch that is removed while DMA is non-coherent */
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	unwatch(t, 0);
	KUNIT_EXPECT_EQ(test, t->w[0].revokes, 2);
	KUNIT_EXPECT_EQ(test, t->w[1].revokes, 1);
	detach(t, 0, &t->loose[0]);
	unwatch(t, 1);
	unwatch(t, 2);
}

/* One iteration of the loop over the page tables of an IOAS */
static int try(struct coherency_test *t, int dev, struct iommufd_hwpt_paging *old,
	       struct iommufd_hwpt_paging *new, int hw_rc)
{
	return change(t, dev, IOMMU_NO_PASID, old ? &old->common : NULL,
		      &new->common, hw_rc);
}

static void one_hold_spans_failed_tries(struct kunit *test)
{
	struct coherency_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, watch_ctx(t, 0), 0);
	iommufd_coherency_hold(&t->idev[0].coherency_hold);
	KUNIT_EXPECT_EQ(test, try(t, 0, NULL, &t->loose[0], -EINVAL), -EINVAL);
	KUNIT_EXPECT_EQ(test, try(t, 0, NULL, &t->loose[1], -EINVAL), -EINVAL);
	expect_events(test, &t->w[0], 1, 1, 0);
	KUNIT_EXPECT_EQ(test, try(t, 0, NULL, &t->loose[0], 0), 0);
	iommufd_coherency_release(&t->idev[0].coherency_hold);
	expect_events(test, &t->w[0], 1, 1, 0);
	KUNIT_EXPECT_EQ(test, t->ictx.coherency.nr_noncoherent, 1);

	/* Nothing stays counted when the choice finds nothing better */
	iommufd_coherency_hold(&t->idev[0].coherency_hold);
	KUNIT_EXPECT_EQ(test, try(t, 0, &t->loose[0], &t->loose[1], -EINVAL),
			-EINVAL);
	iommufd_coherency_release(&t->idev[0].coherency_hold);
	expect_events(test, &t->w[0], 1, 1, 0);
	detach(t, 0, &t->loose[0]);
	expect_events(test, &t->w[0], 1, 1, 1);

	iommufd_coherency_hold(&t->idev[0].coherency_hold);
	KUNIT_EXPECT_EQ(test, try(t, 0, NULL, &t->loose[0], -EINVAL), -EINVAL);
	KUNIT_EXPECT_EQ(test, try(t, 0, NULL, &t->enforcing[0], 0), 0);
	iommufd_coherency_release(&t->idev[0].coherency_hold);
	expect_events(test, &t->w[0], 2, 2, 2);
	detach(t, 0, &t->enforcing[0]);

	/* A hold covers one device: another's failed attach is not kept */
	iommufd_coherency_hold(&t->idev[0].coherency_hold);
	KUNIT_EXPECT_EQ(test, try(t, 1, NULL, &t->loose[0], -EINVAL), -EINVAL);
	expect_events(test, &t->w[0], 3, 3, 3);
	iommufd_coherency_release(&t->idev[0].coherency_hold);
	unwatch(t, 0);
}

static bool suits(struct coherency_test *t, struct iommufd_hwpt_paging *hwpt)
{
	return iommufd_auto_domain_suits(&t->idev[0], hwpt);
}

/* Without the bridge the choice is that of an unpatched kernel */
static void automatic_choice_never_downgrades(struct kunit *test)
{
	bool others = !IS_ENABLED(CONFIG_KVM_IOMMUFD);
	struct coherency_test *t = test->priv;

	KUNIT_EXPECT_TRUE(test, suits(t, &t->loose[0]));
	KUNIT_EXPECT_TRUE(test, suits(t, &t->enforcing[0]));
	t->idev[0].enforce_cache_coherency = true;
	KUNIT_EXPECT_EQ(test, suits(t, &t->loose[0]), others);
	KUNIT_EXPECT_TRUE(test, suits(t, &t->enforcing[0]));

	/* The group is on it already */
	KUNIT_EXPECT_EQ(test, attach(t, 0, &t->loose[0]), 0);
	KUNIT_EXPECT_TRUE(test, suits(t, &t->loose[0]));
	KUNIT_EXPECT_EQ(test, suits(t, &t->loose[1]), others);
	detach(t, 0, &t->loose[0]);
	KUNIT_EXPECT_EQ(test, suits(t, &t->loose[0]), others);
	KUNIT_EXPECT_EQ(test, change(t, 0, 7, NULL, &t->loose[1].common, 0), 0);
	KUNIT_EXPECT_EQ(test, suits(t, &t->loose[0]), others);
	KUNIT_EXPECT_TRUE(test, suits(t, &t->loose[1]));
	change(t, 0, 7, &t->loose[1].common, NULL, 0);
}

static struct kunit_case coherency_test_cases[] = {
	KUNIT_CASE(attachments_are_counted),
	KUNIT_CASE(snapshot_is_an_event),
	KUNIT_CASE(snapshot_may_be_refused),
	KUNIT_CASE_PARAM(refusal_is_seen_by_nobody, refuser_gen_params),
	KUNIT_CASE(refusal_ends_nothing_older),
	KUNIT_CASE(hardware_failure_leaves_all_as_before),
	KUNIT_CASE_PARAM(replace_in_all_directions, replacement_gen_params),
	KUNIT_CASE(refused_replace_stays_coherent),
	KUNIT_CASE(group_decides),
	KUNIT_CASE(nested_answers_for_its_parent),
	KUNIT_CASE(access_is_a_source),
	KUNIT_CASE(attachments_are_shown),
	KUNIT_CASE(pasids_are_attachments),
	KUNIT_CASE(device_without_iommu),
	KUNIT_CASE(internal_access_is_no_source),
	KUNIT_CASE(source_without_parent),
	KUNIT_CASE(batch_is_all_or_nothing),
	KUNIT_CASE(unwatch_while_begun),
	KUNIT_CASE(all_are_revoked_before_one_ends),
	KUNIT_CASE(one_hold_spans_failed_tries),
	KUNIT_CASE(automatic_choice_never_downgrades),
	{}
};

static struct kunit_suite coherency_test_suite = {
	.name = "iommufd_coherency",
	.init = coherency_test_init,
	.exit = coherency_test_exit,
	.test_cases = coherency_test_cases,
};

kunit_test_suite(coherency_test_suite);
