// SPDX-License-Identifier: GPL-2.0
/*
 * Coherency in iommufd's selftest: several devices in one group, injected
 * hardware failures, accesses that come and go, and watches that count their
 * callbacks and check the hardware in each.
 *
 * User space compares the watches with what it has attached. It cannot see
 * whether a watch began before the hardware was attached and ended after it was
 * detached, so the watch checks this itself and reports a violation as a gap.
 */
#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/iommufd_coherency.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/vfio.h>

#include "iommufd_private.h"
#include "iommufd_test.h"
#include "selftest_coherency.h"

static DEFINE_SPINLOCK(fail_lock);

void mock_coherency_init(struct mock_coherency *coherency,
			 struct iommu_group *group, unsigned long dev_flags)
{
	mutex_init(&coherency->lock);
	coherency->group = group;
	coherency->sw_msi = dev_flags & MOCK_FLAGS_DEVICE_SW_MSI;
}

void mock_coherency_get_resv_regions(struct device *dev, struct list_head *head)
{
	struct iommu_resv_region *region;

	if (!mock_dev_coherency(dev)->sw_msi)
		return;
	region = iommu_alloc_resv_region(MOCK_SW_MSI_START, MOCK_SW_MSI_LENGTH,
					 IOMMU_WRITE, IOMMU_RESV_SW_MSI,
					 GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, head);
}

struct iommu_group *mock_coherency_device_group(struct device *dev)
{
	struct mock_coherency *coherency = mock_dev_coherency(dev);

	if (coherency->group)
		return iommu_group_ref_get(coherency->group);
	return generic_device_group(dev);
}

/* Called before anything else can fail: a rollback must not be what fails */
int mock_coherency_should_fail(struct mock_coherency *coherency)
{
	int rc = 0;

	spin_lock(&fail_lock);
	if (coherency->fail_nth && !--coherency->fail_nth)
		rc = -coherency->fail_error;
	spin_unlock(&fail_lock);
	return rc;
}

/* As a whole: where VFIO attaches PASIDs, iommufd wants to know which */
#ifdef VFIO_DEVICE_ATTACH_PASID
#define device_attach(idev, pt_id)	iommufd_device_attach(idev, IOMMU_NO_PASID, pt_id)
#define device_replace(idev, pt_id)	iommufd_device_replace(idev, IOMMU_NO_PASID, pt_id)
#define device_detach(idev)		iommufd_device_detach(idev, IOMMU_NO_PASID)
#else
#define device_attach		iommufd_device_attach
#define device_replace		iommufd_device_replace
#define device_detach		iommufd_device_detach
#endif

/* Attaches the device, or replaces what it is attached to */
int mock_coherency_change(struct mock_coherency *coherency,
			  struct iommufd_device *idev, u32 *pt_id)
{
	int rc;

	mutex_lock(&coherency->lock);
	if (coherency->attached) {
		rc = device_replace(idev, pt_id);
	} else {
		rc = device_attach(idev, pt_id);
		coherency->attached = !rc;
	}
	mutex_unlock(&coherency->lock);
	return rc;
}

int mock_coherency_detach(struct mock_coherency *coherency,
			  struct iommufd_device *idev)
{
	int rc = -ENXIO;

	mutex_lock(&coherency->lock);
	if (coherency->attached) {
		device_detach(idev);
		coherency->attached = false;
		rc = 0;
	}
	mutex_unlock(&coherency->lock);
	return rc;
}

static struct iommufd_device *get_mock_idev(struct iommufd_ucmd *ucmd, u32 id)
{
	struct iommufd_device *idev = iommufd_get_device(ucmd, id);

	if (IS_ERR(idev) || iommufd_selftest_is_mock_dev(idev->dev))
		return idev;
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return ERR_PTR(-EINVAL);
}

/* A reference on the group of a mock device; NULL without a device */
struct iommu_group *iommufd_test_group_get(struct iommufd_ucmd *ucmd,
					   u32 idev_id)
{
	struct iommufd_device *idev;
	struct iommu_group *group;

	if (!idev_id)
		return NULL;
	idev = get_mock_idev(ucmd, idev_id);
	if (IS_ERR(idev))
		return ERR_CAST(idev);
	group = iommu_group_get(idev->dev);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return group;
}

