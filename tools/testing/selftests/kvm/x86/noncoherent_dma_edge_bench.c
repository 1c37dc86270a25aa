// SPDX-License-Identifier: GPL-2.0
/*
 * Edges where KVM ignores guest PAT without permission, so that they zap all SPTEs and the
 * edge to on flushes. scripts/bench.sh counts their kernel instructions, on this kernel and
 * on the unpatched one. The guest writes all of its memory before each edge, since the size
 * of memory and of pages determines the cost of the zap. The cost of writing that memory
 * again, with one fault for each page, is counted as well. Other rows count edges of VMs
 * with many vCPUs.
 *
 * All memory slots share one backing, so that a small machine can run a large guest. Where
 * KVM has no iommufd device the VFIO file is added to kvm-vfio.
 *
 * Usage: noncoherent_dma_edge_bench [GiB]
 *
 * With a number also counts edges of so much memory in pages of 4 KiB. With 4 GiB the guest
 * faults twice on a million pages, which is slow in an emulator.
 *
 * Needs one CPU, the module guest_pat_ignorable, and a VFIO device behind an IOMMU that
 * cannot enforce coherency.
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include "kvm_util.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "processor.h"
#include "vfio_edu.h"

#define GiB		0x40000000ULL
#define BASE		(64 * GiB)
#define BACKING		0x10000000ULL
#define FIRST_SLOT	10
#define VCPU_ROUNDS	20

/* noncoherent_dma_bench uses the ids below this one */
#define FIRST_ID	20

static int iommufd;
static struct vfio_edu edu;

struct guest {
	struct kvm_vm *vm;
	int device;		/* the iommufd device, or -1 */
	int kvm_vfio;
};

static struct guest guest_open(struct kvm_vm *vm)
{
	struct guest g = { .vm = vm };

	g.device = __kvm_create_device(vm, KVM_DEV_TYPE_IOMMUFD);
	g.kvm_vfio = kvm_create_device(vm, KVM_DEV_TYPE_VFIO);
	return g;
}

static void guest_close(struct guest *g)
{
	if (g->device >= 0)
		close(g->device);
	close(g->kvm_vfio);
	kvm_vm_free(g->vm);
}

static void edge(struct guest *g, bool on)
{
	int32_t fd = edu.fd;

	if (g->device < 0)
		kvm_device_attr_set(g->kvm_vfio, KVM_DEV_VFIO_FILE,
				    on ? KVM_DEV_VFIO_FILE_ADD : KVM_DEV_VFIO_FILE_DEL, &fd);
	else if (on)
		coherency_add(g->device, iommufd);
	else
		coherency_del(g->device, iommufd);
}

/* Announces a row of the table and returns the id of its phases, each of @ops operations */
static unsigned int next_id = FIRST_ID;

static unsigned int row(unsigned long ops, const char *fmt, ...)
{
	va_list ap;

	printf("bench: %u %lu ", next_id, ops);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	return next_id++;
}

#define COUNT(id, action)	\
do {				\
	oracle_mark(id);	\
	action;			\
	oracle_end();		\
} while (0)

static void write_all(uint64_t step, uint64_t nr)
{
	uint64_t i;

	for (;;) {
		for (i = 0; i < nr; i++)
			WRITE_ONCE(*(uint64_t *)(BASE + i * step), i);
		GUEST_SYNC(0);
	}
}

static void run(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "the guest stopped with exit reason %u",
		    vcpu->run->exit_reason);
}

static void *backing_map(bool huge)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | (huge ? MAP_HUGETLB : 0);
	char *mem = mmap(NULL, BACKING, PROT_READ | PROT_WRITE, flags, -1, 0);
	uint64_t i;

	TEST_ASSERT(mem != MAP_FAILED, "mmap: %s", strerror(errno));
	if (!huge)
		madvise(mem, BACKING, MADV_NOHUGEPAGE);
	for (i = 0; i < BACKING; i += 4096)
		mem[i] = 1;
	return mem;
}

