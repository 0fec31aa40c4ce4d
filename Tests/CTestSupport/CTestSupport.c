/* SPDX-License-Identifier: Apache-2.0 */

#include "CTestSupport.h"

#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int test_in_forked_child(int (*body)(void *context), void *context, unsigned seconds) {
    /* One fork at a time: OpenBLAS 0.3.21 stops its threads before a fork, and two threads that do so at once wait for
     * each other forever. The child has the lock too, and gives it back as the parent does. */
    static pthread_mutex_t forking = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&forking);
    pid_t child = fork();
    pthread_mutex_unlock(&forking);
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