static int iommufd_test_mock_detach(struct iommufd_ucmd *ucmd, u32 idev_id)
{
	struct iommufd_device *idev = get_mock_idev(ucmd, idev_id);
	int rc;

	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = mock_coherency_detach(mock_dev_coherency(idev->dev), idev);
	iommufd_put_object(ucmd->ictx, &idev->obj);
	return rc;
}

static int iommufd_test_mock_fail(struct iommufd_ucmd *ucmd,
				  struct iommu_test_cmd *cmd)
{
	struct mock_coherency *coherency;
	struct iommufd_device *idev;
	unsigned int left;

	if (cmd->mock_fail.nth && (!cmd->mock_fail.error ||
				   cmd->mock_fail.error > MAX_ERRNO))
		return -EINVAL;
	idev = get_mock_idev(ucmd, cmd->id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	coherency = mock_dev_coherency(idev->dev);

	spin_lock(&fail_lock);
	left = coherency->fail_nth;
	coherency->fail_nth = cmd->mock_fail.nth;
	coherency->fail_error = cmd->mock_fail.error;
	spin_unlock(&fail_lock);
	iommufd_put_object(ucmd->ictx, &idev->obj);

	cmd->mock_fail.nth = left;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

/* Serializes attach, replace and detach of accesses */
static DEFINE_MUTEX(access_lock);

static int mock_access_change(struct iommufd_access *access, u32 ioas_id)
{
	guard(mutex)(&access_lock);
	if (!ioas_id && !access->ioas)
		return -ENXIO;
	if (!ioas_id) {
		iommufd_access_detach(access);
		return 0;
	}
	return access->ioas ? iommufd_access_replace(access, ioas_id) :
			      iommufd_access_attach(access, ioas_id);
}

static int iommufd_test_access_change(struct iommu_test_cmd *cmd)
{
	struct iommufd_access *access;
	struct file *file;
	int rc;

	access = mock_access_get(cmd->id, &file);
	if (IS_ERR(access))
		return PTR_ERR(access);
	rc = mock_access_change(access, cmd->access_replace_ioas.ioas_id);
	fput(file);
	return rc;
}

struct test_watch {
	struct iommufd_coherency_watch watch;
	/* Holds references to both: it may outlive device and iommufd */
	struct iommufd_ctx *ictx;
	/* NULL watches the context */
	struct iommufd_group *igroup;
	/* User space is adding or removing it: hardware may be attached then */
	bool by_user;
	bool reserved;
	bool begun;
	/* Set by a slow reserve, cleared by it or by user space, without a lock */
	bool asked;
	wait_queue_head_t asked_changes;
	/* Under the context's coherency mutex once the watch has been added */
	struct iommu_test_watch state;
};

static bool mock_is_noncoherent(const struct mock_coherency *coherency)
{
	return READ_ONCE(coherency->noncoherent) ||
	       READ_ONCE(coherency->noncoherent_pasids);
}

static bool is_noncoherent(const struct test_watch *tw, struct iommufd_object *obj)
{
	struct iommufd_device *idev;

	switch (obj->type) {
	case IOMMUFD_OBJ_ACCESS:
		/* Its DMA belongs to no group */
		return !tw->igroup &&
		       mock_access_is_noncoherent(container_of(obj, struct iommufd_access, obj));
	case IOMMUFD_OBJ_DEVICE:
		idev = container_of(obj, struct iommufd_device, obj);
		return (!tw->igroup || tw->igroup == idev->igroup) &&
		       iommufd_selftest_is_mock_dev(idev->dev) &&
		       mock_is_noncoherent(mock_dev_coherency(idev->dev));
	default:
		return false;
	}
}

/* Asks the hardware, not iommufd's own count */
static unsigned int hw_nr_noncoherent(struct test_watch *tw)
{
	struct iommufd_object *obj;
	unsigned int nr = 0;
	unsigned long index;

	xa_lock(&tw->ictx->objects);
	xa_for_each(&tw->ictx->objects, index, obj)
		nr += is_noncoherent(tw, obj);
	xa_unlock(&tw->ictx->objects);
	return nr;
}

/* No callback may run while the hardware can do non-coherent DMA */
static void look_for_gap(struct test_watch *tw, bool reserved, bool begun)
{
	if (tw->reserved != reserved || tw->begun != begun ||
	    (!tw->by_user && hw_nr_noncoherent(tw)))
		tw->state.gaps++;
}

/* Blocks until user space lets reserve go on, for slow_ms at most */
static void wait_for_user(struct test_watch *tw)
{
	if (!tw->state.slow_ms)
		return;
	WRITE_ONCE(tw->asked, true);
	wake_up_all(&tw->asked_changes);
	wait_event_timeout(tw->asked_changes, !READ_ONCE(tw->asked),
			   msecs_to_jiffies(tw->state.slow_ms));
	WRITE_ONCE(tw->asked, false);
}

static int test_watch_reserve(struct iommufd_coherency_watch *w)
{
	struct test_watch *tw = w->data;

	look_for_gap(tw, false, false);
	wait_for_user(tw);
	if (tw->state.refuse) {
		tw->state.refusals++;
		return -(int)tw->state.refuse;
	}
	tw->state.reserves++;
	tw->reserved = true;
	return 0;
}

static void test_watch_begin(struct iommufd_coherency_watch *w)
{
	struct test_watch *tw = w->data;

	look_for_gap(tw, true, false);
	tw->state.begins++;
	tw->begun = true;
}

static void test_watch_end(struct iommufd_coherency_watch *w)
{
	struct test_watch *tw = w->data;

	look_for_gap(tw, true, w->begun);
	tw->state.ends++;
	tw->begun = false;
	tw->reserved = false;
}

static const struct iommufd_coherency_ops test_watch_ops = {
	.reserve = test_watch_reserve,
	.begin = test_watch_begin,
	.end = test_watch_end,
};

/* Watches removed without an end; counted here since their state is freed */
static atomic_t nr_unended;

static void test_watch_free(struct test_watch *tw)
{
	if (tw->igroup)
		iommufd_put_group(tw->igroup);
	iommufd_ctx_put(tw->ictx);
	kfree(tw);
}

static void test_watch_remove(struct test_watch *tw)
{
	struct mutex *lock = &tw->ictx->coherency.lock;

	mutex_lock(lock);
	tw->by_user = true;
	mutex_unlock(lock);
	iommufd_unwatch_coherency(&tw->watch);
	if (tw->reserved)
		atomic_inc(&nr_unended);
	test_watch_free(tw);
}

static int test_watch_release(struct inode *inode, struct file *file)
{
	test_watch_remove(file->private_data);
	return 0;
}

static __poll_t test_watch_poll(struct file *file, poll_table *wait)
{
	struct test_watch *tw = file->private_data;

	poll_wait(file, &tw->asked_changes, wait);
	return READ_ONCE(tw->asked) ? EPOLLIN : 0;
}

static ssize_t test_watch_write(struct file *file, const char __user *buf,
				size_t count, loff_t *ppos)
{
	struct test_watch *tw = file->private_data;

	if (!READ_ONCE(tw->asked))
		return -EAGAIN;
	WRITE_ONCE(tw->asked, false);
	wake_up_all(&tw->asked_changes);
	return count;
}

static const struct file_operations test_watch_fops = {
	.release = test_watch_release,
	.poll = test_watch_poll,
	.write = test_watch_write,
};

static struct test_watch *test_watch_add(struct iommufd_ucmd *ucmd, u32 idev_id,
					 const struct iommu_test_watch *arg)
{
	struct iommufd_coherency_source *source = iommufd_ctx_coherency(ucmd->ictx);
	struct iommufd_device *idev;
	struct test_watch *tw;
	int rc;

	tw = kzalloc(sizeof(*tw), GFP_KERNEL_ACCOUNT);
	if (!tw)
		return ERR_PTR(-ENOMEM);
	init_waitqueue_head(&tw->asked_changes);
	tw->ictx = ucmd->ictx;
	iommufd_ctx_get(tw->ictx);
	tw->by_user = true;
	tw->state.refuse = arg->refuse;
	tw->state.slow_ms = arg->slow_ms;
	iommufd_coherency_watch_init(&tw->watch, &test_watch_ops, tw);

	if (idev_id) {
		idev = iommufd_get_device(ucmd, idev_id);
		if (IS_ERR(idev)) {
			rc = PTR_ERR(idev);
			goto out_free;
		}
		source = iommufd_device_coherency(idev);
		tw->igroup = idev->igroup;
		kref_get(&tw->igroup->ref);
		iommufd_put_object(ucmd->ictx, &idev->obj);
	}
	rc = iommufd_watch_coherency(source, &tw->watch);
	if (!rc)
		return tw;

out_free:
	test_watch_free(tw);
	return ERR_PTR(rc);
}

/* Limits how long a watch can delay an attach */
#define MAX_SLOW_MS	60000

static int iommufd_test_watch(struct iommufd_ucmd *ucmd,
			      struct iommu_test_cmd *cmd)
{
	struct test_watch *tw;
	struct file *file;
	int fdno, rc;

	if (cmd->watch.refuse > MAX_ERRNO || cmd->watch.slow_ms > MAX_SLOW_MS)
		return -EINVAL;
	fdno = get_unused_fd_flags(O_CLOEXEC);
	if (fdno < 0)
		return fdno;
	tw = test_watch_add(ucmd, cmd->id, &cmd->watch);
	if (IS_ERR(tw)) {
		rc = PTR_ERR(tw);
		goto out_put_fdno;
	}
	file = anon_inode_getfile("[iommufd-test-watch]", &test_watch_fops, tw,
				  O_RDWR);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto out_remove;
	}

	cmd->watch.out_fd = fdno;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc)
		goto out_fput;