static void memory_rows(unsigned int gib, bool huge, unsigned int rounds)
{
	const char *pages = huge ? "2 MiB" : "4 KiB";
	uint64_t page = huge ? 0x200000 : 4096, nr = gib * GiB / page, i;
	unsigned int on, off, again;
	struct kvm_vcpu *vcpu;
	struct guest g;
	void *mem;

	g = guest_open(vm_create_with_one_vcpu(&vcpu, write_all));
	vcpu_args_set(vcpu, 2, page, nr);
	mem = backing_map(huge);
	for (i = 0; i < gib * GiB / BACKING; i++)
		vm_set_user_memory_region(g.vm, FIRST_SLOT + i, 0, BASE + i * BACKING, BACKING,
					  mem);
	virt_map_level(g.vm, BASE, BASE, gib * GiB, PG_LEVEL_1G);

	on = row(1, "edge on, %u GiB in %s pages", gib, pages);
	again = row(nr, "fault after it, per page of %s (%u GiB)", pages, gib);
	off = row(1, "edge off, %u GiB in %s pages", gib, pages);
	while (rounds--) {
		run(vcpu);
		TEST_ASSERT(vm_stat(g.vm, huge ? "pages_2m" : "pages_4k") >= nr,
			    "%u GiB are mapped in %lu pages of %s", gib,
			    vm_stat(g.vm, huge ? "pages_2m" : "pages_4k"), pages);
		COUNT(on, edge(&g, true));
		TEST_ASSERT(vm_stat(g.vm, huge ? "pages_2m" : "pages_4k") < nr,
			    "the edge has zapped nothing");
		COUNT(again, run(vcpu));
		COUNT(off, edge(&g, false));
	}
	guest_close(&g);
	munmap(mem, BACKING);
}

static void vcpu_rows(unsigned int nr)
{
	unsigned int on, off, round, i;
	struct kvm_regs regs;
	struct guest g;

	g = guest_open(vm_create(1));
	for (i = 0; i < nr; i++)
		vcpu_regs_get(__vm_vcpu_add(g.vm, i), &regs);
	on = row(1, "edge on, %u vCPU%s on 1 CPU", nr, nr > 1 ? "s" : "");
	off = row(1, "edge off, %u vCPU%s on 1 CPU", nr, nr > 1 ? "s" : "");
	for (round = 0; round < VCPU_ROUNDS; round++) {
		COUNT(on, edge(&g, true));
		COUNT(off, edge(&g, false));
	}
	guest_close(&g);
}

static void reserve(void)
{
	struct rlimit files = { .rlim_cur = 4096, .rlim_max = 4096 };
	FILE *pages = fopen("/proc/sys/vm/nr_hugepages", "w");
	int ret;

	TEST_ASSERT(!setrlimit(RLIMIT_NOFILE, &files), "RLIMIT_NOFILE: %s", strerror(errno));
	TEST_ASSERT(pages, "nr_hugepages: %s", strerror(errno));
	ret = fprintf(pages, "%llu\n", BACKING >> 21);
	TEST_ASSERT(ret > 0 && !fclose(pages), "no huge pages: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	TEST_ASSERT(guest_pat_is_ignored(), "KVM honours guest PAT: edges have nothing to do");
	reserve();
	iommufd = iommufd_open();
	vfio_edu_open(&edu, 0);
	vfio_edu_bind(&edu, iommufd);
	vfio_edu_attach(&edu, iommufd_ioas_alloc(iommufd));

	vcpu_rows(1);
	vcpu_rows(256);
	vcpu_rows(1024);
	memory_rows(16, true, 2);
	memory_rows(64, true, 2);
	memory_rows(1, false, 1);
	if (argc > 1)
		memory_rows(atoi_positive("GiB", argv[1]), false, 1);
	return 0;
}
