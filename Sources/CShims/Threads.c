/* SPDX-License-Identifier: Apache-2.0 */

#define _GNU_SOURCE
#include "Threads.h"

#include <time.h>

#include "CShims.h"

/* ---- Processors ------------------------------------------------------------------------------------------------- */

cpu_set_t *shims_affinity_mask(size_t *size) {
    /* The kernel refuses a mask that is smaller than its own, and does not report its size. */
    for (int cpus = CPU_SETSIZE; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)cpus);
        if (mask == NULL) return NULL;
        *size = CPU_ALLOC_SIZE((size_t)cpus);
        CPU_ZERO_S(*size, mask);
        if (sched_getaffinity(0, *size, mask) == 0) return mask;
        int error = errno;
        CPU_FREE(mask);
        if (error != EINVAL) return NULL;
    }
    return NULL;
}

int shims_bind_to_this_cpu(size_t size) {
    int cpu = sched_getcpu();
    if (cpu < 0 || (size_t)cpu >= 8 * size) return -1;
    cpu_set_t *one = CPU_ALLOC(8 * size);
    if (one == NULL) return -1;
    CPU_ZERO_S(size, one);
    CPU_SET_S((size_t)cpu, size, one);
    int result = sched_setaffinity(0, size, one);
    CPU_FREE(one);
    return result;
}

int shims_affinity_cpu_count(void) {
    size_t size;
    cpu_set_t *mask = shims_affinity_mask(&size);
    if (mask == NULL) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (int)online : 1;
    }
    int count = CPU_COUNT_S(size, mask);
    CPU_FREE(mask);
    return count > 0 ? count : 1;
}

/* ---- Forks ------------------------------------------------------------------------------------------------------ */

static int fork_generation = 1;
static int forks_are_counted;

static void count_fork(void) { __atomic_fetch_add(&fork_generation, 1, __ATOMIC_RELAXED); }

/* The library is never unloaded (-z nodelete), so the handler may stay. */
__attribute__((constructor)) static void count_forks(void) {
    forks_are_counted = pthread_atfork(NULL, NULL, count_fork) == 0;
}

int shims_fork_generation(void) {
    /* If the handler could not be allocated, process numbers must suffice. */
    return forks_are_counted ? __atomic_load_n(&fork_generation, __ATOMIC_RELAXED) : (int)getpid();
}

int shims_fork_begin(int *owner) {
    int self = shims_fork_generation();
    int found = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
    /* While one thread of process p makes the state anew, the owner is -p. */
    while (found != self) {
        if (found == -self) {
            sched_yield();
            found = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
        } else if (__atomic_compare_exchange_n(owner, &found, -self, 0, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            return 1;
        }
    }
    return 0;
}

void shims_fork_end(int *owner) { __atomic_store_n(owner, shims_fork_generation(), __ATOMIC_RELEASE); }

/* ---- Conditions ------------------------------------------------------------------------------------------------- */

int shims_cond_init(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);
    if (error != 0) return error;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}

void shims_cond_wait_briefly(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 10 * 1000000L;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_nsec -= 1000000000L;
        end.tv_sec += 1;
    }
    pthread_cond_timedwait(condition, mutex, &end);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

int shims_thread_create(pthread_t *thread, void *(*main)(void *), void *argument) {
    /* Several times what any kernel uses, sanitizers' frames included; thread-local variables come on top of it. */
    size_t size = 512 << 10;
    long least = sysconf(_SC_THREAD_STACK_MIN);
    if (least > 0) size += ((size_t)least + 0xffff) & ~(size_t)0xffff;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0) return error;
    error = pthread_attr_setstacksize(&attributes, size);
    if (error == 0) error = pthread_create(thread, &attributes, main, argument);
    pthread_attr_destroy(&attributes);
    return error;
}

/* ---- Floating-point environment --------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#include <xmmintrin.h>

/* MXCSR with all exceptions masked and everything else 0, as a process starts. */
enum { PLAIN = 0x1f80 };

unsigned long shims_float_environment_enter(void) {
    unsigned previous = _mm_getcsr();
    if (previous != PLAIN) _mm_setcsr(PLAIN);
    return previous;
}

/* This also drops the flags that the library's own arithmetic has raised. */
void shims_float_environment_leave(unsigned long previous) { _mm_setcsr((unsigned)previous); }

#elif defined(__aarch64__)

/* FPCR: 0 rounds to nearest, keeps subnormal numbers and traps nothing. FPSR has the exception flags. */
unsigned long shims_float_environment_enter(void) {
    unsigned long control, status;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(status));
    if (control != 0) __asm__ volatile("msr fpcr, %0" : : "r"(0UL));
    return (control & 0xffffffffUL) | status << 32;
}

void shims_float_environment_leave(unsigned long previous) {
    __asm__ volatile("msr fpcr, %0" : : "r"(previous & 0xffffffffUL));
    __asm__ volatile("msr fpsr, %0" : : "r"(previous >> 32));
}

#else

unsigned long shims_float_environment_enter(void) { return 0; }
void shims_float_environment_leave(unsigned long previous) { (void)previous; }

#endif
