// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-coherency watch: a line for each change of permission, each attachment that begins or
 * has ended, and each WBINVD of a guest, by tracepoints in a trace instance of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <tracefs.h>
#include <unistd.h>

#include "command.h"
#include "as_json.h"
#include "process.h"
#include "root.h"
#include "text.h"

#define INSTANCE	"kvm-coherency-"

#define NO_IOMMUFD	"iommufd is not loaded: what is attached there later is not shown"
#define NO_TRACEPOINT	"there is no tracepoint kvm:kvm_noncoherent_dma: KVM is not loaded, or does not follow coherency"
#define PERMISSION	"process %lld (%s): permission is %s, %lld CPUs flushed%s\n"
#define ATTACHMENT	"iommufd %lld: group %lld on page table %lld, PASID %lld: non-coherent DMA %s\n"

struct watching {
	const struct options *options;
	unsigned long left;
	int signals;
	bool done;
};

static unsigned long long field(struct tep_event *event, struct tep_record *record,
				const char *name)
{
	unsigned long long value = 0;

	tep_get_field_val(NULL, event, name, record, &value, 0);
	return value;
}

static void add_process(struct json_object *line, pid_t tid)
{
	pid_t pid = process_of_thread(tid);

	json_add_number(line, "pid", pid);
	json_take_text(line, "process", process_name(pid));
}

/* NULL if the event is none of these */
static struct json_object *line_of(struct tep_event *event, struct tep_record *record)
{
	struct json_object *line = json_new();
	char *time = format("%llu.%09llu", record->ts / 1000000000, record->ts % 1000000000);

	json_add(line, "time", json_object_new_double_s(record->ts / 1e9, time));
	free(time);
	if (!strcmp(event->name, "kvm_noncoherent_dma")) {
		json_add_text(line, "event", "permission");
		add_process(line, field(event, record, "vm"));
		json_add_flag(line, "on", field(event, record, "on"));
		json_add_flag(line, "zapped", field(event, record, "zapped"));
		json_add_number(line, "flushed_cpus", field(event, record, "flushed"));
	} else if (!strcmp(event->name, "kvm_wbinvd")) {
		json_add_text(line, "event", "wbinvd");
		add_process(line, tep_data_pid(event->tep, record));
		json_add_number(line, "vcpu", field(event, record, "vcpu_id"));
		json_add_number(line, "flushed_cpus", field(event, record, "flushed"));
	} else if (!strcmp(event->name, "iommufd_coherency")) {
		int group = field(event, record, "group");

		json_add_text(line, "event", "attachment");
		json_add_number(line, "iommufd", field(event, record, "ictx"));
		if (group >= 0) {
			json_add_number(line, "group", group);
			json_add_number(line, "page_table", field(event, record, "hwpt"));
			json_add_number(line, "pasid", field(event, record, "pasid"));
		} else {
			json_add_number(line, "access", field(event, record, "hwpt"));
		}
		json_add_flag(line, "on", field(event, record, "on"));
	} else {
		json_object_put(line);
		return NULL;
	}
	return line;
}

static void print_line(struct json_object *line)
{
	const char *event = json_text(line, "event"), *name = json_text(line, "process");
	const char *turn = json_flag(line, "on") ? "on" : "off";
	long long pid = json_number(line, "pid");

	printf("%s ", json_text(line, "time"));
	name = name ? name : "gone";
	if (!strcmp(event, "permission"))
		printf(PERMISSION, pid, name, turn, json_number(line, "flushed_cpus"),
		       json_flag(line, "zapped") ? ", page tables zapped" : "");
	else if (!strcmp(event, "wbinvd") && json_number(line, "flushed_cpus"))
		printf("process %lld (%s): WBINVD of vCPU %lld, %lld CPUs flushed\n", pid, name,
		       json_number(line, "vcpu"), json_number(line, "flushed_cpus"));
	else if (!strcmp(event, "wbinvd"))
		printf("process %lld (%s): WBINVD of vCPU %lld, ignored\n", pid, name,
		       json_number(line, "vcpu"));
	else if (json_at(line, "group"))
		printf(ATTACHMENT, json_number(line, "iommufd"), json_number(line, "group"),
		       json_number(line, "page_table"), json_number(line, "pasid"), turn);
	else
		printf("iommufd %lld: access %lld: non-coherent DMA %s\n",
		       json_number(line, "iommufd"), json_number(line, "access"), turn);
}

static bool ready(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

static int show(struct tep_event *event, struct tep_record *record, int cpu, void *data)
{
	struct watching *w = data;
	struct json_object *line;

	(void)cpu;
	if (record->missed_events)
		fprintf(stderr, "kvm-coherency: events came too fast, and some are missing here\n");
	line = line_of(event, record);
	if (!line)
		return 0;
	if (w->options->json)
		puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN));
	else
		print_line(line);
	json_object_put(line);
	/* Guests may be faster than this, so that there is always a next event */
	if (fflush(stdout) || (w->left && !--w->left) || ready(w->signals))
		w->done = true;
	return w->done;
}

