/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BINDING_H
#define BINDING_H

#include <stdint.h>

/**
 * struct binding - What a device was found with
 * @device: Its name in sysfs
 * @driver: Its driver, or NULL
 * @override: What was in driver_override, empty for nothing
 * @control_at: Where in configuration space Device Control is, 0 if it has none
 * @control: What was in it
 */
struct binding {
	char *device;
	char *driver;
	char *override;
	unsigned int control_at;
	uint16_t control;
};

/* Dies if it cannot be read */
void binding_read(struct binding *binding, const char *device);

/* Takes the device from its driver; returns 0 or an errno */
int binding_release(const char *device);

/* Gives a device without driver to vfio-pci; dies if vfio-pci does not take it */
void binding_to_vfio(const char *device);

/*
 * Makes all of it as found, whatever there is now. Waits until those who have the device
 * open by vfio-pci have closed it. Returns 0, or -1 after telling why on stderr; what else
 * can be restored is.
 */
int binding_restore(const struct binding *binding);

#endif
