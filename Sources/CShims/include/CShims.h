/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The C library as the Swift targets see it, and the few inlines that Swift cannot express. Swift's own Glibc module is
 * not used: Embedded Swift has none.
 */

#ifndef BACKBONE_CSHIMS_H
#define BACKBONE_CSHIMS_H

#include "KernelArguments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
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
static inline int shims_open_for_reading(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}
static inline int shims_create_exclusively(const char *path, mode_t permissions) {
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
}
/* Up to nine significant digits, with a point in every locale. */
static inline void shims_format_number(double number, char out[32]) {
    char *comma;
    snprintf(out, 32, "%.9g", number);
    comma = strchr(out, ',');
    if (comma != NULL) *comma = '.';
}
/* fcntl is variadic too. */
static inline int shims_duplicate(int file) { return fcntl(file, F_DUPFD_CLOEXEC, 0); }
static inline void shims_clear_nonblocking(int file) {
    int flags = fcntl(file, F_GETFL);
    if (flags >= 0) (void)fcntl(file, F_SETFL, flags & ~O_NONBLOCK);
}
static inline int shims_open_folder(const char *path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

/* Macros on the mode of a file. */
static inline int shims_is_directory(const struct stat *status) { return S_ISDIR(status->st_mode); }
static inline int shims_is_link(const struct stat *status) { return S_ISLNK(status->st_mode); }
static inline int shims_is_regular_file(const struct stat *status) { return S_ISREG(status->st_mode); }
static inline int shims_is_block_device(const struct stat *status) { return S_ISBLK(status->st_mode); }

/* Whether an open folder has a file of that name. */
static inline int shims_folder_has(int folder, const char *name) { return faccessat(folder, name, F_OK, 0) == 0; }

/* Reads a stream without waiting, as read does: -1 with errno EAGAIN where nothing has come yet. */
ssize_t shims_read_stream(int file, void *out, size_t size);
/* Waits so many milliseconds for a stream to be readable, at its end or broken: 1, or 0 after that time. */
int shims_wait_for_stream(int file, int milliseconds);
/*
 * Whether a stream without any bytes is at its end because no writer has opened the named pipe yet.
 * `inherited` is the descriptor that the stream was opened by, as in /dev/fd/N; -1 for none.
 */
int shims_awaits_writer(int file, int inherited);

/* madvise(MADV_HUGEPAGE), which only Linux has. Returns 0 or -1. */
int shims_advise_huge_pages(void *start, size_t size);

/* Gives the whole pages of some private memory back to the system: it stays allocated, with undefined contents. */
void shims_release_pages(void *start, size_t size);

/* Whether the CPU has AVX2 and FMA and the operating system keeps their registers: 1 or 0. */
int shims_cpu_has_avx2_fma(void);
/* The same for AVX-512 F, BW, DQ and VL. */
int shims_cpu_has_avx512(void);

/* Bytes of a core's first-level data cache; 0 if the system does not report it. */
long shims_first_level_cache(void);

/* Whether the CPU has the instructions of shims_crc32_fold, PCLMULQDQ on x86-64 and CRC32 on ARM: 1 or 0. */
int shims_cpu_folds_crc32(void);
/*
 * Sixteen bytes that have, with a state of 0 before them, the same CRC-32 (polynomial 0xEDB88320) as `count` bytes with
 * `state` before them; `count` is a multiple of 64 above 0. Requires a CPU with the instructions.
 */
void shims_crc32_fold(const void *bytes, size_t count, uint32_t state, unsigned char *remainder);

/* Whether none of `count` floats is a NaN or an infinity: 1 or 0. As fast as they come from the cache. */
int shims_all_finite(const float *values, long count);

/* The number of CPUs in this thread's affinity mask, at least 1, however many the machine has. cpu_set_t is accessed
 * through macros. */
int shims_affinity_cpu_count(void);

/* A variable of the environment; NULL if it is not set or the process has more rights than its caller. */
const char *shims_environment(const char *name);

/*
 * Threads and locks do not survive a fork: the child of a process has one thread, and locks in the state that they had.
 * A counter, which the child's side of fork() raises, tells the processes apart: process numbers are used again, and
 * different PID namespaces have the same ones. `owner` is the counter's value for which some state was made, 0 before
 * first use. shims_fork_begin returns 1 to the one thread that is to make the state anew and then call shims_fork_end.
 * It returns 0 to all others, once the state is made.
 */
int shims_fork_begin(int *owner);
void shims_fork_end(int *owner);
/* The counter: 1 or more. */
int shims_fork_generation(void);

/* *counter += 1, atomically; the value before. Relaxed: users of the counter order the rest by a lock. */
long shims_atomic_next(long *counter);

/* Release stores and acquire loads: writes before the store in one thread happen before reads after the load in
 * another. */
int shims_atomic_load(const int *value);
void shims_atomic_store(int *value, int desired);

/* *value += 1, atomically, before whatever the thread does next. Safe in a signal handler. */
void shims_atomic_increment(int *value);

/* A condition for shims_cond_wait_briefly. Returns 0 or an error number. */
int shims_cond_init(pthread_cond_t *condition);
/* pthread_cond_wait, but for a few milliseconds at most. */
void shims_cond_wait_briefly(pthread_cond_t *condition, pthread_mutex_t *mutex);

/* pthread_create with the stack that the library's own threads need, whatever the process's default is. */
int shims_thread_create(pthread_t *thread, void *(*main)(void *), void *argument);

/*
 * Floating-point arithmetic as the library wants it: rounds to nearest, keeps subnormal numbers, traps nothing. enter
 * returns what the thread had before, its exception flags included, for leave to restore.
 */
unsigned long shims_float_environment_enter(void);
void shims_float_environment_leave(unsigned long previous);

/*
 * The functions of OpenBLAS that the portable kernels use. It is loaded when the first of them is chosen, not with this
 * library: on CPUs with AVX2 it need not be installed and costs neither threads nor memory.
 */
struct shims_blas {
    /* cblas_sgemm, with its enumerations as numbers. */
    void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc);
    int (*get_num_threads)(void);
    void (*set_num_threads)(int count);
    /* The buffer that a product works in, and its return; NULL in builds that do not export them. */
    void *(*take_buffer)(int);
    void (*give_back_buffer)(void *buffer);
};