static void remove_instance(struct tracefs_instance *instance)
{
	tracefs_instance_destroy(instance);
	tracefs_instance_free(instance);
}

/* What is left of one that was killed */
static void remove_stale(void)
{
	char **names = tracefs_instances("^" INSTANCE "[0-9][0-9]*$");
	struct tracefs_instance *instance;
	unsigned int i;

	for (i = 0; names && names[i]; i++) {
		if (!kill(atoi(names[i] + strlen(INSTANCE)), 0) || errno != ESRCH)
			continue;
		instance = tracefs_instance_create(names[i]);
		if (instance)
			remove_instance(instance);
	}
	tracefs_list_free(names);
}

static struct tracefs_instance *instance;
/* Nothing is read from it: it tells when there is something to read */
static int trace_pipe = -1;

static void remove_own(void)
{
	/* An instance of which a file is open cannot be removed */
	if (trace_pipe >= 0)
		close(trace_pipe);
	remove_instance(instance);
}

static void make_instance(void)
{
	char *name = format(INSTANCE "%d", getpid());

	errno = 0;
	instance = tracefs_instance_create(name);
	free(name);
	if (!instance && (errno == EACCES || errno == EPERM))
		die("tracing: %s: this needs root", strerror(errno));
	if (!instance)
		die("no trace instance can be made: %s", strerror(errno));
	atexit(remove_own);
	/* The clock by which debugfs tells since when something is attached */
	if (tracefs_instance_file_write(instance, "trace_clock", "boot") < 0)
		die("the clock of the trace cannot be set");
	/* Wake for each event. Kernels that do not know this do so anyway. */
	tracefs_instance_file_write(instance, "buffer_percent", "0");
}

static void enable(const char *system, const char *event)
{
	if (tracefs_event_enable(instance, system, event))
		die("the tracepoint %s:%s cannot be enabled: %s", system, event, strerror(errno));
}

static bool has(const char *system, const char *event)
{
	return tracefs_event_file_exists(NULL, system, event, "enable");
}

static void enable_all(void)
{
	enable("kvm", "kvm_noncoherent_dma");
	enable("kvm", "kvm_wbinvd");
	if (has("iommufd", "iommufd_coherency"))
		enable("iommufd", "iommufd_coherency");
	else
		fprintf(stderr, "kvm-coherency: %s\n", NO_IOMMUFD);
}

static void find_tracing(void)
{
	char *path;
	DIR *dir;

	if (*root) {
		path = format("%s/sys/kernel/tracing", root);
		if (tracefs_set_tracing_dir(path))
			die("%s is no directory of traces", path);
		free(path);
	}
	/* One that cannot be looked into is none for the library */
	if (!tracefs_tracing_dir() && geteuid())
		die("there is no tracefs to be seen: this needs root");
	if (!tracefs_tracing_dir())
		die("there is no tracefs: mount -t tracefs none /sys/kernel/tracing");
	dir = opendir(tracefs_tracing_dir());
	if (!dir && (errno == EACCES || errno == EPERM))
		die("%s: %s: this needs root", tracefs_tracing_dir(), strerror(errno));
	if (!dir)
		die("%s: %s", tracefs_tracing_dir(), strerror(errno));
	closedir(dir);
}

static int ending_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd: %s", strerror(errno));
	return fd;
}

void watch(const struct options *options)
{
	static const char *const systems[] = { "kvm", "iommufd", NULL };
	struct watching w = { .options = options, .left = options->count };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct tep_handle *tep;

	tep_set_loglevel(TEP_LOG_NONE);
	tracefs_set_loglevel(TEP_LOG_NONE);
	find_tracing();
	if (!has("kvm", "kvm_noncoherent_dma"))
		die(NO_TRACEPOINT);
	remove_stale();
	/* Before there is something to remove */
	w.signals = ending_signals();
	fds[0].fd = w.signals;
	make_instance();
	enable_all();
	tep = tracefs_local_events_system(NULL, systems);
	if (!tep)
		die("the formats of events cannot be read: %s", strerror(errno));
	trace_pipe = tracefs_instance_file_open(instance, "trace_pipe", O_RDONLY | O_NONBLOCK);
	if (trace_pipe < 0)
		die("trace_pipe: %s", strerror(errno));
	fds[1].fd = trace_pipe;
	fprintf(stderr, "kvm-coherency: watching\n");

	while (!w.done) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (fds[0].revents)
			break;
		if (fds[1].revents &&
		    tracefs_iterate_raw_events(tep, instance, NULL, 0, show, &w) < 0 && !w.done)
			die("events cannot be read: %s", strerror(errno));
	}
	close(fds[0].fd);
	tep_free(tep);
}
