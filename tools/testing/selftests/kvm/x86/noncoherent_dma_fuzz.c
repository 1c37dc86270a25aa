// SPDX-License-Identifier: GPL-2.0
/*
 * The fuzzer's main loop: replays the corpus, generates programs from it and from
 * scratch, and keeps those that reach new edges.
 *
 * Usage: noncoherent_dma_fuzz [options] mock|real
 *   -d DIR      directory with corpus/ and programs/, a 9p mount with the tag
 *               "fuzz" unless it is there already
 *   -s SECONDS  how long to fuzz after the corpus is replayed (default 60)
 *   -S SEED     of everything random (default 1)
 *   -r FILE     run this program, in DIR, once, and print each call's result
 *   -b BLOCKS   how many places of the kernel are instrumented
 *   -m          minimise programs that reach new edges, the corpus' included
 *
 * Three programs of four run on one thread, where the model checks each call. The
 * calls of the fourth are dealt to threads, one on each CPU but the first, on which
 * no vCPU may run: wbinvd_guest.h says why. Everything random comes from the seed,
 * but the scheduling of threads does not, nor does the number of programs that run
 * in SECONDS.
 *
 * On AMD needs the module guest_pat_ignorable, so that edges zap and flush.
 *
 * Leaves the final corpus in DIR/programs/, and the running program in DIR/current,
 * in case the kernel crashes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "noncoherent_dma.h"
#include "test_util.h"
#include "vfio_edu.h"

#define MAX_CORPUS	1024
#define MAX_THREADS	8
#define FIRST_CPU	1
#define MAX_CLOSING	32
/* One program in this many runs on several threads */
#define TURNS		4
/* The corpus alone has to reach this share of a run's edges, in percent */
#define CORPUS_SHARE	90
/* A replay of the corpus has to make at least this many comparisons with the model */
#define MIN_COMPARISONS	500

static const char *dir = "/run/fuzz";
static unsigned int seconds = 60, seed = 1, blocks;
static const char *replay;
static const char *machine;
static bool cut_corpus;

static struct {
	u64 tried;
	u64 succeeded;
	u64 refused;
	u64 skipped;
	u64 nanoseconds;	/* on one thread */
} counts[FUZZ_KINDS];

static struct fuzz_program corpus[MAX_CORPUS];
static unsigned int nr_corpus;
static struct fuzz_edges reached, threaded;
static u64 programs, threaded_programs;
static struct fuzz_coverage *coverage;
static int current = -1;
static struct timespec started;

static u64 nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static u64 elapsed(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - started.tv_sec - (now.tv_nsec < started.tv_nsec);
}

