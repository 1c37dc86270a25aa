// SPDX-License-Identifier: GPL-2.0
/*
 * Prints the frequency of this machine's TSC in kHz, which is also that of the TSC that
 * QEMU emulates here: it passes the machine's through. Prints nothing where there is no
 * TSC.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define MEASURED_NS	50000000

#ifdef __x86_64__
struct moment {
	uint64_t ns, tsc;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Of many readings that which took least: nothing else ran in between */
static struct moment read_both(void)
{
	struct moment best = {};
	uint64_t shortest = UINT64_MAX;
	int i;

	for (i = 0; i < 1000; i++) {
		uint64_t before = now_ns();
		uint64_t tsc = __builtin_ia32_rdtsc();
		uint64_t after = now_ns();

		if (after - before < shortest) {
			shortest = after - before;
			best = (struct moment){ before + shortest / 2, tsc };
		}
	}
	return best;
}

int main(void)
{
	const struct timespec measured = { .tv_nsec = MEASURED_NS };
	struct moment begin = read_both(), end;

	nanosleep(&measured, NULL);
	end = read_both();
	printf("%llu\n",
	       (unsigned long long)((end.tsc - begin.tsc) * 1000000 / (end.ns - begin.ns)));
	return 0;
}
#else
int main(void)
{
	return 0;
}
#endif