	mutex_lock(&ucmd->ictx->coherency.lock);
	tw->by_user = false;
	mutex_unlock(&ucmd->ictx->coherency.lock);
	fd_install(fdno, file);
	return 0;

out_fput:
	/* Removes the watch */
	fput(file);
	put_unused_fd(fdno);
	return rc;
out_remove:
	test_watch_remove(tw);
out_put_fdno:
	put_unused_fd(fdno);
	return rc;
}

static int iommufd_test_watch_state(struct iommufd_ucmd *ucmd,
				    struct iommu_test_cmd *cmd)
{
	struct file *file = fget(cmd->id);
	struct test_watch *tw;
	int rc = -EBADFD;

	if (!file)
		return -EBADF;
	if (file->f_op != &test_watch_fops)
		goto out_fput;
	rc = -EINVAL;
	if (cmd->watch.refuse > MAX_ERRNO || cmd->watch.slow_ms > MAX_SLOW_MS)
		goto out_fput;

	tw = file->private_data;
	mutex_lock(&tw->ictx->coherency.lock);
	tw->state.out_fd = cmd->id;
	tw->state.refuse = cmd->watch.refuse;
	tw->state.slow_ms = cmd->watch.slow_ms;
	tw->state.begun = tw->begun;
	tw->state.noncoherent = hw_nr_noncoherent(tw);
	cmd->watch = tw->state;
	cmd->watch.gaps += atomic_read(&nr_unended);
	mutex_unlock(&tw->ictx->coherency.lock);
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));

out_fput:
	fput(file);
	return rc;
}

int iommufd_test_coherency(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;

	switch (cmd->op) {
	case IOMMU_TEST_OP_MOCK_DETACH:
		return iommufd_test_mock_detach(ucmd, cmd->id);
	case IOMMU_TEST_OP_MOCK_FAIL:
		return iommufd_test_mock_fail(ucmd, cmd);
	case IOMMU_TEST_OP_WATCH:
		return iommufd_test_watch(ucmd, cmd);
	case IOMMU_TEST_OP_WATCH_STATE:
		return iommufd_test_watch_state(ucmd, cmd);
	case IOMMU_TEST_OP_ACCESS_CHANGE:
		return iommufd_test_access_change(cmd);
	case IOMMU_TEST_OP_FLUSH_WATCH:
		return iommufd_test_flush_watch(ucmd);
	default:
		return -EOPNOTSUPP;
	}
}
