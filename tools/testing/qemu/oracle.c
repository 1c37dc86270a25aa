// SPDX-License-Identifier: GPL-2.0
/*
 * An oracle for cache flushes: a QEMU TCG plugin that counts every WBINVD
 * the emulated machine executes, so that a test does not have to trust the
 * kernel under test.
 *
 * An instruction belongs to the host kernel if it runs in the upper half of the
 * address space, and otherwise to a guest, or to code that does not matter here.
 * A nested guest may run a kernel in its own upper half. The memory that holds
 * its text tells it apart: the host's text mapping is linear, so "address in this
 * process minus virtual address" is the same for all of the host's text, and
 * different for any other memory.
 *
 * A program splits the run into phases with a marker, nopl imm32(%rax) where
 * the upper half of imm32 is MARK_MAGIC and the lower half the phase opened.
 *
 * Arguments: out=FILE (required), insns=on (count instructions of the host
 * kernel as well; costs a callback per translated block), delay=MICROSECONDS
 * (each WBINVD of the host kernel takes at least so long, as it does on
 * hardware, for programs that go by the time; 0 by default, as fast as a NOP).
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin_api.h"

int qemu_plugin_version = ORACLE_API;

#define MAX_CPUS	64
#define MAX_INSN	15
#define MARK_MAGIC	0x4b4dU
#define PHASE_BOOT	0xffffU

/* The host's text mapping; modules and everything else lie above and below */
#define TEXT_START	0xffffffff80000000ULL
#define TEXT_END	0xffffffffc0000000ULL

enum event {
	HOST_WBINVD,
	HOST_WBNOINVD,
	GUEST_WBINVD,
	GUEST_WBNOINVD,
	NR_EVENTS,
};

/* Written by its own CPU only; a cache line each, so that CPUs do not collide */
struct cpu_insns {
	unsigned long long count;
	char pad[56];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long long counts[NR_EVENTS];
static unsigned long long host_on_cpu[MAX_CPUS];
static unsigned int phase = PHASE_BOOT;
static unsigned long long seq;

static struct cpu_insns cpu_insns[MAX_CPUS];
static unsigned long long insns_before;
static bool count_insns;
static unsigned long long delay_ns;

static unsigned int nr_cpus;
static bool data_is_copied;
static struct timespec start;
static FILE *out;

/* Address in this process minus virtual address, of the host kernel's text; 0: not known yet */
static uintptr_t text_offset;

static unsigned long long elapsed_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start.tv_sec) * 1000000ULL + now.tv_nsec / 1000 - start.tv_nsec / 1000;
}

static unsigned long long total_insns(void)
{
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 0; i < nr_cpus; i++)
		sum += __atomic_load_n(&cpu_insns[i].count, __ATOMIC_RELAXED);
	return sum;
}

static void close_phase(void)
{
	unsigned long long now = total_insns();
	unsigned int i;

	fprintf(out, "phase %u host %llu guest %llu cpus ",
		phase, counts[HOST_WBINVD], counts[GUEST_WBINVD]);
	for (i = 0; i < nr_cpus; i++)
		fprintf(out, "%s%llu", i ? "," : "", host_on_cpu[i]);
	fprintf(out, " seq=%llu insns=", seq++);
	if (count_insns)
		fprintf(out, "%llu", now - insns_before);
	else
		fprintf(out, "-");
	fprintf(out, " wbnoinvd=%llu/%llu us=%llu\n",
		counts[HOST_WBNOINVD], counts[GUEST_WBNOINVD], elapsed_us());
	fflush(out);

	memset(counts, 0, sizeof(counts));
	memset(host_on_cpu, 0, sizeof(host_on_cpu));
	insns_before = now;
}

static void on_mark(unsigned int cpu, void *data)
{
	pthread_mutex_lock(&lock);
	close_phase();
	phase = (uintptr_t)data;
	pthread_mutex_unlock(&lock);
}

/* Sleeping would be quicker for others, but wakes up when the machine lets it */
static void spend(unsigned long long ns)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - begin.tv_sec) * 1000000000ULL + now.tv_nsec - begin.tv_nsec < ns);
}

static void on_flush(unsigned int cpu, void *data)
{
	enum event event = (uintptr_t)data;

	pthread_mutex_lock(&lock);
	counts[event]++;
	if (event == HOST_WBINVD && cpu < MAX_CPUS)
		host_on_cpu[cpu]++;
	pthread_mutex_unlock(&lock);
	/* KVM gets the guest's own before it is executed */
	if (delay_ns && (event == HOST_WBINVD || event == HOST_WBNOINVD))
		spend(delay_ns);
}

static void on_block(unsigned int cpu, void *data)
{
	unsigned long long *count;

	if (cpu >= MAX_CPUS)
		return;
	count = &cpu_insns[cpu].count;
	__atomic_store_n(count, *count + (uintptr_t)data, __ATOMIC_RELAXED);
}