/* Loads it at the first call: openblas/libopenblas.so.0 beside this library, else the system's. NULL where it cannot be
 * loaded. */
const struct shims_blas *shims_blas(void);
/* The same, for a process that may use so many CPUs. NULL, or the reason why it cannot be loaded. */
const char *shims_load_blas(int cpus);

/* The calls that have set OpenBLAS, process-wide, to one thread. `mutex` guards all fields but `owner`, which is for
 * shims_fork_begin. */
struct shims_blas_scope {
    int owner;
    pthread_mutex_t mutex;
    int users;
    int saved_threads;
    /* Threads of all users, each of which needs a buffer of OpenBLAS; and buffers that OpenBLAS has made for us. */
    int threads;
    int buffers;
};
struct shims_blas_scope *shims_the_blas_scope(void);
/*
 * Makes OpenBLAS map buffers until `count` products can run at once; it keeps them. Returns 0, or -1 if the system has
 * no memory for one: OpenBLAS is not asked then, since it would end the process or try forever. Other users of the same
 * OpenBLAS are not counted. Requires the scope's mutex, as the fields do.
 */
int shims_reserve_blas_buffers(struct shims_blas_scope *scope, int count);

/* Hints to the CPU that a loop waits for another thread. */
static inline void shims_spin_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __builtin_arm_yield();
#endif
}

/* Nanoseconds of a monotonic clock. */
long shims_nanoseconds(void);

/* Asks for the cache line at an address, which need not be valid. */
static inline void shims_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }
/* The same for one that is soon to be written, into the first-level cache. */
static inline void shims_prefetch_for_writing(const void *address) { __builtin_prefetch(address, 1, 3); }

/* The same address, with its origin hidden from the compiler. So it stays in a register of its own; otherwise each
 * instruction that reads there would add it up, and some CPUs would have to split these instructions. */
static inline const float *shims_in_register(const float *address) {
    __asm__("" : "+r"(address));
    return address;
}

/* BACKBONE_VERSION_STRING: Swift imports it as a String, which has no lasting address. */
const char *shims_version_string(void);

/* Text of the last error of the calling thread: room for one message, zero-terminated by its writer. */
enum { SHIMS_MESSAGE_CAPACITY = 512 };
char *shims_thread_message(void);

#endif
