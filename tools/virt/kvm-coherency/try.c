// SPDX-License-Identifier: GPL-2.0
/*
 * kvm-coherency try: takes a device through the steps of a VMM, with a guest that executes
 * WBINVD after each, and compares three who say whether caches were flushed: the state of the
 * device, KVM, and the clock.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assigned.h"
#include "binding.h"
#include "command.h"
#include "device.h"
#include "guardian.h"
#include "guest.h"
#include "may_try.h"
#include "no_snoop.h"
#include "root.h"
#include "text.h"
#include "timing.h"
#include "trial.h"
#include "vm.h"

static struct guest guest = { .vm = -1, .vcpu = -1, .kvm_vfio = -1 };
static struct assigned assigned = { .iommufd = -1, .device = -1 };
static const char *stop_at;

/* Also on the way out after an error. The guardian waits for those who have the device open. */
static int give_back(void)
{
	guest_close(&guest);
	guest = (struct guest){ .vm = -1, .vcpu = -1, .kvm_vfio = -1 };
	assigned_close(&assigned);
	return guardian_end();
}

static void give_back_at_exit(void)
{
	give_back();
}

static void done(const char *what)
{
	if (stop_at && !strcmp(stop_at, what))
		raise(SIGSTOP);
}

/* A vCPU that stays on one CPU has that one flushed, and the caches there are dirty */
static void stay_here(void)
{
	cpu_set_t cpus;
	int cpu = sched_getcpu();

	CPU_ZERO(&cpus);
	if (cpu >= 0 && cpu < CPU_SETSIZE)
		CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		die("sched_setaffinity: %s", strerror(errno));
}

/* What KVM says of the VM that is made here */
static struct json_object *own_vm(void)
{
	const struct open_files none = {};
	struct json_object *vms = vms_read(&none), *vm, *own = NULL;
	char *name = format("%d-%d", getpid(), guest.vm);
	size_t i;

	for (i = 0; i < json_object_array_length(vms); i++) {
		vm = json_object_array_get_idx(vms, i);
		if (json_text(vm, "vm") && !strcmp(json_text(vm, "vm"), name))
			own = json_object_get(vm);
	}
	if (!own)
		die("KVM tells nothing of the VM %s, which is this program's own", name);
	free(name);
	json_object_put(vms);
	return own;
}

static void open_device(const char *device)
{
	assigned_open_device(&assigned, device);
	guest_add_file(&guest, assigned.device);
}

static void bind_device(const char *device)
{
	(void)device;
	assigned_bind(&assigned);
}

static void attach(const char *device)
{
	(void)device;
	assigned_attach(&assigned, 0);
}

static void replace(const char *device)
{
	(void)device;
	assigned_attach(&assigned, 1);
}

static void detach(const char *device)
{
	(void)device;
	assigned_detach(&assigned);
}

static const struct step {
	const char *name;
	void (*take)(const char *device);
	bool attached;
} steps[] = {
	{ "opened", open_device, false },
	{ "bound", bind_device, false },
	{ "attached", attach, true },
	{ "replaced", replace, true },
	{ "detached", detach, false },
	{ "attached again", attach, true },
	{ "detached again", detach, false },
};

/* What the device can do by now: 1 non-coherent DMA, 0 none or coherent, -1 unknown */
static int noncoherent(const struct step *step, struct json_object *device)
{
	struct json_object *enforces = json_at(device, "iommu_enforces");

	if (!step->attached)
		return 0;
	return enforces ? !json_object_get_boolean(enforces) : -1;
}

static const char *dma(const struct step *step, int could)
{
	if (!step->attached)
		return "none";
	return could < 0 ? "unknown" : could ? "non-coherent" : "coherent";
}

static const char *verdict(int could, struct json_object *row, struct json_object *vm,
			   enum timed timed)
{
	bool flushed = json_number(row, "flushed") == TIMING_ROUNDS;
	long long other = json_number(row, flushed ? "ignored" : "flushed");

	if (other || json_number(row, flushed ? "flushed" : "ignored") != TIMING_ROUNDS)
		return "WRONG";
	if (could >= 0 && could != json_flag(vm, "permission"))
		return "WRONG";
	/* Permission is not enough where the policy is one under which nothing flushes */
	if (flushed != (json_flag(vm, "permission") && !strcmp(json_text(vm, "policy"), "follow")))
		return "WRONG";
	if (timed == TIMED_UNCLEAR)
		return "unclear";
	return flushed == (timed == TIMED_FLUSHED) ? "right" : "WRONG";
}

