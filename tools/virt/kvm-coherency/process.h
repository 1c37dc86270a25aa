/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PROCESS_H
#define PROCESS_H

#include <sys/types.h>

/* Names, escaped; NULL if there is none. The caller's to free. */
char *process_name(pid_t pid);
char *process_vm_name(pid_t pid);

/* The process that a thread is of; the thread itself if it is gone */
pid_t process_of_thread(pid_t tid);

#endif
