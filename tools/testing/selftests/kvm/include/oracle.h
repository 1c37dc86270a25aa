/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Phases for the flush oracle (tools/testing/qemu/oracle.c).
 *
 * A program prints the name of a phase and the number of cache flushes that the
 * host kernel should execute in it. A marker instruction tells the emulator
 * where the phase starts. Scripts outside the machine compare expected and
 * counted flushes, so the verdict depends neither on the kernel nor on the
 * program. On real hardware the marker is a long NOP.
 */
#ifndef SELFTEST_KVM_ORACLE_H
#define SELFTEST_KVM_ORACLE_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ORACLE_IDLE	0xfffeU		/* between phases */
#define ORACLE_ANY	(-1L)		/* any number of flushes */

#define ORACLE_NR_IDS	0x10000UL

/*
 * The id is part of the instruction, so each id has its own eight bytes of
 * code: "nopl 0x4b4d<id>(%rax); ret". They are written by one aligned store, so
 * other threads may write the same code concurrently.
 */
static inline void oracle_mark(unsigned int id)
{
	static const uint8_t head[] = { 0x0f, 0x1f, 0x80 };
	static uint64_t *code;
	uint64_t *page, *none = NULL, insn = 0;
	uint32_t imm = 0x4b4d0000U | (id & 0xffff);
	const uint8_t ret = 0xc3;

	page = __atomic_load_n(&code, __ATOMIC_ACQUIRE);
	if (!page) {
		size_t size = ORACLE_NR_IDS * sizeof(*page);

		page = (uint64_t *)mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if ((void *)page == MAP_FAILED) {
			perror("oracle: mmap of executable memory");
			exit(1);
		}
		if (!__atomic_compare_exchange_n(&code, &none, page, 0,
						 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			munmap(page, size);
			page = none;
		}
	}

	memcpy((uint8_t *)&insn, head, sizeof(head));
	memcpy((uint8_t *)&insn + 3, &imm, sizeof(imm));
	memcpy((uint8_t *)&insn + 7, &ret, sizeof(ret));

	page += id & 0xffff;
	if (__atomic_load_n(page, __ATOMIC_RELAXED) != insn)
		__atomic_store_n(page, insn, __ATOMIC_RELEASE);

	((void (*)(void))(uintptr_t)page)();
}

static inline void oracle_open(unsigned int id, const char *expect, const char *fmt, va_list ap)
{
	char name[256];

	vsnprintf(name, sizeof(name), fmt, ap);
	printf("oracle: %u %s %s\n", id & 0xffff, expect, name);
	fflush(stdout);
	oracle_mark(id);
}

static inline void oracle_number(char number[24], long n)
{
	snprintf(number, 24, n == ORACLE_ANY ? "-" : "%ld", n);
}

/*
 * Opens phase @id, in which the host has to flush exactly @expect times. A guest has to
 * execute at least one WBINVD or WBNOINVD: without one, no flush would prove nothing.
 */
static inline void oracle_phase(unsigned int id, long expect, const char *fmt, ...)
{
	char number[24];
	va_list ap;

	oracle_number(number, expect);
	va_start(ap, fmt);
	oracle_open(id, number, fmt, ap);
	va_end(ap);
}

/*
 * The same, but guests have to execute exactly @wbinvds of them. Those that KVM's
 * emulator handles for the guest do not count: the machine does not execute them.
 */
static inline void oracle_phase_guest(unsigned int id, long expect, long wbinvds,
				      const char *fmt, ...)
{
	char number[24], guest[24], both[48];
	va_list ap;

	oracle_number(number, expect);
	oracle_number(guest, wbinvds);
	snprintf(both, sizeof(both), "%s/%s", number, guest);
	va_start(ap, fmt);
	oracle_open(id, both, fmt, ap);
	va_end(ap);
}

/*
 * Opens phase @id, in which each CPU has to flush as often as @cpus says: one
 * element per CPU, which is N, a range N-M, or - for any, as in "1,0-2,-,0".
 */
static inline void oracle_phase_cpus(unsigned int id, const char *cpus, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	oracle_open(id, cpus, fmt, ap);
	va_end(ap);
}

/*
 * Announces @rounds phases @id, in each of which the CPUs have to flush as @cpus says.
 * The caller opens them with oracle_mark(). A + in @cpus is followed by what at least one
 * of the phases has to match, a / by the number of WBINVDs that guests execute in each.
 */
static inline void oracle_rounds(unsigned int id, unsigned int rounds, const char *cpus,
				 const char *fmt, ...)
{
	char name[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);

	printf("oracle: %u*%u %s %s\n", id & 0xffff, rounds, cpus, name);
	fflush(stdout);
}

/* Closes the current phase; later flushes belong to no phase */
static inline void oracle_end(void)
{
	oracle_mark(ORACLE_IDLE);
}

#endif /* SELFTEST_KVM_ORACLE_H */
