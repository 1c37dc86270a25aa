// SPDX-License-Identifier: GPL-2.0
/*
 * Takes a device as kvm-coherency try does, on a /sys of a test, and is killed on the way:
 * the guardian has to make it as it was.
 *
 * killed ROOT DEVICE guarded|released|probing|given|failed|ended
 */
#include <pci/pci.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../binding.h"
#include "../guardian.h"
#include "../no_snoop.h"
#include "../root.h"
#include "../text.h"
#include "sysfs.h"

static void at(const char *here, const char *wanted)
{
	if (!strcmp(here, wanted))
		kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
	struct binding found;
	const char *device;

	if (argc != 4)
		return 3;
	root = argv[1];
	device = argv[2];
	binding_read(&found, device);
	sysfs_has(&found);
	guardian_start(&found);
	at("guarded", argv[3]);
	if (binding_release(device))
		die("it is not released");
	at("released", argv[3]);
	if (found.control_at)
		no_snoop_restore(device, found.control_at, found.control ^ PCI_EXP_DEVCTL_NOSNOOP);
	at("probing", argv[3]);
	printf("%s\n", no_snoop_try(device, found.control_at, found.control));
	binding_to_vfio(device);
	at("given", argv[3]);
	if (!strcmp(argv[3], "failed"))
		exit(1);
	return guardian_end() ? 1 : 0;
}
