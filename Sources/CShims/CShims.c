/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "CShims.h"

#include "Threads.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "../../include/backbone.h"

const char *shims_version_string(void) { return BACKBONE_VERSION_STRING; }

char *shims_thread_message(void) {
    static _Thread_local char message[SHIMS_MESSAGE_CAPACITY];
    return message;
}

long shims_atomic_next(long *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

int shims_atomic_load(const int *value) { return __atomic_load_n(value, __ATOMIC_ACQUIRE); }
void shims_atomic_store(int *value, int desired) { __atomic_store_n(value, desired, __ATOMIC_RELEASE); }

void shims_atomic_increment(int *value) { __atomic_fetch_add(value, 1, __ATOMIC_SEQ_CST); }

const char *shims_environment(const char *name) { return secure_getenv(name); }

struct shims_blas_scope *shims_the_blas_scope(void) {
    static struct shims_blas_scope scope = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    return &scope;
}

int shims_advise_huge_pages(void *start, size_t size) {
#if defined(MADV_HUGEPAGE)
    return madvise(start, size, MADV_HUGEPAGE);
#else
    (void)start;
    (void)size;
    return -1;
#endif
}

void shims_release_pages(void *start, size_t size) {
#if defined(MADV_DONTNEED)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = ((uintptr_t)start + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)start + size) & ~(page - 1);
    if (first < end) madvise((void *)first, end - first, MADV_DONTNEED);
#else
    (void)start;
    (void)size;
#endif
}

int shims_cpu_has_avx2_fma(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

int shims_cpu_has_avx512(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

long shims_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static struct shims_blas blas;
static char blas_error[256];
static int blas_is_loaded;
static int blas_cpus;

/* When it is loaded, OpenBLAS starts a thread for each further CPU in the affinity mask of the thread that loads it. */
static void *open_without_threads(const char *path) {
    size_t size;
    cpu_set_t *mask = shims_affinity_mask(&size);
    int is_bound = mask != NULL && shims_bind_to_this_cpu(size) == 0;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (is_bound) sched_setaffinity(0, size, mask);
    if (mask != NULL) CPU_FREE(mask);
    return library;
}

/*
 * An OpenBLAS that travels with this library, as in a Python wheel, lies in the folder `openblas` beside it; it is then
 * the one that was tested with it, and nobody else's: ours are the only threads that use it. Else it is the system's,
 * and perhaps the host's too, which then has the threads that it is used to; but a quota of one CPU, which OpenBLAS
 * does not know of, is no room for more than one.
 */
static void *open_blas(void) {
    static const char bundled[] = "openblas/libopenblas.so.0";
    char path[PATH_MAX];
    Dl_info self;
    if (dladdr((void *)&blas, &self) != 0 && self.dli_fname != NULL) {
        const char *slash = strrchr(self.dli_fname, '/');
        int folder = slash == NULL ? 0 : (int)(slash + 1 - self.dli_fname);
        int length = snprintf(path, sizeof path, "%.*s%s", folder, self.dli_fname, bundled);
        if (length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0)
            return open_without_threads(path);
    }
    const char *system = "libopenblas.so.0";
    int is_alone = __atomic_load_n(&blas_cpus, __ATOMIC_RELAXED) == 1;
    return is_alone ? open_without_threads(system) : dlopen(system, RTLD_NOW | RTLD_LOCAL);
}

static void load_blas(void) {
    void *library = open_blas();
    if (library != NULL) {
        *(void **)&blas.sgemm = dlsym(library, "cblas_sgemm");
        *(void **)&blas.get_num_threads = dlsym(library, "openblas_get_num_threads");
        *(void **)&blas.set_num_threads = dlsym(library, "openblas_set_num_threads");
        blas_is_loaded = blas.sgemm != NULL && blas.get_num_threads != NULL && blas.set_num_threads != NULL;
    }
    const char *reason = blas_is_loaded ? NULL : dlerror();
    if (reason != NULL) snprintf(blas_error, sizeof blas_error, "%s", reason);
}

const struct shims_blas *shims_blas(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load_blas);
    return blas_is_loaded ? &blas : NULL;
}

const char *shims_load_blas(int cpus) {
    __atomic_store_n(&blas_cpus, cpus, __ATOMIC_RELAXED);
    return shims_blas() == NULL ? blas_error : NULL;
}
