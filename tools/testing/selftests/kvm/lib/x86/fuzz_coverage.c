// SPDX-License-Identifier: GPL-2.0
/*
 * Coverage by KCOV, which on kernels of this project's debug flavor traces only the
 * project's own files. An edge is a pair of places that one call reached one after
 * the other. KCOV does not trace interrupts, so calls that do the same have the same
 * edges.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define KCOV		"/sys/kernel/debug/kcov"
#define TRACE_WORDS	(64 << 10)
#define MAX_PLACES	8192

struct fuzz_coverage {
	unsigned long *trace;	/* the number of places, then the places */
};

static pthread_mutex_t places_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long places[MAX_PLACES];
static unsigned int nr_places;

struct fuzz_coverage *fuzz_coverage_open(void)
{
	struct fuzz_coverage *c = malloc(sizeof(*c));
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);

	TEST_ASSERT(fd >= 0, KCOV " cannot be opened: is CONFIG_KCOV on?");
	TEST_ASSERT(!ioctl(fd, KCOV_INIT_TRACE, TRACE_WORDS), "KCOV_INIT_TRACE failed");
	c->trace = mmap(NULL, TRACE_WORDS * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	TEST_ASSERT(c->trace != MAP_FAILED, "mmap of the trace failed");
	TEST_ASSERT(!ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC), "KCOV_ENABLE failed");
	return c;
}

void fuzz_coverage_start(struct fuzz_coverage *c)
{
	__atomic_store_n(&c->trace[0], 0, __ATOMIC_RELAXED);
}

static u64 mix(u64 x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

static void place_reached(unsigned long pc)
{
	unsigned int i = mix(pc) % MAX_PLACES;

	while (places[i] && places[i] != pc)
		i = (i + 1) % MAX_PLACES;
	if (!places[i]) {
		TEST_ASSERT(++nr_places < MAX_PLACES, "more than our files are instrumented");
		places[i] = pc;
	}
}

void fuzz_coverage_collect(struct fuzz_coverage *c, struct fuzz_edges *edges)
{
	unsigned long nr = __atomic_load_n(&c->trace[0], __ATOMIC_RELAXED);
	unsigned long i, pc, last = 0;
	u64 edge;

	pthread_mutex_lock(&places_lock);
	for (i = 1; i <= nr && i < TRACE_WORDS; i++) {
		pc = c->trace[i];
		place_reached(pc);
		edge = FUZZ_KINDS + mix(mix(last) + pc) % (FUZZ_EDGES - FUZZ_KINDS);
		edges->bits[edge / 64] |= 1ULL << edge % 64;
		last = pc;
	}
	pthread_mutex_unlock(&places_lock);
}

void fuzz_edges_add_kind(struct fuzz_edges *edges, enum fuzz_kind kind)
{
	edges->bits[kind / 64] |= 1ULL << kind % 64;
}

unsigned int fuzz_edges_merge(struct fuzz_edges *to, const struct fuzz_edges *from)
{
	unsigned int i, added = 0;

	for (i = 0; i < ARRAY_SIZE(to->bits); i++) {
		added += __builtin_popcountll(from->bits[i] & ~to->bits[i]);
		to->bits[i] |= from->bits[i];
	}
	return added;
}

void fuzz_edges_subtract(struct fuzz_edges *from, const struct fuzz_edges *without)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(from->bits); i++)
		from->bits[i] &= ~without->bits[i];
}

bool fuzz_edges_contain(const struct fuzz_edges *edges, const struct fuzz_edges *all)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(edges->bits); i++)
		if (all->bits[i] & ~edges->bits[i])
			return false;
	return true;
}

unsigned int fuzz_edges_count(const struct fuzz_edges *edges)
{
	unsigned int i, count = 0;

	for (i = 0; i < ARRAY_SIZE(edges->bits); i++)
		count += __builtin_popcountll(edges->bits[i]);
	return count;
}

unsigned int fuzz_coverage_places(void)
{
	return nr_places;
}
