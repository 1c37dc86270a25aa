// SPDX-License-Identifier: GPL-2.0
/* kvm-coherency list: the VMs of this machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "table.h"
#include "text.h"
#include "vm.h"

#define UNKNOWN	"unknown: KVM tells nothing about these VMs in debugfs, where others had their names first."

static char *vm_cell(struct json_object *vm)
{
	return cell(vm, "vm");
}

static char *process_cell(struct json_object *vm)
{
	const char *name = json_text(vm, "process");

	return name ? format("%lld %s", json_number(vm, "pid"), name) : format("-");
}

static char *name_cell(struct json_object *vm)
{
	return cell(vm, "name");
}

static char *permission_cell(struct json_object *vm)
{
	if (!json_at(vm, "vm"))
		return format("unknown");
	return format("%s", json_flag(vm, "permission") ? "on" : "off");
}

static char *policy_cell(struct json_object *vm)
{
	return cell(vm, "policy");
}

static char *flushed_cell(struct json_object *vm)
{
	return cell(vm, "wbinvd_flushed");
}

static char *ignored_cell(struct json_object *vm)
{
	return cell(vm, "wbinvd_ignored");
}

static char *rate_cell(struct json_object *vm)
{
	if (!json_at(vm, "flushed_per_second"))
		return format("-");
	return format("%.1f", json_object_get_double(json_at(vm, "flushed_per_second")));
}

static const struct column columns[] = {
	{ "VM", vm_cell },
	{ "PROCESS", process_cell },
	{ "NAME", name_cell },
	{ "PERMISSION", permission_cell },
	{ "POLICY", policy_cell },
	{ "FLUSHED", flushed_cell },
	{ "IGNORED", ignored_cell },
	{ "FLUSHED/S", rate_cell },
	{}
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void pause_for(double seconds)
{
	struct timespec ts = { .tv_sec = seconds };

	ts.tv_nsec = (seconds - ts.tv_sec) * 1e9;
	nanosleep(&ts, NULL);
}

static void add_rates(struct json_object *vms, double interval)
{
	size_t i, nr = json_object_array_length(vms);
	long long before[nr + 1];
	double began = now();

	for (i = 0; i < nr; i++)
		before[i] = json_number(json_object_array_get_idx(vms, i), "wbinvd_flushed");
	pause_for(interval);
	for (i = 0; i < nr; i++) {
		struct json_object *vm = json_object_array_get_idx(vms, i);

		/* One that has ended meanwhile has no rate */
		if (json_at(vm, "vm") && vm_count(vm))
			json_add(vm, "flushed_per_second",
				 json_object_new_double((json_number(vm, "wbinvd_flushed") -
							 before[i]) / (now() - began)));
	}
}

static bool any_unknown(struct json_object *vms)
{
	size_t i, nr = json_object_array_length(vms);

	for (i = 0; i < nr; i++)
		if (!json_at(json_object_array_get_idx(vms, i), "vm"))
			return true;
	return false;
}

void list(const struct options *options)
{
	struct open_files files;
	struct json_object *vms;
	size_t i, nr;

	open_files_read(&files);
	vms = vms_read(&files);
	open_files_warn(&files);
	nr = json_object_array_length(vms);
	if (options->interval > 0 && nr)
		add_rates(vms, options->interval);
	if (options->json) {
		struct json_object *all = json_new();

		for (i = 0; i < nr; i++)
			json_object_object_del(json_object_array_get_idx(vms, i), "sources");
		json_add(all, "vms", vms);
		json_add_number(all, "closed_processes", files.closed);
		json_print(all);
		open_files_free(&files);
		return;
	}
	if (nr)
		table_print(columns, vms);
	else
		puts("There is no VM.");
	if (any_unknown(vms))
		puts(UNKNOWN);
	json_object_put(vms);
	open_files_free(&files);
}
