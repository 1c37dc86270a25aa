/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the oracle needs of QEMU's TCG plugin API. Debian 12's QEMU supports
 * plugins, but Debian ships no header for them.
 *
 * ORACLE_API is the version that the plugin announces, one of three with
 * different functions. QEMU 7 and 8 want 1. Versions 2 to 6, of QEMU 9 to 11.0,
 * share one declaration: their differences do not matter here, or are handled
 * when QEMU loads the plugin (plugin_info.version.cur). QEMU 11.1 wants 7, where
 * callbacks no longer get the plugin's id, and all of them get the pointer that
 * they were registered with.
 */
#ifndef PLUGIN_API_H
#define PLUGIN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef ORACLE_API
#define ORACLE_API 1
#endif

struct qemu_plugin_tb;
struct qemu_plugin_insn;

struct plugin_info {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus;
		int max_vcpus;
	} system;
};

enum plugin_cb_flags {
	CB_NO_REGS,
	CB_R_REGS,
	CB_RW_REGS,
};

typedef void (*exec_cb)(unsigned int cpu, void *data);

#if ORACLE_API >= 7
typedef void (*tb_trans_cb)(struct qemu_plugin_tb *tb, void *data);
typedef void (*exit_cb)(void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_trans_cb cb, void *data);
#else
typedef void (*tb_trans_cb)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*exit_cb)(uint64_t id, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_trans_cb cb);
#endif

void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb,
					  enum plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_cb cb,
					    enum plugin_cb_flags flags, void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);

/* Returns a pointer up to version 2; from 3 on copies into a buffer that the caller passes */
void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, ...);

/* Provided by the plugin */
extern int qemu_plugin_version;
int qemu_plugin_install(uint64_t id, const struct plugin_info *info, int argc, char **argv);

#endif /* PLUGIN_API_H */
