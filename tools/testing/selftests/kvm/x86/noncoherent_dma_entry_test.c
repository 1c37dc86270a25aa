// SPDX-License-Identifier: GPL-2.0
/*
 * Every way by which a guest's WBINVD reaches KVM: without permission none may
 * flush a cache of the host, with permission each flushes once. The oracle counts
 * the flushes, and the statistics have to agree.
 *
 * Usage: noncoherent_dma_entry_test
 */
#include "kvm_util.h"
#include "mock_device.h"
#include "noncoherent_dma.h"
#include "oracle.h"
#include "processor.h"
#include "svm_util.h"
#include "vmx.h"
#include "wbinvd_guest.h"

/* How often a guest executes its instruction before it reports to the host */
#define TIMES		10

#define EFLAGS_TF	BIT_ULL(8)

#define REAL_MODE_GPA	0x1000
#define REAL_MODE_PORT	0x10

#define WBINVD		".byte 0x0f, 0x09\n\t"
#define WBNOINVD	".byte 0xf3, 0x0f, 0x09\n\t"
#define INVD		".byte 0x0f, 0x08\n\t"

#define guest_repeat(insn)						\
do {									\
	unsigned int __i;						\
									\
	for (;;) {							\
		for (__i = 0; __i < TIMES; __i++)			\
			asm volatile(insn ::: "memory");		\
		GUEST_SYNC(0);						\
	}								\
} while (0)

static void guest_wbinvd(void)
{
	guest_repeat(WBINVD);
}

static void guest_wbnoinvd(void)
{
	guest_repeat(WBNOINVD);
}

static void guest_invd(void)
{
	guest_repeat(INVD);
}

static void guest_emulated_wbinvd(void)
{
	guest_repeat(KVM_FEP WBINVD);
}

static void guest_emulated_wbnoinvd(void)
{
	guest_repeat(KVM_FEP WBNOINVD);
}

static void guest_emulated_invd(void)
{
	guest_repeat(KVM_FEP INVD);
}

static uint64_t traps, trap_rip;

static void guest_db_handler(struct ex_regs *regs)
{
	traps++;
	trap_rip = regs->rip;
	regs->rflags &= ~EFLAGS_TF;
}

/*
 * POPF sets TF, so the next instruction traps when it is done. The stack pointer
 * is moved first, because the trap would overwrite the red zone below it.
 */
#define guest_single_step(insn)						\
do {									\
	uint64_t __rip;							\
	unsigned int __i;						\
									\
	for (;;) {							\
		for (__i = 0; __i < TIMES; __i++) {			\
			traps = 0;					\
			asm volatile("lea -128(%%rsp), %%rsp\n\t"	\
				     "lea 1f(%%rip), %0\n\t"		\
				     "pushf\n\t"			\
				     "orl $0x100, (%%rsp)\n\t"		\
				     "popf\n\t"				\
				     insn				\
				     "1: lea 128(%%rsp), %%rsp\n\t"	\
				     : "=&r"(__rip) : : "memory", "cc");\
			GUEST_ASSERT_EQ(READ_ONCE(traps), 1);		\
			GUEST_ASSERT_EQ(READ_ONCE(trap_rip), __rip);	\
		}							\
		GUEST_SYNC(0);						\
	}								\
} while (0)

static void guest_stepped_wbinvd(void)
{
	guest_single_step(WBINVD);
}

static void guest_stepped_emulated_wbinvd(void)
{
	guest_single_step(KVM_FEP WBINVD);
}

/* L1 does not preserve L2's registers */
#define L2_CLOBBERS	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",	\
			"r12", "r13", "r14", "r15", "memory", "cc"
#define L2_WBINVDS	".rept 10\n\t" WBINVD ".endr\n\t"
#define L2_STACK_WORDS	64

kvm_static_assert(TIMES == 10);

static void l2_svm_guest(void)
{
	for (;;)
		asm volatile("push %%rbp\n\t" L2_WBINVDS "vmmcall\n\tpop %%rbp" ::: L2_CLOBBERS);
}

