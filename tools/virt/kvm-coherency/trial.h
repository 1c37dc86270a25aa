/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TRIAL_H
#define TRIAL_H

#include "as_json.h"

/*
 * What try has found, and what its report says. An object with
 *  - device: as devices_read() has it, and with ids and no_snoop_bit
 *  - machine: kernel, cpu, and whether it is a virtual machine
 *  - policy: of the VM
 *  - steps: a list of objects with step, dma, permission, wbinvds, flushed, ignored (both as
 *    KVM counted), cpuid_ns, wbinvd_ns, by_time ("flushed", "ignored" or "unclear"), and
 *    verdict ("right", "WRONG" or "unclear")
 *  - verdict: of all steps
 *  - restored: is the device as it was found?
 */
void trial_print(struct json_object *trial);

/* The machine's part of it */
struct json_object *trial_machine(void);

/* "WRONG" if a step is, "unclear" if one is and none is wrong, or "right" */
const char *trial_verdict(struct json_object *steps);

#endif
