// SPDX-License-Identifier: GPL-2.0
/*
 * The bit Enable No Snoop of a device, which hardware may have as a constant. libpci finds
 * it; reading and writing goes by sysfs, since libpci ends the program when it fails, and
 * who restores the bit has to go on.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pci/pci.h>
#include <stdlib.h>
#include <unistd.h>

#include "device.h"
#include "no_snoop.h"
#include "root.h"
#include "text.h"

static struct pci_dev *find(struct pci_access *access, const char *device)
{
	struct pci_filter filter;
	struct pci_dev *dev;

	pci_filter_init(access, &filter);
	if (pci_filter_parse_slot(&filter, (char *)device))
		return NULL;
	for (dev = access->devices; dev; dev = dev->next)
		if (pci_filter_match(&filter, dev))
			return dev;
	return NULL;
}

unsigned int no_snoop_find(const char *device, uint16_t *control)
{
	struct pci_access *access = device_access();
	struct pci_cap *express = NULL;
	struct pci_dev *dev;
	unsigned int at = 0;

	if (!access)
		return 0;
	dev = find(access, device);
	if (dev) {
		pci_fill_info(dev, PCI_FILL_CAPS);
		express = pci_find_cap(dev, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);
	}
	if (express) {
		*control = pci_read_word(dev, express->addr + PCI_EXP_DEVCTL);
		/* A device that is gone or asleep reads as ones */
		if (*control != 0xffff)
			at = express->addr + PCI_EXP_DEVCTL;
	}
	pci_cleanup(access);
	return at;
}

/* Returns 0 or an errno */
static int transfer(const char *device, unsigned int at, uint16_t *control, bool writes)
{
	char *path = format("%s/sys/bus/pci/devices/%s/config", root, device);
	uint16_t word = htole16(*control);
	int fd, error = 0;
	ssize_t nr;

	fd = open(path, O_RDWR | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return errno;
	nr = writes ? pwrite(fd, &word, 2, at) : pread(fd, &word, 2, at);
	if (nr != 2)
		error = nr < 0 ? errno : EIO;
	else
		*control = le16toh(word);
	close(fd);
	return error;
}

int no_snoop_restore(const char *device, unsigned int at, uint16_t control)
{
	uint16_t now;
	int error = transfer(device, at, &now, false);

	if (error)
		return error;
	if (!((now ^ control) & PCI_EXP_DEVCTL_NOSNOOP))
		return 0;
	now ^= PCI_EXP_DEVCTL_NOSNOOP;
	return transfer(device, at, &now, true);
}

const char *no_snoop_try(const char *device, unsigned int at, uint16_t control)
{
	uint16_t other = control ^ PCI_EXP_DEVCTL_NOSNOOP, now;
	int error;

	if (!at)
		return "none";
	error = no_snoop_restore(device, at, other);
	if (!error)
		error = transfer(device, at, &now, false);
	if (error || no_snoop_restore(device, at, control))
		return "unknown, configuration space is closed";
	if ((now ^ control) & PCI_EXP_DEVCTL_NOSNOOP)
		return "can be set and cleared";
	return control & PCI_EXP_DEVCTL_NOSNOOP ? "hardwired to 1" : "hardwired to 0";
}