static void count(const struct fuzz_call *call, long ret)
{
	if (ret == FUZZ_SKIPPED) {
		__atomic_fetch_add(&counts[call->kind].skipped, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_add(&counts[call->kind].tried, 1, __ATOMIC_RELAXED);
	if (ret < 0)
		__atomic_fetch_add(&counts[call->kind].refused, 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&counts[call->kind].succeeded, 1, __ATOMIC_RELAXED);
}

/* Looks for reports of sanitizers, lockdep and warnings in the kernel's log */
static bool kernel_complained(char *why, size_t size)
{
	static const char * const signs[] = {
		"WARNING:", "BUG:", "UBSAN:", "ODEBUG:", "refcount_t:",
	};
	static int log = -1;
	char record[1024];
	ssize_t len;
	size_t i;

	if (log < 0) {
		log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		TEST_ASSERT(log >= 0 && !lseek(log, 0, SEEK_END), "/dev/kmsg cannot be read");
	}
	/* EPIPE: records were overwritten before they were read */
	while ((len = read(log, record, sizeof(record) - 1)) > 0 || (len < 0 && errno == EPIPE)) {
		record[len < 0 ? 0 : len] = 0;
		for (i = 0; i < ARRAY_SIZE(signs); i++) {
			if (!strstr(record, signs[i]))
				continue;
			snprintf(why, size, "the kernel complained: %.*s",
				 (int)strcspn(strstr(record, signs[i]), "\n"),
				 strstr(record, signs[i]));
			lseek(log, 0, SEEK_END);
			return true;
		}
	}
	return false;
}

static bool check_leftovers(char *why, size_t size)
{
	unsigned int i, alive = vms_alive();

	for (i = 0; i < FUZZ_VMS; i++)
		alive -= fuzz_exec_vm_is_open(i);
	if (kernel_complained(why, size))
		return false;
	if (alive) {
		snprintf(why, size, "%d VMs are left when all is closed", (int)alive);
		return false;
	}
	return true;
}

static void record(const struct fuzz_program *p)
{
	char text[FUZZ_MAX_CALLS * 48];
	FILE *file = fmemopen(text, sizeof(text), "w");
	long len;

	fuzz_program_write(p, file);
	fflush(file);
	len = ftell(file);
	fclose(file);
	TEST_ASSERT(pwrite(current, text, len, 0) == len && !ftruncate(current, len),
		    "%s/current cannot be written", dir);
}

/* Executes one call, with coverage, and compares its result with the model */
static bool step(const struct fuzz_call *call, struct fuzz_edges *edges, char *why, size_t size)
{
	u64 since = nanoseconds();
	long ret;

	fuzz_coverage_start(coverage);
	ret = fuzz_exec_call(call);
	counts[call->kind].nanoseconds += nanoseconds() - since;
	fuzz_coverage_collect(coverage, edges);
	if (ret >= 0)
		fuzz_edges_add_kind(edges, call->kind);
	count(call, ret);
	if (replay) {
		fuzz_call_write(call, stdout);
		printf("# %s\n", ret == FUZZ_SKIPPED ? "left out" :
		       ret < 0 ? strerror(-ret) : "done");
	}
	return fuzz_model_check(call, ret, why, size);
}

/* VMs outlive programs, and each program expects them to be open */
static bool open_vms(char *why, size_t size)
{
	static struct fuzz_edges nobody;
	struct fuzz_call call = { .kind = FUZZ_VM_OPEN };
	bool good = true;

	for (call.arg[0] = 0; call.arg[0] < FUZZ_VMS; call.arg[0]++)
		good &= step(&call, &nobody, why, size);
	return good;
}

static bool run_serial(const struct fuzz_program *p, struct fuzz_edges *edges, char *why,
		       size_t size)
{
	struct fuzz_call closing[MAX_CLOSING];
	unsigned int i, nr = fuzz_exec_closing(closing, p->nr);
	bool good;

	record(p);
	programs++;
	memset(edges, 0, sizeof(*edges));
	fuzz_model_reset();
	good = open_vms(why, size);
	for (i = 0; i < p->nr && good; i++)
		good = step(&p->calls[i], edges, why, size);
	for (i = 0; i < nr; i++)
		if (good)
			good = step(&closing[i], edges, why, size);
		else
			fuzz_exec_call(&closing[i]);
	if (!good)
		fuzz_model_forget();
	return good && check_leftovers(why, size);
}

/* Removes calls that are not needed to reach @edges or, without @edges, to fail */
static void minimise(struct fuzz_program *p, const struct fuzz_edges *edges)
{
	static struct fuzz_edges got;
	struct fuzz_program shorter;
	unsigned int at = p->nr;
	char why[256];
	bool good;

	while (at--) {
		shorter = *p;
		fuzz_program_cut(&shorter, at);
		good = run_serial(&shorter, &got, why, sizeof(why));
		if (edges ? good && fuzz_edges_contain(&got, edges) : !good)
			*p = shorter;
		else if (edges && !good)
			return;
	}
}

static int fail(const struct fuzz_program *p, const char *why, bool is_threaded)
{
	struct fuzz_program shorter = *p;

	printf("not ok 1 - %s: seed %u, %s program %llu\n", why, seed,
	       is_threaded ? "threaded" : "serial", (unsigned long long)programs);
	printf("# %s\n", is_threaded ? "program, whose calls were dealt to threads:" : "program:");
	fuzz_program_write(p, stdout);
	if (!is_threaded && !replay) {
		minimise(&shorter, NULL);
		printf("# as short as it still fails:\n");
		fuzz_program_write(&shorter, stdout);
	}
	printf("# end of program\n1..1\n");
	fflush(stdout);
	return 1;
}

/* Threads */

static struct {
	const struct fuzz_program *program;
	u8 thread_of[FUZZ_MAX_CALLS];
	pthread_barrier_t start;
	pthread_barrier_t end;
	unsigned int nr;
	struct fuzz_edges edges[MAX_THREADS];
} team;

static void pin_self_to(unsigned int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	TEST_ASSERT(!sched_setaffinity(0, sizeof(cpus), &cpus), "sched_setaffinity failed");
}

static void *team_member(void *data)
{
	unsigned int i, self = (unsigned long)data;
	struct fuzz_coverage *c;
	long ret;

	pin_self_to(FIRST_CPU + self);
	fuzz_exec_thread();
	c = fuzz_coverage_open();
	for (;;) {
		pthread_barrier_wait(&team.start);
		for (i = 0; i < team.program->nr; i++) {
			if (team.thread_of[i] != self)
				continue;
			fuzz_coverage_start(c);
			ret = fuzz_exec_call(&team.program->calls[i]);
			fuzz_coverage_collect(c, &team.edges[self]);
			count(&team.program->calls[i], ret);
		}
		pthread_barrier_wait(&team.end);
	}
	return NULL;
}

static void team_create(void)
{
	pthread_t thread;
	unsigned long i;

	team.nr = get_nprocs() - FIRST_CPU;
	if (team.nr > MAX_THREADS)
		team.nr = MAX_THREADS;
	pthread_barrier_init(&team.start, NULL, team.nr + 1);
	pthread_barrier_init(&team.end, NULL, team.nr + 1);
	for (i = 0; i < team.nr; i++)
		TEST_ASSERT(!pthread_create(&thread, NULL, team_member, (void *)i), "no thread");
}

/* Checks that no VM has permission, unless an attachment may have @lost its slot */
static bool check_off(bool lost, char *why, size_t size)
{
	struct kvm_coherency_status status;
	unsigned int i;

	for (i = 0; i < FUZZ_VMS; i++) {
		if (!fuzz_exec_status(i, &status))
			continue;
		if ((status.flags & KVM_COHERENCY_NONCOHERENT) != (status.edges & 1)) {
			snprintf(why, size, "VM %u: flags %u after %llu edges", i, status.flags,
				 (unsigned long long)status.edges);
			return false;
		}
		if (status.flags && !lost) {
			snprintf(why, size, "VM %u: permission when nothing is attached", i);
			return false;
		}
	}
	return true;
}

static bool is_device_of_vm(const struct fuzz_call *call)
{
	return call->kind == FUZZ_DEV_CLOSE || call->kind == FUZZ_POLICY;
}

static bool run_threaded(const struct fuzz_program *p, char *why, size_t size)
{
	struct fuzz_call closing[MAX_CLOSING];
	unsigned int i, nr = fuzz_exec_closing(closing, 0);
	bool keeps = fuzz_any(2), good;

	open_vms(why, size);
	for (i = 0; i < p->nr; i++)
		team.thread_of[i] = fuzz_any(team.nr);
	record(p);
	programs++;
	threaded_programs++;
	fuzz_exec_keep(keeps);
	team.program = p;
	pthread_barrier_wait(&team.start);
	pthread_barrier_wait(&team.end);

	for (i = 0; i < nr; i++)
		if (!is_device_of_vm(&closing[i]))
			fuzz_exec_call(&closing[i]);
	fuzz_exec_let_go();
	good = check_off(!keeps, why, size);
	for (i = 0; i < nr; i++)
		if (is_device_of_vm(&closing[i]))
			fuzz_exec_call(&closing[i]);
	fuzz_model_forget();
	return good && check_leftovers(why, size);
}

/* The corpus */

static int is_program(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool keep_if_new(struct fuzz_program *p, struct fuzz_edges *edges)
{
	static struct fuzz_edges fresh;
	char why[256];

	if (nr_corpus == MAX_CORPUS || fuzz_edges_contain(&reached, edges))
		return false;
	/* Minimising takes longer than finding a program, so do it only for the tree's corpus */
	if (cut_corpus) {
		fresh = *edges;
		fuzz_edges_subtract(&fresh, &reached);
		minimise(p, &fresh);
		if (!run_serial(p, edges, why, sizeof(why)))
			return false;
	}
	fuzz_edges_merge(&reached, edges);
	corpus[nr_corpus++] = *p;
	return true;
}

/* Returns false if a program of the corpus fails, with that program in @p, and @why */
static bool corpus_load(struct fuzz_program *p, char *why, size_t size)
{
	static struct fuzz_edges edges;
	struct dirent **entries;
	char path[512];
	int i, nr;
	FILE *file;

	snprintf(path, sizeof(path), "%s/corpus", dir);
	nr = scandir(path, &entries, is_program, alphasort);
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/corpus/%s", dir, entries[i]->d_name);
		file = fopen(path, "r");
		TEST_ASSERT(file && fuzz_program_read(p, file), "%s is no program", path);
		fclose(file);
		if (!run_serial(p, &edges, why, size))
			return false;
		if (!keep_if_new(p, &edges))
			printf("# %s reaches nothing new\n", entries[i]->d_name);
	}
	printf("# corpus: %d programs, of which %u reach something new, %u edges\n",
	       nr < 0 ? 0 : nr, nr_corpus, fuzz_edges_count(&reached));
	return true;
}

/* Writes each program to a file named by the hash of its text */
static void corpus_write(void)
{
	char text[FUZZ_MAX_CALLS * 48], path[512];
	unsigned int i, j, hash, len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/programs", dir);
	mkdir(path, 0777);
	for (i = 0; i < nr_corpus; i++) {
		file = fmemopen(text, sizeof(text), "w");
		fuzz_program_write(&corpus[i], file);
		fflush(file);
		len = ftell(file);
		fclose(file);
		for (hash = 2166136261U, j = 0; j < len; j++)
			hash = (hash ^ (u8)text[j]) * 16777619U;
		snprintf(path, sizeof(path), "%s/programs/%08x", dir, hash);
		file = fopen(path, "w");
		TEST_ASSERT(file && fwrite(text, 1, len, file) == len && !fclose(file),
			    "%s cannot be written", path);
	}
}

static void show_progress(void)
{
	printf("# %llu s: %llu programs, %llu of them threaded, %u edges, corpus %u\n",
	       (unsigned long long)elapsed(), (unsigned long long)programs,
	       (unsigned long long)threaded_programs, fuzz_edges_count(&reached), nr_corpus);
	fflush(stdout);
}

static void next_program(struct fuzz_program *p)
{
	if (!nr_corpus || !fuzz_any(5)) {
		fuzz_program_new(p);
		return;
	}
	*p = corpus[fuzz_any(nr_corpus)];
	fuzz_program_mutate(p, &corpus[fuzz_any(nr_corpus)]);
}

static int loop(void)
{
	static struct fuzz_edges edges;
	struct fuzz_program p;
	unsigned int turn = 0;
	u64 shown = 0;
	char why[256];

	/* Run at least one threaded program, even on a slow machine */
	while (elapsed() < seconds || turn < TURNS) {
		if (elapsed() >= shown + 10) {
			shown = elapsed();
			show_progress();
		}
		next_program(&p);
		if (++turn % TURNS == 0) {
			if (!run_threaded(&p, why, sizeof(why)))
				return fail(&p, why, true);
			continue;
		}
		if (!run_serial(&p, &edges, why, sizeof(why)))
			return fail(&p, why, false);
		keep_if_new(&p, &edges);
	}
	return 0;
}

/* Results */

static void show_table(void)
{
	unsigned int i;

	printf("# %-16s %10s %10s %10s %10s %10s\n", "call", "tried", "succeeded", "refused",
	       "left out", "ms in all");
	for (i = 0; i < FUZZ_KINDS; i++)
		if (fuzz_infos[i].machines & fuzz.machine)
			printf("# %-16s %10llu %10llu %10llu %10llu %10llu\n",
			       fuzz_infos[i].name,
			       (unsigned long long)counts[i].tried,
			       (unsigned long long)counts[i].succeeded,
			       (unsigned long long)counts[i].refused,
			       (unsigned long long)counts[i].skipped,
			       (unsigned long long)counts[i].nanoseconds / 1000000);
}

static unsigned int points, points_failed;

static void point(bool good, const char *text)
{
	points_failed += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", ++points, text);
}

/* Traces edges that zapped and flushed. The trace buffer keeps the last ones. */
static void trace_work(bool on)
{
	trace_write("events/kvm/kvm_noncoherent_dma/filter",
		    on ? "zapped == 1 && flushed > 0" : "0");
	trace_event("kvm/kvm_noncoherent_dma", on);
}

static int report(unsigned int corpus_edges, u64 corpus_comparisons)
{
	unsigned int i, edges, work, never = 0;
	char text[256];

	for (i = 0; i < team.nr; i++)
		fuzz_edges_merge(&threaded, &team.edges[i]);
	edges = fuzz_edges_count(&reached);
	fuzz_edges_subtract(&threaded, &reached);
	show_progress();
	show_table();
	printf("# %u edges by threads alone; %u of %u instrumented places\n",
	       fuzz_edges_count(&threaded), fuzz_coverage_places(), blocks);

	for (i = 0; i < FUZZ_KINDS; i++) {
		if (!(fuzz_infos[i].machines & fuzz.machine) || counts[i].succeeded)
			continue;
		printf("# %s never succeeded\n", fuzz_infos[i].name);
		never++;
	}
	snprintf(text, sizeof(text), "the model agreed in %llu comparisons, %llu by the corpus",
		 (unsigned long long)fuzz_model_comparisons(),
		 (unsigned long long)corpus_comparisons);
	point(corpus_comparisons >= MIN_COMPARISONS, text);
	snprintf(text, sizeof(text), "%u kinds of calls never succeeded", never);
	point(!never, text);
	snprintf(text, sizeof(text), "the corpus reaches %u of %u edges, %u %% at least",
		 corpus_edges, edges, CORPUS_SHARE);
	point(corpus_edges * 100 >= edges * CORPUS_SHARE, text);
	snprintf(text, sizeof(text), "%llu programs ran on several threads",
		 (unsigned long long)threaded_programs);
	point(threaded_programs, text);
	trace_work(false);
	work = trace_lines("kvm_noncoherent_dma", NULL, NULL);
	snprintf(text, sizeof(text), "at least %u edges zapped and flushed", work);
	point(work, text);
	printf("1..%u\n", points);
	return points_failed ? 1 : 0;
}

static void open_dir(void)
{
	char path[512];

	mkdir(dir, 0777);
	snprintf(path, sizeof(path), "%s/corpus", dir);
	if (access(path, F_OK))
		TEST_ASSERT(!mount("fuzz", dir, "9p", 0, "trans=virtio,version=9p2000.L"),
			    "%s cannot be mounted: %s", dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/current", dir);
	current = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	TEST_ASSERT(current >= 0, "%s cannot be created", path);
}

static int run_once(void)
{
	static struct fuzz_edges edges;
	struct fuzz_program p;
	char path[512], why[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, replay);
	file = fopen(path, "r");
	TEST_ASSERT(file && fuzz_program_read(&p, file), "%s is no program", path);
	fclose(file);
	if (!run_serial(&p, &edges, why, sizeof(why)))
		return fail(&p, why, false);
	printf("ok 1 - %u edges, and the model agreed\n1..1\n", fuzz_edges_count(&edges));
	return 0;
}

static void parse(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "d:s:S:r:b:m")) != -1) {
		switch (opt) {
		case 'd':
			dir = optarg;
			break;
		case 's':
			seconds = atoi_non_negative("SECONDS", optarg);
			break;
		case 'S':
			seed = atoi_non_negative("SEED", optarg);
			break;
		case 'r':
			replay = optarg;
			break;
		case 'm':
			cut_corpus = true;
			break;
		case 'b':
			blocks = atoi_non_negative("BLOCKS", optarg);
			break;
		default:
			exit(2);
		}
	}
	machine = optind < argc ? argv[optind] : "";
	fuzz.machine = !strcmp(machine, "mock") ? FUZZ_MOCK : FUZZ_REAL;
	TEST_ASSERT(fuzz.machine == FUZZ_MOCK || !strcmp(machine, "real"), "mock or real?");
}

