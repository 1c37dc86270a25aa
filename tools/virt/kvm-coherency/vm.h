/* SPDX-License-Identifier: GPL-2.0 */
#ifndef VM_H
#define VM_H

#include "as_json.h"
#include "open_file.h"

/**
 * vms_read - What KVM tells about its VMs
 * @files: What processes have open
 *
 * Dies if it cannot be read, or if this kernel's KVM has nothing to tell.
 *
 * Returns a list of objects with
 *  - vm: the name of its directory in debugfs; null if it has none, and then there are
 *    only pid, process, name and descriptor
 *  - pid, process, name: who made it, or a child that has it since, null if that is gone;
 *    descriptor: where it is open, null if that is unknown
 *  - permission, policy, loosest_policy, type1_not_enforced
 *  - edges, wbinvd_flushed, wbinvd_ignored: counts
 *  - sources: a list of objects with type, iommufd (an ID or null), and attached, a list
 *    of objects with kind (page-table, access, container or no-iommu), group, page_table,
 *    pasid and access as the kind has them, and since
 */
struct json_object *vms_read(const struct open_files *files);

/* Reads again what the statistics of a VM count; false if it is gone */
bool vm_count(struct json_object *vm);

#endif
