// SPDX-License-Identifier: GPL-2.0
/* The report of kvm-coherency try. It has nothing that tells one machine of a kind from another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "root.h"
#include "table.h"
#include "text.h"
#include "trial.h"

#define RIGHT		"Right in each step: the guest's WBINVD flushed caches when non-coherent DMA was possible, and only then."
#define WRONG		"WRONG: what KVM says, what the device can do and how long WBINVD took do not fit."
#define UNCLEAR		"Unclear: the times do not tell an ignored WBINVD from one that flushes. Try again on a machine that has nothing else to do."
#define SEND		"Please send this report, whole, to those who maintain kvm-iommufd: it has no serial numbers and no names of yours."

/* What is behind @key in the first processor's part of /proc/cpuinfo */
static char *cpu_line(const char *key)
{
	FILE *file = root_file("/proc/cpuinfo");
	size_t size = 0, length = strlen(key);
	char *line = NULL, *value = NULL;

	while (file && !value && getline(&line, &size, file) > 0)
		if (!strncmp(line, key, length) && strchr(line, ':'))
			value = format("%s", strchr(line, ':') + 1);
	free(line);
	if (file)
		fclose(file);
	if (value)
		value[strcspn(value, "\n")] = 0;
	return value;
}

struct json_object *trial_machine(void)
{
	struct json_object *machine = json_new();
	char *model = cpu_line("model name"), *flags = cpu_line("flags");
	struct utsname kernel;

	if (uname(&kernel))
		die("the kernel's version cannot be read");
	json_add_text(machine, "kernel", kernel.release);
	json_add_text(machine, "cpu", model ? model + strspn(model, " ") : "unknown");
	json_add_flag(machine, "virtual", flags && strstr(flags, " hypervisor"));
	free(flags);
	free(model);
	return machine;
}

const char *trial_verdict(struct json_object *steps)
{
	size_t i, nr = json_object_array_length(steps);
	const char *verdict = "right";

	for (i = 0; i < nr; i++) {
		const char *of = json_text(json_object_array_get_idx(steps, i), "verdict");

		if (!strcmp(of, "WRONG"))
			return "WRONG";
		if (strcmp(of, "right"))
			verdict = "unclear";
	}
	return verdict;
}

static char *step_cell(struct json_object *step)
{
	return cell(step, "step");
}

static char *dma_cell(struct json_object *step)
{
	return cell(step, "dma");
}

static char *permission_cell(struct json_object *step)
{
	return format("%s", json_flag(step, "permission") ? "on" : "off");
}

static char *flushed_cell(struct json_object *step)
{
	return format("%lld of %lld", json_number(step, "flushed"), json_number(step, "wbinvds"));
}

static char *microseconds(struct json_object *step, const char *key)
{
	return format("%.1f us", json_number(step, key) / 1000.0);
}

static char *cpuid_cell(struct json_object *step)
{
	return microseconds(step, "cpuid_ns");
}

static char *wbinvd_cell(struct json_object *step)
{
	return microseconds(step, "wbinvd_ns");
}

static char *by_time_cell(struct json_object *step)
{
	return cell(step, "by_time");
}

static char *verdict_cell(struct json_object *step)
{
	return cell(step, "verdict");
}

static const struct column columns[] = {
	{ "STEP", step_cell },
	{ "DMA", dma_cell },
	{ "KVM SAYS", permission_cell },
	{ "KVM FLUSHED", flushed_cell },
	{ "CPUID", cpuid_cell },
	{ "WBINVD", wbinvd_cell },
	{ "BY TIME", by_time_cell },
	{ "VERDICT", verdict_cell },
	{}
};

static void print_device(struct json_object *device)
{
	const char *driver = json_text(device, "driver"), *iommu = json_text(device, "iommu");

	printf("Device: %s [%s], %s: %s\n", json_text(device, "device"), json_text(device, "ids"),
	       json_text(device, "class"), json_text(device, "description"));
	printf("IOMMU: %s, %s\n", iommu ? iommu : "unknown", json_text(device, "why"));
	printf("Enable No Snoop: %s as found, %s\n", json_text(device, "no_snoop"),
	       json_text(device, "no_snoop_bit"));
	printf("Driver: %s, and %s\n", driver ? driver : "none",
	       json_flag(device, "restored") ? "as found again" : "NOT as found: see stderr");
}

static void print_verdict(const char *verdict)
{
	if (!strcmp(verdict, "right"))
		puts(RIGHT);
	else if (!strcmp(verdict, "WRONG"))
		puts(WRONG);
	else
		puts(UNCLEAR);
}

void trial_print(struct json_object *trial)
{
	struct json_object *machine = json_at(trial, "machine");

	puts("kvm-coherency try: report");
	print_device(json_at(trial, "device"));
	printf("Kernel: %s, policy %s\n", json_text(machine, "kernel"), json_text(trial, "policy"));
	printf("CPU: %s%s\n\n", json_text(machine, "cpu"),
	       json_flag(machine, "virtual") ? ", in a virtual machine" : "");
	table_print(columns, json_at(trial, "steps"));
	putchar('\n');
	print_verdict(json_text(trial, "verdict"));
	puts(SEND);
}
