/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The C library as the Swift targets see it, and the few inlines that Swift cannot express. Swift's own Glibc module is
 * not used: Embedded Swift has none.
 */

#ifndef BACKBONE_CSHIMS_H
#define BACKBONE_CSHIMS_H

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* errno is a macro, which Swift does not import. */
static inline int shims_errno(void) { return errno; }

/* open and snprintf are variadic, which Swift does not import. */
static inline int shims_open_for_reading(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }
static inline int shims_create_exclusively(const char *path) {
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

/* Macros on the mode of a file. */
static inline int shims_is_directory(const struct stat *status) { return S_ISDIR(status->st_mode); }
static inline int shims_is_regular_file(const struct stat *status) { return S_ISREG(status->st_mode); }

/* The number of CPUs in this thread's affinity mask; cpu_set_t is worked by macros. At least 1. */
int shims_affinity_cpu_count(void);

/* Text of the last error of the calling thread: room for one message, zero-terminated by its writer. */
enum { SHIMS_MESSAGE_CAPACITY = 512 };
char *shims_thread_message(void);

#endif
