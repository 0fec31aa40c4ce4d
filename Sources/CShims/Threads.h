/* SPDX-License-Identifier: Apache-2.0 */

/* Declarations that the C files share and Swift does not see. */

#ifndef BACKBONE_SHIMS_THREADS_H
#define BACKBONE_SHIMS_THREADS_H

#include <sched.h>
#include <stddef.h>

/* The calling thread's affinity mask, to be freed with CPU_FREE, and its size in bytes; NULL if it cannot be read. */
cpu_set_t *shims_affinity_mask(size_t *size);
/* Binds the calling thread to the CPU it runs on, for masks of that size. Returns 0 or -1. */
int shims_bind_to_this_cpu(size_t size);

#endif
