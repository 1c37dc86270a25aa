/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>

/* What the guest can execute. Each is an exit to KVM; CPUID does nothing else. */
enum guest_instruction {
	GUEST_CPUID,
	GUEST_WBINVD,
};

/**
 * struct guest - A VM with one vCPU and a page of code
 * @vm: The VM
 * @vcpu: Its vCPU
 * @kvm_vfio: KVM's VFIO device
 * @run: What KVM shares of the vCPU
 * @run_size: How much
 * @memory: The guest's
 */
struct guest {
	int vm;
	int vcpu;
	int kvm_vfio;
	struct kvm_run *run;
	size_t run_size;
	unsigned char *memory;
};

void guest_open(struct guest *guest);
void guest_close(struct guest *guest);

/* Tells KVM of a VFIO file that the guest is given */
void guest_add_file(struct guest *guest, int file);

/* Executes one of them, and returns the nanoseconds until the guest was back */
long long guest_execute(struct guest *guest, enum guest_instruction instruction);

#endif
