// SPDX-License-Identifier: GPL-2.0
/*
 * Operations whose kernel instructions scripts/bench.sh counts, on this kernel
 * and on the unpatched one. Each runs ROUNDS times, as a phase of its own in the
 * oracle's log, with OPS operations in each phase. The smallest count is the
 * operation's cost without chance interrupts, so a phase has to be shorter than a
 * timer tick.
 *
 * A guest opens and closes its phases itself, so they hold only its exits. Where
 * KVM has no iommufd device the VFIO file is added to kvm-vfio.
 *
 * Usage: noncoherent_dma_bench
 *
 * Needs one CPU and a VFIO device behind an IOMMU that cannot enforce coherency.
 */
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "processor.h"

#define ROUNDS		400
#define GUEST_OPS	10
#define HOST_OPS	1

enum bench_id {
	BENCH_CPUID = 1,
	BENCH_IGNORED,
	BENCH_PERMITTED,
	BENCH_ATTACH,
	BENCH_REPLACE,
	BENCH_FILE,
};

#define GUEST_MARK(id)								\
	({ asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long 0x4b4d0000 + %c0" :: "i"(id)); })

#define GUEST_BENCH(bench, insn)						\
do {										\
	const unsigned int __id = bench;					\
	unsigned int __round, __op;						\
										\
	for (__round = 0; __round < ROUNDS; __round++) {			\
		GUEST_MARK(__id);						\
		for (__op = 0; __op < GUEST_OPS; __op++)			\
			asm volatile(insn ::: "eax", "ebx", "ecx", "edx", "memory"); \
		GUEST_MARK(ORACLE_IDLE);					\
	}									\
	GUEST_SYNC(__id);								\
} while (0)

static void guest_code(void)
{
	GUEST_BENCH(BENCH_CPUID, "xor %%eax, %%eax\n\tcpuid");
	GUEST_BENCH(BENCH_IGNORED, "wbinvd");
	GUEST_BENCH(BENCH_PERMITTED, "wbinvd");
	GUEST_DONE();
}

#define HOST_BENCH(id, action)							\
do {										\
	unsigned int __round, __op;						\
										\
	for (__round = 0; __round < ROUNDS; __round++) {			\
		oracle_mark(id);						\
		for (__op = 0; __op < HOST_OPS; __op++)				\
			action;							\
		oracle_end();							\
	}									\
} while (0)

static void check(int ret, const char *what)
{
	TEST_ASSERT(ret >= 0, "%s: %s", what, strerror(errno));
}

static void run_guest_bench(struct kvm_vcpu *vcpu, enum bench_id id, const char *name)
{
	struct ucall uc;

	printf("bench: %u %u %s\n", id, GUEST_OPS, name);
	fflush(stdout);
	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC && uc.args[1] == id,
		    "the guest stopped with exit reason %u", vcpu->run->exit_reason);
}

static void announce(enum bench_id id, const char *name)
{
	printf("bench: %u %u %s\n", id, HOST_OPS, name);
	fflush(stdout);
}

static uint32_t ioas_alloc(int iommufd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	check(ioctl(iommufd, IOMMU_IOAS_ALLOC, &cmd), "IOMMU_IOAS_ALLOC");
	return cmd.out_ioas_id;
}

static void attach(int vfio, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt cmd = { .argsz = sizeof(cmd), .pt_id = pt };

	check(ioctl(vfio, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &cmd), "attach");
}

static void detach(int vfio)
{
	struct vfio_device_detach_iommufd_pt cmd = { .argsz = sizeof(cmd) };

	check(ioctl(vfio, VFIO_DEVICE_DETACH_IOMMUFD_PT, &cmd), "detach");
}

static void vfio_file(int kvm_vfio, uint64_t attr, int file)
{
	int32_t fd = file;

	kvm_device_attr_set(kvm_vfio, KVM_DEV_VFIO_FILE, attr, &fd);
}

int main(void)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	int vfio, kvm_vfio, device, iommufd;
	uint32_t one, two;

	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	vfio = open_path_or_exit("/dev/vfio/devices/vfio0", O_RDWR);
	iommufd = open_path_or_exit("/dev/iommu", O_RDWR);
	one = ioas_alloc(iommufd);
	two = ioas_alloc(iommufd);

	run_guest_bench(vcpu, BENCH_CPUID, "guest CPUID exit (for comparison)");
	run_guest_bench(vcpu, BENCH_IGNORED, "guest WBINVD exit, ignored");

	kvm_vfio = kvm_create_device(vm, KVM_DEV_TYPE_VFIO);
	announce(BENCH_FILE, "kvm-vfio FILE_ADD + FILE_DEL");
	HOST_BENCH(BENCH_FILE, {
		vfio_file(kvm_vfio, KVM_DEV_VFIO_FILE_ADD, vfio);
		vfio_file(kvm_vfio, KVM_DEV_VFIO_FILE_DEL, vfio);
	});

	bind.iommufd = iommufd;
	check(ioctl(vfio, VFIO_DEVICE_BIND_IOMMUFD, &bind), "bind");
	announce(BENCH_ATTACH, "VFIO attach + detach, no VM watches");
	HOST_BENCH(BENCH_ATTACH, { attach(vfio, one); detach(vfio); });

	attach(vfio, one);
	announce(BENCH_REPLACE, "VFIO replace, same coherency, twice");
	HOST_BENCH(BENCH_REPLACE, { attach(vfio, two); attach(vfio, one); });

	device = __kvm_create_device(vm, KVM_DEV_TYPE_IOMMUFD);
	if (device >= 0)
		coherency_add(device, iommufd);
	else
		vfio_file(kvm_vfio, KVM_DEV_VFIO_FILE_ADD, vfio);
	run_guest_bench(vcpu, BENCH_PERMITTED, "guest WBINVD exit, permitted");
	return 0;
}
