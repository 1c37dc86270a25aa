// SPDX-License-Identifier: GPL-2.0
/*
 * Gives kvm-coherency watch records of the three tracepoints, as the kernel lays them out,
 * without a kernel that has them. Prints the lines that it makes of them, as text or, with
 * an argument, as JSON. The processes are those of the directory in ROOT.
 */
#include "../watch.c"

#define COMMON						\
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"		\
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"		\
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"	\
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

enum { PERMISSION_EVENT = 1, WBINVD_EVENT, ATTACHMENT_EVENT };

struct common {
	unsigned short type;
	unsigned char flags;
	unsigned char preempt_count;
	int pid;
};

struct permission {
	struct common common;
	int vm;
	bool on;
	bool zapped;
	unsigned int flushed;
};

struct wbinvd {
	struct common common;
	unsigned int vcpu_id;
	unsigned int flushed;
};

struct attachment {
	struct common common;
	unsigned long long ictx;
	int group;
	unsigned int pasid;
	unsigned int hwpt;
	bool on;
};

static struct tep_handle *tep;
static struct watching watching;

static void add_event(const char *system, const char *name, int id, const char *fields)
{
	char *text = format("name: %s\nID: %d\nformat:\n" COMMON "%s\n"
			    "print fmt: \"%%d\", REC->on\n", name, id, fields);

	if (tep_parse_event(tep, text, strlen(text), system))
		die("the format of %s is wrong", name);
	free(text);
}

static void add_events(void)
{
	add_event("kvm", "kvm_noncoherent_dma", PERMISSION_EVENT,
		  "\tfield:pid_t vm;\toffset:8;\tsize:4;\tsigned:1;\n"
		  "\tfield:bool on;\toffset:12;\tsize:1;\tsigned:0;\n"
		  "\tfield:bool zapped;\toffset:13;\tsize:1;\tsigned:0;\n"
		  "\tfield:unsigned int flushed;\toffset:16;\tsize:4;\tsigned:0;\n");
	add_event("kvm", "kvm_wbinvd", WBINVD_EVENT,
		  "\tfield:unsigned int vcpu_id;\toffset:8;\tsize:4;\tsigned:0;\n"
		  "\tfield:unsigned int flushed;\toffset:12;\tsize:4;\tsigned:0;\n");
	add_event("iommufd", "iommufd_coherency", ATTACHMENT_EVENT,
		  "\tfield:u64 ictx;\toffset:8;\tsize:8;\tsigned:0;\n"
		  "\tfield:int group;\toffset:16;\tsize:4;\tsigned:1;\n"
		  "\tfield:u32 pasid;\toffset:20;\tsize:4;\tsigned:0;\n"
		  "\tfield:u32 hwpt;\toffset:24;\tsize:4;\tsigned:0;\n"
		  "\tfield:bool on;\toffset:28;\tsize:1;\tsigned:0;\n");
}

/* The time goes on by a nanosecond */
static void record(void *data, int size)
{
	static unsigned long long time = 61123456789;
	struct common *common = data;
	struct tep_record record = {
		.ts = time++,
		.data = data,
		.size = size,
		.record_size = size,
		.ref_count = 1,
	};

	show(tep_find_event(tep, common->type), &record, 0, &watching);
}

int main(int argc, char **argv)
{
	struct options options = { .json = argc > 1 };
	struct permission permission = { { .type = PERMISSION_EVENT }, 4200001, true, true, 3 };
	struct wbinvd wbinvd = { { .type = WBINVD_EVENT, .pid = 4200002 }, 3, 1 };
	struct attachment attachment = { { .type = ATTACHMENT_EVENT }, 7, 5, 0, 4, true };

	(void)argv;
	root = getenv("ROOT");
	if (!root)
		die("say ROOT in the environment");
	watching.options = &options;
	/* No signal comes by this */
	watching.signals = -1;
	watching.left = 6;
	tep = tep_alloc();
	if (!tep)
		die("out of memory");
	add_events();

	record(&attachment, sizeof(attachment));
	record(&permission, sizeof(permission));
	record(&wbinvd, sizeof(wbinvd));
	attachment.on = false;
	attachment.group = -1;
	record(&attachment, sizeof(attachment));
	permission = (struct permission){ { .type = PERMISSION_EVENT }, 4999999, false, false, 0 };
	record(&permission, sizeof(permission));
	wbinvd.flushed = 0;
	if (watching.done)
		die("it is done before the last event");
	record(&wbinvd, sizeof(wbinvd));
	if (!watching.done)
		die("it is not done after the last event");
	tep_free(tep);
	return 0;
}