int main(int argc, char **argv)
{
	unsigned int corpus_edges;
	struct fuzz_program p;
	u64 corpus_comparisons;
	char why[256];
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(argc, argv);
	__TEST_REQUIRE(guest_pat_is_ignored(), "needs the module guest_pat_ignorable");
	if (fuzz.machine == FUZZ_REAL) {
		fuzz.enforces = !vfio_edu_is_noncoherent();
		TEST_ASSERT(vfio_edu_address(FUZZ_DEVICES - 1), "needs %d edu devices",
			    FUZZ_DEVICES);
	}
	fuzz.random = seed;
	open_dir();
	fuzz_exec_init();
	coverage = fuzz_coverage_open();
	TEST_ASSERT(get_nprocs() > FIRST_CPU + 1, "needs %d CPUs", FIRST_CPU + 2);
	pin_self_to(FIRST_CPU);
	printf("# seed %u, %u s\n", seed, seconds);
	/* Skip what the log has from before the first program */
	kernel_complained(why, sizeof(why));
	trace_work(true);
	if (replay)
		return run_once();

	if (!corpus_load(&p, why, sizeof(why)))
		return fail(&p, why, false);
	corpus_edges = fuzz_edges_count(&reached);
	corpus_comparisons = fuzz_model_comparisons();
	team_create();
	clock_gettime(CLOCK_MONOTONIC, &started);
	ret = loop();
	if (!ret)
		ret = report(corpus_edges, corpus_comparisons);
	corpus_write();
	return ret;
}
