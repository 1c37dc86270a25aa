/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_NONCOHERENT_DMA_H
#define __KVM_X86_NONCOHERENT_DMA_H

#include <linux/kvm_host.h>

int kvm_noncoherent_dma_init(struct kvm *kvm);
void kvm_noncoherent_dma_forbid(struct kvm *kvm);
void kvm_noncoherent_dma_create_debugfs(struct kvm *kvm);
void kvm_noncoherent_dma_destroy(struct kvm *kvm);
void kvm_noncoherent_dma_vcpu_load(struct kvm_vcpu *vcpu, int cpu);
void kvm_noncoherent_dma_wbinvd(struct kvm_vcpu *vcpu);
void kvm_noncoherent_dma_take_over(struct kvm *kvm, struct kvm *from);
int kvm_noncoherent_dma_policies(struct kvm *kvm);
int kvm_noncoherent_dma_set_policy(struct kvm *kvm,
				   const struct kvm_enable_cap *cap);

#endif