static void l2_vmx_guest(void)
{
	for (;;)
		asm volatile("push %%rbp\n\t" L2_WBINVDS "vmcall\n\tpop %%rbp" ::: L2_CLOBBERS);
}

enum l1_does {
	L1_DOES_NOT_INTERCEPT,
	L1_SWALLOWS,
	L1_EXECUTES,
};

static void l1_svm_guest(struct svm_test_data *svm, enum l1_does l1)
{
	struct vmcb *vmcb = svm->vmcb;
	unsigned int exits = 0;
#ifdef INVALID_GPA	/* the library allocates a stack for L2 */
	generic_svm_setup(svm, l2_svm_guest);
#else
	uint64_t stack[L2_STACK_WORDS];

	generic_svm_setup(svm, l2_svm_guest, &stack[L2_STACK_WORDS]);
#endif
	if (l1 != L1_DOES_NOT_INTERCEPT)
		vmcb->control.intercept |= 1ULL << INTERCEPT_WBINVD;

	for (;;) {
		run_guest(vmcb, svm->vmcb_gpa);
		if (vmcb->control.exit_code == SVM_EXIT_WBINVD) {
			exits++;
			vmcb->save.rip += 2;
			if (l1 == L1_EXECUTES)
				asm volatile(WBINVD ::: "memory");
			continue;
		}
		GUEST_ASSERT_EQ(vmcb->control.exit_code, SVM_EXIT_VMMCALL);
		GUEST_ASSERT_EQ(exits, l1 == L1_DOES_NOT_INTERCEPT ? 0 : TIMES);
		exits = 0;
		vmcb->save.rip += 3;
		GUEST_SYNC(0);
	}
}

static void l1_vmx_guest(struct vmx_pages *vmx, enum l1_does l1)
{
	unsigned int exits = 0;
	bool launched = false;
	uint64_t reason;
#ifndef INVALID_GPA
	uint64_t stack[L2_STACK_WORDS];
#endif

	GUEST_ASSERT(prepare_for_vmx_operation(vmx));
	GUEST_ASSERT(load_vmcs(vmx));
#ifdef INVALID_GPA
	prepare_vmcs(vmx, l2_vmx_guest);
#else
	prepare_vmcs(vmx, l2_vmx_guest, &stack[L2_STACK_WORDS]);
#endif
	if (l1 != L1_DOES_NOT_INTERCEPT) {
		GUEST_ASSERT(!vmwrite(CPU_BASED_VM_EXEC_CONTROL,
				      vmreadz(CPU_BASED_VM_EXEC_CONTROL) |
				      CPU_BASED_ACTIVATE_SECONDARY_CONTROLS));
		GUEST_ASSERT(!vmwrite(SECONDARY_VM_EXEC_CONTROL,
				      vmreadz(SECONDARY_VM_EXEC_CONTROL) |
				      SECONDARY_EXEC_WBINVD_EXITING));
	}

	for (;;) {
		GUEST_ASSERT(!(launched ? vmresume() : vmlaunch()));
		launched = true;
		reason = vmreadz(VM_EXIT_REASON);
		GUEST_ASSERT(!vmwrite(GUEST_RIP, vmreadz(GUEST_RIP) +
				      vmreadz(VM_EXIT_INSTRUCTION_LEN)));
		if (reason == EXIT_REASON_WBINVD) {
			exits++;
			if (l1 == L1_EXECUTES)
				asm volatile(WBINVD ::: "memory");
			continue;
		}
		GUEST_ASSERT_EQ(reason, EXIT_REASON_VMCALL);
		GUEST_ASSERT_EQ(exits, l1 == L1_DOES_NOT_INTERCEPT ? 0 : TIMES);
		exits = 0;
		GUEST_SYNC(0);
	}
}

enum guest_type {
	LONG_MODE,
	NESTED_SVM,
	NESTED_VMX,
	REAL_MODE,
};

struct way {
	const char *name;
	enum guest_type type;
	void *code;
	enum l1_does l1;
	bool emulated;
	/* WBINVDs in one run that KVM has to handle */
	unsigned int handled;
};

