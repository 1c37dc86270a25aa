// SPDX-License-Identifier: GPL-2.0
/*
 * The module parameter kvm.noncoherent_dma: the initial policy of VMs, and the loosest
 * one that their VMMs can choose.
 *
 * Usage: noncoherent_dma_param_test [unknown|absent]
 *   unknown	the kernel's command line has a policy that does not exist
 *   absent	the kernel does not have the feature
 */
#include <sys/klog.h>
#include <sys/stat.h>

#include "assert_errno.h"
#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "points.h"
#include "wbinvd_guest.h"

#define PARAM	"/sys/module/kvm/parameters/noncoherent_dma"

#define FOLLOW		BIT(KVM_NONCOHERENT_DMA_FOLLOW)
#define NO_WBINVD	BIT(KVM_NONCOHERENT_DMA_NO_WBINVD)
#define FORBID		BIT(KVM_NONCOHERENT_DMA_FORBID)

static int __param_set(const char *word)
{
	int fd = open_path_or_exit(PARAM, O_WRONLY), error;
	ssize_t ret = write(fd, word, strlen(word));

	error = errno;
	close(fd);
	errno = error;
	return ret < 0 ? -1 : 0;
}

static void param_set(const char *word)
{
	TEST_ASSERT(!__param_set(word), "write %s: %s", word, strerror(errno));
}

static void param_expect(const char *word)
{
	int fd = open_path_or_exit(PARAM, O_RDONLY);
	char line[32] = "";

	TEST_ASSERT(read(fd, line, sizeof(line) - 1) > 0, "read " PARAM ": %s", strerror(errno));
	close(fd);
	line[strcspn(line, "\n")] = 0;
	TEST_ASSERT(!strcmp(line, word), PARAM " is %s, wanted %s", line, word);
}

static int create_vm(void)
{
	int kvm = open_kvm_dev_path_or_exit(), vm, error;

	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	error = errno;
	close(kvm);
	errno = error;
	return vm;
}

static void expect_vm(void)
{
	int vm = create_vm();

	TEST_ASSERT(vm >= 0, "KVM_CREATE_VM: %s", strerror(errno));
	close(vm);
}

/* A VM and its iommufd device */
struct limited {
	struct kvm_vm *vm;
	struct wbinvd_vcpu v;
	int device;
};

static void expect_policy(struct limited *l, uint32_t policy, uint32_t left)
{
	uint32_t offered = vm_check_cap(l->vm, KVM_CAP_NONCOHERENT_DMA);

	TEST_ASSERT(coherency_status(l->device).policy == policy, "the policy is %u, wanted %u",
		    coherency_status(l->device).policy, policy);
	TEST_ASSERT(offered == left, "the policies left are 0x%x, wanted 0x%x", offered, left);
	TEST_ASSERT(kvm_check_cap(KVM_CAP_NONCOHERENT_DMA) == (FOLLOW | NO_WBINVD | FORBID),
		    "the machine offers 0x%x", kvm_check_cap(KVM_CAP_NONCOHERENT_DMA));
}

static struct limited limited_create(uint32_t policy, uint32_t left)
{
	struct limited l;

	l.vm = wbinvd_vm_create(&l.v, 1);
	l.device = coherency_device_create(l.vm);
	expect_policy(&l, policy, left);
	return l;
}

static void limited_destroy(struct limited *l)
{
	close(l->device);
	kvm_vm_free(l->vm);
}

static void test_words(void)
{
	static const char * const unknown[] = { "\n", "Forbid", "forbids", "no_wbinvd", "2", "y" };
	struct stat st;
	unsigned int i;

	TEST_ASSERT(!stat(PARAM, &st) && (st.st_mode & 07777) == 0644 && !st.st_uid,
		    PARAM " is not root's with mode 0644");
	param_expect("follow");
	param_set("forbid\n");
	param_expect("forbid");
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		ASSERT_ERRNO(__param_set(unknown[i]), EINVAL);
		param_expect("forbid");
	}
	param_set("no-wbinvd");
	param_expect("no-wbinvd");
	param_set("follow");
	param_expect("follow");
	passed("the words that the parameter knows, and others refused");
}