static bool in_host_kernel(const struct qemu_plugin_insn *insn)
{
	uint64_t vaddr = qemu_plugin_insn_vaddr(insn);
	uintptr_t offset, unset = 0;

	if (!(vaddr >> 63))
		return false;
	if (vaddr < TEXT_START || vaddr >= TEXT_END)
		return true;

	offset = (uintptr_t)qemu_plugin_insn_haddr(insn) - vaddr;
	if (__atomic_compare_exchange_n(&text_offset, &unset, offset, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return true;
	return unset == offset;
}

static size_t insn_bytes(const struct qemu_plugin_insn *insn, uint8_t *bytes)
{
	size_t len = qemu_plugin_insn_size(insn);

	if (len > MAX_INSN)
		len = MAX_INSN;
	if (data_is_copied)
		qemu_plugin_insn_data(insn, (void *)bytes, len);
	else
		memcpy(bytes, qemu_plugin_insn_data(insn), len);
	return len;
}

static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e:	/* segments */
	case 0x64: case 0x65: case 0x66: case 0x67:	/* fs, gs, sizes */
	case 0x40 ... 0x4f:				/* REX */
	case 0xf0: case 0xf2: case 0xf3:		/* lock, rep */
		return true;
	}
	return false;
}

static void look_at(struct qemu_plugin_insn *insn)
{
	uint8_t bytes[MAX_INSN];
	size_t len = insn_bytes(insn, bytes);
	bool rep = false;
	uintptr_t event;
	uint32_t imm;
	size_t i = 0;

	while (i < len && is_prefix(bytes[i]))
		rep |= bytes[i++] == 0xf3;

	if (len - i < 2 || bytes[i] != 0x0f)
		return;

	if (bytes[i + 1] == 0x09) {
		event = (in_host_kernel(insn) ? HOST_WBINVD : GUEST_WBINVD) + rep;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_flush, CB_NO_REGS, (void *)event);
		return;
	}

	if (i || len != 7 || bytes[1] != 0x1f || bytes[2] != 0x80)
		return;
	memcpy(&imm, bytes + 3, sizeof(imm));
	if (imm >> 16 == MARK_MAGIC && !(qemu_plugin_insn_vaddr(insn) >> 63))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, CB_NO_REGS,
						       (void *)(uintptr_t)(imm & 0xffff));
}

static void look_at_block(struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	bool host;

	if (!n)
		return;

	/* Also learns text_offset, long before the first nested guest runs */
	host = in_host_kernel(qemu_plugin_tb_get_insn(tb, 0));
	if (count_insns && host)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, CB_NO_REGS, (void *)n);

	for (i = 0; i < n; i++)
		look_at(qemu_plugin_tb_get_insn(tb, i));
}

static void finish(void)
{
	pthread_mutex_lock(&lock);
	close_phase();
	fclose(out);
	pthread_mutex_unlock(&lock);
}

#if ORACLE_API >= 7
static void on_translate(struct qemu_plugin_tb *tb, void *data)
{
	look_at_block(tb);
}

static void on_exit_plugin(void *data)
{
	finish();
}

static void register_translate(uint64_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate, NULL);
}
#else
static void on_translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	look_at_block(tb);
}

static void on_exit_plugin(uint64_t id, void *data)
{
	finish();
}

static void register_translate(uint64_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
}
#endif

/* Up to a second: the machine's watchdogs are not to notice */
static bool parse_delay(const char *text)
{
	char *end;
	unsigned long us = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || us > 1000000)
		return false;
	delay_ns = us * 1000ULL;
	return true;
}

/* Returns the file to write to, NULL if the arguments are wrong */
static const char *parse_arguments(int argc, char **argv)
{
	const char *path = NULL;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			path = argv[i] + 4;
		} else if (!strcmp(argv[i], "insns=on")) {
			count_insns = true;
		} else if (!strncmp(argv[i], "delay=", 6)) {
			if (!parse_delay(argv[i] + 6)) {
				fprintf(stderr, "oracle: delay=MICROSECONDS is 0 to 1000000\n");
				return NULL;
			}
		} else if (strcmp(argv[i], "insns=off")) {
			fprintf(stderr, "oracle: unknown argument %s\n", argv[i]);
			return NULL;
		}
	}
	if (!path)
		fprintf(stderr, "oracle: out=FILE is required\n");
	return path;
}

int qemu_plugin_install(uint64_t id, const struct plugin_info *info, int argc, char **argv)
{
	const char *path = parse_arguments(argc, argv);

	if (!path)
		return -1;
	if (!info->system_emulation) {
		fprintf(stderr, "oracle: only for the emulation of whole machines\n");
		return -1;
	}

	nr_cpus = info->system.max_vcpus;
	if (nr_cpus > MAX_CPUS) {
		fprintf(stderr, "oracle: at most %d CPUs\n", MAX_CPUS);
		return -1;
	}
	data_is_copied = info->version.cur >= 3;

	out = fopen(path, "w");
	if (!out) {
		perror(path);
		return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);

	register_translate(id);
	qemu_plugin_register_atexit_cb(id, on_exit_plugin, NULL);
	return 0;
}