static const struct way ways[] = {
	{ "WBINVD", LONG_MODE, guest_wbinvd, .handled = TIMES },
	{ "WBNOINVD", LONG_MODE, guest_wbnoinvd, .handled = TIMES },
	{ "INVD", LONG_MODE, guest_invd },
	{ "WBINVD in the emulator", LONG_MODE, guest_emulated_wbinvd,
	  .emulated = true, .handled = TIMES },
	{ "WBNOINVD in the emulator", LONG_MODE, guest_emulated_wbnoinvd,
	  .emulated = true, .handled = TIMES },
	{ "INVD in the emulator", LONG_MODE, guest_emulated_invd, .emulated = true },
	{ "WBINVD with TF", LONG_MODE, guest_stepped_wbinvd, .handled = TIMES },
	{ "WBINVD with TF in the emulator", LONG_MODE, guest_stepped_emulated_wbinvd,
	  .emulated = true, .handled = TIMES },
	{ "WBINVD in real mode", REAL_MODE, .handled = TIMES },
	{ "WBINVD of a nested SVM guest, L1 does not intercept it", NESTED_SVM, l1_svm_guest,
	  .l1 = L1_DOES_NOT_INTERCEPT, .handled = TIMES },
	{ "WBINVD of a nested SVM guest, L1 swallows it", NESTED_SVM, l1_svm_guest,
	  .l1 = L1_SWALLOWS },
	{ "WBINVD of a nested SVM guest, L1 executes it", NESTED_SVM, l1_svm_guest,
	  .l1 = L1_EXECUTES, .handled = TIMES },
	{ "WBINVD of a nested VMX guest, L1 does not intercept it", NESTED_VMX, l1_vmx_guest,
	  .l1 = L1_DOES_NOT_INTERCEPT, .handled = TIMES },
	{ "WBINVD of a nested VMX guest, L1 swallows it", NESTED_VMX, l1_vmx_guest,
	  .l1 = L1_SWALLOWS },
	{ "WBINVD of a nested VMX guest, L1 executes it", NESTED_VMX, l1_vmx_guest,
	  .l1 = L1_EXECUTES, .handled = TIMES },
};

static const uint8_t real_mode_code[] = {
	0xb9, TIMES, 0x00,		/* start: mov $TIMES, %cx */
	0x0f, 0x09,			/* again: wbinvd */
	0xe2, 0xfc,			/* loop again */
	0xe6, REAL_MODE_PORT,		/* out %al, $REAL_MODE_PORT */
	0xeb, 0xf5,			/* jmp start */
};

static struct kvm_vm *create_real_mode(struct kvm_vcpu **vcpu)
{
	struct kvm_regs regs = { .rip = REAL_MODE_GPA, .rflags = X86_EFLAGS_FIXED };
	struct kvm_sregs sregs;
	struct kvm_vm *vm;

	vm = vm_create_barebones();
	vm_userspace_mem_region_add(vm, VM_MEM_SRC_ANONYMOUS, REAL_MODE_GPA, 0, 1, 0);
	memcpy(addr_gpa2hva(vm, REAL_MODE_GPA), real_mode_code, sizeof(real_mode_code));

	*vcpu = __vm_vcpu_add(vm, 0);
	vcpu_sregs_get(*vcpu, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	vcpu_sregs_set(*vcpu, &sregs);
	vcpu_regs_set(*vcpu, &regs);
	return vm;
}

static struct kvm_vm *create(const struct way *way, struct kvm_vcpu **vcpu)
{
	uint64_t nested = 0;
	struct kvm_vm *vm;

	if (way->type == REAL_MODE)
		return create_real_mode(vcpu);