static void test_no_wbinvd(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	struct kvm_coherency_status status;
	struct limited l;
	uint32_t attached;

	param_set("no-wbinvd");
	l = limited_create(KVM_NONCOHERENT_DMA_NO_WBINVD, NO_WBINVD | FORBID);
	param_set("follow");
	/* The VM's limit is the parameter's value at its creation */
	ASSERT_ERRNO(__coherency_policy(l.vm, KVM_NONCOHERENT_DMA_FOLLOW), EPERM);
	ASSERT_ERRNO(__coherency_policy(l.vm, 3), EINVAL);
	expect_policy(&l, KVM_NONCOHERENT_DMA_NO_WBINVD, NO_WBINVD | FORBID);

	coherency_add(l.device, mock.fd);
	coherency_policy(l.vm, KVM_NONCOHERENT_DMA_FORBID);
	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	ASSERT_ERRNO(__coherency_policy(l.vm, KVM_NONCOHERENT_DMA_FOLLOW), EPERM);
	coherency_policy(l.vm, KVM_NONCOHERENT_DMA_NO_WBINVD);

	wbinvd_vcpu_start(&l.v);
	attached = mock_attach(&mock);
	oracle_phase(1, 0, "kvm.noncoherent_dma=no-wbinvd, attached, 100 WBINVDs");
	wbinvd_vcpu_wbinvd(&l.v, 100);
	oracle_end();
	ASSERT_ERRNO(__coherency_policy(l.vm, KVM_NONCOHERENT_DMA_FOLLOW), EPERM);
	status = coherency_status(l.device);
	TEST_ASSERT(status.flags == KVM_COHERENCY_NONCOHERENT && status.wbinvd_ignored == 100,
		    "flags 0x%x, %llu WBINVDs ignored", status.flags,
		    (unsigned long long)status.wbinvd_ignored);
	wbinvd_vcpu_stop(&l.v);

	mock_detach(&mock, attached);
	limited_destroy(&l);
	mock_iommufd_close(&mock);
	passed("no-wbinvd is the loosest that a VM can have");
}

static void test_forbid(void)
{
	struct mock_iommufd mock = mock_iommufd_open();
	struct limited before, l;

	before = limited_create(KVM_NONCOHERENT_DMA_FOLLOW, FOLLOW | NO_WBINVD | FORBID);
	param_set("forbid");
	l = limited_create(KVM_NONCOHERENT_DMA_FORBID, FORBID);
	ASSERT_ERRNO(__coherency_policy(l.vm, KVM_NONCOHERENT_DMA_FOLLOW), EPERM);
	ASSERT_ERRNO(__coherency_policy(l.vm, KVM_NONCOHERENT_DMA_NO_WBINVD), EPERM);
	coherency_policy(l.vm, KVM_NONCOHERENT_DMA_FORBID);
	coherency_add(l.device, mock.fd);
	ASSERT_ERRNO(__mock_attach(&mock, mock.ioas), EPERM);
	expect_policy(&l, KVM_NONCOHERENT_DMA_FORBID, FORBID);

	/* A VM that was created before has no limit */
	coherency_policy(before.vm, KVM_NONCOHERENT_DMA_FORBID);
	coherency_policy(before.vm, KVM_NONCOHERENT_DMA_FOLLOW);
	expect_policy(&before, KVM_NONCOHERENT_DMA_FOLLOW, FOLLOW | NO_WBINVD | FORBID);

	param_set("follow");
	limited_destroy(&l);
	limited_destroy(&before);
	mock_iommufd_close(&mock);
	passed("forbid is all that is left of VMs made under it, and of no others");
}

static void test_unknown(void)
{
	static char log[1 << 18];

	param_expect("unknown");
	ASSERT_ERRNO(create_vm(), EOPNOTSUPP);
	TEST_ASSERT(klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1) > 0,
		    "klogctl: %s", strerror(errno));
	TEST_ASSERT(strstr(log, "cannot carry out kvm.noncoherent_dma=unknown"),
		    "the kernel does not say why there is no VM");
	ASSERT_ERRNO(__param_set("bogus"), EINVAL);
	ASSERT_ERRNO(create_vm(), EOPNOTSUPP);

	param_set("follow");
	expect_vm();
	passed("no VM with a policy that does not exist");
}

/* Without the feature VMs must not be created with a policy that nothing enforces */
static void test_absent(void)
{
	param_expect("follow");
	param_set("forbid");
	ASSERT_ERRNO(create_vm(), EOPNOTSUPP);
	param_set("no-wbinvd");
	ASSERT_ERRNO(create_vm(), EOPNOTSUPP);
	param_set("follow");
	expect_vm();
	passed("no VM with a policy that the kernel cannot carry out");
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (!strcmp(argv[1], "unknown"))
			test_unknown();
		else
			test_absent();
		return 0;
	}
	pin_self(0);
	test_words();
	test_no_wbinvd();
	test_forbid();
	return 0;
}
