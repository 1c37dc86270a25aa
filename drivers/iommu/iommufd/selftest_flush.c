// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages iommufd flushes, and when: iommufd's selftest watches pages of user
 * space, the mock domains tell which of them they map, and the flushes are compared
 * with that as they come.
 */
#include <linux/anon_inodes.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>

#include "flush.h"
#include "iommufd_private.h"
#include "iommufd_test.h"
#include "selftest_coherency.h"

#define MAX_PAGES	1024

struct flush_page {
	struct page *page;
	/* By domains that do not enforce coherency */
	size_t mapped_bytes;
	/* Since it was mapped last, or the watch began */
	bool flushed;
	struct iommu_test_flush_page state;
};

struct flush_watch {
	struct list_head list;
	unsigned long npages;
	struct flush_page pages[] __counted_by(npages);
};

static DEFINE_SPINLOCK(flush_lock);
static LIST_HEAD(flush_watches);

static size_t overlap(struct flush_page *p, phys_addr_t start, size_t length)
{
	phys_addr_t first = max(start, page_to_phys(p->page));
	phys_addr_t end = min(start + length, page_to_phys(p->page) + PAGE_SIZE);

	return first < end ? end - first : 0;
}

static void watch_flushed(struct flush_page *p, size_t bytes)
{
	p->state.flushes++;
	if (p->mapped_bytes)
		p->state.late++;
	p->flushed = true;
	p->state.owed = false;
}

static void watch_mapped(struct flush_page *p, size_t bytes)
{
	if (!p->mapped_bytes && !p->flushed)
		p->state.unflushed++;
	p->mapped_bytes += bytes;
}

static void watch_unmapped(struct flush_page *p, size_t bytes)
{
	/* It may have been mapped before the watch began */
	p->mapped_bytes -= min(bytes, p->mapped_bytes);
	if (p->mapped_bytes)
		return;
	p->flushed = false;
	p->state.owed = true;
}

static void tell_watches(phys_addr_t start, size_t length,
			 void (*what)(struct flush_page *p, size_t bytes))
{
	struct flush_watch *watch;
	unsigned long i;
	size_t bytes;

	spin_lock(&flush_lock);
	list_for_each_entry(watch, &flush_watches, list) {
		for (i = 0; i < watch->npages; i++) {
			bytes = overlap(&watch->pages[i], start, length);
			if (bytes)
				what(&watch->pages[i], bytes);
		}
	}
	spin_unlock(&flush_lock);
}

void iommufd_test_flushed(unsigned long pfn, unsigned long npfns)
{
	tell_watches(PFN_PHYS(pfn), PFN_PHYS(npfns), watch_flushed);
}

/* A domain that does not enforce coherency is about to map what is there */
void mock_noncoherent_map(phys_addr_t start, size_t length)
{
	tell_watches(start, length, watch_mapped);
}

/* The domain maps it no longer */
void mock_noncoherent_unmap(phys_addr_t start, size_t length)
{
	tell_watches(start, length, watch_unmapped);
}

static void flush_watch_free(struct flush_watch *watch)
{
	unsigned long i;

	for (i = 0; i < watch->npages && watch->pages[i].page; i++)
		unpin_user_page(watch->pages[i].page);
	kvfree(watch);
}

static int flush_watch_release(struct inode *inode, struct file *file)
{
	struct flush_watch *watch = file->private_data;

	spin_lock(&flush_lock);
	list_del(&watch->list);
	spin_unlock(&flush_lock);
	flush_watch_free(watch);
	return 0;
}

/* From the first page on, always; what is counted is counted from the last read */
static ssize_t flush_watch_read(struct file *file, char __user *buf,
				size_t count, loff_t *ppos)
{
	struct flush_watch *watch = file->private_data;
	struct iommu_test_flush_page state;
	unsigned long i;

	for (i = 0; i < watch->npages && count >= (i + 1) * sizeof(state); i++) {
		struct flush_page *p = &watch->pages[i];

		spin_lock(&flush_lock);
		p->state.mapped = p->mapped_bytes;
		state = p->state;
		p->state.flushes = 0;
		p->state.unflushed = 0;
		p->state.late = 0;
		spin_unlock(&flush_lock);
		if (copy_to_user(buf + i * sizeof(state), &state, sizeof(state)))
			return -EFAULT;
	}
	return i * sizeof(state);
}

static const struct file_operations flush_watch_fops = {
	.release = flush_watch_release,
	.read = flush_watch_read,
};

static struct flush_watch *flush_watch_alloc(u64 uptr, u64 length)
{
	struct flush_watch *watch;
	struct page *page;
	unsigned long i;
	int rc;

	if (!length || !PAGE_ALIGNED(uptr) || !PAGE_ALIGNED(length) ||
	    length / PAGE_SIZE > MAX_PAGES)
		return ERR_PTR(-EINVAL);
	watch = kvzalloc(struct_size(watch, pages, length / PAGE_SIZE),
			 GFP_KERNEL_ACCOUNT);
	if (!watch)
		return ERR_PTR(-ENOMEM);
	watch->npages = length / PAGE_SIZE;
	for (i = 0; i < watch->npages; i++) {
		rc = pin_user_pages_fast(uptr + i * PAGE_SIZE, 1,
					 FOLL_LONGTERM | FOLL_WRITE, &page);
		if (rc != 1) {
			flush_watch_free(watch);
			return ERR_PTR(rc ?: -EFAULT);
		}
		watch->pages[i].page = page;
	}
	return watch;
}

int iommufd_test_flush_watch(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct flush_watch *watch;
	struct file *file;
	int fdno, rc;

	if (!iopt_flushes())
		return -EOPNOTSUPP;
	fdno = get_unused_fd_flags(O_CLOEXEC);
	if (fdno < 0)
		return fdno;
	watch = flush_watch_alloc(cmd->flush.uptr, cmd->flush.length);
	if (IS_ERR(watch)) {
		rc = PTR_ERR(watch);
		goto out_put_fdno;
	}
	file = anon_inode_getfile("[iommufd-test-flush]", &flush_watch_fops,
				  watch, O_RDONLY);
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		flush_watch_free(watch);
		goto out_put_fdno;
	}
	spin_lock(&flush_lock);
	list_add_tail(&watch->list, &flush_watches);
	spin_unlock(&flush_lock);

	cmd->flush.out_fd = fdno;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		/* Removes the watch */
		fput(file);
		goto out_put_fdno;
	}
	fd_install(fdno, file);
	return 0;

out_put_fdno:
	put_unused_fd(fdno);
	return rc;
}