	vm = vm_create_with_one_vcpu(vcpu, way->code);
	vm_install_exception_handler(vm, DB_VECTOR, guest_db_handler);
	if (way->type == NESTED_SVM)
		vcpu_alloc_svm(vm, &nested);
	else if (way->type == NESTED_VMX)
		vcpu_alloc_vmx(vm, &nested);
	vcpu_args_set(*vcpu, 2, nested, (uint64_t)way->l1);
	return vm;
}

static void run_once(const struct way *way, struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(vcpu, KVM_EXIT_IO);
	if (way->type == REAL_MODE) {
		TEST_ASSERT(vcpu->run->io.port == REAL_MODE_PORT, "out to port 0x%x",
			    vcpu->run->io.port);
		return;
	}
	switch (get_ucall(vcpu, &uc)) {
	case UCALL_SYNC:
		return;
	case UCALL_ABORT:
		REPORT_GUEST_ASSERT(uc);
	default:
		TEST_FAIL("%s: the guest did not come to its end", way->name);
	}
}

/* One run of the guest, in phase @id */
static void phase(const struct way *way, struct kvm_vcpu *vcpu, unsigned int id, bool permitted,
		  const char *when)
{
	uint64_t flushed = vcpu_stat(vcpu, "wbinvd_flushed");
	uint64_t ignored = vcpu_stat(vcpu, "wbinvd_ignored");

	/* The machine executes no WBINVD in the guest for INVD, nor for KVM's emulator */
	if (way->emulated || way->code == guest_invd)
		oracle_phase_guest(id, permitted ? way->handled : 0, 0, "%s, %s", way->name, when);
	else
		oracle_phase(id, permitted ? way->handled : 0, "%s, %s", way->name, when);
	run_once(way, vcpu);
	oracle_end();

	flushed = vcpu_stat(vcpu, "wbinvd_flushed") - flushed;
	ignored = vcpu_stat(vcpu, "wbinvd_ignored") - ignored;
	TEST_ASSERT(flushed == (permitted ? way->handled : 0),
		    "%s, %s: wbinvd_flushed counts %lu", way->name, when, flushed);
	TEST_ASSERT(ignored == (permitted ? 0 : way->handled),
		    "%s, %s: wbinvd_ignored counts %lu", way->name, when, ignored);
}

static void test(const struct way *way, unsigned int id)
{
	struct mock_iommufd mock;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	uint32_t attached;
	int device;

	vm = create(way, &vcpu);
	device = coherency_device_create(vm);
	mock = mock_iommufd_open();
	coherency_add(device, mock.fd);

	phase(way, vcpu, id, false, "no device");
	attached = mock_attach(&mock);
	phase(way, vcpu, id, true, "attached");
	mock_detach(&mock, attached);
	phase(way, vcpu, id, false, "detached");

	close(device);
	mock_iommufd_close(&mock);
	kvm_vm_free(vm);
	printf("ok %u - %s: statistics\n", id, way->name);
}

static void exit_line(const char *text, void *data)
{
	unsigned int *wbinvds = data;

	*wbinvds += !!strstr(text, " reason wbinvd ");
}

/* QEMU up to 9 reports an intercepted INVD as WBINVD */
static bool invd_exits_as_wbinvd(const struct way *way)
{
	unsigned int wbinvds = 0;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;

	vm = create(way, &vcpu);
	trace_clear();
	trace_event("kvm/kvm_exit", true);
	run_once(way, vcpu);
	trace_event("kvm/kvm_exit", false);
	trace_lines("kvm_exit", exit_line, &wbinvds);
	kvm_vm_free(vm);
	return wbinvds;
}

static bool can_test(const struct way *way, const char **why)
{
	*why = "this machine's INVD exits as WBINVD";
	if (way->code == guest_invd && invd_exits_as_wbinvd(way))
		return false;
	*why = "no SVM";
	if (way->type == NESTED_SVM && !kvm_cpu_has(X86_FEATURE_SVM))
		return false;
	*why = "no VMX";
	if (way->type == NESTED_VMX && !kvm_cpu_has(X86_FEATURE_VMX))
		return false;
	*why = "kvm.force_emulation_prefix is off";
	return !way->emulated || kvm_is_forced_emulation_enabled();
}

int main(void)
{
	const char *why;
	unsigned int i;

	/* Counts are exact on one CPU: a WBINVD flushes every CPU that the vCPU ran on */
	pin_self(0);

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (can_test(&ways[i], &why))
			test(&ways[i], i + 1);
		else
			printf("ok %u - %s # SKIP %s\n", i + 1, ways[i].name, why);
	}
	return 0;
}
