/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "CShims.h"

#include "Threads.h"

#include <dlfcn.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <time.h>

#include "../../include/backbone.h"

const char *shims_version_string(void) { return BACKBONE_VERSION_STRING; }

const char *shims_environment(const char *name) { return secure_getenv(name); }

ssize_t shims_read_stream(int file, void *out, size_t size) {
    /* A socket was opened by the caller, who decides whether reading it waits. */
    ssize_t count = recv(file, out, size, MSG_DONTWAIT);
    return count < 0 && errno == ENOTSOCK ? read(file, out, size) : count;
}

int shims_wait_for_stream(int file, int milliseconds) {
    struct pollfd entry = {.fd = file, .events = POLLIN};
    return poll(&entry, 1, milliseconds) > 0;
}

int shims_awaits_writer(int file, int inherited) {
    struct stat status, other;
    struct statfs system;
    struct pollfd entry = {.fd = file, .events = POLLIN};
    const long pipes = 0x50495045; /* PIPEFS_MAGIC: pipes without a name, which writers cannot open. */
    if (fstat(file, &status) != 0 || !S_ISFIFO(status.st_mode)) return 0;
    if (fstatfs(file, &system) != 0 || (long)system.f_type == pipes) return 0;
    /* Linux reports a hang-up only if the pipe had a writer since it was opened, here or by the parent process. */
    if (inherited >= 0 && fstat(inherited, &other) == 0 && other.st_dev == status.st_dev &&
        other.st_ino == status.st_ino)
        entry.fd = inherited;
    return poll(&entry, 1, 0) >= 0 && (entry.revents & POLLHUP) == 0;
}

char *shims_thread_message(void) {
    static _Thread_local char message[SHIMS_MESSAGE_CAPACITY];
    return message;
}

int shims_all_finite(const float *values, long count) {
    /* An exponent of ones carries into the sign: an integer loop, which the compiler makes one of vectors, and which no
     * state of the floating-point unit concerns. */
    uint32_t carries = 0;
    for (long index = 0; index < count; index++) {
        uint32_t bits;
        memcpy(&bits, values + index, sizeof bits);
        carries |= (bits & 0x7fffffff) + 0x00800000;
    }
    return !(carries & 0x80000000);
}

long shims_atomic_next(long *counter) { return __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

int shims_atomic_load(const int *value) { return __atomic_load_n(value, __ATOMIC_ACQUIRE); }
void shims_atomic_store(int *value, int desired) { __atomic_store_n(value, desired, __ATOMIC_RELEASE); }

void shims_atomic_increment(int *value) { __atomic_fetch_add(value, 1, __ATOMIC_SEQ_CST); }


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

/* Whether the system would give OpenBLAS `count` buffers: 128 MiB each on 64-bit machines, and some to align them. */
static int has_memory_for_blas_buffers(size_t count) {
    size_t size = count * ((size_t)160 << 20);
    void *probe = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) return 0;
    munmap(probe, size);
    return 1;
}

/* When loaded, OpenBLAS starts a thread for each further CPU in the affinity mask of the loading thread. Each takes a
 * buffer, and tries forever if memory for it is missing. */
static int has_memory_for_blas_threads(void) {
    size_t size;
    cpu_set_t *mask = shims_affinity_mask(&size);
    if (mask == NULL) return 0;
    size_t count = (size_t)CPU_COUNT_S(size, mask);
    CPU_FREE(mask);
    return has_memory_for_blas_buffers(count);
}

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
 * An OpenBLAS that is shipped with this library, as in a Python wheel, is in the folder `openblas` beside it; it was
 * tested with this library and is used by nothing else, so only our threads use it. Otherwise it is the system's, which
 * the host may use too and whose threads stay as the host expects; but with a quota of one CPU, which OpenBLAS does not
 * know of, or too little memory for the buffers of its threads it gets one thread only.
 *
 * A relative path of this library, from a program or LD_LIBRARY_PATH, is relative to the folder of the process when it
 * was loaded. The process may be in another folder now, with somebody else's `openblas` in it: nothing is then looked
 * for beside this library.
 */
static void *open_blas(void) {
    static const char bundled[] = "openblas/libopenblas.so.0";
    char path[PATH_MAX];
    Dl_info self;
    if (dladdr((void *)&blas, &self) != 0 && self.dli_fname != NULL && self.dli_fname[0] == '/') {
        int folder = (int)(strrchr(self.dli_fname, '/') + 1 - self.dli_fname);
        int length = snprintf(path, sizeof path, "%.*s%s", folder, self.dli_fname, bundled);
        if (length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0)
            return open_without_threads(path);
    }
    const char *system = "libopenblas.so.0";
    int is_alone = __atomic_load_n(&blas_cpus, __ATOMIC_RELAXED) == 1 || !has_memory_for_blas_threads();
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
    if (blas_is_loaded) {
        /* Not part of its interface: other builds of OpenBLAS may lack them. */
        *(void **)&blas.take_buffer = dlsym(library, "blas_memory_alloc");
        *(void **)&blas.give_back_buffer = dlsym(library, "blas_memory_free");
        return;
    }
    const char *reason = dlerror();
    snprintf(blas_error, sizeof blas_error, "%s", reason != NULL ? reason : "it cannot be loaded");
    if (library != NULL) dlclose(library);
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

/* Takes `count` buffers at once, so that OpenBLAS maps the missing ones, and gives all back. Each begins with the
 * address of the one before. */
int shims_reserve_blas_buffers(struct shims_blas_scope *scope, int count) {
    if (count <= scope->buffers || blas.take_buffer == NULL || blas.give_back_buffer == NULL) return 0;
    void **taken = NULL;
    int failed = 0;
    for (int i = 0; i < count; i++) {
        void **buffer = has_memory_for_blas_buffers(1) ? blas.take_buffer(0) : NULL;
        failed = buffer == NULL;
        if (failed) break;
        *buffer = taken;
        taken = buffer;
        if (i >= scope->buffers) scope->buffers = i + 1;
    }
    while (taken != NULL) {
        void **next = *taken;
        blas.give_back_buffer(taken);
        taken = next;
    }
    return failed ? -1 : 0;
}

long shims_first_level_cache(void) {
    static long known = -1;
    long size = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (size < 0) {
#ifdef _SC_LEVEL1_DCACHE_SIZE
        size = sysconf(_SC_LEVEL1_DCACHE_SIZE);
#endif
        if (size < 0) size = 0;
        __atomic_store_n(&known, size, __ATOMIC_RELAXED);
    }
    return size;
}
