/* SPDX-License-Identifier: Apache-2.0 */

#include "CTestSupport.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

int test_in_forked_child(int (*body)(void *context), void *context, unsigned seconds) {
    pid_t child = fork();
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
