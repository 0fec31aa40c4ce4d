/* SPDX-License-Identifier: Apache-2.0 */

#include "CTestSupport.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* OpenBLAS 0.3.21 stops its threads before a fork: two threads that fork at once wait for each other forever, and one
 * that computes meanwhile waits for threads that are gone. */
static pthread_mutex_t openblas = PTHREAD_MUTEX_INITIALIZER;

void test_lock_openblas(void) { pthread_mutex_lock(&openblas); }
void test_unlock_openblas(void) { pthread_mutex_unlock(&openblas); }

int test_limit_memory(long bytes) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL) return -1;
    int count = fscanf(file, "%ld", &pages);
    fclose(file);
    if (count != 1) return -1;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0) return -1;
    limit.rlim_cur = (rlim_t)(pages * sysconf(_SC_PAGESIZE) + bytes);
    return setrlimit(RLIMIT_AS, &limit);
}

int test_in_forked_child(int (*body)(void *context), void *context, unsigned seconds) {
    test_lock_openblas();
    pid_t child = fork();
    /* The child has the lock too, and gives it back as the parent does. */
    test_unlock_openblas();
    if (child < 0) return -1000;
    if (child == 0) {
        alarm(seconds);
        _exit(body(context));
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int test_has_thread_sanitizer(void) {
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    return 1;
#endif
#endif
    return 0;
}
