/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRETENDED_H
#define PRETENDED_H

#include "../assigned.h"
#include "../guardian.h"
#include "../guest.h"

/* What the linker has in place of the tool's own functions */
void __real_guardian_start(const struct binding *binding);
void __wrap_guardian_start(const struct binding *binding);
void __wrap_guest_open(struct guest *guest);
void __wrap_guest_close(struct guest *guest);
void __wrap_guest_add_file(struct guest *guest, int file);
long long __wrap_guest_execute(struct guest *guest, enum guest_instruction instruction);
void __wrap_assigned_open_iommufd(struct assigned *assigned);
void __wrap_assigned_open_device(struct assigned *assigned, const char *name);
void __wrap_assigned_bind(struct assigned *assigned);
void __wrap_assigned_attach(struct assigned *assigned, unsigned int ioas);
void __wrap_assigned_detach(struct assigned *assigned);

#endif