static struct json_object *run_step(const struct step *step, struct json_object *device)
{
	static const char *const by_time[] = { "ignored", "flushed", "unclear" };
	struct json_object *row = json_new(), *vm;
	int could = noncoherent(step, device);
	long long flushed, ignored;
	struct timing timing;
	enum timed timed;

	step->take(json_text(device, "device"));
	vm = own_vm();
	flushed = json_number(vm, "wbinvd_flushed");
	ignored = json_number(vm, "wbinvd_ignored");
	timing_take(&guest, &timing);
	timed = timing_judge(&timing);
	if (!vm_count(vm))
		die("KVM counts nothing of this program's own VM any more");

	json_add_text(row, "step", step->name);
	json_add_text(row, "dma", dma(step, could));
	json_add_flag(row, "permission", json_flag(vm, "permission"));
	json_add_number(row, "wbinvds", TIMING_ROUNDS);
	json_add_number(row, "flushed", json_number(vm, "wbinvd_flushed") - flushed);
	json_add_number(row, "ignored", json_number(vm, "wbinvd_ignored") - ignored);
	json_add_number(row, "cpuid_ns", timing.cpuid_ns);
	json_add_number(row, "wbinvd_ns", timing.wbinvd_ns);
	json_add_text(row, "by_time", by_time[timed]);
	json_add_text(row, "verdict", verdict(could, row, vm, timed));
	json_object_put(vm);
	done(step->name);
	return row;
}

/* From here on the device is not as it was found */
static void take_device(struct json_object *device, const struct binding *found)
{
	bool ready = found->driver && !strcmp(found->driver, "vfio-pci");
	int error = ready ? 0 : binding_release(found->device);

	if (error)
		die("%s: its driver does not let it go: %s", found->device, strerror(error));
	done("released");
	json_add_text(device, "no_snoop_bit",
		      no_snoop_try(found->device, found->control_at, found->control));
	if (!ready)
		binding_to_vfio(found->device);
	done("given");
}

static void add_ids(struct json_object *device)
{
	const char *name = json_text(device, "device");
	char *vendor = root_line("/sys/bus/pci/devices/%s/vendor", name);
	char *id = root_line("/sys/bus/pci/devices/%s/device", name);

	/* Behind their 0x */
	json_take_text(device, "ids", vendor && id ? format("%s:%s", vendor + 2, id + 2) : NULL);
	free(vendor);
	free(id);
}

static struct json_object *run_steps(struct json_object *device)
{
	struct json_object *rows = json_list();
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		json_append(rows, run_step(&steps[i], device));
	return rows;
}

static void finish(struct json_object *trial, struct json_object *device)
{
	struct json_object *rows = json_at(trial, "steps");

	json_add_text(trial, "verdict", trial_verdict(rows));
	json_add_flag(device, "restored", !give_back());
}

int try_device(const struct options *options, const char *bdf)
{
	struct json_object *devices = devices_read(), *trial = json_new(), *device, *vm;
	struct binding found;
	int status;

	device = json_object_get(may_try(devices, bdf, options->take));
	binding_read(&found, json_text(device, "device"));
	add_ids(device);
	stop_at = options->stop_at;
	stay_here();
	atexit(give_back_at_exit);
	/* Before there is a VM, of which a fork would have a part that keeps the device open */
	guardian_start(&found);
	done("guarded");
	guest_open(&guest);
	vm = own_vm();
	assigned_open_iommufd(&assigned);

	take_device(device, &found);
	json_add(trial, "device", device);
	json_add(trial, "machine", trial_machine());
	json_add_text(trial, "policy", json_text(vm, "policy"));
	json_add(trial, "steps", run_steps(device));
	finish(trial, device);
	status = !json_flag(device, "restored") ? 1 :
		 !strcmp(json_text(trial, "verdict"), "WRONG") ? 2 :
		 !strcmp(json_text(trial, "verdict"), "unclear");
	if (options->json)
		json_print(trial);
	else
		trial_print(trial);
	return status;
}
